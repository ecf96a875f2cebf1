//! What the fuzz targets of the transport run, and the tests on their corpora: checks, hellos and frames, with what must hold.
//!
//! Apart from `fuzzing.rs`, since this needs the forwarder itself and not only its rules.

use crate::fuzzing::Target;
use std::{sync::LazyLock, time::Instant};

use forwarder::transport::{
    Certificate, Credentials, DATAGRAMS, Dtls, DtlsContext, FrameDecoder, HelloBuffer, IceEvent,
    IceLite, Pair, Role, Timebase, encode,
};
use is::{
    DefaultSha1HmacProvider, Sha1HmacProvider as _,
    stun::{StunMessage, TransId},
};

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 3] = [("framing", framing), ("hello", hello), ("ice", ice)];

const LONGEST_FRAME: u16 = 200;
const SECOND: u64 = 1_000_000_000;

/// Reads pieces of a script from the front.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// As many bytes as the next two say, or as there are.
    fn block(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.0.split_first_chunk()?;
        let (block, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        self.0 = rest;
        Some(block)
    }
}

/// A script of what happens to a lite agent: any datagrams, checks of a peer that knows the password, restarts, time.
pub fn ice(data: &[u8]) {
    let mut script = Script(data);
    let (mut seed, mut now, mut answer) = (0, SECOND, Vec::new());
    let mut lite = IceLite::new(credentials(seed), None);
    while let Some(what) = script.byte() {
        now += u64::from(what) * SECOND / 16;
        let host = script.byte().unwrap_or(0);
        let pair = Pair::udp(
            ([127, 0, 0, 1], 7700).into(),
            ([192, 0, 2, host & 15], 5000).into(),
        );
        match what & 7 {
            0 => {
                let datagram = script.block().unwrap_or(&[]);
                let event = lite.handle_request(now, pair, datagram, &mut answer);
                assert_eq!(event.is_ok(), !answer.is_empty(), "answered if authentic");
            }
            1 => {
                seed += 1;
                lite.restart(credentials(seed), None);
            }
            2 => {
                let selected = lite.selected();
                assert_eq!(lite.forget(pair), selected == Some(pair));
            }
            3 => {
                let (selected, due) = (lite.selected(), now >= lite.poll_timeout());
                let lost = lite.handle_timeout(now).map(|lost| lost.pair);
                assert!(lost.is_none() || (due && lost == selected && lite.selected().is_none()));
                assert!(lite.poll_timeout() > now, "nothing is left to do");
            }
            _ => {
                let check = check(lite.local(), script.byte().unwrap_or(0), what & 8 != 0);
                let event = lite.handle_request(now, pair, &check, &mut answer);
                let event = event.expect("authentic");
                assert!(StunMessage::parse(&answer).is_ok());
                assert!(lite.is_valid(pair) || event == IceEvent::RoleConflict);
                if let IceEvent::Selected(selected) = event {
                    assert_eq!((selected, lite.is_restarting()), (pair, false));
                }
            }
        }
        while lite.take_retired().is_some() {}
        let selected = lite.selected();
        assert!(selected.is_none_or(|pair| lite.is_valid(pair)));
        assert_eq!(selected.is_some(), lite.consent_until().is_some());
    }
}

fn credentials(seed: u8) -> Credentials {
    Credentials::generate(&mut |bytes| bytes.fill(seed))
}

fn check(local: &Credentials, priority: u8, nominates: bool) -> Vec<u8> {
    let username = format!("{}:peer", local.ufrag());
    let controlling = priority != 0xff;
    let message = StunMessage::binding_request(
        &username,
        TransId::new(),
        controlling,
        1,
        u32::from(priority),
        nominates,
    );
    let mut bytes = vec![0; 256];
    let hmac = |key: &[u8], parts: &[&[u8]]| DefaultSha1HmacProvider.sha1_hmac(key, parts);
    let len = message.to_bytes(Some(local.pwd().as_bytes()), &mut bytes, hmac);
    bytes.truncate(len.expect("it fits"));
    bytes
}

/// Datagrams, each behind its length, to whoever waits for a ClientHello: what is kept is bounded, and no engine minds what it is given.
pub fn hello(data: &[u8]) {
    static CONTEXT: LazyLock<DtlsContext> = LazyLock::new(|| {
        let certificate = Certificate::self_signed().expect("random numbers");
        DtlsContext::new(certificate, Timebase::new(0, Instant::now())).expect("ciphers")
    });
    let mut script = Script(data);
    let mut buffer = HelloBuffer::default();
    let mut dtls = Dtls::new(&CONTEXT, Role::Passive, Vec::new());
    let (mut now, mut out) = (0, Vec::new());
    while let Some(datagram) = script.block() {
        if let Some((offer, datagrams)) = buffer.push(datagram) {
            assert!((1..=DATAGRAMS).contains(&datagrams.len()));
            let _ = offer.version();
        }
        now += SECOND / 10;
        dtls.handle(now, datagram);
        dtls.handle_timeout(now);
        while dtls.poll_transmit(&mut out) {}
        while dtls.poll_event().is_some() {}
        assert!(!dtls.is_connected(), "nobody has a signalled certificate");
    }
}

/// A stream, in pieces of a length that its first byte says: the frames are those of the stream in one piece.
pub fn framing(data: &[u8]) {
    let Some((piece, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(stream, usize::MAX);
    assert_eq!(frames(stream, usize::from(*piece).max(1)), whole);
    let again = whole.iter().flat_map(|frame| {
        let length = encode(frame).expect("no longer than it was read");
        [&length[..], frame].concat()
    });
    assert!(again.zip(stream).all(|(again, was)| again == *was));
}

/// The frames before the end, or before the first that is too long.
fn frames(mut stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut decoder = FrameDecoder::new(LONGEST_FRAME);
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let space = decoder.space();
        let len = space.len().min(stream.len()).min(piece);
        assert!(len > 0, "all whole frames were taken");
        space[..len].copy_from_slice(&stream[..len]);
        stream = &stream[len..];
        decoder.filled(len);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}
