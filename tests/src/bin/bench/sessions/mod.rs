//! `bench sessions`: what a session costs before any media flows: CPU time of a set-up, memory of an idle session and of a
//! subscription, and how long calls of the API take when there are many sessions.
//!
//! A node as it is deployed, the binary in the lab's namespace, on one core with all its threads; clients of str0m in a leaf's
//! namespace on another core, in one thread. Per path:
//!
//! * **set-ups**: rounds of so many new sessions, a bounded number at a time: the REST call, ICE and DTLS with the client's certificate
//!   checked, until the client has its keys. The cost is the CPU time of the node's process, user and system, all threads, per set-up;
//!   the best round counts. Packets that clients send are received by the kernel on the clients' core, before the node's sockets; what
//!   the node sends is received by the clients' sockets on the node's. Both versions of DTLS are measured, since which one is used is up
//!   to what the peer offers.
//! * **idle sessions**: how much the resident memory of a fresh node grows per connected session, after the first few have made what is
//!   made once. Whole pages count, shared ones and what the allocator holds back too.
//! * **subscriptions**: the same per subscription to video: added to connected sessions while media is silent, and then after more
//!   packets than a leg's history holds have left on every leg. The publications' own history, filled before, does not count.

pub mod calls;
pub mod clients;
mod process;
mod report;
mod room;
pub mod setups;

use anyhow::Result;
use forwarder_tests::rtc::DtlsVersion;
use forwarder_tests::{Lab, Leaf, Node};

use self::clients::Clients;
use self::report::Row;
use self::room::Room;
use self::setups::SetUps;
use crate::args::Common;
use crate::one_core;
use crate::progress::Progress;

/// The core of the node; clients have the next one, if there is one.
const CORE: usize = 0;
/// Room for more sessions than are made.
const MAX_SESSIONS: &str = "2048";
/// Set-ups that make what is made once.
const WARM_UP: u32 = 32;

#[derive(Debug, clap::Args)]
pub struct Sessions {
    #[command(flatten)]
    common: Common,
    /// Only these paths.
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_enum)]
    path: Vec<NodePath>,
    /// How many sessions are idle, and then subscribe.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1500))]
    sessions: Option<u32>,
}

/// How the node forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodePath {
    /// By XDP.
    Kernel,
    /// By sockets.
    Socket,
}

impl NodePath {
    /// As `forwarder run --path` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Socket => "socket",
        }
    }

    /// How a session's packets leave then, as the API has it.
    const fn leaves_by(self) -> &'static str {
        match self {
            Self::Kernel => "sealed",
            Self::Socket => "socket",
        }
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    rounds: u32,
    setups: u32,
    sessions: u32,
    calls: u32,
}

/// Runs the bench; gives whether every session was set up and every leg had its packets.
///
/// # Errors
/// The system's.
pub fn run(flags: &Sessions) -> Result<bool> {
    let quick = flags.common.quick;
    let size = Size {
        rounds: flags.common.rounds.unwrap_or(if quick { 2 } else { 4 }),
        setups: if quick { 150 } else { 400 },
        sessions: flags.sessions.unwrap_or(if quick { 200 } else { 1000 }),
        calls: if quick { 50 } else { 200 },
    };
    let paths = match &flags.path[..] {
        [] => &[NodePath::Kernel, NodePath::Socket],
        chosen => chosen,
    };
    let progress = Progress::new(size.rounds);
    progress.say("building the lab, or waiting for another one to end");
    let mut rows = Vec::new();
    let lab = Lab::star().build()?;
    for path in paths {
        rows.push(measure(&lab, *path, size, &progress)?);
    }
    drop(lab);
    progress.end();
    report::print(flags.common.json, &rows)?;
    Ok(rows.iter().all(Row::is_valid))
}

fn measure(lab: &Lab, path: NodePath, size: Size, progress: &Progress) -> Result<Row> {
    let leaf = lab.receiver();
    let say = |what: &str| progress.say(&format!("{} path: {what}", path.name()));

    let node = start(lab, path)?;
    let mut setups = [DtlsVersion::V12, DtlsVersion::V13].map(SetUps::new);
    at_leaf(leaf, || {
        let mut clients = Clients::new(leaf)?;
        let api = node.client()?;
        for measured in &mut setups {
            measured.warm_up(&node, &api, &mut clients, WARM_UP)?;
        }
        for round in 0..size.rounds {
            for measured in &mut setups {
                say(&format!(
                    "{} set-ups by {}, round {} of {}",
                    size.setups,
                    measured.version(),
                    round + 1,
                    size.rounds
                ));
                measured.round(&node, &api, &mut clients, size.setups)?;
            }
        }
        anyhow::Ok(())
    })?;
    drop(node);

    let node = start(lab, path)?;
    let room = at_leaf(leaf, || {
        let mut room = Room::new(&node, leaf, WARM_UP)?;
        say(&format!("{} idle sessions", size.sessions));
        room.fill(size.sessions, path.leaves_by())?;
        say("calls of the API");
        room.call(size.calls)?;
        say("publications");
        room.publish()?;
        say("subscriptions");
        room.subscribe()?;
        say("media on every leg");
        room.flow()?;
        anyhow::Ok(room.figures())
    })?;
    Ok(Row::new(path, &setups, room))
}

fn start(lab: &Lab, path: NodePath) -> Result<Node> {
    let arguments = [
        "--path",
        path.name(),
        "--workers",
        "1",
        "--max-sessions",
        MAX_SESSIONS,
    ];
    let node = Node::start_on_all(lab, &arguments)?;
    one_core::pin_process(node.pid(), CORE)?;
    Ok(node)
}

/// Runs what clients do: in their namespace, on a core that the node does not have.
fn at_leaf<T: Send>(leaf: &Leaf, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    leaf.netns.enter(|| {
        if one_core::count() > CORE + 1 {
            one_core::pin(CORE + 1)?;
        }
        work()
    })
}
