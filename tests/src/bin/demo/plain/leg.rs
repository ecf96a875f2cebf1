//! One stream on its way to one receiver that checks: what every packet of it must look like, and which came.

use forwarder_tests::model::{Mode, NewSubscription};
use forwarder_tests::tally::Tally;

use super::media::{self, Kind, Number, Publication};
use super::reference::{HEADER, Sent};

/// What the forwarder is told to write into a clear stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// Synchronisation source.
    pub ssrc: u32,
    /// Payload type.
    pub payload_type: u8,
    /// Added to sequence numbers.
    pub sequence_offset: u16,
    /// Added to timestamps.
    pub timestamp_offset: u32,
}

impl Rewrite {
    /// A rewrite that no other receiver has: numbered over all receivers.
    pub fn of(receiver: usize, kind: Kind) -> Self {
        let (n, half) = (receiver as u32, u32::from(kind == Kind::Audio));
        Self {
            ssrc: 0x5000_0000 + 2 * n + half,
            payload_type: 100 + 10 * half as u8 + (n % 10) as u8,
            sequence_offset: (n.wrapping_mul(7_919) + 13) as u16,
            timestamp_offset: n.wrapping_mul(0x0123_4567).wrapping_add(90_001),
        }
    }

    /// The subscription that asks for it.
    pub fn ask(rewrite: Option<Self>, publication: &str, endpoint: &str) -> NewSubscription {
        let mut new = NewSubscription {
            publication: publication.to_owned(),
            endpoint: endpoint.to_owned(),
            ..NewSubscription::default()
        };
        if let Some(rewrite) = rewrite {
            new.ssrcs = Some(vec![rewrite.ssrc]);
            new.payload_type = Some(rewrite.payload_type);
            new.sequence_offset = Some(rewrite.sequence_offset);
            new.timestamp_offset = Some(rewrite.timestamp_offset);
        }
        new
    }
}

/// A stream that a receiver gets.
pub struct Leg {
    /// Which publication it is of.
    pub publication: Number,
    /// Under which synchronisation source it arrives.
    pub ssrc: u32,
    /// What differs from what left the publisher; `None` for SRTP, where nothing does.
    pub rewrite: Option<Rewrite>,
    /// What came.
    pub tally: Tally,
}

impl Leg {
    /// The two streams of receiver `n`, pictures and sound.
    pub fn both(n: usize, publications: &[Publication; media::COUNT]) -> [Self; 2] {
        media::of_mode(mode_of(n)).map(|number| {
            let publication = &publications[number];
            let rewrite = rewrite_of(n, publication);
            Self {
                publication: number,
                ssrc: rewrite.map_or(publication.ssrc, |rewrite| rewrite.ssrc),
                rewrite,
                tally: Tally::default(),
            }
        })
    }

    /// The sequence number that the publisher gave this packet.
    pub fn sent_sequence(&self, packet: &[u8]) -> u16 {
        let offset = self.rewrite.map_or(0, |rewrite| rewrite.sequence_offset);
        u16::from_be_bytes([packet[2], packet[3]]).wrapping_sub(offset)
    }

    /// Compares a packet with the one that it is a replica of, every bit of it.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn compare(&self, packet: &[u8], sent: &Sent) -> Result<(), &'static str> {
        let original = sent.packet();
        let Some(rewrite) = self.rewrite else {
            return (packet == original)
                .then_some(())
                .ok_or("differs from what left the publisher");
        };
        if packet.len() != original.len() || packet[HEADER..] != original[HEADER..] {
            return Err("another payload than left the publisher");
        }
        let timestamp =
            |packet: &[u8]| u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        if packet[0] != original[0] {
            Err("another first byte than left the publisher")
        } else if packet[1] != original[1] & 0x80 | rewrite.payload_type {
            Err("wrong payload type or marker")
        } else if timestamp(packet) != timestamp(original).wrapping_add(rewrite.timestamp_offset) {
            Err("wrong timestamp")
        } else {
            // Sequence number and SSRC led here.
            Ok(())
        }
    }

    /// How many of the first `sent` packets have not come, provided they come in order; exact once all have had the time to.
    pub fn missing(&self, sent: u64) -> u64 {
        let up_to = self.tally.last.map_or(sent, |last| sent.max(last + 1));
        up_to.saturating_sub(self.tally.packets)
    }
}

/// Whether checking receiver `n` gets SRTP or clear RTP.
pub fn mode_of(n: usize) -> Mode {
    if n.is_multiple_of(2) {
        Mode::Opaque
    } else {
        Mode::Clear
    }
}

/// What receiver `n` asks the forwarder to write.
pub fn rewrite_of(n: usize, publication: &Publication) -> Option<Rewrite> {
    (publication.mode == Mode::Clear).then(|| Rewrite::of(n, publication.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Codec;
    use super::super::reference::Stream;

    #[test]
    fn replicas_are_recognised_and_damage_is_seen() {
        let publications = media::all(Codec::Vp8);
        let original: Vec<u8> = (0..40).map(|n| if n == 0 { 0x80 } else { n }).collect();
        let mut stream = Stream::default();
        stream.note(&original, 1);
        let opaque = &Leg::both(0, &publications)[0];
        let sent = stream.find(opaque.sent_sequence(&original)).unwrap();
        assert_eq!(opaque.compare(&original, sent), Ok(()));

        let clear = &Leg::both(1, &publications)[0];
        let rewrite = clear.rewrite.unwrap();
        let mut replica = original.clone();
        replica[1] = original[1] & 0x80 | rewrite.payload_type;
        let sequence = 0x0203u16.wrapping_add(rewrite.sequence_offset);
        replica[2..4].copy_from_slice(&sequence.to_be_bytes());
        let timestamp = 0x0405_0607u32.wrapping_add(rewrite.timestamp_offset);
        replica[4..8].copy_from_slice(&timestamp.to_be_bytes());
        replica[8..12].copy_from_slice(&rewrite.ssrc.to_be_bytes());
        let sent = stream.find(clear.sent_sequence(&replica)).unwrap();
        assert_eq!(clear.compare(&replica, sent), Ok(()));
        assert!(opaque.compare(&replica, sent).is_err());
        for byte in [0, 1, 4, 7, 12, 39] {
            let mut damaged = replica.clone();
            damaged[byte] ^= 0x10;
            assert!(clear.compare(&damaged, sent).is_err(), "byte {byte}");
        }
        assert!(clear.compare(&replica[..39], sent).is_err());
    }

    #[test]
    fn missing_packets_are_counted_before_and_after_the_last() {
        let mut leg = Leg::both(1, &media::all(Codec::Vp8))
            .into_iter()
            .next()
            .unwrap();
        assert_eq!(leg.missing(7), 7);
        for index in [0, 1, 3] {
            leg.tally.note(index, 0);
        }
        assert_eq!((leg.missing(0), leg.missing(4), leg.missing(6)), (1, 1, 3));
    }
}
