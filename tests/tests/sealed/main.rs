//! Sessions end to end: real WebRTC clients and the real forwarder in the lab, ICE and DTLS-SRTP on every leg, every frame compared
//! with what was published and every packet accounted for.
//!
//! A scenario is a function of a [`hall::Kind`]: path and address family. Each module names the kinds that its scenarios run on with
//! [`scenarios!`], so tests are called `calls::kernel_v4::…`. Every scenario ends with [`hall::Hall::close`], which stops the node and
//! fails if anything went missing on the way or stays behind.

/// Makes tests of scenarios: `scenarios!(one, two)` on both paths and both families, `scenarios!(kernel_v4: one; socket_v6: one)` on
/// those alone.
macro_rules! scenarios {
    ($($scenario:ident),+ $(,)?) => {
        scenarios!(
            kernel_v4: $($scenario),+;
            kernel_v6: $($scenario),+;
            socket_v4: $($scenario),+;
            socket_v6: $($scenario),+
        );
    };
    ($($module:ident: $($scenario:ident),+);+ $(;)?) => {
        $(mod $module {
            $(#[test]
            fn $scenario() {
                forwarder_tests::needs_root!();
                super::$scenario(crate::hall::Kind::named(stringify!($module)));
            })+
        })+
    };
}

mod calls;
mod clean;
mod crowds;
mod feedback;
mod floods;
mod hall;
mod hostile;
mod joining;
#[path = "../e2e/leftovers.rs"]
mod leftovers;
mod mixed;
mod moving;
mod overload;
mod pairs;
mod sources;
mod starting;
mod strays;
mod suites;
mod workers;
