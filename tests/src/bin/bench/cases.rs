//! What is measured: paths, fan-outs, payloads, and in which bursts.

use std::fmt;

use serde::Serialize;

use crate::generator::Bursts;
use crate::layout::FLOOR_MAX;

/// All fan-outs.
pub const FAN_OUTS: [u32; 6] = [1, 4, 16, 64, 256, 1024];
/// All payloads, bytes: a voice packet, a video packet.
pub const PAYLOADS: [u32; 2] = [160, 1200];
/// Packets of one burst beyond a fan-out of 64: those of a keyframe.
const KEYFRAME: u32 = 64;
/// Fewest replicas of one round of a path that XDP sends.
const REPLICAS: u32 = 65_536;
/// Fewest replicas of one round of a path that sockets send.
const SOCKET_REPLICAS: u32 = 16_384;

/// How replicas come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// The forwarder's XDP programs.
    Kernel,
    /// A bare XDP broadcast that rewrites nothing.
    FloorBroadcast,
    /// The forwarder's socket worker.
    Socket,
    /// A bare loop of sendmmsg.
    FloorSendmmsg,
}

impl Path {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::Kernel,
        Self::FloorBroadcast,
        Self::Socket,
        Self::FloorSendmmsg,
    ];

    /// As it stands in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::FloorBroadcast => "floor-broadcast",
            Self::Socket => "socket",
            Self::FloorSendmmsg => "floor-sendmmsg",
        }
    }

    /// Whether it is the forwarder rather than a floor.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Kernel | Self::Socket)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// Bytes of UDP payload.
    pub payload: u32,
    /// Subscribers.
    pub fan_out: u32,
    /// How.
    pub path: Path,
}

impl Case {
    /// How the generator sends for one round; `None` where there is nothing to generate.
    pub fn bursts(self) -> Option<Bursts> {
        let small = self.fan_out <= FLOOR_MAX / 2;
        let batch = (FLOOR_MAX / self.fan_out).clamp(1, KEYFRAME);
        let packets = REPLICAS / self.fan_out;
        match self.path {
            Path::Kernel | Path::FloorBroadcast if small => Some(Bursts {
                calls: 1,
                frames: packets.min(REPLICAS / 2),
                batch,
            }),
            Path::Kernel => Some(Bursts {
                calls: packets.div_ceil(KEYFRAME),
                frames: KEYFRAME,
                batch: KEYFRAME,
            }),
            // Every frame a poll of its own.
            Path::FloorBroadcast => Some(Bursts {
                calls: 1,
                frames: REPLICAS / FLOOR_MAX,
                batch: 1,
            }),
            // What waits in the socket's buffer while the worker does not run.
            Path::Socket => {
                let frames = (SOCKET_REPLICAS / self.fan_out).clamp(8, 512);
                Some(Bursts {
                    calls: (SOCKET_REPLICAS / self.fan_out / frames).clamp(1, 8),
                    frames,
                    batch: KEYFRAME.min(frames),
                })
            }
            Path::FloorSendmmsg => None,
        }
    }

    /// Replicas of one frame of the generator.
    pub fn replicas_per_frame(self) -> u32 {
        match self.path {
            Path::FloorBroadcast => self.fan_out.min(FLOOR_MAX),
            _ => self.fan_out,
        }
    }

    /// Replicas of one round.
    pub fn replicas(self) -> u64 {
        match self.bursts() {
            Some(bursts) => bursts.total() * u64::from(self.replicas_per_frame()),
            None => u64::from(SOCKET_REPLICAS.next_multiple_of(self.fan_out)),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, fan-out {}, {} bytes",
            self.path, self.fan_out, self.payload
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Case> {
        Path::ALL.into_iter().flat_map(|path| {
            FAN_OUTS.map(|fan_out| Case {
                payload: 1200,
                fan_out,
                path,
            })
        })
    }

    #[test]
    fn the_floor_fits_half_of_the_ring() {
        for case in all().filter(|case| case.path == Path::FloorBroadcast) {
            let bursts = case.bursts().unwrap();
            assert!(
                bursts.batch * case.replicas_per_frame() <= FLOOR_MAX,
                "{case}"
            );
        }
    }

    #[test]
    fn small_fan_outs_come_in_the_same_bursts_to_kernel_and_floor() {
        for case in all().filter(|case| case.path == Path::Kernel && case.fan_out <= 64) {
            let floor = Case {
                path: Path::FloorBroadcast,
                ..case
            };
            assert_eq!(case.bursts(), floor.bursts(), "{case}");
        }
    }

    #[test]
    fn large_fan_outs_come_in_bursts_of_64() {
        for case in all().filter(|case| case.path == Path::Kernel && case.fan_out > 64) {
            let bursts = case.bursts().unwrap();
            assert_eq!((bursts.frames, bursts.batch), (64, 64), "{case}");
        }
    }

    #[test]
    fn a_round_is_whole_packets() {
        for case in all() {
            assert_eq!(case.replicas() % u64::from(case.fan_out), 0, "{case}");
            assert!(case.replicas() >= u64::from(SOCKET_REPLICAS / 4), "{case}");
        }
    }
}
