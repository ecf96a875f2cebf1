//! RTP as a session negotiated it: headers read once per packet, and written once per leg.
//!
//! No IO and no clock. [`Parsed`], [`Template`] and [`LegSequence`] are what a worker does per packet and per leg: they
//! allocate nothing, and what they read comes from the network.

pub mod codec;
pub mod extension;
pub mod header;
pub mod keyframe;
pub mod leg_sequence;
pub mod profile;
pub mod red;
pub mod template;
pub mod unwrap;

pub use codec::{Codec, Kind};
pub use extension::{Extension, ExtensionIds, IdError};
pub use header::{Parsed, parse};
pub use keyframe::is_keyframe_start;
pub use leg_sequence::LegSequence;
pub use profile::Profile;
pub use red::Primary;
pub use template::{Stamp, Template, abs_send_time};
pub use unwrap::Unwrapper;

#[cfg(test)]
mod header_tests;
#[cfg(test)]
mod keyframe_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod template_tests;
