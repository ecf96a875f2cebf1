//! Sealing with AES four blocks to a register, with VAES and VPCLMULQDQ.
//!
//! A replica differs from the next one in its key, so what a library does per call counts for as much as how fast its loop is. This
//! seals only: what comes from outside is opened by aws-lc, which also seals where the CPU lacks these instructions, and which
//! the tests compare this with. Nothing branches on, or looks up by, a key or a text: time depends on lengths alone.

#[cfg(target_arch = "x86_64")]
mod aes;
#[cfg(target_arch = "x86_64")]
mod gcm;
#[cfg(target_arch = "x86_64")]
mod ghash;
#[cfg(not(target_arch = "x86_64"))]
mod nowhere;
#[cfg(target_arch = "x86_64")]
mod register;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(super) use self::{aes::WideAes, gcm::WideGcm};
#[cfg(not(target_arch = "x86_64"))]
pub(super) use nowhere::{WideAes, WideGcm};
