//! Servers of STUN and TURN that clients are told of: in `Link` of WHIP and WHEP (RFC 9725 §4.6), and with their access.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{IceServer, Secret};

/// The servers of the configuration.
#[derive(Debug, Default)]
pub struct IceServers(Vec<IceServer>);

/// A server that may help to reach the forwarder, in the form of `RTCIceServer`.
#[derive(Debug, Serialize, ToSchema)]
pub struct IceServerInfo {
    /// `stun:`, `stuns:`, `turn:` or `turns:` (RFC 7064, RFC 7065).
    #[schema(example = "turn:turn.example.net?transport=udp")]
    urls: String,
    /// With TURN alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// With TURN alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl IceServers {
    /// Those of the configuration.
    pub const fn new(list: Vec<IceServer>) -> Self {
        Self(list)
    }

    /// As the API tells them.
    pub fn tell(&self) -> Vec<IceServerInfo> {
        let servers = self.0.iter();
        servers
            .map(|server| IceServerInfo {
                urls: server.url.clone(),
                username: server.username.clone(),
                credential: server.credential.as_ref().map(|it| it.expose().to_owned()),
            })
            .collect()
    }

    /// Adds them to the answer to somebody who may publish or play.
    pub fn link(&self, response: Response) -> Response {
        self.linked(response, |_| true)
    }

    /// Adds those that anybody may know: browsers ask ahead without credentials, and so does whoever wants a relay for nothing.
    pub fn link_public(&self, response: Response) -> Response {
        self.linked(response, |server| server.credential.is_none())
    }

    fn linked(&self, mut response: Response, told: impl Fn(&IceServer) -> bool) -> Response {
        let servers = self.0.iter().filter(|server| told(server));
        for link in servers.filter_map(|server| HeaderValue::from_str(&link(server)).ok()) {
            response.headers_mut().append(header::LINK, link);
        }
        response
    }
}

/// One `Link` (RFC 8288), whose target is the server.
fn link(server: &IceServer) -> String {
    let mut link = format!("<{}>; rel=\"ice-server\"", server.url);
    let attributes = [
        ("username", server.username.as_deref()),
        ("credential", server.credential.as_ref().map(Secret::expose)),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            link.push_str(&format!("; {name}=\"{}\"", quoted(value)));
        }
    }
    if server.credential.is_some() {
        link.push_str("; credential-type=\"password\"");
    }
    link
}

/// The inside of a quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
