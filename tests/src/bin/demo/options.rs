//! The command line of the demo: what `cargo xtask demo` passes on.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use forwarder_tests::Family;

/// Most receivers of plain RTP: what the pool of one namespace holds, and what one core can check at the demo's rates with room to spare.
pub const MOST_RECEIVERS: u32 = 4000;

/// Most subscribers of a room, and most publishers: what one machine can play all clients of.
pub const MOST_SUBSCRIBERS: u16 = 400;
/// See [`MOST_SUBSCRIBERS`].
pub const MOST_PUBLISHERS: u16 = 16;

/// How long media flows unless told.
const DURATION: Duration = Duration::from_secs(20);

/// Forwards really encoded video and sound to many receivers, in namespaces of its own.
///
/// A room of WebRTC clients: publishers send video and sound over ICE and DTLS-SRTP, every subscriber gets all of it under keys of
/// its own and compares every frame with what was published; some decode as well. With --plain there are endpoints of plain RTP
/// instead: ffmpeg publishes SRTP under a pre-shared key and clear RTP, and receivers check every packet. Exit status 0 only if every
/// receiver got everything that it should, and nothing else.
///
/// With --browser the node runs on this host, participants publish, and the address of a room is printed, to be opened in a browser
/// here. That goes on until Ctrl-C.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
pub struct Options {
    /// How many clients publish, each a video and a sound.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_PUBLISHERS)), conflicts_with = "plain")]
    pub publishers: u16,
    /// How many clients subscribe, each to all that is published.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_SUBSCRIBERS)), conflicts_with = "plain")]
    pub subscribers: u16,
    /// How long media flows once all are there, from 2s to 10m: 20s unless told, with --browser until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Which path forwards: auto and kernel need root, socket does not.
    #[arg(long, value_enum, default_value_t = Path::Auto)]
    pub path: Path,
    /// How the pictures are encoded.
    #[arg(long, value_enum, default_value_t = Codec::Vp8)]
    pub codec: Codec,
    /// Publish and receive over IPv6.
    #[arg(long)]
    pub ipv6: bool,
    /// Print the summary as one JSON object, and nothing else, on standard output; with --browser the addresses, once the room is open.
    #[arg(long)]
    pub json: bool,
    /// How many receivers also decode with ffmpeg; with --plain, of each of the two kinds of publication.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub decoders: u8,
    /// Endpoints of plain RTP instead of WebRTC clients.
    #[arg(long)]
    pub plain: bool,
    /// Leave a room open for a browser on this host.
    #[arg(long, conflicts_with_all = ["plain", "subscribers", "ipv6", "decoders"])]
    pub browser: bool,
    /// With --browser: the port of page and API; any free one unless told.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true,
        requires = "browser"
    )]
    pub port: u16,
    /// With --plain: how many receivers check every packet (besides those that decode). Every other one gets the SRTP, the rest clear
    /// RTP.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_RECEIVERS)), requires = "plain")]
    pub receivers: u32,
}

impl Options {
    /// How long media flows, where an end is wanted.
    pub fn duration(&self) -> Duration {
        self.duration.unwrap_or(DURATION)
    }

    /// The family of all addresses.
    pub fn family(&self) -> Family {
        if self.ipv6 { Family::V6 } else { Family::V4 }
    }
}

/// A forwarding path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Path {
    /// XDP where it works, else the socket.
    Auto,
    /// XDP or nothing.
    Kernel,
    /// The UDP socket.
    Socket,
}

impl Path {
    /// As `forwarder run --path` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Socket => "socket",
        }
    }
}

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// VP8 by libvpx.
    Vp8,
    /// H.264 by libx264.
    H264,
}

impl Codec {
    /// As RTP's `a=rtpmap` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H264",
        }
    }

    /// ffmpeg's encoder.
    pub fn encoder(self) -> &'static str {
        match self {
            Self::Vp8 => "libvpx",
            Self::H264 => "libx264",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let allowed = "allowed: 2s to 10m, such as 20s or 1m30s";
    let parsed = humantime::parse_duration(text).map_err(|_| allowed.to_owned())?;
    if (Duration::from_secs(2)..=Duration::from_secs(600)).contains(&parsed) {
        Ok(parsed)
    } else {
        Err(allowed.to_owned())
    }
}
