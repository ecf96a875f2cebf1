//! docs/signalling.md names numbers: they are those of the code.

use crate::{
    rooms::{
        offering::{ANSWERED_WITHIN, MOST_UNANSWERED},
        specs::{LONGEST_NAME, MAX_CANDIDATES, MOST_METADATA},
        wishes::MAX_NAMED,
    },
    sessions::settings::SET_UP,
};

const DOCUMENT: &str = include_str!("../../../../docs/signalling.md");
const SECOND: u64 = 1_000_000_000;

#[test]
fn authors_of_services_are_told_the_true_numbers() {
    // Lines are broken anywhere.
    let words: Vec<&str> = DOCUMENT.split_whitespace().collect();
    let document = words.join(" ");
    let (within, first) = (ANSWERED_WITHIN / SECOND, SET_UP / SECOND);
    for told in [
        format!("waits {within} seconds for its answer (the first of a session {first},"),
        format!("After {MOST_UNANSWERED} on end that nobody answers"),
        format!("at most {MAX_CANDIDATES} in one call"),
        format!("a list of ids, at most {MAX_NAMED} of them"),
        format!("up to {LONGEST_NAME} bytes"),
        format!("JSON of at most {MOST_METADATA} bytes"),
    ] {
        assert!(document.contains(&told), "{told}");
    }
}
