//! What a page tells of its peer connections.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The codecs of a browser, by their names in SDP, in capitals.
#[derive(Clone, Debug, Deserialize)]
pub struct Codecs {
    /// Which it can send.
    pub sends: Vec<String>,
    /// Which it can receive.
    pub takes: Vec<String>,
}

/// A peer connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// `connectionState`.
    pub state: String,
    /// `readyState` of its channel of data, if it asked for one.
    pub channel: Option<String>,
    /// What it became, and when; also `ice connected` and the like, and `video came`, `audio came` with the first packet.
    pub states: Vec<StateAt>,
    /// Pictures that come.
    pub pictures: Vec<Seen>,
    /// Sound that comes.
    pub sounds: Vec<Sound>,
}

/// A state of a peer connection.
#[derive(Clone, Debug, Deserialize)]
pub struct StateAt {
    /// `connectionState`, or what else came about.
    pub state: String,
    /// Milliseconds since 1970.
    pub at: u64,
}

impl Report {
    /// When it first became that, in milliseconds since 1970.
    #[must_use]
    pub fn since(&self, state: &str) -> Option<u64> {
        let mut states = self.states.iter();
        states.find(|it| it.state == state).map(|it| it.at)
    }
}

/// What was read back from the pictures of one m-line.
#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    /// Its `a=mid`.
    pub mid: Option<String>,
    /// Whether the track has ended, or its m-line receives nothing any more.
    pub ended: bool,
    /// The number of the stream that the picture bears.
    pub stream: Option<u8>,
    /// The first that could be read.
    pub first: Option<Glance>,
    /// The latest.
    pub latest: Option<Glance>,
    /// How many could be read.
    pub read: u64,
    /// How many could not.
    pub unreadable: u64,
    /// The first of those.
    pub faults: Vec<Fault>,
    /// How often a picture was older than one before it.
    pub backwards: u64,
    /// How often the stream became another one.
    pub strangers: u64,
    /// The greatest age that a picture was shown at, in milliseconds.
    pub oldest: i64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A picture that could not be read.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Fault {
    /// How many could be read before it.
    pub after: u64,
    /// The bits of its upper third.
    pub upper: u32,
    /// The bits of its lower third, which are the same in a whole picture.
    pub lower: u32,
    /// How far the greyest block was from the middle of the scale, of 127.
    pub contrast: u8,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A picture that was read.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Glance {
    /// Its number: thirtieths of a second by the publisher's clock.
    pub number: u32,
    /// When it was read, in milliseconds since 1970.
    pub at: u64,
    /// How long before it was drawn, in milliseconds, to a thirtieth of a second.
    pub age: i64,
}

/// What is heard on one m-line.
#[derive(Clone, Debug, Deserialize)]
pub struct Sound {
    /// Its `a=mid`.
    pub mid: Option<String>,
    /// The loudest frequency, Hz; that of the left one of two channels.
    pub frequency: f64,
    /// Its level, dB of full scale.
    pub level: f64,
    /// The right channel, if there are two.
    pub right: Option<Channel>,
}

/// What is heard on one channel.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Channel {
    /// The loudest frequency, Hz.
    pub frequency: f64,
    /// Its level, dB of full scale.
    pub level: f64,
}

/// What became of a POST to a WHIP or WHEP endpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct Posted {
    /// HTTP status.
    pub status: u16,
    /// When it was sent, in milliseconds since 1970.
    pub posted: u64,
    /// When the answer was there.
    pub answered: u64,
    /// Content-Type.
    #[serde(rename = "type")]
    pub content_type: Option<String>,
    /// Location.
    pub location: Option<String>,
    /// ETag.
    pub etag: Option<String>,
    /// The body, if the status is no success.
    pub body: Option<String>,
}

impl Posted {
    /// The id of the session that was made, if one was.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        let location = self.location.as_deref().filter(|_| self.status == 201)?;
        location.rsplit('/').next().filter(|id| !id.is_empty())
    }
}

/// `getStats` by type, with the fields of the standard that the browser has.
#[derive(Clone, Debug, Deserialize)]
pub struct Stats {
    /// `outbound-rtp`.
    pub outbound: Vec<Value>,
    /// `inbound-rtp`.
    pub inbound: Vec<Value>,
    /// `remote-inbound-rtp`.
    pub remote_inbound: Vec<Value>,
    /// `remote-outbound-rtp`.
    pub remote_outbound: Vec<Value>,
    /// `media-source`.
    pub source: Vec<Value>,
    /// `transport`.
    pub transport: Vec<Value>,
    /// Nominated candidate pairs, with `local` and `remote`.
    pub pair: Vec<Value>,
    /// Names of the codecs (`video/VP8`) by id.
    pub codec: BTreeMap<String, String>,
    /// Their formats, as in `a=fmtp`, by id.
    pub format: BTreeMap<String, String>,
}

impl Stats {
    /// A field of the one `inbound-rtp` of a kind; null if there is none.
    #[must_use]
    pub fn inbound(&self, kind: &str, field: &str) -> Value {
        of_kind(&self.inbound, kind, field)
    }

    /// The same of `outbound-rtp`.
    #[must_use]
    pub fn outbound(&self, kind: &str, field: &str) -> Value {
        of_kind(&self.outbound, kind, field)
    }

    /// A field of the one `media-source` of a kind; null if there is none.
    #[must_use]
    pub fn source(&self, kind: &str, field: &str) -> Value {
        of_kind(&self.source, kind, field)
    }

    /// The format of what comes, as in `a=fmtp`.
    #[must_use]
    pub fn format(&self, kind: &str) -> Option<&str> {
        let id = self.inbound(kind, "codecId");
        self.format.get(id.as_str()?).map(String::as_str)
    }

    /// The codec of what comes, such as `video/VP8`.
    #[must_use]
    pub fn codec(&self, kind: &str) -> Option<&str> {
        let id = self.inbound(kind, "codecId");
        self.codec.get(id.as_str()?).map(String::as_str)
    }
}

fn of_kind(list: &[Value], kind: &str, field: &str) -> Value {
    let found = list.iter().find(|entry| entry["kind"] == kind);
    found.map_or(Value::Null, |entry| entry[field].clone())
}
