//! `forwarder token`: makes a token for someone who joins a room.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use clap::Args;

use super::allowed;
use crate::{
    api::access::Claims,
    config::{Secret, parse_file, parse_name, parse_secret_file},
    made_key,
};

/// Longest time that a token can be made for.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Flags of `forwarder token`.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Room that the token is for, or * for all
    #[arg(long)]
    pub room: String,
    /// Whom the token is for: the name that others in the room see
    #[arg(long)]
    pub name: Option<String>,
    /// Let the holder send media
    #[arg(long)]
    pub publish: bool,
    /// Let the holder receive media
    #[arg(long)]
    pub subscribe: bool,
    /// Let the holder do everything in the room; with --room '*', everything on the node
    #[arg(long)]
    pub admin: bool,
    /// How long the token holds, up to 366days
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = allowed(parse_time))]
    pub time: Duration,
    /// Most sessions of the holder at one time
    #[arg(long, value_name = "N")]
    pub max_sessions: Option<u32>,
    /// Most publications of the holder at one time
    #[arg(long, value_name = "N")]
    pub max_tracks: Option<u32>,
    /// Most bits per second that the holder sends
    #[arg(long, value_name = "BITS")]
    pub max_bitrate: Option<u64>,
    /// File with the secret that the node has as --token-secret-file (HS256) [default: the key that a node of this user's that runs
    /// without keys of its own has made]
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_secret_file))]
    pub token_secret_file: Option<Secret>,
    /// File with the Ed25519 private key, in PEM, whose public key the node has as --token-public-key (EdDSA)
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_file), conflicts_with = "token_secret_file")]
    pub private_key: Option<PathBuf>,
    /// Name of the node whose own key signs
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = allowed(parse_name), conflicts_with_all = ["token_secret_file", "private_key"])]
    pub node: String,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time))
        .ok_or_else(|| "a duration from 1s to 366days, such as 30m or 1day".to_owned())
}

impl TokenArgs {
    /// Makes the token.
    ///
    /// # Errors
    /// A key that cannot be read or does not sign.
    pub fn mint(self) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let claims = Claims {
            exp: now.saturating_add(self.time).as_secs(),
            nbf: None,
            sub: self.name,
            jti: None,
            room: self.room,
            publish: self.publish,
            subscribe: self.subscribe,
            admin: self.admin,
            max_sessions: self.max_sessions,
            max_tracks: self.max_tracks,
            max_bitrate: self.max_bitrate,
        };
        let Some(file) = self.private_key else {
            let made = || made_key(&self.node);
            let secret = self.token_secret_file.map_or_else(made, Ok)?;
            return Ok(claims.sign(secret.expose().as_bytes())?);
        };
        let pem = fs::read(&file)
            .with_context(|| format!("private-key: {} cannot be read", file.display()))?;
        claims.sign_ed25519(&pem).with_context(|| {
            format!(
                "private-key cannot be {:?}; allowed: a file with an Ed25519 private key in PEM",
                file.display().to_string()
            )
        })
    }
}
