//! The signalling service of `examples/signalling`, as its README starts it: the contract of the control API.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forwarder_tests::browsers::{self, Admission};
use forwarder_tests::{Family, Netns};
use serde::Deserialize;
use serde_json::Value;

use crate::Scenario;
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("a_room_over_websocket", a_room_over_websocket)];

const PORT: u16 = 8080;

/// What `client.py` says at its end.
#[derive(Debug, Deserialize)]
struct Received {
    name: String,
    audio: u32,
    video: u32,
}

/// A program of the example; dropped, it is killed.
struct Program(Child);

impl Program {
    fn start(netns: &Netns, script: &str, arguments: &[&str]) -> Self {
        let python = browsers::environment().unwrap().join("bin/python");
        let mut command = netns.command(python);
        command.arg(folder().join(script)).args(arguments);
        Self(Self::spawn(&mut command))
    }

    fn spawn(command: &mut Command) -> Child {
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("FORWARDER_KEY", Admission::KEY)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What it says at its end.
    fn finish(mut self) -> Received {
        let end = Instant::now() + LONG + LONG;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = std::io::read_to_string(self.0.stdout.take().unwrap()).unwrap();
        serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/signalling")
}

/// Two come one after the other, so that the first is offered what the second publishes; one watches; the service's word about
/// who is there is the node's.
fn a_room_over_websocket(stage: &mut Stage) {
    let (api, _) = stage.start_reachable("kernel");
    let lab = &stage.lab;
    let address = SocketAddr::from((lab.publisher().fwd_addr(Family::V4), PORT));
    let (base, port) = (browsers::base(lab), PORT.to_string());
    let arguments = ["--forwarder", &base, "--host", "0.0.0.0", "--port", &port];
    let _service = Program::start(&lab.fwd, "server.py", &arguments);
    wait_for(&lab.publisher().netns, address);

    let url = format!("ws://{address}/ws");
    let join = |netns, name, seconds, more: &[&str]| {
        let arguments = ["--url", &url, "--name", name, "--seconds", seconds];
        Program::start(netns, "client.py", &[&arguments, more].concat())
    };
    let (here, there) = (&lab.publisher().netns, &lab.receiver().netns);
    let ann = join(here, "Ann", "14", &[]);
    std::thread::sleep(Duration::from_secs(3));
    let bob = join(there, "Bob", "8", &[]);
    let cem = join(there, "Cem", "8", &["--watch"]);
    for program in [bob, cem, ann] {
        let received = program.finish();
        println!("{received:?}");
        assert!(received.video > 60 && received.audio > 100, "{received:?}");
        assert!(!received.name.is_empty());
    }
    // Who closes the WebSocket leaves the room, and the last one ends it.
    let end = Instant::now() + LONG;
    while !api.read::<Vec<Value>>("/v0/rooms").unwrap().is_empty() {
        assert!(Instant::now() < end, "nobody is left, and the room is");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn wait_for(netns: &Netns, address: SocketAddr) {
    let end = Instant::now() + LONG;
    while netns.enter(|| TcpStream::connect(address)).is_err() {
        assert!(Instant::now() < end, "the service does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
}
