//! What pages in browsers may do: those of this node and of configured origins use the API, all others only WHIP and WHEP.
//!
//! Browsers send `Origin` with every request that could change something, and ask before they send what a form could not
//! (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Api,
    error::{ORIGIN, Problem},
};

/// How long browsers may remember what they were allowed, in seconds.
const REMEMBERED: &str = "7200";
/// Headers that pages may send.
const SENT: &str =
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID";
/// Headers that pages may read.
const READ: &str =
    "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, WWW-Authenticate, Allow";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Lets a request through, or refuses it for where it comes from.
pub async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let host = host(request.headers(), request.uri());
    // The name of an attacker's page may be made to lead here (DNS rebinding); then page and API are of one origin. An address,
    // or the name of this host itself, cannot be made to.
    if api.access.is_open() && !host.as_deref().is_none_or(is_own) {
        let allowed =
            "an IP address or localhost, as long as the API is open to whoever reaches it";
        return Problem::new(&ORIGIN, "Host", host, allowed).into_response();
    }
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let text = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    let path = request.uri().path();
    // Whoever has a token; where none is needed, any page would have it.
    let for_all =
        !api.access.is_open() && (path.starts_with("/whip/") || path.starts_with("/whep/"));
    let same = text
        .split_once("://")
        .is_some_and(|(_, from)| Some(from) == host.as_deref());
    if !for_all && !same && !api.access.origins().contains(&text) {
        let allowed = "an origin of cors-origin in the configuration, or the node's own";
        return Problem::new(&ORIGIN, "Origin", text, allowed).into_response();
    }
    let asks = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks && !for_all {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    allow(response.headers_mut(), origin, asks);
    response
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, asks: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let more = if asks {
        &[
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
            (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
        ][..]
    } else {
        &[(header::ACCESS_CONTROL_EXPOSE_HEADERS, READ)][..]
    };
    for (name, value) in more {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Host and port that were asked for: HTTP/2 has them in the URI.
fn host(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let named = headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    named.or_else(|| uri.authority().map(|authority| authority.to_string()))
}

fn is_own(host: &str) -> bool {
    let authority: Result<axum::http::uri::Authority, _> = host.parse();
    let Ok(authority) = authority else {
        return false;
    };
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_others_can_point_here_are_not_own() {
        for host in [
            "127.0.0.1:7600",
            "localhost",
            "[::1]:7600",
            "a.localhost:1",
            "192.0.2.7",
        ] {
            assert!(is_own(host), "{host}");
        }
        for host in [
            "example.com",
            "127.0.0.1.example.com:7600",
            "",
            "localhost.example",
            "a b",
        ] {
            assert!(!is_own(host), "{host}");
        }
    }
}
