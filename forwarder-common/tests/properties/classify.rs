//! All pairs of first bytes against the tables of RFC 7983 §7 and RFC 5761 §4.

use forwarder_common::{
    classify::{Kind, classify},
    reason::Reason,
};

/// What RFC 7983 §7 draws, written as it stands there.
const FIRST_BYTE: [(u8, u8, &str); 5] = [
    (0, 3, "STUN"),
    (16, 19, "ZRTP"),
    (20, 63, "DTLS"),
    (64, 79, "TURN Channel"),
    (128, 191, "RTP/RTCP"),
];

#[test]
fn all_pairs_of_bytes() {
    for first in 0..=u8::MAX {
        let protocol = FIRST_BYTE
            .iter()
            .find(|(from, to, _)| (*from..=*to).contains(&first))
            .map(|(_, _, name)| *name);
        for second in 0..=u8::MAX {
            let expected = match protocol {
                Some("STUN") => Ok(Kind::Stun),
                Some("DTLS") => Ok(Kind::Dtls),
                Some("RTP/RTCP") => rtp_or_rtcp(second),
                _ => Err(Reason::NotMedia),
            };
            assert_eq!(classify(first, second), expected, "{first} {second}");
        }
    }
}

/// RFC 5761 §4: RTCP packet types are 192-223; payload types 64-95 with the marker set look like them, so they are
/// refused with and without.
fn rtp_or_rtcp(second: u8) -> Result<Kind, Reason> {
    let payload_type = second & 0x7f;
    match (second >= 128, (64..=95).contains(&payload_type)) {
        (true, true) => Ok(Kind::Rtcp),
        (false, true) => Err(Reason::RefusedPayloadType),
        (_, false) => Ok(Kind::Rtp),
    }
}
