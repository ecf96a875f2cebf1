//! RTP packets whose every byte is known beforehand: a [`Stream`] says what packet `index` looks like, so a receiver can say
//! of each packet which one it is and whether a bit of it changed.
//!
//! The payload carries the stream's number, the index and the time of sending, then a pattern that follows from the first two,
//! to its very end. Payloads too short for that carry a fixed pattern, and the RTP header tells the index.
//!
//! [`Stream::rewritten`] is the naive model of what the forwarder does to a clear stream; an opaque one stays as it is.

use std::fmt;
use std::sync::OnceLock;

/// RTP's fixed header, RFC 3550 §5.1, bytes.
pub const HEADER: usize = 12;

/// Shortest RTP payload that carries index and time: magic, length, stream, index, time, check.
pub const BODY: usize = 32;

const MAGIC: u16 = 0xf0d1;

/// A stream of RTP packets, each of them a function of its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Number of the stream, carried inside the payload where no forwarder changes it.
    pub id: u32,
    /// Synchronisation source in the header.
    pub ssrc: u32,
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Sequence number of packet 0.
    pub first_sequence: u16,
    /// Timestamp of packet 0.
    pub first_timestamp: u32,
    /// What the timestamp grows by per packet.
    pub timestamp_step: u32,
    /// Length of the RTP payload, bytes.
    pub payload_len: usize,
    /// 32-bit words of a header extension (RFC 8285, one-byte form), 0 for none.
    pub extension_words: u8,
    /// Every how many packets the marker bit is set; 0 for never.
    pub marker_every: u64,
}

/// What a subscription changes in a clear stream; `Default` changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Another synchronisation source.
    pub ssrc: Option<u32>,
    /// Another payload type.
    pub payload_type: Option<u8>,
    /// Added to the sequence number, modulo 2^16.
    pub sequence_offset: u16,
    /// Added to the timestamp, modulo 2^32.
    pub timestamp_offset: u32,
}

/// A packet of the stream that arrived whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which packet of the stream it is. For payloads shorter than [`BODY`], as far as the timestamp goes without a wrap
    /// (over a million packets of a 30 Hz stream).
    pub index: u64,
    /// When it was sent, CLOCK_MONOTONIC nanoseconds; `None` for payloads shorter than [`BODY`].
    pub sent_ns: Option<u64>,
}

/// What is wrong with a packet, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl Stream {
    /// A video-like stream: payload type 96, a 90 kHz clock at 30 packets a second, 1,200 bytes of payload, no extension. Its
    /// sequence starts shortly before the wrap, as does its timestamp.
    #[must_use]
    pub fn new(id: u32, ssrc: u32) -> Self {
        Self {
            id,
            ssrc,
            payload_type: 96,
            first_sequence: 65_500,
            first_timestamp: u32::MAX - 30_000,
            timestamp_step: 3_000,
            payload_len: 1200,
            extension_words: 0,
            marker_every: 8,
        }
    }

    /// The same with another payload length, bytes.
    #[must_use]
    pub fn with_payload(mut self, bytes: usize) -> Self {
        self.payload_len = bytes;
        self
    }

    /// The stream as a subscriber of it must see it.
    #[must_use]
    pub fn rewritten(mut self, rewrite: Rewrite) -> Self {
        self.ssrc = rewrite.ssrc.unwrap_or(self.ssrc);
        self.payload_type = rewrite.payload_type.unwrap_or(self.payload_type);
        self.first_sequence = self.first_sequence.wrapping_add(rewrite.sequence_offset);
        self.first_timestamp = self.first_timestamp.wrapping_add(rewrite.timestamp_offset);
        self
    }

    /// Length of the stream's packets, RTP header included, bytes.
    #[must_use]
    pub fn packet_len(&self) -> usize {
        self.header_len() + self.payload_len
    }

    /// Packet `index`, stamped with the time.
    #[must_use]
    pub fn packet(&self, index: u64) -> Vec<u8> {
        let mut packet = Vec::with_capacity(self.packet_len());
        self.write(index, now_ns(), &mut packet);
        packet
    }

    /// Writes packet `index`, said to be sent at `sent_ns`, to the end of `out`.
    pub fn write(&self, index: u64, sent_ns: u64, out: &mut Vec<u8>) {
        self.write_header(index, out);
        let length = self.payload_len;
        if length < BODY {
            out.extend_from_slice(&short()[..length]);
            return;
        }
        out.extend_from_slice(&MAGIC.to_be_bytes());
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&index.to_be_bytes());
        out.extend_from_slice(&sent_ns.to_be_bytes());
        out.extend_from_slice(&mix(self.id, index, sent_ns).to_be_bytes());
        out.extend_from_slice(pattern(self.id, index, length - BODY));
    }

    /// Verifies that `packet` is one of this stream, whole: every header field and every byte of the payload.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn check(&self, packet: &[u8]) -> Result<Arrival, Fault> {
        let fault = |what: String| Err(Fault(what));
        let header = self.header_len();
        if packet.len() < header {
            return fault(format!(
                "{} bytes, the header alone has {header}",
                packet.len()
            ));
        }
        let (head, payload) = packet.split_at(header);
        let arrival = if payload.len() < BODY {
            if payload != &short()[..payload.len()] {
                return fault(format!("short payload {payload:02x?}"));
            }
            Arrival {
                index: self.index_by_header(head),
                sent_ns: None,
            }
        } else {
            self.check_body(payload)?
        };
        if payload.len() != self.payload_len {
            return fault(format!(
                "packet {}: {} bytes of payload, {} were sent",
                arrival.index,
                payload.len(),
                self.payload_len
            ));
        }
        let mut right = Vec::with_capacity(header);
        self.write_header(arrival.index, &mut right);
        if head != right {
            return fault(format!(
                "packet {}: header {head:02x?}, right is {right:02x?}",
                arrival.index
            ));
        }
        Ok(arrival)
    }

    fn check_body(&self, payload: &[u8]) -> Result<Arrival, Fault> {
        let fault = |what: String| Err(Fault(what));
        let number = |at: usize, n: usize| {
            payload[at..at + n]
                .iter()
                .fold(0u64, |all, byte| all << 8 | u64::from(*byte))
        };
        if number(0, 2) != u64::from(MAGIC) {
            return fault(format!("payload starts {:02x?}", &payload[..4]));
        }
        let (length, id, index, sent_ns) =
            (number(2, 2), number(4, 4), number(8, 8), number(16, 8));
        if id != u64::from(self.id) {
            return fault(format!(
                "a packet of stream {id} where one of {} belongs",
                self.id
            ));
        }
        if length != payload.len() as u64 {
            return fault(format!(
                "packet {index}: {} bytes of payload, {length} were sent",
                payload.len()
            ));
        }
        if number(24, 8) != mix(self.id, index, sent_ns) {
            return fault(format!(
                "packet {index}: stream, index or time do not match their check"
            ));
        }
        if &payload[BODY..] != pattern(self.id, index, payload.len() - BODY) {
            return fault(format!("packet {index}: the payload's pattern is damaged"));
        }
        Ok(Arrival {
            index,
            sent_ns: Some(sent_ns),
        })
    }

    /// The index of a packet whose payload does not say: the timestamp tells, being longer than the sequence number. A header
    /// that belongs to no packet leads to an index whose header is another one.
    fn index_by_header(&self, head: &[u8]) -> u64 {
        let timestamp = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let sequence = u16::from_be_bytes([head[2], head[3]]);
        match timestamp
            .wrapping_sub(self.first_timestamp)
            .checked_div(self.timestamp_step)
        {
            Some(index) => index.into(),
            None => sequence.wrapping_sub(self.first_sequence).into(),
        }
    }

    fn header_len(&self) -> usize {
        HEADER
            + if self.extension_words > 0 {
                4 + 4 * usize::from(self.extension_words)
            } else {
                0
            }
    }

    fn write_header(&self, index: u64, out: &mut Vec<u8>) {
        let marker = self.marker_every > 0 && index % self.marker_every == self.marker_every - 1;
        out.push(0x80 | if self.extension_words > 0 { 0x10 } else { 0 });
        out.push(self.payload_type & 0x7f | u8::from(marker) << 7);
        out.extend_from_slice(&self.first_sequence.wrapping_add(index as u16).to_be_bytes());
        let timestamp = self
            .first_timestamp
            .wrapping_add(self.timestamp_step.wrapping_mul(index as u32));
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        if self.extension_words > 0 {
            out.extend_from_slice(&0xbede_u16.to_be_bytes());
            out.extend_from_slice(&u16::from(self.extension_words).to_be_bytes());
            // Padding elements (id 0) are zero bytes; ours are none, so that a changed byte shows.
            out.extend((0..4 * self.extension_words).map(|n| n ^ 0x5a));
        }
    }
}

/// The synchronisation source of a packet, if it is long enough to have one.
#[must_use]
pub fn ssrc_of(packet: &[u8]) -> Option<u32> {
    packet
        .get(8..12)
        .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// CLOCK_MONOTONIC, nanoseconds: one clock for all namespaces of the machine.
#[must_use]
pub fn now_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .expect("the kernel has a monotonic clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// A table of noise; a payload's pattern is a window into it, so that writing is a copy and checking a comparison of memory, fast in debug builds too.
fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        (0..1u64 << 15)
            .flat_map(|n| spread(n).to_be_bytes())
            .collect()
    })
}

fn pattern(id: u32, index: u64, length: usize) -> &'static [u8] {
    let room = noise().len() - length;
    let at = mix(id, index, 0) as usize % room;
    &noise()[at..at + length]
}

fn short() -> &'static [u8] {
    &noise()[..BODY]
}

fn mix(id: u32, index: u64, sent_ns: u64) -> u64 {
    spread(spread(spread(id.into()) ^ index) ^ sent_ns)
}

/// A bijection of 64-bit numbers in which every bit of the result depends on every bit of the argument: two rounds of multiply
/// and fold.
fn spread(n: u64) -> u64 {
    let folded = (n ^ 0x6c62_272e_07bb_0142).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let again = (folded ^ folded >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    again ^ again >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_every_length_are_recognised() {
        for length in (0..80).chain([1200, 1452]) {
            let stream = Stream {
                extension_words: (length % 3) as u8,
                ..Stream::new(7, 0x1234).with_payload(length)
            };
            for index in [0, 1, 35, 36, 70_000] {
                let packet = stream.packet(index);
                assert_eq!(packet.len(), stream.packet_len());
                let arrival = stream.check(&packet).unwrap();
                assert_eq!(
                    (arrival.index, arrival.sent_ns.is_some()),
                    (index, length >= BODY)
                );
            }
        }
    }

    #[test]
    fn every_changed_bit_is_seen() {
        for length in [0, 5, 31, 32, 100] {
            let stream = Stream {
                extension_words: 2,
                ..Stream::new(7, 0x1234).with_payload(length)
            };
            let packet = stream.packet(3);
            for bit in 0..packet.len() * 8 {
                let mut bent = packet.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                assert!(stream.check(&bent).is_err(), "length {length}, bit {bit}");
            }
            for end in 0..packet.len() {
                assert!(
                    stream.check(&packet[..end]).is_err(),
                    "length {length}, cut at {end}"
                );
            }
        }
    }

    #[test]
    fn a_rewritten_stream_is_another_one() {
        let stream = Stream::new(7, 0x1234);
        let rewrite = Rewrite {
            ssrc: Some(9),
            payload_type: Some(100),
            sequence_offset: 65_535,
            timestamp_offset: 1 << 31,
        };
        let seen = stream.rewritten(rewrite);
        let mut packet = stream.packet(40);
        assert!(seen.check(&packet).is_err());
        packet[1] = packet[1] & 0x80 | 100;
        packet[2..4].copy_from_slice(&(65_500u16.wrapping_add(40).wrapping_sub(1)).to_be_bytes());
        let timestamp = (u32::MAX - 30_000)
            .wrapping_add(40 * 3_000)
            .wrapping_add(1 << 31);
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&9u32.to_be_bytes());
        assert_eq!(seen.check(&packet).unwrap().index, 40);
    }
}
