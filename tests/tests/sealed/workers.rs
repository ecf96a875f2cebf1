//! What workers are in the system: a thread on each CPU, which asks the kernel for little.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use forwarder_tests::Lab;
use forwarder_tests::model::State;
use forwarder_tests::rtc::{Codec, Participant};
use forwarder_tests::syscalls::Syscalls;

use crate::hall::{Hall, Kind, LONG, WHILE, clip, play, subscribe, wait_until};

// Where a scenario is about slots and bells, it is about the kernel path.
scenarios!(
    kernel_v4: each_has_a_cpu, all_by_bells, replicas_cost_no_system_calls;
    kernel_v6: all_by_bells;
    socket_v4: each_has_a_cpu
);

/// Threads of the node's workers: number, name and the CPUs that they may run on.
fn workers(hall: &Hall) -> Vec<(i32, String, String)> {
    let tasks = format!("/proc/{}/task", hall.node.pid());
    let task = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let number = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, name.trim().to_owned(), allowed.trim().to_owned()))
    };
    let all = fs::read_dir(tasks).unwrap().filter_map(task);
    all.filter(|(_, name, _)| name.starts_with("worker-"))
        .collect()
}

fn each_has_a_cpu(kind: Kind) {
    let cpus = std::thread::available_parallelism().unwrap().get().min(2);
    let hall = Hall::with(kind, Lab::star(), &["--workers", &cpus.to_string()]);
    // A thread takes its name and its CPU itself when it begins, which may be after the node said that it is ready.
    let pinned = || {
        let workers = workers(&hall);
        workers.len() == cpus
            && workers
                .iter()
                .all(|(_, _, cpus)| cpus.parse::<u32>().is_ok())
    };
    let pinned = wait_until(LONG, pinned);
    let workers = workers(&hall);
    assert_eq!(workers.len(), cpus, "{workers:?}");
    assert!(pinned, "{workers:?}");
    let distinct: BTreeSet<_> = workers.iter().map(|(_, _, cpu)| cpu).collect();
    assert_eq!(distinct.len(), cpus, "{workers:?}");
    hall.close();
}

/// Replicas that were sealed, and those that left by bells and by connected sockets.
fn replicas(state: &State) -> [u64; 3] {
    let taken = |device: &serde_json::Value| device["xmit_sent"].as_u64().unwrap();
    let by_bell = state.devices.iter().map(taken).sum();
    [
        state.reason("sealed"),
        by_bell,
        state.reason("sent") - by_bell,
    ]
}

/// Waits until what goes to all of these leaves by XDP.
fn wait_for_path(hall: &Hall, participants: &[&Participant]) {
    let sealed = |one: &&Participant| hall.view(one)["path"] == "sealed";
    assert!(wait_until(LONG, || participants.iter().all(sealed)));
}

/// Also a packet that is alone in its batch leaves by a bell, which costs less than a socket.
fn all_by_bells(kind: Kind) {
    let hall = Hall::new(kind);
    let publisher = hall.publisher(0);
    let track = publisher.publish(&clip(Codec::Opus)).unwrap();
    let (one, other) = (hall.subscriber(0), hall.subscriber(1));
    wait_for_path(&hall, &[&one, &other]);
    let left = |to: &[&Participant]| {
        let before = replicas(&hall.state());
        play(&[&publisher], to, Duration::from_millis(800));
        let after = replicas(&hall.state());
        [0, 1, 2].map(|at| after[at] - before[at])
    };
    subscribe(&one, std::slice::from_ref(&track));
    let [sealed, by_bell, by_socket] = left(&[&one]);
    assert!(sealed > 20, "{sealed}");
    assert_eq!((by_bell, by_socket), (sealed, 0));
    subscribe(&other, std::slice::from_ref(&track));
    let [sealed, by_bell, by_socket] = left(&[&one, &other]);
    assert!(sealed > 40, "{sealed}");
    assert_eq!((by_bell, by_socket), (sealed, 0));
    hall.close();
}

/// Sixty-four replicas of each packet: the worker waits for packets, rings, wakes control, and does nothing else in the kernel.
fn replicas_cost_no_system_calls(kind: Kind) {
    const SUBSCRIBERS: usize = 64;
    let hall = Hall::with(kind, Lab::star(), &["--workers", "1"]);
    let (publisher, tracks) = hall.call();
    let subscribers: Vec<Participant> = (0..SUBSCRIBERS).map(|n| hall.subscriber(n)).collect();
    let all: Vec<&Participant> = subscribers.iter().collect();
    for subscriber in &all {
        subscribe(subscriber, &tracks);
    }
    play(&[&publisher], &all, Duration::from_millis(300));
    wait_for_path(&hall, &all);
    let [(worker, ..)] = workers(&hall)[..] else {
        panic!("one worker");
    };
    let before = hall.state();
    let syscalls = Syscalls::of(worker).unwrap();
    play(&[&publisher], &all, WHILE);
    let calls = syscalls.counts().unwrap();
    let after = hall.state();
    let since = |reason| after.reason(reason) - before.reason(reason);
    let of = |numbers: &[i64]| -> u64 {
        let counts = numbers.iter().map(|number| calls.get(number));
        counts.map(|count| count.copied().unwrap_or(0)).sum()
    };
    let (sealed, opened) = (since("sealed"), since("opened"));
    println!("{calls:?} for {opened} packets and {sealed} replicas");
    assert!(sealed > 40 * SUBSCRIBERS as u64, "{sealed}");
    // STUN, DTLS and RTCP come by connected sockets: at least one datagram for each call.
    let reads = of(&[libc::SYS_recvmmsg]);
    let datagrams = since("stun") + since("dtls") + since("rtcp");
    assert!(reads <= datagrams, "{calls:?} for {datagrams}");
    // For packets, for those datagrams, and for what control says.
    let (waits, told) = (of(&[libc::SYS_epoll_wait]), of(&[libc::SYS_read]));
    assert!(waits <= opened + reads + told + 1, "{calls:?} for {opened}");
    // A bell is for 31 replicas and more; control is woken at most once each time.
    let writes = of(&[libc::SYS_write]);
    let bells = sealed.div_ceil(31);
    assert!(
        (1..=bells + waits + told).contains(&writes),
        "{calls:?} for {sealed}"
    );
    let known = writes + reads + waits + told + of(&[libc::SYS_sched_yield]);
    assert_eq!(known, calls.values().sum::<u64>(), "{calls:?}");
    hall.close();
}
