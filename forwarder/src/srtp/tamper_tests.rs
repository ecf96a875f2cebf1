//! Packets that were changed, cut, or put together wrongly on their way.

use super::{
    MAX_INDEX, OpenError, ReceiveKeys, SealError, SendKeys, SrtcpReceiver, SrtcpSender, Suite,
    test_packets::{master, packet, rtcp},
};

const INDEX: u64 = 0x0001_2345_fffe;

fn sealed(suite: Suite) -> (Vec<u8>, usize) {
    let (mut bytes, header_len) = packet(0xdead_beef, INDEX as u16, 2, Some(1), &[0x77; 70]);
    let len = bytes.len();
    bytes.resize(len + suite.tag_len(), 0);
    let send = SendKeys::new(&master(suite, 1));
    assert_eq!(
        send.seal(&mut bytes, header_len, len, INDEX),
        Ok(bytes.len())
    );
    (bytes, header_len)
}

/// Every bit of every byte: header, sources, extension, payload, tag.
#[test]
fn no_bit_can_be_changed() {
    for suite in Suite::ALL {
        let receive = ReceiveKeys::new(&master(suite, 1));
        let (bytes, header_len) = sealed(suite);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(
                    receive.open(&mut changed, header_len, INDEX),
                    Err(OpenError::Unauthentic),
                    "{suite}, byte {at}, bit {bit}"
                );
            }
        }
        let mut whole = bytes;
        assert!(receive.open(&mut whole, header_len, INDEX).is_ok());
    }
}

#[test]
fn no_packet_can_be_cut_or_opened_with_another_key_or_index() {
    for suite in Suite::ALL {
        let receive = ReceiveKeys::new(&master(suite, 1));
        let (bytes, header_len) = sealed(suite);
        for len in 0..bytes.len() {
            let result = receive.open(&mut bytes[..len].to_vec(), header_len, INDEX);
            let short = len < header_len + suite.tag_len();
            let expected = if short {
                OpenError::Malformed
            } else {
                OpenError::Unauthentic
            };
            assert_eq!(result, Err(expected), "{suite}, {len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        let others = [
            INDEX + (1 << 16),
            INDEX - (1 << 16),
            INDEX & 0xffff,
            MAX_INDEX + 1,
        ];
        for index in others {
            let result = receive.open(&mut bytes.clone(), header_len, index);
            assert_eq!(result, Err(OpenError::Unauthentic), "{suite}, {index:x}");
        }
        assert!(
            receive
                .open(&mut longer.clone(), header_len, INDEX)
                .is_err()
        );
        let other = ReceiveKeys::new(&master(suite, 2));
        assert!(other.open(&mut bytes.clone(), header_len, INDEX).is_err());
        for header_len in [0, 11, bytes.len(), usize::MAX] {
            let result = receive.open(&mut bytes.clone(), header_len, INDEX);
            assert_eq!(result, Err(OpenError::Malformed), "{suite}, {header_len}");
        }
    }
}

#[test]
fn what_cannot_be_sealed_stays_as_it_is() {
    for suite in Suite::ALL {
        let send = SendKeys::new(&master(suite, 1));
        let (bytes, header_len) = packet(1, 7, 0, None, &[1; 20]);
        let len = bytes.len();
        let mut room = bytes.clone();
        room.resize(len + suite.tag_len(), 0);
        let cases = [
            (
                len + suite.tag_len() - 1,
                header_len,
                len,
                7,
                SealError::Room,
            ),
            (room.len(), 11, len, 7, SealError::Header),
            (room.len(), len + 1, len, 7, SealError::Header),
            (room.len(), header_len, room.len() + 1, 7, SealError::Header),
            (room.len(), header_len, 11, 7, SealError::Header),
            (room.len(), header_len, len, 8, SealError::Index),
            (room.len(), header_len, len, MAX_INDEX + 8, SealError::Index),
        ];
        for (size, header_len, len, index, error) in cases {
            let mut buffer = room[..size].to_vec();
            assert_eq!(
                send.seal(&mut buffer, header_len, len, index),
                Err(error),
                "{suite}"
            );
            assert_eq!(buffer, room[..size], "{suite}, {error}");
        }
        // Nothing but a header is a packet, too.
        assert_eq!(
            send.seal(&mut room, header_len, header_len, 7),
            Ok(header_len + suite.tag_len())
        );
    }
}

#[test]
fn no_bit_of_srtcp_can_be_changed_and_none_of_it_cut() {
    for suite in Suite::ALL {
        let plain = rtcp(0xcafe, 9);
        let mut bytes = Vec::new();
        SrtcpSender::new(&master(suite, 1))
            .protect(&plain, &mut bytes)
            .unwrap();
        let mut receiver = SrtcpReceiver::new(&master(suite, 1));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let result = receiver.unprotect(&mut changed);
                assert!(
                    matches!(result, Err(OpenError::Unauthentic | OpenError::Unencrypted)),
                    "{suite}, byte {at}, bit {bit}: {result:?}"
                );
            }
        }
        for len in 0..bytes.len() {
            assert!(receiver.unprotect(&mut bytes[..len].to_vec()).is_err());
        }
        assert_eq!(
            receiver.newest().count(),
            0,
            "nothing is kept of what is not authentic"
        );
        assert_eq!(receiver.unprotect(&mut bytes.clone()), Ok(plain.len()));
        assert_eq!(receiver.unprotect(&mut bytes), Err(OpenError::Replayed));
    }
}

#[test]
fn srtcp_ends_with_its_last_index() {
    let mut sender = SrtcpSender::new(&master(Suite::AeadAes128Gcm, 1));
    sender.continue_at(super::MAX_SRTCP_INDEX);
    let mut out = Vec::new();
    assert_eq!(sender.protect(&[0; 7], &mut out), Err(SealError::Header));
    sender.protect(&rtcp(1, 1), &mut out).unwrap();
    let len = out.len();
    assert_eq!(
        sender.protect(&rtcp(1, 1), &mut out),
        Err(SealError::Exhausted)
    );
    assert_eq!(out.len(), len);
    let mut receiver = SrtcpReceiver::new(&master(Suite::AeadAes128Gcm, 1));
    assert!(receiver.unprotect(&mut out).is_ok());
}
