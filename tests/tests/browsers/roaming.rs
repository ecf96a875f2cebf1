//! The network of who watches changes in the middle of a call: another address, and the old one is gone.

use forwarder_tests::browsers::{Candidates, Media, Report};
use forwarder_tests::plan::LEAF_INTERFACE;
use forwarder_tests::{Family, Lab};

use crate::Scenario;
use crate::room::{Member, Room, Way};
use crate::stage::{LONG, Stage};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[("another_address", another_address)];

const STREAM: u8 = 36;

/// Chromium and Firefox lose the address that they watch from, and notice. Neither looks for another by itself. Chromium's page restarts
/// ICE by PATCH. Firefox gathers nothing for a connection but the addresses that were there when it was made, so its page makes another.
fn another_address(stage: &mut Stage) {
    let room = Room::open(stage, Way::Whip, "kernel", Candidates::V4);
    let publisher = room.publish(&stage.publisher, &Media::small(STREAM));
    let [chromium, firefox] =
        [&stage.chromium, &stage.firefox].map(|browser| room.watch(browser, &publisher, None));
    room.assert_flows(STREAM, &[&chromium, &firefox]);
    let _moved = Moved::away(&stage.lab);
    let notices = |watcher: &Member| {
        let lost = |report: &Report| report.since("disconnected").is_some();
        watcher.peer.wait_for("a lost way", LONG, lost).unwrap();
        let browser = watcher.peer.browser();
        browser.reach(&room.whep(&publisher.id)).unwrap();
    };
    notices(&chromium);
    room.restart(&chromium);
    notices(&firefox);
    let again = room.watch(&stage.firefox, &publisher, None);
    room.assert_flows(STREAM, &[&chromium, &again]);
    for watcher in [&chromium, &again] {
        let remote = room.view(watcher)["pair"]["remote"].to_string();
        assert!(remote.contains(&elsewhere(&stage.lab)), "{remote}");
    }
}

/// The receivers' namespace at another address than the lab gave it, until dropped.
struct Moved<'a>(&'a Lab);

impl<'a> Moved<'a> {
    fn away(lab: &'a Lab) -> Self {
        let leaf = lab.receiver();
        let neighbour = format!(
            "neigh replace {} lladdr {} nud permanent dev {}",
            elsewhere(lab),
            leaf.mac,
            leaf.fwd_interface()
        );
        lab.fwd.ip(&[neighbour]).unwrap();
        let moved = Self(lab);
        moved.change(&there(lab), &here(lab));
        moved
    }

    /// First the new address, so that the routes that need one stay.
    fn change(&self, new: &str, old: &str) {
        let lines = [("add", new), ("del", old)]
            .map(|(change, address)| format!("addr {change} {address} dev {LEAF_INTERFACE}"));
        self.0.receiver().netns.ip(&lines).unwrap();
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        self.change(&here(self.0), &there(self.0));
    }
}

/// The address that the lab gave the namespace, with its network.
fn here(lab: &Lab) -> String {
    format!("{}/24", lab.receiver().addr(Family::V4))
}

/// Another one of the same wire, with a network of its own: else it were a secondary one, which goes with the first.
fn there(lab: &Lab) -> String {
    format!("{}/25", elsewhere(lab))
}

fn elsewhere(lab: &Lab) -> String {
    let here = lab.receiver().addr(Family::V4).to_string();
    let wire = here.rsplit_once('.').map_or("", |(wire, _)| wire);
    format!("{wire}.3")
}
