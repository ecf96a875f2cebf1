//! `forwarder run`: puts a node together, runs it, and takes it down.

use std::{io::Write, path::Path, sync::Arc};

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use super::{
    data_plane::{self, DataPlane},
    lock::Lock,
    made_key::MadeKey,
    media,
    placer::KernelPlacer,
    sockets::WorkerSockets,
};
use crate::{
    api::serve::Server,
    config::{Config, Tls},
    core::Core,
    dataplane::kernel,
    net::Resolver,
    node::{
        assemble,
        parts::{Facts, NodePath, Parts},
        signals::{Signals, run_node},
    },
};

/// Runs a node until it is asked to stop.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub fn run(mut config: Config) -> Result<()> {
    let lock = Lock::take(&config.name)?;
    let made = match config.control.open || config.control.has_keys() {
        true => None,
        false => Some(MadeKey::make(&config.name)?),
    };
    if let Some(made) = &made {
        if !config.api.ip().is_loopback() && config.control.tls == Tls::Off {
            log::warn!(
                "api: {} is not on loopback and has no TLS: whoever uses the key from another host shows it to everybody between; \
                 --api-tls or --api-certificate mends that",
                config.api
            );
        }
        made.apply(&mut config.control);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(run_locked(&config, made.as_ref().map(MadeKey::file)));
    // Under the lock, so that it is not the next one's.
    drop(made);
    drop(lock);
    outcome
}

async fn run_locked(config: &Config, made_key: Option<&Path>) -> Result<()> {
    // Asked to stop while it starts, a node is taken down as soon as it runs: killed half-way it would leave links behind.
    let signals = Signals::listen()?;
    // First what can fail without a trace.
    let listener = TcpListener::bind(config.api).await.with_context(|| {
        format!(
            "api: cannot listen on {}; allowed: an address of this host and a free port",
            config.api
        )
    })?;
    let api = Server::new(listener.into_std()?, &config.control)?;
    let settings = config.settings();
    let (resolver, changes) = Resolver::new().await?;
    let sessions = media::prepare(config, &resolver, data_plane::workers(config)?)?;
    let DataPlane {
        tables,
        worker,
        workers,
        send_state,
        reasons,
        facts,
        kernel,
    } = data_plane::bring_up(config, &settings.sizes).await?;
    if kernel.is_none() {
        let _replaced = kernel::sweep(&config.name);
    }

    let devices = facts.interfaces.iter().map(|interface| interface.index);
    let placer = Arc::new(KernelPlacer::new(
        resolver,
        changes,
        devices.collect(),
        facts.why.clone(),
    ));
    let mut ready = ready_line(&facts, &api.url(), &sessions.addresses());
    if let Some(file) = made_key {
        ready = format!("{ready} key {}", file.display());
        log::info!(
            "no key was given (admin-key-file): one of this run is in {}; the room of a page is at \
             \"{}/#room=ROOM&token=$(forwarder token --node {} --room ROOM --publish --subscribe)\"",
            file.display(),
            api.url(),
            config.name
        );
    }
    let parts = Parts {
        core: Core::new(settings),
        tables,
        sockets: Box::new(WorkerSockets(worker)),
        placer: placer.clone(),
        facts,
    };
    let (handle, task) = assemble(parts, sessions.into_parts(workers, send_state, reasons)?)?;
    let fresh = tokio::spawn({
        let node = handle.clone();
        async move { placer.keep_fresh(node).await }
    });
    let mut stdout = std::io::stdout();
    // A closed standard output is no reason not to forward.
    let _closed = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());

    let (parts, outcome) = run_node(api, signals, handle, task).await;
    fresh.abort();
    // The worker first, since it reads the kernel's maps.
    drop(parts);
    if let Some(kernel) = kernel {
        kernel.stop()?;
    }
    Ok(outcome?)
}

/// The line that tells whoever started the node that it is ready.
fn ready_line(facts: &Facts, api: &str, sessions: &str) -> String {
    let detail = match facts.path {
        NodePath::Kernel => facts
            .interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        NodePath::Socket => facts.why.clone().unwrap_or_default(),
    };
    format!(
        "forwarder ready: api {api} path {} ({detail}) sessions at {sessions}",
        facts.path
    )
}
