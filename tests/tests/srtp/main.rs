//! SRTP and SRTCP against libsrtp2, packet by packet: what one protects is, to the bit, what the other protects; each opens
//! what the other sealed; and both say the same about packets that come late, twice, or changed.
//!
//! The library is loaded at run time. Where it is missing, the tests say so and leave themselves out.

mod libsrtp;
mod packets;

use forwarder::srtp::{
    OpenError, ReceiveKeys, ReceiveStreams, SendKeys, SrtcpReceiver, SrtcpSender, Suite,
};

use libsrtp::{Direction, Session};
use packets::{Packet, master, rtcp, rtp};

/// The library's numbers for "replayed", "too old" and "not authentic" (`srtp_err_status_t`).
const REPLAY_FAIL: i32 = 9;
const REPLAY_OLD: i32 = 10;
const AUTH_FAIL: i32 = 7;

/// What our windows reach at least, in packets.
const WINDOW: u32 = 960;
const SRTCP_WINDOW: u32 = 128;

const SSRC: u32 = 0xfeed_f00d;

fn seal(keys: &SendKeys, packet: &Packet, index: u64) -> Vec<u8> {
    let len = packet.bytes.len();
    let mut bytes = packet.bytes.clone();
    bytes.resize(len + keys.suite().tag_len(), 0);
    let sealed = keys.seal(&mut bytes, packet.header_len, len, index);
    assert_eq!(sealed, Ok(bytes.len()));
    bytes
}

fn session(suite: Suite, direction: Direction) -> Option<Session> {
    Session::new(suite, &master(suite, 1), direction, WINDOW)
}

/// From shortly before the sequence number's first wrap to well behind it, in every shape.
#[test]
fn packets_are_sealed_alike_and_opened_by_the_other() {
    for suite in Suite::ALL {
        let Some(mut theirs_out) = session(suite, Direction::Outbound) else {
            return;
        };
        let mut theirs_in = session(suite, Direction::Inbound).unwrap();
        let (send, receive) = (
            SendKeys::new(&master(suite, 1)),
            ReceiveKeys::new(&master(suite, 1)),
        );
        let mut streams = ReceiveStreams::new(1);
        for index in 65_300..66_300 {
            let packet = rtp(SSRC, index);
            let (ours, theirs) = (
                seal(&send, &packet, index),
                theirs_out.protect(&packet.bytes),
            );
            assert_eq!(ours, theirs, "{suite}, packet {index}");
            assert_eq!(
                theirs_in.unprotect(&ours).as_ref(),
                Ok(&packet.bytes),
                "{suite}, packet {index}"
            );
            let mut bytes = theirs;
            let opened = streams
                .open(&receive, &mut bytes, packet.header_len, |_| Some(()))
                .unwrap();
            assert_eq!(
                (opened.len, opened.index),
                (packet.bytes.len(), index),
                "{suite}"
            );
            bytes.truncate(packet.bytes.len());
            assert_eq!(bytes, packet.bytes, "{suite}, packet {index}");
        }
    }
}

/// Each SSRC of theirs has an index of its own; ours has one for all.
#[test]
fn srtcp_is_protected_alike_and_opened_by_the_other() {
    for suite in Suite::ALL {
        let key = master(suite, 1);
        let Some(mut theirs_out) = session(suite, Direction::Outbound) else {
            return;
        };
        let mut theirs_in = session(suite, Direction::Inbound).unwrap();
        let (mut sender, mut receiver) = (SrtcpSender::new(&key), SrtcpReceiver::new(&key));
        // The library starts at 1.
        sender.continue_at(1);
        for round in 0..300_u16 {
            let plain = rtcp(SSRC, round as u8);
            let mut ours = Vec::new();
            sender.protect(&plain, &mut ours).unwrap();
            let mut theirs = theirs_out.protect_rtcp(&plain);
            assert_eq!(ours, theirs, "{suite}, packet {round}");
            assert_eq!(
                theirs_in.unprotect_rtcp(&ours).as_ref(),
                Ok(&plain),
                "{suite}"
            );
            assert_eq!(receiver.unprotect(&mut theirs), Ok(plain.len()), "{suite}");
            assert_eq!(theirs[..plain.len()], plain, "{suite}");
        }
        for ssrc in 0..20 {
            for words in 0..3 {
                let plain = rtcp(ssrc, words);
                let mut theirs = theirs_out.protect_rtcp(&plain);
                assert_eq!(receiver.unprotect(&mut theirs), Ok(plain.len()), "{suite}");
                let mut ours = Vec::new();
                sender.protect(&plain, &mut ours).unwrap();
                assert_eq!(theirs_in.unprotect_rtcp(&ours), Ok(plain), "{suite}");
            }
        }
    }
}

/// A network that loses, delays, repeats and changes packets, over a wrap: both receivers judge each packet alike.
#[test]
fn receivers_judge_alike() {
    for suite in Suite::ALL {
        let Some(mut theirs) = session(suite, Direction::Inbound) else {
            return;
        };
        let (send, receive) = (
            SendKeys::new(&master(suite, 1)),
            ReceiveKeys::new(&master(suite, 1)),
        );
        let mut streams = ReceiveStreams::new(1);
        let mut random = Random(u64::from(suite.profile()));
        let mut verdicts = [0; 4];
        for step in 0..6000_u64 {
            // Around a place that moves; seldom so far behind it that the window has passed.
            let back = if random.below(4) == 0 { 1500 } else { 60 };
            let index = 63_000 + step + 1500 - random.below(back);
            let packet = rtp(SSRC, index);
            let mut bytes = seal(&send, &packet, index);
            // Behind the header, which the library takes apart before it verifies anything.
            if random.below(5) == 0 {
                let len = bytes.len() - packet.header_len;
                let at = packet.header_len + random.below(len as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            let expected = theirs.unprotect(&bytes);
            let mut ours = bytes;
            let result = streams
                .open(&receive, &mut ours, packet.header_len, |_| Some(()))
                .map(|opened| opened.len);
            match expected {
                Ok(plain) => {
                    assert_eq!(result, Ok(plain.len()), "{suite}, step {step}");
                    assert_eq!(ours[..plain.len()], plain, "{suite}, step {step}");
                    verdicts[0] += 1;
                }
                Err(REPLAY_FAIL) => {
                    assert_eq!(result, Err(OpenError::Replayed), "{suite}, step {step}");
                    verdicts[1] += 1;
                }
                Err(REPLAY_OLD) => {
                    assert_eq!(result, Err(OpenError::TooOld), "{suite}, step {step}");
                    verdicts[2] += 1;
                }
                Err(error) => {
                    assert_eq!(
                        (error, result),
                        (AUTH_FAIL, Err(OpenError::Unauthentic)),
                        "{suite}, step {step}"
                    );
                    verdicts[3] += 1;
                }
            }
        }
        assert!(
            verdicts.iter().all(|&times| times > 50),
            "{suite}: {verdicts:?}"
        );
    }
}

/// SRTCP that comes late, twice or changed.
#[test]
fn srtcp_receivers_judge_alike() {
    for suite in Suite::ALL {
        let key = master(suite, 1);
        let Some(mut theirs) = Session::new(suite, &key, Direction::Inbound, WINDOW) else {
            return;
        };
        let (mut sender, mut receiver) = (SrtcpSender::new(&key), SrtcpReceiver::new(&key));
        let mut random = Random(7);
        let mut sent = Vec::new();
        let mut verdicts = [0; 3];
        for step in 0..2000_u64 {
            let mut bytes = Vec::new();
            sender
                .protect(&rtcp(SSRC, step as u8 % 9), &mut bytes)
                .unwrap();
            sent.push(bytes);
            // The library's window for SRTCP has 128 packets, ours more.
            let back = random.below(u64::from(SRTCP_WINDOW).min(step + 1)) as usize;
            let mut bytes = sent[sent.len() - 1 - back].clone();
            if random.below(5) == 0 {
                // The sender's SSRC and the index say which window judges before the tag is looked at; the rest does not.
                let trailer = 4 + suite.tag_len();
                let at = 8 + random.below((bytes.len() - 8 - trailer).max(1) as u64) as usize;
                if at < bytes.len() - trailer {
                    bytes[at] ^= 1 << random.below(8);
                }
            }
            let expected = theirs.unprotect_rtcp(&bytes);
            let result = receiver.unprotect(&mut bytes);
            match expected {
                Ok(plain) => {
                    assert_eq!(result, Ok(plain.len()), "{suite}, step {step}");
                    verdicts[0] += 1;
                }
                Err(REPLAY_FAIL) => {
                    assert_eq!(result, Err(OpenError::Replayed), "{suite}, step {step}");
                    verdicts[1] += 1;
                }
                Err(error) => {
                    assert_eq!(
                        (error, result),
                        (AUTH_FAIL, Err(OpenError::Unauthentic)),
                        "{suite}, step {step}"
                    );
                    verdicts[2] += 1;
                }
            }
        }
        assert!(
            verdicts.iter().all(|&times| times > 50),
            "{suite}: {verdicts:?}"
        );
    }
}

/// Steele and Vigna's splitmix64: the same packets in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}
