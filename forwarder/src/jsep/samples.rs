//! What the tests of this module share: our side, and offers of clients.

use super::{Local, Negotiation, Outcome, Sent};
use crate::{
    sessions::candidate::Candidate,
    transport::{Credentials, Fingerprint, HashFunction, Protocol},
};

/// Offers that clients made, as their README says, by name.
pub const OFFERS: [(&str, &str); 20] = [
    (
        "aiortc-recvonly-data",
        include_str!("../sdp/fixtures/aiortc-recvonly-data.sdp"),
    ),
    (
        "aiortc-sendrecv",
        include_str!("../sdp/fixtures/aiortc-sendrecv.sdp"),
    ),
    (
        "chromium-balanced",
        include_str!("../sdp/fixtures/chromium-balanced.sdp"),
    ),
    (
        "chromium-data-channel",
        include_str!("../sdp/fixtures/chromium-data-channel.sdp"),
    ),
    (
        "chromium-data-channel-alone",
        include_str!("../sdp/fixtures/chromium-data-channel-alone.sdp"),
    ),
    (
        "chromium-recvonly",
        include_str!("../sdp/fixtures/chromium-recvonly.sdp"),
    ),
    (
        "chromium-sendonly",
        include_str!("../sdp/fixtures/chromium-sendonly.sdp"),
    ),
    (
        "chromium-sendrecv",
        include_str!("../sdp/fixtures/chromium-sendrecv.sdp"),
    ),
    (
        "chromium-simulcast",
        include_str!("../sdp/fixtures/chromium-simulcast.sdp"),
    ),
    (
        "chromium-ten-videos",
        include_str!("../sdp/fixtures/chromium-ten-videos.sdp"),
    ),
    (
        "ffmpeg-whip",
        include_str!("../sdp/fixtures/ffmpeg-whip.sdp"),
    ),
    (
        "firefox-balanced",
        include_str!("../sdp/fixtures/firefox-balanced.sdp"),
    ),
    (
        "firefox-data-channel",
        include_str!("../sdp/fixtures/firefox-data-channel.sdp"),
    ),
    (
        "firefox-data-channel-alone",
        include_str!("../sdp/fixtures/firefox-data-channel-alone.sdp"),
    ),
    (
        "firefox-recvonly",
        include_str!("../sdp/fixtures/firefox-recvonly.sdp"),
    ),
    (
        "firefox-sendonly",
        include_str!("../sdp/fixtures/firefox-sendonly.sdp"),
    ),
    (
        "firefox-sendrecv",
        include_str!("../sdp/fixtures/firefox-sendrecv.sdp"),
    ),
    (
        "firefox-simulcast",
        include_str!("../sdp/fixtures/firefox-simulcast.sdp"),
    ),
    (
        "gstreamer-sendrecv",
        include_str!("../sdp/fixtures/gstreamer-sendrecv.sdp"),
    ),
    (
        "libdatachannel-obs",
        include_str!("../sdp/fixtures/libdatachannel-obs.sdp"),
    ),
];

/// The offer of this name.
pub fn offer(name: &str) -> &'static str {
    let mut offers = OFFERS.iter();
    offers.find(|(known, _)| *known == name).unwrap().1
}

/// The offer of this name, with one text in place of another.
pub fn changed(name: &str, from: &str, to: &str) -> String {
    let offer = offer(name);
    assert!(offer.contains(from), "{from}");
    offer.replace(from, to)
}

/// One side of a negotiation, as far as it does not change.
pub struct Side {
    pub ice: Credentials,
    pub candidates: Vec<Candidate>,
    pub fingerprint: Fingerprint,
    pub session: u64,
}

impl Side {
    /// Sides of other seeds have other credentials, addresses and certificates.
    pub fn new(seed: u8) -> Self {
        let address = format!("192.0.2.{seed}:7700").parse().unwrap();
        Self {
            ice: Credentials::generate(&mut |bytes| bytes.fill(seed)),
            candidates: vec![
                Candidate::host(Protocol::Udp, address, 0),
                Candidate::host(Protocol::Tcp, address, 0),
            ],
            fingerprint: Fingerprint::of(HashFunction::Sha256, &[seed]),
            session: u64::MAX - u64::from(seed),
        }
    }

    pub fn local(&self) -> Local<'_> {
        Local {
            ice: &self.ice,
            candidates: &self.candidates,
            fingerprint: &self.fingerprint,
            session: self.session,
        }
    }
}

/// A stream of ours.
pub fn sent(track: &str, ssrc: u32) -> Sent {
    Sent {
        source: Some((ssrc, format!("cname-{track}"))),
        stream: format!("stream-{track}"),
        track: track.to_owned(),
    }
}

/// Takes what a peer sends, and sends nothing.
pub const TAKES: Outcome = Outcome::Accepted {
    receiving: true,
    sending: None,
};

/// Takes an offer, accepts whatever it sends, and answers.
pub fn answered(negotiation: &mut Negotiation, offer: &str) -> String {
    let incoming = negotiation.handle_offer(offer).unwrap();
    let outcomes: Vec<_> = incoming
        .changes
        .iter()
        .map(|change| (change.line, TAKES))
        .collect();
    negotiation
        .answer(&Side::new(1).local(), &outcomes)
        .unwrap()
}

/// The lines of the n-th m-line of a description, without `a=`.
pub fn attributes(sdp: &str, line: usize) -> Vec<&str> {
    let lines = sdp.split("\r\nm=").nth(line + 1).unwrap().lines();
    lines
        .skip(1)
        .map(|line| line.strip_prefix("a=").unwrap_or(line))
        .collect()
}

/// The line `m=` of each m-line of a description.
pub fn m_lines(sdp: &str) -> Vec<&str> {
    sdp.lines().filter(|line| line.starts_with("m=")).collect()
}
