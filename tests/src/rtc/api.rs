//! The bodies of the calls on sessions as a client sees them; written from their description, not from the product's types.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::{Local, Remote};
use super::clip::Codec;
use super::numbering::{self, Numbering};
use super::road::Protocol;

/// Body of `POST /v0/sessions`.
#[derive(Clone, Debug, Serialize)]
pub struct NewSession {
    /// The room to be in; the node's own unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The name that others see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ICE credentials of the client.
    pub ice: Credentials,
    /// DTLS of the client.
    pub dtls: Dtls,
}

/// ICE credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
}

/// DTLS parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dtls {
    /// `auto`, `active` or `passive`: what whoever says it is.
    pub role: String,
    /// Hashes of the certificate.
    pub fingerprints: Vec<Fingerprint>,
}

/// A hash of a certificate (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// `sha-256`.
    pub algorithm: String,
    /// `AB:CD:...`.
    pub value: String,
}

impl NewSession {
    /// For a client of this DTLS role: `auto`, `active` or `passive`.
    #[must_use]
    pub fn of(local: &Local, role: &str) -> Self {
        let (algorithm, value) = local
            .fingerprint
            .split_once(' ')
            .unwrap_or(("sha-256", &local.fingerprint));
        Self {
            room: None,
            name: None,
            ice: Credentials {
                ufrag: local.ufrag.clone(),
                pwd: local.pwd.clone(),
            },
            dtls: Dtls {
                role: role.to_owned(),
                fingerprints: vec![Fingerprint {
                    algorithm: algorithm.to_owned(),
                    value: value.to_owned(),
                }],
            },
        }
    }
}

/// Answer of `POST /v0/sessions`.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// Its number, in text.
    pub id: String,
    /// ICE of the forwarder.
    pub ice: SessionIce,
    /// DTLS of the forwarder.
    pub dtls: Dtls,
}

/// ICE of the forwarder.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionIce {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
    /// Whether it is an ICE-lite agent: always.
    #[serde(default)]
    pub lite: bool,
    /// Its addresses.
    #[serde(default)]
    pub candidates: Vec<ApiCandidate>,
}

/// An address of the forwarder.
#[derive(Clone, Debug, Deserialize)]
pub struct ApiCandidate {
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// Priority (RFC 8445 §5.1.2).
    #[serde(default)]
    pub priority: u32,
    /// Whatever else there is.
    #[serde(flatten)]
    pub more: BTreeMap<String, Value>,
}

impl Session {
    /// What the client must know of it, which of its candidates `wanted` says.
    #[must_use]
    pub fn remote(&self, wanted: impl Fn(&SocketAddr) -> bool) -> Remote {
        let candidates = self.ice.candidates.iter().map(|candidate| {
            let protocol = match candidate.protocol.as_str() {
                "tcp" => Protocol::Tcp,
                _ => Protocol::Udp,
            };
            (protocol, SocketAddr::new(candidate.address, candidate.port))
        });
        let fingerprint = self.dtls.fingerprints.first();
        Remote {
            ufrag: self.ice.ufrag.clone(),
            pwd: self.ice.pwd.clone(),
            fingerprint: fingerprint.map_or_else(String::new, |one| {
                format!("{} {}", one.algorithm, one.value)
            }),
            candidates: candidates.filter(|(_, address)| wanted(address)).collect(),
            lite: true,
            active: self.dtls.role != "active",
        }
    }
}

/// A codec as an m-line has it.
#[derive(Clone, Debug, Serialize)]
pub struct ApiCodec {
    /// RTP payload type.
    pub payload_type: u8,
    /// `VP8`.
    pub name: String,
    /// RTP clock, Hz.
    pub clock_rate: u32,
    /// Channels, of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// `a=fmtp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
}

impl ApiCodec {
    /// A codec with the number that a client gives to it.
    #[must_use]
    pub fn of(codec: Codec, numbering: Numbering) -> Self {
        Self {
            payload_type: numbering.payload_type(codec),
            name: codec.name().to_owned(),
            clock_rate: codec.clock_rate(),
            channels: codec.is_audio().then_some(2),
            parameters: numbering::parameters(codec).map(str::to_owned),
        }
    }
}

/// A header extension with the identifier that a client gives to it.
#[derive(Clone, Debug, Serialize)]
pub struct ApiExtension {
    /// Its URI.
    pub uri: String,
    /// Its identifier.
    pub id: u8,
}

impl ApiExtension {
    /// All that a client has for a kind of media.
    #[must_use]
    pub fn all(numbering: Numbering, audio: bool) -> Vec<Self> {
        let extensions = numbering.extensions(audio).into_iter();
        extensions.map(|(id, uri)| Self { uri, id }).collect()
    }
}

/// Body of `POST /v0/sessions/{id}/publications`.
#[derive(Clone, Debug, Serialize)]
pub struct NewSessionPublication {
    /// `audio` or `video`.
    pub kind: String,
    /// `a=mid`.
    pub mid: String,
    /// Codecs.
    pub codecs: Vec<ApiCodec>,
    /// SSRCs; none if the mid in the packets is to tell.
    pub encodings: Vec<Encoding>,
    /// Header extensions.
    pub header_extensions: Vec<ApiExtension>,
}

/// An SSRC.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Encoding {
    /// Of the media.
    pub ssrc: u32,
}

/// Body of `POST /v0/sessions/{id}/subscriptions`.
#[derive(Clone, Debug, Serialize)]
pub struct NewSessionSubscription {
    /// What is subscribed to.
    pub publication: String,
    /// `a=mid` at the subscriber.
    pub mid: String,
    /// Codecs with the subscriber's numbers.
    pub codecs: Vec<ApiCodec>,
    /// Header extensions with the subscriber's identifiers.
    pub header_extensions: Vec<ApiExtension>,
    /// Whether it starts paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// Answer of `POST` of a publication.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionPublication {
    /// Its number, in text.
    pub id: String,
}

/// Answer of `POST` of a subscription.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionSubscription {
    /// Its number, in text.
    pub id: String,
    /// SSRC that the subscriber sees.
    pub ssrc: u32,
    /// CNAME of the publisher there.
    #[serde(default)]
    pub cname: String,
}
