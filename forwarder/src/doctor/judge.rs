//! Facts in, findings out: no IO, so that every verdict can be tested with made-up facts. The interface is judged here, the host in
//! [`host`].

use super::drivers::{Driver, Queues, driver};
use super::facts::{Facts, LinkFacts, Mode, Offload, Owner, feature};
use super::host;
use super::report::{Finding, Report, Verdict};

/// Ring frames from which on a broadcast to many receivers fits comfortably: half of a ring may be filled per round.
const GOOD_RING: u32 = 1024;

/// Judges facts.
#[must_use]
pub fn judge(facts: &Facts) -> Report {
    let mut findings = interface(facts);
    findings.extend(host::judge(&facts.host));
    Report::new(&facts.interface, findings)
}

fn interface(facts: &Facts) -> Vec<Finding> {
    let name = &facts.interface;
    let Some(link) = &facts.link else {
        let why = "there is no interface of this name in this network namespace";
        return vec![
            Finding::bad(Verdict::Fail, "interface", "missing", why).mend("ip -brief link"),
        ];
    };
    if link.loopback {
        let why = "traffic of a host with itself never passes an XDP program; name the interface that receivers are reached by";
        return vec![
            Finding::bad(Verdict::Fail, "interface", "loopback", why).mend("ip -brief link"),
        ];
    }
    let known = facts.driver.as_deref().and_then(driver);
    let mut findings = vec![
        state(name, link),
        driver_name(facts, known),
        native(facts, known),
        target(facts, link),
    ];
    findings.push(attached(facts, link));
    findings.extend(controller(link));
    findings.push(queues(facts, link, known));
    findings.extend(rings(facts));
    findings.push(mtu(facts, link, known));
    findings.extend(offloads(facts));
    findings.extend(headroom(facts));
    findings.push(bypass(name));
    findings
}

fn state(name: &str, link: &LinkFacts) -> Finding {
    match (link.up, link.carrier) {
        (true, true) => Finding::ok("interface", "up", ""),
        (true, false) => Finding::bad(
            Verdict::Fail,
            "interface",
            "no carrier",
            "check the cable and the switch port; of a veth, set the other end up",
        ),
        (false, _) => Finding::bad(
            Verdict::Fail,
            "interface",
            "down",
            "nothing is sent or received",
        )
        .mend(format!("ip link set dev {name} up")),
    }
}

fn driver_name(facts: &Facts, known: Option<&Driver>) -> Finding {
    match (&facts.driver, known) {
        (None, _) => Finding::bad(
            Verdict::Unknown,
            "driver",
            "not told",
            "the driver does not answer ethtool -i",
        ),
        (Some(name), None) => Finding::bad(
            Verdict::Unknown,
            "driver",
            name.clone(),
            "nothing is known about this driver's limits; rely on the self-test",
        ),
        (Some(name), Some(driver)) => {
            Finding::ok("driver", name.clone(), driver.note.unwrap_or_default())
        }
    }
}

/// Native XDP: by the kernel's word where it gives it, else by the table.
fn native(facts: &Facts, known: Option<&Driver>) -> Finding {
    const CHECK: &str = "native XDP";
    const NEEDED: u64 = feature::BASIC | feature::REDIRECT;
    let instead = known
        .filter(|d| !d.native)
        .and_then(|d| d.note)
        .unwrap_or("use an interface whose driver has it");
    match (facts.xdp_features, known) {
        (Some(bits), _) if bits & NEEDED == NEEDED => Finding::ok(CHECK, "yes", ""),
        (Some(_), Some(Driver { name: "veth", .. })) => Finding::bad(
            Verdict::Fail,
            CHECK,
            "not as configured",
            "this end of the veth has fewer receive queues than the other has transmit queues; give it as many",
        )
        .mend(format!("ethtool -L {} rx N   # N: the tx count of `ethtool -l` on the other end", facts.interface)),
        (Some(_), Some(Driver { name: "virtio_net", note: Some(note), .. })) => {
            Finding::bad(Verdict::Fail, CHECK, "not as configured", *note)
        }
        (Some(bits), _) if bits & feature::BASIC != 0 => {
            Finding::bad(Verdict::Fail, CHECK, "no redirects", format!("the driver cannot redirect frames; {instead}"))
        }
        (Some(_), _) => Finding::bad(Verdict::Fail, CHECK, "no", format!("the driver has no native XDP; {instead}")),
        (None, Some(Driver { native: true, .. })) => {
            Finding::ok(CHECK, "yes, by the driver's name", "the kernel does not tell (that takes Linux 6.3)")
        }
        (None, Some(Driver { native: false, .. })) => Finding::bad(Verdict::Fail, CHECK, "no", instead),
        (None, None) => Finding::bad(
            Verdict::Unknown,
            CHECK,
            "not told",
            "the kernel does not tell (that takes Linux 6.3), and the driver is not known; rely on the self-test",
        ),
    }
}

/// Whether frames can be redirected to the interface. Most drivers say so only once they have a program, which the forwarder
/// attaches; a veth says so when its other end is ready.
fn target(facts: &Facts, link: &LinkFacts) -> Finding {
    const CHECK: &str = "redirect target";
    let veth = facts.driver.as_deref() == Some("veth");
    match facts.xdp_features {
        Some(bits) if bits & feature::NDO_XMIT != 0 => Finding::ok(CHECK, "yes", ""),
        Some(bits) if bits & feature::BASIC == 0 => {
            Finding::bad(Verdict::Unknown, CHECK, "not told", "depends on native XDP")
        }
        Some(_) if veth => {
            let place = match link.peer {
                Some(index) => format!("interface {index} of this namespace"),
                None => "in another namespace".into(),
            };
            let why = format!(
                "the other end ({place}) runs neither an XDP program nor GRO, so that frames redirected to this end are lost; \
                 turn GRO on over there"
            );
            Finding::bad(Verdict::Fail, CHECK, "other end not ready", why)
                .mend("ethtool -K OTHER-END gro on")
        }
        Some(_) => Finding::ok(
            CHECK,
            "once attached",
            "the driver becomes one when it gets a program of its own",
        ),
        None => Finding::bad(
            Verdict::Unknown,
            CHECK,
            "not told",
            "the kernel does not tell (that takes Linux 6.3)",
        ),
    }
}

fn attached(facts: &Facts, link: &LinkFacts) -> Finding {
    const CHECK: &str = "XDP program";
    let name = &facts.interface;
    let Some(attached) = &link.xdp else {
        return Finding::ok(CHECK, "none attached", "");
    };
    let (mode, flag) = match attached.mode {
        Mode::Native => ("native", "xdpdrv"),
        Mode::Generic => ("generic", "xdpgeneric"),
        Mode::Hardware => ("hardware", "xdpoffload"),
        Mode::Several => ("several modes", "xdp"),
    };
    let value = format!("id {} ({mode})", attached.id);
    let foreign = |hint: &str| {
        let why = format!(
            "an interface takes one program (EBUSY){hint}; see what it is with `bpftool prog show id {}`, and \
             remove it if it can go (if a BPF link holds it: bpftool link detach)",
            attached.id
        );
        Finding::bad(Verdict::Fail, CHECK, value.clone(), why)
            .mend(format!("ip link set dev {name} {flag} off"))
    };
    match &attached.owner {
        Owner::Node(node) => {
            let why = format!(
                "ours, of node {node}: `forwarder run` takes it over, and `forwarder stop` removes it"
            );
            Finding::bad(Verdict::Warn, CHECK, value, why)
                .mend(format!("forwarder stop --name {node}"))
        }
        Owner::Other => foreign(""),
        Owner::Hidden => foreign(", and whose it is only root can see"),
    }
}

fn controller(link: &LinkFacts) -> Option<Finding> {
    let index = link.controller?;
    let why = "the interface is a port of a bridge or bond: addresses and routes are on that device, so that hops name it rather \
               than this port. With a bond attach to the bond; with a bridge use a port that is not part of it";
    Some(Finding::bad(
        Verdict::Warn,
        "port",
        format!("of interface {index}"),
        why,
    ))
}

fn queues(facts: &Facts, link: &LinkFacts, known: Option<&Driver>) -> Finding {
    const CHECK: &str = "queues";
    let name = &facts.interface;
    let cpus = facts.host.cpus;
    let Some(channels) = facts.channels else {
        let value = format!("{} rx, {} tx", link.rx_queues, link.tx_queues);
        return Finding::ok(
            CHECK,
            value,
            format!("the driver tells no maximum; {cpus} CPUs"),
        );
    };
    let (rx, tx) = (
        channels.rx + channels.combined,
        channels.tx + channels.combined,
    );
    let (max_rx, max_tx) = (
        channels.max_rx + channels.max_combined,
        channels.max_tx + channels.max_combined,
    );
    // Drivers with combined queues take `combined`, the others one number for each direction.
    let set = |count: u32| match channels.max_combined {
        0 => format!("ethtool -L {name} rx {count} tx {count}"),
        _ => format!("ethtool -L {name} combined {count}"),
    };
    let value = format!("{rx} rx of {max_rx}, {tx} tx of {max_tx}, {cpus} CPUs");
    match known.map_or(Queues::Any, |driver| driver.queues) {
        Queues::PerCpu if tx < cpus && max_tx >= cpus => Finding::bad(
            Verdict::Fail,
            CHECK,
            value,
            "frames sent by a CPU without a queue of its own are lost",
        )
        .mend(set(cpus)),
        Queues::PerCpu if tx < cpus => Finding::bad(
            Verdict::Fail,
            CHECK,
            value,
            format!(
                "frames sent by a CPU without a queue of its own are lost, and the device has too few; leave {max_tx} CPUs online"
            ),
        ),
        Queues::HalfOfMaximum if rx.max(tx) * 2 > max_rx.min(max_tx) => {
            let why = "XDP takes as many queues again for sending, so at most half of the maximum may be in use";
            Finding::bad(Verdict::Fail, CHECK, value, why)
                .mend(set((max_rx.min(max_tx) / 2).max(1)))
        }
        Queues::SparePerCpu if tx + cpus > max_tx => {
            let spare = max_tx.saturating_sub(cpus);
            let why = "there is not one spare queue for each CPU, so that sending takes a lock";
            let finding = Finding::bad(Verdict::Warn, CHECK, value, why);
            if spare > 0 {
                finding.mend(set(spare))
            } else {
                let why = format!(
                    "{why}; give the machine at least {} queues (QEMU: queues=N on the netdev)",
                    cpus * 2
                );
                Finding { why, ..finding }
            }
        }
        Queues::ReceivePerCpu if rx < cpus && max_rx >= cpus => {
            let why =
                format!("{rx} CPU(s) do the work; receive queues spread publishers over more");
            // Only this direction: with more transmit queues here, the other end could no longer have XDP.
            Finding::bad(Verdict::Warn, CHECK, value, why)
                .mend(format!("ethtool -L {name} rx {cpus}"))
        }
        Queues::ReceivePerCpu if rx < cpus => {
            let why = format!("{rx} CPU(s) do the work; make the device with more queues");
            Finding::bad(Verdict::Warn, CHECK, value, why)
                .mend(format!("ip link add {name} numrxqueues {cpus} numtxqueues {cpus} type veth peer name OTHER-END"))
        }
        _ => Finding::ok(CHECK, value, ""),
    }
}

fn rings(facts: &Facts) -> Option<Finding> {
    const CHECK: &str = "rings";
    let rings = facts.rings.filter(|r| r.max_rx > 0 || r.max_tx > 0)?;
    let value = format!(
        "{} rx of {}, {} tx of {}",
        rings.rx, rings.max_rx, rings.tx, rings.max_tx
    );
    let could =
        |now: u32, max: u32| (now < GOOD_RING && now < max).then_some(max.min(GOOD_RING.max(now)));
    let (rx, tx) = (could(rings.rx, rings.max_rx), could(rings.tx, rings.max_tx));
    if rx.is_none() && tx.is_none() {
        return Some(Finding::ok(CHECK, value, ""));
    }
    let mut command = format!("ethtool -G {}", facts.interface);
    for (word, size) in [(" rx ", rx), (" tx ", tx)] {
        command.extend(size.map(|size| format!("{word}{size}")));
    }
    let why =
        "a packet to many receivers is a burst; with larger rings fewer of its frames have to wait";
    Some(Finding::bad(Verdict::Warn, CHECK, value, why).mend(command))
}

fn mtu(facts: &Facts, link: &LinkFacts, known: Option<&Driver>) -> Finding {
    const CHECK: &str = "MTU";
    match known.and_then(|driver| driver.max_mtu) {
        Some(limit) if link.mtu > limit => {
            let why = format!("this driver takes a program without fragments only up to {limit}");
            Finding::bad(Verdict::Fail, CHECK, link.mtu.to_string(), why)
                .mend(format!("ip link set dev {} mtu {limit}", facts.interface))
        }
        Some(limit) => Finding::ok(
            CHECK,
            link.mtu.to_string(),
            format!("at most {limit} with this driver"),
        ),
        None if link.mtu > 3498 => {
            let why = "no driver takes more than about a page without fragments, which the forwarder does not use; media needs 1500";
            Finding::bad(Verdict::Warn, CHECK, link.mtu.to_string(), why)
                .mend(format!("ip link set dev {} mtu 1500", facts.interface))
        }
        None => Finding::ok(CHECK, link.mtu.to_string(), ""),
    }
}

/// Offloads that hide something from XDP or make frames that it does not understand.
fn offloads(facts: &Facts) -> Vec<Finding> {
    const UNWANTED: [(&str, &str, &str, &str, Verdict); 3] = [
        (
            "VLAN offload",
            "rx-vlan-hw-parse",
            "rxvlan",
            "the device takes the tag off before XDP sees the frame, so that media in VLANs goes up the stack",
            Verdict::Warn,
        ),
        (
            "LRO",
            "rx-lro",
            "lro",
            "packets that the device merges are larger than XDP takes; many drivers refuse",
            Verdict::Fail,
        ),
        (
            "hardware GRO",
            "rx-gro-hw",
            "rx-gro-hw",
            "packets that the device merges are larger than XDP takes; many drivers refuse",
            Verdict::Fail,
        ),
    ];
    let mut findings = Vec::new();
    for (check, feature, word, why, verdict) in UNWANTED {
        let finding = match facts.offloads.get(feature) {
            Some(Offload {
                on: true,
                changeable: true,
            }) => Finding::bad(verdict, check, "on", why)
                .mend(format!("ethtool -K {} {word} off", facts.interface)),
            Some(Offload {
                on: true,
                changeable: false,
            }) => Finding::bad(
                Verdict::Warn,
                check,
                "on, fixed",
                format!("{why}; the driver does not let it be changed"),
            ),
            Some(Offload { on: false, .. }) => Finding::ok(check, "off", ""),
            None => continue,
        };
        findings.push(finding);
    }
    let checksum = ["tx-checksum-ip-generic", "tx-checksum-ipv4"]
        .iter()
        .any(|n| facts.offloads.get(*n).is_some_and(|o| o.on));
    if facts.driver.as_deref() == Some("veth") && checksum {
        let why = "senders on this host hand over packets with unfinished UDP checksums. Those we send are right, but a capture \
                   of those we get shows bad ones; in tests turn it off at both ends: ethtool -K IFACE tx off";
        findings.push(Finding::ok("checksum offload", "on", why));
    }
    findings
}

fn headroom(facts: &Facts) -> Option<Finding> {
    // Growing a frame by a VLAN tag, an IPv6 header in place of an IPv4 one, or both.
    const NEEDED: u32 = 24;
    match facts.driver.as_deref()? {
        "gve" => Some(Finding::ok(
            "headroom",
            "2 bytes less",
            format!(
                "the driver keeps two bytes in front of each frame; {NEEDED} are needed, and the self-test proves them"
            ),
        )),
        _ => None,
    }
}

fn bypass(name: &str) -> Finding {
    let why = format!(
        "media that XDP forwards passes neither nftables, conntrack nor qdiscs, and tcpdump does not see it. Firewall media ports \
         upstream. Capture what comes in with xdpdump -i {name} (xdp-tools), and what leaves at the receiver or a mirror port"
    );
    Finding::ok("bypass", "by design", why)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
