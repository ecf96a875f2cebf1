//! The veth pair of the loop: a frame redirected to its near end comes around at its far end in the next NAPI round.

use anyhow::{Context, Result};
use rtnetlink::{
    LinkUnspec, LinkVeth, new_connection,
    packet_route::link::{LinkAttribute, LinkMessage},
};

use super::namespace::Namespace;

const NEAR: &str = "near";
const FAR: &str = "far";

/// Interface indices, in the namespace of the pair.
#[derive(Clone, Copy, Debug)]
pub struct LoopPair {
    /// What frames are redirected to.
    pub near: u32,
    /// Where they come around.
    pub far: u32,
}

impl LoopPair {
    /// Makes the pair, with one queue and hence one ring and one NAPI per CPU, so that CPUs share nothing.
    ///
    /// # Errors
    /// No veth in this kernel, or no privilege.
    pub fn make(namespace: &Namespace, cpus: u32) -> Result<Self> {
        namespace.run(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(make(cpus))
        })
    }
}

async fn make(cpus: u32) -> Result<LoopPair> {
    let (connection, handle, _) = new_connection()?;
    let task = tokio::spawn(connection);
    let mut message = LinkVeth::new(NEAR, FAR).build();
    add_queues(&mut message, cpus);
    handle
        .link()
        .add(message)
        .execute()
        .await
        .context("cannot make the veth pair of the loop; is the veth module there?")?;
    let mut pair = [0; 2];
    for (index, name) in pair.iter_mut().zip([NEAR, FAR]) {
        *index = nix::net::if_::if_nametoindex(name)?;
        handle
            .link()
            .set(LinkUnspec::new_with_index(*index).up().build())
            .execute()
            .await
            .with_context(|| format!("cannot bring {name} up"))?;
    }
    task.abort();
    let [near, far] = pair;
    Ok(LoopPair { near, far })
}

/// Sets the numbers of queues, of both ends.
fn add_queues(message: &mut LinkMessage, cpus: u32) {
    use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkInfo};
    let queues = [
        LinkAttribute::NumTxQueues(cpus),
        LinkAttribute::NumRxQueues(cpus),
    ];
    for attribute in &mut message.attributes {
        let LinkAttribute::LinkInfo(infos) = attribute else {
            continue;
        };
        for info in infos {
            if let LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))) = info {
                peer.attributes.extend(queues.clone());
            }
        }
    }
    message.attributes.extend(queues);
}
