//! What was sent lately, for retransmissions: every packet once in the clear, and for every leg which packet left under which number.
//!
//! A retransmission is sealed anew from both, to the identical ciphertext or as an RTX packet (RFC 4588); neither the bytes that left nor
//! a copy per leg is kept.

use crate::prefetch::prefetch;

/// Packets of video that are kept: two seconds of 250 packets.
pub const VIDEO_PACKETS: usize = 512;
/// Packets of audio that are kept: more than one second of 20 ms.
pub const AUDIO_PACKETS: usize = 64;
/// Bytes of the largest packet that is kept.
const PACKET: usize = 1500;

/// The packets of one track.
#[derive(Debug)]
pub struct History {
    bytes: Box<[u8]>,
    entries: Box<[Entry]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Incoming index plus one; 0 for none.
    index: u64,
    len: u16,
    header_len: u16,
}

/// A packet as it came, in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// The whole packet, without tag.
    pub packet: &'a [u8],
    /// Bytes of its header.
    pub header_len: usize,
}

impl History {
    /// Room for `packets` packets, a power of two. It is taken here and never while packets flow; what no packet has touched yet is
    /// address space and not memory, since it comes zeroed from the kernel.
    #[must_use]
    pub fn new(packets: usize) -> Self {
        Self {
            bytes: vec![0; packets * PACKET].into(),
            entries: vec![Entry::default(); packets].into(),
        }
    }

    /// Keeps a packet, in the place of one that is older by as many as are kept. One that is too long is not kept.
    #[inline]
    pub fn keep(&mut self, index: u64, packet: &[u8], header_len: usize) {
        let place = self.place(index);
        let at = place * PACKET;
        let entry = self.entries.get_mut(place);
        let bytes = self.bytes.get_mut(at..at + packet.len().min(PACKET));
        let (Some(entry), Some(bytes)) = (entry, bytes) else {
            return;
        };
        // A packet that came late does not take the place of a newer one.
        if packet.len() > PACKET || entry.index > index + 1 {
            return;
        }
        bytes.copy_from_slice(packet);
        *entry = Entry {
            index: index + 1,
            len: packet.len() as u16,
            header_len: header_len as u16,
        };
    }

    /// Forgets all packets: the next ones are of another source.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }

    /// The packet with this incoming index, if it is still there.
    #[must_use]
    pub fn find(&self, index: u64) -> Option<Kept<'_>> {
        let place = self.place(index);
        let entry = self.entries.get(place)?;
        let at = place * PACKET;
        let packet = self.bytes.get(at..at + usize::from(entry.len))?;
        (entry.index == index + 1).then_some(Kept {
            packet,
            header_len: entry.header_len.into(),
        })
    }

    fn place(&self, index: u64) -> usize {
        (index % self.entries.len().max(1) as u64) as usize
    }
}

/// Under which numbers a packet left for one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// Low bits of the incoming index.
    pub incoming: u32,
    /// Low bits of the outgoing index.
    pub outgoing: u32,
    /// When it left, in microseconds, wrapping.
    pub sent: u32,
    /// The transport-wide sequence number, if one was stamped.
    pub transport_sequence: u16,
    /// The payload type as sent, and the highest bit if this record is in use.
    pub payload_type: u8,
    zero: u8,
}

const _: () = assert!(size_of::<Record>() == 16);

const USED: u8 = 0x80;

impl Record {
    /// A packet that left.
    #[inline]
    #[must_use]
    pub const fn new(
        incoming: u64,
        outgoing: u64,
        sent: u64,
        transport_sequence: u16,
        payload_type: u8,
    ) -> Self {
        Self {
            incoming: incoming as u32,
            outgoing: outgoing as u32,
            sent: (sent / 1000) as u32,
            transport_sequence,
            payload_type: payload_type | USED,
            zero: 0,
        }
    }
}

/// The records of one leg.
#[derive(Debug)]
pub struct Records {
    records: Box<[Record]>,
}

impl Records {
    /// Room for `packets` records, a power of two.
    #[must_use]
    pub fn new(packets: usize) -> Self {
        Self {
            records: vec![Record::default(); packets].into(),
        }
    }

    /// Asks the CPU for where the record of this index goes.
    #[inline]
    pub fn prefetch(&self, outgoing: u64) {
        let place = outgoing as usize & self.records.len().wrapping_sub(1);
        if let Some(record) = self.records.get(place) {
            prefetch(record);
        }
    }

    /// Keeps a record, in the place of an older one.
    #[inline]
    pub fn keep(&mut self, record: Record) {
        let place = record.outgoing as usize & self.records.len().wrapping_sub(1);
        if let Some(to) = self.records.get_mut(place) {
            *to = record;
        }
    }

    /// What left last under this sequence number, if it is still known.
    #[must_use]
    pub fn find(&self, sequence: u16) -> Option<Record> {
        let place = usize::from(sequence) & self.records.len().wrapping_sub(1);
        let record = *self.records.get(place)?;
        (record.payload_type & USED != 0 && record.outgoing as u16 == sequence).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_packets_are_there_and_older_ones_are_not() {
        let mut history = History::new(64);
        assert_eq!(history.find(0), None);
        let packet = |index: u64| vec![index as u8; 20 + (index % 7) as usize];
        for index in (0..1000).filter(|index| index % 10 != 3) {
            history.keep(index, &packet(index), 12);
        }
        for index in 936..1000 {
            let expected = packet(index);
            let found = history
                .find(index)
                .map(|kept| (kept.packet, kept.header_len));
            assert_eq!(
                found,
                (index % 10 != 3).then_some((&expected[..], 12)),
                "{index}"
            );
        }
        // The places of packets that never came keep what was there.
        for index in (0..936).filter(|index| (index + 64) % 10 != 3) {
            assert_eq!(history.find(index), None, "{index}");
        }
        history.keep(900, &packet(900), 12);
        assert_eq!(history.find(900), None, "late beyond what is kept");
        history.keep(1000, &[0; PACKET + 1], 12);
        assert_eq!(history.find(1000), None, "too long");
    }

    #[test]
    fn a_leg_knows_what_left_under_a_number() {
        let mut records = Records::new(AUDIO_PACKETS);
        for outgoing in 65_500..65_600_u64 {
            records.keep(Record::new(outgoing + 7, outgoing, 1_000, 9, 111));
        }
        assert_eq!(records.find(0).unwrap().incoming, 65_543);
        assert_eq!(records.find(63).unwrap().outgoing, 65_599);
        assert_eq!(records.find(64), None);
        assert_eq!(records.find(65_500), None, "too long ago");
        assert_eq!(Records::new(64).find(0), None);
    }
}
