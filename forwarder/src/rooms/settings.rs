//! What rooms are told at start.

use crate::core::refusal::Refusal;

/// Most rooms that a node can be given room for.
pub const MAX_ROOMS: u32 = 1 << 16;

/// What rooms are told at start. The limits of a room hold unless the room has others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether a room is made by the first who joins it. Otherwise rooms are declared before anybody joins.
    pub made_by_joining: bool,
    /// Rooms at one time, 1 to [`MAX_ROOMS`].
    pub max_rooms: u32,
    /// Sessions in one room.
    pub max_sessions: u32,
    /// Publications in one room.
    pub max_tracks: u32,
    /// Bits per second that all publications of one room bring, above which no more are let in.
    pub max_bitrate: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            made_by_joining: true,
            max_rooms: 1024,
            max_sessions: 1024,
            max_tracks: 2048,
            max_bitrate: None,
        }
    }
}

impl Settings {
    /// Checks what the operator configured.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.max_rooms == 0 || self.max_rooms > MAX_ROOMS {
            return Err(Refusal::invalid(
                "max_rooms",
                self.max_rooms,
                format!("1 to {MAX_ROOMS}"),
            ));
        }
        let fields = [
            ("max_sessions", self.max_sessions),
            ("max_tracks", self.max_tracks),
        ];
        for (field, value) in fields {
            if value == 0 {
                return Err(Refusal::invalid(field, value, "1 or more"));
            }
        }
        if self.max_bitrate == Some(0) {
            return Err(Refusal::invalid(
                "max_bitrate",
                0,
                "1 bit/s or more, or none",
            ));
        }
        Ok(())
    }
}
