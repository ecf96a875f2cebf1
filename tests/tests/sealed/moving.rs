//! ICE over the life of a session: restarts, roaming, sessions that take the place of others, consent.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use forwarder_tests::rtc::{AgentOptions, Participant, Subscribed};
use forwarder_tests::{Family, Lab};

use crate::hall::{Hall, Kind, LONG, Side, assert_whole, subscribe, wait_for_frames, wait_until};

// Consent takes half a minute to end, so one scenario has both paths, and clients of both families.
scenarios!(
    kernel_v4: a_restart_of_ice_loses_nothing, a_subscriber_roams, a_publisher_roams, a_subscriber_roams_to_another_network, new_keys_at_the_same_address, consent_ends;
    kernel_v6: a_restart_of_ice_loses_nothing, a_subscriber_roams, a_publisher_roams, a_subscriber_roams_to_another_network, new_keys_at_the_same_address;
    socket_v4: a_restart_of_ice_loses_nothing, a_subscriber_roams, a_publisher_roams, a_subscriber_roams_to_another_network, new_keys_at_the_same_address;
    socket_v6: a_restart_of_ice_loses_nothing, a_subscriber_roams, a_publisher_roams, a_subscriber_roams_to_another_network, new_keys_at_the_same_address
);

fn a_restart_of_ice_loses_nothing(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 10);
    for who in [&subscriber, &publisher] {
        let before = hall.view(who)["ufrag"].clone();
        who.restart_ice().unwrap();
        assert_ne!(hall.view(who)["ufrag"], before);
        let frames = subscriber.frames(&subscribed[1]);
        wait_for_frames(&subscriber, &subscribed[1], frames + 30);
    }
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    hall.assert_path(&[&subscriber]);
    hall.close();
}

/// A new address for client `n` of a side: another one of its pool.
fn elsewhere(hall: &Hall, side: Side, n: usize) -> IpAddr {
    hall.leaf(side).pool_addr(hall.kind.family, 1000 + n)
}

/// A call that flows to two subscribers; with the subscriptions of the second.
fn under_way(hall: &Hall) -> (Participant, [Participant; 2], Vec<Subscribed>) {
    let (publisher, tracks) = hall.call();
    let stays = hall.subscriber(1);
    subscribe(&stays, &tracks);
    let other = hall.subscriber(0);
    let subscribed = subscribe(&other, &tracks);
    publisher.start_media();
    wait_for_frames(&other, &subscribed[0], 10);
    (publisher, [stays, other], subscribed)
}

fn a_subscriber_roams(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, [stays, roams], subscribed) = under_way(&hall);
    let address = elsewhere(&hall, Side::Receiving, 0);
    roams
        .member
        .ask(move |agent, now| agent.roam(address, now).unwrap());
    let frames = roams.frames(&subscribed[1]);
    wait_for_frames(&roams, &subscribed[1], frames + 50);
    let remote = hall.view(&roams)["pair"]["remote"].clone();
    let remote: std::net::SocketAddr = remote.as_str().unwrap().parse().unwrap();
    assert_eq!(remote, roams.report().local);
    assert_eq!(remote.ip(), address);
    publisher.stop_media();
    assert_whole(&[&stays]);
    // What was sent to the old address up to the nomination of the new one still came: its socket is open. So all is there.
    assert_whole(&[&roams]);
    hall.assert_path(&[&roams]);
    hall.close();
}

fn a_publisher_roams(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    let subscribed = subscribe(&subscriber, &tracks);
    publisher.start_media();
    wait_for_frames(&subscriber, &subscribed[0], 10);
    let address = elsewhere(&hall, Side::Publishing, 0);
    publisher
        .member
        .ask(move |agent, now| agent.roam(address, now).unwrap());
    let frames = subscriber.frames(&subscribed[1]);
    wait_for_frames(&subscriber, &subscribed[1], frames + 50);
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    hall.close();
}

/// From one network of the forwarder's to another, as from Wi-Fi to mobile: another interface, and another next hop.
fn a_subscriber_roams_to_another_network(kind: Kind) {
    let hall = Hall::with(kind, Lab::star().receivers(2), &[]);
    let (publisher, [stays, roams], subscribed) = under_way(&hall);
    let other = hall.lab.leaves().find(|leaf| leaf.role == "rx1").unwrap();
    let (netns, address) = (other.netns.clone(), other.pool_addr(kind.family, 0));
    roams
        .member
        .ask(move |agent, now| netns.enter(|| agent.roam(address, now).unwrap()));
    let frames = roams.frames(&subscribed[1]);
    wait_for_frames(&roams, &subscribed[1], frames + 50);
    let remote = hall.view(&roams)["pair"]["remote"].clone();
    let remote: std::net::SocketAddr = remote.as_str().unwrap().parse().unwrap();
    assert_eq!(remote.ip(), address);
    publisher.stop_media();
    assert_whole(&[&stays, &roams]);
    hall.assert_path(&[&roams]);
    hall.close();
}

/// A session ends and another begins at the very same addresses and ports, with keys of its own.
fn new_keys_at_the_same_address(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    publisher.start_media();
    for round in 0..4 {
        let options = AgentOptions {
            port: 4321,
            ..hall.options(Side::Receiving, 0)
        };
        let subscriber = hall.join(Side::Receiving, options);
        let subscribed = subscribe(&subscriber, &tracks);
        wait_for_frames(&subscriber, &subscribed[0], 10);
        assert_eq!(subscriber.report().local.port(), 4321);
        // Half of them say goodbye; the others are gone without a word, and their session is closed only after the next one
        // has begun there.
        if round % 2 == 0 {
            subscriber.leave().unwrap();
        }
        let report = subscriber.report();
        assert!(
            report.inbound.values().all(|track| track.wrong == 0),
            "{report:#?}"
        );
        subscriber.member.dismiss();
    }
    publisher.stop_media();
    hall.close();
}

/// Packets that were sent to a client.
fn sent(hall: &Hall, participant: &Participant) -> u64 {
    let view = hall.view(participant);
    let legs = view["subscriptions"].as_array().into_iter().flatten();
    legs.filter_map(|leg| leg["packets"].as_u64()).sum()
}

/// RFC 7675: thirty seconds after the last check of a client nothing is sent to it any more, and its session is over.
fn consent_ends(kind: Kind) {
    let socket = Kind {
        path: "socket",
        ..kind
    };
    // Beside the first, which waits until it is alone: the second would wait for the first.
    let beside = Lab::star().shared();
    let all = [
        Silent::begin(Hall::new(kind)),
        Silent::begin(Hall::with(socket, beside, &[])),
    ];
    // The last checks came before.
    let silent = Instant::now();
    for one in &all {
        one.fall_silent();
    }
    std::thread::sleep(Duration::from_secs(22).saturating_sub(silent.elapsed()));
    for one in &all {
        one.assert_still_sent_to();
    }
    all.into_iter().for_each(Silent::end);
}

/// A call of which some fall silent, one of each family.
struct Silent {
    publisher: Participant,
    stays: Participant,
    staying: Vec<Subscribed>,
    vanishing: [Participant; 2],
    hall: Hall,
}

impl Silent {
    fn begin(hall: Hall) -> Self {
        let (publisher, tracks) = hall.call();
        let stays = hall.subscriber(0);
        let staying = subscribe(&stays, &tracks);
        let vanishing = [Family::V4, Family::V6].map(|family| {
            let address = hall.leaf(Side::Receiving).pool_addr(family, 1);
            let options = AgentOptions::new(format!("vanishes, {family:?}"), address);
            hall.join(Side::Receiving, options)
        });
        let subscribed = vanishing.each_ref().map(|one| subscribe(one, &tracks));
        publisher.start_media();
        for (one, subscribed) in vanishing.iter().zip(&subscribed) {
            wait_for_frames(one, &subscribed[0], 10);
        }
        Self {
            publisher,
            stays,
            staying,
            vanishing,
            hall,
        }
    }

    fn fall_silent(&self) {
        for one in &self.vanishing {
            one.member.ask(|agent, _| agent.fall_silent());
        }
    }

    fn assert_still_sent_to(&self) {
        for one in &self.vanishing {
            let before = sent(&self.hall, one);
            let goes_on = wait_until(Duration::from_secs(2), || sent(&self.hall, one) > before);
            assert!(goes_on, "media goes on until consent ends");
        }
    }

    fn end(self) {
        let Self { hall, stays, .. } = self;
        let sessions = || hall.state().more["sessions"].as_array().unwrap().len();
        assert!(wait_until(LONG, || sessions() == 2), "{}", sessions());
        let left = |reason| hall.state().reason(reason);
        let (before, frames) = (left("no_pair"), stays.frames(&self.staying[1]));
        wait_for_frames(&stays, &self.staying[1], frames + 20);
        assert_eq!(left("no_pair"), before, "nothing is sealed for who is gone");
        self.publisher.stop_media();
        assert_whole(&[&stays]);
        for one in &self.vanishing {
            assert!(one.view().is_err());
        }
        hall.close_after_losses();
    }
}
