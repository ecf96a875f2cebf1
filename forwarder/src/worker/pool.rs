//! All workers of a node: started together, told by number, and heard by one descriptor.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        mpsc::{Sender as CommandSender, channel},
    },
    thread::{Builder, JoinHandle},
};

use anyhow::{Context, Result};
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
    eventfd::{EfdFlags, EventFd},
};

use super::{
    command::Command,
    note::Note,
    outlets::Outlets,
    relay,
    send_state::SendState,
    state::State,
    tally::Tally,
    tcp::TcpConnections,
    telling::{Notes, telling},
    thread::{RING, Thread, WAKE},
};
use crate::dataplane::{counters::ReasonTable, kernel::worker_port::WorkerPort};

/// What workers are started with.
pub struct Options {
    /// What each worker has in common with XDP, if there is XDP: as many as there are workers.
    pub ports: Vec<Option<WorkerPort>>,
    /// The CPUs that workers stay on; those beyond float.
    pub cpus: Vec<usize>,
    /// What keys were used for.
    pub send_state: Arc<SendState>,
    /// Where they count, one row each.
    pub reasons: Arc<ReasonTable>,
}

/// The workers. Dropping it ends their threads.
pub struct Workers {
    workers: Vec<Worker>,
    notes: Vec<Notes>,
    told: Arc<EventFd>,
}

struct Worker {
    door: Door,
    thread: Option<JoinHandle<()>>,
}

/// Where a worker takes commands.
#[derive(Clone, Debug)]
pub struct Door {
    commands: CommandSender<Command>,
    wake: Arc<EventFd>,
}

impl Door {
    /// Tells the worker; it obeys before it looks at packets that arrive later.
    pub fn tell(&self, command: Command) {
        // Where either fails, the thread has ended, and says so in the log.
        if self.commands.send(command).is_ok() {
            let _ended = self.wake.write(1);
        }
    }
}

impl Workers {
    /// Starts one worker per port.
    ///
    /// # Errors
    /// No thread, memory or descriptor is left.
    pub fn spawn(options: Options) -> Result<Self> {
        let Options {
            ports,
            cpus,
            send_state,
            reasons,
        } = options;
        let told = Arc::new(event()?);
        let wakes = ports
            .iter()
            .map(|_| Ok(Arc::new(event()?)))
            .collect::<Result<Vec<_>>>()?;
        let mut all = Self {
            workers: Vec::new(),
            notes: Vec::new(),
            told: Arc::clone(&told),
        };
        let relays = relay::between(&wakes);
        for (((number, port), wake), relays) in (0..).zip(ports).zip(wakes).zip(relays) {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
            let (arrivals, slots) = port.map(|port| (port.arrivals, port.slots)).unzip();
            if let Some(arrivals) = &arrivals {
                epoll.add(arrivals.fd(), EpollEvent::new(EpollFlags::EPOLLIN, RING))?;
            }
            let (telling, notes) = telling(Arc::clone(&told));
            let (commands, obeyed) = channel();
            let thread = Thread {
                state: State::new(
                    Outlets::new(number, slots, TcpConnections::default(), relays),
                    telling,
                    Tally::new(Arc::clone(&reasons), number),
                    Arc::clone(&send_state),
                ),
                arrivals,
                epoll,
                wake: Arc::clone(&wake),
                commands: obeyed,
                cpu: cpus.get(number as usize).copied(),
            };
            let thread = Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || thread.run())
                .context("cannot start the thread of a worker")?;
            all.notes.push(notes);
            all.workers.push(Worker {
                door: Door { commands, wake },
                thread: Some(thread),
            });
        }
        Ok(all)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.workers.len() as u32
    }

    /// Tells one worker; it obeys before it looks at packets that arrive later.
    pub fn tell(&self, worker: u32, command: Command) {
        if let Some(worker) = self.workers.get(worker as usize) {
            worker.door.tell(command);
        }
    }

    /// Binds a TCP connection that worker `from` has to a session of worker `to`, which serves it from now on.
    pub fn bind_tcp(&self, connection: u32, session: u32, from: u32, to: u32) {
        if from == to {
            let bind = Command::BindTcp {
                connection,
                session,
            };
            return self.tell(to, bind);
        }
        if let Some(worker) = self.workers.get(to as usize) {
            worker.door.tell(Command::ExpectTcp { connection });
            let hand = Command::HandTcp {
                connection,
                session,
                to: worker.door.clone(),
            };
            self.tell(from, hand);
        }
    }

    /// Tells every worker.
    pub fn tell_all(&self, command: impl Fn() -> Command) {
        for worker in 0..self.count() {
            self.tell(worker, command());
        }
    }

    /// Readable when a worker has told something that cannot wait. Read it before [`Workers::drain`].
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.told.as_fd()
    }

    /// Makes the descriptor wait for what is told from now on.
    pub fn acknowledge(&self) {
        // Nothing to read is fine: nobody had told anything.
        let _nothing = self.told.read();
    }

    /// Takes what workers have told, at most `budget` datagrams and news of each. Gives whether more wait.
    pub fn drain(&mut self, budget: usize, mut each: impl FnMut(Note)) -> bool {
        let mut more = false;
        for notes in &mut self.notes {
            more |= notes.drain(budget, &mut each);
        }
        more
    }

    /// Notes that found no room since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.notes.iter().map(Notes::lost).sum()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.tell_all(|| Command::Stop);
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _panicked = thread.join();
            }
        }
    }
}

fn event() -> Result<EventFd> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    EventFd::from_flags(flags).context("cannot create an event descriptor")
}
