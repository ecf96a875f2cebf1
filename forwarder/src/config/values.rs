//! Reads single values, for flags and files alike. Each error is what is allowed.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use forwarder_common::{slots::MAX_WORKERS, tables::MAX_SESSIONS};

use super::{Announced, PathChoice, Secret};
use crate::core::endpoint::is_unicast;

/// Most subscriptions and publications that can be asked for: a hop takes 128 bytes and four are kept per subscription.
const MOST_SUBSCRIPTIONS: u32 = 262_144;
const MOST_PUBLICATIONS: u32 = 65_536;

pub(super) fn number(text: &str, from: u32, to: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (from..=to).contains(&number) => Ok(number),
        _ => Err(format!("a number from {from} to {to}")),
    }
}

fn small(text: &str, from: u8, to: u8) -> Result<u8, String> {
    let number = number(text, from.into(), to.into())?;
    u8::try_from(number).map_err(|error| error.to_string())
}

/// Reads a code point.
///
/// # Errors
/// What is allowed.
pub fn parse_dscp(text: &str) -> Result<u8, String> {
    small(text, 0, 63)
}

/// Reads a TTL.
///
/// # Errors
/// What is allowed.
pub fn parse_ttl(text: &str) -> Result<u8, String> {
    small(text, 1, 255)
}

/// Reads a number of subscriptions.
///
/// # Errors
/// What is allowed.
pub fn parse_max_subscriptions(text: &str) -> Result<u32, String> {
    number(text, 1, MOST_SUBSCRIPTIONS)
}

/// Reads a number of publications.
///
/// # Errors
/// What is allowed.
pub fn parse_max_publications(text: &str) -> Result<u32, String> {
    number(text, 1, MOST_PUBLICATIONS)
}

/// Reads a number of sessions.
///
/// # Errors
/// What is allowed.
pub fn parse_max_sessions(text: &str) -> Result<u32, String> {
    number(text, 1, MAX_SESSIONS)
}

/// Reads a number of workers.
///
/// # Errors
/// What is allowed.
pub fn parse_workers(text: &str) -> Result<u32, String> {
    number(text, 1, MAX_WORKERS)
}

/// Reads the port of sessions.
///
/// # Errors
/// What is allowed.
pub fn parse_media_port(text: &str) -> Result<u16, String> {
    let port = number(text, 1, u16::MAX.into())?;
    u16::try_from(port).map_err(|error| error.to_string())
}

/// Reads a local address of sessions.
///
/// # Errors
/// What is allowed.
pub fn parse_media_address(text: &str) -> Result<IpAddr, String> {
    host(text)
        .ok_or_else(|| "an IP address of this host, such as 192.0.2.1 or 2001:db8::1".to_owned())
}

/// Reads an address that peers are told, and the local one in whose place.
///
/// # Errors
/// What is allowed.
pub fn parse_announced(text: &str) -> Result<Announced, String> {
    let read = || {
        let (local, public) = text.split_once('=')?;
        let (local, public) = (host(local)?, host(public)?);
        (local.is_ipv4() == public.is_ipv4()).then_some(Announced { local, public })
    };
    read().ok_or_else(|| {
        "LOCAL=PUBLIC, two IP addresses of one family, such as 10.0.0.1=203.0.113.5".to_owned()
    })
}

/// Reads the name of a file.
///
/// # Errors
/// What is allowed.
pub fn parse_file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("the name of a file".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// The address of one host.
fn host(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|address| is_unicast(*address))
}

/// Reads a duration such as `30s` or `1m 30s`.
///
/// # Errors
/// What is allowed.
pub fn parse_lease(text: &str) -> Result<Duration, String> {
    let lease = humantime::parse_duration(text).ok();
    lease
        .filter(|lease| (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(lease))
        .ok_or_else(|| "a duration from 1s to 1day, such as 30s or 1m".to_owned())
}

/// Reads a path.
///
/// # Errors
/// What is allowed.
pub fn parse_path(text: &str) -> Result<PathChoice, String> {
    match text {
        "auto" => Ok(PathChoice::Auto),
        "kernel" => Ok(PathChoice::Kernel),
        "socket" => Ok(PathChoice::Socket),
        _ => Err("auto, kernel or socket".to_owned()),
    }
}

/// Reads the address that the API listens at.
///
/// # Errors
/// What is allowed.
pub fn parse_api(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an IP address and a port, such as 127.0.0.1:7600 or [::1]:7600".to_owned())
}

/// Reads who makes rooms: whether whoever joins does.
///
/// # Errors
/// What is allowed.
pub fn parse_rooms(text: &str) -> Result<bool, String> {
    match text {
        "open" => Ok(true),
        "declared" => Ok(false),
        _ => Err("open or declared".to_owned()),
    }
}

/// Reads a number of which a limit is made.
///
/// # Errors
/// What is allowed.
pub fn parse_number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "a number from 1 on".to_owned())
}

/// Reads whether the API is open to whoever reaches it.
///
/// # Errors
/// What is allowed.
pub fn parse_api_access(text: &str) -> Result<bool, String> {
    match text {
        "keys" => Ok(false),
        "open" => Ok(true),
        _ => Err("keys or open".to_owned()),
    }
}

/// Reads whether a certificate is made for the API.
///
/// # Errors
/// What is allowed.
pub fn parse_api_tls(text: &str) -> Result<bool, String> {
    match text {
        "off" => Ok(false),
        "self-signed" => Ok(true),
        _ => Err("off or self-signed".to_owned()),
    }
}

/// Reads a key that is shared with others: long enough not to be guessed, and as headers carry it.
///
/// # Errors
/// What is allowed.
pub fn parse_secret(text: &str) -> Result<Secret, String> {
    if (16..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text.to_owned()));
    }
    Err(
        "16 to 512 characters of ASCII without spaces, such as `openssl rand -hex 32` prints"
            .to_owned(),
    )
}

/// Reads a key from the file of this name.
///
/// # Errors
/// What is allowed.
pub fn parse_secret_file(file: &str) -> Result<Secret, String> {
    let text = fs::read_to_string(file);
    let text =
        text.map_err(|error| format!("a file that can be read; the system says: {error}"))?;
    parse_secret(text.trim_end()).map_err(|allowed| format!("a file with {allowed}"))
}

/// Reads an origin, as browsers name it (RFC 6454 §6.2).
///
/// # Errors
/// What is allowed.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok();
    let own = url.map(|url| url.origin().ascii_serialization());
    match own {
        Some(own) if own == text && own.starts_with("http") => Ok(own),
        _ => Err("scheme, host and, if it is not the usual one, port of a page, such as https://example.com".to_owned()),
    }
}

/// Reads the address of a webhook.
///
/// # Errors
/// What is allowed.
pub fn parse_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok();
    let http = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match http {
        Some(_) if text.len() <= 2048 => Ok(text.to_owned()),
        _ => Err("an http or https URL of at most 2048 characters".to_owned()),
    }
}

/// Reads the name of a forwarder, which becomes part of file names.
///
/// # Errors
/// What is allowed.
pub fn parse_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len());
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if fits && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("1 to 32 of the letters a-z and A-Z, digits, - and _".to_owned())
}

/// Reads the name of an interface (`dev_valid_name` in the kernel).
///
/// # Errors
/// What is allowed.
pub fn parse_iface(text: &str) -> Result<String, String> {
    let plain = |character: char| !character.is_whitespace() && !"/:\0".contains(character);
    let fits = (1..=15).contains(&text.len());
    if fits && text != "." && text != ".." && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("the name of an interface, 1 to 15 bytes, as `ip link` shows it".to_owned())
}
