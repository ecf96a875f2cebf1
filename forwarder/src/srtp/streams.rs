//! The SSRCs of one peer: a bounded table that only authentic packets enter.

use super::{OpenError, ReceiveKeys, ReceiveStream, keys::fixed};

/// Streams by SSRC, each with what its owner keeps about it.
#[derive(Debug)]
pub struct ReceiveStreams<T> {
    /// In the order of their SSRCs.
    streams: Vec<(u32, (ReceiveStream, T))>,
    max: usize,
}

/// An opened packet.
#[derive(Debug)]
pub struct Opened<'a, T> {
    /// Bytes of the plain packet.
    pub len: usize,
    /// Its 48-bit packet index.
    pub index: u64,
    /// What is kept about its SSRC.
    pub value: &'a mut T,
}

impl<T> ReceiveStreams<T> {
    /// No stream yet, and never more than `max`.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            streams: Vec::new(),
            max,
        }
    }

    /// Makes room for so many more, as far as there may be more: until they are there, no packet allocates.
    pub fn reserve(&mut self, more: usize) {
        let free = self.max.saturating_sub(self.streams.len());
        self.streams.reserve_exact(more.min(free));
    }

    fn find(&self, ssrc: u32) -> Result<usize, usize> {
        self.streams.binary_search_by_key(&ssrc, |(held, _)| *held)
    }

    /// Opens a packet in place, and notes it as received: index guessed, replay checked, tag verified, decrypted. The first
    /// authentic packet of an SSRC is shown to `admit`, which says what to keep about it; only then the SSRC is known.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing has then changed, except that after [`OpenError::Unauthentic`] and [`OpenError::Unwanted`]
    /// the bytes behind the header are of no use.
    #[inline]
    pub fn open(
        &mut self,
        keys: &ReceiveKeys,
        packet: &mut [u8],
        header_len: usize,
        admit: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Opened<'_, T>, OpenError> {
        let header = fixed(packet).ok_or(OpenError::Malformed)?;
        let full = self.streams.len() >= self.max;
        match self.find(header.ssrc()) {
            Ok(at) => {
                let (_, (stream, value)) = self.streams.get_mut(at).ok_or(OpenError::Malformed)?;
                let index = stream.guess(header.sequence());
                stream.check(index)?;
                let len = keys.open(packet, header_len, index)?;
                stream.accept(index);
                Ok(Opened { len, index, value })
            }
            Err(at) => {
                if full {
                    return Err(OpenError::TooManyStreams);
                }
                let mut stream = ReceiveStream::starting_at(header.sequence());
                let index = stream.guess(header.sequence());
                let len = keys.open(packet, header_len, index)?;
                let plain = packet.get(..len).ok_or(OpenError::Malformed)?;
                let value = admit(plain).ok_or(OpenError::Unwanted)?;
                stream.accept(index);
                self.streams.insert(at, (header.ssrc(), (stream, value)));
                let (_, (_, value)) = self.streams.get_mut(at).ok_or(OpenError::Malformed)?;
                Ok(Opened { len, index, value })
            }
        }
    }

    /// The stream of an SSRC, with what is kept about it.
    pub fn stream_mut(&mut self, ssrc: u32) -> Option<&mut (ReceiveStream, T)> {
        let at = self.find(ssrc).ok()?;
        self.streams.get_mut(at).map(|(_, stream)| stream)
    }

    /// All streams, by SSRC.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &ReceiveStream, &T)> {
        self.streams
            .iter()
            .map(|(ssrc, (stream, value))| (*ssrc, stream, value))
    }

    /// Enters a stream that is known from elsewhere, in place of one that may be there; `false` if there is no room.
    pub fn insert(&mut self, ssrc: u32, stream: ReceiveStream, value: T) -> bool {
        match self.find(ssrc) {
            Ok(at) => {
                let place = self.streams.get_mut(at);
                place.map(|(_, known)| *known = (stream, value)).is_some()
            }
            Err(_) if self.streams.len() >= self.max => false,
            Err(at) => {
                self.streams.insert(at, (ssrc, (stream, value)));
                true
            }
        }
    }

    /// Changes what is kept about the streams. None is ever forgotten: under the same keys its packets could be replayed.
    pub fn for_each_value(&mut self, mut change: impl FnMut(&mut T)) {
        self.streams
            .iter_mut()
            .for_each(|(_, (_, value))| change(value));
    }

    /// How many streams are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether no stream is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}
