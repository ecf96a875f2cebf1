//! Set-ups: from the REST call until the client has its keys, a bounded number at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use forwarder_tests::rtc::DtlsVersion;
use forwarder_tests::rtc::api::{NewSession, Session};
use forwarder_tests::{Client, Node};

use super::calls::quantile;
use super::clients::Clients;
use super::process::cpu_time;

/// Set-ups that are under way at a time.
const AT_A_TIME: usize = 16;
/// How long one may take.
const LONG: Duration = Duration::from_secs(10);

/// A client and its session.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Seat of the client.
    pub seat: usize,
    /// Id of the session.
    pub id: String,
}

/// What set-ups of one version of DTLS took.
#[derive(Debug)]
pub struct SetUps {
    version: DtlsVersion,
    suite: String,
    /// CPU time of the node, each, of the best round.
    cpu: Option<Duration>,
    /// Set-ups per second of the fastest round.
    rate: f64,
    took: Vec<Duration>,
}

impl SetUps {
    /// None yet.
    pub const fn new(version: DtlsVersion) -> Self {
        Self {
            version,
            suite: String::new(),
            cpu: None,
            rate: 0.0,
            took: Vec::new(),
        }
    }

    /// As people call it.
    pub const fn version(&self) -> &'static str {
        match self.version {
            DtlsVersion::V12 => "DTLS 1.2",
            DtlsVersion::V13 => "DTLS 1.3",
            DtlsVersion::Both => "DTLS",
        }
    }

    /// The suite that the node names.
    pub fn suite(&self) -> &str {
        &self.suite
    }

    /// CPU time of the node for one.
    pub fn cpu(&self) -> Duration {
        self.cpu.unwrap_or_default()
    }

    /// Set-ups per second, by the clock.
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// Half of them were as fast, seen by the client from its first check on.
    pub fn half(&self) -> Duration {
        quantile(&self.took, 0.5)
    }

    /// Some that are not measured, but looked at.
    ///
    /// # Errors
    /// As [`join`].
    pub fn warm_up(
        &mut self,
        node: &Node,
        api: &Client,
        clients: &mut Clients,
        count: u32,
    ) -> Result<()> {
        let (joined, _) = join(api, clients, self.version, count)?;
        let first = joined.first().context("a round of none")?;
        let view: serde_json::Value = api.read(&format!("/v0/sessions/{}", first.id))?;
        let seen = view["dtls"].as_str().unwrap_or_default();
        ensure!(
            seen.ends_with(self.version().trim_start_matches("DTLS ")),
            "{} was asked for, and the node says {view}",
            self.version()
        );
        view["suite"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.suite);
        leave(node, api, clients, &joined)
    }

    /// One round.
    ///
    /// # Errors
    /// As [`join`].
    pub fn round(
        &mut self,
        node: &Node,
        api: &Client,
        clients: &mut Clients,
        count: u32,
    ) -> Result<()> {
        let (cpu, start) = (cpu_time(node.pid())?, Instant::now());
        let (joined, took) = join(api, clients, self.version, count)?;
        let cpu = (cpu_time(node.pid())? - cpu) / count;
        self.rate = self
            .rate
            .max(f64::from(count) / start.elapsed().as_secs_f64());
        self.cpu = Some(self.cpu.map_or(cpu, |best| best.min(cpu)));
        self.took.extend(took);
        leave(node, api, clients, &joined)
    }
}

/// Sets up so many sessions; gives them, and what each took its client.
///
/// # Errors
/// The node refuses one, or one is not done within [`LONG`].
pub fn join(
    api: &Client,
    clients: &mut Clients,
    version: DtlsVersion,
    count: u32,
) -> Result<(Vec<Joined>, Vec<Duration>)> {
    join_room(api, clients, version, count, None)
}

/// The same in a room.
///
/// # Errors
/// As [`join`].
pub fn join_room(
    api: &Client,
    clients: &mut Clients,
    version: DtlsVersion,
    count: u32,
    room: Option<&str>,
) -> Result<(Vec<Joined>, Vec<Duration>)> {
    let mut joined: Vec<Joined> = Vec::new();
    let mut under_way: VecDeque<(usize, Instant)> = VecDeque::new();
    let mut took = Vec::new();
    while joined.len() < count as usize || !under_way.is_empty() {
        if joined.len() < count as usize && under_way.len() < AT_A_TIME {
            let one = begin(api, clients, version, room)?;
            under_way.push_back((one.seat, Instant::now()));
            joined.push(one);
            clients.turn(Duration::ZERO)?;
        } else {
            clients.turn(Duration::from_millis(5))?;
        }
        under_way.retain(|(seat, since)| {
            let done = clients.is_connected(*seat);
            if done {
                took.push(since.elapsed());
            }
            !done
        });
        if let Some((seat, since)) = under_way.front()
            && since.elapsed() > LONG
        {
            let report = clients.ask(*seat, |agent, _| agent.report())?;
            bail!(
                "{} did not connect within {LONG:?}: {:?}",
                report.name,
                report.error
            );
        }
    }
    Ok((joined, took))
}

fn begin(
    api: &Client,
    clients: &mut Clients,
    version: DtlsVersion,
    room: Option<&str>,
) -> Result<Joined> {
    let seat = clients.add(version)?;
    let local = clients.ask(seat, |agent, _| agent.local())??;
    let new = NewSession {
        room: room.map(str::to_owned),
        ..NewSession::of(&local, "auto")
    };
    let session: Session = api.post("/v0/sessions", &new)?;
    // One candidate, as a client has it that is on one network.
    let same = |address: &std::net::SocketAddr| address.is_ipv4();
    let mut remote = session.remote(same);
    remote.candidates.truncate(1);
    clients.ask(seat, |agent, now| agent.start(&remote, now))??;
    Ok(Joined {
        seat,
        id: session.id,
    })
}

/// Closes sessions, and ends their clients.
///
/// # Errors
/// The node refuses.
pub fn leave(node: &Node, api: &Client, clients: &mut Clients, joined: &[Joined]) -> Result<()> {
    for one in joined {
        clients.dismiss(one.seat);
        api.delete(&format!("/v0/sessions/{}", one.id))
            .with_context(|| format!("after {:?}", node.log().last()))?;
    }
    Ok(())
}
