//! SRTCP (RFC 3711 §3.4; RFC 7714 §9): the index is in the packet, 31 bits beside the flag that says "encrypted".

use std::collections::BTreeMap;

use super::{
    MasterKey, OpenError, ReplayWindow, SealError, Suite, cipher::Cipher, gcm, kdf, text::Text,
};

/// Bytes of the word with flag and index.
pub const SRTCP_WORD_LEN: usize = 4;
/// The largest index of a packet (RFC 3711 §3.4).
pub const MAX_SRTCP_INDEX: u32 = (1 << 31) - 1;

/// The flag in that word.
const ENCRYPTED: u32 = 1 << 31;
/// Bytes that stay clear: the first header, up to the sender's SSRC.
const CLEAR_LEN: usize = 8;
/// Words of the replay window of an SSRC: at least 192 packets.
const WORDS: usize = 4;
/// Senders that are told apart, so that a peer cannot make the table grow.
const MAX_SENDERS: usize = 1024;

/// Protects the RTCP of one direction. One index counts for all SSRCs, so that no SSRC sees one twice.
#[derive(Debug)]
pub struct SrtcpSender {
    pub(super) suite: Suite,
    pub(super) cipher: Cipher,
    pub(super) next: u32,
}

impl SrtcpSender {
    /// Derives the session keys; the first packet has index 0.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            suite: master.suite(),
            cipher: Cipher::new(master, kdf::SRTCP),
            next: 0,
        }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The index of the next packet; more than [`MAX_SRTCP_INDEX`] if the key is used up.
    #[must_use]
    pub fn next_index(&self) -> u32 {
        self.next
    }

    /// Goes on at this index, after another sender with the same keys. It must be one that was never used.
    pub fn continue_at(&mut self, index: u32) {
        self.next = index;
    }

    /// Appends the protected form of a compound packet to `out`, and counts.
    ///
    /// # Errors
    ///
    /// [`SealError`]; nothing is then appended.
    pub fn protect(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        if self.next > MAX_SRTCP_INDEX {
            return Err(SealError::Exhausted);
        }
        let clear = packet.first_chunk::<CLEAR_LEN>().ok_or(SealError::Header)?;
        let index = self.next;
        // Used is used, whatever becomes of the packet.
        self.next += 1;
        let start = out.len();
        out.extend_from_slice(packet);
        let sealed = self.seal(clear, index, out, start);
        if sealed.is_none() {
            out.truncate(start);
        }
        sealed.ok_or(SealError::Cipher)
    }

    /// Seals what is in `out` from `start` on. GCM's tag covers the word and comes before it (RFC 7714 §9.1), the other
    /// comes last (RFC 3711 §3.4).
    fn seal(
        &self,
        clear: &[u8; CLEAR_LEN],
        index: u32,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Option<()> {
        let word = (ENCRYPTED | index).to_be_bytes();
        let (ssrc, index) = (sender(clear), u64::from(index));
        let text = out.get_mut(start + CLEAR_LEN..)?;
        match &self.cipher {
            Cipher::Gcm(gcm) => {
                let clear = additional(clear, word);
                let tag = gcm.seal(ssrc, index, &clear, Text::in_place(text))?;
                out.extend_from_slice(&tag);
                out.extend_from_slice(&word);
            }
            Cipher::Cm(cm) => {
                cm.apply_keystream(ssrc, index, Text::in_place(text))?;
                let tag = cm.tag(out.get(start..)?, word);
                out.extend_from_slice(&word);
                out.extend_from_slice(&tag);
            }
        }
        Some(())
    }
}

/// Opens the RTCP of one direction.
#[derive(Debug)]
pub struct SrtcpReceiver {
    pub(super) suite: Suite,
    pub(super) cipher: Cipher,
    /// By sender's SSRC: libraries count for each of theirs.
    windows: BTreeMap<u32, ReplayWindow<WORDS>>,
}

impl SrtcpReceiver {
    /// Derives the session keys; no packet has been there.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            suite: master.suite(),
            cipher: Cipher::new(master, kdf::SRTCP),
            windows: BTreeMap::new(),
        }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The newest index of each sender's SSRC.
    pub fn newest(&self) -> impl Iterator<Item = (u32, u32)> {
        self.windows
            .iter()
            .filter_map(|(&ssrc, window)| Some((ssrc, u32::try_from(window.newest()?).ok()?)))
    }

    /// Goes on after another receiver with the same keys: of this SSRC all up to `index` has been there. `false` if there
    /// is no room for one more SSRC.
    pub fn continue_after(&mut self, ssrc: u32, index: u32) -> bool {
        let room = self.windows.len() < MAX_SENDERS || self.windows.contains_key(&ssrc);
        if room {
            let window = ReplayWindow::resuming_at(index.into());
            self.windows.insert(ssrc, window);
        }
        room
    }

    /// Verifies and decrypts a packet in place. Returns the length of the plain compound packet in bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing behind the first eight bytes may then be used.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        let clear = *packet
            .first_chunk::<CLEAR_LEN>()
            .ok_or(OpenError::Malformed)?;
        let len = packet
            .len()
            .checked_sub(SRTCP_WORD_LEN + self.suite.tag_len())
            .filter(|&len| len >= CLEAR_LEN)
            .ok_or(OpenError::Malformed)?;
        let word_at = match self.cipher {
            Cipher::Gcm(_) => len + gcm::TAG_LEN,
            Cipher::Cm(_) => len,
        };
        let word = packet
            .get(word_at..)
            .and_then(|rest| rest.first_chunk::<SRTCP_WORD_LEN>())
            .copied()
            .ok_or(OpenError::Malformed)?;
        let value = u32::from_be_bytes(word);
        if value & ENCRYPTED == 0 {
            return Err(OpenError::Unencrypted);
        }
        let (ssrc, index) = (sender(&clear), u64::from(value & MAX_SRTCP_INDEX));
        match self.windows.get(&ssrc) {
            Some(window) => window.check(index)?,
            None if self.windows.len() >= MAX_SENDERS => return Err(OpenError::TooManyStreams),
            None => {}
        }
        self.open(packet, ssrc, index, clear, word, len)
            .ok_or(OpenError::Unauthentic)?;
        self.windows.entry(ssrc).or_default().accept(index);
        Ok(len)
    }

    fn open(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        index: u64,
        clear: [u8; CLEAR_LEN],
        word: [u8; SRTCP_WORD_LEN],
        len: usize,
    ) -> Option<()> {
        match &self.cipher {
            Cipher::Gcm(gcm) => {
                let sealed = packet.get_mut(CLEAR_LEN..len + gcm::TAG_LEN)?;
                gcm.open(ssrc, index, &additional(&clear, word), sealed)
            }
            Cipher::Cm(cm) => {
                let (packet, rest) = packet.split_at_mut_checked(len)?;
                let (_, tag) = rest.split_at_checked(SRTCP_WORD_LEN)?;
                cm.verify(packet, word, tag)?;
                let text = Text::in_place(packet.get_mut(CLEAR_LEN..)?);
                cm.apply_keystream(ssrc, index, text)
            }
        }
    }
}

/// The sender's SSRC (RFC 3550 §6.4.1).
fn sender(clear: &[u8; CLEAR_LEN]) -> u32 {
    let [.., a, b, c, d] = *clear;
    u32::from_be_bytes([a, b, c, d])
}

/// What GCM authenticates without encrypting it (RFC 7714 §9.2).
fn additional(
    clear: &[u8; CLEAR_LEN],
    word: [u8; SRTCP_WORD_LEN],
) -> [u8; CLEAR_LEN + SRTCP_WORD_LEN] {
    let [a, b, c, d, e, f, g, h] = *clear;
    let [i, j, k, l] = word;
    [a, b, c, d, e, f, g, h, i, j, k, l]
}
