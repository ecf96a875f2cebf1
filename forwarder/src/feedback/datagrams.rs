//! RTCP packets shared out among datagrams: a session with hundreds of m-lines has more to say at a time than a path takes in one.

/// The most that a datagram of SRTCP holds, in bytes: what every path of the Internet takes, tunnels included.
const MAX_DATAGRAM: usize = 1200;

/// What SRTCP adds at most: the index with its flag, and the tag of AEAD (RFC 7714 §9.1).
const SEALING: usize = 4 + 16;

/// The longest plain text of a datagram.
const LIMIT: usize = MAX_DATAGRAM - SEALING;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;

/// Splits RTCP packets, one after the other, into datagrams. Datagrams end where a report begins, so that each is a compound packet
/// by itself (RFC 3550 §6.1); only where what follows a report is too long for one is the rest without (RFC 5506).
pub fn datagrams(mut packets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (datagram, rest) = packets.split_at_checked(first(packets))?;
        packets = rest;
        (!datagram.is_empty()).then_some(datagram)
    })
}

/// How long the first datagram is.
fn first(packets: &[u8]) -> usize {
    let (mut end, mut report) = (0, 0);
    while let Some(&[_, kind, high, low]) = packets.get(end..).and_then(<[u8]>::first_chunk) {
        if matches!(kind, SENDER_REPORT | RECEIVER_REPORT) {
            report = end;
        }
        let next = end + 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        if next > packets.len() {
            break;
        }
        if next > LIMIT && end > 0 {
            return if report > 0 { report } else { end };
        }
        end = next;
    }
    // What is no packet at all stays as it is.
    if end == 0 { packets.len() } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{ReportBlock, append};

    fn blocks(count: u32) -> Vec<ReportBlock> {
        let block = |ssrc| ReportBlock {
            ssrc,
            ..ReportBlock::default()
        };
        (0..count).map(block).collect()
    }

    #[test]
    fn what_fits_is_one_datagram() {
        let mut packets = Vec::new();
        assert_eq!(datagrams(&packets).count(), 0);
        append::receiver_report(&mut packets, 1, &blocks(31));
        append::source_description(&mut packets, &[1], &"x".repeat(255));
        assert_eq!(datagrams(&packets).collect::<Vec<_>>(), [&packets[..]]);
    }

    #[test]
    fn datagrams_begin_with_reports_where_they_can() {
        let mut packets = Vec::new();
        for sender in 0..100 {
            append::receiver_report(&mut packets, sender, &blocks(sender % 32));
            append::source_description(&mut packets, &[sender], "somebody");
        }
        let all: Vec<_> = datagrams(&packets).collect();
        assert!(all.len() > 30 && all.len() < 60, "{}", all.len());
        for datagram in &all {
            assert!(datagram.len() <= LIMIT);
            assert_eq!(datagram[1], RECEIVER_REPORT);
            // The last packet is a source description.
            assert!(datagram.ends_with(b"somebody\0\0"));
        }
        assert_eq!(all.concat(), packets);
    }

    #[test]
    fn requests_without_a_report_are_split_too() {
        let mut packets = Vec::new();
        for media in 0..512 {
            append::picture_loss(&mut packets, 1, media);
        }
        let all: Vec<_> = datagrams(&packets).collect();
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|it| it.len() <= LIMIT && it.len() % 12 == 0));
        assert_eq!(all.concat(), packets);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_of_any_bytes(packets: Vec<u8>) {
            let all: Vec<_> = datagrams(&packets).collect();
            proptest::prop_assert_eq!(all.concat(), packets);
        }
    }
}
