//! What callers ask for: rooms, and sessions that join them.

use serde_json::Value;

use super::{ids::RoomId, wishes::Wishes};
use crate::{core::refusal::Refusal, media::Kind, sessions::specs::SessionSpec};

/// Longest name of a session, in bytes.
pub(super) const LONGEST_NAME: usize = 128;
/// Most metadata, in bytes of JSON.
pub(super) const MOST_METADATA: usize = 1024;
/// Most m-lines that a session can ask us to offer at first.
pub const MAX_RECEIVE: usize = 64;

/// A room as declared, whole: what is left out is as the node's settings have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoomSpec {
    /// Nobody joins any more.
    pub locked: bool,
    /// Sessions at one time, 1 or more.
    pub max_sessions: Option<u32>,
    /// Publications at one time.
    pub max_tracks: Option<u32>,
    /// Bits per second that all its publications bring together, above which no more are let in.
    pub max_bitrate: Option<u64>,
    /// Whatever its owner keeps there; at most 1 KiB of JSON.
    pub metadata: Option<Value>,
}

impl RoomSpec {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.max_sessions == Some(0) {
            return Err(Refusal::invalid("max_sessions", 0, "1 or more"));
        }
        if self.max_bitrate == Some(0) {
            return Err(Refusal::invalid("max_bitrate", 0, "1 bit/s or more"));
        }
        check_metadata(self.metadata.as_ref())
    }
}

/// What whoever joins may do. Comes from a token, or is everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Send media.
    pub publish: bool,
    /// Receive media.
    pub subscribe: bool,
    /// Enter a room that is locked.
    pub admin: bool,
    /// Who the limits below are for: sessions with the same holder share them.
    pub holder: Option<String>,
    /// Sessions of the holder on this node.
    pub max_sessions: Option<u32>,
    /// Publications of the holder on this node.
    pub max_tracks: Option<u32>,
    /// Bits per second that the holder's publications bring together, above which no more are let in.
    pub max_bitrate: Option<u64>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            publish: true,
            subscribe: true,
            admin: false,
            holder: None,
            max_sessions: None,
            max_tracks: None,
            max_bitrate: None,
        }
    }
}

/// How a session comes to be.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Its peer offers; it gets an answer.
    Offer {
        /// The offer.
        sdp: String,
        /// Whether it can be sent offers of ours later. Players of WHEP cannot: what changes goes to the m-lines that they
        /// have.
        takes_offers: bool,
    },
    /// We offer; its peer answers. A line of each of these kinds is offered for it to send on, beside those for what it
    /// wants to receive.
    Offered {
        /// What it may send, one m-line each, at most [`MAX_RECEIVE`].
        receive: Vec<Kind>,
    },
    /// By ORTC parameters: its m-lines are its caller's business.
    Parameters(Box<SessionSpec>),
}

/// A session as asked for.
#[derive(Clone, Debug)]
pub struct JoinSpec {
    /// Where to; a session without a room is sent only what its caller subscribes it to.
    pub room: Option<RoomId>,
    /// What others see of it.
    pub name: Option<String>,
    /// Whatever its owner keeps there; at most 1 KiB of JSON.
    pub metadata: Option<Value>,
    /// What it may do.
    pub grants: Grants,
    /// What it wants to receive; everything, unless said.
    pub wishes: Wishes,
    /// How it comes to be.
    pub entry: Entry,
}

impl JoinSpec {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if let Some(name) = &self.name {
            let plain = name.chars().all(|it| !it.is_control());
            if !(1..=LONGEST_NAME).contains(&name.len()) || !plain {
                return Err(Refusal::invalid(
                    "name",
                    format!("{name:?}"),
                    format!("1 to {LONGEST_NAME} bytes of UTF-8 without control characters"),
                ));
            }
        }
        check_metadata(self.metadata.as_ref())?;
        if let Entry::Offered { receive } = &self.entry
            && receive.len() > MAX_RECEIVE
        {
            return Err(Refusal::invalid(
                "receive",
                format!("{} of them", receive.len()),
                format!("at most {MAX_RECEIVE}"),
            ));
        }
        self.wishes.check()
    }
}

fn check_metadata(metadata: Option<&Value>) -> Result<(), Refusal> {
    let len = metadata.map_or(0, |value| value.to_string().len());
    if len > MOST_METADATA {
        return Err(Refusal::invalid(
            "metadata",
            format!("{len} bytes"),
            format!("at most {MOST_METADATA} bytes of JSON"),
        ));
    }
    Ok(())
}

/// Candidates of a peer, as they trickle in (RFC 8838). Nothing is kept of them: the peer's checks tell where it is (RFC 8445 §2.5,
/// lite). But what is no candidate is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trickle {
    /// As in `a=candidate`; at most [`MAX_CANDIDATES`]. An empty one says that there are no more, as browsers tell it.
    pub candidates: Vec<String>,
    /// There are no more.
    pub end: bool,
    /// The username fragment that they belong to.
    pub ufrag: Option<String>,
}

/// Candidates in one call.
pub const MAX_CANDIDATES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_are_called_and_keep_has_limits() {
        let join = |name: &str, metadata: Value| {
            let spec = JoinSpec {
                room: None,
                name: Some(name.to_owned()),
                metadata: Some(metadata),
                grants: Grants::default(),
                wishes: Wishes::default(),
                entry: Entry::Offered {
                    receive: Vec::new(),
                },
            };
            spec.check().map_err(|refusal| refusal.field)
        };
        assert_eq!(join("Ann\u{e9}", Value::Null), Ok(()));
        assert_eq!(join("", Value::Null), Err("name"));
        assert_eq!(join("a\nb", Value::Null), Err("name"));
        assert_eq!(join(&"x".repeat(129), Value::Null), Err("name"));
        assert_eq!(join("Ann", "x".repeat(1022).into()), Ok(()));
        assert_eq!(join("Ann", "x".repeat(1023).into()), Err("metadata"));
    }
}
