//! The frame of an XDP program: all unsafe access to packet bytes is in this file.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_load_bytes, bpf_xdp_store_bytes},
};
use forwarder_common::packet::{Packet, Shift};

/// The frame behind an `xdp_md`.
pub struct Frame {
    context: *mut xdp_md,
}

/// `N` bytes that may be copied in words.
#[repr(C, align(8))]
struct Words<const N: usize>([u8; N]);

/// Copies `N` bytes in words of 8, 4, 2 and 1.
///
/// LLVM would copy byte by byte, since it assumes that BPF cannot access unaligned words; the kernel can, wherever
/// `CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS` holds (x86-64, arm64), and its verifier says no where it cannot.
#[inline(always)]
unsafe fn copy<const N: usize>(from: *const u8, to: *mut u8) {
    let mut at = 0;
    // SAFETY: the caller vouches for `N` bytes on both sides; the words end at `N`.
    unsafe {
        while at + 8 <= N {
            *to.add(at).cast::<u64>() = *from.add(at).cast::<u64>();
            at += 8;
        }
        if at + 4 <= N {
            *to.add(at).cast::<u32>() = *from.add(at).cast::<u32>();
            at += 4;
        }
        if at + 2 <= N {
            *to.add(at).cast::<u16>() = *from.add(at).cast::<u16>();
            at += 2;
        }
        if at < N {
            *to.add(at) = *from.add(at);
        }
    }
}

/// `len`, in a form that shows the verifier 1-4096: it loses the bounds of values that LLVM compares in another form,
/// and a plain mask LLVM would remove, knowing the bounds itself.
///
/// For lengths outside of 1-4096, which the caller has refused before, the result is some other length.
#[inline(always)]
pub fn bounded(len: u32) -> u32 {
    // SAFETY: a valid reference.
    let len = unsafe { core::ptr::read_volatile(&len) };
    (len.wrapping_sub(1) & 0xfff) + 1
}

impl Frame {
    /// The frame that the program was called for.
    #[inline(always)]
    pub fn new(context: *mut xdp_md) -> Self {
        Self { context }
    }

    #[inline(always)]
    fn start(&self) -> usize {
        // SAFETY: the kernel hands a valid context.
        unsafe { (*self.context).data as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.context).data_end as usize }
    }

    /// Grows (positive) or trims (negative) the frame at its end.
    #[inline(always)]
    #[must_use]
    pub fn resize(&self, by: i32) -> Option<()> {
        // SAFETY: a helper call; all packet pointers are taken afresh afterwards.
        let result = unsafe { bpf_xdp_adjust_tail(self.context, by) };
        (result == 0).then_some(())
    }

    /// Copies `len` bytes of the frame from `at` on to `to`.
    ///
    /// # Safety
    /// `to` has room for `len` bytes; the verifier checks that as well.
    #[inline(always)]
    #[must_use]
    pub unsafe fn load(&self, at: u32, to: *mut u8, len: u32) -> Option<()> {
        // SAFETY: as the caller vouches.
        let result = unsafe { bpf_xdp_load_bytes(self.context, at, to.cast(), len) };
        (result == 0).then_some(())
    }

    /// Copies `len` bytes from `from` over those from `at` on.
    ///
    /// # Safety
    /// `from` holds `len` bytes; the verifier checks that as well.
    #[inline(always)]
    #[must_use]
    pub unsafe fn store(&self, at: u32, from: *mut u8, len: u32) -> Option<()> {
        // SAFETY: as the caller vouches.
        let result = unsafe { bpf_xdp_store_bytes(self.context, at, from.cast(), len) };
        (result == 0).then_some(())
    }
}

impl Packet for Frame {
    #[inline(always)]
    fn len(&self) -> usize {
        self.end() - self.start()
    }

    #[inline(always)]
    fn read<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let from = self.start() + at;
        // The form that the verifier understands: the register that is read from, plus a constant, against the end.
        if from + N > self.end() {
            return None;
        }
        let mut words = Words([0; N]);
        // SAFETY: `N` bytes lie inside of the frame, as just checked.
        unsafe { copy::<N>(from as *const u8, words.0.as_mut_ptr()) };
        Some(words.0)
    }

    #[inline(always)]
    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]> {
        let from = self.start() + at;
        if from + 4 * N > self.end() {
            return None;
        }
        let mut words = [0; N];
        let mut i = 0;
        while i < N {
            // SAFETY: `N` words lie inside of the frame, as just checked.
            unsafe { *words.as_mut_ptr().add(i) = *(from as *const u32).add(i) };
            i += 1;
        }
        Some(words)
    }

    #[inline(always)]
    fn window<const N: usize>(&mut self, at: usize) -> Option<&mut [u8; N]> {
        let to = self.start() + at;
        if to + N > self.end() {
            return None;
        }
        // SAFETY: `N` bytes lie inside of the frame, as just checked, and nothing moves it while `self` is borrowed.
        Some(unsafe { &mut *(to as *mut [u8; N]) })
    }

    #[inline(always)]
    fn copy<const N: usize>(from: &[u8; N], to: &mut [u8; N]) {
        // SAFETY: both are arrays of `N` bytes.
        unsafe { copy::<N>(from.as_ptr(), to.as_mut_ptr()) };
    }

    #[inline(always)]
    fn write_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        let to = self.start() + at;
        if to + 4 * N > self.end() {
            return None;
        }
        let mut i = 0;
        while i < N {
            // SAFETY: `N` words lie inside of the frame, as just checked, and of the array.
            unsafe { *(to as *mut u32).add(i) = *words.as_ptr().add(i) };
            i += 1;
        }
        Some(())
    }
}

impl Shift for Frame {
    #[inline(always)]
    fn shift(&mut self, by: i32) -> Option<()> {
        // SAFETY: a helper call; all packet pointers are taken afresh afterwards.
        let result = unsafe { bpf_xdp_adjust_head(self.context, by) };
        (result == 0).then_some(())
    }
}
