//! A whole visit without a mouse.

use forwarder_tests::browsers::Browser;

use super::house::{self, House, wait};
use super::people::wait_for_people;
use crate::stage::Stage;

/// The most controls that are between two that matter.
const STEPS: usize = 20;

/// Ann is there; Bob, in Firefox, and Cy, in Chromium, come, look around and go, by keys alone.
pub fn by_keyboard(stage: &mut Stage) {
    let house = House::open(stage);
    let (ann, bob, cy) = (&stage.publisher, &stage.firefox, &stage.chromium);
    house.enter(ann, "Ann", "generated", 44);
    for (browser, number) in [(bob, 45), (cy, 46)] {
        house.visit(browser, number);
        joins(browser);
        wait_for_people(browser, &[44]);
        wait_for_people(ann, &[number]);
        looks_around(browser);
        // Enter on the button, where `l` would do.
        tab_to(browser, "#leave");
        browser.press("Enter").unwrap();
        wait(browser, "document.body.dataset.state === 'lobby'");
        wait_for_people(ann, &[]);
    }
}

fn joins(browser: &Browser) {
    tab_to(browser, "#name");
    let _: bool = browser
        .evaluate("(document.activeElement.select(), true)")
        .unwrap();
    for letter in ["B", "o", "b"] {
        browser.press(letter).unwrap();
    }
    wait(browser, "document.activeElement.value === 'Bob'");
    tab_to(browser, "[name=source]");
    // Two of the four cannot be had without TLS: arrows go between the others.
    browser.press("ArrowDown").unwrap();
    wait(browser, "document.activeElement.value === 'nothing'");
    browser.press("ArrowUp").unwrap();
    wait(
        browser,
        "document.activeElement.matches('[value=generated]:checked')",
    );
    tab_to(browser, "#join");
    browser.press("Enter").unwrap();
    house::joined(browser);
}

fn looks_around(browser: &Browser) {
    tab_to(browser, ".tile:not([data-own]) .pin");
    browser.press("Enter").unwrap();
    wait(
        browser,
        "document.querySelector('.tile:not([data-own])').hasAttribute('data-pinned')",
    );
    browser.press("s").unwrap();
    wait(browser, "!document.querySelector('#statistics').hidden");
    tab_to(browser, "#statistics-close");
    browser.press("Escape").unwrap();
    wait(browser, "document.querySelector('#statistics').hidden");
    // The focus is not lost with what had it.
    wait(browser, "document.activeElement.id === 'statistics-open'");
    browser.press("?").unwrap();
    wait(browser, "document.querySelector('#help-dialog').open");
    browser.press("Escape").unwrap();
    wait(browser, "!document.querySelector('#help-dialog').open");
}

/// Presses Tab until the focus is there, as one can see.
fn tab_to(browser: &Browser, selector: &str) {
    let there = format!("document.activeElement.matches('{selector}')");
    for _ in 0..STEPS {
        if browser.evaluate(&there).unwrap() {
            // `:focus-visible` draws the frame around it; fields have it always.
            wait(browser, "document.activeElement.matches(':focus-visible')");
            return;
        }
        browser.press("Tab").unwrap();
    }
    panic!("{}: Tab does not lead to {selector}", browser.name());
}
