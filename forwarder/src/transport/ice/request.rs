//! One binding request, authenticated, and its answers.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use crc::{CRC_32_ISO_HDLC, Crc};
use is::stun::{StunMessage, TransId};

use super::IceError;
use crate::transport::Credentials;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
/// RFC 8489 §14.7: the CRC is XORed with this, so that other protocols' CRCs do not fit.
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Type and length of the FINGERPRINT attribute.
const FINGERPRINT: [u8; 4] = [0x80, 0x28, 0x00, 0x04];
/// The longest answer is an IPv6 one: header 20, XOR-MAPPED-ADDRESS 24, MESSAGE-INTEGRITY 24, FINGERPRINT 8.
const ANSWER: usize = 128;

/// What an authentic request says.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) transaction: TransId,
    /// PRIORITY: that of the peer's candidate, as it would be if it were peer-reflexive (RFC 8445 §7.1.1).
    pub(super) priority: u32,
    /// USE-CANDIDATE.
    pub(super) nominates: bool,
    /// ICE-CONTROLLED: the peer believes itself in the only role that a lite agent has.
    pub(super) claims_controlled: bool,
}

/// Reads a request and makes sure that whoever sent it knows the session's password.
pub(super) fn verify(
    datagram: &[u8],
    local: &Credentials,
    remote: Option<&Credentials>,
) -> Result<Request, IceError> {
    if !has_fingerprint(datagram) {
        return Err(IceError::Fingerprint);
    }
    let message = StunMessage::parse(datagram).map_err(|_| IceError::Malformed)?;
    if !message.is_binding_request() {
        return Err(IceError::Malformed);
    }
    let (to, from) = message.split_username().ok_or(IceError::Malformed)?;
    if to != local.ufrag() || remote.is_some_and(|remote| remote.ufrag() != from) {
        return Err(IceError::Username);
    }
    if !message.verify(local.pwd().as_bytes(), sha1_hmac) {
        return Err(IceError::Integrity);
    }
    Ok(Request {
        transaction: message.trans_id(),
        priority: message.prio().ok_or(IceError::Malformed)?,
        nominates: message.use_candidate(),
        claims_controlled: message.ice_controlled().is_some(),
    })
}

/// The success response: where the request came from, signed with our password (RFC 8445 §7.3.1.2).
pub(super) fn write_success(
    transaction: TransId,
    from: SocketAddr,
    local: &Credentials,
    out: &mut Vec<u8>,
) {
    write(StunMessage::binding_reply(transaction, from), local, out);
}

/// The error response 487, Role Conflict (RFC 8445 §7.3.1.1).
pub(super) fn write_role_conflict(transaction: TransId, local: &Credentials, out: &mut Vec<u8>) {
    write(
        StunMessage::binding_role_conflict_reply(transaction),
        local,
        out,
    );
}

fn write(message: StunMessage<'_>, local: &Credentials, out: &mut Vec<u8>) {
    let mut buffer = [0; ANSWER];
    let written = message
        .to_bytes(Some(local.pwd().as_bytes()), &mut buffer, sha1_hmac)
        .ok();
    out.extend_from_slice(written.and_then(|len| buffer.get(..len)).unwrap_or(&[]));
}

/// FINGERPRINT is the last attribute and right. Checks must have it (RFC 8445 §7), and whatever shares the port then is none.
fn has_fingerprint(datagram: &[u8]) -> bool {
    let Some((covered, attribute)) = datagram.split_last_chunk::<8>() else {
        return false;
    };
    let [t0, t1, l0, l1, value @ ..] = *attribute;
    [t0, t1, l0, l1] == FINGERPRINT
        && u32::from_be_bytes(value) == CRC.checksum(covered) ^ FINGERPRINT_XOR
}

pub(super) fn sha1_hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    let mut bytes = [0; 20];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}
