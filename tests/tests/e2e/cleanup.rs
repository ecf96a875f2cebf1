//! The ends of a node: SIGTERM, `forwarder stop`, the API, and `forwarder stop` after a kill. None leaves anything behind.

use std::time::Duration;

use forwarder_tests::model::Mode;
use forwarder_tests::node::STOP;
use forwarder_tests::rtp::Stream;
use forwarder_tests::{Family, Receivers};

use crate::leftovers;
use crate::room::{LONG, Path, RECEIVER, Room, as_sent, wait_until};
use crate::traffic::Traffic;

scenarios!(
    kernel: by_signal, by_command, by_api, by_command_after_a_kill;
    socket: by_signal, by_command, by_api, by_command_after_a_kill
);

/// Ends a busy node in some way, then looks for leftovers while traffic still comes in.
fn busy(path: Path, end: impl Fn(&mut Room)) {
    let mut room = Room::new(path);
    let stream = Stream::new(1, 0x1111);
    let source = room.publish(Family::V4, Mode::Clear, &[stream]);
    let receivers = Receivers::start(room.lab.receiver(), RECEIVER).unwrap();
    room.fill(&receivers, &source, stream, 0..70, |_| Family::V4, as_sent);
    let name = room.node.name().to_owned();
    if path == Path::Kernel {
        let found = leftovers::find(&room.lab, &name);
        for kind in ["pins", "namespace", "XDP on pub0", "XDP on rx0"] {
            assert!(
                found.iter().any(|line| line.starts_with(kind)),
                "{kind} is there: {found:?}"
            );
        }
    }
    let traffic = Traffic::start(source.publisher, stream, Duration::from_millis(1));
    assert!(
        wait_until(LONG, || receivers.received() > 700),
        "traffic flows"
    );
    end(&mut room);
    leftovers::assert_none(&room.lab, &name);
    drop(traffic);
    drop(receivers);
    drop(room);
}

fn by_signal(path: Path) {
    busy(path, |room| {
        let status = room.node.stop().unwrap();
        assert!(status.success(), "{status:?}: {:?}", room.node.log());
    });
}

fn by_command(path: Path) {
    busy(path, |room| {
        stop_by_command(room);
        let status = room.node.wait(STOP).unwrap();
        assert!(status.success(), "{status:?}: {:?}", room.node.log());
    });
}

fn by_api(path: Path) {
    busy(path, |room| {
        room.api.stop().unwrap();
        let status = room.node.wait(STOP).unwrap();
        assert!(status.success(), "{status:?}: {:?}", room.node.log());
    });
}

fn by_command_after_a_kill(path: Path) {
    busy(path, |room| {
        room.node.kill().unwrap();
        stop_by_command(room);
        // There is nothing left to stop now: that is said, and is no accident.
        let again = room
            .node
            .command(&["stop", "--name", room.node.name()])
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout).into_owned()
            + &String::from_utf8_lossy(&again.stderr);
        assert!(said.contains(room.node.name()), "{said}");
    });
}

fn stop_by_command(room: &Room) {
    let output = room
        .node
        .command(&["stop", "--name", room.node.name()])
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
