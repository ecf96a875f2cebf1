//! Other people's WebRTC clients, driven by the tests: Chromium and Firefox without a window, each in a namespace.
//!
//! Beside them there are peers made of aiortc, GStreamer, libdatachannel and ffmpeg ([`Script`]).
//!
//! A browser is started by a program for Node.js (`tests/browsers/driver.mjs`), which takes commands as lines of JSON. Its page
//! (`tests/browsers/page`) publishes pictures that carry a number and tones of a given frequency, and reads both back.

mod admission;
mod browser;
mod peer;
mod process;
mod programs;
mod report;
mod scripts;

pub use admission::{Admission, base, secure_base, whep, whip};
pub use browser::{Browser, Options};
pub use peer::{Candidates, Media, Peer, Picture};
pub use programs::{Kind, artefacts, missing};
pub use report::{Channel, Codecs, Fault, Glance, Posted, Report, Seen, Sound, Stats};
pub use scripts::{Played, Role, Script, Toolkit, environment, missing_python, test_reading};
