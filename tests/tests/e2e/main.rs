//! The forwarder end to end: the real binary in the lab, told over its API what to do, once per path.
//!
//! A scenario is a function of the path. Each module names the paths that its scenarios run on, with [`scenarios!`], and so
//! the tests are called `fanout::kernel::…` and `fanout::socket::…`. Every scenario ends by [`room::Room::close`], which stops
//! the node and fails if anything went missing on the way or stays behind.

/// Makes tests of scenarios: `scenarios!(kernel: one, two; socket: one)`.
macro_rules! scenarios {
    (kernel: $($kernel:ident),*; socket: $($socket:ident),*) => {
        scenarios!(@ kernel Kernel $($kernel)*);
        scenarios!(@ socket Socket $($socket)*);
    };
    (@ $module:ident $path:ident $($scenario:ident)+) => {
        mod $module {
            $(#[test]
            fn $scenario() {
                forwarder_tests::needs_root!();
                super::$scenario(crate::room::Path::$path);
            })+
        }
    };
    (@ $module:ident $path:ident) => {};
}

mod capacity;
mod churn;
mod cleanup;
mod deletion;
mod demultiplexing;
mod families;
mod fanout;
mod leftovers;
mod marks;
mod mixed;
mod neighbours;
mod passing;
mod rewriting;
mod room;
mod sizes;
mod state;
mod survival;
mod traffic;
mod unprivileged;
mod vlan;
