//! Programs on interfaces and trace points, by links that are pinned.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::programs::{
    Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::{XdpLink, XdpLinkId},
};

use super::{
    namespace::Namespace,
    object::Object,
    pins::{self, Pins},
    start::Device,
};

/// Attaches `ingress` to an interface in native mode.
///
/// # Errors
/// No native XDP in the driver, or another program is attached.
pub fn ingress(object: &mut Object, pins: &Pins, device: &Device) -> Result<()> {
    let program = object.xdp("ingress")?;
    let id = program
        .attach_to_if_index(device.ifindex, XdpMode::Driver)
        .map_err(|error| explain(&device.name, error.into()))?;
    pin(program, id, pins, device)
}

/// The pinned link by which an earlier run of the node holds the program that is attached to an interface.
#[must_use]
pub fn earlier_link(pins: &Pins, node: &str, device: &Device) -> Option<PathBuf> {
    let attached = device.attached?;
    pins::find_links(node, &link_name(device), pins)
        .into_iter()
        .find(|path| {
            // The name alone proves nothing: interfaces are renamed, and other namespaces have some of the same name.
            PinnedLink::from_pin(path)
                .and_then(|link| FdLink::from(link).info())
                .is_ok_and(|info| info.program_id() == attached)
        })
}

/// Puts `ingress` in the place of the program that a pinned link holds: the interface is never without one.
///
/// # Errors
/// The kernel's.
pub fn take_over(object: &mut Object, pins: &Pins, device: &Device, path: &Path) -> Result<()> {
    let program = object.xdp("ingress")?;
    let link: XdpLink = FdLink::from(PinnedLink::from_pin(path)?).try_into()?;
    let id = program
        .attach_to_link(link)
        .with_context(|| format!("cannot take {} over", device.name))?;
    pin(program, id, pins, device)?;
    // Pinned at its new place by now.
    Ok(std::fs::remove_file(path)?)
}

fn pin(program: &mut Xdp, id: XdpLinkId, pins: &Pins, device: &Device) -> Result<()> {
    let link: FdLink = program.take_link(id)?.try_into()?;
    link.pin(pins.path(&link_name(device)))
        .with_context(|| format!("cannot pin the link of {}", device.name))?;
    Ok(())
}

fn link_name(device: &Device) -> String {
    format!("ingress-{}", device.name)
}

/// Attaches `turn` to the far end of the loop.
///
/// # Errors
/// The kernel's.
pub fn turn(object: &mut Object, pins: &Pins, namespace: &Namespace, far: u32) -> Result<()> {
    inside(object, pins, namespace, ("turn", "turn"), far)
}

/// Attaches `bell` to the tap of a worker.
///
/// # Errors
/// The kernel's.
pub fn bell(
    object: &mut Object,
    pins: &Pins,
    namespace: &Namespace,
    worker: u32,
    far: u32,
) -> Result<()> {
    inside(
        object,
        pins,
        namespace,
        ("bell", &format!("bell{worker}")),
        far,
    )
}

/// Attaches a program to an interface of our own namespace, by a link of the given name.
fn inside(
    object: &mut Object,
    pins: &Pins,
    namespace: &Namespace,
    (program, link_name): (&str, &str),
    far: u32,
) -> Result<()> {
    let program = object.xdp(program)?;
    // A link is made in the namespace of the thread that asks for it.
    let link: FdLink = namespace.run(|| {
        let id = program.attach_to_if_index(far, XdpMode::Driver)?;
        Ok(program.take_link(id)?.try_into()?)
    })?;
    link.pin(pins.path(link_name))?;
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
        format!(
            "another XDP program is attached. A node's: `forwarder stop --name NODE`. Any other: `bpftool link list` and \
             `bpftool link detach id ID`, or, where no link holds it, `ip link set dev {ifname} xdp off`"
        )
    } else if text.contains("os error 95") {
        "its driver has no native XDP".to_owned()
    } else {
        format!("`forwarder doctor {ifname}` tells more")
    };
    error.context(format!(
        "cannot attach XDP to {ifname} in native mode: {advice}"
    ))
}
