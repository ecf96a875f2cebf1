//! Two network namespaces with two veth pairs between them, for the tests of this crate.
//!
//! ```text
//!   namespace A (the code under test)   namespace B
//!   f0 10.9.0.1/24  fd09::1/64  ─veth─  f0 10.9.0.2/24 10.9.0.3/24  fd09::2/64
//!   f1 10.8.0.1/24              ─veth─  f1 10.8.0.2/24
//! ```

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

/// MAC address of f0 in namespace A.
pub const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
/// MAC address of f0 in namespace B.
pub const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];

/// Two namespaces and the veth pairs between them, removed on drop.
pub struct Pair {
    /// Name of the namespace that the code under test runs in.
    pub a: String,
    /// Name of the other one.
    pub b: String,
}

impl Pair {
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            println!("left out: needs root to make network namespaces");
            return None;
        }
        let tag = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let pair = Self {
            a: format!("fwd-res-{tag}a"),
            b: format!("fwd-res-{tag}b"),
        };
        run(&format!("netns add {}", pair.a));
        run(&format!("netns add {}", pair.b));
        for (link, mac_a, mac_b) in [
            ("f0", MAC_A, MAC_B),
            ("f1", [2, 0, 0, 0, 1, 0xa], [2, 0, 0, 0, 1, 0xb]),
        ] {
            let (a, b) = (&pair.a, &pair.b);
            run(&format!(
                "link add {link} netns {a} address {} type veth peer name {link} netns {b} address {}",
                text(mac_a),
                text(mac_b)
            ));
        }
        pair.in_a("link set lo up");
        pair.in_a("link set f0 up");
        pair.in_b("link set f0 up");
        pair.in_a("link set f1 up");
        pair.in_b("link set f1 up");
        pair.in_a("address add 10.9.0.1/24 dev f0");
        pair.in_a("address add fd09::1/64 dev f0 nodad");
        pair.in_a("address add 10.8.0.1/24 dev f1");
        for address in ["10.9.0.2/24", "10.9.0.3/24", "fd09::2/64"] {
            pair.in_b(&format!(
                "address add {address} dev f0 {}",
                if address.contains(':') { "nodad" } else { "" }
            ));
        }
        pair.in_b("address add 10.8.0.2/24 dev f1");
        Some(pair)
    }

    pub fn in_a(&self, arguments: &str) {
        run(&format!("-n {} {arguments}", self.a));
    }

    pub fn in_b(&self, arguments: &str) {
        run(&format!("-n {} {arguments}", self.b));
    }

    /// Runs `body` in namespace A, on a thread of its own with a runtime of its own.
    pub fn enter<T: Send>(&self, body: impl AsyncFnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let namespace = File::open(format!("/run/netns/{}", self.a)).unwrap();
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(body())
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for name in [&self.a, &self.b] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

/// Runs `ip`, which must succeed.
pub fn run(arguments: &str) {
    let done = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
