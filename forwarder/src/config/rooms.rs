//! What holds for rooms unless they say otherwise.

use super::{ConfigError, together};
use crate::rooms::Settings;

/// What a file or the flags name of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomOverrides {
    /// See [`Settings::made_by_joining`].
    pub made_by_joining: Option<bool>,
    /// See [`Settings::max_rooms`].
    pub max_rooms: Option<u32>,
    /// See [`Settings::max_sessions`].
    pub max_sessions: Option<u32>,
    /// See [`Settings::max_tracks`].
    pub max_tracks: Option<u32>,
    /// See [`Settings::max_bitrate`].
    pub max_bitrate: Option<u64>,
}

/// Overrides what `given` names.
pub(super) fn override_with(rooms: &mut Settings, given: &RoomOverrides) {
    rooms.made_by_joining = given.made_by_joining.unwrap_or(rooms.made_by_joining);
    rooms.max_rooms = given.max_rooms.unwrap_or(rooms.max_rooms);
    rooms.max_sessions = given.max_sessions.unwrap_or(rooms.max_sessions);
    rooms.max_tracks = given.max_tracks.unwrap_or(rooms.max_tracks);
    rooms.max_bitrate = given.max_bitrate.or(rooms.max_bitrate);
}

/// Checks what single values do not show; fields have the names of the configuration.
pub(super) fn check(rooms: &Settings) -> Result<(), ConfigError> {
    rooms.check().map_err(|refusal| {
        let field = match refusal.field {
            "max_rooms" => "max-rooms",
            "max_sessions" => "max-room-sessions",
            "max_tracks" => "max-room-tracks",
            _ => "max-room-bitrate",
        };
        together(field, refusal.value, refusal.allowed)
    })
}
