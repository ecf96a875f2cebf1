//! What `bench sealed` measures: suites, paths and fan-outs, and in which bursts.

use std::fmt;

use forwarder::srtp::Suite;
use serde::{Serialize, Serializer};

use crate::generator::Bursts;

/// All fan-outs.
pub const FAN_OUTS: [u32; 6] = [1, 4, 16, 64, 256, 1000];
/// All payloads, bytes of RTP payload: a voice packet, a video packet.
pub const PAYLOADS: [u32; 2] = [160, 1200];
/// Fewest replicas of one round.
const REPLICAS: u32 = 32_768;
/// Packets of one burst at most: those of a keyframe. A little below the worker's batch, which a socket that is behind fills.
const KEYFRAME: u32 = 60;
/// Frames that are sent before the worker gets to run: what waits in its ring, or in the socket's buffer, while it is busy. A
/// socket that is found with more than 256 waiting sheds video.
const WAITING: u32 = 4 * KEYFRAME;

/// A suite, under the name that its profile has (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SuiteName(pub Suite);

impl SuiteName {
    const fn name(self) -> &'static str {
        match self.0 {
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Suite::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
        }
    }
}

impl fmt::Display for SuiteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for SuiteName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl std::str::FromStr for SuiteName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Suite::ALL
            .map(Self)
            .into_iter()
            .find(|suite| suite.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                format!(
                    "allowed are {}",
                    Suite::ALL.map(|s| Self(s).name()).join(", ")
                )
            })
    }
}

/// How replicas come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// XDP steers to a worker, the worker seals into slots, XDP sends.
    Sealed,
    /// The same worker on connected sockets, without XDP.
    Socket,
    /// Copying and sealing alone, one key after the other.
    FloorSeal,
    /// Bells over slots that have been filled before.
    FloorSlots,
    /// A bare loop of sendmmsg.
    FloorSendmmsg,
}

impl Path {
    /// All, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Sealed,
        Self::Socket,
        Self::FloorSeal,
        Self::FloorSlots,
        Self::FloorSendmmsg,
    ];

    /// As it stands in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Socket => "socket",
            Self::FloorSeal => "floor-seal",
            Self::FloorSlots => "floor-slots",
            Self::FloorSendmmsg => "floor-sendmmsg",
        }
    }

    /// Whether it seals.
    pub const fn has_suite(self) -> bool {
        matches!(self, Self::Sealed | Self::Socket | Self::FloorSeal)
    }

    /// Whether it is the forwarder rather than a floor.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Sealed | Self::Socket)
    }

    /// Whether anything arrives.
    pub const fn sends(self) -> bool {
        !matches!(self, Self::FloorSeal)
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Bytes of RTP payload.
    pub payload: u32,
    /// Subscribers.
    pub fan_out: u32,
    /// With what it is sealed; `None` where nothing is.
    pub suite: Option<SuiteName>,
    /// How.
    pub path: Path,
}

impl Case {
    /// The publisher's packets of one round, or as many as there would be.
    pub fn packets(self) -> u32 {
        let packets = (REPLICAS / self.fan_out).clamp(KEYFRAME, crate::programs::PREPARED);
        let frames = WAITING.min(packets / KEYFRAME * KEYFRAME);
        packets / frames * frames
    }

    /// How the publisher's packets are sent; `None` for floors, which have none.
    pub fn bursts(self) -> Option<Bursts> {
        let frames = self.packets().min(WAITING);
        self.path.is_ours().then(|| Bursts {
            calls: self.packets() / frames,
            frames,
            batch: KEYFRAME,
        })
    }

    /// Replicas of one round.
    pub fn replicas(self) -> u64 {
        u64::from(self.packets()) * u64::from(self.fan_out)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.path.name())?;
        if let Some(suite) = self.suite {
            write!(f, "{suite}, ")?;
        }
        write!(f, "fan-out {}, {} bytes", self.fan_out, self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_whole_calls() {
        for path in [Path::Sealed, Path::Socket] {
            for fan_out in FAN_OUTS {
                let case = Case {
                    payload: 1200,
                    fan_out,
                    suite: None,
                    path,
                };
                let bursts = case.bursts().unwrap();
                assert_eq!(bursts.total(), u64::from(case.packets()), "{case}");
                assert!(bursts.frames <= WAITING, "{case}");
                assert_eq!(bursts.frames % bursts.batch, 0, "{case}");
            }
        }
    }

    #[test]
    fn a_suite_is_found_by_its_name() {
        for suite in Suite::ALL.map(SuiteName) {
            assert_eq!(suite.to_string().parse(), Ok(suite));
        }
        assert!("AEAD_AES_512_GCM".parse::<SuiteName>().is_err());
    }
}
