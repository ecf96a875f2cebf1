//! Ctrl-C and its like: noted, so that the demo ends in order and takes its namespaces with it.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Ends the demo in order when the user, the terminal or the system asks for its end.
///
/// # Errors
/// Of the system call.
pub fn listen() -> Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { sigaction(signal, &action)? };
    }
    Ok(())
}

/// Whether the end was asked for.
pub fn wanted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Returns an error once the end was asked for.
///
/// # Errors
/// Then.
pub fn check() -> Result<()> {
    anyhow::ensure!(!wanted(), "interrupted");
    Ok(())
}

extern "C" fn note(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}
