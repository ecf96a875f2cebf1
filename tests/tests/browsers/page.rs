//! The forwarder's own pages, used as a person uses them, in Chromium and Firefox. Pictures of them are kept in `target/artefacts`.

mod camera;
mod ear;
mod house;
mod keyboard;
mod node;
mod people;

use crate::Scenario;

pub use people::wait_for_people;

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    ("a_room", people::a_room),
    ("cameras", camera::cameras),
    ("by_keyboard", keyboard::by_keyboard),
    ("the_node", node::the_node),
];
