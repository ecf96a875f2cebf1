//! How a client is to be, and what it and the other side must know of each other.

use std::net::{IpAddr, SocketAddr};

use crate::rtc::numbering::Numbering;
use crate::rtc::road::Protocol;
use crate::rtc::suite::{DtlsVersion, Suite};

/// How a client is to be.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// For messages.
    pub name: String,
    /// Own address.
    pub address: IpAddr,
    /// Own UDP port; any unless told.
    pub port: u16,
    /// UDP or TCP.
    pub protocol: Protocol,
    /// Versions of DTLS.
    pub dtls: DtlsVersion,
    /// SRTP suites on offer, the best first; DTLS is then OpenSSL's, version 1.2. All of them by str0m's own DTLS unless told.
    pub suites: Option<Vec<Suite>>,
    /// Payload types and header extensions.
    pub numbering: Numbering,
    /// Whether it measures the way to the other side and asks for feedback to that end.
    pub estimates: bool,
    /// Whether it looks into RTCP: costs a copy of every packet.
    pub inspects: bool,
}

impl AgentOptions {
    /// UDP at this address, everything else as Chromium has it.
    #[must_use]
    pub fn new(name: impl Into<String>, address: IpAddr) -> Self {
        Self {
            name: name.into(),
            address,
            port: 0,
            protocol: Protocol::Udp,
            dtls: DtlsVersion::Both,
            suites: None,
            numbering: Numbering::CHROMIUM,
            estimates: false,
            inspects: false,
        }
    }
}

/// What a client must know of the other side.
#[derive(Clone, Debug)]
pub struct Remote {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
    /// `a=fingerprint`, such as `sha-256 AB:CD`.
    pub fingerprint: String,
    /// Addresses of the other side.
    pub candidates: Vec<(Protocol, SocketAddr)>,
    /// Whether it is an ICE-lite agent: the client then controls and does all checks.
    pub lite: bool,
    /// Whether the client sends the DTLS hello.
    pub active: bool,
}

/// What the other side must know of a client.
#[derive(Clone, Debug)]
pub struct Local {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
    /// `a=fingerprint`.
    pub fingerprint: String,
    /// Own address.
    pub address: SocketAddr,
}
