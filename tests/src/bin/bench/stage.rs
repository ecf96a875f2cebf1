//! The lab that benches run in: who sends where, and which program sits on which wire.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow};
use forwarder::dataplane::kernel::tables::KernelTables;
use forwarder::dataplane::kernel::worker_port::WorkerPort;
use forwarder::dataplane::kernel::{Device, Kernel, Options};
use forwarder::worker::send_state::SendState;
use forwarder_tests::plan::LEAF_INTERFACE;
use forwarder_tests::{Lab, Leaf, veth};

use crate::generator::Generator;
use crate::one_core;
use crate::programs::Programs;
use crate::sink::Sink;
use crate::subscribers::sizes;

/// Frames that a veth's ring holds: `VETH_RING_SIZE` in drivers/net/veth.c.
const RING: u32 = 256;
/// Legs of sessions: those of every suite, path and fan-out.
const LEGS: u32 = 16_384;
/// Sessions of a stage.
const SESSIONS: u32 = 16_384;

/// What takes the packets of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// The forwarder's XDP programs.
    Kernel,
    /// The bare broadcast.
    Floor,
    /// The network stack, for the socket worker.
    Stack,
    /// Nobody: they are dropped.
    Nobody,
}

/// What a stage is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// One publisher for each, whose output number is its place.
    pub takers: &'a [Taker],
    /// How many receivers.
    pub receivers: u8,
    /// The sink program on their wires.
    pub sink: &'a str,
    /// The program that sends frames.
    pub generator: &'a str,
    /// Workers of sessions.
    pub workers: u32,
}

/// The lab, with all programs attached.
pub struct Stage {
    /// Namespaces and wires.
    pub lab: Lab,
    /// The lab's programs.
    pub programs: Programs,
    /// Makes packets.
    pub generator: Generator,
    /// Sees replicas.
    pub sink: Sink,
    /// The forwarder's tables; receivers are its devices 0, 1, ..., in their order.
    pub tables: KernelTables,
    /// What workers have in common with XDP, one each; locked, since it is for one thread at a time.
    ports: Mutex<Vec<WorkerPort>>,
    /// The send states of their legs.
    pub send_state: Arc<SendState>,
    kernel: Option<Kernel>,
}

impl Stage {
    /// Builds the lab and starts the kernel path in it.
    ///
    /// # Errors
    /// The system's.
    pub fn build(plan: &Plan<'_>) -> Result<Self> {
        let takers = plan.takers;
        let cores = u32::try_from(one_core::count())?;
        // Offloads stay on and devices have no queue, to the advantage of whatever sends through sockets.
        let lab = Lab::star()
            .publishers(u8::try_from(takers.len())?)
            .receivers(plan.receivers)
            .queues(cores)
            .with_offloads()
            .backlog(None)
            .build()?;
        let mut programs = Programs::load()?;
        let generator = Generator::new(&mut programs, plan.generator)?;
        programs.xdp("swallow")?;
        for (out, (taker, publisher)) in (0..).zip(takers.iter().zip(&lab.publishers)) {
            programs.set_out(out, &publisher.netns, LEAF_INTERFACE)?;
            let interface = publisher.fwd_interface();
            match taker {
                Taker::Kernel => {}
                Taker::Floor => programs.attach("floor", &lab.fwd, interface)?,
                Taker::Nobody => programs.attach("swallow", &lab.fwd, interface)?,
                // A veth takes redirected frames only if its peer polls.
                Taker::Stack => veth::set_gro(&lab.fwd, interface, true)?,
            }
        }
        for receiver in &lab.receivers {
            programs.attach(plan.sink, &receiver.netns, LEAF_INTERFACE)?;
        }
        programs.set_floor(&lab.fwd, lab.receiver().fwd_interface())?;
        // Programs that are attached somewhere are called directly; one that is not is made so for the time of every run
        // (`bpf_prog_change_xdp` in net/bpf/test_run.c), which takes milliseconds. No frame ever comes this way.
        programs.attach(plan.generator, &lab.publisher().netns, LEAF_INTERFACE)?;

        let of_kernel = takers
            .iter()
            .zip(&lab.publishers)
            .filter(|(taker, _)| **taker == Taker::Kernel);
        let leaves = lab
            .receivers
            .iter()
            .chain(of_kernel.map(|(_, publisher)| publisher));
        let devices = leaves
            .map(|leaf| device(&lab, leaf, cores))
            .collect::<Result<Vec<_>>>()?;
        let options = Options {
            name: lab.name().to_owned(),
            devices,
            sizes: sizes(cores),
            workers: plan.workers,
            sessions: SESSIONS,
            legs: LEGS,
        };
        let started = lab
            .fwd
            .enter(|| Kernel::start(&options))
            .context("cannot start the kernel path")?;
        let sink = Sink::new(&mut programs)?;
        Ok(Self {
            lab,
            programs,
            generator,
            sink,
            tables: started.tables,
            ports: Mutex::new(started.ports),
            send_state: Arc::new(started.send_state),
            kernel: Some(started.kernel),
        })
    }

    /// Takes the workers' ports.
    ///
    /// # Errors
    /// A thread panicked.
    pub fn take_ports(&mut self) -> Result<Vec<WorkerPort>> {
        let ports = self.ports.get_mut();
        Ok(std::mem::take(
            ports.map_err(|_| anyhow!("a thread panicked"))?,
        ))
    }

    /// The publisher of this output number.
    ///
    /// # Panics
    /// When there is none.
    pub fn publisher(&self, out: u32) -> &Leaf {
        &self.lab.publishers[out as usize]
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(kernel) = self.kernel.take()
            && let Err(error) = self.lab.fwd.enter(|| kernel.stop())
        {
            log::warn!("the kernel path does not stop: {error:#}");
        }
    }
}

fn device(lab: &Lab, leaf: &Leaf, queues: u32) -> Result<Device> {
    let name = leaf.fwd_interface().to_owned();
    let ifindex = lab
        .fwd
        .enter(|| nix::net::if_::if_nametoindex(name.as_str()))?;
    Ok(Device {
        name,
        ifindex,
        ring: RING,
        queues,
        mtu: 1500,
        mac: leaf.fwd_mac.0,
        attached: None,
    })
}
