//! What left the publisher, packet by packet: the measure for what arrives.

use super::media::{self, Number};

/// Packets of a stream that are kept to compare with: 30 s of the demo's video, where replicas come within milliseconds.
const KEPT: usize = 4096;

/// Longest RTP packet that is compared. ffmpeg is told to make them shorter.
const LONGEST: usize = 1500;

/// RTP's fixed header, RFC 3550 §5.1, bytes.
pub const HEADER: usize = 12;

/// A packet as it left the publisher.
pub struct Sent {
    /// Which packet of the stream it is, from 0.
    pub index: u64,
    /// When it left, CLOCK_REALTIME nanoseconds.
    pub left_ns: u64,
    length: usize,
    bytes: [u8; LONGEST],
}

impl Sent {
    /// The RTP packet.
    pub fn packet(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// What was sent of one publication.
#[derive(Default)]
pub struct Stream {
    kept: Vec<Sent>,
    next_sequence: u16,
    /// Packets that left.
    pub packets: u64,
    /// Bytes of RTP that left.
    pub bytes: u64,
    /// Packets with the marker bit: the frames of a video.
    pub markers: u64,
    /// Packets out of sequence, or too long to keep. There must be none: who makes up the stream numbers it in order.
    pub irregular: u64,
}

impl Stream {
    /// Notes the next packet of the stream.
    pub fn note(&mut self, packet: &[u8], left_ns: u64) {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        if packet.len() > LONGEST || (self.packets > 0 && sequence != self.next_sequence) {
            self.irregular += 1;
            return;
        }
        let slot = (self.packets % KEPT as u64) as usize;
        if slot == self.kept.len() {
            self.kept.push(Sent {
                index: 0,
                left_ns: 0,
                length: 0,
                bytes: [0; LONGEST],
            });
        }
        let sent = &mut self.kept[slot];
        sent.index = self.packets;
        sent.left_ns = left_ns;
        sent.length = packet.len();
        sent.bytes[..packet.len()].copy_from_slice(packet);
        self.next_sequence = sequence.wrapping_add(1);
        self.packets += 1;
        self.bytes += packet.len() as u64;
        self.markers += u64::from(packet[1] >> 7);
    }

    /// The newest packet that had this sequence number, if it is kept.
    pub fn find(&self, sequence: u16) -> Option<&Sent> {
        let back = u64::from(self.next_sequence.wrapping_sub(1).wrapping_sub(sequence));
        let index = self.packets.checked_sub(1)?.checked_sub(back)?;
        self.kept
            .get((index % KEPT as u64) as usize)
            .filter(|sent| sent.index == index)
    }
}

/// What was sent of all publications.
#[derive(Default)]
pub struct Reference {
    /// By number of the publication.
    pub streams: [Stream; media::COUNT],
}

impl Reference {
    /// The packets that left, of each publication.
    pub fn counts(&self) -> [u64; media::COUNT] {
        self.streams.each_ref().map(|stream| stream.packets)
    }

    /// One publication.
    pub fn stream(&self, number: Number) -> &Stream {
        &self.streams[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16) -> [u8; HEADER] {
        let [high, low] = sequence.to_be_bytes();
        [0x80, 0x80, high, low, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    #[test]
    fn packets_are_found_across_the_wrap_while_they_are_kept() {
        let mut stream = Stream::default();
        assert!(stream.find(0).is_none());
        for n in 0..70_000u64 {
            stream.note(&packet((65_000 + n) as u16), n);
        }
        let index = |sequence: u16| stream.find(sequence).map(|sent| sent.index);
        let last = (65_000u64 + 69_999) as u16;
        assert_eq!(index(last), Some(69_999));
        assert_eq!(index(last.wrapping_sub(4_095)), Some(69_999 - 4_095));
        assert_eq!(index(last.wrapping_sub(4_096)), None);
        assert_eq!(index(last.wrapping_add(1)), None);
        assert_eq!((stream.markers, stream.irregular), (70_000, 0));
        stream.note(&packet(last.wrapping_add(2)), 0);
        assert_eq!((stream.packets, stream.irregular), (70_000, 1));
    }
}
