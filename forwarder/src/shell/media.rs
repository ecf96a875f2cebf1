//! Sessions at start: certificate, random numbers, media port and workers, put together for the node.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result};
use forwarder_common::slots::MAX_WORKERS;
use nix::{
    sched::{CpuSet, sched_getaffinity},
    sys::resource::{Resource, getrlimit, setrlimit},
    unistd::Pid,
};

use super::media_port::{self, MediaPort};
use crate::{
    config::Config,
    dataplane::{counters::ReasonTable, kernel::worker_port::WorkerPort, region::Region},
    net::Resolver,
    node::{
        clock::boottime,
        media::{MediaParts, sockets::Marks},
    },
    sessions::{Entropy, Sessions, settings::Settings},
    transport::{Certificate, DtlsContext, Timebase},
    worker::{Options, Workers, send_state::SendState},
};

/// What sessions need before workers run: what can fail without a trace.
pub struct Prepared {
    sessions: Sessions,
    port: MediaPort,
    marks: Marks,
}

/// Opens the media port and loads the certificate.
///
/// # Errors
/// What was configured cannot be had, with what can.
pub fn prepare(config: &Config, resolver: &Resolver, workers: usize) -> Result<Prepared> {
    raise_descriptors();
    let marks = Marks {
        dscp: config.dscp,
        ttl: config.ttl,
    };
    let certificate = match config.certificate_files()? {
        Some(files) => Certificate::load(&files.certificate, &files.private_key)
            .context("certificate or private-key cannot be used")?,
        None => Certificate::self_signed()?,
    };
    let timebase = Timebase::new(boottime(), Instant::now());
    let dtls = DtlsContext::new(certificate, timebase)?;
    let port = media_port::open(config, resolver, marks)?;
    let settings = Settings {
        max_sessions: config.max_sessions,
        max_publications: config.max_publications,
        max_subscriptions: config.max_subscriptions,
        workers: u32::try_from(workers)?,
        candidates: port.candidates.clone(),
        ..Settings::default()
    };
    let sessions = Sessions::new(settings, dtls, entropy())?;
    Ok(Prepared {
        sessions,
        port,
        marks,
    })
}

impl Prepared {
    /// The addresses that sessions are reached at, for whoever started the node.
    pub fn addresses(&self) -> String {
        let locals = self.port.listeners.iter();
        let locals: Vec<_> = locals.map(|listener| listener.local.to_string()).collect();
        locals.join(", ")
    }

    /// Starts the workers, each on its CPU; gives what the node needs.
    ///
    /// # Errors
    /// No thread, memory or descriptor is left.
    pub fn start(self, ports: Vec<Option<WorkerPort>>, cpus: Vec<usize>) -> Result<MediaParts> {
        let rows = u32::try_from(ports.len())?;
        let reasons = Region::heap(ReasonTable::len(rows))?;
        let reasons = Arc::new(ReasonTable::new(reasons, rows));
        // Numbers of legs begin with 1.
        let legs = self.sessions.settings().max_subscriptions.saturating_add(1);
        let workers = Workers::spawn(Options {
            ports,
            cpus,
            send_state: Arc::new(SendState::heap(legs)?),
            reasons: Arc::clone(&reasons),
        })?;
        Ok(MediaParts {
            sessions: self.sessions,
            workers,
            reasons,
            listeners: self.port.listeners,
            marks: self.marks,
        })
    }
}

/// The CPUs that workers stay on: as many as were asked for, of those that this process may use.
///
/// # Errors
/// What the system says.
pub fn cpus(config: &Config) -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    let allowed: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect();
    let most = MAX_WORKERS as usize;
    let count = config.workers.map_or(allowed.len(), |count| count as usize);
    // With more workers than CPUs some share one.
    Ok(allowed
        .into_iter()
        .cycle()
        .take(count.clamp(1, most))
        .collect())
}

/// Random numbers for credentials.
fn entropy() -> Entropy {
    Box::new(|bytes| {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Credentials that can be guessed are worse than none.
            log::error!("the system gives no random numbers");
            std::process::abort();
        }
    })
}

/// Every session has a socket: the soft limit of file descriptors, 1024 by custom, is raised to the hard one.
fn raise_descriptors() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::warn!("the limit of file descriptors cannot be raised: {error}");
    }
}
