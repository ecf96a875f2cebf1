//! What the tests ask for: settings, publications and subscriptions in the numbers of str0m.

use super::{
    peer::{OPUS, VP8},
    world::SERVER,
};
use crate::{
    media::{Extension, Kind},
    sessions::{
        candidate::Candidate,
        codec::CodecSpec,
        extensions::ExtensionSpec,
        ids::PublicationId,
        settings::Settings,
        specs::{EncodingSpec, PublicationSpec, SubscriptionSpec},
    },
    transport::Protocol,
};

pub fn settings() -> Settings {
    Settings {
        workers: 2,
        candidates: vec![Candidate::host(Protocol::Udp, SERVER, 0)],
        ..Settings::default()
    }
}

pub fn codec(kind: Kind) -> CodecSpec {
    let (payload_type, name, clock_rate, channels) = match kind {
        Kind::Audio => (OPUS, "opus", 48_000, Some(2)),
        Kind::Video => (VP8, "VP8", 90_000, None),
    };
    CodecSpec {
        payload_type,
        name: name.to_owned(),
        clock_rate,
        channels,
        parameters: None,
        rtx_payload_type: None,
    }
}

/// The header extensions of str0m.
pub fn header_extensions() -> Vec<ExtensionSpec> {
    [
        (2, Extension::AbsSendTime),
        (3, Extension::TransportCc),
        (4, Extension::Mid),
    ]
    .map(|(id, extension)| ExtensionSpec {
        uri: extension.uri().to_owned(),
        id,
    })
    .into()
}

pub fn publication(kind: Kind, mid: &str, ssrc: Option<u32>) -> PublicationSpec {
    let encoding = |ssrc| EncodingSpec {
        ssrc,
        rtx_ssrc: None,
    };
    PublicationSpec {
        kind,
        mid: Some(mid.to_owned()),
        codecs: vec![codec(kind)],
        encodings: ssrc.map(encoding).into_iter().collect(),
        header_extensions: header_extensions(),
    }
}

pub fn subscription(publication: PublicationId, kind: Kind, mid: &str) -> SubscriptionSpec {
    SubscriptionSpec {
        publication,
        mid: Some(mid.to_owned()),
        codecs: vec![codec(kind)],
        header_extensions: header_extensions(),
        paused: false,
        ssrc: None,
    }
}
