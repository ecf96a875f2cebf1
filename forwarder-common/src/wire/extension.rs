//! The general mechanism for RTP header extensions (RFC 8285): the elements of an extension block, read and written.
//!
//! A block is the four bytes "defined by profile" and length of RFC 3550 §5.3.1 and the words that follow them. Both
//! forms are here: a receiver must take either, and a sender may need the second for one packet alone.

use core::ops::Range;

/// Bytes before the first element: the form, and the number of words that follow.
pub const HEADER_LEN: usize = 4;

/// The largest local identifier of the one-byte form: 0 is padding and 15 reserved (RFC 8285 §4.2).
pub const ONE_BYTE_MAX_ID: u8 = 14;

/// The longest element of the one-byte form, in bytes of data.
pub const ONE_BYTE_MAX_LEN: usize = 16;

/// The identifier that ends a block in the one-byte form (RFC 8285 §4.2).
const ONE_BYTE_STOP: u8 = 15;

const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;
/// The low four bits of the two-byte form's profile are the application's (RFC 8285 §4.3).
const TWO_BYTE_MASK: u16 = 0xfff0;

/// How long the headers of the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Identifiers 1-14, 1 to 16 bytes of data (RFC 8285 §4.2).
    OneByte,
    /// Identifiers 1-255, 0 to 255 bytes of data (RFC 8285 §4.3).
    TwoByte,
}

impl Form {
    /// The form that the field "defined by profile" names, if it is one of RFC 8285.
    #[inline]
    #[must_use]
    pub const fn from_profile(profile: u16) -> Option<Self> {
        match profile {
            ONE_BYTE_PROFILE => Some(Self::OneByte),
            _ if profile & TWO_BYTE_MASK == TWO_BYTE_PROFILE => Some(Self::TwoByte),
            _ => None,
        }
    }

    /// The value of the field "defined by profile".
    #[inline]
    #[must_use]
    pub const fn profile(self) -> u16 {
        match self {
            Self::OneByte => ONE_BYTE_PROFILE,
            Self::TwoByte => TWO_BYTE_PROFILE,
        }
    }

    /// Bytes before the data of each element.
    #[inline]
    #[must_use]
    pub const fn element_header_len(self) -> usize {
        match self {
            Self::OneByte => 1,
            Self::TwoByte => 2,
        }
    }

    /// Whether an element with this identifier and this many bytes of data can be said in this form.
    #[inline]
    #[must_use]
    pub const fn fits(self, id: u8, len: usize) -> bool {
        match self {
            Self::OneByte => {
                id != 0 && id <= ONE_BYTE_MAX_ID && len != 0 && len <= ONE_BYTE_MAX_LEN
            }
            Self::TwoByte => id != 0 && len <= u8::MAX as usize,
        }
    }
}

/// One element of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The local identifier, never 0.
    pub id: u8,
    /// Where the data begins, counted from the first byte of the elements.
    pub offset: usize,
    /// The data.
    pub data: &'a [u8],
}

/// The elements of a block, padding left out. Ends at what cannot be read.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    form: Form,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Elements<'a> {
    /// The elements in `bytes`, which are the words after the block's header.
    #[inline]
    #[must_use]
    pub const fn new(form: Form, bytes: &'a [u8]) -> Self {
        Self {
            form,
            bytes,
            offset: 0,
        }
    }

    /// The elements of a whole block, its header included; `None` if it is cut short or of another mechanism.
    #[inline]
    #[must_use]
    pub fn of_block(block: &'a [u8]) -> Option<Self> {
        let (&[a, b, c, d], rest) = block.split_first_chunk::<HEADER_LEN>()?;
        let form = Form::from_profile(u16::from_be_bytes([a, b]))?;
        let len = usize::from(u16::from_be_bytes([c, d])) * 4;
        Some(Self::new(form, rest.get(..len)?))
    }

    /// Identifier, length of the data, and length of the element's header; `None` ends the block.
    #[inline]
    fn head(&self) -> Option<(u8, usize, usize)> {
        let mut ahead = self.bytes.get(self.offset..)?.iter();
        let first = *ahead.next()?;
        match self.form {
            // An element with identifier 0 and a length, or with 15, ends the block (RFC 8285 §4.2).
            Form::OneByte => match (first >> 4, usize::from(first & 15) + 1) {
                (ONE_BYTE_STOP, _) | (0, 2..) => None,
                (id, len) => Some((id, len, 1)),
            },
            // Padding has no length byte (RFC 8285 §4.3).
            Form::TwoByte if first == 0 => Some((0, 0, 1)),
            Form::TwoByte => Some((first, usize::from(*ahead.next()?), 2)),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (id, len, header_len) = self.head()?;
            if id == 0 {
                self.offset += 1;
                continue;
            }
            let offset = self.offset + header_len;
            let Some(data) = self.bytes.get(offset..offset + len) else {
                self.offset = self.bytes.len();
                return None;
            };
            self.offset = offset + len;
            return Some(Element { id, offset, data });
        }
    }
}

/// Writes a block from its header on.
#[derive(Debug)]
pub struct Writer<'a> {
    form: Form,
    to: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A block without elements at the start of `to`.
    #[inline]
    pub const fn new(form: Form, to: &'a mut [u8]) -> Self {
        Self {
            form,
            to,
            at: HEADER_LEN,
        }
    }

    /// Appends an element of `len` bytes and gives their place, counted from the block's first byte. `None`, and
    /// nothing changes, if the form cannot say it or there is no room for it and the padding after it.
    #[inline]
    pub fn reserve(&mut self, id: u8, len: usize) -> Option<Range<usize>> {
        if !self.form.fits(id, len) {
            return None;
        }
        let start = self.at + self.form.element_header_len();
        let end = start + len;
        if end.next_multiple_of(4) > self.to.len() {
            return None;
        }
        match (self.form, self.to.get_mut(self.at..start)?) {
            (Form::OneByte, [head]) => *head = id << 4 | (len - 1) as u8,
            (Form::TwoByte, [head, count]) => (*head, *count) = (id, len as u8),
            _ => return None,
        }
        self.at = end;
        Some(start..end)
    }

    /// Appends an element with this data; see [`Self::reserve`].
    #[inline]
    pub fn push(&mut self, id: u8, data: &[u8]) -> Option<Range<usize>> {
        let place = self.reserve(id, data.len())?;
        self.to.get_mut(place.clone())?.copy_from_slice(data);
        Some(place)
    }

    /// Pads to whole words and writes the block's header. Gives the length of the block in bytes; `None` if `to` is
    /// shorter than the header, or the block longer than 65,535 words.
    #[inline]
    pub fn finish(self) -> Option<usize> {
        let end = self.at.next_multiple_of(4);
        self.to.get_mut(self.at..end)?.fill(0);
        let words = u16::try_from((end - HEADER_LEN) / 4).ok()?;
        let header = self.to.first_chunk_mut::<HEADER_LEN>()?;
        let [a, b] = self.form.profile().to_be_bytes();
        let [c, d] = words.to_be_bytes();
        *header = [a, b, c, d];
        Some(end)
    }
}
