//! Faulty copies of a client's own SRTP packets, sent from its own address before the true ones: what somebody on the way could do.

/// What is wrong with the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// One bit is flipped, in each copy in another byte: all bytes of the packet in turn.
    Tampered,
    /// The copy is cut off in the middle, and after the header.
    Truncated,
    /// The copy is the packet itself.
    Replayed,
    /// The sequence number is far ahead, as if to move the window (RFC 3711 §3.3.2).
    Ahead,
    /// The SSRC is one that nobody announced.
    Foreign,
}

/// Copies of a packet for [`Mischief::Tampered`]: more would be a flood.
const COPIES: usize = 8;

/// Bytes of the fixed RTP header.
const HEADER: usize = 12;

/// Whether a datagram is SRTP, and no RTCP, STUN or DTLS (RFC 7983, RFC 5761 §4).
#[must_use]
pub fn is_srtp(datagram: &[u8]) -> bool {
    datagram.len() > HEADER
        && matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

impl Mischief {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Tampered,
        Self::Truncated,
        Self::Replayed,
        Self::Ahead,
        Self::Foreign,
    ];

    /// The faulty copies of a datagram; none unless it is SRTP.
    #[must_use]
    pub fn copies(self, datagram: &[u8]) -> Vec<Vec<u8>> {
        if !is_srtp(datagram) {
            return Vec::new();
        }
        let changed = |at: usize, bits: u8| {
            let mut copy = datagram.to_vec();
            copy[at % datagram.len()] ^= bits;
            copy
        };
        let sequence = usize::from(u16::from_be_bytes([datagram[2], datagram[3]]));
        match self {
            // Over the packets of a stream every byte has its turn.
            Self::Tampered => (0..COPIES)
                .map(|n| changed(sequence * COPIES + n, 1 << n))
                .collect(),
            Self::Truncated => vec![
                datagram[..HEADER].to_vec(),
                datagram[..datagram.len() / 2].to_vec(),
                datagram[..datagram.len() - 1].to_vec(),
            ],
            Self::Replayed => vec![datagram.to_vec()],
            Self::Ahead => vec![changed(2, 0x40)],
            Self::Foreign => vec![changed(8, 0xff)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_srtp_is_copied_and_every_copy_but_a_replay_differs() {
        let mut packet = vec![0x90, 0x60, 0, 7];
        packet.extend([5; 40]);
        for mischief in Mischief::ALL {
            let copies = mischief.copies(&packet);
            assert!(!copies.is_empty());
            let same = copies.iter().all(|copy| *copy == packet);
            assert_eq!(same, mischief == Mischief::Replayed);
            assert!(mischief.copies(&[22; 60]).is_empty());
            assert!(mischief.copies(&[0x80, 200, 0, 0]).is_empty());
        }
    }
}
