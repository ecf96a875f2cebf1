//! The shell around the core: one task that owns the core and the tables, and everyone else's handle to it.
//!
//! Commands come as closures that run in the task, one after the other; their answers are sent after the tables hold
//! the outcome. Next hops are followed here: a change names endpoints, and those are placed again one at a time, so that
//! an older answer never overtakes a newer one. The session core runs in the same task (`media`): it asks for changes of the
//! tables as callers do.

pub mod clock;
pub mod events;
mod following;
pub mod media;
pub mod parts;
mod rooms;
pub mod signals;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot, watch};

use self::{
    clock::boottime,
    events::EventLog,
    following::Following,
    media::{Media, MediaParts},
    parts::Parts,
};
use crate::{
    core::{
        Core, Input, Output, SocketUse, endpoint::EndpointSpec, ids::EndpointId, ops::Tables,
        placement::Placement, refusal::Refusal,
    },
    rooms::Rooms,
};

/// Commands that may wait for the task; callers beyond that wait themselves.
const QUEUE: usize = 256;

type Command = Box<dyn FnOnce(&mut Node) + Send>;

/// Everything the node's task owns.
pub struct Node {
    parts: Parts,
    media: Media,
    rooms: Rooms,
    events: EventLog,
    following: Following,
    started: u64,
    changes: Arc<AtomicU64>,
}

/// A placement, and how many changes had been told before it was asked for.
#[derive(Clone, Debug)]
pub struct Placed {
    placement: Placement,
    changes: u64,
}

impl Node {
    /// The core, to look at.
    #[must_use]
    pub const fn core(&self) -> &Core {
        &self.parts.core
    }

    /// The tables, to look at their counters.
    #[must_use]
    pub fn tables(&self) -> &dyn Tables {
        &*self.parts.tables
    }

    /// What the node was started with.
    #[must_use]
    pub const fn facts(&self) -> &parts::Facts {
        &self.parts.facts
    }

    /// Time since the start.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        Duration::from_nanos(boottime().saturating_sub(self.started))
    }

    /// Carries out a command; when it returns, the tables hold the outcome.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was carried out.
    pub fn handle(&mut self, input: Input) -> Result<Output, Refusal> {
        self.handle_at(boottime(), input)
    }

    fn handle_at(&mut self, now: u64, input: Input) -> Result<Output, Refusal> {
        let outcome = self.parts.core.handle(now, input, &mut *self.parts.tables);
        while let Some(socket) = self.parts.core.poll_closed() {
            self.parts.sockets.close(socket);
        }
        outcome
    }

    /// Binds the local address if it is new, then adds the endpoint. In a dry run the address is given up again, and what comes back
    /// is `None`.
    ///
    /// # Errors
    /// A [`Refusal`]; nothing was carried out.
    pub fn create_endpoint(
        &mut self,
        spec: EndpointSpec,
        placed: Placed,
        dry_run: bool,
    ) -> Result<Option<EndpointId>, Refusal> {
        // Numbers that have rested are free again. One time for all of it: a number that becomes free while the socket is
        // being bound would else be taken in the place of the one that it is bound to.
        let now = boottime();
        self.parts.core.handle_timeout(now, &mut *self.parts.tables);
        let input = Input::CreateEndpoint(spec, placed.placement);
        if dry_run {
            self.parts.core.check(&input)?;
        }
        let fresh = match self.parts.core.socket_for(&spec)? {
            SocketUse::Bound(_) => None,
            SocketUse::Fresh(number) => {
                let bound = self.parts.sockets.bind(number, spec.local());
                bound.map_err(|error| bind_refusal(&spec, &error))?;
                Some(number)
            }
        };
        if dry_run {
            // It can be bound: whether that is so, only binding tells.
            if let Some(number) = fresh {
                self.parts.sockets.close(number);
            }
            return Ok(None);
        }
        let outcome = self.handle_at(now, input);
        match (outcome, fresh) {
            (Ok(Output::Endpoint(id)), _) => {
                // What changed while the placement was on its way here may concern it.
                if placed.changes != self.changes.load(Ordering::Acquire) {
                    self.following.mark(following::Followed::Endpoint(id));
                }
                Ok(Some(id))
            }
            (Err(refusal), fresh) => {
                if let Some(number) = fresh {
                    self.parts.sockets.close(number);
                }
                Err(refusal)
            }
            (Ok(_), _) => Err(Refusal::failed(
                "endpoint",
                spec.local(),
                "a bug in the forwarder: report it",
            )),
        }
    }

    fn handle_timeout(&mut self) {
        let now = boottime();
        self.parts.core.handle_timeout(now, &mut *self.parts.tables);
        self.handle_media_timeout();
    }

    fn until_timeout(&self) -> Duration {
        let due = self.parts.core.poll_timeout();
        let due = due.min(self.media.poll_timeout());
        let due = due.min(self.rooms.poll_timeout());
        Duration::from_nanos(due.saturating_sub(boottime()))
    }
}

fn bind_refusal(spec: &EndpointSpec, error: &io::Error) -> Refusal {
    let local = spec.local();
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => Refusal::invalid(
            "local",
            local,
            format!(
                "an address of this host; {} is not one (see: ip address)",
                local.ip()
            ),
        ),
        io::ErrorKind::AddrInUse => Refusal::duplicate(
            "local",
            local,
            format!(
                "a UDP port that no other program has bound (see: ss -ulpn sport = {})",
                local.port()
            ),
        ),
        io::ErrorKind::PermissionDenied => Refusal::invalid(
            "local",
            local,
            "a port that the forwarder may bind: above 1023, or run it with CAP_NET_BIND_SERVICE",
        ),
        _ => Refusal::invalid(
            "local",
            local,
            format!("an address that can be bound; the system says: {error}"),
        ),
    }
}

/// How others reach the node's task.
#[derive(Clone)]
pub struct NodeHandle {
    commands: mpsc::Sender<Command>,
    placer: Arc<dyn parts::Placer>,
    changes: Arc<AtomicU64>,
    stop: Arc<watch::Sender<bool>>,
    events: EventLog,
}

impl NodeHandle {
    /// Runs `command` in the node's task.
    ///
    /// # Errors
    /// A [`Refusal`] where the node is stopping.
    pub async fn call<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let stopping = || {
            Refusal::failed(
                "node",
                "stopping",
                "nothing was changed; the forwarder is being stopped",
            )
        };
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |node| {
            // A caller that went away does not undo its command.
            let _ = reply.send(command(node));
        });
        self.commands.send(command).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    /// Finds out how an endpoint is reached, ahead of [`Node::create_endpoint`].
    ///
    /// # Errors
    /// A [`Refusal`] that names the address at fault.
    pub async fn place(&self, spec: &EndpointSpec) -> Result<Placed, Refusal> {
        let changes = self.changes.load(Ordering::Acquire);
        let placement = self
            .placer
            .place(spec.local(), spec.remote(), spec.vlan())
            .await?;
        Ok(Placed { placement, changes })
    }

    /// What happens in the node, to listen to.
    #[must_use]
    pub const fn events(&self) -> &EventLog {
        &self.events
    }

    /// Asks the node to stop, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the node is asked to stop.
    pub async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender is in `self`, so this cannot fail.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// A node and its task: await [`Task::run`].
pub struct Task {
    node: Node,
    commands: mpsc::Receiver<Command>,
    handle: NodeHandle,
}

/// Puts a node together, in a tokio runtime. The lease is set before this returns, so traffic may flow from then on.
///
/// # Errors
/// What the system says about the media port.
pub fn assemble(parts: Parts, media: MediaParts) -> io::Result<(NodeHandle, Task)> {
    let max_sessions = parts.core.settings().limits.sessions;
    let (sender, commands) = mpsc::channel(QUEUE);
    let changes = Arc::new(AtomicU64::new(0));
    let handle = NodeHandle {
        commands: sender,
        placer: Arc::clone(&parts.placer),
        changes: Arc::clone(&changes),
        stop: Arc::new(watch::Sender::new(false)),
        events: EventLog::default(),
    };
    let rooms = Rooms::new(media.rooms.clone())
        .map_err(|refusal| io::Error::new(io::ErrorKind::InvalidInput, refusal))?;
    let mut node = Node {
        rooms,
        events: handle.events.clone(),
        media: Media::new(media, max_sessions)?,
        parts,
        following: Following::default(),
        started: boottime(),
        changes,
    };
    node.handle_timeout();
    node.open_ports();
    let task = Task {
        node,
        commands,
        handle: handle.clone(),
    };
    Ok((handle, task))
}

impl Task {
    /// Runs until the node is asked to stop; gives back what it was made of, to be taken down. Workers have ended by then.
    pub async fn run(self) -> Parts {
        let Self {
            mut node,
            mut commands,
            handle,
        } = self;
        let placer = Arc::clone(&node.parts.placer);
        let mut changed = Some(placer.changed());
        let stopped = handle.stopped();
        tokio::pin!(stopped);
        let mut placing = None;
        loop {
            if placing.is_none() {
                placing = node.next_placing(&placer);
            }
            let timeout = node.until_timeout().min(node.following.until_retry());
            tokio::select! {
                biased;
                () = &mut stopped => {
                    node.close_sessions();
                    return node.parts;
                }
                Some(command) = commands.recv() => command(&mut node),
                told = following::ready(&mut changed) => {
                    changed = told.map(|changes| {
                        node.note_changes(&changes);
                        node.open_ports();
                        placer.changed()
                    });
                }
                (id, placement) = following::ready(&mut placing) => {
                    placing = None;
                    node.follow(id, placement);
                }
                wakeup = node.media.ready() => node.serve(wakeup),
                () = tokio::time::sleep(timeout) => {}
            }
            if node.until_timeout().is_zero() {
                node.handle_timeout();
            }
            node.following.retry();
        }
    }
}
