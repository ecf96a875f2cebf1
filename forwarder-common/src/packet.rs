//! How the rules reach the bytes of a frame: one trait, implemented for slices here and for XDP's pointer pair in
//! `forwarder-ebpf`.

/// A frame, addressed from its first byte.
///
/// All access is checked: outside of the frame a read is `None` and a write changes nothing.
pub trait Packet {
    /// Bytes from the first to the end of the frame.
    fn len(&self) -> usize;

    /// Whether the frame holds no byte.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `N` bytes at `at`.
    fn read<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    /// The `4 * N` bytes at `at`, as words in the byte order in which they lie in memory.
    ///
    /// Header fields that are compared and copied as words stay words: taken apart into bytes, they would cost BPF
    /// programs several instructions and a stack slot per byte.
    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]>;

    /// The `N` bytes at `at`, to be changed in place: one check for many fields.
    fn window<const N: usize>(&mut self, at: usize) -> Option<&mut [u8; N]>;

    /// Copies bytes in the way that is quickest where the frame lives.
    #[inline(always)]
    fn copy<const N: usize>(from: &[u8; N], to: &mut [u8; N]) {
        *to = *from;
    }

    /// Stores `N` bytes at `at`.
    #[must_use]
    #[inline(always)]
    fn write<const N: usize>(&mut self, at: usize, bytes: &[u8; N]) -> Option<()> {
        Self::copy(bytes, self.window(at)?);
        Some(())
    }

    /// Stores `4 * N` bytes at `at`, given as words in the byte order in which they lie in memory.
    #[must_use]
    fn write_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()>;
}

/// A frame whose start can move, into headroom or towards its end.
pub trait Shift: Packet {
    /// Moves the start by `by` bytes: positive cuts the frame's head off, negative opens headroom whose content is
    /// undefined. `None`, and no change, where there is no room.
    #[must_use]
    fn shift(&mut self, by: i32) -> Option<()>;
}

impl Packet for [u8] {
    #[inline(always)]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    #[inline(always)]
    fn read<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    #[inline(always)]
    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]> {
        let bytes = self.get(at..at.checked_add(4 * N)?)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes(bytes.try_into().ok()?);
        }
        Some(words)
    }

    #[inline(always)]
    fn window<const N: usize>(&mut self, at: usize) -> Option<&mut [u8; N]> {
        self.get_mut(at..at.checked_add(N)?)?.try_into().ok()
    }

    #[inline(always)]
    fn write_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        let bytes = self.get_mut(at..at.checked_add(4 * N)?)?;
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_ne_bytes());
        }
        Some(())
    }
}

/// A frame in a larger buffer, so that its start can move as in XDP: what the host side of the parity tests runs on.
#[derive(Debug)]
pub struct Buffer<'a> {
    bytes: &'a mut [u8],
    start: usize,
}

impl<'a> Buffer<'a> {
    /// The frame is all of `bytes` from `headroom` on; `None` where `headroom` lies outside.
    pub fn new(bytes: &'a mut [u8], headroom: usize) -> Option<Self> {
        (headroom <= bytes.len()).then_some(Self {
            bytes,
            start: headroom,
        })
    }

    /// The frame as it stands.
    pub fn frame(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }
}

impl Packet for Buffer<'_> {
    fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    fn read<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.read(self.start.checked_add(at)?)
    }

    fn words<const N: usize>(&self, at: usize) -> Option<[u32; N]> {
        self.bytes.words(self.start.checked_add(at)?)
    }

    fn window<const N: usize>(&mut self, at: usize) -> Option<&mut [u8; N]> {
        let at = self.start.checked_add(at)?;
        self.bytes.window(at)
    }

    fn write_words<const N: usize>(&mut self, at: usize, words: [u32; N]) -> Option<()> {
        let at = self.start.checked_add(at)?;
        self.bytes.write_words(at, words)
    }
}

impl Shift for Buffer<'_> {
    fn shift(&mut self, by: i32) -> Option<()> {
        let start = self.start.checked_add_signed(by as isize)?;
        if start >= self.bytes.len() {
            return None;
        }
        self.start = start;
        Some(())
    }
}
