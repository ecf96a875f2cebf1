//! The header of one packet for all legs of one profile: built once, then copied and stamped for each leg.

use std::ops::Range;

use arrayvec::ArrayVec;
use forwarder_common::wire::{
    extension::{Form, HEADER_LEN, Writer},
    rtp,
};

use super::{Extension, Parsed, Profile, header::MAX_ELEMENTS};

/// The most bytes of extension elements that are written.
const MAX_EXTENSION: usize = 252;

/// The longest header that is written: no contributing sources, and an extension block.
pub const MAX_LEN: usize = rtp::LEN + HEADER_LEN + MAX_EXTENSION;

const ABS_SEND_TIME_LEN: usize = 3;
const TRANSPORT_CC_LEN: usize = 2;

/// A header that lacks only what is a leg's own.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: [u8; MAX_LEN],
    len: u16,
    /// Where the stamped elements begin; 0 where there is none.
    mid: u16,
    abs_send_time: u16,
    transport_cc: u16,
    mid_len: u8,
    fixed: rtp::Header,
}

/// What is a leg's own.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// The SSRC of the leg.
    pub ssrc: u32,
    /// The 7-bit payload type that the receiver gave the codec.
    pub payload_type: u8,
    /// The sequence number: the low bits of the leg's packet index.
    pub sequence: u16,
    /// The RTP timestamp, in units of the stream's clock rate.
    pub timestamp: u32,
    /// The time of sending as [`abs_send_time`] gives it.
    pub abs_send_time: u32,
    /// The sequence number of the receiver's transport.
    pub transport_sequence: u16,
    /// The MID as [`Profile::mid`] gives it, as long as that of the profile that the template was built for.
    pub mid: &'a [u8],
}

/// A time in nanoseconds as the extension abs-send-time says it: seconds as a 24-bit number with 18 bits of fraction.
/// Receivers use differences alone, so the clock may be any.
#[inline]
#[must_use]
pub const fn abs_send_time(now: u64) -> u32 {
    const SECOND: u64 = 1_000_000_000;
    // It comes round after 64 s. To cut off there first keeps the product in 64 bits.
    let since = now % (64 * SECOND);
    ((since << 18) / SECOND) as u32 & 0x00ff_ffff
}

impl Template {
    /// The header of `packet`, of which `parsed` was read, for legs of this profile. Contributing sources and padding
    /// are dropped: what a leg sends is this and the payload. MID is the leg's; RID and repaired RID are meant for the
    /// forwarder and go no further; abs-send-time and transport-cc are made room for, whether or not the packet had
    /// them; all other extensions that the leg negotiated are carried, under its identifiers. What is beyond
    /// 252 bytes is left out.
    #[must_use]
    pub fn build(parsed: &Parsed, packet: &[u8], profile: &Profile) -> Self {
        let mut template = Self {
            bytes: [0; MAX_LEN],
            len: rtp::LEN as u16,
            mid: 0,
            abs_send_time: 0,
            transport_cc: 0,
            mid_len: 0,
            fixed: rtp::Header::from_bytes([0; rtp::LEN]),
        };
        let extended = template.extend(parsed, packet, profile);
        let first = 0x80 | u8::from(extended) << 4;
        let second = u8::from(parsed.marker) << 7;
        template.fixed = rtp::Header::from_bytes([first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        template
    }

    /// Writes the extension block; false if there is nothing to write.
    fn extend(&mut self, parsed: &Parsed, packet: &[u8], profile: &Profile) -> bool {
        let mid = profile.mid();
        let id = |extension| profile.ids.id(extension);
        let mid_id = id(Extension::Mid).filter(|_| !mid.is_empty());
        let (abs_send_time, transport_cc) =
            (id(Extension::AbsSendTime), id(Extension::TransportCc));
        let carried: ArrayVec<(u8, &[u8]), MAX_ELEMENTS> = parsed
            .elements
            .iter()
            .filter_map(|(extension, place)| {
                let id = carried_as(*extension, profile)?;
                Some((id, packet.get(data(place))?))
            })
            .collect();
        let fits = |id: Option<u8>, len| id.is_none_or(|id| Form::OneByte.fits(id, len));
        let all_short = fits(mid_id, mid.len())
            && fits(abs_send_time, ABS_SEND_TIME_LEN)
            && fits(transport_cc, TRANSPORT_CC_LEN)
            && carried.iter().all(|(id, data)| fits(Some(*id), data.len()));
        let form = if all_short {
            Form::OneByte
        } else {
            Form::TwoByte
        };

        let Some(room) = self.bytes.get_mut(rtp::LEN..) else {
            return false;
        };
        let mut block = Writer::new(form, room);
        let mut reserve = |id: Option<u8>, len| {
            let place = id.and_then(|id| block.reserve(id, len));
            place.map_or(0, |place| (rtp::LEN + place.start) as u16)
        };
        self.mid = reserve(mid_id, mid.len());
        self.abs_send_time = reserve(abs_send_time, ABS_SEND_TIME_LEN);
        self.transport_cc = reserve(transport_cc, TRANSPORT_CC_LEN);
        for (id, data) in carried {
            block.push(id, data);
        }
        if self.mid != 0 {
            self.mid_len = mid.len() as u8;
        }
        match block.finish() {
            Some(len) if len > HEADER_LEN => {
                self.len = (rtp::LEN + len) as u16;
                true
            }
            _ => false,
        }
    }

    /// Bytes of the header.
    #[inline]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always a header")]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Writes the header of a leg to the start of `to` and gives its length; `None` if there is no room, or the MID
    /// is not as long as the profile's.
    #[inline]
    pub fn write(&self, to: &mut [u8], stamp: &Stamp<'_>) -> Option<usize> {
        let len = self.len();
        let to = to.get_mut(..len)?;
        to.copy_from_slice(self.bytes.get(..len)?);
        let fixed = self.fixed.with(
            stamp.payload_type,
            stamp.sequence,
            stamp.timestamp,
            stamp.ssrc,
        );
        *to.first_chunk_mut::<{ rtp::LEN }>()? = fixed.to_bytes();
        let mid_len = usize::from(self.mid_len);
        if stamp.mid.len() != mid_len {
            return None;
        }
        if self.mid != 0 {
            let mid = usize::from(self.mid);
            to.get_mut(mid..mid + mid_len)?.copy_from_slice(stamp.mid);
        }
        if self.abs_send_time != 0 {
            let [_, time @ ..] = stamp.abs_send_time.to_be_bytes();
            *to.get_mut(usize::from(self.abs_send_time)..)?
                .first_chunk_mut::<ABS_SEND_TIME_LEN>()? = time;
        }
        if self.transport_cc != 0 {
            *to.get_mut(usize::from(self.transport_cc)..)?
                .first_chunk_mut::<TRANSPORT_CC_LEN>()? = stamp.transport_sequence.to_be_bytes();
        }
        Some(len)
    }
}

/// The identifier under which a leg gets an extension of the packet as it came; `None` if it does not.
#[inline]
fn carried_as(extension: Extension, profile: &Profile) -> Option<u8> {
    match extension {
        Extension::Mid
        | Extension::Rid
        | Extension::RepairedRid
        | Extension::AbsSendTime
        | Extension::TransportCc => None,
        _ if !extension.suits(profile.kind) => None,
        _ => profile.ids.id(extension),
    }
}

fn data(place: &Range<u16>) -> Range<usize> {
    usize::from(place.start)..usize::from(place.end)
}
