//! The name of a room: chosen by callers, unlike the numbers of sessions.

use std::{fmt, sync::Arc};

use crate::core::refusal::Refusal;

/// Longest name of a room, in characters.
const LONGEST: usize = 64;

/// Name of a room: 1 to 64 characters of those that need no escape in a URL (RFC 3986 §2.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(Arc<str>);

impl RoomId {
    /// Reads a name.
    ///
    /// # Errors
    /// A [`Refusal`] that says what a name may hold.
    pub fn new(text: &str) -> Result<Self, Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
        // A path of dots is not a name but a direction (RFC 3986 §5.2.4).
        let dots = matches!(text, "." | "..");
        if (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain) && !dots {
            return Ok(Self(text.into()));
        }
        Err(Refusal::invalid(
            "room",
            format!("{text:?}"),
            format!("1 to {LONGEST} characters A-Z a-z 0-9 . _ ~ - (not . or .. alone)"),
        ))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for RoomId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_into_a_url_as_they_are() {
        for text in ["r", "A-z_0.9~", "...", &"x".repeat(64)] {
            assert_eq!(RoomId::new(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "\u{e9}",
            "a%20",
            &"x".repeat(65),
        ] {
            assert_eq!(RoomId::new(text).unwrap_err().field, "room", "{text}");
        }
    }
}
