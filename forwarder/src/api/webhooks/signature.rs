//! Signatures of webhooks, as Standard Webhooks has them (<https://www.standardwebhooks.com>).

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};

/// What a secret in Base64 begins with.
const PREFIX: &str = "whsec_";

/// Signs what is posted.
pub struct Signer(hmac::Key);

impl Signer {
    /// Reads a secret: bytes in Base64 after `whsec_`, or else the text itself.
    pub fn new(secret: &str) -> Option<Self> {
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) => BASE64_STANDARD.decode(encoded).ok()?,
            None => secret.as_bytes().to_vec(),
        };
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature`; `time` in seconds since 1970.
    pub fn sign(&self, id: &str, time: u64, body: &str) -> String {
        let tag = hmac::sign(&self.0, format!("{id}.{time}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the libraries of Standard Webhooks.
    #[test]
    fn the_published_example() {
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signed = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(Signer::new("whsec_no base64").is_none());
    }
}
