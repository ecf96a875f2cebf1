//! Many at once.

use std::time::{Duration, Instant};

use forwarder_tests::rtc::Participant;
use forwarder_tests::rtc::participant::Joining;

use crate::hall::{Hall, Kind, Side, play, subscribe};

scenarios!(a_hundred_join_at_once);

fn a_hundred_join_at_once(kind: Kind) {
    let hall = Hall::new(kind);
    let (publisher, tracks) = hall.call();
    let joining = Joining {
        waits: false,
        ..Joining::default()
    };
    let began = Instant::now();
    let subscribers: Vec<Participant> = (0..100)
        .map(|n| {
            let options = hall.options(Side::Receiving, n);
            Participant::join_as(hall.crowd(Side::Receiving), &hall.api, options, joining).unwrap()
        })
        .collect();
    for subscriber in &subscribers {
        subscriber.wait_until_connected().unwrap();
        subscribe(subscriber, &tracks[1..]);
    }
    let took = began.elapsed();
    let all: Vec<&Participant> = subscribers.iter().collect();
    play(&[&publisher], &all, Duration::from_millis(500));
    println!("100 sessions joined and subscribed in {took:?}");
    hall.assert_path(&all);
    hall.close();
}
