//! Header extension blocks: written and read back, what ends a block, and any bytes.

use forwarder_common::wire::extension::{Element, Elements, Form, HEADER_LEN, Writer};
use proptest::prelude::*;

use crate::cases;

fn found(form: Form, bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let owned = |Element { id, offset, data }| {
        assert_eq!(&bytes[offset..offset + data.len()], data);
        (id, data.to_vec())
    };
    Elements::new(form, bytes).map(owned).collect()
}

#[test]
fn what_ends_a_block() {
    let one = (1, vec![7]);
    let cases: [(Form, &[u8], Vec<_>); 12] = [
        (Form::OneByte, &[0x10, 7], vec![one.clone()]),
        (Form::OneByte, &[0, 0, 0x10, 7, 0], vec![one.clone()]),
        // Identifier 15, and 0 with a length, end it (RFC 8285 §4.2).
        (
            Form::OneByte,
            &[0x10, 7, 0xf0, 1, 0x20, 2],
            vec![one.clone()],
        ),
        (
            Form::OneByte,
            &[0x10, 7, 0x01, 1, 1, 0x20, 2],
            vec![one.clone()],
        ),
        (Form::OneByte, &[0x10, 7, 0x21, 1], vec![one.clone()]),
        (Form::OneByte, &[0x10], vec![]),
        (Form::OneByte, &[], vec![]),
        (Form::TwoByte, &[1, 1, 7], vec![one.clone()]),
        (Form::TwoByte, &[0, 1, 1, 7, 0, 0], vec![one.clone()]),
        (
            Form::TwoByte,
            &[15, 0, 1, 1, 7],
            vec![(15, vec![]), one.clone()],
        ),
        (Form::TwoByte, &[1, 1, 7, 2], vec![one.clone()]),
        (Form::TwoByte, &[1, 1, 7, 2, 2, 0], vec![one]),
    ];
    for (form, bytes, expected) in cases {
        assert_eq!(found(form, bytes), expected, "{form:?} {bytes:02x?}");
    }
}

#[test]
fn forms_by_their_profile() {
    for (profile, form) in [
        (0xbede, Some(Form::OneByte)),
        (0x1000, Some(Form::TwoByte)),
        (0x100f, Some(Form::TwoByte)),
        (0x1010, None),
        (0xbedf, None),
    ] {
        assert_eq!(Form::from_profile(profile), form);
    }
    for form in [Form::OneByte, Form::TwoByte] {
        assert_eq!(Form::from_profile(form.profile()), Some(form));
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    /// What the form can say and the room holds is read back, in its order; the rest changes nothing.
    #[test]
    fn written_and_read_back(
        long: bool,
        room in 0_usize..120,
        elements in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let form = if long { Form::TwoByte } else { Form::OneByte };
        let mut to = vec![0xee; room];
        let mut writer = Writer::new(form, &mut to);
        let mut expected = Vec::new();
        let mut len = HEADER_LEN;
        for (id, data) in elements {
            let limits = if long { 0..256 } else { 1..17 };
            let sayable = id != 0 && (long || id < 15) && limits.contains(&data.len());
            let end = len + if long { 2 } else { 1 } + data.len();
            let fits = end.div_ceil(4) * 4 <= room;
            let place = writer.push(id, &data);
            prop_assert_eq!(place.clone(), (sayable && fits).then_some(end - data.len()..end));
            if place.is_some() {
                len = end;
                expected.push((id, data));
            }
        }
        let written = writer.finish();
        prop_assert_eq!(written, (room >= HEADER_LEN).then_some(len.div_ceil(4) * 4));
        let Some(written) = written else { return Ok(()) };
        prop_assert_eq!(found(form, &to[HEADER_LEN..written]), expected.clone());
        let whole: Vec<_> = Elements::of_block(&to).unwrap().map(|element| element.id).collect();
        prop_assert_eq!(whole, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        prop_assert!(Elements::of_block(&to[..written - 1]).is_none());
        prop_assert!(to[written..].iter().all(|byte| *byte == 0xee));
    }

    #[test]
    fn any_bytes(long: bool, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let form = if long { Form::TwoByte } else { Form::OneByte };
        let elements = found(form, &bytes);
        prop_assert!(elements.iter().all(|(id, data)| form.fits(*id, data.len())));
        let _ = Elements::of_block(&bytes).map(Iterator::count);
    }
}
