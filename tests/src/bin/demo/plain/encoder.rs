//! The publisher: ffmpeg encodes pictures and sound as they would come from a camera, and sends them as SRTP or RTP.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use forwarder_tests::Netns;
use forwarder_tests::model::Mode;

use crate::ffmpeg::Ffmpeg;
use super::media::{Kind, Publication};
use crate::options::Codec;

/// SRTP's default protection profile, RFC 4568 §6.2, by the name that both ffmpeg and SDP have for it.
pub const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

/// Frames per second, and from one keyframe to the next.
const RATE: u32 = 30;

/// Longest RTP packet, bytes.
const PACKET: u32 = 1200;

/// A pre-shared SRTP key with its salt (30 bytes, RFC 4568 §6.1) in base64, drawn anew for each run.
pub struct Key(String);

impl Key {
    /// Draws a key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn draw() -> Result<Self> {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut random = [0u8; 40];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut random))
            .context("cannot read /dev/urandom")?;
        // 40 characters of 6 bits are 30 bytes without padding, so drawing characters is drawing bytes.
        let text = random.map(|byte| char::from(ALPHABET[usize::from(byte & 63)]));
        Ok(Self(text.iter().collect()))
    }

    /// The key in base64.
    pub fn base64(&self) -> &str {
        &self.0
    }
}

/// Starts an ffmpeg that encodes the publications of one mode for as long as told, and sends each to its address.
///
/// # Errors
/// When ffmpeg cannot be started.
pub fn start(
    netns: &Netns,
    codec: Codec,
    duration: Duration,
    key: &Key,
    streams: &[(Publication, SocketAddr)],
) -> Result<Ffmpeg> {
    let mut line = format!(
        "-re -f lavfi -i testsrc2=size=640x360:rate={RATE} \
         -re -f lavfi -i sine=frequency=440:beep_factor=4:sample_rate=48000"
    );
    for (publication, to) in streams {
        let seconds = duration.as_secs_f64();
        let Publication {
            from_port,
            payload_type,
            ssrc,
            ..
        } = *publication;
        // ffmpeg is told one thread per encoder: libvpx with more spins while it waits.
        let encode = match publication.kind {
            Kind::Video => format!(
                "-map 0:v -c:v {} -pix_fmt yuv420p -b:v 1M -maxrate 1M -bufsize 500k -g {RATE} -threads 1",
                video_flags(codec)
            ),
            Kind::Audio => "-map 1:a -c:a libopus -ac 2 -b:a 64k".to_owned(),
        };
        let _ = write!(
            line,
            " {encode} -t {seconds} -f rtp -payload_type {payload_type} -ssrc {ssrc}"
        );
        if let Some(sequence) = publication.first_sequence {
            let _ = write!(line, " -seq {sequence}");
        }
        let scheme = match publication.mode {
            Mode::Clear => "rtp",
            Mode::Opaque => {
                let _ = write!(
                    line,
                    " -srtp_out_suite {SUITE} -srtp_out_params {}",
                    key.base64()
                );
                "srtp"
            }
        };
        let _ = write!(
            line,
            " {scheme}://{to}?localrtpport={from_port}&pkt_size={PACKET}"
        );
    }
    let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Ffmpeg::start(netns, "warning", &arguments, "", |_| {})
}

fn video_flags(codec: Codec) -> &'static str {
    match codec {
        Codec::Vp8 => {
            "libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -auto-alt-ref 0 -error-resilient 1"
        }
        Codec::H264 => "libx264 -preset superfast -tune zerolatency -profile:v baseline",
    }
}
