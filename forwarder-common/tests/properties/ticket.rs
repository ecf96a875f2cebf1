//! Tickets survive the frame; a cursor gives each member of a broadcast once.

use forwarder_common::ticket::{Cursor, LEN, Ticket};
use proptest::{collection::vec, prelude::*};

use super::cases;

prop_compose! {
    pub fn tickets()(
        (tag, chunk, mask, now) in any::<(u32, u32, u64, u64)>(),
        (payload_len, sum, header_len, state, round, load) in any::<(u16, u16, u8, u8, u8, u8)>(),
    ) -> Ticket {
        Ticket { tag, chunk, mask, now, payload_len, sum, header_len, state, round, load }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn what_is_written_is_read(ticket in tickets(), mut frame in vec(any::<u8>(), LEN..200)) {
        let before = frame.clone();
        prop_assert_eq!(ticket.write(frame.as_mut_slice()), Some(()));
        prop_assert_eq!(Ticket::read(frame.as_slice()), Some(ticket));
        prop_assert_eq!(&frame[LEN..], &before[LEN..], "nothing behind the ticket changes");
    }

    #[test]
    fn short_frames_hold_none(ticket in tickets(), mut frame in vec(any::<u8>(), 0..LEN)) {
        prop_assert_eq!(Ticket::read(frame.as_slice()), None);
        prop_assert_eq!(ticket.write(frame.as_mut_slice()), None);
    }

    #[test]
    fn any_bytes_are_some_ticket(bytes in any::<[u8; LEN]>()) {
        let ticket = Ticket::read(bytes.as_slice()).unwrap();
        let mut written = [0; LEN];
        ticket.write(written.as_mut_slice()).unwrap();
        prop_assert_eq!(written, bytes);
    }

    #[test]
    fn a_cursor_gives_every_member_once_in_order(
        broadcasts in vec((any::<u64>(), prop_oneof![Just(None), (0..64_usize).prop_map(Some)]), 1..20)
    ) {
        let mut cursor = Cursor::default();
        for (number, (mask, truncated)) in broadcasts.into_iter().enumerate() {
            let tag = number as u32 + 1;
            let members: Vec<u32> = (0..64).filter(|bit| mask >> bit & 1 != 0).collect();
            // A run that the kernel cut short leaves nothing behind for the next one.
            let clones = truncated.map_or(members.len(), |clones| clones.min(members.len()));
            for &member in &members[..clones] {
                prop_assert_eq!(cursor.next_slot(tag, mask), Some(member));
            }
            if clones == members.len() {
                prop_assert_eq!(cursor.next_slot(tag, mask), None);
                prop_assert_eq!(cursor.next_slot(tag, mask), None);
            }
        }
    }
}

/// Tags are never 0, so that a cursor that was never used is nobody's.
#[test]
fn the_first_tag_resets_a_new_cursor() {
    let mut pacer = forwarder_common::pacer::Pacer {
        tag: u32::MAX,
        ..Default::default()
    };
    assert_eq!(pacer.next_tag(), 1);
    assert_eq!(forwarder_common::pacer::Pacer::default().next_tag(), 1);
    assert_eq!(Cursor::default().next_slot(1, 0b100), Some(2));
}
