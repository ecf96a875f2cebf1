//! The operator's page.

use std::net::UdpSocket;

use forwarder_tests::Family;
use forwarder_tests::browsers::{Admission, Browser};

use super::house::{self, House, wait};
use super::people::wait_for_people;
use crate::stage::Stage;

/// What the charts say that have something to say of any node with a room.
const CHARTS: [&str; 6] = ["packets", "bits", "members", "cpu", "per-packet", "memory"];

/// It asks for the key, and then shows what the node does.
pub fn the_node(stage: &mut Stage) {
    let house = House::open(stage);
    house.enter(&stage.publisher, "Ann", "generated", 43);
    house.enter(&stage.chromium, "Cy", "nothing", 0);
    wait_for_people(&stage.chromium, &[43]);
    send_stray_media(stage);
    for browser in [&stage.local, &stage.firefox] {
        house.visit_node(browser);
        wait(browser, "document.querySelector('#key-dialog').open");
        browser.fill("#key", Admission::KEY).unwrap();
        browser.press("Enter").unwrap();
        wait(browser, "document.body.dataset.state === 'live'");
        assert_charts_are_drawn(browser);
        assert_tables_are_filled(browser);
        let name = browser.name();
        browser.screenshot(&format!("page-node-{name}")).unwrap();
    }
    house::assert_fits_a_phone(&stage.local, "page-node-phone");
}

/// One RTP packet from an address that no session has: it is dropped, and its reason counted.
fn send_stray_media(stage: &Stage) {
    let leaf = stage.lab.publisher();
    let mut packet = [0u8; 40];
    packet[..2].copy_from_slice(&[0x80, 96]);
    let to = leaf.fwd_socket(Family::V4, 7700);
    let sent = leaf.netns.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(&packet, to)
    });
    assert_eq!(sent.unwrap(), packet.len());
}

fn assert_charts_are_drawn(browser: &Browser) {
    for chart in CHARTS {
        let figure = format!("document.querySelector('#chart-{chart}')");
        wait(
            browser,
            &format!(
                "[...{figure}.querySelectorAll('.value')].every(({{ textContent }}) => /[0-9]/.test(textContent))"
            ),
        );
        // A line of two points at least.
        wait(
            browser,
            &format!("/^M.*L/.test({figure}.querySelector('.line').getAttribute('d') ?? '')"),
        );
    }
    // So small that it is of a packet, so large that it is of work.
    wait(
        browser,
        "/^[1-9][0-9.]* (µs|ms)$/.test(document.querySelector('#chart-per-packet .value').textContent)",
    );
}

fn assert_tables_are_filled(browser: &Browser) {
    let has = |table: &str, words: &[&str]| {
        let rows = format!("[...document.querySelectorAll('#{table} tbody tr')]");
        let words = serde_json::to_string(words).unwrap();
        wait(
            browser,
            &format!(
                "{rows}.some(({{ textContent: text }}) => {words}.every(word => text.includes(word)))"
            ),
        );
    };
    has("rooms", &["hall"]);
    has(
        "sessions",
        &["Ann", "hall", "connected", "sealed", "GCM", "udp"],
    );
    has(
        "sessions",
        &["Cy", "hall", "connected", "sealed", "GCM", "udp"],
    );
    has("tracks", &["Ann", "hall", "video"]);
    has("threads", &["worker", "%"]);
    has("devices", &["pub0", "veth"]);
    has("reasons", &["unknown_pair", "ICE has not validated"]);
}
