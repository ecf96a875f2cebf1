//! From one worker to a TCP connection of another: a stream has one writer, so what others seal for it goes through a ring to that one.

use std::sync::Arc;

use nix::sys::eventfd::EventFd;
use rtrb::{Consumer, Producer, RingBuffer};

use super::tcp::Frame;

/// Packets under way from one worker to another.
const RELAYED: usize = 128;
/// Of those, what is kept free for audio and control: video goes first.
const NOT_VIDEO: usize = RELAYED / 2;
/// Bytes of the largest packet that is relayed.
const PACKET: usize = 1500;

/// A sealed packet for a connection.
pub struct Relayed {
    connection: u32,
    frame: Frame,
    len: u16,
    bytes: [u8; PACKET],
}

/// The ends of one worker: to and from every other.
#[derive(Default)]
pub struct Relays {
    to: Vec<Option<To>>,
    from: Vec<Consumer<Relayed>>,
}

struct To {
    ring: Producer<Relayed>,
    wake: Arc<EventFd>,
    pushed: bool,
}

/// Rings between all workers, which are woken by these descriptors.
#[must_use]
pub fn between(wakes: &[Arc<EventFd>]) -> Vec<Relays> {
    let mut all: Vec<Relays> = wakes.iter().map(|_| Relays::default()).collect();
    for from in 0..wakes.len() {
        for (to, wake) in wakes.iter().enumerate() {
            let ends = (from != to).then(|| RingBuffer::new(RELAYED));
            let (producer, consumer) = ends.map_or((None, None), |(p, c)| (Some(p), Some(c)));
            if let Some(relays) = all.get_mut(from) {
                relays.to.push(producer.map(|ring| To {
                    ring,
                    wake: Arc::clone(wake),
                    pushed: false,
                }));
            }
            if let Some(relays) = all.get_mut(to) {
                relays.from.extend(consumer);
            }
        }
    }
    all
}

impl Relays {
    /// Hands a packet to a connection of another worker; `None` where its ring is full, for video half full, or there is no such
    /// worker.
    pub fn push(
        &mut self,
        worker: u32,
        connection: u32,
        frame: Frame,
        packet: &[u8],
    ) -> Option<()> {
        let to = self.to.get_mut(worker as usize)?.as_mut()?;
        if frame == Frame::Video && to.ring.slots() <= NOT_VIDEO {
            return None;
        }
        let mut bytes = [0; PACKET];
        bytes.get_mut(..packet.len())?.copy_from_slice(packet);
        let relayed = Relayed {
            connection,
            frame,
            len: packet.len() as u16,
            bytes,
        };
        to.ring.push(relayed).ok()?;
        to.pushed = true;
        Some(())
    }

    /// Wakes the workers that something was pushed to.
    pub fn flush(&mut self) {
        for to in self.to.iter_mut().flatten().filter(|to| to.pushed) {
            to.pushed = false;
            // It fails only if the worker has ended.
            let _ended = to.wake.write(1);
        }
    }

    /// Takes what others have pushed.
    pub fn drain(&mut self, mut each: impl FnMut(u32, Frame, &[u8])) {
        for ring in &mut self.from {
            for _ in 0..RELAYED {
                let Ok(relayed) = ring.pop() else {
                    break;
                };
                if let Some(bytes) = relayed.bytes.get(..usize::from(relayed.len)) {
                    each(relayed.connection, relayed.frame, bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_reach_the_worker_they_are_for_until_its_ring_is_full_of_video_first() {
        let wakes: Vec<_> = (0..3).map(|_| Arc::new(EventFd::new().unwrap())).collect();
        let mut all = between(&wakes);
        assert_eq!(all[0].push(0, 7, Frame::Video, &[1]), None, "to itself");
        assert_eq!(all[0].push(9, 7, Frame::Video, &[1]), None, "to nobody");
        assert_eq!(all[0].push(2, 7, Frame::Video, &[0; PACKET + 1]), None);
        let half = RELAYED - NOT_VIDEO;
        for n in 0..half {
            assert_eq!(all[0].push(2, 7, Frame::Video, &[n as u8; 3]), Some(()));
        }
        assert_eq!(all[0].push(2, 7, Frame::Video, &[0]), None);
        for n in half..RELAYED {
            assert_eq!(all[0].push(2, 7, Frame::Audio, &[n as u8; 3]), Some(()));
        }
        assert_eq!(all[0].push(2, 7, Frame::Audio, &[0]), None);
        all[0].flush();
        assert_eq!(wakes[2].read().unwrap(), 1);
        let mut seen = Vec::new();
        all[2].drain(|connection, _, bytes| seen.push((connection, bytes.to_vec())));
        let expected: Vec<_> = (0..RELAYED).map(|n| (7, vec![n as u8; 3])).collect();
        assert_eq!(seen, expected);
        all[1].drain(|_, _, _| panic!("nothing was for this one"));
    }
}
