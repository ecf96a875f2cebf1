//! Fingerprints of certificates (RFC 8122 §5): what ties a DTLS handshake to what was signalled.

use std::fmt;

use arrayvec::ArrayVec;
use aws_lc_rs::digest;

/// A hash function that may authenticate a certificate. RFC 8122 §5 forbids MD2 and MD5; SHA-1 collides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HashFunction {
    /// SHA-256, which all must have (RFC 8122 §5).
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    /// The name in signalling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// By its name in signalling, in any case (RFC 8122 §5).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|function| name.eq_ignore_ascii_case(function.name()))
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// The hash of a certificate's DER form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    value: ArrayVec<u8, 64>,
}

/// Which part of a fingerprint cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintError {
    /// The hash function is none of those that authenticate.
    Algorithm,
    /// The value is not as many hexadecimal pairs, separated by colons, as the function gives bytes.
    Value,
}

impl FingerprintError {
    /// The name of the field in signalling.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm",
            Self::Value => "value",
        }
    }

    /// What it may be.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Algorithm => "sha-256, sha-384 or sha-512",
            Self::Value => {
                "hexadecimal pairs separated by colons: 32 for sha-256, 48 for sha-384, 64 for sha-512"
            }
        }
    }
}

impl fmt::Display for FingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must be {}", self.field(), self.allowed())
    }
}

impl std::error::Error for FingerprintError {}

impl Fingerprint {
    /// Reads what signalling carries.
    ///
    /// # Errors
    ///
    /// The function is unknown, or the value is not one of its hashes.
    pub fn parse(algorithm: &str, value: &str) -> Result<Self, FingerprintError> {
        let function = HashFunction::from_name(algorithm).ok_or(FingerprintError::Algorithm)?;
        let mut bytes = ArrayVec::new();
        for pair in value.split(':') {
            let is_hex = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = is_hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten();
            let byte = byte.ok_or(FingerprintError::Value)?;
            bytes.try_push(byte).map_err(|_| FingerprintError::Value)?;
        }
        if bytes.len() != function.algorithm().output_len() {
            return Err(FingerprintError::Value);
        }
        Ok(Self {
            function,
            value: bytes,
        })
    }

    /// The fingerprint of a certificate in DER form.
    #[must_use]
    pub fn of(function: HashFunction, certificate: &[u8]) -> Self {
        let digest = digest::digest(function.algorithm(), certificate);
        Self {
            function,
            value: digest.as_ref().iter().copied().collect(),
        }
    }

    /// The hash function.
    #[must_use]
    pub const fn function(&self) -> HashFunction {
        self.function
    }

    /// Whether a certificate is one that was signalled. Of several functions only the strongest counts (RFC 8122 §5.1): a match in a
    /// weaker one would hand the choice to whoever can break it.
    #[must_use]
    pub fn any_matches(fingerprints: &[Self], certificate: &[u8]) -> bool {
        let strongest = fingerprints.iter().map(Self::function).max();
        strongest.is_some_and(|function| fingerprints.contains(&Self::of(function, certificate)))
    }
}

impl fmt::Display for Fingerprint {
    /// The value as signalling carries it: `AB:CD:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.value.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        for function in [
            HashFunction::Sha256,
            HashFunction::Sha384,
            HashFunction::Sha512,
        ] {
            let print = Fingerprint::of(function, b"certificate");
            let value = print.to_string();
            assert_eq!(
                Fingerprint::parse(function.name(), &value),
                Ok(print.clone())
            );
            let (name, lower) = (function.name().to_uppercase(), value.to_lowercase());
            assert_eq!(Fingerprint::parse(&name, &lower), Ok(print));
        }
    }

    #[test]
    fn the_known_value_of_sha_256() {
        // FIPS 180-4's example "abc".
        let print = Fingerprint::of(HashFunction::Sha256, b"abc").to_string();
        assert!(print.starts_with("BA:78:16:BF:8F:01:CF:EA"), "{print}");
    }

    #[test]
    fn refused() {
        let value = Fingerprint::of(HashFunction::Sha256, b"").to_string();
        for algorithm in ["sha-1", "md5", "", "sha256"] {
            let refused = Fingerprint::parse(algorithm, &value);
            assert_eq!(refused, Err(FingerprintError::Algorithm));
        }
        for value in [
            "",
            "AB",
            &value[1..],
            &value[..value.len() - 1],
            &value.replace(':', ""),
            &value.replace(':', "+"),
            &format!("{value}:"),
            &format!("{value}:00"),
        ] {
            let refused = Fingerprint::parse("sha-256", value);
            assert_eq!(refused, Err(FingerprintError::Value), "{value}");
        }
        assert!(Fingerprint::parse("sha-512", &value).is_err());
    }

    #[test]
    fn only_the_strongest_function_counts() {
        let ours = Fingerprint::of(HashFunction::Sha256, b"ours");
        let other = Fingerprint::of(HashFunction::Sha512, b"other");
        let both = [ours.clone(), other.clone()];
        assert!(Fingerprint::any_matches(&both[..1], b"ours"));
        assert!(!Fingerprint::any_matches(&both, b"ours"));
        assert!(Fingerprint::any_matches(&both, b"other"));
        assert!(!Fingerprint::any_matches(&[], b"ours"));
        let two = [ours, Fingerprint::of(HashFunction::Sha256, b"second")];
        assert!(Fingerprint::any_matches(&two, b"second"));
    }
}
