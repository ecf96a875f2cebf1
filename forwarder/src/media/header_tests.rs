//! Headers read: padding, identifiers, and any bytes.

use proptest::prelude::*;

use super::{
    Extension, ExtensionIds, IdError, parse,
    samples::{Packet, ids, kinds, packets, plain},
};

#[test]
fn padding_is_cut_or_refused() {
    let none = ids(&[]);
    let padded = |padding| Packet { padding, ..plain() }.bytes();
    for padding in [1, 4, 255] {
        let bytes = padded(padding);
        let mut parsed = parse(&bytes, &none).unwrap();
        parsed.unpad(&bytes).unwrap();
        assert_eq!((parsed.payload, parsed.padding), (12..15, padding));
    }
    // All of it padding; none although announced; more than there is; nothing there.
    let mut bytes = padded(1);
    for (last, padding) in [(4, Some(4)), (0, None), (5, None)] {
        *bytes.last_mut().unwrap() = last;
        let mut parsed = parse(&bytes, &none).unwrap();
        assert_eq!(parsed.unpad(&bytes).map(|()| parsed.padding), padding);
    }
    let mut parsed = parse(&bytes, &none).unwrap();
    assert_eq!(parsed.unpad(&bytes[..12]), None);
    assert_eq!(parsed.unpad(&bytes[..3]), None);
}

#[test]
fn identifiers_are_taken_once() {
    let mut ids = ExtensionIds::new();
    ids.insert(3, Extension::Mid).unwrap();
    ids.insert(3, Extension::Mid).unwrap();
    let refused = [
        (0, Extension::Rid, IdError::Reserved(0)),
        (15, Extension::Rid, IdError::Reserved(15)),
        (3, Extension::Rid, IdError::IdTaken(3, Extension::Mid)),
        (
            4,
            Extension::Mid,
            IdError::ExtensionTaken(Extension::Mid, 3),
        ),
    ];
    for (id, extension, error) in refused {
        assert_eq!(ids.insert(id, extension), Err(error), "{error}");
    }
    assert_eq!(ids.iter().collect::<Vec<_>>(), [(3, Extension::Mid)]);
    assert_eq!(ids.id(Extension::Rid), None);
    ids.insert(255, Extension::Rid).unwrap();
    assert_eq!(ids.extension(255), Some(Extension::Rid));
    for extension in Extension::all() {
        assert_eq!(Extension::from_uri(extension.uri()), Some(extension));
    }
    assert_eq!(Extension::from_uri("urn:nothing"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Any bytes are read or refused; cut anywhere in the header they are refused.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120), packet in packets(), came in kinds()) {
        if let Some(mut parsed) = parse(&bytes, &came) {
            prop_assert!(parsed.header_len <= bytes.len());
            for (extension, place) in &parsed.elements {
                let data = parsed.element(*extension, &bytes).unwrap();
                prop_assert_eq!(data.len(), place.len());
            }
            let _ = parsed.unpad(&bytes);
            prop_assert!(parsed.payload.end + usize::from(parsed.padding) <= bytes.len());
        }
        let whole = packet.bytes();
        let header_len = parse(&whole, &came).unwrap().header_len;
        for len in 0..header_len {
            prop_assert_eq!(parse(&whole[..len], &came), None);
        }
    }
}
