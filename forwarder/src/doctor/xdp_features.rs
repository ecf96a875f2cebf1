//! The XDP features of a device, by the kernel's generic netlink family `netdev` (Linux 6.3; Documentation/netlink/specs/netdev.yaml).

use std::io;

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, Nla as _, NlasIterator, Parseable as _,
    ParseableParametrized,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

const FAMILY: &str = "netdev";
/// `NETDEV_CMD_DEV_GET`.
const DEV_GET: u8 = 1;
/// `NETDEV_A_DEV_IFINDEX`.
const IFINDEX: u16 = 1;
/// `NETDEV_A_DEV_XDP_FEATURES`.
const XDP_FEATURES: u16 = 3;

/// Asks for the features of the device with this interface index; see [`feature`](super::facts::feature) for the bits.
pub fn xdp_features(index: u32) -> io::Result<u64> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;

    let family = GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(FAMILY.into())],
    };
    let answer: GenlCtrl = exchange(&socket, GenlMessage::from_payload(family))?;
    let id = answer.nlas.iter().find_map(|nla| match nla {
        GenlCtrlAttrs::FamilyId(id) => Some(*id),
        _ => None,
    });
    let id = id.ok_or_else(|| {
        io::Error::other("the kernel did not say the number of the netdev family")
    })?;

    let mut question = GenlMessage::from_payload(Netdev(vec![DefaultNla::new(
        IFINDEX,
        index.to_ne_bytes().to_vec(),
    )]));
    question.set_resolved_family_id(id);
    let answer: Netdev = exchange(&socket, question)?;
    let features = answer
        .0
        .iter()
        .find(|nla| nla.kind() == XDP_FEATURES)
        .and_then(|nla| {
            let mut bytes = [0; 8];
            (nla.value_len() == bytes.len()).then(|| nla.emit_value(&mut bytes))?;
            Some(u64::from_ne_bytes(bytes))
        });
    features
        .ok_or_else(|| io::Error::other("the kernel did not say the XDP features of the device"))
}

/// One question, one answer.
fn exchange<T>(socket: &Socket, question: GenlMessage<T>) -> io::Result<T>
where
    GenlMessage<T>: NetlinkSerializable + NetlinkDeserializable,
    T: GenlFamily + Clone + std::fmt::Debug,
{
    let mut request = NetlinkMessage::from(question);
    request.header.flags = NLM_F_REQUEST;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (bytes, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<GenlMessage<T>>::deserialize(&bytes).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(message) => Ok(message.into_parts().1),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(io::Error::other(format!("unexpected answer: {other:?}"))),
    }
}

/// A message of the family: nothing but attributes.
#[derive(Debug, Clone)]
struct Netdev(Vec<DefaultNla>);

impl GenlFamily for Netdev {
    fn family_name() -> &'static str {
        FAMILY
    }

    fn command(&self) -> u8 {
        DEV_GET
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Netdev {
    fn buffer_len(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Netdev {
    fn parse_with_param(bytes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let nlas: Result<Vec<_>, _> = NlasIterator::new(bytes)
            .map(|nla| DefaultNla::parse(&nla?))
            .collect();
        Ok(Self(nlas?))
    }
}
