//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 §2.2), for publishers without transport-wide
//! feedback: they send no more than they were told, and hardly anything before they were.

use arrayvec::ArrayVec;

use super::rtcp::MAX_ITEMS;

/// How often it is said; senders forget it after a few seconds.
const INTERVAL: u64 = 1_000_000_000;

const IDENTIFIER: [u8; 4] = *b"REMB";
const PAYLOAD_FEEDBACK: u8 = 206;
const APPLICATION_LAYER: u8 = 15;

/// A rate told to a publisher every second.
#[derive(Clone, Debug)]
pub struct Remb {
    bitrate: u64,
    next: u64,
}

impl Remb {
    /// Tells this rate in bits per second, the first time at once.
    #[must_use]
    pub const fn new(bitrate: u64) -> Self {
        Self { bitrate, next: 0 }
    }

    /// When the rate is to be told again.
    #[must_use]
    pub const fn poll_timeout(&self) -> u64 {
        self.next
    }

    /// Appends the packet about these streams if it is time; false if not, or if there are none.
    pub fn poll(&mut self, now: u64, sender: u32, ssrcs: &[u32], out: &mut Vec<u8>) -> bool {
        if now < self.next || ssrcs.is_empty() {
            return false;
        }
        self.next = now.saturating_add(INTERVAL);
        for ssrcs in ssrcs.chunks(MAX_ITEMS) {
            write(sender, self.bitrate, ssrcs, out);
        }
        true
    }
}

/// Appends a packet; more than 255 streams are not said.
fn write(sender: u32, bitrate: u64, ssrcs: &[u32], out: &mut Vec<u8>) {
    let (Ok(count), Ok(words)) = (u8::try_from(ssrcs.len()), u16::try_from(ssrcs.len() + 4)) else {
        return;
    };
    // 6 bits of exponent and 18 of mantissa. What the mantissa cannot hold is cut off, so that it is never said too high.
    let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
    let [_, high, middle, low] = ((bitrate >> exponent) as u32).to_be_bytes();
    out.extend([0x80 | APPLICATION_LAYER, PAYLOAD_FEEDBACK]);
    out.extend(words.to_be_bytes());
    out.extend(sender.to_be_bytes());
    out.extend([0; 4]);
    out.extend(IDENTIFIER);
    out.extend([count, (exponent as u8) << 2 | high, middle, low]);
    for ssrc in ssrcs {
        out.extend(ssrc.to_be_bytes());
    }
}

/// Rate and streams of the control information; `None` if it is of another application, or cut short.
pub(super) fn read(control: &[u8]) -> Option<(u64, ArrayVec<u32, MAX_ITEMS>)> {
    let (identifier, rest) = control.split_first_chunk()?;
    let (&[count, first, middle, low], list) = rest.split_first_chunk()?;
    if *identifier != IDENTIFIER {
        return None;
    }
    let mantissa = u32::from_be_bytes([0, first & 3, middle, low]);
    let exponent = u32::from(first >> 2);
    // Exponents are possible that no rate needs.
    let bitrate = u64::from(mantissa).saturating_mul(1_u64.checked_shl(exponent)?);
    let (words, _) = list.get(..4 * usize::from(count))?.as_chunks::<4>();
    let ssrcs = words.iter().take(MAX_ITEMS);
    Some((
        bitrate,
        ssrcs.map(|word| u32::from_be_bytes(*word)).collect(),
    ))
}
