//! The packets of a publisher, as browsers send them: with the header extensions MID, abs-send-time and transport-cc, and sealed.
//!
//! A payload of so many bytes is RTP payload, all of which is encrypted. The UDP payload is longer by [`HEADER_LEN`] bytes
//! of header in front and the suite's tag behind.

use anyhow::{Context, Result};
use arrayvec::ArrayVec;
use forwarder::media::{Extension, ExtensionIds, Kind, Profile};
use forwarder::srtp::{SendKeys, Suite};
use forwarder_tests::frame::Frame;
use forwarder_tests::{Family, Leaf};

use crate::subscribers::{LOCAL_PORT, PAYLOAD_TYPE};

/// Ethernet, IPv4 and UDP.
pub const FRAME_HEADERS: usize = 14 + 20 + 8;
/// The fixed RTP header, and 12 bytes of extension elements with their own header of 4.
pub const HEADER_LEN: usize = 12 + 4 + 12;
/// The MID of every m-line.
const MID: [u8; 1] = *b"0";
const ELEMENTS: [(Extension, u8, &[u8]); 3] = [
    (Extension::Mid, 4, &MID),
    (Extension::AbsSendTime, 2, &[0; 3]),
    (Extension::TransportCc, 3, &[0; 2]),
];

/// The identifiers of the extensions, those of a browser.
///
/// # Errors
/// Never: they are distinct.
pub fn extension_ids() -> Result<ExtensionIds> {
    let mut ids = ExtensionIds::new();
    for (extension, id, _) in ELEMENTS {
        ids.insert(id, extension)?;
    }
    Ok(ids)
}

/// What the headers of a subscriber look like: as those of a publisher.
///
/// # Errors
/// As [`extension_ids`].
pub fn profile() -> Result<Profile> {
    Ok(Profile {
        ids: extension_ids()?,
        mid: Some(mid()?),
        kind: Kind::Video,
    })
}

/// The MID.
///
/// # Errors
/// Never: it is short.
pub fn mid() -> Result<ArrayVec<u8, 16>> {
    MID.as_slice().try_into().context("the MID is too long")
}

/// Bytes of UDP payload.
pub fn udp_payload(payload: u32, suite: Suite) -> usize {
    HEADER_LEN + payload as usize + suite.tag_len()
}

/// The plain header of a packet.
pub fn header(ssrc: u32, index: u64) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let mut bytes = vec![0x90, PAYLOAD_TYPE];
    bytes.extend_from_slice(&(index as u16).to_be_bytes());
    // 30 pictures a second, ten packets each.
    bytes.extend_from_slice(&(index as u32 / 10).wrapping_mul(3000).to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    // One-byte form (RFC 8285 §4.2), three words.
    bytes.extend_from_slice(&[0xbe, 0xde, 0, 3]);
    for (_, id, data) in ELEMENTS {
        bytes.push(id << 4 | (data.len() as u8 - 1));
        bytes.extend_from_slice(data);
    }
    for (to, from) in header.iter_mut().zip(bytes) {
        *to = from;
    }
    header
}

/// RTP payload: the start of a VP8 packet in the middle of a picture that is no keyframe (RFC 7741 §4.2), and anything.
pub fn payload(len: u32) -> Vec<u8> {
    (0..len)
        .map(|at| if at == 0 { 0 } else { at as u8 | 1 })
        .collect()
}

/// How the payload of a VP8 keyframe begins: descriptor, frame tag, start code (RFC 7741 §4.2 and §4.3, RFC 6386 §9.1).
const KEYFRAME: [u8; 7] = [0x10, 0x10, 2, 0, 0x9d, 1, 0x2a];

/// Makes frames of one stream.
pub struct Source {
    frame: Vec<u8>,
    ssrc: u32,
    /// Packet index of the next one.
    index: u64,
}

impl Source {
    /// A stream from a publisher's port to the media port.
    pub fn new(publisher: &Leaf, port: u16, ssrc: u32) -> Self {
        let frame = Frame::udp(
            publisher.mac,
            publisher.fwd_mac,
            publisher.socket(Family::V4, port),
            publisher.fwd_socket(Family::V4, LOCAL_PORT),
            &[],
        );
        Self {
            frame: frame.without_checksum().build(),
            ssrc,
            index: 0,
        }
    }

    /// The next packet's frame, with `len` bytes of RTP payload.
    ///
    /// # Errors
    /// The keys'.
    pub fn next(&mut self, keys: &SendKeys, payload: &[u8]) -> Result<Vec<u8>> {
        let plain = HEADER_LEN + payload.len();
        let udp = plain + keys.suite().tag_len();
        let mut frame = self.frame.get(..FRAME_HEADERS).context("headers")?.to_vec();
        set_lengths(&mut frame, udp);
        frame.extend_from_slice(&header(self.ssrc, self.index));
        frame.extend_from_slice(payload);
        frame.resize(FRAME_HEADERS + udp, 0);
        let packet = frame.get_mut(FRAME_HEADERS..).context("a packet")?;
        if self.index == 0 {
            // Legs begin with a keyframe.
            for (to, from) in packet.iter_mut().skip(HEADER_LEN).zip(KEYFRAME) {
                *to = from;
            }
        }
        keys.seal(packet, HEADER_LEN, plain, self.index)?;
        self.index += 1;
        Ok(frame)
    }
}

/// Writes IPv4's and UDP's lengths, and IPv4's checksum (RFC 1071).
fn set_lengths(frame: &mut [u8], udp_payload: usize) {
    let [ip, udp] = [28, 8].map(|headers| ((headers + udp_payload) as u16).to_be_bytes());
    frame[16..18].copy_from_slice(&ip);
    frame[38..40].copy_from_slice(&udp);
    frame[24..26].fill(0);
    let sum: u32 = frame[14..34]
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use forwarder::media::{Codec, is_keyframe_start, parse};

    #[test]
    fn the_header_is_read_as_it_is_meant() {
        let mut packet = header(7, 65_537).to_vec();
        packet.extend(payload(160));
        let parsed = parse(&packet, &extension_ids().unwrap()).unwrap();
        assert_eq!((parsed.ssrc, parsed.sequence), (7, 1));
        assert_eq!(parsed.header_len, HEADER_LEN);
        assert_eq!(parsed.elements.len(), ELEMENTS.len());
        assert!(!is_keyframe_start(Codec::Vp8, &payload(160)));
        assert!(is_keyframe_start(
            Codec::Vp8,
            &[&KEYFRAME[..], &payload(160)].concat()
        ));
    }
}
