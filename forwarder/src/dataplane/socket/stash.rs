//! Packets that came from XDP, copied out of its ring so that the ring is free again before they are sent.

use super::batch::{BUFFER, RECEIVE};

/// Room for some packets with the chunks that XDP found for them.
pub struct Stash {
    bytes: Box<[u8]>,
    /// Route and length.
    entries: Box<[(u32, usize)]>,
    len: usize,
}

impl Stash {
    /// Empty room for [`RECEIVE`] packets of [`BUFFER`] bytes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE * BUFFER].into(),
            entries: vec![(0, 0); RECEIVE].into(),
            len: 0,
        }
    }

    /// Whether no packet more has room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len == self.entries.len()
    }

    /// Keeps a copy; `None` where it has no room.
    #[must_use]
    pub fn push(&mut self, head: u32, payload: &[u8]) -> Option<()> {
        let entry = self.entries.get_mut(self.len)?;
        let buffer = self.bytes.chunks_exact_mut(BUFFER).nth(self.len)?;
        buffer.get_mut(..payload.len())?.copy_from_slice(payload);
        *entry = (head, payload.len());
        self.len += 1;
        Some(())
    }

    /// The packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let entries = self.entries.iter().zip(self.bytes.chunks_exact(BUFFER));
        entries
            .take(self.len)
            .filter_map(|(&(head, len), buffer)| Some((head, buffer.get(..len)?)))
    }

    /// Forgets all packets.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}
