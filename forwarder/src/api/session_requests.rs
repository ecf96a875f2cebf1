//! What callers ask for about sessions, in the terms of ORTC.

use serde_json::Value;

use super::{
    error::Problem,
    fields::{Fields, number, string, text},
};
use crate::{
    media::Kind,
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
const UFRAG: &str = "the peer's ICE username fragment (a=ice-ufrag)";
const PWD: &str = "the peer's ICE password (a=ice-pwd)";
const FINGERPRINTS: &str = "a list of objects with algorithm and value, such as {\"algorithm\": \"sha-256\", \"value\": \"AB:CD:...\"}";
const CODECS: &str = "a list of objects with payload_type, name, clock_rate and, where they have them, channels, parameters and rtx_payload_type";
const EXTENSIONS: &str = "a list of objects with uri and id (a=extmap)";
const FEEDBACK: &str = "an object with what of nack, pli, fir, transport_cc and remb the publisher does not read (a=rtcp-fb), such as {\"fir\": false}";
const PAYLOAD_TYPE: &str = "a number from 0 to 63 or 96 to 127";
const SSRC: &str = "an SSRC, a number from 0 to 4294967295";

/// Reads the body of `POST /v0/sessions`.
pub fn session(body: &[u8]) -> Result<SessionSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let mut ice = fields.object("ice", ICE)?;
    let (ufrag, pwd) = ufrag_and_pwd(&mut ice)?;
    ice.finish()?;
    let mut dtls = fields.object("dtls", DTLS)?;
    let role = dtls.optional(
        "role",
        "\"auto\", \"active\" or \"passive\"",
        |value| match value.as_str()? {
            "auto" => Some(PeerRole::Auto),
            "active" => Some(PeerRole::Active),
            "passive" => Some(PeerRole::Passive),
            _ => None,
        },
    )?;
    let mut fingerprints = Vec::new();
    for mut fingerprint in dtls.objects("fingerprints", FINGERPRINTS)? {
        let algorithm = "a hash function, such as \"sha-256\"";
        let value = "upper-case hexadecimal bytes with colons between";
        fingerprints.push((
            fingerprint.required("algorithm", algorithm, string)?,
            fingerprint.required("value", value, string)?,
        ));
        fingerprint.finish()?;
    }
    dtls.finish()?;
    fields.finish()?;
    let fingerprints = fingerprints
        .iter()
        .map(|(algorithm, value)| (algorithm.as_str(), value.as_str()));
    Ok(SessionSpec::new(
        (&ufrag, &pwd),
        role.unwrap_or_default(),
        fingerprints,
    )?)
}

/// Reads the body of `POST /v0/sessions/ID/ice`.
pub fn ice(body: &[u8]) -> Result<Credentials, Problem> {
    let mut fields = Fields::parse(body)?;
    let (ufrag, pwd) = ufrag_and_pwd(&mut fields)?;
    fields.finish()?;
    Ok(credentials(&ufrag, &pwd)?)
}

/// Reads the body of `POST /v0/sessions/ID/publications`.
pub fn publication(body: &[u8]) -> Result<PublicationSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let spec = PublicationSpec {
        kind: fields.required("kind", "\"audio\" or \"video\"", kind)?,
        mid: mid(&mut fields)?,
        codecs: codecs(&mut fields)?,
        encodings: encodings(&mut fields)?,
        header_extensions: header_extensions(&mut fields)?,
        feedback: feedback(&mut fields)?,
    };
    fields.finish()?;
    Ok(spec)
}

/// Reads the body of `POST /v0/sessions/ID/subscriptions`.
pub fn subscription(body: &[u8]) -> Result<SubscriptionSpec, Problem> {
    let mut fields = Fields::parse(body)?;
    let publication = "the id of a publication of any session, such as \"1\"";
    let spec = SubscriptionSpec {
        publication: fields.required("publication", publication, text)?,
        mid: mid(&mut fields)?,
        codecs: codecs(&mut fields)?,
        header_extensions: header_extensions(&mut fields)?,
        paused: fields
            .optional("paused", "true or false", Value::as_bool)?
            .unwrap_or(false),
        ssrc: None,
    };
    fields.finish()?;
    Ok(spec)
}

/// The password is a secret: what is said about it does not repeat it.
fn ufrag_and_pwd(fields: &mut Fields) -> Result<(String, String), Problem> {
    let ufrag = fields.required("ufrag", UFRAG, string)?;
    let pwd = fields.required("pwd", PWD, string)?;
    Ok((ufrag, pwd))
}

fn kind(value: &Value) -> Option<Kind> {
    match value.as_str()? {
        "audio" => Some(Kind::Audio),
        "video" => Some(Kind::Video),
        _ => None,
    }
}

fn mid(fields: &mut Fields) -> Result<Option<String>, Problem> {
    fields.optional("mid", "the identification of the m-line (a=mid)", string)
}

fn codecs(fields: &mut Fields) -> Result<Vec<CodecSpec>, Problem> {
    let read = |mut codec: Fields| {
        let spec = CodecSpec {
            payload_type: codec.required("payload_type", PAYLOAD_TYPE, number)?,
            name: codec.required("name", "an encoding name, such as \"VP8\"", string)?,
            clock_rate: codec.required(
                "clock_rate",
                "ticks per second of the RTP timestamp, from 1 to 4294967295",
                number,
            )?,
            channels: codec.optional("channels", "a number from 1 to 255", number)?,
            parameters: codec.optional("parameters", "format parameters (a=fmtp)", string)?,
            rtx_payload_type: codec.optional("rtx_payload_type", PAYLOAD_TYPE, number)?,
        };
        codec.finish()?;
        Ok(spec)
    };
    let list = fields.objects("codecs", CODECS)?;
    list.into_iter().map(read).collect()
}

fn encodings(fields: &mut Fields) -> Result<Vec<EncodingSpec>, Problem> {
    let read = |mut encoding: Fields| {
        let spec = EncodingSpec {
            ssrc: encoding.required("ssrc", SSRC, number)?,
            rtx_ssrc: encoding.optional("rtx_ssrc", SSRC, number)?,
        };
        encoding.finish()?;
        Ok(spec)
    };
    let list = fields.objects(
        "encodings",
        "a list of objects with ssrc and, if it has one, rtx_ssrc",
    )?;
    list.into_iter().map(read).collect()
}

/// What is left out is read by the publisher, as all of it is by browsers.
fn feedback(fields: &mut Fields) -> Result<FeedbackSpec, Problem> {
    let Some(mut object) = fields.optional_object("feedback", FEEDBACK)? else {
        return Ok(FeedbackSpec::default());
    };
    let mut flag = |field| -> Result<bool, Problem> {
        let flag = object.optional(field, "true or false", Value::as_bool)?;
        Ok(flag.unwrap_or(true))
    };
    let spec = FeedbackSpec {
        nack: flag("nack")?,
        pli: flag("pli")?,
        fir: flag("fir")?,
        transport_cc: flag("transport_cc")?,
        remb: flag("remb")?,
    };
    object.finish()?;
    Ok(spec)
}

fn header_extensions(fields: &mut Fields) -> Result<Vec<ExtensionSpec>, Problem> {
    let read = |mut extension: Fields| {
        let spec = ExtensionSpec {
            uri: extension.required("uri", "the URI of a header extension", string)?,
            id: extension.required("id", "a number from 1 to 14 or 16 to 255", number)?,
        };
        extension.finish()?;
        Ok(spec)
    };
    let list = fields.objects("header_extensions", EXTENSIONS)?;
    list.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        let read = |body: &Value| session(body.to_string().as_bytes());
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
        let spec = publication(body.to_string().as_bytes()).unwrap();
        assert_eq!((spec.kind, spec.mid.as_deref()), (Kind::Video, Some("0")));
        assert_eq!(spec.codecs[1].channels, Some(2));
        assert_eq!(spec.encodings[0].rtx_ssrc, Some(2));
        assert_eq!(spec.header_extensions[0].id, 4);
        assert_eq!(spec.feedback, FeedbackSpec::default());
        let mut body = body;
        body["feedback"] = json!({"fir": false, "remb": true});
        let spec = publication(body.to_string().as_bytes()).unwrap();
        let without_fir = FeedbackSpec {
            fir: false,
            ..FeedbackSpec::default()
        };
        assert_eq!(spec.feedback, without_fir);

        let body = json!({"publication": "3", "codecs": codecs, "paused": true});
        let spec = subscription(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (spec.publication.to_string().as_str(), spec.paused),
            ("3", true)
        );
        assert_eq!((spec.mid, spec.header_extensions.len()), (None, 0));
    }

    #[test]
    fn m_lines_name_the_field_at_fault() {
        let read = |body: Value| publication(body.to_string().as_bytes());
        assert_eq!(field(read(json!({}))), "kind");
        assert_eq!(field(read(json!({"kind": "text"}))), "kind");
        assert_eq!(
            field(read(json!({"kind": "audio", "codecs": [1]}))),
            "codecs"
        );
        let codec = json!([{"payload_type": 300}]);
        assert_eq!(
            field(read(json!({"kind": "audio", "codecs": codec}))),
            "codecs.payload_type"
        );
        assert_eq!(
            field(read(json!({"kind": "audio", "encodings": [{"rid": "h"}]}))),
            "encodings.ssrc"
        );
        assert_eq!(
            field(read(
                json!({"kind": "audio", "header_extensions": [{"uri": "u", "id": 256}]})
            )),
            "header_extensions.id"
        );
        assert_eq!(
            field(read(json!({"kind": "audio", "feedback": true}))),
            "feedback"
        );
        assert_eq!(
            field(read(json!({"kind": "audio", "feedback": {"fir": 1}}))),
            "feedback.fir"
        );
        assert_eq!(
            field(read(json!({"kind": "audio", "feedback": {"sli": true}}))),
            "feedback.sli"
        );
        let read = |body: Value| subscription(body.to_string().as_bytes());
        assert_eq!(field(read(json!({"publication": "p1"}))), "publication");
        assert_eq!(
            field(read(json!({"publication": "1", "paused": 1}))),
            "paused"
        );
    }
}
