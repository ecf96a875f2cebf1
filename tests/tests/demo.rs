//! The demo itself, small and short: its exit status, and what it says as JSON.

use std::process::Command;

use forwarder_tests::needs_root;
use serde_json::Value;

/// Runs the demo; gives its summary.
fn demo(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--json", "--for", "2s"])
        .args(arguments)
        .output()
        .unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{arguments:?}: {said}\n{errors}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}\n{errors}"))
}

/// Every subscriber has every frame once, under a GCM, on the path that was asked for.
fn assert_room(summary: &Value, path: &str, leg: &str) {
    assert_eq!(summary["ok"], true, "{summary:#}");
    assert_eq!(summary["path"], path, "{summary:#}");
    assert_eq!(summary["complete_subscribers"], 4, "{summary:#}");
    // Two publishers, a picture and a sound of each, to four.
    assert_eq!(summary["legs"][leg], 16, "{summary:#}");
    assert!(summary["packets"].as_u64() > Some(1000), "{summary:#}");
    for fault in ["lost", "duplicates", "reordered"] {
        assert_eq!(summary[fault], 0, "{summary:#}");
    }
}

#[test]
fn a_room_over_xdp() {
    needs_root!();
    let summary = demo(&["--subscribers", "4", "--path", "kernel"]);
    assert_room(&summary, "kernel", "sealed");
}

#[test]
fn a_room_over_sockets_and_ipv6() {
    needs_root!();
    let summary = demo(&["--subscribers", "4", "--path", "socket", "--ipv6"]);
    assert_room(&summary, "socket", "socket");
    assert_eq!(summary["family"], "ipv6");
}

#[test]
fn plain_rtp() {
    needs_root!();
    let summary = demo(&["--plain", "--receivers", "16", "--path", "kernel"]);
    assert_eq!(summary["ok"], true, "{summary:#}");
    assert_eq!(summary["path"], "kernel", "{summary:#}");
}
