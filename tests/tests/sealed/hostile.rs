//! What should not be there: tampered, cut, replayed and foreign packets, strangers. No call is disturbed by any of it.

use std::time::Duration;

use forwarder_tests::Publisher;
use forwarder_tests::rtc::Mischief;

use crate::hall::{Hall, Kind, Side, assert_whole, play, subscribe};
use crate::strays;

scenarios!(faulty_packets_go_nowhere, strangers_are_not_heard);

/// From the publisher's own address: what somebody on the way could send.
fn faulty_packets_go_nowhere(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    for mischief in Mischief::ALL {
        publisher
            .member
            .ask(move |agent, _| agent.set_mischief(Some(mischief)));
        play(&[&publisher], &[&subscriber], Duration::from_millis(400));
    }
    let view = hall.view(&publisher);
    for counter in ["replayed", "unauthentic"] {
        assert!(view[counter].as_u64() > Some(0), "{counter}: {view:#}");
    }
    assert_eq!(
        hall.view(&subscriber)["subscriptions"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    hall.close_after_losses();
}

fn strangers_are_not_heard(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let subscriber = hall.subscriber(0);
    subscribe(&subscriber, &tracks);
    let ufrag = hall.view(&publisher)["ufrag"].as_str().unwrap().to_owned();
    let to = hall.view(&publisher)["pair"]["local"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let leaf = hall.leaf(Side::Publishing);
    let from = leaf.pool_socket(kind.family, 77, 5555);
    let stranger = Publisher::between(&leaf.netns, from, to).unwrap();
    let ssrc = tracks[0].track.ssrc;
    let strays = [
        strays::rtp(ssrc),
        strays::check(&ufrag),
        strays::hello(),
        strays::rtcp(ssrc),
        vec![0x40; 60],
        vec![],
    ];
    publisher.start_media();
    for _ in 0..100 {
        stranger.send_datagrams(&strays).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    publisher.stop_media();
    assert_whole(&[&subscriber]);
    let sessions = hall.state().more["sessions"].as_array().unwrap().len();
    assert_eq!(sessions, 2);
    hall.close_after_losses();
}
