//! The forwarder's own pages, used as a person uses them, in Chromium and Firefox. Pictures of them are kept in `target/artefacts`.

use std::time::Instant;

use forwarder_tests::browsers::{self, Admission, Browser, Candidates};

use crate::Scenario;
use crate::room::{Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("a_room", a_room), ("the_node", the_node)];

/// What other people's tiles show: the numbers in the generated pictures that can be read, in order.
const PEOPLE: &str = "(async () => {
    const { readPicture } = await import('/page/picture_code.js');
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const numbers = [...document.querySelectorAll('#tiles > li:not([data-own]) video')].map(video => {
        // A tile without a picture draws nothing, and would show the one before it.
        context.clearRect(0, 0, 640, 360);
        context.drawImage(video, 0, 0, 640, 360);
        return readPicture(context.getImageData(0, 0, 640, 360))?.source;
    });
    return numbers.filter(number => number !== undefined).sort((one, other) => one - other);
})()";

/// A phone's size, in pixels.
const PHONE: (u32, u32) = (390, 844);

/// Ann and Bob publish, Cy watches; then Bob leaves.
fn a_room(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let (ann, bob, cy) = (&stage.publisher, &stage.firefox, &stage.chromium);
    enter(stage, &room, ann, "Ann", "generated", 41);
    enter(stage, &room, bob, "Bob", "generated", 42);
    enter(stage, &room, cy, "Cy", "nothing", 0);
    wait_for_people(ann, &[42]);
    wait_for_people(bob, &[41]);
    wait_for_people(cy, &[41, 42]);

    ann.click("#statistics-open").unwrap();
    for browser in [ann, bob, cy] {
        browser
            .screenshot(&format!("page-room-{}", browser.name()))
            .unwrap();
    }
    cy.resize(PHONE.0, PHONE.1).unwrap();
    cy.screenshot("page-room-phone").unwrap();
    let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(
        cy.evaluate::<i64>(overflow).unwrap(),
        0,
        "it scrolls sideways"
    );
    cy.resize(1280, 800).unwrap();

    // By keyboard.
    bob.press("l").unwrap();
    wait_for_people(cy, &[41]);
    wait_for_people(ann, &[]);
}

/// Fills in the form of the lobby and presses the button.
fn enter(stage: &Stage, room: &Room, browser: &Browser, name: &str, source: &str, number: u32) {
    let token = room.token.as_deref().unwrap();
    let base = browsers::base(&stage.lab);
    let url = format!("{base}/#room=hall&token={token}&number={number}");
    browser.visit(Some(&url)).unwrap();
    browser.fill("#name", name).unwrap();
    let choice = format!("label:has(> input[name=source][value={source}])");
    browser.click(&choice).unwrap();
    browser.click("#join").unwrap();
}

/// Waits until these numbers are seen, and no others.
pub fn wait_for_people(browser: &Browser, wanted: &[u32]) {
    let end = Instant::now() + LONG;
    loop {
        let seen: Vec<u32> = browser.evaluate(PEOPLE).unwrap();
        if seen == wanted {
            return;
        }
        let name = browser.name();
        assert!(Instant::now() < end, "{name} sees {seen:?}, not {wanted:?}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// The operator's view asks for the key, and then shows the sessions of a room.
fn the_node(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    enter(stage, &room, &stage.publisher, "Ann", "generated", 43);
    enter(stage, &room, &stage.chromium, "Cy", "nothing", 0);
    wait_for_people(&stage.chromium, &[43]);
    for browser in [&stage.local, &stage.firefox] {
        let url = format!("{}/node", browsers::base(&stage.lab));
        browser.visit(Some(&url)).unwrap();
        browser.fill("#key", Admission::KEY).unwrap();
        browser.press("Enter").unwrap();
        let end = Instant::now() + LONG;
        let text = "document.querySelector('main').innerText";
        while !browser.evaluate::<String>(text).unwrap().contains("hall") {
            assert!(Instant::now() < end, "the room is not shown");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        browser
            .screenshot(&format!("page-node-{}", browser.name()))
            .unwrap();
    }
}
