//! What a DTLS set-up costs this side in time, and an idle association in memory:
//!
//!     cargo run --release -p forwarder --example dtls_setups
//!
//! Time is that of our calls alone, on one thread; the peer's are left out. Memory is what the C heap holds more, per association,
//! after the peers are gone: the cipher library's share is in it, which a Rust allocator would not see.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dimpl::{Config, Output};
use forwarder::transport::{
    Certificate, Dtls, DtlsContext, DtlsEvent, Fingerprint, HashFunction, Role, Timebase,
};

const ASSOCIATIONS: usize = 400;

type New = fn(Arc<Config>, dimpl::DtlsCertificate, Instant) -> dimpl::Dtls;

fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let context = DtlsContext::new(Certificate::self_signed()?, Timebase::new(0, start))?;
    let theirs = dimpl::certificate::generate_self_signed_certificate()?;
    let print = Fingerprint::of(HashFunction::Sha256, &theirs.certificate);
    let cases: [(&str, Role, New); 4] = [
        ("passive 1.2", Role::Passive, dimpl::Dtls::new_12),
        ("passive 1.3", Role::Passive, dimpl::Dtls::new_13),
        ("active 1.2", Role::Active, dimpl::Dtls::new_12),
        ("active 1.3", Role::Active, dimpl::Dtls::new_13),
    ];
    for (name, role, new) in cases {
        let (mut kept, mut spent) = (Vec::with_capacity(ASSOCIATIONS), Duration::ZERO);
        let mut before = 0;
        for number in 0..=ASSOCIATIONS {
            if number == 1 {
                // What is made once, by the first, does not count.
                kept.clear();
                (spent, before) = (Duration::ZERO, heap());
            }
            let mut peer = new(Arc::new(Config::default()), theirs.clone(), start);
            peer.set_active(role == Role::Passive);
            peer.handle_timeout(start)?;
            let mut ours = Dtls::new(&context, role, vec![print.clone()]);
            spent += shake_hands(&mut ours, &mut peer)?;
            kept.push(ours);
        }
        let held = heap().saturating_sub(before) / ASSOCIATIONS;
        let per_second = ASSOCIATIONS as f64 / spent.as_secs_f64();
        println!(
            "{name}: {per_second:.0} set-ups per second and core, {held} bytes each when idle"
        );
    }
    Ok(())
}

/// Returns the time that our side took.
fn shake_hands(ours: &mut Dtls, peer: &mut dimpl::Dtls) -> anyhow::Result<Duration> {
    let (mut spent, mut buffer, mut datagram) = (Duration::ZERO, vec![0; 4096], Vec::new());
    let mut timed = |work: &mut dyn FnMut()| {
        let from = Instant::now();
        work();
        spent += from.elapsed();
    };
    timed(&mut || ours.start(0));
    let mut connected = false;
    let mut idle = 0;
    while idle < 2 {
        idle += 1;
        loop {
            let mut more = false;
            timed(&mut || more = ours.poll_transmit(&mut datagram));
            if !more {
                break;
            }
            idle = 0;
            peer.handle_packet(&datagram)?;
        }
        loop {
            match peer.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    idle = 0;
                    timed(&mut || ours.handle(0, packet));
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        while let Some(event) = ours.poll_event() {
            connected |= matches!(event, DtlsEvent::Connected(_));
        }
    }
    anyhow::ensure!(connected, "no keys");
    Ok(spent)
}

/// Bytes in use on the C heap.
fn heap() -> usize {
    // SAFETY: mallinfo2 takes nothing and only reads the allocator's books.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}
