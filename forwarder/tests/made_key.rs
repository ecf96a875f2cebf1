//! A node that was given no key: it makes one, which whoever may read its file uses, and nobody else.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::UdpSocket,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Output, Stdio},
};

/// A node by sockets on loopback, killed when dropped.
struct Node {
    child: Child,
    ready: String,
}

impl Node {
    /// With ports that nobody has, as far as that can be known: somebody may take one meanwhile.
    fn start(name: &str) -> Self {
        let mut tries = (0..20).map(|_| Self::try_start(name));
        let started = tries.find(|node| !node.ready.is_empty());
        started.expect("a node that starts")
    }

    fn try_start(name: &str) -> Self {
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = media.local_addr().unwrap().port().to_string();
        drop(media);
        let mut child = forwarder(&["run", "--path", "socket", "--api", "127.0.0.1:0"])
            .args(["--name", name, "--media-address", "127.0.0.1"])
            .args(["--media-port", &port])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut node = Self {
            child,
            ready: String::new(),
        };
        BufReader::new(stdout).read_line(&mut node.ready).unwrap();
        node
    }

    fn word_after(&self, key: &str) -> &str {
        let mut words = self.ready.split_whitespace();
        let found = words.find(|word| *word == key).and(words.next());
        found.unwrap_or_else(|| panic!("no {key}: {}", self.ready))
    }

    fn key(&self) -> String {
        let text = fs::read_to_string(self.word_after("key")).unwrap();
        text.trim_end().to_owned()
    }

    /// Status and body of `GET /v0/access`.
    fn access(&self, bearer: &str) -> (u16, serde_json::Value) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(agent.build());
        let url = format!("{}/v0/access", self.word_after("api"));
        let mut request = agent.get(url);
        if !bearer.is_empty() {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let mut answer = request.call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (
            answer.status().as_u16(),
            serde_json::from_str(&text).unwrap(),
        )
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forwarder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forwarder"));
    command.args(arguments);
    command
}

fn said(arguments: &[&str]) -> Output {
    forwarder(arguments).output().unwrap()
}

#[test]
fn a_node_without_keys_makes_one_that_goes_with_it() {
    let name = format!("made-key-{}", std::process::id());
    let mut killed = Node::start(&name);
    let file = killed.word_after("key").to_owned();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = killed.key();
    assert_eq!(key.len(), 64);
    assert_eq!(killed.access("").0, 401);
    assert_eq!(killed.access(&"0".repeat(64)).0, 401);
    assert_eq!(killed.access(&key).1["mode"], "admin");

    let token = ["token", "--node", &name, "--room", "r", "--publish"];
    let token = said(&token);
    assert!(token.status.success(), "{token:?}");
    let token = String::from_utf8(token.stdout).unwrap();
    let (_, told) = killed.access(token.trim());
    assert_eq!(
        (&told["mode"], &told["room"]),
        (&"token".into(), &"r".into())
    );

    // What a killed node leaves opens nothing of the next.
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(fs::exists(&file).unwrap());
    let mut next = Node::start(&name);
    assert_eq!(next.word_after("key"), file);
    assert_ne!(next.key(), key);
    assert_eq!(next.access(&key).0, 401);
    let stopped = said(&["stop", "--name", &name]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(next.child.wait().unwrap().success());
    assert!(!fs::exists(&file).unwrap());

    let refused = said(&["token", "--node", &name, "--room", "r"]);
    let why = String::from_utf8(refused.stderr).unwrap();
    for part in [&*name, &*file, "--token-secret-file"] {
        assert!(!refused.status.success() && why.contains(part), "{why}");
    }

    // `stop` cleans up after one that was killed.
    let mut last = Node::start(&name);
    last.child.kill().unwrap();
    last.child.wait().unwrap();
    let stopped = said(&["stop", "--name", &name]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert!(!fs::exists(&file).unwrap());
}
