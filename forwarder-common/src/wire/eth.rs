//! Ethernet (IEEE 802.3) and VLAN tags (802.1Q, 802.1ad).

/// Bytes of a header without tags.
pub const LEN: usize = 14;
/// Bytes of one VLAN tag.
pub const TAG_LEN: usize = 4;
/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of a customer VLAN tag.
pub const VLAN: u16 = 0x8100;
/// EtherType of a service VLAN tag, the outer one of two.
pub const SERVICE_VLAN: u16 = 0x88a8;

/// Whether `ether_type` announces a VLAN tag.
#[inline(always)]
#[must_use]
pub const fn is_tag(ether_type: u16) -> bool {
    ether_type == VLAN || ether_type == SERVICE_VLAN
}
