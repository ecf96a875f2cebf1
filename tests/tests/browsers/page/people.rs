//! Several people in a room, by generated pictures and tones: these can be read and measured.

use forwarder_tests::browsers::Browser;

use super::ear::Ear;
use super::house::{self, House, wait};
use crate::stage::Stage;

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

/// The tone that belongs to a generated picture, Hz, as docs/page.md says.
fn tone_of(number: u32) -> f64 {
    f64::from(300 + 50 * (number % 32))
}

/// Ann and Bob publish, Cy watches; then Bob leaves.
pub fn a_room(stage: &mut Stage) {
    let house = House::open(stage);
    let (ann, bob, cy) = (&stage.publisher, &stage.firefox, &stage.chromium);
    let session = house.enter(ann, "Ann", "generated", 41);
    house.enter(bob, "Bob", "generated", 42);
    house.visit(cy, 0);
    assert_explains_the_missing_camera(cy);
    cy.screenshot("page-lobby").unwrap();
    house::assert_fits_a_phone(cy, "page-lobby-phone");
    house::fill_in(cy, "Cy", "nothing");
    wait_for_people(ann, &[42]);
    wait_for_people(bob, &[41]);
    wait_for_people(cy, &[41, 42]);
    for listener in [bob, cy] {
        Ear::open(listener, &session).wait_for_tone(tone_of(41));
    }

    for browser in [ann, bob] {
        browser.click("#statistics-open").unwrap();
        assert_statistics_are_real(browser);
    }
    for browser in [ann, bob, cy] {
        let name = browser.name();
        browser.screenshot(&format!("page-room-{name}")).unwrap();
    }
    house::assert_fits_a_phone(cy, "page-room-phone");
    cy.click("#statistics-open").unwrap();
    assert_statistics_are_real(cy);
    house::assert_fits_a_phone(cy, "page-statistics-phone");

    // By keyboard.
    bob.press("l").unwrap();
    wait_for_people(cy, &[41]);
    wait_for_people(ann, &[]);
}

/// What browsers keep from a page that came by plain HTTP is said, with a way out that works as it is written.
fn assert_explains_the_missing_camera(browser: &Browser) {
    assert!(!browser.evaluate::<bool>("isSecureContext").unwrap());
    let notice = "document.querySelector('#notices [data-key=insecure]')";
    let text = format!("{notice}?.textContent ?? ''");
    let text: String = house::wait_for(browser, &text, |text: &String| !text.is_empty());
    let address = "(({ hostname, port, hash }) => [hostname, port, hash])(location)";
    let [host, port, hash]: [String; 3] = browser.evaluate(address).unwrap();
    let tunnel = format!("ssh -N -L {port}:{host}:{port} {host}");
    let near = format!("http://localhost:{port}/");
    for part in [&*tunnel, &near, "--api-tls"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // The link leads to the same room, and shows nobody the token.
    let link: String = browser
        .evaluate(&format!("{notice}.querySelector('a').href"))
        .unwrap();
    assert_eq!(link, format!("{near}{hash}"));
    assert!(!text.contains("token"), "{text}");
}

/// Each figure is one, and the session is sealed by a GCM.
fn assert_statistics_are_real(browser: &Browser) {
    let fact = |place: &str, name: &str, pattern: &str| {
        let selector = format!("{place} [data-fact={name}] dd");
        wait(
            browser,
            &format!("/{pattern}/.test(document.querySelector('{selector}')?.textContent ?? '')"),
        );
    };
    let session = "#statistics-session";
    fact(session, "connection", "^connected$");
    fact(session, "rtt", "^[1-9.][0-9.]* (µs|ms|s)$");
    fact(session, "received", "^[1-9][0-9.]* [kM]?bit.s$");
    fact(session, "path", "^sealed$");
    fact(session, "suite", "GCM");
    fact(session, "pair", "^udp [[0-9]");
    for kind in ["audio", "video"] {
        let stream = format!("#statistics article[data-direction=in][data-kind={kind}]");
        fact(&stream, "bitrate", "^[1-9][0-9.]* [kM]?bit.s$");
        fact(&stream, "loss", "^[0-9.]+ %$");
        fact(&stream, "jitter", "^[0-9.]+ (µs|ms|s)$");
    }
}

/// Waits until the tiles of others show these numbers, and no others.
pub fn wait_for_people(browser: &Browser, wanted: &[u32]) {
    house::wait_for(browser, PEOPLE, |seen: &Vec<u32>| seen == wanted);
}
