//! A node on an ephemeral port, with tables in memory and next hops made up, and a client for it.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::Instant,
};

use forwarder::{
    api::{limits::Limits, serve::Server},
    config::Config,
    core::{
        Core,
        ops::{TableError, TableOp, Tables},
        placement::{NeighbourKey, Placement},
        refusal::Refusal,
    },
    dataplane::counters::ReasonTable,
    node::{
        self, NodeHandle,
        clock::boottime,
        media::{
            MediaParts,
            sockets::{Marks, listen_tcp, listen_udp},
            strangers::Listener,
        },
        parts::{Answer, Change, Facts, Interface, NodePath, Parts, Placer, Sockets},
        signals::{Signals, run_node},
    },
    sessions::{Sessions, candidate::Candidate, settings::Settings},
    transport::{Certificate, DtlsContext, Protocol, Timebase},
    worker::{Options, Workers, send_state::SendState},
};
use forwarder_common::{
    reason::{COUNT, Reason},
    tables::{DEVICE_SOCKET, DeviceTraffic, Traffic},
};
use serde_json::Value;
use tokio::sync::mpsc;

/// What the node does to the system, for the tests to look at.
#[derive(Default)]
pub struct World {
    pub ops: Mutex<Vec<TableOp>>,
    pub bound: Mutex<BTreeMap<u32, SocketAddr>>,
    /// MAC of the neighbour 10.0.0.9; 0 is none.
    pub neighbour: AtomicU32,
    pub fail_next: AtomicBool,
    /// Whether there is no room for pairs.
    pub refuse_pairs: AtomicBool,
    /// Whether XDP reaches this very host.
    pub loops: AtomicBool,
}

struct MemoryTables(Arc<World>);

impl Tables for MemoryTables {
    fn apply(&mut self, op: &TableOp) -> Result<(), TableError> {
        if !matches!(op, TableOp::SetLease { .. }) && self.0.fail_next.swap(false, Ordering::SeqCst)
        {
            return Err(TableError::Full {
                table: "routes",
                allowed: 3,
            });
        }
        let full = self.0.refuse_pairs.load(Ordering::SeqCst);
        if full && matches!(op, TableOp::PutSteer { .. }) {
            return Err(TableError::Full {
                table: "pairs",
                allowed: 0,
            });
        }
        self.0.ops.lock().unwrap().push(*op);
        Ok(())
    }

    fn hop_traffic(&self, hop: u32) -> Traffic {
        Traffic {
            packets: u64::from(hop),
            bytes: 100,
            last_seen: 1,
        }
    }

    fn route_traffic(&self, route: u32) -> Traffic {
        Traffic {
            packets: u64::from(route),
            bytes: 7,
            last_seen: 0,
        }
    }

    fn reset_hop(&mut self, _: u32) {}

    fn reset_route(&mut self, _: u32) {}

    fn reasons(&self) -> [u64; COUNT] {
        let mut counts = [0; COUNT];
        counts[Reason::Sent as usize] = 42;
        counts
    }

    fn devices(&self) -> Vec<DeviceTraffic> {
        vec![DeviceTraffic {
            sent: 10,
            drops: 5,
            errors: 1,
            egress_drops: 3,
        }]
    }
}

struct MadeUpSockets(Arc<World>);

impl Sockets for MadeUpSockets {
    fn bind(&mut self, number: u32, local: SocketAddr) -> io::Result<()> {
        if local.port() == 5999 {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        if local.ip().to_string() == "203.0.113.1" {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        assert!(self.0.bound.lock().unwrap().insert(number, local).is_none());
        Ok(())
    }

    fn close(&mut self, number: u32) {
        assert!(self.0.bound.lock().unwrap().remove(&number).is_some());
    }
}

/// 10.0.0.9 is a neighbour that comes and goes, 127/8 is served by sockets, 192.0.2/24 has no route.
struct MadeUpHops {
    world: Arc<World>,
    changes: tokio::sync::Mutex<mpsc::Receiver<Change>>,
}

impl Placer for MadeUpHops {
    fn place(
        &self,
        _: SocketAddr,
        remote: SocketAddr,
        vlan: Option<u16>,
    ) -> Answer<'_, Result<Placement, Refusal>> {
        let text = remote.ip().to_string();
        if text.starts_with("192.0.2.") {
            let refusal = Refusal::invalid("remote", remote, "an address that there is a route to");
            return Box::pin(async { Err(refusal) });
        }
        let mac = match (text.as_str(), self.world.neighbour.load(Ordering::SeqCst)) {
            ("10.0.0.9", 0) => None,
            ("10.0.0.9", mac) => Some([2, 0, 0, 0, 0, mac as u8]),
            _ => Some([2; 6]),
        };
        let socket = text.starts_with("127.") && !self.world.loops.load(Ordering::SeqCst);
        let placement = Placement {
            device: if socket { DEVICE_SOCKET } else { 0 },
            local_mac: [2, 0, 0, 0, 0, 1],
            source_mac: [2, 0, 0, 0, 0, 1],
            destination_mac: mac,
            vlan,
            mtu: 1500,
            why: socket.then(|| "on this host".to_owned()),
            neighbour: Some(NeighbourKey {
                interface: 2,
                address: remote.ip(),
            }),
            interface: 2,
        };
        Box::pin(async { Ok(placement) })
    }

    fn local_mac(&self, local: IpAddr) -> Option<[u8; 6]> {
        (!local.is_loopback()).then_some([2, 0, 0, 0, 0, 1])
    }

    fn changed(&self) -> Answer<'_, Option<Vec<Change>>> {
        Box::pin(async { Some(vec![self.changes.lock().await.recv().await?]) })
    }
}

/// Sessions at the loopback address, with a worker of their own.
fn media(config: &Config) -> MediaParts {
    let marks = Marks { dscp: 0, ttl: 64 };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    // A port that is free for UDP may be taken for TCP.
    let mut ports = (0..100).filter_map(|_| {
        let udp = listen_udp(any, marks).unwrap();
        let local = udp.local_addr().unwrap();
        listen_tcp(local).ok().map(|tcp| (udp, tcp, local))
    });
    let (udp, tcp, local) = ports.next().unwrap();
    let settings = Settings {
        max_sessions: config.max_sessions,
        candidates: vec![
            Candidate::host(Protocol::Udp, local, 0),
            Candidate::host(Protocol::Tcp, local, 0),
        ],
        ..Settings::default()
    };
    let timebase = Timebase::new(boottime(), Instant::now());
    let dtls = DtlsContext::new(Certificate::self_signed().unwrap(), timebase).unwrap();
    let entropy = Box::new(|bytes: &mut [u8]| aws_lc_rs::rand::fill(bytes).unwrap());
    let reasons = Arc::new(ReasonTable::heap(1).unwrap());
    let (legs, sessions) = (settings.max_subscriptions + 1, settings.max_sessions + 1);
    let send_state = Arc::new(SendState::heap(legs, sessions).unwrap());
    let workers = Workers::spawn(Options {
        ports: vec![None],
        cpus: Vec::new(),
        send_state: Arc::clone(&send_state),
        reasons: Arc::clone(&reasons),
    });
    MediaParts {
        sessions: Sessions::new(settings, dtls, entropy, send_state).unwrap(),
        workers: workers.unwrap(),
        reasons,
        listeners: vec![Listener { local, udp, tcp }],
        marks,
        rooms: config.rooms.clone(),
    }
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body; `null` where it is none in JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

/// A running node.
pub struct Rig {
    pub world: Arc<World>,
    pub changes: mpsc::Sender<Change>,
    pub handle: NodeHandle,
    pub url: String,
    pub address: SocketAddr,
    /// The media port.
    pub media: SocketAddr,
    agent: ureq::Agent,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    pub fn start() -> Self {
        Self::with(Config {
            max_subscriptions: 12_000,
            ..Config::default()
        })
    }

    pub fn with(config: Config) -> Self {
        Self::limited(config, Limits::default())
    }

    /// Open, unless the configuration has keys.
    pub fn limited(mut config: Config, limits: Limits) -> Self {
        config.control.open = !config.control.has_keys();
        config.control.limits = limits;
        let world = Arc::new(World::default());
        let (changes, receiver) = mpsc::channel(16);
        let parts = Parts {
            core: Core::new(config.settings()),
            tables: Box::new(MemoryTables(Arc::clone(&world))),
            sockets: Box::new(MadeUpSockets(Arc::clone(&world))),
            placer: Arc::new(MadeUpHops {
                world: Arc::clone(&world),
                changes: receiver.into(),
            }),
            facts: Facts {
                path: NodePath::Kernel,
                why: None,
                interfaces: vec![Interface {
                    device: 0,
                    name: "veth0".to_owned(),
                    index: 2,
                    driver: "veth".to_owned(),
                }],
            },
        };
        let sessions = media(&config);
        let media = sessions.listeners[0].local;
        let (send, receive) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let api = Server::new(listener, &config.control).unwrap();
                let (handle, task) = node::assemble(parts, sessions).unwrap();
                send.send((address, handle.clone())).unwrap();
                let (_, outcome) = run_node(api, Signals::listen().unwrap(), handle, task).await;
                outcome.unwrap();
            });
        });
        let (address, handle) = receive.recv().unwrap();
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .allow_non_standard_methods(true)
                .http_status_as_error(false)
                .build(),
        );
        Self {
            world,
            changes,
            handle,
            url: format!("http://{address}"),
            address,
            media,
            agent,
            thread: Some(thread),
        }
    }

    /// Asks with these headers.
    pub fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text,
        }
    }

    /// Status and body of the answer; `null` for an empty body.
    pub fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let kind = [("content-type", "application/json")];
        let headers = if body.is_empty() { &[][..] } else { &kind };
        let reply = self.exchange(method, path, headers, body);
        let wanted = match (reply.status, reply.text.is_empty()) {
            (_, true) => None,
            (400.., _) => Some("application/problem+json"),
            _ => Some("application/json"),
        };
        assert_eq!(reply.header("content-type"), wanted);
        (reply.status, reply.json())
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// How many events the node has told.
    pub fn events_told(&self) -> u64 {
        self.handle.events().last()
    }

    /// Creates something; gives its id.
    pub fn create(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.call("POST", path, &body.to_string());
        assert_eq!(status, 201, "{body}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// An endpoint at this address, of mode clear.
    pub fn endpoint(&self, remote: &str) -> String {
        self.create(
            "/v0/endpoints",
            serde_json::json!({"local": "10.0.0.1:5000", "remote": remote, "mode": "clear"}),
        )
    }

    /// Asserts that a call is refused with this status and field, and that the problem document is whole.
    pub fn refused(&self, method: &str, path: &str, body: &str, status: u16, field: &str) -> Value {
        let (got, problem) = self.call(method, path, body);
        assert_eq!(
            (got, problem["field"].as_str()),
            (status, Some(field)),
            "{body}: {problem}"
        );
        assert_eq!(problem["status"], status);
        for key in ["type", "title", "detail", "allowed"] {
            assert!(
                problem[key].as_str().is_some_and(|text| !text.is_empty()),
                "{problem}"
            );
        }
        assert!(problem.get("value").is_some());
        problem
    }

    /// Waits for the node to have stopped.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.stop();
        if !std::thread::panicking() {
            self.join();
        }
    }
}
