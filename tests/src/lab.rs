//! The lab itself: a star of namespaces around the forwarder's, and the guard that removes it.

use std::fs::{File, OpenOptions};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use nix::fcntl::{Flock, FlockArg};

use crate::frame::Mac;
use crate::netns::Netns;
use crate::plan::{Family, LEAF_INTERFACE, Leaf, Neighbours, Pool};
use crate::{sweep, veth};

/// What a star is to look like. Start with [`Lab::star`].
#[derive(Clone, Debug)]
pub struct Star {
    publishers: u8,
    receivers: u8,
    queues: u32,
    mtu: u32,
    neighbours: Neighbours,
    pool: Pool,
    offloads: bool,
    backlog: Option<u32>,
    exclusive: bool,
}

impl Star {
    /// How many publisher namespaces (1 unless told).
    #[must_use]
    pub fn publishers(mut self, n: u8) -> Self {
        self.publishers = n;
        self
    }

    /// How many receiver namespaces (1 unless told), each of which can stand for thousands of receivers.
    #[must_use]
    pub fn receivers(mut self, n: u8) -> Self {
        self.receivers = n;
        self
    }

    /// Receive and transmit queues of every device (2 unless told).
    #[must_use]
    pub fn queues(mut self, n: u32) -> Self {
        self.queues = n;
        self
    }

    /// MTU of every device, bytes (1500 unless told).
    #[must_use]
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = bytes;
        self
    }

    /// How neighbours are known (pinned unless told).
    #[must_use]
    pub fn neighbours(mut self, neighbours: Neighbours) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// How the pools of receivers are reached (through the leaf as a gateway unless told).
    #[must_use]
    pub fn pool(mut self, pool: Pool) -> Self {
        self.pool = pool;
        self
    }

    /// Leaves transmit offloads on, as a real veth has them: captures then see partial checksums from leaves.
    #[must_use]
    pub fn with_offloads(mut self) -> Self {
        self.offloads = true;
        self
    }

    /// Length of every device's transmit queue, packets (10,000 unless told); `None` takes it away, so that a full ring loses
    /// what sockets send, and sending costs a little less. What XDP redirects never sees the queue.
    #[must_use]
    pub fn backlog(mut self, packets: Option<u32>) -> Self {
        self.backlog = packets;
        self
    }

    /// Lets this lab run beside others. Without it a lab waits until it is the only one on the machine: bursts that are
    /// counted to the packet do not go well with company.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.exclusive = false;
        self
    }

    /// Makes the namespaces and wires.
    ///
    /// # Errors
    /// When the user may not, or `ip` or `tc` is missing or refuses. What was made until then is removed.
    pub fn build(self) -> Result<Lab> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        ensure!(
            self.publishers + self.receivers <= 64,
            "a star has at most 64 legs"
        );
        let turn = if self.exclusive {
            Some(wait_for_turn()?)
        } else {
            None
        };
        sweep::sweep_the_dead();
        let name = sweep::lab_name(COUNT.fetch_add(1, Ordering::Relaxed));
        let fwd = make_namespace(&name, "fwd")?;
        // From here on the guard removes what there is, should a later step fail.
        let mut lab = Lab {
            name,
            fwd,
            publishers: Vec::new(),
            receivers: Vec::new(),
            _turn: turn,
        };
        lab.fwd.ip(&["link set lo up"])?;
        for leg in 0..self.publishers + self.receivers {
            let role = match leg.checked_sub(self.publishers) {
                None => format!("pub{leg}"),
                Some(n) => format!("rx{n}"),
            };
            let leaf = Leaf::new(role.clone(), make_namespace(&lab.name, &role)?, leg);
            let list = if leg < self.publishers {
                &mut lab.publishers
            } else {
                &mut lab.receivers
            };
            list.push(leaf.clone());
            self.wire(&lab.fwd, &leaf)
                .with_context(|| format!("wiring {role}"))?;
        }
        Ok(lab)
    }

    fn wire(&self, fwd: &Netns, leaf: &Leaf) -> Result<()> {
        let queues = format!(
            "mtu {} numtxqueues {} numrxqueues {}",
            self.mtu, self.queues, self.queues
        );
        fwd.ip(&[format!(
            "link add name {} address {} {queues} type veth peer name {LEAF_INTERFACE} address {} {queues} netns {}",
            leaf.fwd_interface(),
            leaf.fwd_mac,
            leaf.mac,
            leaf.netns.name(),
        )])?;
        for (netns, interface) in [(&leaf.netns, LEAF_INTERFACE), (fwd, leaf.fwd_interface())] {
            if !self.offloads {
                veth::offloads_off(netns, interface)?;
            }
            if let Some(packets) = self.backlog {
                veth::set_queue(netns, interface, packets)?;
            }
        }
        veth::set_gro(&leaf.netns, LEAF_INTERFACE, true)?;
        leaf.netns.ip(&leaf.leaf_lines(self.neighbours))?;
        fwd.ip(&leaf.fwd_lines(self.neighbours, self.pool))?;
        veth::settle_link(&leaf.netns, LEAF_INTERFACE)?;
        veth::settle_link(fwd, leaf.fwd_interface())?;
        for (netns, address) in [
            (&leaf.netns, leaf.addr(Family::V6)),
            (fwd, leaf.fwd_addr(Family::V6)),
        ] {
            if let IpAddr::V6(address) = address {
                netns.wait_until_local(address)?;
            }
        }
        Ok(())
    }
}

/// A running lab: everything in it is removed when it goes out of scope, also by a panic.
///
/// Let nodes, captures and receivers go before it; Rust does so for variables that were made after the lab.
#[derive(Debug)]
pub struct Lab {
    name: String,
    /// The forwarder's namespace.
    pub fwd: Netns,
    /// The publishers' leaves.
    pub publishers: Vec<Leaf>,
    /// The receivers' leaves.
    pub receivers: Vec<Leaf>,
    _turn: Option<Flock<File>>,
}

impl Lab {
    /// A plan for a star: one publisher, one receiver namespace, 2 queues, MTU 1500, pinned neighbours, offloads off.
    #[must_use]
    pub fn star() -> Star {
        Star {
            publishers: 1,
            receivers: 1,
            queues: 2,
            mtu: 1500,
            neighbours: Neighbours::Pinned,
            pool: Pool::Gateway,
            offloads: false,
            backlog: Some(10_000),
            exclusive: true,
        }
    }

    /// The lab's name, with which all its namespaces start; nodes bear it too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first publisher.
    #[must_use]
    pub fn publisher(&self) -> &Leaf {
        &self.publishers[0]
    }

    /// The first receiver namespace.
    #[must_use]
    pub fn receiver(&self) -> &Leaf {
        &self.receivers[0]
    }

    /// The forwarder's interfaces, publishers' first.
    pub fn fwd_interfaces(&self) -> impl Iterator<Item = &str> {
        self.leaves().map(Leaf::fwd_interface)
    }

    /// All leaves, publishers first.
    pub fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        self.publishers.iter().chain(&self.receivers)
    }

    /// Gives a leaf another MAC, and pins it in the forwarder's neighbour table: the neighbour change that hops must follow.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn change_mac(&self, leaf: &Leaf, mac: Mac) -> Result<()> {
        leaf.netns
            .ip(&[format!("link set {LEAF_INTERFACE} address {mac}")])?;
        self.pin_neighbour(leaf, mac)
    }

    /// Pins the leaf's own addresses to `mac` in the forwarder's neighbour table, and does nothing to the leaf.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn pin_neighbour(&self, leaf: &Leaf, mac: Mac) -> Result<()> {
        let line = |family| {
            format!(
                "neigh replace {} lladdr {mac} dev {} nud permanent",
                leaf.addr(family),
                leaf.fwd_interface()
            )
        };
        self.fwd.ip(&[line(Family::V4), line(Family::V6)])
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for leaf in self.leaves() {
            sweep::remove_with_processes(&leaf.netns);
        }
        sweep::remove_with_processes(&self.fwd);
        sweep::remove_state_of(&self.name);
    }
}

/// A namespace that only speaks when spoken to: no duplicate address detection, router solicitation, forwarding or redirects.
fn make_namespace(lab: &str, role: &str) -> Result<Netns> {
    let netns = Netns::create(&format!("{lab}-{role}"))?;
    let quiet = netns.sysctl(&[
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/default/dad_transmits", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/default/autoconf", "0"),
        ("ipv6/conf/default/router_solicitations", "0"),
        ("ipv6/conf/all/forwarding", "0"),
        ("ipv4/ip_forward", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/conf/all/send_redirects", "0"),
    ]);
    if let Err(error) = quiet {
        let _ = netns.remove();
        return Err(error);
    }
    Ok(netns)
}

/// Waits until no other exclusive lab runs on this machine.
fn wait_for_turn() -> Result<Flock<File>> {
    let path = "/run/forwarder-lab.lock";
    let open = || {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(|| format!("cannot open {path}"))
    };
    match Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        Ok(turn) => return Ok(turn),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {}
        Err((_, error)) => return Err(error).with_context(|| format!("cannot lock {path}")),
    }
    Flock::lock(open()?, FlockArg::LockExclusive)
        .map_err(|(_, error)| error)
        .with_context(|| format!("cannot lock {path}"))
}
