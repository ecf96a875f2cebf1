//! How the lab runs a node and talks to it, shown with a stand-in: a shell script for the binary, a listener in the namespace
//! for its API.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use forwarder_tests::client::CallError;
use forwarder_tests::model::{Mode, NewEndpoint};
use forwarder_tests::{Client, Lab, Node, needs_root};

/// A program of these lines, removed when dropped. `$*` are the arguments; what is `stop`ped is told in the file `stopped`.
struct Script(PathBuf);

impl Script {
    fn new(lab: &Lab, lines: &str) -> Self {
        use std::os::unix::fs::OpenOptionsExt;
        let path = std::env::temp_dir().join(format!("{}-forwarder.sh", lab.name()));
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o755)
            .open(&path)
            .unwrap();
        writeln!(
            file,
            "#!/bin/sh\n[ \"$1\" = stop ] && echo \"$*\" > $0.stopped && exit\n{lines}"
        )
        .unwrap();
        Self(path)
    }

    fn stopped(&self) -> Option<String> {
        std::fs::read_to_string(format!("{}.stopped", self.0.display())).ok()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(format!("{}.stopped", self.0.display()));
        let _ = std::fs::remove_file(&self.0);
    }
}

const READY: &str = "echo 'forwarder ready: api http://127.0.0.1:7601 path kernel (pub0 rx0)'";

#[test]
fn a_node_is_ready_then_stops_when_told() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let script = Script::new(
        &lab,
        &format!(
            "trap 'exit 0' TERM; echo \"args $*\" >&2; ip -br link >&2; {READY}; while :; do sleep 0.02; done"
        ),
    );
    let mut node = Node::start_binary(&lab, &script.0, lab.name(), &["--iface", "pub0"]).unwrap();
    assert_eq!(
        (node.api().unwrap(), node.path()),
        ("http://127.0.0.1:7601", "kernel")
    );
    let args = format!("args run --name {} --iface pub0", lab.name());
    let said = |word: &str| node.log().iter().any(|line| line.contains(word));
    // What came by stderr may be kept a moment later than the ready line.
    let end = Instant::now() + Duration::from_secs(20);
    while !(said(&args) && said("pub0@")) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(said(&args) && said("pub0@"), "{:?}", node.log());
    assert!(node.cpu_time().unwrap() < Duration::from_secs(5));
    assert!(node.stop().unwrap().success());
    drop(node);
    assert_eq!(script.stopped(), None, "it stopped by itself");
}

#[test]
fn a_node_that_fails_says_why() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let script = Script::new(&lab, "echo 'no such interface: eth7' >&2; exit 3");
    let error = Node::start_binary(&lab, &script.0, lab.name(), &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("no such interface: eth7"), "{error}");
    assert_eq!(
        script.stopped(),
        Some(format!("stop --name {}\n", lab.name())),
        "it was cleaned up after"
    );
}

#[test]
fn a_killed_node_leaves_what_it_pinned_to_the_next() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let script = Script::new(&lab, &format!("{READY}; exec sleep 600"));
    let mut node = Node::start_binary(&lab, &script.0, lab.name(), &[]).unwrap();
    node.kill().unwrap();
    assert!(node.has_ended().is_some());
    node = Node::start_binary(&lab, &script.0, lab.name(), &[]).unwrap();
    assert_eq!(script.stopped(), None);
    // `sleep` ends by the signal, which is no success.
    drop(node);
    assert!(script.stopped().is_some());
}

#[test]
fn a_client_calls_from_inside_the_namespace() {
    needs_root!();
    let lab = Lab::star().receivers(0).build().unwrap();
    let listener = lab
        .fwd
        .enter(|| TcpListener::bind("127.0.0.1:7601"))
        .unwrap();
    let server = std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        answer(
            &mut reader,
            &connection,
            "201 Created",
            r#"{"id":"e1","local":"10.0.0.1:5000","remote":"10.0.0.2:6000","mode":"clear","new":1}"#,
        ) + &answer(
            &mut reader,
            &connection,
            "400 Bad Request",
            r#"{"title":"Bad value","field":"vlan","value":5000,"allowed":"1 to 4094"}"#,
        ) + &answer(&mut reader, &connection, "204 No Content", "")
    });
    let client = Client::new(&lab.fwd, "http://127.0.0.1:7601").unwrap();
    let new = NewEndpoint::new(
        "10.0.0.1:5000".parse().unwrap(),
        "10.0.0.2:6000".parse().unwrap(),
        Mode::Clear,
    );
    let endpoint = client.add_endpoint(&new).unwrap();
    assert_eq!(
        (endpoint.id.as_str(), endpoint.more["new"].as_u64()),
        ("e1", Some(1))
    );
    let problem = client
        .add_endpoint(&new.vlan(5000))
        .map_err(CallError::problem)
        .unwrap_err();
    assert_eq!(
        (problem.status, problem.field.as_deref()),
        (400, Some("vlan"))
    );
    client.remove_endpoint("e1").unwrap();
    let requests = server.join().unwrap();
    assert!(
        requests.starts_with("POST /v0/endpoints HTTP/1.1"),
        "{requests}"
    );
    assert!(
        requests.contains(r#""mode":"clear","vlan":5000}"#)
            && requests.contains("DELETE /v0/endpoints/e1"),
        "{requests}"
    );
    assert!(
        matches!(client.node(), Err(CallError::Broken(_))),
        "nobody listens any more"
    );
}

/// Reads one request, answers it, and returns it.
fn answer(
    reader: &mut BufReader<TcpStream>,
    mut connection: &TcpStream,
    status: &str,
    body: &str,
) -> String {
    let mut request = String::new();
    let mut length = 0;
    loop {
        let start = request.len();
        reader.read_line(&mut request).unwrap();
        let line = request[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).unwrap();
    write!(
        connection,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    request + &String::from_utf8(text).unwrap()
}
