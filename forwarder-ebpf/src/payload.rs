//! The payload, looked at once per packet: its sum, and the copy for legs that XDP cannot serve.

use aya_ebpf::helpers::{bpf_csum_diff, bpf_ktime_get_boot_ns};
use forwarder_common::{
    checksum::Sum,
    ingress::{Steered, Taken},
    packet::{Packet, Shift},
    reason::Reason,
    tables::{MAX_PAYLOAD, NONE, PUNT_HEADER},
    wire::rtp,
};

use crate::{
    counters::count,
    maps,
    packet::{Frame, bounded},
};

/// The kernel summed at most this much in one call before 6.13.
const PIECE: usize = 512;

/// Folded sum of the UDP payload after the fixed RTP header. The payload also goes to the socket worker, for the legs
/// from chunk `socket_head` on, if there are any.
#[inline(always)]
pub fn sum_and_punt(
    frame: &Frame,
    taken: &Taken,
    socket_head: u32,
    now: u64,
) -> Result<u16, Reason> {
    let len = u32::from(taken.payload_len);
    if len < rtp::LEN as u32 || len > MAX_PAYLOAD as u32 {
        return Err(Reason::TooBig);
    }
    let len = bounded(len);
    let scratch = maps::scratch().ok_or(Reason::NoRoom)?.cast::<u8>();
    // SAFETY: the scratch memory holds PUNT_HEADER + MAX_PAYLOAD + 4 bytes and `len` is bounded; the verifier agrees.
    unsafe {
        frame
            .load(u32::from(taken.header_len), scratch.add(PUNT_HEADER), len)
            .ok_or(Reason::Malformed)?;
        // Pads the last word.
        scratch
            .add(PUNT_HEADER + len as usize)
            .cast::<u32>()
            .write(0);
        if socket_head != NONE {
            scratch.cast::<u32>().write(socket_head);
            scratch.add(4).cast::<u32>().write(len);
            scratch.add(8).cast::<u64>().write(now);
            count(if maps::punt(scratch, bounded(PUNT_HEADER as u32 + len)) {
                Reason::Punted
            } else {
                Reason::PuntFull
            });
        }
    }
    let rest = len - rtp::LEN as u32;
    let mut sum = 0;
    let mut at = 0;
    while at < MAX_PAYLOAD {
        if at as u32 >= rest {
            break;
        }
        let mut piece = (rest - at as u32 + 3) & !3;
        if piece > PIECE as u32 {
            piece = PIECE as u32;
        }
        // SAFETY: reads inside of the scratch memory; `at` is a constant in every unrolled step and `piece` bounded.
        sum = unsafe {
            bpf_csum_diff(
                core::ptr::null_mut(),
                0,
                scratch.add(PUNT_HEADER + rtp::LEN + at).cast(),
                piece,
                sum,
            )
        } as u32;
        at += PIECE;
    }
    Ok(Sum::from_kernel(sum).fold())
}

/// Hands the UDP payload to the worker of its session; says what became of it.
#[inline(always)]
pub fn steer(frame: &Frame, steered: &Steered) -> Reason {
    let len = u32::from(steered.payload_len);
    if len < rtp::LEN as u32 || len > MAX_PAYLOAD as u32 {
        return Reason::TooBig;
    }
    let len = bounded(len);
    let Some(scratch) = maps::scratch() else {
        return Reason::NoRoom;
    };
    let scratch = scratch.cast::<u8>();
    // SAFETY: the scratch memory holds PUNT_HEADER + MAX_PAYLOAD + 4 bytes and `len` is bounded; the verifier agrees.
    let loaded = unsafe {
        scratch.cast::<u32>().write(steered.session);
        scratch.add(4).cast::<u32>().write(len);
        scratch.add(8).cast::<u64>().write(bpf_ktime_get_boot_ns());
        frame.load(u32::from(steered.header_len), scratch.add(PUNT_HEADER), len)
    };
    if loaded.is_none() {
        return Reason::Malformed;
    }
    match maps::ring(steered, scratch, bounded(PUNT_HEADER as u32 + len)) {
        Ok(()) => Reason::Steered,
        Err(reason) => reason,
    }
}

/// Cuts off what follows the UDP datagram, since padding of short frames would end up behind the SRTP tag; and as many
/// bytes as the VLAN tags take, in front, where a ticket comes anyway: the kernel holds the frame as it arrived against
/// the MTU of the device that it leaves by, and has room for one tag (`xdp_ok_fwd_dev`).
#[inline(always)]
pub fn trim(frame: &mut Frame, taken: &mut Taken) -> Result<(), Reason> {
    let end = usize::from(taken.header_len) + usize::from(taken.payload_len);
    let excess = frame.len() as i32 - end as i32;
    if excess > 0 {
        frame.resize(-excess).ok_or(Reason::NoRoom)?;
    }
    let tags = taken.tag_len();
    if tags != 0 {
        frame.shift(i32::from(tags)).ok_or(Reason::NoRoom)?;
        taken.header_len -= tags;
    }
    Ok(())
}
