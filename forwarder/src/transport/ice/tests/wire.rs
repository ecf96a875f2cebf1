//! Checks as browsers send them, and what they are answered. How the captures were made: ../../fixtures/README.md.

use is::stun::StunMessage;

use super::rig::{START, pair};
use crate::transport::{
    Credentials, IceError, IceEvent, IceLite, ice::request::sha1_hmac, ufrag_of,
};

const PWD: &str = "passwordpasswordpassword";

fn lite(peer: &str) -> IceLite {
    let local = Credentials::new("forward1", PWD).unwrap();
    let remote = Credentials::new(peer, "unknown+unknown+unknown+").unwrap();
    IceLite::new(local, Some(remote))
}

#[test]
fn checks_of_browsers() {
    let answered = IceEvent::Answered { new_pair: true };
    let selected = IceEvent::Selected(pair(1));
    let captures: [(&[u8], &str, IceEvent); 3] = [
        (
            include_bytes!("../../fixtures/chromium-156-check.bin"),
            "IYK4",
            answered,
        ),
        (
            include_bytes!("../../fixtures/chromium-156-check-nominating.bin"),
            "IYK4",
            selected,
        ),
        (
            include_bytes!("../../fixtures/firefox-153-check-nominating.bin"),
            "d7768c99",
            selected,
        ),
    ];
    for (check, peer, event) in captures {
        assert_eq!(ufrag_of(check), Some(*b"forward1"));
        let mut answer = Vec::new();
        let result = lite(peer).handle_request(START, pair(1), check, &mut answer);
        assert_eq!(result, Ok(event));
        let parsed = StunMessage::parse(&answer).unwrap();
        assert!(parsed.is_successful_binding_response());
        assert!(parsed.verify(PWD.as_bytes(), sha1_hmac));
        assert_eq!(parsed.mapped_address(), Some(pair(1).remote));
        assert_eq!(
            answer[8..20],
            check[8..20],
            "the transaction is the request's"
        );
        let other = lite("other").handle_request(START, pair(1), check, &mut answer);
        assert_eq!(other, Err(IceError::Username));
    }
}

/// RFC 5769 §2.1, the sample request: right in all, but its username fragment is not as long as ours are.
#[test]
fn the_sample_request_of_rfc_5769_is_authentic() {
    let sample: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74,
        0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e,
        0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
        0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20,
        0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5,
        0x7a, 0x3b, 0xcf,
    ];
    let local = Credentials::new("evtj", "VOkJxbRl1RmTxUk/WvJxBt").unwrap();
    let remote = Credentials::new("h6vY", PWD).unwrap();
    let request = crate::transport::ice::request::verify(&sample, &local, Some(&remote)).unwrap();
    assert_eq!(request.priority, 0x6e00_01ff);
    assert!(request.claims_controlled && !request.nominates);
    assert_eq!(ufrag_of(&sample), None);
}
