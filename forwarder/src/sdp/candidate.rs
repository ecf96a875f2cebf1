//! Candidates of peers (RFC 8839 §5.1). A lite agent does not check them (RFC 8445 §2.5), but what is no candidate is refused
//! where it comes by itself.

use sdp_types::{Candidate, CandidateAddress};

use super::read::malformed;
use crate::core::refusal::Refusal;

/// A peer's candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCandidate {
    /// The transport protocol, in small letters.
    pub protocol: String,
    /// An IP address, or the name that a browser puts in its place.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// Longest candidate, in bytes.
const MAX_CANDIDATE: usize = 1024;

impl RemoteCandidate {
    /// Reads the value of a candidate attribute, with `candidate:` before it or without.
    ///
    /// # Errors
    /// A [`Refusal`] that says what a candidate is.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let value = text.strip_prefix("candidate:").unwrap_or(text);
        let read: Option<Candidate> = (value.len() <= MAX_CANDIDATE)
            .then(|| value.trim_end().parse().ok())
            .flatten();
        let Some(read) = read else {
            return Err(malformed(
                "candidate",
                text,
                "foundation, component, protocol, priority, address, port, typ and a type, with spaces between them (RFC 8839)",
            ));
        };
        Ok(Self {
            protocol: read.transport.to_ascii_lowercase(),
            address: match read.address {
                CandidateAddress::IpAddr(address) => address.to_string(),
                CandidateAddress::FQDN(name) => name,
            },
            port: read.port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_browsers() {
        let udp = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.17.1 rport 46154 generation 0 ufrag EEtu network-id 3";
        let read = RemoteCandidate::parse(udp).unwrap();
        assert_eq!(read.address, "203.0.113.7");
        assert_eq!((read.protocol.as_str(), read.port), ("udp", 46_154));
        let mdns = "1 1 UDP 2122252543 0b4c-11.local 41377 typ host";
        let read = RemoteCandidate::parse(mdns).unwrap();
        assert_eq!(read.address, "0b4c-11.local");
        assert_eq!(read.protocol, "udp");
        let tcp = "2 1 TCP 2105524479 2001:db8::1 9 typ host tcptype active";
        assert_eq!(RemoteCandidate::parse(tcp).unwrap().protocol, "tcp");
    }

    #[test]
    fn what_is_no_candidate_is_refused() {
        let long = format!("1 1 udp 1 {} 9 typ host", "a".repeat(MAX_CANDIDATE));
        for text in [
            "",
            "candidate:",
            "1 1 udp 1 a 70000 typ host",
            "1 1 udp 1 a 9",
            &long,
        ] {
            let refusal = RemoteCandidate::parse(text).unwrap_err();
            assert_eq!(refusal.field, "candidate");
            assert!(refusal.value.len() < 200);
        }
    }
}
