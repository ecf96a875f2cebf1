//! The lab: network namespaces with the forwarder in the middle, publishers and receivers around it, and captures that
//! check every frame. All end-to-end suites, the demo and the benches stand on it.
//!
//! It shares no code with the product: frames are built and taken apart by another crate, and what a packet must look like
//! after a rewrite comes from the model in [`rtp`]. `tests/README.md` has the drawing.

pub mod browsers;
pub mod capture;
pub mod cases;
pub mod client;
pub mod flood;
pub mod frame;
pub mod fuzzing;
pub mod fuzzing_media;
pub mod fuzzing_sdp;
pub mod fuzzing_srtp;
pub mod fuzzing_transport;
pub mod lab;
pub mod mmsg;
pub mod model;
pub mod netns;
pub mod node;
pub mod plan;
pub mod publisher;
pub mod receiver;
pub mod root;
pub mod rtc;
pub mod rtp;
pub mod sweep;
pub mod syscalls;
pub mod tally;
pub mod veth;

pub use capture::{Capture, Captured};
pub use client::Client;
pub use lab::{Lab, Star};
pub use netns::Netns;
pub use node::Node;
pub use plan::{Family, Leaf, Neighbours, Pool};
pub use publisher::{Pace, Publisher, RawSender};
pub use receiver::Receivers;
