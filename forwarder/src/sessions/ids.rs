//! The names of things in the API: decimal numbers, as strings, never used twice in the life of a node.

use std::{fmt, str::FromStr};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u64);

        impl $name {
            /// The number.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl FromStr for $name {
            type Err = ();

            /// Takes exactly what `Display` gives: `+1` and `01` are other strings, not other spellings.
            fn from_str(text: &str) -> Result<Self, ()> {
                let id = Self(text.parse().map_err(|_| ())?);
                if id.to_string() == text { Ok(id) } else { Err(()) }
            }
        }
    )+};
}

ids! {
    /// Name of a session: one peer with its ICE, DTLS and bundle of m-lines.
    SessionId;
    /// Name of a publication: one m-line that a session sends to us.
    PublicationId;
    /// Name of a subscription: one m-line that we send to a session.
    SubscriptionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_read() {
        assert_eq!("12".parse(), Ok(SessionId(12)));
        assert_eq!(SessionId(12).to_string(), "12");
        for text in [
            "",
            "s12",
            "+12",
            "012",
            "-1",
            "1 ",
            "99999999999999999999999",
        ] {
            assert_eq!(text.parse::<PublicationId>(), Err(()), "{text}");
        }
    }
}
