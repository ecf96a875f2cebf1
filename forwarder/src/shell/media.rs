//! Sessions at start: certificate, random numbers, media port and workers, put together for the node.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::media_port::{self, MediaPort};
use crate::{
    config::Config,
    dataplane::counters::ReasonTable,
    net::Resolver,
    node::{
        clock::boottime,
        media::{MediaParts, sockets::Marks},
    },
    rooms,
    sessions::{Entropy, Sessions, settings::Settings},
    transport::{Certificate, DtlsContext, Timebase},
    worker::Workers,
};

/// What sessions need before workers run: what can fail without a trace.
pub struct Prepared {
    sessions: Sessions,
    port: MediaPort,
    marks: Marks,
    rooms: rooms::Settings,
}

/// Opens the media port and loads the certificate.
///
/// # Errors
/// What was configured cannot be had, with what can.
pub fn prepare(config: &Config, resolver: &Resolver, workers: u32) -> Result<Prepared> {
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
        workers,
        candidates: port.candidates.clone(),
        ..Settings::default()
    };
    let sessions = Sessions::new(settings, dtls, entropy())?;
    Ok(Prepared {
        sessions,
        port,
        marks,
        rooms: config.rooms.clone(),
    })
}

impl Prepared {
    /// The addresses that sessions are reached at, for whoever started the node.
    pub fn addresses(&self) -> String {
        let locals = self.port.listeners.iter();
        let locals: Vec<_> = locals.map(|listener| listener.local.to_string()).collect();
        locals.join(", ")
    }

    /// Hands everything to the node.
    pub fn into_parts(self, workers: Workers, reasons: Arc<ReasonTable>) -> MediaParts {
        MediaParts {
            sessions: self.sessions,
            workers,
            reasons,
            listeners: self.port.listeners,
            marks: self.marks,
            rooms: self.rooms,
        }
    }
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
