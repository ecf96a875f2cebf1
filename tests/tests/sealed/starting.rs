//! Nodes that are started otherwise than by naming all there is: with nothing at all, on an interface that is taken, with a
//! certificate and an address of the operator's.

use std::path::PathBuf;
use std::process::Command;

use forwarder_tests::{Lab, Node, node::forwarder_binary};

use crate::hall::{Hall, Kind, WHILE, play, subscribe};

// What the socket path is the fallback for depends on no family, and no certificate on a path.
scenarios!(
    kernel_v4: a_certificate_and_an_address_of_the_operators;
    socket_v4: without_configuration, an_interface_that_is_taken;
    socket_v6: without_configuration
);

/// A call of one publisher and two subscribers, all of it whole.
fn assert_carries_a_call(hall: &Hall) {
    let (publisher, tracks) = hall.call();
    let subscribers = [0, 1].map(|n| hall.subscriber(n));
    for subscriber in &subscribers {
        subscribe(subscriber, &tracks);
    }
    play(&[&publisher], &[&subscribers[0], &subscribers[1]], WHILE);
    hall.assert_path(&[&subscribers[0], &subscribers[1]]);
}

fn without_configuration(kind: Kind) {
    let lab = Lab::star().build().unwrap();
    let binary = forwarder_binary().unwrap();
    let node = Node::start_as_told(&lab.fwd, &binary, lab.name(), &[]).unwrap();
    let ready = node.ready_line();
    assert!(ready.contains("no interface was given (iface)"), "{ready}");
    // Nobody has given it a key, so it has made one.
    assert!(node.made_key().is_some(), "{ready}");
    let hall = Hall::of(kind, lab, node);
    assert_carries_a_call(&hall);
    hall.close();
}

/// Another node holds the XDP hook: this one says so and goes on by sockets.
fn an_interface_that_is_taken(kind: Kind) {
    let lab = Lab::star().build().unwrap();
    let other = format!("{}-o", lab.name());
    let elsewhere = ["--api", "127.0.0.1:7609", "--media-port", "7709"];
    let taken = ["--iface", "rx0", "--path", "kernel"];
    let mut first = Node::start_named(&lab, &other, &[&taken[..], &elsewhere].concat()).unwrap();
    let node = Node::start_on_all(&lab, &[]).unwrap();
    let ready = node.ready_line().to_owned();
    assert!(ready.contains("rx0"), "{ready}");
    let hall = Hall::of(kind, lab, node);
    assert_carries_a_call(&hall);
    assert!(first.stop().unwrap().success());
    hall.close();
}

fn a_certificate_and_an_address_of_the_operators(kind: Kind) {
    let lab = Lab::star().build().unwrap();
    let files = Files::make(&lab);
    let address = lab.receiver().fwd_addr(kind.family).to_string();
    let [certificate, key] = files.paths();
    let arguments = [
        &["--path", kind.path, "--media-address", &address][..],
        &["--certificate", &certificate, "--private-key", &key],
    ];
    let node = Node::start_on_all(&lab, &arguments.concat()).unwrap();
    let hall = Hall::of(kind, lab, node);
    let subscriber = hall.subscriber(9);
    let fingerprint = format!("sha-256 {}", files.fingerprint());
    assert_eq!(subscriber.remote.fingerprint, fingerprint);
    let told = &subscriber.remote.candidates;
    assert!(!told.is_empty());
    assert!(
        told.iter().all(|(_, at)| at.ip().to_string() == address),
        "{told:?}"
    );
    assert_carries_a_call(&hall);
    hall.close();
}

/// A certificate and its key, made by OpenSSL, removed when dropped.
struct Files(PathBuf);

impl Files {
    fn make(lab: &Lab) -> Self {
        let folder = std::env::temp_dir().join(format!("{}-certificate", lab.name()));
        std::fs::create_dir(&folder).unwrap();
        let files = Self(folder);
        let [certificate, key] = files.paths();
        let curve = "ec_paramgen_curve:prime256v1";
        let what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", curve];
        let how = ["-nodes", "-subj", "/CN=a", "-keyout", &key];
        openssl(&[&what[..], &how, &["-out", &certificate]].concat());
        files
    }

    fn paths(&self) -> [String; 2] {
        ["certificate.pem", "key.pem"].map(|name| self.0.join(name).display().to_string())
    }

    /// As `a=fingerprint` has it (RFC 8122 §5).
    fn fingerprint(&self) -> String {
        let [certificate, _] = self.paths();
        let said = openssl(&[
            "x509",
            "-noout",
            "-fingerprint",
            "-sha256",
            "-in",
            &certificate,
        ]);
        let (_, value) = said.trim().rsplit_once('=').unwrap();
        value.to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs OpenSSL's program; gives what it said.
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
