//! Programs on interfaces and trace points, by links that are pinned.

use anyhow::{Context, Result};
use aya::programs::{
    Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};

use super::{
    namespace::Namespace,
    object::Object,
    pins::{self, Pins},
};

/// Attaches `ingress` to an interface in native mode, in the place of an earlier run's if there is one: the interface
/// is then never without a program.
///
/// # Errors
/// No native XDP in the driver, or another program is attached.
pub fn ingress(
    object: &mut Object,
    pins: &Pins,
    node: &str,
    ifname: &str,
    ifindex: u32,
) -> Result<()> {
    let name = format!("ingress-{ifname}");
    let program = object.xdp("ingress")?;
    let replaced = pins::find_links(node, &name, pins)
        .into_iter()
        .find_map(|path| take_over(program, &path).ok());
    let id = match replaced {
        Some(id) => id,
        None => program
            .attach_to_if_index(ifindex, XdpMode::Driver)
            .map_err(|error| explain(ifname, error.into()))?,
    };
    let link: FdLink = program.take_link(id)?.try_into()?;
    link.pin(pins.path(&name))
        .with_context(|| format!("cannot pin the link of {ifname}"))?;
    Ok(())
}

/// Puts `program` in the place of the one that a pinned link holds.
fn take_over(program: &mut Xdp, path: &std::path::Path) -> Result<aya::programs::xdp::XdpLinkId> {
    let link = PinnedLink::from_pin(path)?;
    // Still pinned at its old place: dropping our descriptor would not detach it.
    let link: XdpLink = FdLink::from(link).try_into()?;
    let id = program.attach_to_link(link)?;
    std::fs::remove_file(path)?;
    Ok(id)
}

/// Attaches `turn` to the far end of the loop.
///
/// # Errors
/// The kernel's.
pub fn turn(object: &mut Object, pins: &Pins, namespace: &Namespace, far: u32) -> Result<()> {
    let program = object.xdp("turn")?;
    // A link is made in the namespace of the thread that asks for it.
    let link: FdLink = namespace.run(|| {
        let id = program.attach_to_if_index(far, XdpMode::Driver)?;
        Ok(program.take_link(id)?.try_into()?)
    })?;
    link.pin(pins.path("turn"))?;
    Ok(())
}

/// Attaches the program that counts what devices took.
///
/// # Errors
/// No such trace point.
pub fn xmit(object: &mut Object, pins: &Pins) -> Result<()> {
    let program = object.trace_point("xmit")?;
    let id = program.attach("xdp_devmap_xmit")?;
    FdLink::from(program.take_link(id)?).pin(pins.path("xmit"))?;
    Ok(())
}

/// Says what to do about a failed attachment.
fn explain(ifname: &str, error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let advice = if text.contains("os error 16") {
        format!("another XDP program is attached; `ip link set dev {ifname} xdp off` removes it")
    } else if text.contains("os error 95") {
        "its driver has no native XDP".to_owned()
    } else {
        format!("`forwarder doctor {ifname}` tells more")
    };
    error.context(format!(
        "cannot attach XDP to {ifname} in native mode: {advice}"
    ))
}
