//! What arrives at a client's socket, judged before any of it is decrypted: header fields that SRTP leaves in the clear
//! (RFC 3711 §3.1). A packet that a client's library would absorb in silence, being a duplicate or late, is seen here.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

/// Datagrams of one client, by kind and by SSRC.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    /// Datagrams of STUN.
    pub stun: u64,
    /// Datagrams of DTLS.
    pub dtls: u64,
    /// Datagrams of SRTCP.
    pub rtcp: u64,
    /// Datagrams that are none of these.
    pub other: u64,
    /// SRTP by SSRC.
    pub streams: BTreeMap<u32, WireStream>,
}

/// SRTP packets of one SSRC.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WireStream {
    /// Packets, duplicates included.
    pub packets: u64,
    /// Bytes of UDP payload.
    pub bytes: u64,
    /// Packets whose sequence number had come before.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Payload type of the last packet.
    pub payload_type: u8,
    /// RTP time of the last packet.
    pub timestamp: u32,
    /// When the last packet came.
    #[serde(skip)]
    pub arrived: Option<Instant>,
    /// Extended sequence number of the first packet, counted from 2^16.
    #[serde(skip)]
    pub first: u64,
    /// The highest one.
    #[serde(skip)]
    pub highest: u64,
    /// The lowest one: lower than the first where the first packets came out of order.
    #[serde(skip)]
    lowest: u64,
    #[serde(skip)]
    seen: BTreeMap<u64, u64>,
    #[serde(skip)]
    distinct: u64,
}

impl Wire {
    /// Counts a datagram, told apart as RFC 7983 and RFC 5761 say.
    pub fn note(&mut self, datagram: &[u8]) {
        match datagram {
            [0..=3, ..] => self.stun += 1,
            [20..=63, ..] => self.dtls += 1,
            [128..=191, 192..=223, ..] => self.rtcp += 1,
            [128..=191, kind, high, low, t, u, v, w, a, b, c, d, ..] => {
                let stream = self
                    .streams
                    .entry(u32::from_be_bytes([*a, *b, *c, *d]))
                    .or_default();
                stream.payload_type = kind & 0x7f;
                stream.timestamp = u32::from_be_bytes([*t, *u, *v, *w]);
                stream.arrived = Some(Instant::now());
                stream.note(u16::from_be_bytes([*high, *low]), datagram.len());
            }
            _ => self.other += 1,
        }
    }
}

impl WireStream {
    fn note(&mut self, sequence: u16, bytes: usize) {
        // Bits of 64 packets to a word.
        const WORD: u64 = 64;
        let extended = if self.packets == 0 {
            let first = (1 << 16) | u64::from(sequence);
            (self.first, self.highest, self.lowest) = (first, first, first);
            first
        } else {
            let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
            self.highest.saturating_add_signed(i64::from(ahead))
        };
        self.packets += 1;
        self.bytes += bytes as u64;
        let word = self.seen.entry(extended / WORD).or_default();
        let bit = 1 << (extended % WORD);
        if *word & bit != 0 {
            self.duplicates += 1;
            return;
        }
        *word |= bit;
        self.distinct += 1;
        if extended < self.highest {
            self.reordered += 1;
        }
        self.highest = self.highest.max(extended);
        self.lowest = self.lowest.min(extended);
    }

    /// Sequence numbers between the first and the last that never came.
    #[must_use]
    pub fn lost(&self) -> u64 {
        if self.packets == 0 {
            0
        } else {
            self.highest - self.lowest + 1 - self.distinct
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(sequences: impl IntoIterator<Item = u16>) -> WireStream {
        let mut wire = Wire::default();
        for sequence in sequences {
            let mut packet = [0x80, 0xe0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
            packet[2..4].copy_from_slice(&sequence.to_be_bytes());
            wire.note(&packet);
        }
        wire.streams[&0x0102_0304].clone()
    }

    #[test]
    fn losses_duplicates_and_late_packets_are_told_apart_across_the_wrap() {
        let whole = stream((0..1000u16).map(|n| 65_000u16.wrapping_add(n)));
        assert_eq!((whole.packets, whole.lost()), (1000, 0));
        assert_eq!((whole.duplicates, whole.reordered), (0, 0));
        let torn = stream([65_534, 65_535, 1, 0, 0, 3]);
        assert_eq!((torn.lost(), torn.duplicates, torn.reordered), (1, 1, 1));
        let early = stream([0, 65_535]);
        assert_eq!((early.lost(), early.reordered), (0, 1));
        assert_eq!(whole.payload_type, 96);
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        let mut wire = Wire::default();
        for datagram in [&[0, 1][..], &[22, 254], &[0x81, 201], &[64], &[]] {
            wire.note(datagram);
        }
        assert_eq!((wire.stun, wire.dtls, wire.rtcp, wire.other), (1, 1, 1, 2));
        assert!(wire.streams.is_empty());
    }
}
