//! What an idle session holds. The C heap is asked, since the cipher library's share is in it; it knows one arena, and other
//! tests would count with it, hence alone:
//!
//!     MALLOC_ARENA_MAX=1 cargo test -p forwarder --lib idle_session -- --ignored --nocapture

use super::{
    parameters::{settings, subscription},
    world::{SECOND, World},
};
use crate::{media::Kind, sessions::specs::PeerRole};

const SESSIONS: usize = 64;
const SUBSCRIPTIONS: usize = 256;

/// Bytes in use on the C heap.
fn heap() -> usize {
    // SAFETY: mallinfo2 takes nothing and only reads the allocator's books.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

#[test]
#[ignore = "measures the heap of the whole process"]
fn an_idle_session_is_small() {
    let mut world = World::new(settings());
    // What is made once, by the first, does not count.
    world.join(PeerRole::Auto);
    world.run(SECOND);
    world.forget_peers();
    let before = heap();
    for _ in 0..SESSIONS / 8 {
        let peers: Vec<_> = (0..8).map(|_| world.join(PeerRole::Auto)).collect();
        world.run(2 * SECOND);
        assert!(peers.iter().all(|peer| world.peers[*peer].connected));
        // The peers' own memory must not count; their sessions stay until consent is lost.
        world.forget_peers();
    }
    let held = heap().saturating_sub(before) / SESSIONS;
    println!("{held} bytes per idle session");
    assert!(held <= 64 << 10, "{held}");

    let ids: Vec<_> = world.sessions.ids().collect();
    let spec = super::parameters::publication(Kind::Video, "v", Some(42));
    let video = world.sessions.publish(world.now, ids[0], &spec).unwrap();
    world.carry_out();
    let before = heap();
    for at in 0..SUBSCRIPTIONS {
        let spec = subscription(video, Kind::Video, &at.to_string());
        let id = ids[1 + at % (ids.len() - 1)];
        world.sessions.subscribe(world.now, id, &spec).unwrap();
        world.carry_out();
    }
    let held = heap().saturating_sub(before) / SUBSCRIPTIONS;
    println!("{held} bytes per subscription, the stand-in worker's share included");
    assert!(held <= 16 << 10, "{held}");
}
