//! Where participants are: as root in a namespace of their own behind a veth, so that XDP has a wire to forward on; else on the host.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use anyhow::{Context, Result, ensure};
use forwarder_tests::{Netns, root, sweep, veth};

use crate::options::Path;

/// The interface of the participants, in their namespace.
const INSIDE: &str = "eth0";

/// A place for participants. Dropped, it is removed, with what the node left.
pub struct Ground {
    name: String,
    wire: Option<Wire>,
    why_none: Option<String>,
}

/// A namespace, a veth and two addresses.
struct Wire {
    netns: Netns,
    address: Ipv4Addr,
}

impl Ground {
    /// Makes it, after what demos that were killed have left is cleared up.
    ///
    /// # Errors
    /// When XDP is asked for and cannot be had.
    pub fn prepare(path: Path) -> Result<Self> {
        let mut ground = Self {
            name: sweep::lab_name(0),
            wire: None,
            why_none: None,
        };
        if root::is_root() {
            sweep::sweep_the_dead();
        }
        match path {
            Path::Socket => {}
            Path::Kernel => ground.lay_wire()?,
            Path::Auto if !root::is_root() => {
                ground.why_none = Some("loading XDP programs takes root".to_owned());
            }
            Path::Auto => {
                if let Err(error) = ground.lay_wire() {
                    ground.remove_wire();
                    ground.why_none = Some(format!("there is no wire for XDP: {error:#}"));
                }
            }
        }
        Ok(ground)
    }

    fn lay_wire(&mut self) -> Result<()> {
        ensure!(
            root::is_root(),
            "--path kernel needs root (CAP_BPF and CAP_NET_ADMIN): run it as root, or leave --path out"
        );
        let netns = Netns::create(&format!("{}-room", self.name))?;
        let (host, address) = addresses(std::process::id());
        self.wire = Some(Wire {
            netns: netns.clone(),
            address,
        });
        connect(&self.name, &netns, host, address)
    }

    fn remove_wire(&mut self) {
        if let Some(wire) = self.wire.take() {
            // The other end goes with it, at once: a namespace is taken down in the kernel's own time.
            let _ = Netns::here().ip(&[format!("link del {}", self.name)]);
            sweep::remove_with_processes(&wire.netns);
        }
    }

    /// Why there is no wire on which XDP could forward, unless none was wanted.
    pub fn why_none(&self) -> Option<&str> {
        self.why_none.as_deref()
    }

    /// The name under which the node runs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's interface towards the participants: it bears the name of the node.
    pub fn interface(&self) -> Option<&str> {
        self.wire.as_ref().map(|_| self.name())
    }

    /// The namespace of the participants.
    pub fn netns(&self) -> Option<&Netns> {
        self.wire.as_ref().map(|wire| &wire.netns)
    }

    /// The address of all participants, each at a port of its own.
    pub fn address(&self) -> IpAddr {
        match &self.wire {
            Some(wire) => wire.address.into(),
            None => own_address().unwrap_or(Ipv4Addr::LOCALHOST.into()),
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.remove_wire();
        sweep::remove_state_of(&self.name);
    }
}

/// The host's address and the participants'. The network is one for tests of network gear, which nothing is reached by (RFC 2544
/// appendix C.2.2), a part of it for each process.
fn addresses(process: u32) -> (Ipv4Addr, Ipv4Addr) {
    let [.., high, low] = process.to_be_bytes();
    let at = |host| Ipv4Addr::new(198, 18, high, (low & 0x3f) << 2 | host);
    (at(1), at(2))
}

fn connect(interface: &str, netns: &Netns, host: Ipv4Addr, address: Ipv4Addr) -> Result<()> {
    let here = Netns::here();
    here.ip(&[format!(
        "link add name {interface} type veth peer name {INSIDE} netns {}",
        netns.name()
    )])?;
    // A veth takes what XDP redirects only if its peer polls, and GRO makes it.
    veth::set_gro(netns, INSIDE, true)?;
    for (netns, interface) in [(netns, INSIDE), (&here, interface)] {
        veth::offloads_off(netns, interface)?;
    }
    here.ip(&[
        format!("addr add {host}/30 dev {interface}"),
        format!("link set {interface} up"),
    ])?;
    netns.ip(&[
        "link set lo up".to_owned(),
        format!("addr add {address}/30 dev {INSIDE}"),
        format!("link set {INSIDE} up"),
        format!("route add default via {host}"),
    ])?;
    veth::settle_link(netns, INSIDE)?;
    veth::settle_link(&here, interface).context("the participants' wire does not come up")
}

/// The host's own address, as others see it. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address of documentation (RFC 5737): which interface leads to the world?
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().as_ref().map(SocketAddr::ip)
}
