//! An RTP header as it arrives (RFC 3550 §5.1 and §5.3.1), read once per packet.

use std::ops::Range;

use arrayvec::ArrayVec;
use forwarder_common::wire::{
    extension::{Elements, Form, HEADER_LEN},
    rtp,
};

use super::{Extension, ExtensionIds};

/// The most extension elements that are kept of a packet: each extension once, and there are fewer.
pub const MAX_ELEMENTS: usize = 16;

/// What a packet's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The marker bit.
    pub marker: bool,
    /// The 7-bit payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The RTP timestamp, in units of the stream's clock rate.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Bytes of the header with contributing sources and extension: what SRTP leaves clear.
    pub header_len: usize,
    /// Where the payload is; it means something only after [`Self::unpad`].
    pub payload: Range<usize>,
    /// Bytes of padding after the payload, its count included; 0 until [`Self::unpad`].
    pub padding: u8,
    /// The negotiated extensions that the packet carries, each once, and where their data is in the packet.
    pub elements: ArrayVec<(Extension, Range<u16>), MAX_ELEMENTS>,
    has_padding: bool,
}

/// Reads the header of a packet, which may still be encrypted: nothing after the header is looked at. `None` if it is
/// not of RTP's version 2 or is cut short. Extension elements that `ids` does not know, that come a second time, or
/// that run past the end of their block are left out.
#[inline]
#[must_use]
pub fn parse(packet: &[u8], ids: &ExtensionIds) -> Option<Parsed> {
    let bytes = packet.first_chunk::<{ rtp::LEN }>()?;
    let [first, second, ..] = *bytes;
    if first >> 6 != 2 {
        return None;
    }
    let fixed = rtp::Header::from_bytes(*bytes);
    let mut parsed = Parsed {
        marker: second & 0x80 != 0,
        payload_type: fixed.payload_type(),
        sequence: fixed.sequence(),
        timestamp: fixed.timestamp(),
        ssrc: fixed.ssrc(),
        header_len: rtp::LEN + 4 * fixed.csrc_count(),
        payload: 0..packet.len(),
        padding: 0,
        elements: ArrayVec::new(),
        has_padding: first & 0x20 != 0,
    };
    if fixed.has_extension() {
        parsed.read_extension(packet, ids)?;
    }
    if parsed.header_len > packet.len() {
        return None;
    }
    parsed.payload.start = parsed.header_len;
    Some(parsed)
}

impl Parsed {
    /// The extension block at `header_len`, which then lies behind it.
    #[inline]
    fn read_extension(&mut self, packet: &[u8], ids: &ExtensionIds) -> Option<()> {
        let block = packet.get(self.header_len..)?;
        let (&[a, b, c, d], rest) = block.split_first_chunk::<HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([c, d])) * 4;
        let bytes = rest.get(..len)?;
        let start = self.header_len + HEADER_LEN;
        self.header_len = start + len;
        let Some(form) = Form::from_profile(u16::from_be_bytes([a, b])) else {
            return Some(());
        };
        let mut seen = 0_u32;
        for element in Elements::new(form, bytes) {
            let Some(extension) = ids.extension(element.id) else {
                continue;
            };
            let bit = 1 << extension as u32;
            if seen & bit != 0 {
                continue;
            }
            seen |= bit;
            let at = start + element.offset;
            let (Ok(from), Ok(to)) = (at.try_into(), (at + element.data.len()).try_into()) else {
                break;
            };
            if self.elements.try_push((extension, from..to)).is_err() {
                break;
            }
        }
        Some(())
    }

    /// Finds the end of the payload of the packet, which was opened since its header was read. `None` if the count of
    /// padding bytes is 0 or runs into the header (RFC 3550 §5.1): the packet is then not to be forwarded.
    #[inline]
    pub fn unpad(&mut self, packet: &[u8]) -> Option<()> {
        let body = packet.get(self.header_len..)?;
        let padding = if self.has_padding { *body.last()? } else { 0 };
        if self.has_padding && padding == 0 {
            return None;
        }
        let len = body.len().checked_sub(usize::from(padding))?;
        self.padding = padding;
        self.payload = self.header_len..self.header_len + len;
        Some(())
    }

    /// The data of an extension in the packet that this was read from.
    #[inline]
    #[must_use]
    pub fn element<'a>(&self, extension: Extension, packet: &'a [u8]) -> Option<&'a [u8]> {
        let mut elements = self.elements.iter();
        let (_, place) = elements.find(|(found, _)| *found == extension)?;
        packet.get(usize::from(place.start)..usize::from(place.end))
    }

    /// The transport-wide sequence number, if the packet carries one.
    #[inline]
    #[must_use]
    pub fn transport_sequence(&self, packet: &[u8]) -> Option<u16> {
        let data = self.element(Extension::TransportCc, packet)?;
        data.try_into().ok().map(u16::from_be_bytes)
    }
}
