//! Where a keyframe begins, by the payload formats' own headers: where a subscriber may start to decode.
//!
//! What is asked is the first packet that a decoder needs: with H.264 the parameter sets before the picture too. More
//! than one packet of a keyframe may be called its start; none of another frame may.

use super::Codec;

/// Whether the payload is the beginning of a keyframe, or something that only comes before one.
#[inline]
#[must_use]
pub fn is_keyframe_start(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Vp8 => vp8(payload),
        Codec::Vp9 => vp9(payload),
        Codec::H264 => h264(payload),
        Codec::Av1 => av1(payload),
        Codec::Opus | Codec::Red | Codec::Rtx | Codec::Other => None,
    }
    .unwrap_or(false)
}

/// The payload descriptor of RFC 7741 §4.2, then the first byte of the frame (RFC 6386 §9.1).
fn vp8(payload: &[u8]) -> Option<bool> {
    const EXTENDED: u8 = 0x80;
    const START: u8 = 0x10;
    const PARTITION: u8 = 0x07;
    let mut bytes = payload.iter().copied();
    let first = bytes.next()?;
    if first & START == 0 || first & PARTITION != 0 {
        return Some(false);
    }
    if first & EXTENDED != 0 {
        let present = bytes.next()?;
        // A picture id of 15 bits says so in its first bit.
        if present & 0x80 != 0 && bytes.next()? & 0x80 != 0 {
            bytes.next()?;
        }
        if present & 0x40 != 0 {
            bytes.next()?;
        }
        if present & 0x30 != 0 {
            bytes.next()?;
        }
    }
    // The lowest bit is 0 in keyframes.
    Some(bytes.next()? & 1 == 0)
}

/// The payload descriptor of RFC 9628 §4.2: the start of a frame of the lowest spatial layer without inter-prediction.
fn vp9(payload: &[u8]) -> Option<bool> {
    const PICTURE_ID: u8 = 0x80;
    const PREDICTED: u8 = 0x40;
    const LAYERS: u8 = 0x20;
    const START: u8 = 0x08;
    let mut bytes = payload.iter().copied();
    let first = bytes.next()?;
    if first & PREDICTED != 0 || first & START == 0 {
        return Some(false);
    }
    if first & PICTURE_ID != 0 && bytes.next()? & 0x80 != 0 {
        bytes.next()?;
    }
    let spatial_layer = if first & LAYERS == 0 {
        0
    } else {
        bytes.next()? >> 1 & 7
    };
    Some(spatial_layer == 0)
}

/// NAL units of an instantaneous decoding refresh or a sequence parameter set, alone, aggregated or as the first
/// fragment (RFC 6184 §5.6, §5.7.1 and §5.8).
fn h264(payload: &[u8]) -> Option<bool> {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    let starts = |kind: u8| matches!(kind & 0x1f, IDR | SPS);
    let (&first, rest) = payload.split_first()?;
    match first & 0x1f {
        STAP_A => {
            let mut rest = rest;
            while let Some((&len, units)) = rest.split_first_chunk() {
                let (unit, others) = units.split_at_checked(u16::from_be_bytes(len).into())?;
                if unit.first().is_some_and(|&kind| starts(kind)) {
                    return Some(true);
                }
                rest = others;
            }
            Some(false)
        }
        FU_A => {
            let header = *rest.first()?;
            Some(header & 0x80 != 0 && starts(header))
        }
        kind => Some(starts(kind)),
    }
}

/// The aggregation header of the AV1 RTP specification §4.4: the first packet of a coded video sequence, or one whose
/// first element is a whole sequence header, which encoders repeat only where decoding may start.
fn av1(payload: &[u8]) -> Option<bool> {
    const CONTINUES: u8 = 0x80;
    const NEW_SEQUENCE: u8 = 0x08;
    const SEQUENCE_HEADER: u8 = 1;
    let mut bytes = payload.iter().copied();
    let aggregation = bytes.next()?;
    if aggregation & CONTINUES != 0 {
        return Some(false);
    }
    if aggregation & NEW_SEQUENCE != 0 {
        return Some(true);
    }
    // A single element has no length before it. Lengths are LEB128 of at most two bytes in a packet of this size.
    if aggregation >> 4 & 3 != 1 && bytes.next()? & 0x80 != 0 {
        bytes.next()?;
    }
    Some(bytes.next()? >> 3 & 15 == SEQUENCE_HEADER)
}
