//! SRTP session keys: sealing and opening a packet whose index is known.

use forwarder_common::wire::rtp;

use super::{
    MAX_INDEX, MasterKey, OpenError, SealError, Suite, cipher::Cipher, cm, gcm, kdf, text::Text,
};

/// Bytes of the fixed header, the least that stays clear.
const MIN_HEADER_LEN: usize = rtp::LEN;

/// What one direction of SRTP is sealed with. Immutable: threads share it, and the caller gives each packet its index,
/// which with the SSRC must not come twice (RFC 3711 §9.1).
#[derive(Debug)]
pub struct SendKeys {
    pub(super) suite: Suite,
    pub(super) cipher: Cipher,
}

impl SendKeys {
    /// Derives the session keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            suite: master.suite(),
            cipher: Cipher::new(master, kdf::SRTP),
        }
    }

    /// Asks the CPU for what sealing reads.
    #[inline]
    pub fn prefetch(&self) {
        if let Cipher::Gcm(gcm) = &self.cipher {
            gcm.prefetch();
        }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals the packet `buffer[..len]` in place. Its first `header_len` bytes, the header with contributing sources and
    /// extension, stay clear; behind it there must be room for [`Suite::tag_len`] bytes. `index` is the 48-bit packet
    /// index, whose low 16 bits are the header's sequence number. Returns the length of the sealed packet in bytes.
    ///
    /// # Errors
    ///
    /// [`SealError`]; the buffer is then as it was, except after [`SealError::Cipher`].
    #[inline]
    pub fn seal(
        &self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
        index: u64,
    ) -> Result<usize, SealError> {
        self.seal_text(buffer, header_len, len, index, None)
    }

    /// As [`Self::seal`], but for a payload that is not in the buffer yet: only the header is, and sealing brings the payload there.
    ///
    /// # Errors
    ///
    /// [`SealError`]; the header is then as it was.
    #[inline]
    pub fn seal_payload(
        &self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
        index: u64,
    ) -> Result<usize, SealError> {
        let len = header_len + payload.len();
        self.seal_text(buffer, header_len, len, index, Some(payload))
    }

    #[inline]
    fn seal_text(
        &self,
        buffer: &mut [u8],
        header_len: usize,
        len: usize,
        index: u64,
        payload: Option<&[u8]>,
    ) -> Result<usize, SealError> {
        let (packet, room) = buffer.split_at_mut_checked(len).ok_or(SealError::Header)?;
        if header_len < MIN_HEADER_LEN {
            return Err(SealError::Header);
        }
        let header = fixed(packet).ok_or(SealError::Header)?;
        if index > MAX_INDEX || header.sequence() != index as u16 {
            return Err(SealError::Index);
        }
        let (clear, text) = packet
            .split_at_mut_checked(header_len)
            .ok_or(SealError::Header)?;
        let text = match payload {
            Some(payload) => Text::between(payload, text).ok_or(SealError::Header)?,
            None => Text::in_place(text),
        };
        let ssrc = header.ssrc();
        match &self.cipher {
            Cipher::Gcm(gcm) => {
                let tag_to: &mut [u8; gcm::TAG_LEN] =
                    room.first_chunk_mut().ok_or(SealError::Room)?;
                let tag = gcm.seal(ssrc, index, clear, text);
                *tag_to = tag.ok_or(SealError::Cipher)?;
            }
            Cipher::Cm(cm) => {
                let tag_to: &mut [u8; cm::TAG_LEN] =
                    room.first_chunk_mut().ok_or(SealError::Room)?;
                cm.apply_keystream(ssrc, index, text)
                    .ok_or(SealError::Cipher)?;
                *tag_to = cm.tag(packet, roc(index));
            }
        }
        Ok(len + self.suite.tag_len())
    }
}

/// What one direction of SRTP is opened with. Immutable; which indices were there before is known to
/// [`ReceiveStream`](super::ReceiveStream).
#[derive(Debug)]
pub struct ReceiveKeys {
    pub(super) suite: Suite,
    pub(super) cipher: Cipher,
}

impl ReceiveKeys {
    /// Derives the session keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            suite: master.suite(),
            cipher: Cipher::new(master, kdf::SRTP),
        }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Verifies and decrypts a packet in place. `header_len` as in [`SendKeys::seal`]; `index` is what
    /// [`ReceiveStream::guess`](super::ReceiveStream::guess) said. Returns the length of the plain packet in bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError::Malformed`] or [`OpenError::Unauthentic`]; nothing behind the header may then be used.
    #[inline]
    pub fn open(
        &self,
        packet: &mut [u8],
        header_len: usize,
        index: u64,
    ) -> Result<usize, OpenError> {
        let ssrc = fixed(packet).ok_or(OpenError::Malformed)?.ssrc();
        let len = packet
            .len()
            .checked_sub(self.suite.tag_len())
            .filter(|&len| MIN_HEADER_LEN <= header_len && header_len <= len)
            .ok_or(OpenError::Malformed)?;
        if index > MAX_INDEX {
            return Err(OpenError::Unauthentic);
        }
        match &self.cipher {
            Cipher::Gcm(gcm) => {
                let (clear, sealed) = packet
                    .split_at_mut_checked(header_len)
                    .ok_or(OpenError::Malformed)?;
                gcm.open(ssrc, index, clear, sealed)
                    .ok_or(OpenError::Unauthentic)?;
            }
            Cipher::Cm(cm) => {
                let (packet, tag) = packet
                    .split_at_mut_checked(len)
                    .ok_or(OpenError::Malformed)?;
                cm.verify(packet, roc(index), tag)
                    .ok_or(OpenError::Unauthentic)?;
                let text = packet.get_mut(header_len..).ok_or(OpenError::Malformed)?;
                cm.apply_keystream(ssrc, index, Text::in_place(text))
                    .ok_or(OpenError::Unauthentic)?;
            }
        }
        Ok(len)
    }
}

/// The fixed header of a packet, if it is whole.
#[inline]
pub(super) fn fixed(packet: &[u8]) -> Option<rtp::Header> {
    packet.first_chunk().copied().map(rtp::Header::from_bytes)
}

/// Workers share keys.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<SendKeys>();
    is_shared::<ReceiveKeys>();
};

/// The rollover counter of an index, as it is authenticated (RFC 3711 §4.2).
#[inline]
fn roc(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}
