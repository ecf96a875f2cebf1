//! What callers ask for about the m-lines of sessions, in the terms of ORTC.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{INVALID, Problem};
use crate::{
    media::Kind,
    sessions::{
        codec::CodecSpec,
        extensions::ExtensionSpec,
        specs::{EncodingSpec, FeedbackSpec, PublicationSpec, SubscriptionSpec},
    },
};

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
    use serde_json::{Value, json};

    use super::*;
    use crate::api::read::read;

    fn field<T>(outcome: Result<T, Problem>) -> String {
        outcome.map(drop).unwrap_err().field
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
