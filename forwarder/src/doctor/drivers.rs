//! What is known about drivers: native XDP, how many queues a redirect target needs, the largest MTU without fragments.
//!
//! From Linux 6.3 on the kernel itself tells whether a device can do XDP, and this table only adds what it does not tell. Each row
//! names the file of the kernel source where its limits are set. Only veth and virtio_net were held against a running driver; the
//! other rows were written from knowledge of those files and not checked line by line: take them as advice, and the self-test as
//! proof. Not here: a driver of which nothing is known.

/// What is known about one driver.
#[derive(Debug, Clone, Copy)]
pub struct Driver {
    /// As `ethtool -i` shows it.
    pub name: &'static str,
    /// Whether it has native XDP, including redirects into it.
    pub native: bool,
    /// What it wants of its queues.
    pub queues: Queues,
    /// Largest MTU in bytes with an XDP program that takes no fragments; `None` if not known or if nothing smaller than a page
    /// limits it.
    pub max_mtu: Option<u32>,
    /// Anything else to know before deploying.
    pub note: Option<&'static str>,
    /// Where this is from.
    pub source: &'static str,
}

/// What a driver wants of its queues, for programs that redirect frames to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// It makes what it needs, or nothing is known.
    Any,
    /// A transmit queue for each CPU, or frames sent by the others are lost.
    PerCpu,
    /// A spare queue for each CPU beside those in use, or sending takes a lock.
    SparePerCpu,
    /// At most half of the maximum in use: XDP takes as many again for sending.
    HalfOfMaximum,
    /// Receive queues decide how many CPUs can work; a virtual device has one unless told otherwise.
    ReceivePerCpu,
}

/// What is known about the driver of this name.
#[must_use]
pub fn driver(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}

/// A driver with native XDP that limits nothing that we know of.
const fn plain(name: &'static str, source: &'static str) -> Driver {
    Driver {
        name,
        native: true,
        queues: Queues::Any,
        max_mtu: None,
        note: None,
        source,
    }
}

/// A device without native XDP.
const fn none(name: &'static str, note: &'static str, source: &'static str) -> Driver {
    Driver {
        name,
        native: false,
        queues: Queues::Any,
        max_mtu: None,
        note: Some(note),
        source,
    }
}

const DRIVERS: &[Driver] = &[
    Driver {
        queues: Queues::ReceivePerCpu,
        // A page, less headroom, the shared info behind the data, and the Ethernet header: veth_xdp_set, max_mtu.
        max_mtu: Some(3506),
        note: Some(
            "the other end needs an XDP program or GRO, else frames that are redirected to this end are lost",
        ),
        ..plain("veth", "drivers/net/veth.c")
    },
    Driver {
        queues: Queues::SparePerCpu,
        // virtnet_xdp_set: one page without headroom, shared info and Ethernet header.
        max_mtu: Some(3506),
        note: Some(
            "the host must offer VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, or turn guest TSO, UFO, ECN and checksums off (QEMU: guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,guest_csum=off)",
        ),
        ..plain("virtio_net", "drivers/net/virtio_net.c")
    },
    Driver {
        queues: Queues::HalfOfMaximum,
        max_mtu: Some(3498),
        note: Some("attaching resets the link for a moment"),
        ..plain(
            "ena",
            "drivers/net/ethernet/amazon/ena/ena_xdp.h (ENA_XDP_MAX_MTU, ena_xdp_legal_queue_count)",
        )
    },
    Driver {
        queues: Queues::HalfOfMaximum,
        // A buffer of 2,048 bytes, less the Ethernet header and the two bytes of padding in front (GVE_RX_PAD).
        max_mtu: Some(2032),
        note: Some(
            "leaves two bytes of headroom less than others, which programs that grow the header must check for; which queue formats have XDP depends on the machine type (GQI QPL since 6.4, DQO since 6.16)",
        ),
        ..plain(
            "gve",
            "drivers/net/ethernet/google/gve/gve_main.c (gve_verify_xdp_configuration)",
        )
    },
    Driver {
        queues: Queues::PerCpu,
        // 3,072 bytes of buffer, less Ethernet header, frame check and two VLAN tags.
        max_mtu: Some(3046),
        note: Some("attaching resets the link for a moment"),
        ..plain(
            "i40e",
            "drivers/net/ethernet/intel/i40e/i40e_txrx.c (i40e_xdp_xmit: -ENETDOWN past the last queue pair)",
        )
    },
    Driver {
        max_mtu: Some(3046),
        note: Some(
            "attaching resets the link for a moment; with fewer queues than CPUs sending takes a lock",
        ),
        ..plain(
            "ice",
            "drivers/net/ethernet/intel/ice/ice_main.c (ice_max_xdp_frame_size)",
        )
    },
    Driver {
        max_mtu: Some(3050),
        note: Some(
            "no XDP with SR-IOV, DCB or LRO on; attaching resets the link for a moment; past 64 CPUs sending takes a lock",
        ),
        ..plain(
            "ixgbe",
            "drivers/net/ethernet/intel/ixgbe/ixgbe_main.c (ixgbe_xdp_setup)",
        )
    },
    Driver {
        note: Some("cannot be the target of a redirect"),
        native: false,
        ..plain(
            "ixgbevf",
            "drivers/net/ethernet/intel/ixgbevf/ixgbevf_main.c",
        )
    },
    Driver {
        note: Some("attaching resets the link for a moment"),
        ..plain("igb", "drivers/net/ethernet/intel/igb/igb_main.c")
    },
    plain("igc", "drivers/net/ethernet/intel/igc/igc_xdp.c"),
    Driver {
        max_mtu: Some(3498),
        note: Some("LRO must be off; attaching resets the channels for a moment"),
        ..plain(
            "mlx5_core",
            "drivers/net/ethernet/mellanox/mlx5/core/en_main.c (mlx5e_xdp_allowed), en/xdp.h",
        )
    },
    none(
        "mlx4_en",
        "cannot be the target of a redirect",
        "drivers/net/ethernet/mellanox/mlx4/en_netdev.c",
    ),
    Driver {
        max_mtu: Some(3500),
        note: Some("needs combined queues; LRO and hardware GRO must be off"),
        ..plain("bnxt_en", "drivers/net/ethernet/broadcom/bnxt/bnxt_xdp.c")
    },
    plain("sfc", "drivers/net/ethernet/sfc/efx.c (efx_xdp_setup_prog)"),
    none(
        "nfp",
        "cannot be the target of a redirect",
        "drivers/net/ethernet/netronome/nfp/nfp_net_common.c",
    ),
    plain("qede", "drivers/net/ethernet/qlogic/qede/qede_filter.c"),
    plain("mana", "drivers/net/ethernet/microsoft/mana/mana_bpf.c"),
    plain("hv_netvsc", "drivers/net/hyperv/netvsc_bpf.c"),
    Driver {
        note: Some("LRO must be off; since Linux 6.6"),
        ..plain("vmxnet3", "drivers/net/vmxnet3/vmxnet3_xdp.c")
    },
    plain(
        "ionic",
        "drivers/net/ethernet/pensando/ionic/ionic_lif.c (since 6.9)",
    ),
    plain(
        "atlantic",
        "drivers/net/ethernet/aquantia/atlantic/aq_main.c",
    ),
    plain("stmmac", "drivers/net/ethernet/stmicro/stmmac/stmmac_xdp.c"),
    plain("fec", "drivers/net/ethernet/freescale/fec_main.c"),
    plain("mvneta", "drivers/net/ethernet/marvell/mvneta.c"),
    plain("mvpp2", "drivers/net/ethernet/marvell/mvpp2/mvpp2_main.c"),
    plain(
        "fsl_dpaa2_eth",
        "drivers/net/ethernet/freescale/dpaa2/dpaa2-eth.c",
    ),
    plain("fsl_enetc", "drivers/net/ethernet/freescale/enetc/enetc.c"),
    plain(
        "rvu_nicpf",
        "drivers/net/ethernet/marvell/octeontx2/nic/otx2_pf.c",
    ),
    plain("tun", "drivers/net/tun.c"),
    Driver {
        note: Some(
            "works only if every port of the bond has native XDP, and in the modes round robin, active backup, XOR and 802.3ad; better attach to the ports' bond than to a port",
        ),
        ..plain("bonding", "drivers/net/bonding/bond_main.c")
    },
    none(
        "bridge",
        "attach to the ports of the bridge instead",
        "net/bridge/br_device.c has no ndo_bpf",
    ),
    none(
        "802.1Q VLAN Support",
        "attach to the device below the VLAN device instead; hops carry the tag themselves",
        "net/8021q/vlan_dev.c has no ndo_bpf",
    ),
    none(
        "macvlan",
        "attach to the device below instead",
        "drivers/net/macvlan.c has no ndo_bpf",
    ),
    none(
        "ipvlan",
        "attach to the device below instead",
        "drivers/net/ipvlan/ipvlan_main.c has no ndo_bpf",
    ),
    none(
        "dummy",
        "a dummy device reaches nobody",
        "drivers/net/dummy.c has no ndo_bpf",
    ),
    none(
        "wireguard",
        "no Ethernet frames; media to peers in the tunnel takes the socket path",
        "drivers/net/wireguard/device.c has no ndo_bpf",
    ),
    none(
        "vxlan",
        "attach to the device below; media in the tunnel takes the socket path",
        "drivers/net/vxlan/vxlan_core.c has no ndo_bpf",
    ),
    none(
        "ifb",
        "an ifb device only shapes traffic of others",
        "drivers/net/ifb.c has no ndo_bpf",
    ),
    none(
        "e1000",
        "use e1000e's successors (igb, igc) or virtio_net",
        "drivers/net/ethernet/intel/e1000/e1000_main.c has no ndo_bpf",
    ),
    none(
        "e1000e",
        "use igb, igc or another card of the table",
        "drivers/net/ethernet/intel/e1000e/netdev.c has no ndo_bpf",
    ),
    none(
        "r8169",
        "use another card",
        "drivers/net/ethernet/realtek/r8169_main.c has no ndo_bpf",
    ),
    none(
        "tg3",
        "use another card",
        "drivers/net/ethernet/broadcom/tg3.c has no ndo_bpf",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_driver_once_with_its_source() {
        for (at, driver) in DRIVERS.iter().enumerate() {
            assert!(
                DRIVERS
                    .iter()
                    .skip(at + 1)
                    .all(|other| other.name != driver.name),
                "{} twice",
                driver.name
            );
            assert!(driver.source.contains('/'), "{}", driver.name);
            assert!(
                driver.native || driver.note.is_some(),
                "{}: without XDP, say what to do instead",
                driver.name
            );
        }
    }
}
