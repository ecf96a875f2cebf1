//! Who has no token that is good for the room does not get in, and is told why.

use std::time::{Duration, Instant};

use forwarder_tests::browsers::{self, Browser, Candidates, Media};

use crate::Scenario;
use crate::room::{Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("by_whip", by_whip), ("by_the_page", by_the_page)];

/// Without a token, with one that nobody signed and with one for another room nobody gets in.
fn by_whip(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let good = room.token.clone().unwrap();
    let forged = forged(&good);
    let peer = stage.publisher.peer("stranger").unwrap();
    peer.publish(&Media::small(14)).unwrap();
    let elsewhere = format!("{}/whip/elsewhere", browsers::base(&stage.lab));
    let attempts = [
        (room.whip.clone(), None, 401),
        (room.whip.clone(), Some(forged.as_str()), 401),
        (elsewhere, Some(good.as_str()), 403),
    ];
    for (url, token, status) in attempts {
        let posted = peer.whip(&url, token, Candidates::All).unwrap();
        assert_eq!(posted.status, status, "{posted:#?}");
        let problem: serde_json::Value =
            serde_json::from_str(posted.body.as_deref().unwrap_or_default()).unwrap();
        assert!(problem["detail"].is_string(), "{problem:#}");
    }
    assert_eq!(room.sessions(), [""; 0]);
}

/// The page says so to a person in words, in Chromium and Firefox, both at once and after the button was pressed all the same.
fn by_the_page(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let forged = forged(room.token.as_deref().unwrap());
    let base = browsers::base(&stage.lab);
    for browser in [&stage.chromium, &stage.firefox] {
        for (token, words) in [
            (forged.as_str(), "This link does not let you in."),
            ("", "This node wants a token"),
        ] {
            browser.visit(None).unwrap();
            let url = format!("{base}/#room=hall&token={token}");
            browser.visit(Some(&url)).unwrap();
            wait_for_notice(browser, "access", words);
        }
        browser
            .screenshot(&format!("page-refused-{}", browser.name()))
            .unwrap();
        browser.fill("#name", "Mallory").unwrap();
        browser.click("#join").unwrap();
        // The lobby is there again, with the reason.
        wait_for_notice(browser, "call", "");
        let state: String = browser.evaluate("document.body.dataset.state").unwrap();
        assert_eq!(state, "lobby");
    }
    assert_eq!(room.sessions(), [""; 0]);
}

/// A token whose signature is another's.
fn forged(good: &str) -> String {
    format!("{}x", good.get(..good.len() - 2).unwrap_or_default())
}

/// Waits until the page shows a notice about this with these words in it.
fn wait_for_notice(browser: &Browser, about: &str, words: &str) {
    let notice =
        format!("document.querySelector('#notices [data-key={about}]')?.innerText ?? null");
    let end = Instant::now() + LONG;
    loop {
        let text: Option<String> = browser.evaluate(&notice).unwrap();
        if text.as_ref().is_some_and(|text| text.contains(words)) {
            return;
        }
        assert!(
            Instant::now() < end,
            "{}: {about}: {text:?}",
            browser.name()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
