//! Which data plane a node gets: the kernel path, or the socket path and why.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aya::util::online_cpus;
use forwarder_common::{slots::MAX_WORKERS, tables::MAX_LEASES};

use crate::{
    config::{Config, PathChoice},
    core::{ops::Tables, settings},
    dataplane::{
        counters::ReasonTable,
        kernel::{Device, Kernel, Options},
        memory::Sizes,
        shared::SharedTables,
        socket::{Handle, Punt, SocketWorker},
        soft::SoftTables,
    },
    doctor::{self, Facts, Finding, Verdict},
    node::parts::{self, Interface, NodePath},
    worker::{self, Workers, send_state::SendState},
};

/// Frames that a veth takes: VETH_RING_SIZE in drivers/net/veth.c.
const VETH_RING: u32 = 256;
/// Taken for a ring where the driver does not tell: the smallest default of drivers with native XDP.
const UNKNOWN_RING: u32 = 256;

/// A data plane, ready to forward.
pub struct DataPlane {
    /// For the control plane.
    pub tables: Box<dyn Tables + Send>,
    /// The socket worker's thread.
    pub worker: Handle,
    /// The workers of sessions.
    pub workers: Workers,
    /// What keys of sessions were used for.
    pub send_state: Arc<SendState>,
    /// What those count, one row each.
    pub reasons: Arc<ReasonTable>,
    /// What it is, for those who ask.
    pub facts: parts::Facts,
    /// To be stopped at the end, where it runs.
    pub kernel: Option<Kernel>,
}

/// Brings up the path that the configuration wants.
///
/// # Errors
/// The kernel path was demanded and cannot be had, or not even the socket path can.
pub async fn bring_up(config: &Config, sizes: &settings::Sizes) -> Result<DataPlane> {
    let sizes = Sizes {
        hops: sizes.hops,
        chunks: sizes.chunks,
        routes: sizes.routes,
        leases: MAX_LEASES,
        cpus: cpus()?,
    };
    let why = match config.path {
        PathChoice::Socket => "the socket path was asked for (path)".to_owned(),
        PathChoice::Auto | PathChoice::Kernel => match kernel(config, sizes).await {
            Ok(plane) => return Ok(plane),
            Err(error) if config.path == PathChoice::Kernel => {
                return Err(error.context("path: kernel was asked for and cannot be had"));
            }
            Err(error) => format!("{error:#}"),
        },
    };
    let tables = SoftTables::new(sizes, sizes.routes)?;
    let worker = SocketWorker::spawn(tables.shared(), None)?;
    let reasons = Arc::new(ReasonTable::heap(MAX_WORKERS)?);
    // Numbers of both begin with 1.
    let state = SendState::heap(legs(config) + 1, config.max_sessions + 1)?;
    let send_state = Arc::new(state);
    let workers = Workers::spawn(worker::Options {
        ports: (0..workers(config)?).map(|_| None).collect(),
        cpus: media_cpus()?,
        send_state: Arc::clone(&send_state),
        reasons: Arc::clone(&reasons),
    })?;
    Ok(DataPlane {
        tables: Box::new(tables),
        worker,
        workers,
        send_state,
        reasons,
        facts: parts::Facts {
            path: NodePath::Socket,
            why: Some(why),
            interfaces: Vec::new(),
        },
        kernel: None,
    })
}

async fn kernel(config: &Config, sizes: Sizes) -> Result<DataPlane> {
    if config.ifaces.is_empty() {
        bail!("no interface was given (iface)");
    }
    let mut devices = Vec::new();
    let mut interfaces = Vec::new();
    for name in &config.ifaces {
        let facts = doctor::gather(name).await?;
        refuse_unfit(name, &facts)?;
        let (device, interface) = describe(name, &facts, devices.len())?;
        devices.push(device);
        interfaces.push(interface);
    }
    let options = Options {
        name: config.name.clone(),
        devices,
        sizes,
        workers: workers(config)?,
        sessions: config.max_sessions,
        legs: legs(config),
    };
    // System calls and short-lived threads; nothing else runs yet.
    let started = tokio::task::block_in_place(|| Kernel::start(&options))?;
    let shared: Arc<SharedTables> = started.tables.shared();
    let punt: Box<dyn Punt> = Box::new(started.punt);
    let reasons = Arc::new(ReasonTable::heap(MAX_WORKERS)?);
    let send_state = Arc::new(started.send_state);
    let spawned = SocketWorker::spawn(shared, Some(punt)).and_then(|worker| {
        let workers = Workers::spawn(worker::Options {
            ports: started.ports.into_iter().map(Some).collect(),
            cpus: media_cpus()?,
            send_state: Arc::clone(&send_state),
            reasons: Arc::clone(&reasons),
        })?;
        Ok((worker, workers))
    });
    let (worker, workers) = match spawned {
        Ok(spawned) => spawned,
        Err(error) => {
            started.kernel.stop()?;
            return Err(error);
        }
    };
    Ok(DataPlane {
        tables: Box::new(started.tables),
        worker,
        workers,
        send_state,
        reasons,
        facts: parts::Facts {
            path: NodePath::Kernel,
            why: None,
            interfaces,
        },
        kernel: Some(started.kernel),
    })
}

/// What the doctor calls a failure is not tried: a real-time kernel would mix up replicas without a word.
fn refuse_unfit(name: &str, facts: &Facts) -> Result<()> {
    let report = doctor::judge(facts);
    let failed = |finding: &&Finding| finding.verdict == Verdict::Fail;
    if let Some(finding) = report.findings.iter().find(failed) {
        let mend = finding.mend.as_deref().unwrap_or("see `forwarder doctor`");
        bail!(
            "iface: {name:?} is not fit: {}: {}: {}; {mend}",
            finding.check,
            finding.value,
            finding.why
        );
    }
    Ok(())
}

/// An interface as the kernel path and as the API see it.
fn describe(name: &str, facts: &Facts, number: usize) -> Result<(Device, Interface)> {
    let link = facts.link.as_ref().with_context(|| {
        format!("iface: there is no interface {name:?}; allowed: one that `ip link` shows")
    })?;
    let driver = facts.driver.clone().unwrap_or_else(|| "unknown".to_owned());
    Ok((
        device(name, facts).with_context(|| format!("iface: {name:?} has no driver"))?,
        Interface {
            device: number as u32,
            name: name.to_owned(),
            index: link.index,
            driver,
        },
    ))
}

/// An interface as the kernel path sees it; `None` where there is none.
pub fn device(name: &str, facts: &Facts) -> Option<Device> {
    let link = facts.link.as_ref()?;
    let ring = match (facts.driver.as_deref(), &facts.rings) {
        (Some("veth"), _) => VETH_RING,
        (_, Some(rings)) if rings.tx > 0 => rings.tx,
        _ => UNKNOWN_RING,
    };
    Some(Device {
        name: name.to_owned(),
        ifindex: link.index,
        ring,
        queues: link.tx_queues.max(1),
        mtu: link.mtu,
        mac: link.mac,
        attached: link.xdp.as_ref().map(|program| program.id),
    })
}

/// Workers of sessions: as asked for, else one for every CPU that this process may run on.
pub fn workers(config: &Config) -> Result<u32> {
    let all = media_cpus()?.len() as u32;
    Ok(config.workers.unwrap_or(all).clamp(1, MAX_WORKERS))
}

/// The CPUs that workers stay on: those that this process may run on.
fn media_cpus() -> Result<Vec<usize>> {
    let allowed = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..nix::sched::CpuSet::count())
        .filter(|cpu| allowed.is_set(*cpu).unwrap_or(false))
        .collect())
}

/// Legs of sessions: sound and picture of every subscription.
fn legs(config: &Config) -> u32 {
    config.max_subscriptions.saturating_mul(2)
}

/// Rows of the counters: one more than the highest number of a CPU that is online.
pub fn cpus() -> Result<u32> {
    let cpus =
        online_cpus().map_err(|(path, error)| anyhow::anyhow!("cannot read {path}: {error}"))?;
    Ok(cpus.into_iter().max().unwrap_or(0) + 1)
}
