//! Cameras, microphones and screens, which browsers give to a page that came by TLS: here those that browsers make up themselves.

use std::sync::atomic::{AtomicUsize, Ordering};

use forwarder_tests::browsers::{Admission, Browser};

use super::ear::Ear;
use super::house::{House, wait};
use crate::stage::Stage;

/// Keeps the tracks that the page gets, and its connection: sound of one's own is in no element where it could be asked.
const KEEP: &str = "(() => {
    const { mediaDevices } = navigator;
    const obtain = mediaDevices.getUserMedia.bind(mediaDevices);
    window.obtained = {};
    mediaDevices.getUserMedia = async wanted => {
        const stream = await obtain(wanted);
        for (const track of stream.getTracks()) window.obtained[track.kind] = track;
        return stream;
    };
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super(configuration);
            window.connection = this;
        }
    };
    return true;
})()";

/// Ann is in Chromium, Bob in Firefox, each with camera and microphone.
pub fn cameras(stage: &mut Stage) {
    let house = House::secure(stage);
    let (ann, bob) = (&stage.publisher, &stage.firefox);
    house.visit(ann, 0);
    assert!(ann.evaluate::<bool>("isSecureContext").unwrap());
    let _: bool = ann.evaluate(KEEP).unwrap();
    ann.click("#preview-start").unwrap();
    wait(
        ann,
        "document.querySelector('#preview-video').videoWidth > 0",
    );
    ann.screenshot("page-camera-lobby").unwrap();
    super::house::fill_in(ann, "Ann", "camera");
    let of_ann = super::house::joined(ann);
    let servers =
        "window.connection.getConfiguration().iceServers.map(({ urls }) => [urls].flat()).flat()";
    let servers: Vec<String> = ann.evaluate(servers).unwrap();
    assert_eq!(servers, [Admission::ICE_SERVER]);
    let of_bob = house.enter(bob, "Bob", "camera", 0);

    wait(bob, &moves(&of_ann));
    wait(ann, &moves(&of_bob));
    let (hears_ann, hears_bob) = (Ear::open(bob, &of_ann), Ear::open(ann, &of_bob));
    hears_ann.wait_for_sound();
    hears_bob.wait_for_sound();
    bob.screenshot("page-camera-firefox").unwrap();

    mutes(ann, &hears_ann);
    mutes(bob, &hears_bob);
    stops_the_picture(ann, bob, &of_ann);
    stops_the_picture(bob, ann, &of_bob);
    changes_devices(ann);
    wait(bob, &moves(&of_ann));
    hears_ann.wait_for_sound();
    turns_down(ann, &of_bob);
    turns_down(bob, &of_ann);
    shares_the_screen(ann, bob, &of_ann);
}

/// Whether the tile of a person has a picture that moves.
fn moves(session: &str) -> String {
    picture_moves(&format!(
        "li[data-session=\"{session}\"]:not([data-second])"
    ))
}

/// Whether a tile has a picture that is another one than at the first look: a busy machine shows few in a second.
fn picture_moves(tile: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let look = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        "(() => {{
            const video = document.querySelector('{tile}[data-picture] video');
            if (video === null) return false;
            const canvas = Object.assign(document.createElement('canvas'), {{ width: 64, height: 36 }});
            const context = canvas.getContext('2d', {{ willReadFrequently: true }});
            context.drawImage(video, 0, 0, 64, 36);
            const now = context.getImageData(0, 0, 64, 36).data;
            const looks = window.looks ??= new Map();
            if (!looks.has({look})) looks.set({look}, now);
            const first = looks.get({look});
            return now.some((value, at) => Math.abs(value - first[at]) > 24);
        }})()"
    )
}

/// By a key, and back.
fn mutes(speaker: &Browser, listener: &Ear<'_>) {
    speaker.press("m").unwrap();
    wait(
        speaker,
        "document.querySelector('.tile[data-own]').hasAttribute('data-muted')",
    );
    listener.wait_for_silence();
    speaker.press("m").unwrap();
    listener.wait_for_sound();
}

/// By a key, and back.
fn stops_the_picture(publisher: &Browser, viewer: &Browser, session: &str) {
    publisher.press("v").unwrap();
    let tile = format!("document.querySelector('li[data-session=\"{session}\"]')");
    wait(
        viewer,
        &format!("{tile} !== null && !{tile}.hasAttribute('data-picture')"),
    );
    publisher.press("v").unwrap();
    wait(viewer, &moves(session));
}

/// Another camera and another microphone, and its sound as it is.
fn changes_devices(browser: &Browser) {
    let settings = |kind: &str| format!("window.obtained.{kind}.getSettings()");
    for name in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
        wait(browser, &format!("{}.{name} === true", settings("audio")));
    }
    browser.click("#settings").unwrap();
    for (choice, kind) in [("camera", "video"), ("microphone", "audio")] {
        let select = format!("document.querySelector('#settings-dialog .{choice}-choice')");
        // The last that is not in use.
        let other = format!(
            "[...{select}.options].map(({{ value }}) => value).findLast(id => id !== {}.deviceId) ?? ''",
            settings(kind)
        );
        let other: String = super::house::wait_for(browser, &other, |id: &String| !id.is_empty());
        let field = format!("#settings-dialog .{choice}-choice");
        browser.fill(&field, &other).unwrap();
        let live = format!("window.obtained.{kind}.readyState === 'live'");
        let used = format!("{}.deviceId === '{other}'", settings(kind));
        wait(browser, &format!("{live} && {used}"));
    }
    browser.screenshot("page-devices").unwrap();
    for name in ["echoCancellation", "noiseSuppression"] {
        let switch = format!("#settings-dialog label:has(> [name={name}])");
        browser.click(&switch).unwrap();
        wait(browser, &format!("{}.{name} === false", settings("audio")));
    }
    wait(
        browser,
        &format!("{}.autoGainControl === true", settings("audio")),
    );
    browser.press("Escape").unwrap();
    wait(browser, "document.querySelector('dialog[open]') === null");
}

/// The slider of one person, by keys.
fn turns_down(browser: &Browser, session: &str) {
    let volume = format!("document.querySelector('audio[data-session=\"{session}\"]').volume");
    wait(browser, &format!("{volume} === 1"));
    let slider = format!("document.querySelector('li[data-session=\"{session}\"] .volume input')");
    let focused: bool = browser
        .evaluate(&format!(
            "({slider}.focus(), document.activeElement === {slider})"
        ))
        .unwrap();
    assert!(focused, "the slider takes no focus");
    browser.press("Home").unwrap();
    wait(browser, &format!("{volume} === 0"));
    browser.press("ArrowRight").unwrap();
    wait(browser, &format!("{volume} > 0 && {volume} < 0.5"));
    browser.press("End").unwrap();
    wait(browser, &format!("{volume} === 1"));
}

/// A second picture beside that of the camera, and away again.
fn shares_the_screen(publisher: &Browser, viewer: &Browser, session: &str) {
    let screen = format!("li[data-second][data-session=\"{session}\"]");
    publisher.click("#screen").unwrap();
    wait(viewer, &picture_moves(&screen));
    wait(viewer, &moves(session));
    viewer.screenshot("page-screen-firefox").unwrap();
    publisher.click("#screen").unwrap();
    wait(
        viewer,
        &format!("document.querySelector('{screen}') === null"),
    );
}
