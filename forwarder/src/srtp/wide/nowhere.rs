//! For CPUs of other kinds: no key can be had.

use std::convert::Infallible;

use super::super::text::Text;

/// An AES key for counter mode.
pub(in super::super) struct WideAes(Infallible);

/// An AES key for GCM.
pub(in super::super) struct WideGcm(Infallible);

impl WideAes {
    pub(in super::super) fn new(_key: &[u8]) -> Option<Self> {
        None
    }

    pub(in super::super) fn apply_keystream(&self, _counter: u128, _text: Text<'_>) {
        match self.0 {}
    }
}

impl WideGcm {
    pub(in super::super) fn new(_key: &[u8]) -> Option<Self> {
        None
    }

    pub(in super::super) fn seal(&self, _nonce: u128, _clear: &[u8], _text: Text<'_>) -> [u8; 16] {
        match self.0 {}
    }
}
