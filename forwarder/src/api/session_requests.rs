//! What callers ask for about sessions, in the terms of ORTC.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    access::Caller,
    error::{INVALID, Problem},
    room_model::WishesDocument,
};
use crate::{
    media::Kind,
    rooms::{
        ids::RoomId,
        specs::{Entry, JoinSpec},
    },
    sessions::{
        codec::CodecSpec,
        extensions::ExtensionSpec,
        specs::{
            EncodingSpec, FeedbackSpec, PeerRole, PublicationSpec, SessionSpec, SubscriptionSpec,
            credentials,
        },
    },
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

/// An m-line that a session sends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionPublicationRequest)]
pub struct Publication {
    kind: MediaKind,
    /// the identification of the m-line (a=mid)
    mid: Option<String>,
    /// a list of objects with payload_type, name, clock_rate and, where they have them, channels, parameters and
    /// rtx_payload_type
    #[serde(default)]
    codecs: Vec<Codec>,
    /// a list of objects with ssrc and, if it has one, rtx_ssrc
    #[serde(default)]
    encodings: Vec<Encoding>,
    /// a list of objects with uri and id (a=extmap)
    #[serde(default)]
    header_extensions: Vec<HeaderExtension>,
    /// an object with what of nack, pli, fir, transport_cc and remb the publisher does not read (a=rtcp-fb), such as {"fir": false}
    #[serde(default)]
    feedback: Feedback,
}

/// an object with what of nack, pli, fir, transport_cc and remb the publisher does not read (a=rtcp-fb), such as {"fir": false}
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PublisherFeedback)]
pub struct Feedback {
    nack: Option<bool>,
    pli: Option<bool>,
    fir: Option<bool>,
    transport_cc: Option<bool>,
    remb: Option<bool>,
}

/// An m-line that is sent to a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionSubscriptionRequest)]
pub struct Subscription {
    /// the id of a publication of any session, such as "1"
    #[schema(example = "1")]
    publication: String,
    /// the identification of the m-line (a=mid)
    mid: Option<String>,
    /// a list of objects with payload_type, name, clock_rate and, where they have them, channels, parameters and
    /// rtx_payload_type
    #[serde(default)]
    codecs: Vec<Codec>,
    /// a list of objects with uri and id (a=extmap)
    #[serde(default)]
    header_extensions: Vec<HeaderExtension>,
    /// true or false
    paused: Option<bool>,
}

/// "audio" or "video"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    Audio,
    Video,
}

/// an object with payload_type, name, clock_rate and, where it has them, channels, parameters and rtx_payload_type
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CodecRequest)]
pub struct Codec {
    /// a number from 0 to 63 or 96 to 127
    #[schema(maximum = 127)]
    payload_type: u8,
    /// an encoding name, such as "VP8"
    #[schema(example = "VP8")]
    name: String,
    /// ticks per second of the RTP timestamp, from 1 to 4294967295
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    clock_rate: u32,
    /// a number from 1 to 255
    #[schema(minimum = 1, maximum = 255)]
    channels: Option<u8>,
    /// format parameters (a=fmtp)
    parameters: Option<String>,
    /// a number from 0 to 63 or 96 to 127
    #[schema(maximum = 127)]
    rtx_payload_type: Option<u8>,
}

/// an object with ssrc and, if it has one, rtx_ssrc
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EncodingRequest)]
pub struct Encoding {
    /// an SSRC, a number from 0 to 4294967295
    #[schema(maximum = 4_294_967_295_u64)]
    ssrc: u32,
    /// an SSRC, a number from 0 to 4294967295
    #[schema(maximum = 4_294_967_295_u64)]
    rtx_ssrc: Option<u32>,
}

/// an object with uri and id (a=extmap)
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = HeaderExtensionRequest)]
pub struct HeaderExtension {
    /// the URI of a header extension
    #[schema(example = "urn:ietf:params:rtp-hdrext:sdes:mid")]
    uri: String,
    /// a number from 1 to 14 or 16 to 255
    #[schema(minimum = 1, maximum = 255)]
    id: u8,
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
                receive: all(kinds),
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

impl From<MediaKind> for Kind {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

impl From<Codec> for CodecSpec {
    fn from(codec: Codec) -> Self {
        Self {
            payload_type: codec.payload_type,
            name: codec.name,
            clock_rate: codec.clock_rate,
            channels: codec.channels,
            parameters: codec.parameters,
            rtx_payload_type: codec.rtx_payload_type,
        }
    }
}

impl From<Encoding> for EncodingSpec {
    fn from(encoding: Encoding) -> Self {
        Self {
            ssrc: encoding.ssrc,
            rtx_ssrc: encoding.rtx_ssrc,
        }
    }
}

impl From<HeaderExtension> for ExtensionSpec {
    fn from(extension: HeaderExtension) -> Self {
        Self {
            uri: extension.uri,
            id: extension.id,
        }
    }
}

fn all<T, U: From<T>>(list: Vec<T>) -> Vec<U> {
    list.into_iter().map(U::from).collect()
}

impl From<Publication> for PublicationSpec {
    fn from(publication: Publication) -> Self {
        Self {
            kind: publication.kind.into(),
            mid: publication.mid,
            codecs: all(publication.codecs),
            encodings: all(publication.encodings),
            header_extensions: all(publication.header_extensions),
            feedback: publication.feedback.into(),
        }
    }
}

/// What is left out is read by the publisher, as all of it is by browsers.
impl From<Feedback> for FeedbackSpec {
    fn from(feedback: Feedback) -> Self {
        let flag = |flag: Option<bool>| flag.unwrap_or(true);
        Self {
            nack: flag(feedback.nack),
            pli: flag(feedback.pli),
            fir: flag(feedback.fir),
            transport_cc: flag(feedback.transport_cc),
            remb: flag(feedback.remb),
        }
    }
}

impl Subscription {
    /// In the terms of the session core.
    pub fn spec(self) -> Result<SubscriptionSpec, Problem> {
        let publication = self.publication.parse().map_err(|_| {
            let allowed = "the id of a publication of any session, such as \"1\"";
            Problem::new(&INVALID, "publication", &*self.publication, allowed)
        })?;
        Ok(SubscriptionSpec {
            publication,
            mid: self.mid,
            codecs: all(self.codecs),
            header_extensions: all(self.header_extensions),
            paused: self.paused.unwrap_or(false),
            ssrc: None,
        })
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

    #[test]
    fn m_lines_are_read_whole() {
        let codecs = json!([
            {"payload_type": 96, "name": "VP8", "clock_rate": 90_000, "rtx_payload_type": 97},
            {"payload_type": 111, "name": "opus", "clock_rate": 48_000, "channels": 2, "parameters": "useinbandfec=1"},
        ]);
        let body = json!({
            "kind": "video", "mid": "0", "codecs": codecs, "encodings": [{"ssrc": 1, "rtx_ssrc": 2}],
            "header_extensions": [{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4}],
        });
        let spec: PublicationSpec = read::<Publication>(body.to_string().as_bytes())
            .unwrap()
            .into();
        assert_eq!((spec.kind, spec.mid.as_deref()), (Kind::Video, Some("0")));
        assert_eq!(spec.codecs[1].channels, Some(2));
        assert_eq!(spec.encodings[0].rtx_ssrc, Some(2));
        assert_eq!(spec.header_extensions[0].id, 4);

        let body = json!({"publication": "3", "codecs": codecs, "paused": true});
        let spec = read::<Subscription>(body.to_string().as_bytes())
            .unwrap()
            .spec()
            .unwrap();
        assert_eq!(
            (spec.publication.to_string().as_str(), spec.paused),
            ("3", true)
        );
        assert_eq!((spec.mid, spec.header_extensions.len()), (None, 0));
    }

    #[test]
    fn m_lines_name_the_field_at_fault() {
        let publication = |body: Value| read::<Publication>(body.to_string().as_bytes());
        assert_eq!(field(publication(json!({}))), "kind");
        assert_eq!(field(publication(json!({"kind": "text"}))), "kind");
        assert_eq!(
            field(publication(json!({"kind": "audio", "codecs": [1]}))),
            "codecs"
        );
        let codec = json!([{"payload_type": 300, "name": "VP8", "clock_rate": 1}]);
        assert_eq!(
            field(publication(json!({"kind": "audio", "codecs": codec}))),
            "codecs.payload_type"
        );
        assert_eq!(
            field(publication(
                json!({"kind": "audio", "encodings": [{"rtx_ssrc": 1}]})
            )),
            "encodings.ssrc"
        );
        assert_eq!(
            field(publication(
                json!({"kind": "audio", "header_extensions": [{"uri": "u", "id": 256}]})
            )),
            "header_extensions.id"
        );
        let subscription = |body: Value| read::<Subscription>(body.to_string().as_bytes())?.spec();
        assert_eq!(
            field(subscription(json!({"publication": "p1"}))),
            "publication"
        );
        assert_eq!(
            field(subscription(json!({"publication": "1", "paused": 1}))),
            "paused"
        );
    }
}
