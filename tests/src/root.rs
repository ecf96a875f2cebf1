//! Whether this process may make network namespaces. Tests that need them leave themselves out otherwise, and say so.

use nix::sched::{CloneFlags, unshare};

/// Whether network namespaces can be made here: root by number, and with the capabilities to go with it (containers often
/// have the first without the second).
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
        && std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET).is_ok())
            .join()
            .unwrap_or(false)
}

/// Prints the line by which the test command counts what was left out. The test's name is that of its thread.
pub fn say_left_out() {
    let thread = std::thread::current();
    println!(
        "left out: needs root: {}",
        thread.name().unwrap_or("a test")
    );
}

/// Returns from the calling test, with one printed line, unless network namespaces can be made here.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::root::is_root() {
            $crate::root::say_left_out();
            return;
        }
    };
}
