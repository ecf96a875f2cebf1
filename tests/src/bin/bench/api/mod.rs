//! `bench api`: how long calls of the control API take on a node with ten thousand subscriptions.
//!
//! A node as it is deployed, the binary in the lab's namespace, asked over HTTP on loopback by one client that keeps its connection,
//! one call at a time: from sending the request to having the whole answer. Rooms of connected sessions are there before, each
//! session subscribed to every video of its room, while no media flows. The clients' own work, checks of consent, is done between
//! calls, in the thread that also makes them.
//!
//! * **alone**: each kind of call, in turns with the others.
//! * **beside `GET /v0/state`**: the same quick calls while another client asks for everything again and again: one large answer must
//!   not be what others wait for.

mod hall;
mod report;
mod timing;

use anyhow::Result;
use forwarder_tests::{Lab, Node};

use self::hall::Hall;
use self::report::Report;
use crate::args::Common;
use crate::progress::Progress;

/// More sessions than are made.
const MAX_SESSIONS: &str = "2048";

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Each has as many subscribers and videos as follows.
    rooms: u32,
    subscribers: u32,
    videos: u32,
    /// Of each kind.
    calls: u32,
}

/// Runs the bench; gives whether the node had as many subscriptions as it was to have.
///
/// # Errors
/// The system's, and when the node refuses a call.
pub fn run(flags: &Common) -> Result<bool> {
    let size = Size {
        rooms: if flags.quick { 2 } else { 10 },
        subscribers: if flags.quick { 20 } else { 100 },
        videos: 10,
        calls: if flags.quick { 30 } else { 1000 },
    };
    let progress = Progress::new(1);
    progress.say("building the lab, or waiting for another one to end");
    let lab = Lab::star().build()?;
    let node = Node::start_on_all(&lab, &["--max-sessions", MAX_SESSIONS])?;
    let leaf = lab.receiver();
    let report = leaf.netns.enter(|| -> Result<Report> {
        let mut hall = Hall::new(&node, leaf)?;
        progress.say("rooms of connected sessions, and their subscriptions");
        hall.fill(size)?;
        progress.say("calls, one at a time");
        let alone = timing::alone(&mut hall, size.calls)?;
        progress.say("the same beside GET /v0/state");
        let beside = timing::beside_state(&mut hall, size.calls)?;
        Ok(Report::new(hall.account()?, alone, beside))
    })?;
    progress.end();
    report.print(flags.json)?;
    Ok(report.is_full(size))
}
