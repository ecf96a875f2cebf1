//! RTCP: what peers say about media, and what is said to them. Every leg is terminated here: reports are our own, and
//! requests for keyframes are coalesced before they reach a publisher.
//!
//! No IO and no clock: `now` and all other times are nanoseconds of the node's clock, and a deadline of `u64::MAX`
//! means never. All that is read was authenticated (SRTCP), but may still be anything.
//!
//! | file | holds |
//! | --- | --- |
//! | `rtcp`, `append` | packets read and written |
//! | `ntp`, `interval` | times as RTCP says them; when a report is due |
//! | `sender_reports`, `receiver_reports`, `reference_times` | RFC 3550 §6.4, RFC 3611 §4.4-4.5 |
//! | `keyframes` | requests for keyframes: when one goes to the publisher |
//! | `transport_cc`, `remb` | what a publisher may send |
//! | `bye` | the end of streams |
//! | `datagrams` | how packets are shared out among datagrams |

pub mod append;
pub mod bye;
pub mod datagrams;
pub mod interval;
pub mod keyframes;
pub mod ntp;
pub mod receiver_reports;
pub mod reference_times;
pub mod remb;
pub mod rtcp;
pub mod sender_reports;
pub mod transport_cc;

pub use datagrams::datagrams;
pub use interval::ReportInterval;
pub use keyframes::{KeyframeRequest, Keyframes, Reason, Understands};
pub use ntp::media_units;
pub use receiver_reports::{Jitter, ReceiverReports, SourceCounters};
pub use reference_times::ReferenceTimes;
pub use remb::Remb;
pub use rtcp::{MAX_ITEMS, ReportBlock, Rtcp, SenderInfo, parse_compound};
pub use sender_reports::{LegProgress, PublisherClock, SenderReports, StreamClock};
pub use transport_cc::TransportCc;

#[cfg(test)]
mod keyframes_tests;
#[cfg(test)]
mod reports_tests;
#[cfg(test)]
mod rtcp_tests;
#[cfg(test)]
mod transport_cc_tests;
