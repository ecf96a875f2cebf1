//! The doctor on a real veth. Needs root; without it the tests say so and pass.

use std::process::Command;

use forwarder::doctor::{Path, Report, SelfTest, Verdict, examine, examine_with, gather};

use namespaces::Pair;

mod namespaces;

fn verdict(report: &Report, check: &str) -> Verdict {
    report
        .finding(check)
        .unwrap_or_else(|| panic!("no finding {check}:\n{report}"))
        .verdict
}

/// Runs a command as the doctor prescribed it, in a namespace.
fn obey(namespace: &str, command: &str) {
    let done = Command::new("ip")
        .args(["netns", "exec", namespace, "sh", "-ec", command])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn what_it_prescribes_helps() {
    let Some(pair) = Pair::new() else { return };
    let before = pair.enter(async || examine("f0").await.unwrap());
    println!("{before}");
    assert_eq!(before.path, Path::Socket);
    assert_eq!(
        verdict(&before, "redirect target"),
        Verdict::Fail,
        "the other end has neither GRO nor a program"
    );
    assert_eq!(verdict(&before, "VLAN offload"), Verdict::Warn);
    assert_eq!(verdict(&before, "self-test"), Verdict::Unknown);

    obey(
        &pair.b,
        &before
            .finding("redirect target")
            .unwrap()
            .mend
            .clone()
            .unwrap()
            .replace("OTHER-END", "f0"),
    );
    for check in ["VLAN offload", "queues"] {
        if let Some(mend) = &before.finding(check).unwrap().mend {
            obey(&pair.a, mend);
        }
    }
    let after = pair.enter(async || {
        examine_with("f0", async |facts| {
            SelfTest::Passed(format!("64 copies on {}", facts.interface))
        })
        .await
        .unwrap()
    });
    println!("{after}");
    for check in [
        "redirect target",
        "VLAN offload",
        "native XDP",
        "driver",
        "MTU",
        "self-test",
    ] {
        assert_eq!(verdict(&after, check), Verdict::Ok, "{check}");
    }
    assert_eq!(after.finding("self-test").unwrap().value, "64 copies on f0");

    let mended = |report: &Report| {
        report
            .findings
            .iter()
            .filter(|f| f.verdict == Verdict::Fail)
            .count()
    };
    assert!(mended(&after) < mended(&before));
}

#[test]
fn what_the_kernel_tells_of_a_veth() {
    let Some(pair) = Pair::new() else { return };
    let facts = pair.enter(async || gather("f0").await.unwrap());
    assert_eq!(facts.driver.as_deref(), Some("veth"));
    let link = facts.link.unwrap();
    assert_eq!(
        (link.kind.as_deref(), link.mtu, link.up, link.carrier),
        (Some("veth"), 1500, true, true)
    );
    assert_eq!(
        (link.peer, link.xdp),
        (None, None),
        "the peer is in another namespace"
    );
    assert!(facts.offloads.len() > 30 && facts.offloads.contains_key("rx-vlan-hw-parse"));
    assert!(facts.channels.unwrap().rx >= 1);
    assert!(facts.host.cpus >= 1);
}

#[test]
fn interfaces_that_cannot_be_used() {
    let Some(pair) = Pair::new() else { return };
    for (name, found) in [
        ("lo", "loopback"),
        ("nowhere", "missing"),
        ("a-name-that-is-too-long", "missing"),
        ("", "missing"),
    ] {
        let report = pair.enter(async || examine(name).await.unwrap());
        assert_eq!(
            (
                report.path,
                report.finding("interface").unwrap().value.as_str()
            ),
            (Path::Socket, found)
        );
    }
    pair.in_a("link set f1 down");
    let report = pair.enter(async || examine("f1").await.unwrap());
    assert_eq!(verdict(&report, "interface"), Verdict::Fail);
}

#[test]
fn a_veth_with_too_few_queues() {
    let Some(pair) = Pair::new() else { return };
    pair.in_a("link set f1 down");
    obey(&pair.b, "ethtool -L f1 tx 2");
    pair.in_a("link set f1 up");
    let report = pair.enter(async || examine("f1").await.unwrap());
    let native = report.finding("native XDP").unwrap();
    assert_eq!(native.verdict, Verdict::Fail, "{report}");
    obey(
        &pair.a,
        &native.mend.clone().unwrap().replace("rx N", "rx 2"),
    );
    assert_eq!(
        verdict(
            &pair.enter(async || examine("f1").await.unwrap()),
            "native XDP"
        ),
        Verdict::Ok
    );
}
