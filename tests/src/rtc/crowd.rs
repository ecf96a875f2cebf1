//! A thread in a namespace with any number of clients in it, and handles on them.

use std::os::fd::AsFd;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;

use super::agent::{Agent, AgentOptions};
use super::reports::Report;
use crate::netns::Netns;

/// The longest sleep.
const NAP: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce(&mut Vec<Option<Agent>>) + Send>;

/// Clients of one namespace. They end when it goes out of scope.
#[derive(Debug)]
pub struct Crowd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    jobs: Option<mpsc::Sender<Job>>,
    bell: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// A handle on a client of a crowd.
#[derive(Clone, Debug)]
pub struct Member {
    crowd: Arc<Inner>,
    seat: usize,
}

impl Crowd {
    /// Starts the thread, in a namespace or in the caller's own.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn start(netns: Option<&Netns>) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (ready, entered) = mpsc::channel();
        let bell = Arc::new(EventFd::from_flags(
            EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC,
        )?);
        let (theirs, netns) = (Arc::clone(&bell), netns.cloned());
        let thread = std::thread::Builder::new()
            .name("clients".to_owned())
            .spawn(move || {
                let outcome = netns.as_ref().map_or(Ok(()), Netns::enter_this_thread);
                let failed = outcome.is_err();
                let _ = ready.send(outcome);
                drop(netns);
                if !failed {
                    live(&inbox, &theirs);
                }
            })?;
        entered.recv().context("the clients' thread is gone")??;
        Ok(Self(Arc::new(Inner {
            jobs: Some(jobs),
            bell,
            thread: Some(thread),
        })))
    }

    /// Keeps its thread on one CPU from now on. On a veth without NAPI packets wait at the CPU of their sender, so that those of a
    /// thread that moves may overtake each other; of a NIC's flow they do not.
    ///
    /// # Errors
    /// Of the system call.
    pub fn stay_on_one_cpu(&self) -> Result<()> {
        self.0.ask(|_| {
            let mut one = CpuSet::new();
            one.set(sched_getcpu()?)?;
            Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
        })
    }

    /// Adds a client.
    ///
    /// # Errors
    /// When it cannot have its socket.
    pub fn add(&self, options: AgentOptions) -> Result<Member> {
        let seat = self.0.ask(move |agents| {
            let agent = Agent::new(options, Instant::now())?;
            agents.push(Some(agent));
            Ok::<usize, anyhow::Error>(agents.len() - 1)
        })?;
        Ok(Member {
            crowd: Arc::clone(&self.0),
            seat,
        })
    }
}

impl Member {
    /// Has something done with the client in its thread, and waits for the answer.
    ///
    /// # Panics
    /// When the thread is gone, or the client was dismissed.
    pub fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Agent, Instant) -> T + Send + 'static,
    ) -> T {
        let seat = self.seat;
        self.crowd.ask(move |agents| {
            let agent = agents[seat]
                .as_mut()
                .expect("a client that was not dismissed");
            work(agent, Instant::now())
        })
    }

    /// All that the client saw.
    #[must_use]
    pub fn report(&self) -> Report {
        self.ask(|agent, _| agent.report())
    }

    /// Ends the client on the spot: its socket is closed, nobody is told.
    pub fn dismiss(&self) {
        let seat = self.seat;
        self.crowd.ask(move |agents| agents[seat] = None);
    }
}

impl Inner {
    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Option<Agent>>) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = mpsc::channel();
        let job: Job = Box::new(move |agents| drop(reply.send(work(agents))));
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send(job).is_ok());
        assert!(sent, "the clients' thread is gone");
        // A full counter rings as well.
        let _ = self.bell.write(1);
        answer.recv().expect("the clients' thread answers")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.bell.write(1);
        if let Some(thread) = self.thread.take() {
            // The last handle may be dropped by the thread itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

/// Serves clients until nobody can ask for anything any more.
fn live(inbox: &mpsc::Receiver<Job>, bell: &EventFd) {
    let mut agents: Vec<Option<Agent>> = Vec::new();
    loop {
        loop {
            match inbox.try_recv() {
                Ok(job) => job(&mut agents),
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
        let mut more = false;
        for agent in agents.iter_mut().flatten() {
            more |= agent.receive();
            agent.advance(Instant::now());
        }
        if !more {
            wait(&agents, bell);
        }
    }
}

/// Sleeps until something comes or is due.
fn wait(agents: &[Option<Agent>], bell: &EventFd) {
    let mut fds = vec![PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
    let mut wake = Instant::now() + NAP;
    for agent in agents.iter().flatten() {
        wake = wake.min(agent.next_wake());
        for road in agent.roads() {
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, road.has_waiting());
            fds.push(PollFd::new(road.fd(), flags));
        }
    }
    let nap = wake.saturating_duration_since(Instant::now());
    // Interrupted or not, the loop looks again.
    let _ = ppoll(&mut fds, Some(TimeSpec::from_duration(nap)), None);
    let _ = bell.read();
}
