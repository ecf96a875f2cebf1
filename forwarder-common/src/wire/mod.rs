//! Header formats: offsets live here and nowhere else.

pub mod eth;
pub mod extension;
pub mod ip;
pub mod rtp;
pub mod udp;
