//! STUN and TURN servers that clients are told of. The forwarder itself needs none.

use super::{ConfigError, Secret, together};

/// Servers that can be configured: browsers slow down beyond four.
pub const MAX_ICE_SERVERS: usize = 8;
/// Longest username and credential, in characters: what STUN has room for (RFC 8489 §14.3).
const LONGEST: usize = 508;
/// Longest URL, in characters.
const LONGEST_URL: usize = 512;

/// A server that helps clients to find a way out of their network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceServer {
    /// A URI of STUN (RFC 7064) or TURN (RFC 7065).
    pub url: String,
    /// Who a client is to the server. TURN wants it, STUN does not.
    pub username: Option<String>,
    /// Its password there.
    pub credential: Option<Secret>,
}

impl IceServer {
    /// Checks the parts together.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let relays = self.url.starts_with("turn");
        match (relays, &self.username, &self.credential) {
            (true, Some(_), Some(_)) | (false, None, None) => Ok(()),
            (true, None, _) => {
                let allowed = "a username with a TURN server, in [[ice-server]] of the file";
                Err(together("ice-server.username", "nothing", allowed))
            }
            (true, Some(_), None) => {
                let allowed = "a credential with a TURN server";
                Err(together("ice-server.credential", "nothing", allowed))
            }
            (false, Some(username), _) => {
                let allowed = "nothing with a STUN server";
                Err(together("ice-server.username", username, allowed))
            }
            (false, None, Some(_)) => {
                let allowed = "nothing with a STUN server";
                Err(together("ice-server.credential", "(secret)", allowed))
            }
        }
    }
}

/// Reads the URI of a server. It goes into a header as it is.
///
/// # Errors
/// What is allowed.
pub fn parse_ice_url(text: &str) -> Result<String, String> {
    let read = || {
        let (scheme, rest) = text.split_once(':')?;
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let known = match (scheme, query) {
            ("stun" | "stuns" | "turn" | "turns", None) => true,
            ("turn" | "turns", Some(query)) => {
                matches!(query, "transport=udp" | "transport=tcp")
            }
            _ => false,
        };
        (known && text.len() <= LONGEST_URL && is_host_and_port(authority)).then_some(())
    };
    match read() {
        Some(()) => Ok(text.to_owned()),
        None => Err(format!(
            "stun:HOST, stuns:HOST, turn:HOST or turns:HOST, each with or without :PORT, the latter two with or without \
             ?transport=udp or ?transport=tcp, of at most {LONGEST_URL} characters"
        )),
    }
}

/// Whether it is a host, or one with a port, and nothing else that an authority may have.
fn is_host_and_port(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let url = reqwest::Url::parse(&format!("http://{text}")).ok();
    text.bytes().all(plain) && url.is_some_and(|url| url.has_host() && url.port() != Some(0))
}

/// Reads a username for a TURN server.
///
/// # Errors
/// What is allowed.
pub fn parse_ice_username(text: &str) -> Result<String, String> {
    let shown = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if (1..=LONGEST).contains(&text.len()) && text.bytes().all(shown) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "1 to {LONGEST} characters of ASCII, as headers carry them"
    ))
}

/// Reads a password for a TURN server.
///
/// # Errors
/// What is allowed.
pub fn parse_ice_credential(text: &str) -> Result<Secret, String> {
    parse_ice_username(text).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_their_uris() {
        for url in [
            "stun:stun.example.net",
            "stun:192.0.2.1:3478",
            "stuns:[2001:db8::1]:5349",
            "turn:turn.example.net?transport=tcp",
            "turns:turn.example.net:443?transport=udp",
        ] {
            assert_eq!(parse_ice_url(url).as_deref(), Ok(url));
        }
        let long = format!("stun:{}", "a".repeat(LONGEST_URL));
        for url in [
            "",
            "stun:",
            "stun.example.net",
            "http://stun.example.net",
            "stun://stun.example.net",
            "stun:user@stun.example.net",
            "stun:stun.example.net?transport=udp",
            "turn:turn.example.net?transport=sctp",
            "turn:turn.example.net?",
            "turn:turn.example.net:0",
            "turn:turn.example.net:99999",
            "stun:stun.example.net/path",
            "stun:a>; rel=x, <b",
            "stun:a\r\nx",
            "stun:exämple.net",
            "stun:[2001:db8::1",
            &long,
        ] {
            let allowed = parse_ice_url(url).unwrap_err();
            assert!(allowed.contains("?transport=udp"), "{url}");
        }
    }
}
