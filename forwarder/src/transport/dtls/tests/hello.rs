//! Hellos in pieces.

use crate::transport::{DATAGRAMS, HelloBuffer, Offer, dtls::hello::rename_profile};

use super::rig::{Peer, START};

/// The first hello of a client of both versions, in one datagram.
pub(super) fn hybrid() -> Vec<u8> {
    let mut peer = Peer::new(dimpl::Dtls::new_auto, true, false);
    peer.at(START);
    peer.drain().swap_remove(0)
}

/// Cuts a hello in one record into datagrams with a fragment of at most `len` bytes each.
fn cut(datagram: &[u8], len: usize) -> Vec<Vec<u8>> {
    let (record, message) = datagram.split_at(13);
    let (header, body) = message.split_at(12);
    let mut pieces = Vec::new();
    for (number, fragment) in body.chunks(len).enumerate() {
        let mut piece = record[..11].to_vec();
        piece[10] = number as u8;
        piece.extend((fragment.len() as u16 + 12).to_be_bytes());
        piece.extend(&header[..6]);
        piece.extend(&((number * len) as u32).to_be_bytes()[1..]);
        piece.extend(&(fragment.len() as u32).to_be_bytes()[1..]);
        piece.extend(fragment);
        pieces.push(piece);
    }
    pieces
}

fn push_all(pieces: &[Vec<u8>]) -> Option<(Offer, Vec<Vec<u8>>)> {
    let mut buffer = HelloBuffer::default();
    let mut result = None;
    for piece in pieces {
        assert!(result.is_none(), "whole before its last piece");
        result = buffer.push(piece);
    }
    result.map(|(offer, datagrams)| (offer, datagrams.into_iter().collect()))
}

#[test]
fn in_any_order_and_number_of_pieces_up_to_the_bound() {
    let hello = hybrid();
    let (offer, whole) = push_all(std::slice::from_ref(&hello)).unwrap();
    assert!(offer.dtls12 && offer.dtls13);
    assert_eq!(whole, std::slice::from_ref(&hello));
    for count in 2..=DATAGRAMS {
        let pieces = cut(&hello, hello.len() / count);
        let pieces = &pieces[..pieces.len().min(DATAGRAMS)];
        let whole = pieces.len() * (hello.len() / count) >= hello.len() - 25;
        let mut orders = vec![pieces.to_vec()];
        orders.push(pieces.iter().rev().cloned().collect());
        for order in orders.iter().filter(|_| whole) {
            assert_eq!(push_all(order), Some((offer.clone(), order.clone())));
        }
    }
}

#[test]
fn a_piece_missing_repeated_or_of_another_hello() {
    let hello = hybrid();
    let pieces = cut(&hello, hello.len() / 2);
    let [first, second] = &pieces[..] else {
        panic!("{} pieces", pieces.len());
    };
    let mut buffer = HelloBuffer::default();
    for _ in 0..20 {
        assert_eq!(buffer.push(first), None);
    }
    let (_, datagrams) = buffer.push(second).unwrap();
    assert_eq!(datagrams.len(), 2, "repetitions take each other's place");
    // A hello of another length begins anew.
    let mut other = first.clone();
    other[15] ^= 1;
    assert_eq!(buffer.push(&other), None);
    assert_eq!(buffer.push(first), None);
    assert!(buffer.push(second).is_some());
}

#[test]
fn what_is_no_hello_is_not_kept() {
    let hello = hybrid();
    let pieces = cut(&hello, hello.len() / 2);
    let mut buffer = HelloBuffer::default();
    assert_eq!(buffer.push(&pieces[0]), None);
    let mut late = hello.clone();
    late[17] = 1; // handshake message 1
    let mut server = hello.clone();
    server[13] = 2; // ServerHello
    let mut epoch = hello.clone();
    epoch[4] = 1;
    let mut alert = hello.clone();
    alert[0] = 21;
    let mut huge = hello.clone();
    huge[14] = 1; // 64 KiB and more
    let mut overlong = hello.clone();
    overlong.resize(2049, 0);
    for stray in [late, server, epoch, alert, huge, overlong, Vec::new()] {
        assert_eq!(buffer.push(&stray), None);
    }
    assert!(
        buffer.push(&pieces[1]).is_some(),
        "the first piece was kept"
    );
}

#[test]
fn cut_anywhere_it_is_no_offer() {
    let hello = hybrid();
    let body = &hello[25..];
    assert!(Offer::parse(body).is_some());
    for len in 0..body.len() {
        let offer = Offer::parse(&body[..len]);
        // Without extensions, as clients of old were, it is one of DTLS 1.2 without SRTP.
        assert!(
            offer.is_none_or(|offer| !offer.dtls13 && offer.suites.is_empty()),
            "{len}"
        );
    }
}

/// In pieces of any length, also where the name itself is cut in two.
#[test]
fn a_profile_gets_another_name_and_nothing_else_changes() {
    let hello = hybrid();
    let extension = [0, 14, 0, 9, 0, 6, 0, 8, 0, 7, 0, 1, 0];
    let at = hello.windows(13).position(|at| at == extension).unwrap() + 10;
    let mut renamed = hello.clone();
    renamed[at..at + 2].copy_from_slice(&[0xff, 0xfe]);
    for len in 1..hello.len() {
        let mut pieces = cut(&hello, len);
        assert!(rename_profile(&mut pieces, 1, 0xfffe), "{len}");
        assert_eq!(pieces, cut(&renamed, len), "{len}");
        assert!(!rename_profile(&mut pieces, 1, 0xfffe), "there is none");
        assert!(!rename_profile(&mut pieces, 7, 0xfffe), "it is taken");
        assert_eq!(pieces, cut(&renamed, len));
    }
    let mut part = cut(&hello, hello.len() / 2);
    part.pop();
    assert!(!rename_profile(&mut part, 1, 0xfffe), "it is not whole");
}
