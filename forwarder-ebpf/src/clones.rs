//! What egress knows of the clones in hand, per CPU: one map element, so that a clone costs one look-up.

use forwarder_common::{tables::MAX_DEVICES, ticket::Cursor};

/// State of one CPU.
#[repr(C)]
pub struct Clones {
    /// The device of the bulk that egress is working on, plus one; 0 between bulks.
    bulk: u32,
    zero: u32,
    cursors: [Cursor; MAX_DEVICES as usize],
}

impl Clones {
    /// Notes the device of the bulk that egress is working on.
    #[inline(always)]
    pub fn note(&mut self, device: u32) {
        self.bulk = device + 1;
    }

    /// The device of the bulk that egress was working on, if it was.
    #[inline(always)]
    pub fn take_noted(&mut self) -> Option<u32> {
        let device = self.bulk.checked_sub(1);
        self.bulk = 0;
        device
    }

    /// Where egress stands on a device.
    #[inline(always)]
    pub fn cursor(&mut self, device: u32) -> Option<&mut Cursor> {
        self.cursors.get_mut(device as usize)
    }
}
