//! Verdicts on made-up interfaces.

use super::super::facts::{Attached, Channels, FileSystem, HostFacts, Rings};
use super::super::report::Path;
use super::*;

fn facts(driver: &str) -> Facts {
    Facts {
        interface: "eth1".into(),
        link: Some(LinkFacts {
            index: 3,
            up: true,
            carrier: true,
            mtu: 1500,
            rx_queues: 4,
            tx_queues: 4,
            ..LinkFacts::default()
        }),
        driver: Some(driver.into()),
        xdp_features: Some(feature::BASIC | feature::REDIRECT | feature::NDO_XMIT),
        channels: Some(Channels {
            combined: 4,
            max_combined: 8,
            ..Channels::default()
        }),
        rings: Some(Rings {
            rx: 1024,
            tx: 1024,
            max_rx: 4096,
            max_tx: 4096,
        }),
        offloads: [("rx-vlan-hw-parse", false), ("rx-lro", false)]
            .map(|(name, on)| {
                (
                    name.to_owned(),
                    Offload {
                        on,
                        changeable: true,
                    },
                )
            })
            .into(),
        host: HostFacts {
            cpus: 4,
            release: "6.12.8".into(),
            btf: true,
            bpffs: FileSystem::Mounted,
            jit: Some(true),
            taps: Some(true),
            capabilities: Some(u64::MAX),
            ..HostFacts::default()
        },
    }
}

fn finding(facts: &Facts, check: &str) -> Finding {
    judge(facts)
        .finding(check)
        .unwrap_or_else(|| panic!("no finding {check}"))
        .clone()
}

fn verdict(facts: &Facts, check: &str) -> Verdict {
    finding(facts, check).verdict
}

fn with_link(driver: &str, change: impl FnOnce(&mut LinkFacts)) -> Facts {
    let mut facts = facts(driver);
    change(facts.link.as_mut().unwrap());
    facts
}

#[test]
fn a_good_interface() {
    let report = judge(&facts("ice"));
    assert_eq!(report.path, Path::Kernel);
    assert!(
        report.findings.iter().all(|f| f.verdict == Verdict::Ok),
        "{report}"
    );
}

#[test]
fn missing_loopback_and_down() {
    let missing = judge(&Facts {
        link: None,
        ..facts("ice")
    });
    assert_eq!(
        (
            missing.path,
            missing.finding("interface").unwrap().value.as_str()
        ),
        (Path::Socket, "missing")
    );
    assert_eq!(
        finding(&with_link("ice", |l| l.loopback = true), "interface").value,
        "loopback"
    );
    let down = finding(&with_link("ice", |l| l.up = false), "interface");
    assert_eq!(
        (down.verdict, down.mend.as_deref()),
        (Verdict::Fail, Some("ip link set dev eth1 up"))
    );
    assert_eq!(
        verdict(&with_link("ice", |l| l.carrier = false), "interface"),
        Verdict::Fail
    );
}

#[test]
fn native_xdp_by_the_kernels_word_or_the_drivers_name() {
    let told = |driver: &str, bits| {
        verdict(
            &Facts {
                xdp_features: bits,
                ..facts(driver)
            },
            "native XDP",
        )
    };
    assert_eq!(told("ice", Some(7)), Verdict::Ok);
    assert_eq!(told("unheard-of", Some(3)), Verdict::Ok);
    assert_eq!(
        told("ice", Some(0)),
        Verdict::Fail,
        "the kernel knows better than the table"
    );
    assert_eq!(
        told("ice", Some(feature::BASIC)),
        Verdict::Fail,
        "redirects are needed"
    );
    assert_eq!(told("ice", None), Verdict::Ok);
    assert_eq!(told("e1000e", None), Verdict::Fail);
    assert_eq!(told("unheard-of", None), Verdict::Unknown);
}

#[test]
fn redirect_targets() {
    let bits = Some(feature::BASIC | feature::REDIRECT);
    assert_eq!(
        finding(
            &Facts {
                xdp_features: bits,
                ..facts("ice")
            },
            "redirect target"
        )
        .value,
        "once attached"
    );
    let veth = finding(
        &Facts {
            xdp_features: bits,
            ..facts("veth")
        },
        "redirect target",
    );
    assert_eq!(
        (veth.verdict, veth.mend.as_deref()),
        (Verdict::Fail, Some("ethtool -K OTHER-END gro on"))
    );
}

#[test]
fn programs_of_others_and_ours() {
    let of = |owner| {
        let attached = Attached {
            id: 77,
            mode: Mode::Generic,
            owner,
        };
        finding(&with_link("ice", |l| l.xdp = Some(attached)), "XDP program")
    };
    for owner in [Owner::Other, Owner::Hidden] {
        let foreign = of(owner);
        assert_eq!(foreign.verdict, Verdict::Fail);
        assert_eq!(
            foreign.mend.as_deref(),
            Some("ip link set dev eth1 xdpgeneric off")
        );
    }
    let ours = of(Owner::Node("default".into()));
    assert_eq!(
        (ours.verdict, ours.mend.as_deref()),
        (Verdict::Warn, Some("forwarder stop --name default"))
    );
}

#[test]
fn queue_rules_of_drivers() {
    let combined = |now, max| {
        Some(Channels {
            combined: now,
            max_combined: max,
            ..Channels::default()
        })
    };
    let apart = |now, max| {
        Some(Channels {
            rx: now,
            tx: now,
            max_rx: max,
            max_tx: max,
            ..Channels::default()
        })
    };
    for (driver, channels, expected, mend) in [
        ("i40e", combined(4, 8), Verdict::Ok, None),
        (
            "i40e",
            combined(2, 8),
            Verdict::Fail,
            Some("ethtool -L eth1 combined 4"),
        ),
        ("i40e", combined(2, 2), Verdict::Fail, None),
        ("ena", combined(4, 8), Verdict::Ok, None),
        (
            "ena",
            combined(8, 8),
            Verdict::Fail,
            Some("ethtool -L eth1 combined 4"),
        ),
        (
            "gve",
            apart(8, 8),
            Verdict::Fail,
            Some("ethtool -L eth1 rx 4 tx 4"),
        ),
        ("virtio_net", combined(4, 8), Verdict::Ok, None),
        (
            "virtio_net",
            combined(6, 8),
            Verdict::Warn,
            Some("ethtool -L eth1 combined 4"),
        ),
        ("virtio_net", combined(1, 1), Verdict::Warn, None),
        ("veth", apart(4, 4), Verdict::Ok, None),
        (
            "veth",
            apart(1, 4),
            Verdict::Warn,
            Some("ethtool -L eth1 rx 4"),
        ),
        ("unheard-of", combined(1, 1), Verdict::Ok, None),
    ] {
        let found = finding(
            &Facts {
                channels,
                ..facts(driver)
            },
            "queues",
        );
        assert_eq!(
            (found.verdict, found.mend.as_deref()),
            (expected, mend),
            "{driver} {channels:?}"
        );
    }
    assert!(
        finding(
            &Facts {
                channels: None,
                ..facts("ice")
            },
            "queues"
        )
        .value
        .contains("4 rx")
    );
}

#[test]
fn rings_may_grow() {
    let sized = |rx, tx| Facts {
        rings: Some(Rings {
            rx,
            tx,
            max_rx: 4096,
            max_tx: 512,
        }),
        ..facts("ice")
    };
    assert_eq!(
        verdict(&sized(1024, 512), "rings"),
        Verdict::Ok,
        "no more can be had"
    );
    assert_eq!(
        finding(&sized(256, 256), "rings").mend.as_deref(),
        Some("ethtool -G eth1 rx 1024 tx 512")
    );
    assert_eq!(
        finding(&sized(2048, 256), "rings").mend.as_deref(),
        Some("ethtool -G eth1 tx 512")
    );
    assert!(
        judge(&Facts {
            rings: None,
            ..facts("veth")
        })
        .finding("rings")
        .is_none()
    );
}

#[test]
fn mtus() {
    assert_eq!(
        verdict(&with_link("ena", |l| l.mtu = 3498), "MTU"),
        Verdict::Ok
    );
    let jumbo = finding(&with_link("ena", |l| l.mtu = 9001), "MTU");
    assert_eq!(
        (jumbo.verdict, jumbo.mend.as_deref()),
        (Verdict::Fail, Some("ip link set dev eth1 mtu 3498"))
    );
    assert_eq!(
        verdict(&with_link("unheard-of", |l| l.mtu = 9000), "MTU"),
        Verdict::Warn
    );
}

#[test]
fn offloads_that_hide_or_merge() {
    let mut facts = facts("ice");
    let on = |changeable| Offload {
        on: true,
        changeable,
    };
    facts.offloads = [
        ("rx-vlan-hw-parse".into(), on(true)),
        ("rx-lro".into(), on(true)),
        ("rx-gro-hw".into(), on(false)),
    ]
    .into();
    assert_eq!(
        finding(&facts, "VLAN offload").mend.as_deref(),
        Some("ethtool -K eth1 rxvlan off")
    );
    assert_eq!(verdict(&facts, "LRO"), Verdict::Fail);
    assert_eq!(
        finding(&facts, "LRO").mend.as_deref(),
        Some("ethtool -K eth1 lro off")
    );
    assert_eq!(
        (
            verdict(&facts, "hardware GRO"),
            finding(&facts, "hardware GRO").mend
        ),
        (Verdict::Warn, None)
    );
}

#[test]
fn the_conclusion_names_what_to_mend() {
    let report = judge(&with_link("ena", |l| l.mtu = 9001));
    assert_eq!(report.path, Path::Socket);
    assert!(
        report.conclusion.contains("only the socket path") && report.conclusion.contains("MTU")
    );
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["path"], "socket");
    assert_eq!(json["findings"][0]["verdict"], "ok");
    let text = report.to_string();
    assert!(
        text.contains("ip link set dev eth1 mtu 3498") && text.contains("FAIL"),
        "{text}"
    );
}
