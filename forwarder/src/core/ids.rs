//! The names of things in the API: a letter and a number, never used twice.

use std::{fmt, str::FromStr};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident = $letter:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ();

            /// Takes exactly what `Display` gives: `+1` and `01` are other strings, not other spellings.
            fn from_str(text: &str) -> Result<Self, ()> {
                let number = text.strip_prefix($letter).ok_or(())?;
                let id = Self(number.parse().map_err(|_| ())?);
                if id.to_string() == text { Ok(id) } else { Err(()) }
            }
        }
    )+};
}

ids! {
    /// Name of an endpoint: `e1`, `e2` and so on.
    EndpointId = "e";
    /// Name of a publication: `p1`, `p2` and so on.
    PublicationId = "p";
    /// Name of a subscription: `s1`, `s2` and so on.
    SubscriptionId = "s";
    /// Name of a pair, in the log only: `pair1`, `pair2` and so on.
    PairId = "pair";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_read() {
        assert_eq!("e12".parse(), Ok(EndpointId(12)));
        for text in [
            "",
            "e",
            "12",
            "p12",
            "e+12",
            "e012",
            "e-1",
            "e1 ",
            "E1",
            "e99999999999999999999",
        ] {
            assert_eq!(text.parse::<EndpointId>(), Err(()), "{text}");
        }
    }
}
