//! Rooms: who is in them, what each session wants to receive and therefore is sent, and how that is negotiated with its peer.
//! Sans-IO.
//!
//! The law:
//! - No socket, no clock, no tokio in here. Time is an argument: CLOCK_BOOTTIME in nanoseconds, never going back.
//! - Rooms command the session core and own nothing of it. Whatever it tells goes to [`Rooms::handle_event`]; after that, and
//!   after every command, [`Rooms::settle`] makes subscriptions what the wishes say, until it has nothing more to do.
//! - A command is carried out as a whole or refused as a whole; a refusal names field, value and what is allowed. In a dry run it
//!   is only checked. An m-line of a description that cannot be had is answered so; it never fails the description.
//! - Every table is bounded.

mod events;
pub mod ids;
mod settings;
pub mod specs;
mod stubs;
pub mod views;
pub mod wishes;

pub use events::{Event, What};
pub use settings::Settings;

use crate::core::refusal::Refusal;

/// The rooms of a node.
pub struct Rooms {
    settings: Settings,
}
