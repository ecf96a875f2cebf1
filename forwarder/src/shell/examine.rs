//! `forwarder doctor`: the doctor's findings, with the kernel path's own self-test among them.

use anyhow::Result;
use forwarder_common::tables::MAX_LEASES;

use super::data_plane;
use crate::{
    dataplane::{
        kernel::{Kernel, Options, self_test::COPIES},
        memory::Sizes,
    },
    doctor::{Facts, Path, SelfTest, examine_with},
    node::signals::Signals,
};

/// Examines an interface and prints the findings; whether the kernel path can be had on it.
///
/// # Errors
/// Where it cannot be examined at all.
pub fn examine(iface: &str, json: bool) -> Result<bool> {
    let report = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(async {
            // Killed half-way, the self-test would leave its program on the interface; it takes some seconds at most.
            let _held_back = Signals::listen()?;
            examine_with(iface, async |facts: &Facts| {
                tokio::task::block_in_place(|| self_test(iface, facts))
            })
            .await
        })?;
    if json {
        println!("{}", report.to_json()?);
    } else {
        println!("{report}");
    }
    Ok(report.path == Path::Kernel)
}

/// Brings the kernel path up on the interface, which proves it, and takes it down again.
fn self_test(iface: &str, facts: &Facts) -> SelfTest {
    let Some(device) = data_plane::device(iface, facts) else {
        return SelfTest::NotRun("there is no such interface".into());
    };
    let outcome = data_plane::cpus().and_then(|cpus| {
        let options = Options {
            name: format!("doctor-{}", std::process::id()),
            devices: vec![device],
            sizes: Sizes {
                hops: 64,
                chunks: 64,
                routes: 64,
                leases: MAX_LEASES,
                cpus,
            },
            workers: 1,
            sessions: 1,
            legs: 64,
        };
        Kernel::start(&options)?.kernel.stop()
    });
    match outcome {
        Ok(()) => SelfTest::Passed(format!(
            "{COPIES} copies came out distinct and whole, and the interface took {COPIES}"
        )),
        Err(error) => SelfTest::Failed {
            found: format!("{error:#}"),
            why: "copies of one packet must come out distinct and whole, each once".into(),
            mend: None,
        },
    }
}
