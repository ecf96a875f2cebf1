//! What callers ask for about sessions, in the terms of ORTC.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    access::Caller,
    error::{INVALID, Problem},
    line_requests::MediaKind,
    room_model::WishesDocument,
};
use crate::{
    rooms::{
        ids::RoomId,
        specs::{Entry, JoinSpec},
    },
    sessions::specs::{PeerRole, SessionSpec, credentials},
    transport::Credentials,
};

const ICE: &str = "an object with the peer's ufrag and pwd";
const DTLS: &str = "an object with the peer's role and fingerprints";
const WAYS: &str = "one of offer, receive, and ice with dtls";

/// A session as asked for: with `offer`, with `receive`, or with `ice` and `dtls`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionRequest)]
pub struct Session {
    /// the name of a room, 1 to 64 of A-Z a-z 0-9 . _ ~ -
    room: Option<String>,
    /// what others see of it, 1 to 128 bytes of text
    name: Option<String>,
    /// whatever its owner keeps there, at most 1024 bytes of JSON
    metadata: Option<Value>,
    #[schema(nullable = false)]
    wishes: Option<WishesDocument>,
    /// the peer's SDP offer, "v=0...", to be answered
    offer: Option<String>,
    /// a list of at most 64 of "audio" and "video": what the peer may send, where the forwarder offers
    #[schema(max_items = 64)]
    receive: Option<Vec<MediaKind>>,
    #[schema(nullable = false)]
    ice: Option<Ice>,
    #[schema(nullable = false)]
    dtls: Option<Dtls>,
}

/// an object with the peer's ufrag and pwd
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PeerIce)]
pub struct Ice {
    /// the peer's ICE username fragment (a=ice-ufrag)
    #[schema(example = "abcd")]
    ufrag: String,
    /// the peer's ICE password (a=ice-pwd)
    #[schema(format = Password, example = "0123456789012345678901")]
    pwd: String,
}

/// an object with the peer's role and fingerprints
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PeerDtls)]
pub struct Dtls {
    role: Option<Role>,
    /// a list of objects with algorithm and value, such as {"algorithm": "sha-256", "value": "AB:CD:..."}
    #[schema(min_items = 1, max_items = 32)]
    fingerprints: Vec<Fingerprint>,
}

/// "auto", "active" or "passive"
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PeerRole)]
pub enum Role {
    Auto,
    Active,
    Passive,
}

/// an object with algorithm and value, such as {"algorithm": "sha-256", "value": "AB:CD:..."}
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PeerFingerprint)]
pub struct Fingerprint {
    /// a hash function, such as "sha-256"
    #[schema(example = "sha-256")]
    algorithm: String,
    /// upper-case hexadecimal bytes with colons between
    value: String,
}

impl Session {
    /// In the terms of rooms.
    pub fn spec(self, caller: &Caller) -> Result<JoinSpec, Problem> {
        let room = self.room.as_deref().map(RoomId::new).transpose()?;
        let (ice, dtls) = (self.ice.as_ref(), self.dtls.as_ref());
        let entry = match (self.offer, self.receive, ice, dtls) {
            (Some(sdp), None, None, None) => Entry::Offer {
                sdp,
                takes_offers: true,
            },
            (None, Some(kinds), None, None) => Entry::Offered {
                receive: kinds.into_iter().map(MediaKind::into).collect(),
            },
            (None, None, Some(ice), Some(dtls)) => {
                Entry::Parameters(Box::new(parameters(ice, dtls)?))
            }
            (None, None, Some(_), None) => return Err(missing("dtls", DTLS)),
            (None, None, None, Some(_)) => return Err(missing("ice", ICE)),
            (None, None, None, None) => return Err(missing("offer", WAYS)),
            _ => return Err(Problem::new(&INVALID, "offer", "beside another", WAYS)),
        };
        let wishes = self
            .wishes
            .as_ref()
            .map(WishesDocument::wishes)
            .transpose()?;
        Ok(JoinSpec {
            grants: caller.grants(room.as_ref())?,
            name: caller.name(self.name)?,
            room,
            metadata: self.metadata,
            wishes: wishes.unwrap_or_default(),
            entry,
        })
    }
}

fn missing(field: &str, allowed: &str) -> Problem {
    Problem::new(&INVALID, field, Value::Null, allowed)
}

fn parameters(ice: &Ice, dtls: &Dtls) -> Result<SessionSpec, Problem> {
    let role = match dtls.role {
        None | Some(Role::Auto) => PeerRole::Auto,
        Some(Role::Active) => PeerRole::Active,
        Some(Role::Passive) => PeerRole::Passive,
    };
    let fingerprints = dtls.fingerprints.iter();
    let fingerprints = fingerprints.map(|print| (&*print.algorithm, &*print.value));
    Ok(SessionSpec::new(
        (&*ice.ufrag, &*ice.pwd),
        role,
        fingerprints,
    )?)
}

impl Ice {
    /// In the terms of the session core.
    pub fn credentials(&self) -> Result<Credentials, Problem> {
        Ok(credentials(&self.ufrag, &self.pwd)?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::read::read;

    fn field<T>(outcome: Result<T, Problem>) -> String {
        outcome.map(drop).unwrap_err().field
    }

    #[test]
    fn a_session_names_its_nested_fields() {
        let fingerprint = json!({"algorithm": "sha-256", "value": vec!["AB"; 32].join(":")});
        let pwd = "0123456789012345678901";
        let whole = json!({
            "ice": {"ufrag": "abcd", "pwd": pwd},
            "dtls": {"role": "passive", "fingerprints": [fingerprint]},
        });
        let read = |body: &Value| {
            let join = read::<Session>(body.to_string().as_bytes())?.spec(&Caller::Open)?;
            match join.entry {
                Entry::Parameters(spec) => Ok(spec),
                other => panic!("{other:?}"),
            }
        };
        let spec = read(&whole).unwrap();
        assert_eq!((spec.role, spec.fingerprints.len()), (PeerRole::Passive, 1));
        let without = |path: &str, value: Value| {
            let mut body = whole.clone();
            *body.pointer_mut(path).unwrap() = value;
            read(&body)
        };
        assert_eq!(field(without("/ice", json!(1))), "ice");
        assert_eq!(field(without("/ice/ufrag", json!(1))), "ice.ufrag");
        assert_eq!(field(without("/ice/pwd", json!(null))), "ice.pwd");
        assert_eq!(field(without("/dtls/role", json!("client"))), "dtls.role");
        assert_eq!(
            field(without("/dtls/fingerprints", json!({}))),
            "dtls.fingerprints"
        );
        assert_eq!(
            field(without("/dtls/fingerprints", json!([]))),
            "dtls.fingerprints"
        );
        assert_eq!(
            field(without("/dtls/fingerprints/0/value", json!(1))),
            "dtls.fingerprints.value"
        );
        assert_eq!(
            field(without(
                "/dtls/fingerprints/0",
                json!({"algorithm": "a", "value": "b", "x": 1})
            )),
            "dtls.fingerprints.x"
        );
        let refused = without("/ice/pwd", json!("secret")).unwrap_err();
        assert!(!format!("{refused:?}").contains("secret"));
    }
}
