//! Packets that nobody should send: what strangers can make up who know an SSRC or a username fragment.

/// RTP of an SSRC.
pub fn rtp(ssrc: u32) -> Vec<u8> {
    let mut rtp = vec![0x80, 96, 0, 1, 0, 0, 0, 9];
    rtp.extend(ssrc.to_be_bytes());
    rtp.extend([7; 200]);
    rtp
}

/// A receiver report about an SSRC, too long to be one.
pub fn rtcp(ssrc: u32) -> Vec<u8> {
    [&[0x81, 201, 0, 7][..], &ssrc.to_be_bytes(), &[0; 24]].concat()
}

/// A binding request (RFC 8489 §5) to a username fragment, with a MESSAGE-INTEGRITY that is none.
pub fn check(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:abcd");
    let mut attributes = vec![0, 6];
    attributes.extend((username.len() as u16).to_be_bytes());
    attributes.extend(username.bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 8, 0, 20]);
    attributes.extend([9; 20]);
    let mut stun = vec![0, 1];
    stun.extend((attributes.len() as u16).to_be_bytes());
    stun.extend(0x2112_a442u32.to_be_bytes());
    stun.extend([3; 12]);
    stun.extend(attributes);
    stun
}

/// The start of a ClientHello of DTLS 1.2 (RFC 6347 §4.1).
pub fn hello() -> Vec<u8> {
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100];
    hello.extend([1; 100]);
    hello
}

/// Ciphertext of an established DTLS 1.2 association.
pub fn record() -> Vec<u8> {
    let mut record = vec![23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 100];
    record.extend([5; 100]);
    record
}
