//! Properties of the rules, for any input that proptest can think of, against models that share no code with them.
//!
//! | file | holds |
//! | --- | --- |
//! | `checksum`, `rewrite`, `classify`, `ticket` | the small rules |
//! | `frames` | frames built by another crate, and how to break them |
//! | `ingress` | what is taken, passed and dropped, truncation at every byte, hostile bytes |
//! | `extension` | blocks of RTP header extensions |
//! | `egress` | replicas against an independent builder |
//! | `softirq` | one CPU's rounds of NAPI, as the kernel does them |
//! | `pacer` | the pacer on that CPU: rings hold, nothing is lost, order stays, a broken loop mends |

mod checksum;
mod classify;
mod egress;
mod extension;
mod frames;
mod ingress;
mod pacer;
mod rewrite;
mod softirq;
mod ticket;

use proptest::test_runner::Config;

/// So many cases, and no files: what fails is printed whole.
fn cases(number: u32) -> Config {
    Config {
        cases: number,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}
