//! Gathers [`Facts`] from the kernel. Judges nothing; what cannot be found out stays unknown.

use std::path::Path;
use std::{fs, io};

use anyhow::Context as _;
use futures::StreamExt as _;
use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp, XdpAttached,
};

use super::ethtool::Ethtool;
use super::facts::{Attached, Facts, FileSystem, HostFacts, LinkFacts, Mode};
use super::pins;
use super::xdp_features::xdp_features;
use crate::dataplane::kernel::bell::TUN;

/// Gathers everything about `interface` and the host, in the network namespace of the calling thread.
///
/// # Errors
/// When not even a netlink socket can be had.
pub async fn gather(interface: &str) -> anyhow::Result<Facts> {
    let link = link(interface).await?;
    let ethtool = link.as_ref().and_then(|_| Ethtool::open(interface).ok());
    let ask = ethtool.as_ref();
    Ok(Facts {
        interface: interface.into(),
        driver: ask
            .and_then(|e| e.driver().ok())
            .filter(|name| !name.is_empty())
            .or_else(|| link.as_ref().and_then(|l| l.kind.clone())),
        xdp_features: link.as_ref().and_then(|l| xdp_features(l.index).ok()),
        channels: ask.and_then(|e| e.channels().ok()),
        rings: ask.and_then(|e| e.rings().ok()),
        offloads: ask.and_then(|e| e.offloads().ok()).unwrap_or_default(),
        host: host(),
        link,
    })
}

/// Asks for one link by name; `None` if there is none.
async fn link(interface: &str) -> anyhow::Result<Option<LinkFacts>> {
    // The kernel refuses longer names with an error of another kind than "no such device".
    if interface.is_empty() || interface.len() >= libc::IFNAMSIZ {
        return Ok(None);
    }
    let (connection, mut handle, _) =
        rtnetlink::new_connection().context("a netlink socket cannot be opened")?;
    let connection = tokio::spawn(connection);
    let mut question = LinkMessage::default();
    question
        .attributes
        .push(LinkAttribute::IfName(interface.into()));
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetLink(question));
    request.header.flags = NLM_F_REQUEST;
    let answers = handle
        .request(request)
        .context("the netlink connection is closed")?;
    let answers: Vec<_> = answers.collect().await;
    connection.abort();
    for answer in answers {
        match answer.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
                return Ok(Some(link_facts(&message)));
            }
            NetlinkPayload::Error(error) if -error.raw_code() == libc::ENODEV => return Ok(None),
            NetlinkPayload::Error(error) => {
                return Err(error.to_io()).context(format!("look-up of link {interface}"));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn link_facts(message: &LinkMessage) -> LinkFacts {
    let flags = message.header.flags;
    let mut facts = LinkFacts {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        loopback: flags.contains(LinkFlags::Loopback),
        ..LinkFacts::default()
    };
    let mut elsewhere = false;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => facts.mtu = *mtu,
            LinkAttribute::NumRxQueues(queues) => facts.rx_queues = *queues,
            LinkAttribute::NumTxQueues(queues) => facts.tx_queues = *queues,
            LinkAttribute::Address(mac) => {
                facts.mac = mac.as_slice().try_into().unwrap_or_default();
            }
            LinkAttribute::Controller(index) => {
                facts.controller = Some(*index).filter(|index| *index != 0)
            }
            LinkAttribute::Link(index) => facts.peer = Some(*index).filter(|index| *index != 0),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::LinkInfo(infos) => {
                facts.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            LinkAttribute::Xdp(xdp) => facts.xdp = attached(xdp),
            _ => {}
        }
    }
    if elsewhere || facts.kind.as_deref() != Some("veth") {
        facts.peer = None;
    }
    facts
}

fn attached(xdp: &[LinkXdp]) -> Option<Attached> {
    let mode = xdp.iter().find_map(|x| match x {
        LinkXdp::Attached(XdpAttached::Driver) => Some(Mode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(Mode::Generic),
        LinkXdp::Attached(XdpAttached::Hardware) => Some(Mode::Hardware),
        LinkXdp::Attached(XdpAttached::Multiple) => Some(Mode::Several),
        _ => None,
    })?;
    // With several programs the general id is 0, and each mode has its own.
    let id = xdp.iter().find_map(|x| match x {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id)
            if *id != 0 =>
        {
            Some(*id)
        }
        _ => None,
    });
    let id = id.unwrap_or_default();
    Some(Attached {
        id,
        mode,
        owner: pins::owner(id),
    })
}

fn host() -> HostFacts {
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    HostFacts {
        cpus: online_cpus(),
        release: fs::read_to_string("/proc/sys/kernel/osrelease")
            .unwrap_or_default()
            .trim()
            .into(),
        realtime: fs::read_to_string("/sys/kernel/realtime").is_ok_and(|text| text.trim() == "1")
            || fs::read_to_string("/proc/version").is_ok_and(|text| text.contains("PREEMPT_RT")),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        bpffs: file_system("bpf", &filesystems, &mounts, &["/sys/fs/bpf"]),
        jit: jit(),
        taps: taps(&status),
        capabilities: capabilities(&status),
    }
}

/// include/uapi/linux/capability.h.
const CAP_NET_ADMIN: u32 = 12;

/// Opened, the device is nothing yet. Where the module is not loaded, opening loads it, if that may be.
fn taps(status: &str) -> Option<bool> {
    let is_mighty = capabilities(status).is_some_and(|held| held & 1 << CAP_NET_ADMIN != 0);
    let opened = fs::File::options().read(true).write(true).open(TUN);
    match opened {
        Ok(_) => Some(true),
        // Who may make devices is kept from this one by the container.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_mighty => None,
        Err(_) => Some(false),
    }
}

/// CPUs that take interrupts, whatever this process is allowed to run on.
fn online_cpus() -> u32 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN)
        .ok()
        .flatten()
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or_default()
}

/// `known` is /proc/filesystems, `mounts` /proc/self/mounts; counts as mounted at one of `places` only.
fn file_system(name: &str, known: &str, mounts: &str, places: &[&str]) -> FileSystem {
    let mounted = mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next().unwrap_or_default();
        fields.next() == Some(name) && places.contains(&place)
    });
    match (
        mounted,
        known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(name)),
    ) {
        (true, _) => FileSystem::Mounted,
        (false, true) => FileSystem::Known,
        (false, false) => FileSystem::Missing,
    }
}

/// A kernel built with `CONFIG_BPF_JIT_ALWAYS_ON` has no way to turn it off. Only root of the first user namespace may read the
/// file, and in other network namespaces it is missing.
fn jit() -> Option<bool> {
    let text = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok()?;
    text.trim().parse::<u8>().ok().map(|level| level > 0)
}

/// `CapEff` of /proc/self/status.
fn capabilities(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems() {
        let known = "nodev\tsysfs\nnodev\tbpf\n\text4\n";
        let mounts =
            "sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\nbpf /elsewhere bpf rw 0 0\n";
        assert_eq!(
            file_system("bpf", known, mounts, &["/sys/fs/bpf"]),
            FileSystem::Mounted
        );
        assert_eq!(
            file_system("bpf", known, "bpf /elsewhere bpf rw 0 0", &["/sys/fs/bpf"]),
            FileSystem::Known
        );
        assert_eq!(
            file_system("nfs", known, mounts, &["/sys/fs/bpf"]),
            FileSystem::Missing
        );
    }

    #[test]
    fn effective_capabilities() {
        assert_eq!(
            capabilities("CapPrm:\t0\nCapEff:\t000001ffffffffff\n"),
            Some(0x1ff_ffff_ffff)
        );
        assert_eq!(capabilities("nothing"), None);
    }
}
