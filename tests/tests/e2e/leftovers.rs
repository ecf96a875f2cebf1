//! What a node may leave behind: nothing. Looks at everything that it makes outside of its own process.

use std::fs;
use std::path::Path;

use forwarder_tests::Lab;

/// What is there of a node, in words.
pub fn find(lab: &Lab, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let pins = Path::new("/sys/fs/bpf/forwarder").join(name);
    if pins.exists() {
        found.push(format!("pins: {}", pins.display()));
    }
    let own = format!("forwarder-{name}");
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let namespace = entry.file_name().to_string_lossy().into_owned();
        if namespace.starts_with(&own) {
            found.push(format!("namespace: {namespace}"));
        }
    }
    for kind in ["lock", "key"] {
        let file = Path::new("/run/forwarder").join(format!("{name}.{kind}"));
        if file.exists() {
            found.push(format!("{kind}: {}", file.display()));
        }
    }
    let text = lab
        .fwd
        .ask_ip(&["-json", "-details", "link", "show"])
        .unwrap();
    let links: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected: Vec<&str> = lab.fwd_interfaces().chain(["lo"]).collect();
    for link in links.as_array().unwrap() {
        let interface = link["ifname"].as_str().unwrap_or("?");
        if !expected.contains(&interface) {
            found.push(format!("interface: {interface}"));
        }
        // `ip` prints `"xdp": {"mode": ...}` where a program is attached, and nothing or mode 0 elsewhere.
        if link["xdp"]["mode"].as_u64().unwrap_or(0) != 0 {
            found.push(format!("XDP on {interface}: {}", link["xdp"]));
        }
    }
    found
}

/// Nothing is there of a node.
pub fn assert_none(lab: &Lab, name: &str) {
    let found = find(lab, name);
    assert!(found.is_empty(), "the node left behind: {found:#?}");
}
