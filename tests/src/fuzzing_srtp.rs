//! What the fuzz target of SRTP runs, and the tests on its committed corpus: opening and sealing of any bytes, with what
//! must hold.
//!
//! Depends on `forwarder` alone, since the fuzz targets are built by a compiler and with flags of their own.

use forwarder::srtp::{
    MAX_SRTCP_INDEX, MasterKey, OpenError, ReceiveKeys, ReceiveStream, ReceiveStreams, SendKeys,
    SrtcpReceiver, SrtcpSender, Suite,
};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 1] = [("srtp", srtp)];

/// Bytes in front of the packet: the suite, the header's length, and the 48-bit index.
pub const PREFIX_LEN: usize = 8;

/// The key that packets of the corpus are sealed with.
///
/// # Panics
///
/// Never: the lengths are the suite's.
#[must_use]
pub fn master(suite: Suite) -> MasterKey {
    MasterKey::new(
        suite,
        &[0x42; 32][..suite.key_len()],
        &[0x24; 14][..suite.salt_len()],
    )
    .expect("of the suite's lengths")
}

/// The bytes that say how a packet is to be taken; see [`PREFIX_LEN`].
#[must_use]
pub fn prefix(suite: Suite, header_len: u8, index: u64) -> [u8; PREFIX_LEN] {
    let [_, _, a, b, c, d, e, f] = index.to_be_bytes();
    [suite.profile() as u8, header_len, a, b, c, d, e, f]
}

/// A prefix and a packet, as SRTP and as SRTCP, from the network and on its way there.
pub fn srtp(data: &[u8]) {
    let Some((&[profile, header_len, a, b, c, d, e, f], packet)) = data.split_first_chunk() else {
        return;
    };
    let suite = Suite::from_profile(profile.into())
        .unwrap_or(Suite::ALL[usize::from(profile) % Suite::ALL.len()]);
    let header_len = usize::from(header_len);
    let index = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let master = master(suite);
    arriving(&master, packet, header_len, index);
    leaving(&master, packet, header_len, index);
    srtcp_arriving(&master, packet);
    srtcp_leaving(&master, packet, index as u32 & MAX_SRTCP_INDEX);
}

/// What opens is what sealing gives for the plain packet, and opens once.
fn arriving(master: &MasterKey, packet: &[u8], header_len: usize, index: u64) {
    let keys = ReceiveKeys::new(master);
    let mut bytes = packet.to_vec();
    let opened = keys.open(&mut bytes, header_len, index);
    let mut streams = ReceiveStreams::new(1);
    if let Some(ssrc) = packet.get(8..12) {
        let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
        streams.insert(
            ssrc,
            ReceiveStream::resuming_at(index.saturating_sub(1)),
            (),
        );
    }
    let known = streams
        .open(&keys, &mut packet.to_vec(), header_len, |_| None)
        .map(|opened| opened.index);
    let Ok(len) = opened else {
        assert_eq!(bytes.len(), packet.len());
        return;
    };
    assert_eq!(len + keys.suite().tag_len(), packet.len());
    assert_eq!(
        bytes[..header_len],
        packet[..header_len],
        "the header stays"
    );
    let sequence = u16::from_be_bytes([packet[2], packet[3]]);
    if sequence == index as u16 {
        let sealed = SendKeys::new(master).seal(&mut bytes, header_len, len, index);
        assert_eq!((sealed, &bytes[..]), (Ok(packet.len()), packet));
    }
    if index > 0 && known == Ok(index) {
        let again = streams.open(&keys, &mut packet.to_vec(), header_len, |_| None);
        assert_eq!(again.map(|opened| opened.index), Err(OpenError::Replayed));
    }
}

/// What is sealed opens; what cannot be sealed stays as it is.
fn leaving(master: &MasterKey, packet: &[u8], header_len: usize, index: u64) {
    let keys = SendKeys::new(master);
    let mut bytes = packet.to_vec();
    bytes.resize(packet.len() + keys.suite().tag_len(), 0);
    let Ok(sealed) = keys.seal(&mut bytes, header_len, packet.len(), index) else {
        assert_eq!(&bytes[..packet.len()], packet);
        return;
    };
    assert_eq!(sealed, bytes.len());
    let opened = ReceiveKeys::new(master).open(&mut bytes, header_len, index);
    assert_eq!((opened, &bytes[..packet.len()]), (Ok(packet.len()), packet));
}

fn srtcp_arriving(master: &MasterKey, packet: &[u8]) {
    let mut receiver = SrtcpReceiver::new(master);
    match receiver.unprotect(&mut packet.to_vec()) {
        Ok(len) => {
            assert!(len < packet.len());
            let again = receiver.unprotect(&mut packet.to_vec());
            assert_eq!(again, Err(OpenError::Replayed));
        }
        Err(_) => assert_eq!(receiver.newest().count(), 0, "nothing is kept"),
    }
}

fn srtcp_leaving(master: &MasterKey, packet: &[u8], index: u32) {
    let mut sender = SrtcpSender::new(master);
    sender.continue_at(index);
    let mut bytes = Vec::new();
    if sender.protect(packet, &mut bytes).is_err() {
        assert!(packet.len() < 8 && bytes.is_empty());
        return;
    }
    let opened = SrtcpReceiver::new(master).unprotect(&mut bytes);
    assert_eq!((opened, &bytes[..packet.len()]), (Ok(packet.len()), packet));
}
