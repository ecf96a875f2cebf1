//! The veth pair of the loop: a frame redirected to its near end comes around at its far end in the next NAPI round.

use anyhow::{Context, Result};
use futures::TryStreamExt;
use rtnetlink::{
    Handle, LinkUnspec, LinkVeth, new_connection,
    packet_route::link::{LinkAttribute, LinkMessage},
};

use super::namespace::Namespace;

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
        let [near, far] = namespace.run(|| block_on(make(["near", "far"], cpus)))?;
        Ok(Self { near, far })
    }

    /// Lets the pair take the largest frames that XDP takes at all, whatever the MTU of the media interfaces: a frame
    /// that does not fit is freed by the redirect without a word, and the pacer waits for it. To be called once XDP is
    /// attached, since only then the kernel knows how large they may be (`veth_xdp_set`).
    ///
    /// # Errors
    /// The kernel's.
    pub fn widen(&self, namespace: &Namespace) -> Result<()> {
        namespace.run(|| block_on(widen([self.near, self.far])))
    }
}

/// A pair whose far end is read by the self-test.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// What frames are redirected to.
    pub near: u32,
    /// Where they are read.
    pub far: u32,
}

impl Probe {
    /// Makes the pair.
    ///
    /// # Errors
    /// As for [`LoopPair::make`].
    pub fn make(namespace: &Namespace) -> Result<Self> {
        let [near, far] = namespace.run(|| block_on(make(["probe-near", "probe-far"], 1)))?;
        Ok(Self { near, far })
    }

    /// Removes the pair.
    ///
    /// # Errors
    /// It is gone.
    pub fn remove(self, namespace: &Namespace) -> Result<()> {
        namespace.run(|| {
            block_on(async {
                let (connection, handle, _) = new_connection()?;
                let task = tokio::spawn(connection);
                handle.link().del(self.near).execute().await?;
                task.abort();
                Ok(())
            })
        })
    }
}

/// Brings an interface up, in the namespace of this thread.
///
/// # Errors
/// It is gone.
pub fn bring_up(index: u32) -> Result<()> {
    block_on(async {
        let (connection, handle, _) = new_connection()?;
        let task = tokio::spawn(connection);
        up(&handle, index).await?;
        task.abort();
        Ok(())
    })
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

async fn make(names: [&str; 2], queues: u32) -> Result<[u32; 2]> {
    let (connection, handle, _) = new_connection()?;
    let task = tokio::spawn(connection);
    let [near, far] = names;
    let mut message = LinkVeth::new(near, far).build();
    add_queues(&mut message, queues);
    handle
        .link()
        .add(message)
        .execute()
        .await
        .context("cannot make a veth pair; is the veth module there?")?;
    let mut pair = [0; 2];
    for (index, name) in pair.iter_mut().zip(names) {
        *index = nix::net::if_::if_nametoindex(name)?;
        let outcome = up(&handle, *index).await;
        outcome.with_context(|| format!("cannot bring {name} up"))?;
    }
    task.abort();
    Ok(pair)
}

async fn up(handle: &Handle, index: u32) -> Result<()> {
    let message = LinkUnspec::new_with_index(index).up().build();
    Ok(handle.link().set(message).execute().await?)
}

async fn widen([near, far]: [u32; 2]) -> Result<()> {
    let (connection, handle, _) = new_connection()?;
    let task = tokio::spawn(connection);
    let link = handle
        .link()
        .get()
        .match_index(near)
        .execute()
        .try_next()
        .await?
        .context("the loop is gone")?;
    let largest = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::MaxMtu(mtu) => Some(*mtu),
            _ => None,
        });
    let mtu = largest.context("the kernel does not tell the largest MTU of the loop")?;
    for end in [near, far] {
        handle
            .link()
            .set(LinkUnspec::new_with_index(end).mtu(mtu).build())
            .execute()
            .await
            .with_context(|| format!("cannot set the MTU of the loop to {mtu}"))?;
    }
    task.abort();
    Ok(())
}

/// Sets the numbers of queues, of both ends.
fn add_queues(message: &mut LinkMessage, queues: u32) {
    use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkInfo};
    let numbers = [
        LinkAttribute::NumTxQueues(queues),
        LinkAttribute::NumRxQueues(queues),
    ];
    for attribute in &mut message.attributes {
        let LinkAttribute::LinkInfo(infos) = attribute else {
            continue;
        };
        for info in infos {
            if let LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))) = info {
                peer.attributes.extend(numbers.clone());
            }
        }
    }
    message.attributes.extend(numbers);
}
