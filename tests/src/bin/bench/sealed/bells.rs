//! The smallest fan-outs: one bell for a few slots, against a `send` on a connected socket for each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use forwarder::srtp::Suite;
use serde::Serialize;

use super::floors::SlotFloor;
use super::packet;
use super::room::Room;
use super::sockets;
use crate::best::Best;
use crate::rows::{number, plain};
use crate::stage::Stage;

/// Packets that go out together.
const PACKETS: [u32; 7] = [1, 2, 3, 4, 8, 16, 63];
/// Hops and sockets that they go to.
pub const HOPS: u32 = 64;
const PAYLOAD: u32 = 1200;
/// Packets of one round.
const REPLICAS: u32 = 8_192;

/// What so many packets cost, nanoseconds for all of them together.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// How many packets.
    pub packets: u32,
    /// Bytes of RTP payload.
    pub payload_bytes: u32,
    /// One bell, with the sending by XDP.
    pub bell_ns: f64,
    /// A `send` each.
    pub send_ns: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Bell,
    Send,
}

/// What was measured.
#[derive(Default)]
pub struct Bells {
    wall: BTreeMap<(u32, By), Best>,
    sink: BTreeMap<(u32, By), Best>,
}

impl Bells {
    /// One round.
    ///
    /// # Errors
    /// The system's.
    pub fn measure(&mut self, stage: &mut Stage, slots: &mut SlotFloor, room: &Room) -> Result<()> {
        for (packets, by) in all() {
            let (took, times) = send(stage, slots, room, packets, by)?;
            let each = took.as_nanos() as f64 / f64::from(times);
            self.wall.entry((packets, by)).or_default().take(each);
        }
        Ok(())
    }

    /// One round in which the polls of the sink are timed.
    ///
    /// # Errors
    /// The system's.
    pub fn measure_sink(
        &mut self,
        stage: &mut Stage,
        slots: &mut SlotFloor,
        room: &Room,
    ) -> Result<()> {
        for (packets, by) in all() {
            stage.sink.forget_polls()?;
            let (_, times) = send(stage, slots, room, packets, by)?;
            let each = stage.sink.polls()?.sink_time as f64 / f64::from(times);
            self.sink.entry((packets, by)).or_default().take(each);
        }
        Ok(())
    }

    /// The results.
    pub fn rows(&self) -> Vec<Row> {
        let cost = |packets, by| {
            let value = |of: &BTreeMap<_, Best>| of.get(&(packets, by)).map_or(0.0, |b| b.value());
            (value(&self.wall) - value(&self.sink)).round()
        };
        PACKETS
            .map(|packets| Row {
                packets,
                payload_bytes: PAYLOAD,
                bell_ns: cost(packets, By::Bell),
                send_ns: cost(packets, By::Send),
            })
            .to_vec()
    }
}

fn all() -> impl Iterator<Item = (u32, By)> {
    PACKETS
        .into_iter()
        .flat_map(|packets| [(packets, By::Bell), (packets, By::Send)])
}

fn send(
    stage: &Stage,
    slots: &mut SlotFloor,
    room: &Room,
    packets: u32,
    by: By,
) -> Result<(Duration, u32)> {
    let times = REPLICAS / packets;
    let bytes = vec![0x80; packet::udp_payload(PAYLOAD, Suite::AeadAes128Gcm)];
    let sockets = room.sockets().get(..HOPS as usize).context("sockets")?;
    slots.fill(PAYLOAD, HOPS, 1);
    let expected = stage.sink.frames()? + u64::from(times * packets);
    let start = Instant::now();
    for _ in 0..times {
        match by {
            By::Bell => slots.ring(packets)?,
            By::Send => {
                for socket in sockets.iter().cycle().take(packets as usize) {
                    sockets::send(socket, &bytes).context("send")?;
                }
            }
        }
    }
    stage.sink.wait_for(&stage.programs, expected)?;
    let took = start.elapsed();
    let lost = expected.abs_diff(stage.sink.frames()?);
    ensure!(
        lost == 0,
        "{packets} packets by {by:?}: {lost} of {} lost",
        times * packets
    );
    Ok((took, times))
}

/// The table.
pub fn table(rows: &[Row]) -> comfy_table::Table {
    let mut table = plain(&["packets", "one bell, ns", "a send each, ns"]);
    for row in rows {
        table.add_row([
            number(row.packets.to_string()),
            number(format!("{:.0}", row.bell_ns)),
            number(format!("{:.0}", row.send_ns)),
        ]);
    }
    table
}
