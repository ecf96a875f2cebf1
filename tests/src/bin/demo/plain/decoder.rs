//! The receivers that decode: ffmpeg reads a session description, opens the ports in it, and decodes what comes.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use forwarder_tests::Netns;
use forwarder_tests::model::Mode;

use super::encoder::{Key, SUITE};
use crate::ffmpeg::{Ffmpeg, is_complaint};
use super::leg::Rewrite;
use super::media::{Kind, Publication};

/// How long ffmpeg may take to open its ports, or to finish.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many frames came out, while it runs.
#[derive(Default)]
struct Progress {
    video: AtomicU64,
    audio: AtomicU64,
    /// The checksum of each picture.
    pictures: Mutex<Vec<u32>>,
}

/// A receiver that decodes both streams of a mode.
pub struct Decoder {
    name: String,
    mode: Mode,
    ffmpeg: Ffmpeg,
    ports: Vec<u16>,
    progress: Arc<Progress>,
}

/// What a decoder made of what it got.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Decoded {
    /// The decoder's name.
    pub name: String,
    /// Of which publications.
    #[serde(skip)]
    pub mode: Mode,
    /// Pictures decoded.
    pub video_frames: u64,
    /// Blocks of sound decoded.
    pub audio_frames: u64,
    /// The checksum of each picture that was shown, which is all but the last few: receivers of the same stream must agree.
    #[serde(skip)]
    pub pictures: Vec<u32>,
    /// What ffmpeg complained about: nothing, if all is well.
    pub errors: Vec<String>,
}

/// A stream that a decoder gets: what, to which address, and what the forwarder writes into it.
pub type Incoming = (Publication, SocketAddr, Option<Rewrite>);

impl Decoder {
    /// Starts a decoder in the namespace.
    ///
    /// # Errors
    /// When ffmpeg cannot be started.
    pub fn start(
        netns: &Netns,
        name: String,
        mode: Mode,
        key: &Key,
        streams: &[Incoming],
    ) -> Result<Self> {
        let description = session(key, streams);
        let fixed = "-protocol_whitelist pipe,udp,rtp,srtp,crypto -buffer_size 2000000 -threads 1 -f sdp -i pipe:0";
        // One line per decoded frame, with its checksum; `passthrough` neither drops nor doubles any.
        let output = "-map 0:v -map 0:a -fps_mode passthrough -flush_packets 1 -f framecrc pipe:1";
        let arguments: Vec<String> = fixed
            .split(' ')
            .map(str::to_owned)
            .chain(output.split(' ').map(str::to_owned))
            .collect();
        let progress = Arc::new(Progress::default());
        let ffmpeg = Ffmpeg::start(netns, "verbose", &arguments, &description, {
            let progress = Arc::clone(&progress);
            move |line| progress.note(line)
        })?;
        Ok(Self {
            name,
            mode,
            ffmpeg,
            ports: streams.iter().map(|(_, to, _)| to.port()).collect(),
            progress,
        })
    }

    /// Waits until its ports are open.
    ///
    /// # Errors
    /// When they do not open in time, with what ffmpeg said.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let open = open_ports(self.ffmpeg.pid());
            if self.ports.iter().all(|port| open.contains(port)) {
                return Ok(());
            }
            ensure!(
                Instant::now() < end && self.ffmpeg.has_ended().is_none(),
                "the decoder {} did not open its ports {:?}. It said:\n{}",
                self.name,
                self.ports,
                self.ffmpeg.log().join("\n")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Pictures that came out so far.
    pub fn frames(&self) -> u64 {
        self.progress.video.load(Ordering::Relaxed)
    }

    /// Ends all, and says what they made of what they got.
    pub fn finish_all(mut decoders: Vec<Self>) -> Vec<Decoded> {
        let early: Vec<_> = decoders
            .iter_mut()
            .map(|decoder| decoder.ffmpeg.has_ended())
            .collect();
        // The first signal ends its loop, the second the read that its loop waits in (`decode_interrupt_cb` of fftools).
        for _ in 0..2 {
            for decoder in &mut decoders {
                decoder.ffmpeg.ask_to_finish();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let finished = decoders.into_iter().zip(early);
        finished
            .map(|(decoder, early)| decoder.finish(early))
            .collect()
    }

    fn finish(mut self, early: Option<ExitStatus>) -> Decoded {
        self.ffmpeg.finish(PATIENCE);
        let log = self.ffmpeg.log();
        let mut errors: Vec<String> = log
            .iter()
            .filter(|line| is_complaint(line) && !is_farewell(line))
            .cloned()
            .collect();
        if let Some(status) = early {
            errors.push(format!("ended before its time, {status}"));
        }
        let mut decoded = |stream: &str| {
            frames_decoded(&log, stream).unwrap_or_else(|| {
                errors.push(format!("says nothing of frames of stream {stream}"));
                0
            })
        };
        let (video_frames, audio_frames) = (decoded("#0:0"), decoded("#0:1"));
        let mut pictures = self
            .progress
            .pictures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let pictures = std::mem::take(&mut *pictures);
        Decoded {
            name: self.name,
            mode: self.mode,
            video_frames,
            audio_frames,
            pictures,
            errors,
        }
    }
}

impl Progress {
    /// Takes in a line of the muxer `framecrc`: stream, two times, duration, size, checksum.
    fn note(&self, line: &str) {
        match line.split(',').next() {
            Some("0") => {
                self.video.fetch_add(1, Ordering::Relaxed);
                let checksum = line.rsplit(", 0x").next().unwrap_or_default();
                let checksum = u32::from_str_radix(checksum, 16).unwrap_or_default();
                let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
                pictures.push(checksum);
            }
            Some("1") => {
                self.audio.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// The session description (RFC 8866, keys by RFC 4568) of what the forwarder sends.
fn session(key: &Key, streams: &[Incoming]) -> String {
    // The address is that of the other side, to which ffmpeg would send reports. It listens on all of its own.
    let own = |to: &SocketAddr| {
        if to.is_ipv4() {
            "IN IP4 127.0.0.1"
        } else {
            "IN IP6 ::1"
        }
    };
    let address = streams.first().map_or("", |(_, to, _)| own(to));
    let mut lines = vec![
        "v=0".to_owned(),
        format!("o=- 0 0 {address}"),
        "s=forwarder demo".to_owned(),
        format!("c={address}"),
        "t=0 0".to_owned(),
    ];
    for (publication, to, rewrite) in streams {
        let number = rewrite.map_or(publication.payload_type, |rewrite| rewrite.payload_type);
        let (media, channels) = match publication.kind {
            Kind::Video => ("video", ""),
            Kind::Audio => ("audio", "/2"),
        };
        let profile = match publication.mode {
            Mode::Clear => "RTP/AVP",
            Mode::Opaque => "RTP/SAVP",
        };
        lines.push(format!("m={media} {} {profile} {number}", to.port()));
        lines.push(format!(
            "a=rtpmap:{number} {}/{}{channels}",
            publication.codec, publication.clock_rate
        ));
        if publication.codec == "H264" {
            lines.push(format!("a=fmtp:{number} packetization-mode=1"));
        }
        if publication.mode == Mode::Opaque {
            lines.push(format!("a=crypto:1 {SUITE} inline:{}", key.base64()));
        }
    }
    lines.join("\n") + "\n"
}

/// "Input stream #0:0 (video): 150 packets read (631479 bytes); 150 frames decoded; ", and an own count of decode errors in newer
/// versions, which are complaints before that.
fn frames_decoded(log: &[String], stream: &str) -> Option<u64> {
    let wanted = format!("Input stream {stream} ");
    let line = log.iter().rev().find(|line| line.contains(&wanted))?;
    line.split(';')
        .find(|part| part.contains("frames decoded"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// What ffmpeg says of a read that its end cut short.
fn is_farewell(line: &str) -> bool {
    ["Connection timed out", "Immediate exit requested"]
        .iter()
        .any(|end| line.ends_with(end))
}

/// UDP ports that are bound in the network namespace of the process, both families (proc_pid_net(5)).
fn open_ports(pid: u32) -> Vec<u16> {
    ["udp", "udp6"]
        .iter()
        .filter_map(|file| std::fs::read_to_string(format!("/proc/{pid}/net/{file}")).ok())
        .flat_map(|text| {
            text.lines()
                .filter_map(|line| {
                    let local = line.split_whitespace().nth(1)?;
                    u16::from_str_radix(local.rsplit(':').next()?, 16).ok()
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_words_are_understood() {
        let log = [
            "[info]   Input stream #0:0 (video): 150 packets read (631479 bytes); 149 frames decoded; ",
            "[info]   Input stream #0:1 (audio): 251 packets read (4 bytes); 251 frames decoded (240960 samples); ",
        ]
        .map(str::to_owned);
        assert_eq!(frames_decoded(&log, "#0:0"), Some(149));
        assert_eq!(frames_decoded(&log, "#0:1"), Some(251));
        assert_eq!(frames_decoded(&log, "#0:2"), None);
        assert!(is_complaint("[sdp @ 0x1] [warning] RTP: missed 3 packets"));
        assert!(is_farewell("[error] x.sdp: Connection timed out"));
    }
}
