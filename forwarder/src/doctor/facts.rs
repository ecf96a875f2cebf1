//! What the doctor looks at, gathered before anything is judged. `None` means that it could not be found out.

use std::collections::BTreeMap;

/// Everything about the host and one interface that decides whether XDP can run there.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Name of the interface examined.
    pub interface: String,
    /// The interface; `None` if there is none of that name in this network namespace.
    pub link: Option<LinkFacts>,
    /// Name of the driver, such as `ixgbe` or `veth`.
    pub driver: Option<String>,
    /// XDP features by the kernel's `netdev` family: the bits of [`feature`]. Linux 6.3 and later.
    pub xdp_features: Option<u64>,
    /// Numbers of queues, where the driver tells.
    pub channels: Option<Channels>,
    /// Sizes of the rings, where the driver has any.
    pub rings: Option<Rings>,
    /// Offloads by the name that the kernel uses for them.
    pub offloads: BTreeMap<String, Offload>,
    /// The host itself.
    pub host: HostFacts,
}

/// Bits of `enum netdev_xdp_act` (include/uapi/linux/netdev.h).
pub mod feature {
    /// Attach, pass, drop, abort, transmit.
    pub const BASIC: u64 = 1;
    /// Redirect frames that came in.
    pub const REDIRECT: u64 = 1 << 1;
    /// Be the target of a redirect.
    pub const NDO_XMIT: u64 = 1 << 2;
}

/// An interface as rtnetlink shows it.
#[derive(Debug, Clone, Default)]
pub struct LinkFacts {
    /// Interface index.
    pub index: u32,
    /// Set up by the administrator.
    pub up: bool,
    /// The layer below works.
    pub carrier: bool,
    /// It is the loopback device.
    pub loopback: bool,
    /// Link type (`veth`, `vlan`, `bond`); `None` for hardware.
    pub kind: Option<String>,
    /// Largest IP packet in bytes.
    pub mtu: u32,
    /// Its MAC; zero where it has none.
    pub mac: [u8; 6],
    /// Receive queues.
    pub rx_queues: u32,
    /// Transmit queues.
    pub tx_queues: u32,
    /// The XDP program that is attached.
    pub xdp: Option<Attached>,
    /// Index of the bridge or bond that it is a port of.
    pub controller: Option<u32>,
    /// Index of the other end of a veth, if that is in this namespace.
    pub peer: Option<u32>,
}

/// An XDP program that is attached to an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The program's id, as `bpftool prog show id` takes it.
    pub id: u32,
    /// How it is attached.
    pub mode: Mode,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose an attached program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Pinned by the node of ours of this name.
    Node(String),
    /// Not pinned by any node of ours.
    Other,
    /// This process may not look at what is pinned.
    Hidden,
}

/// How an XDP program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the driver.
    Native,
    /// After the kernel has made a socket buffer.
    Generic,
    /// In the network card.
    Hardware,
    /// Several of them.
    Several,
}

/// Queues: what is in use, and the driver's maximum. Drivers count combined queues, or receive and transmit queues apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Channels {
    pub rx: u32,
    pub tx: u32,
    pub combined: u32,
    pub max_rx: u32,
    pub max_tx: u32,
    pub max_combined: u32,
}

/// Ring sizes in frames: what is in use, and the driver's maximum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Rings {
    pub rx: u32,
    pub tx: u32,
    pub max_rx: u32,
    pub max_tx: u32,
}

/// An offload of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offload {
    /// Whether it is on.
    pub on: bool,
    /// Whether `ethtool -K` can change it.
    pub changeable: bool,
}

/// The host.
#[derive(Debug, Clone, Default)]
pub struct HostFacts {
    /// CPUs that are online.
    pub cpus: u32,
    /// Kernel release, as `uname -r` shows it.
    pub release: String,
    /// Whether it is a PREEMPT_RT kernel.
    pub realtime: bool,
    /// Whether the kernel describes its own types in `/sys/kernel/btf/vmlinux`.
    pub btf: bool,
    /// The BPF file system at `/sys/fs/bpf`.
    pub bpffs: FileSystem,
    /// Whether BPF programs are compiled to machine code; `None` if the kernel does not say.
    pub jit: Option<bool>,
    /// Whether tap devices can be made; `None` if this process may not try.
    pub taps: Option<bool>,
    /// Effective capabilities of this process, as bits; `None` if the kernel does not say.
    pub capabilities: Option<u64>,
}

/// Whether a file system of the kernel can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileSystem {
    /// It is mounted.
    Mounted,
    /// The kernel has it, but it is not mounted.
    Known,
    /// The kernel does not have it.
    #[default]
    Missing,
}
