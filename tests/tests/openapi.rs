//! The control API, fuzzed against the OpenAPI document that it serves (Schemathesis, of PyPI): what is documented is answered,
//! what is not described is refused, no answer is of another form, nothing is a server error.

use std::{
    io::{BufRead, BufReader},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use forwarder_tests::node::forwarder_binary;

const KEY: &str = "an-admin-key-for-fuzzing";
/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(180);

/// Where `cargo xtask setup` has put Schemathesis.
fn schemathesis() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let mut folders = own
        .ancestors()
        .map(|folder| folder.join("openapi/bin/schemathesis"));
    folders.find(|program| program.exists())
}

/// A node that is killed when it is dropped.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(key: &Path) -> (Node, String) {
    // A port that nobody has; of TCP it is nearly certain then, too.
    let media = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let name = format!("openapi-{}", std::process::id());
    let mut child = Command::new(forwarder_binary().unwrap())
        .args([
            "run",
            "--path",
            "socket",
            "--api",
            "127.0.0.1:0",
            "--name",
            &name,
        ])
        .args([
            "--media-address",
            "127.0.0.1",
            "--media-port",
            &media.port().to_string(),
        ])
        .arg("--admin-key-file")
        .arg(key)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let stdout = child.stdout.take().unwrap();
    let node = Node(child);
    BufReader::new(stdout).read_line(&mut ready).unwrap();
    let url = ready
        .split_whitespace()
        .find(|word| word.starts_with("http://"));
    let url = url.unwrap_or_else(|| panic!("{ready}")).to_owned();
    (node, url)
}

#[test]
fn the_api_is_as_its_document_says() {
    let Some(schemathesis) = schemathesis() else {
        println!("left out: Schemathesis is not there; `cargo xtask setup` installs it");
        return;
    };
    let folder = std::env::temp_dir().join(format!("forwarder-openapi-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let key = folder.join("key");
    std::fs::write(&key, KEY).unwrap();
    let (node, url) = start(&key);
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/hooks.py");
    let log = folder.join("log");
    let mut run = Command::new(schemathesis)
        .current_dir(&folder)
        .env("SCHEMATHESIS_HOOKS", hooks)
        .args(["run", &format!("{url}/v0/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        // The node has to stay, and a stream of events does not end.
        .args([
            "--exclude-path",
            "/v0/stop",
            "--exclude-path-regex",
            "/events$",
        ])
        // What is right by its form may still name nothing that is there.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "20",
            "--seed",
            "1",
        ])
        .args(["--request-timeout", "10", "--no-color"])
        .stdout(std::fs::File::create(&log).unwrap())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let end = Instant::now() + LONGEST;
    let status = loop {
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            let _ = run.kill();
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let told = std::fs::read_to_string(&log).unwrap();
    drop(node);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(status.success(), "{told}");
    let summary = told.lines().find(|line| line.contains("generated"));
    println!("{}", summary.unwrap_or("nothing was generated").trim());
    assert!(summary.is_some(), "{told}");
}
