//! A room.

use std::collections::BTreeSet;

use super::specs::RoomSpec;
use crate::sessions::ids::SessionId;

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Whether it stays when nobody is in it.
    pub declared: bool,
    pub spec: RoomSpec,
    /// Who is in it, the longest there first.
    pub members: BTreeSet<SessionId>,
    /// It goes as soon as nobody is in it any more, and nobody joins.
    pub closing: bool,
    pub version: u64,
    /// Bits per second that its publications brought lately.
    pub bitrate: u64,
}

impl Room {
    /// An empty room.
    pub const fn new(declared: bool, spec: RoomSpec, version: u64) -> Self {
        Self {
            declared,
            spec,
            members: BTreeSet::new(),
            closing: false,
            version,
            bitrate: 0,
        }
    }
}
