//! Keys of sessions, each its own: made from the session's number, since nobody is to be kept from anything here.

use std::sync::Arc;

use anyhow::{Context, Result};
use forwarder::srtp::{MasterKey, SendKeys, Suite};

/// The master key of a session.
///
/// # Errors
/// Never: the lengths are the suite's.
pub fn master(suite: Suite, session: u32) -> Result<MasterKey> {
    let bytes: Vec<u8> = (0..suite.key_len() + suite.salt_len())
        .map(|at| {
            let word = session.wrapping_mul(0x9e37_79b9).rotate_left(at as u32);
            (word >> 13) as u8 ^ at as u8
        })
        .collect();
    let (key, salt) = bytes.split_at(suite.key_len());
    MasterKey::new(suite, key, salt).context("a master key")
}

/// What goes to a session's peer is sealed with these.
///
/// # Errors
/// As [`master`].
pub fn send_keys(suite: Suite, session: u32) -> Result<Arc<SendKeys>> {
    Ok(Arc::new(SendKeys::new(&master(suite, session)?)))
}
