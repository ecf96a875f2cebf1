//! The framing of ICE-TCP: each datagram behind its length in two bytes (RFC 4571 §2).

use std::fmt;

/// Bytes of the length field.
pub const LENGTH: usize = 2;

/// A frame of more bytes than a length field can say, or than the decoder takes. The connection cannot be brought back into step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTooLong {
    /// Bytes of the frame.
    pub len: usize,
    /// Bytes allowed.
    pub allowed: usize,
}

impl fmt::Display for FrameTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { len, allowed } = self;
        write!(f, "a frame of {len} bytes; allowed: at most {allowed}")
    }
}

impl std::error::Error for FrameTooLong {}

/// The two bytes that go before a frame.
///
/// # Errors
///
/// The frame is longer than 65,535 bytes.
pub fn encode(frame: &[u8]) -> Result<[u8; LENGTH], FrameTooLong> {
    let len = u16::try_from(frame.len()).map_err(|_| FrameTooLong {
        len: frame.len(),
        allowed: usize::from(u16::MAX),
    })?;
    Ok(len.to_be_bytes())
}

/// Takes a TCP stream apart. It holds one buffer of one frame, made once.
///
/// Read into [`Self::space`], say how much by [`Self::filled`], then take frames with [`Self::next_frame`] until there is none.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Box<[u8]>,
    /// Where the first unread byte lies, and where the bytes end.
    start: usize,
    end: usize,
}

impl FrameDecoder {
    /// A decoder of frames of at most `longest` bytes.
    #[must_use]
    pub fn new(longest: u16) -> Self {
        let len = LENGTH + usize::from(longest);
        Self {
            buffer: vec![0; len].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// Where the next bytes of the stream go. It is empty only while a whole frame waits to be taken.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// `len` bytes were put into [`Self::space`].
    pub fn filled(&mut self, len: usize) {
        self.end = self.end.saturating_add(len).min(self.buffer.len());
    }

    /// The next whole frame. Frames may be empty.
    ///
    /// # Errors
    ///
    /// The peer announces a longer frame than allowed: close the connection.
    pub fn next_frame(&mut self) -> Result<Option<&mut [u8]>, FrameTooLong> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(length) = unread.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes(*length));
        let allowed = self.buffer.len() - LENGTH;
        if len > allowed {
            return Err(FrameTooLong { len, allowed });
        }
        if unread.len() < LENGTH + len {
            return Ok(None);
        }
        let from = self.start + LENGTH;
        self.start = from + len;
        Ok(self.buffer.get_mut(from..self.start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Feeds a stream in pieces of the given sizes, in turn.
    fn decode(stream: &[u8], pieces: &[usize], longest: u16) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let mut decoder = FrameDecoder::new(longest);
        let (mut frames, mut rest) = (Vec::new(), stream);
        let mut pieces = pieces.iter().cycle();
        while !rest.is_empty() {
            let space = decoder.space();
            let len = space.len().min(rest.len()).min(*pieces.next().unwrap());
            space[..len].copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            decoder.filled(len);
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame.to_vec());
            }
        }
        Ok(frames)
    }

    fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
        let framed = |frame: &Vec<u8>| [&encode(frame).unwrap()[..], frame].concat();
        frames.iter().flat_map(framed).collect()
    }

    proptest! {
        #[test]
        fn whatever_the_pieces(
            frames in vec(vec(any::<u8>(), 0..40), 0..20),
            pieces in vec(1..50_usize, 1..8),
        ) {
            prop_assert_eq!(decode(&stream(&frames), &pieces, 40), Ok(frames));
        }

        #[test]
        fn any_bytes(bytes in vec(any::<u8>(), 0..300), pieces in vec(1..50_usize, 1..8)) {
            let allowed = 64;
            match decode(&bytes, &pieces, allowed) {
                Ok(frames) => prop_assert!(bytes.starts_with(&stream(&frames))),
                Err(error) => prop_assert!(error.len > usize::from(allowed)),
            }
        }
    }

    #[test]
    fn longest_and_too_long() {
        let frames = vec![vec![7; 1500], Vec::new(), vec![8; 1500]];
        assert_eq!(decode(&stream(&frames), &[1500], 1500), Ok(frames));
        let refused = decode(&stream(&[vec![0; 1501]]), &[1], 1500);
        let error = FrameTooLong {
            len: 1501,
            allowed: 1500,
        };
        assert_eq!(refused, Err(error));
        assert!(encode(&[0; 65_535]).is_ok());
        assert!(encode(&[0; 65_536]).is_err());
    }
}
