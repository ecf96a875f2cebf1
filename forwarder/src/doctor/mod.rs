//! `forwarder doctor IFACE`: can this interface carry media by XDP, and what has to change?
//!
//! Facts are gathered first ([`gather()`]) and judged afterwards ([`judge()`], pure), so that verdicts about cards that nobody has at
//! hand can be tested. The live self-test sends frames, which is the data plane's business: it is handed in.
//!
//! | file | holds |
//! | --- | --- |
//! | `facts` | what is looked at |
//! | `gather`, `ethtool`, `xdp_features`, `pins` | where it comes from: rtnetlink, ioctl, generic netlink, bpffs, /proc |
//! | `judge`, `host` | verdicts on the interface and on the host |
//! | `drivers` | what is known about drivers |
//! | `report` | findings, the conclusion, table and JSON |

pub mod drivers;
mod ethtool;
pub mod facts;
mod gather;
mod host;
mod judge;
mod pins;
mod report;
mod xdp_features;

pub use facts::Facts;
pub use gather::gather;
pub use judge::judge;
pub use report::{Finding, Path, Report, Verdict};

/// How the live self-test on the interface ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfTest {
    /// All copies came out distinct and whole; says how many of what.
    Passed(String),
    /// It failed.
    Failed {
        /// What was seen.
        found: String,
        /// What it means.
        why: String,
        /// The command that mends it, if one does.
        mend: Option<String>,
    },
    /// It was not run, and why.
    NotRun(String),
}

impl From<SelfTest> for Finding {
    fn from(outcome: SelfTest) -> Self {
        const CHECK: &str = "self-test";
        match outcome {
            SelfTest::Passed(found) => Self::ok(CHECK, found, ""),
            SelfTest::Failed { found, why, mend } => Self {
                mend,
                ..Self::bad(Verdict::Fail, CHECK, found, why)
            },
            SelfTest::NotRun(why) => Self::bad(Verdict::Unknown, CHECK, "not run", why),
        }
    }
}

/// Examines `interface` without a live self-test.
///
/// # Errors
/// When not even a netlink socket can be had. Everything else is a finding.
pub async fn examine(interface: &str) -> anyhow::Result<Report> {
    examine_with(interface, async |_: &Facts| {
        SelfTest::NotRun("this build of the doctor has no self-test".into())
    })
    .await
}

/// Examines `interface`, and runs `self_test` on it unless a check failed already or a program is attached, whose media a test
/// would disturb.
///
/// # Errors
/// When not even a netlink socket can be had. Everything else is a finding.
pub async fn examine_with(
    interface: &str,
    self_test: impl AsyncFnOnce(&Facts) -> SelfTest,
) -> anyhow::Result<Report> {
    let facts = gather(interface).await?;
    let report = judge(&facts);
    let outcome = if report.path == Path::Socket {
        SelfTest::NotRun("mend what failed above first".into())
    } else if facts.link.as_ref().is_some_and(|link| link.xdp.is_some()) {
        SelfTest::NotRun("a program is attached, and a test would disturb its media".into())
    } else {
        self_test(&facts).await
    };
    Ok(report.with(outcome.into()))
}
