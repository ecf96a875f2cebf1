//! `forwarder run --path socket` as somebody who may do nothing: it forwards over the loopback interface all the same.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use forwarder_tests::model::{Mode, NewEndpoint, NewPublication, NewSubscription};
use forwarder_tests::node::forwarder_binary;
use forwarder_tests::rtp::{Rewrite, Stream};
use forwarder_tests::{Lab, Node, Pace, Publisher, needs_root};

use crate::room::LONG;

/// A copy of the binary in a folder that everybody may read, and a script that runs it as `nobody` without any capability.
struct AsNobody(PathBuf);

impl AsNobody {
    fn new(lab: &Lab) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("{}-nobody", lab.name()));
        std::fs::create_dir(&folder).unwrap();
        let this = Self(folder);
        let binary = this.0.join("forwarder");
        std::fs::copy(forwarder_binary().unwrap(), &binary).unwrap();
        // 65534 is nobody's number; its runtime directory is one of its own.
        let script = format!(
            "#!/bin/sh\nexport XDG_RUNTIME_DIR={0}\nexec setpriv --reuid=65534 --regid=65534 --clear-groups \
             --inh-caps=-all --bounding-set=-all --no-new-privs {0}/forwarder \"$@\"\n",
            this.0.display()
        );
        std::fs::write(this.script(), script).unwrap();
        for path in [this.script(), binary] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::fs::set_permissions(&this.0, PermissionsExt::from_mode(0o777)).unwrap();
        this
    }

    fn script(&self) -> PathBuf {
        self.0.join("run")
    }
}

impl Drop for AsNobody {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn nobody_forwards_on_loopback() {
    needs_root!();
    let lab = Lab::star().publishers(0).receivers(0).build().unwrap();
    let nobody = AsNobody::new(&lab);
    let mut node =
        Node::start_binary(&lab, &nobody.script(), lab.name(), &["--path", "socket"]).unwrap();
    assert_eq!(node.path(), "socket");
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        (field("Uid:"), field("CapEff:")),
        ("65534".to_owned(), "0".repeat(16))
    );

    let api = node.client().unwrap();
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let endpoint = |local, remote| {
        api.add_endpoint(&NewEndpoint::new(at(local), at(remote), Mode::Clear))
            .unwrap()
    };
    let from = endpoint(5000, 4000);
    let stream = Stream::new(1, 0x1111);
    let publication = NewPublication {
        endpoint: from.id,
        ssrcs: vec![stream.ssrc],
        payload_type: stream.payload_type,
        clock_rate: 90_000,
    };
    let publication = api.publish(&publication).unwrap();
    let receivers: Vec<(UdpSocket, Stream)> = (0..3_u16)
        .map(|n| {
            let socket = lab.fwd.enter(|| UdpSocket::bind(at(6000 + n))).unwrap();
            socket.set_read_timeout(Some(LONG)).unwrap();
            let rewrite = Rewrite {
                ssrc: Some(0x77 + u32::from(n)),
                ..Rewrite::default()
            };
            let wanted = NewSubscription {
                publication: publication.id.clone(),
                endpoint: endpoint(5000, 6000 + n).id,
                ssrcs: rewrite.ssrc.map(|ssrc| vec![ssrc]),
                ..NewSubscription::default()
            };
            let leg = &api.subscribe(&wanted).unwrap().legs[0];
            assert_eq!((leg.path.as_str(), leg.why.is_some()), ("socket", true));
            (socket, stream.rewritten(rewrite))
        })
        .collect();
    let publisher = Publisher::between(&lab.fwd, at(4000), at(5000)).unwrap();
    // As many at a time as the receivers' sockets hold by default.
    for burst in 0..16 {
        publisher
            .send(&stream, burst * 32..(burst + 1) * 32, Pace::Full)
            .unwrap();
        for (socket, seen) in &receivers {
            for index in burst * 32..(burst + 1) * 32 {
                let mut buffer = [0; 2000];
                let length = socket.recv(&mut buffer).unwrap();
                assert_eq!(seen.check(&buffer[..length]).unwrap().index, index);
            }
        }
    }
    for (socket, _) in &receivers {
        socket
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        assert!(socket.recv(&mut [0; 10]).is_err(), "nothing comes twice");
    }
    assert_eq!(api.state().unwrap().reason("sent"), 3 * 512);
    assert!(node.stop().unwrap().success(), "{:?}", node.log());
}
