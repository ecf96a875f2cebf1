//! A node that serves pages, and what people do at its door.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use forwarder_tests::browsers::{self, Browser};
use serde_json::Value;

use crate::stage::{LONG, Stage};

/// How long after a look the next one is taken.
const AGAIN: Duration = Duration::from_millis(100);

/// A phone's size, in pixels.
const PHONE: (u32, u32) = (390, 844);
/// The size that browsers start with.
const DESK: (u32, u32) = (1280, 800);

/// Elements that stick out at the right, unless something within the page scrolls or cuts them off there.
const STICKS_OUT: &str = "(() => {
    const held = element => element !== document.body && element !== document.documentElement
        && getComputedStyle(element).overflowX !== 'visible';
    const within = element => element !== null && (held(element) || within(element.parentElement));
    const wide = [...document.body.querySelectorAll('*')].filter(element => {
        const { right, width } = element.getBoundingClientRect();
        return width > 0 && right > document.documentElement.clientWidth + 1 && !within(element.parentElement);
    });
    const scrolls = document.documentElement.scrollWidth > document.documentElement.clientWidth;
    return [...(scrolls ? ['the page scrolls'] : []), ...wide.map(({ outerHTML }) => outerHTML.slice(0, 120))];
})()";

/// A node with pages, and a token for its room.
pub struct House {
    base: String,
    token: String,
}

impl House {
    /// Its pages come by plain HTTP, so that no browser gives them a camera.
    pub fn open(stage: &mut Stage) -> Self {
        let (_, token) = stage.start_reachable("kernel");
        Self {
            base: browsers::base(&stage.lab),
            token: token.unwrap(),
        }
    }

    /// Its pages come by TLS.
    pub fn secure(stage: &mut Stage) -> Self {
        let token = stage.start_secure("kernel");
        Self {
            base: browsers::secure_base(&stage.lab),
            token,
        }
    }

    /// Opens the lobby, by a link that holds the token.
    pub fn visit(&self, browser: &Browser, number: u32) {
        let Self { base, token } = self;
        let url = format!("{base}/#room=hall&token={token}&number={number}");
        browser.visit(Some(&url)).unwrap();
    }

    /// Opens the operator's page.
    pub fn visit_node(&self, browser: &Browser) {
        browser.visit(Some(&format!("{}/node", self.base))).unwrap();
    }

    /// Fills in the form of the lobby and presses the button; gives the id of the session.
    pub fn enter(&self, browser: &Browser, name: &str, source: &str, number: u32) -> String {
        self.visit(browser, number);
        fill_in(browser, name, source);
        joined(browser)
    }
}

/// Fills in the form of the lobby and presses the button.
pub fn fill_in(browser: &Browser, name: &str, source: &str) {
    browser.fill("#name", name).unwrap();
    let choice = format!("label:has(> input[name=source][value={source}])");
    browser.click(&choice).unwrap();
    browser.click("#join").unwrap();
}

/// Waits until the page is in the room; gives the id of its session.
pub fn joined(browser: &Browser) -> String {
    wait(browser, "document.body.dataset.state === 'joined'");
    browser.evaluate("document.body.dataset.session").unwrap()
}

/// Waits until an expression is true in the page.
pub fn wait(browser: &Browser, expression: &str) {
    wait_for(browser, expression, |value: &bool| *value);
}

/// Waits until an expression has become what is wanted, and gives it.
pub fn wait_for<T>(browser: &Browser, expression: &str, wanted: impl Fn(&T) -> bool) -> T
where
    T: serde::de::DeserializeOwned + Debug,
{
    let end = Instant::now() + LONG;
    loop {
        let value: Value = browser.evaluate(expression).unwrap();
        let read = serde_json::from_value(value.clone());
        if let Some(value) = read.ok().filter(&wanted) {
            return value;
        }
        let name = browser.name();
        assert!(Instant::now() < end, "{name}: {value} is {expression}");
        sleep(AGAIN);
    }
}

/// Looks at the page as on a phone: nothing may stick out. A picture of it is kept.
pub fn assert_fits_a_phone(browser: &Browser, picture: &str) {
    browser.resize(PHONE.0, PHONE.1).unwrap();
    let wide = format!("innerWidth === {}", PHONE.0);
    wait(browser, &wide);
    browser.screenshot(picture).unwrap();
    let out: Vec<String> = browser.evaluate(STICKS_OUT).unwrap();
    assert!(out.is_empty(), "{picture}: {out:#?}");
    browser.resize(DESK.0, DESK.1).unwrap();
}
