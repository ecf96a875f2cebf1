//! Ethernet frames that carry UDP: built ([`Frame`]) and taken apart with every checksum and length verified (`check`).
//!
//! Both use the crate `etherparse` and nothing of the product, on purpose: a mistake in the product's own arithmetic cannot hide here.

mod build;
mod check;

use std::fmt;
use std::str::FromStr;

pub use build::Frame;
pub use check::{Flaw, Parsed, check};

/// A MAC address, in the order of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

/// A VLAN tag: its EtherType (TPID) and control information (priority, drop eligible, identifier).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 0x8100 for a customer tag, 0x88a8 for a service tag.
    pub ethertype: u16,
    /// Priority (3 bits), drop eligible (1), identifier (12).
    pub control: u16,
}

impl Tag {
    /// A customer tag of priority 0.
    #[must_use]
    pub const fn customer(id: u16) -> Self {
        Self {
            ethertype: 0x8100,
            control: id & 0xfff,
        }
    }

    /// A service tag (802.1ad) of priority 0.
    #[must_use]
    pub const fn service(id: u16) -> Self {
        Self {
            ethertype: 0x88a8,
            control: id & 0xfff,
        }
    }

    /// The VLAN's identifier.
    #[must_use]
    pub const fn id(self) -> u16 {
        self.control & 0xfff
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad =
            || format!("{text:?} is no MAC address: six hexadecimal bytes with colons between are");
        let bytes: Vec<u8> = text
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16))
            .collect::<Result<_, _>>()
            .map_err(|_| bad())?;
        bytes.try_into().map(Self).map_err(|_| bad())
    }
}
