//! Judges the host: kernel, file systems, privileges.

use super::facts::{FileSystem, HostFacts};
use super::report::{Finding, Verdict};

/// The oldest kernel that the forwarder is made for.
const OLDEST: (u32, u32) = (6, 1);

/// Capabilities that loading and attaching take, with their numbers (include/uapi/linux/capability.h). `CAP_SYS_ADMIN` stands for
/// `CAP_BPF` and `CAP_PERFMON`; a network namespace of our own takes it in any case.
const CAPABILITIES: [(&str, u32); 3] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_BPF", 39),
];
const SYS_ADMIN: u32 = 21;

/// Judges the facts about the host.
pub fn judge(host: &HostFacts) -> Vec<Finding> {
    vec![
        kernel(host),
        btf(host),
        jit(host),
        bpffs(host),
        taps(host),
        privileges(host),
    ]
}

fn kernel(host: &HostFacts) -> Finding {
    const CHECK: &str = "kernel";
    let release = host.release.clone();
    match version(&release) {
        None => Finding::bad(
            Verdict::Unknown,
            CHECK,
            release,
            "its version is not understood; the forwarder needs 6.1",
        ),
        Some(version) if version < OLDEST => Finding::bad(
            Verdict::Fail,
            CHECK,
            release,
            format!(
                "the forwarder needs Linux {}.{} or later",
                OLDEST.0, OLDEST.1
            ),
        ),
        Some(_) if host.realtime => Finding::bad(
            Verdict::Fail,
            CHECK,
            format!("{release} (PREEMPT_RT)"),
            "a real-time kernel may interrupt a broadcast half-way, which mixes up its replicas; boot one without PREEMPT_RT",
        ),
        Some(_) => Finding::ok(CHECK, release, ""),
    }
}

/// Major and minor version at the start of a release such as `6.1.0-28-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn btf(host: &HostFacts) -> Finding {
    if host.btf {
        return Finding::ok("BTF", "present", "");
    }
    let why = "/sys/kernel/btf/vmlinux is missing: the tracepoint that counts drops of the device cannot be read; use a kernel \
               built with CONFIG_DEBUG_INFO_BTF";
    Finding::bad(Verdict::Warn, "BTF", "missing", why)
}

fn jit(host: &HostFacts) -> Finding {
    match host.jit {
        Some(true) => Finding::ok("BPF JIT", "on", ""),
        Some(false) => Finding::bad(
            Verdict::Warn,
            "BPF JIT",
            "off",
            "programs are interpreted, many times slower",
        )
        .mend("sysctl -w net.core.bpf_jit_enable=1"),
        None => Finding::bad(
            Verdict::Unknown,
            "BPF JIT",
            "not told",
            "only root in the first network namespace may read net.core.bpf_jit_enable; distributions have it on",
        ),
    }
}

fn bpffs(host: &HostFacts) -> Finding {
    const CHECK: &str = "bpffs";
    const WHY: &str =
        "maps and links are pinned there, so that media goes on when the control plane dies";
    match host.bpffs {
        FileSystem::Mounted => Finding::ok(CHECK, "mounted", ""),
        FileSystem::Known => {
            let why = format!(
                "{WHY}. `forwarder run` mounts it itself where it may. (`ip netns exec` hides it; `nsenter --net=` does not)"
            );
            Finding::bad(Verdict::Warn, CHECK, "not mounted", why)
                .mend("mount -t bpf bpf /sys/fs/bpf")
        }
        FileSystem::Missing => Finding::bad(
            Verdict::Fail,
            CHECK,
            "not in this kernel",
            format!("{WHY}; use a kernel that has it"),
        ),
    }
}

fn taps(host: &HostFacts) -> Finding {
    const CHECK: &str = "tap devices";
    match host.taps {
        Some(true) => Finding::ok(CHECK, "can be made", ""),
        Some(false) => Finding::bad(
            Verdict::Fail,
            CHECK,
            "cannot be made",
            "workers ring through one of their own; load the module tun, or give the container the device /dev/net/tun",
        )
        .mend("modprobe tun"),
        None => Finding::bad(
            Verdict::Unknown,
            CHECK,
            "not told",
            "this user may not open /dev/net/tun",
        ),
    }
}

fn privileges(host: &HostFacts) -> Finding {
    const CHECK: &str = "privileges";
    let Some(held) = host.capabilities else {
        return Finding::bad(
            Verdict::Unknown,
            CHECK,
            "not told",
            "/proc/self/status cannot be read",
        );
    };
    let has = |bit: u32| held & (1 << bit) != 0;
    let missing: Vec<_> = CAPABILITIES
        .iter()
        .filter(|(name, bit)| !(has(*bit) || *name == "CAP_BPF" && has(SYS_ADMIN)))
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, "enough", "");
    }
    let why = "loading and attaching XDP programs takes them; without, the forwarder runs on the socket path";
    Finding::bad(
        Verdict::Fail,
        CHECK,
        format!("missing {}", missing.join(", ")),
        why,
    )
    .mend("sudo forwarder run …")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> HostFacts {
        HostFacts {
            cpus: 4,
            release: "6.12.8-amd64".into(),
            realtime: false,
            btf: true,
            bpffs: FileSystem::Mounted,
            jit: Some(true),
            taps: Some(true),
            capabilities: Some(u64::MAX),
        }
    }

    fn verdict(host: &HostFacts, check: &str) -> Verdict {
        judge(host)
            .into_iter()
            .find(|finding| finding.check == check)
            .unwrap()
            .verdict
    }

    #[test]
    fn a_good_host_has_nothing_to_mend() {
        assert!(
            judge(&good())
                .iter()
                .all(|finding| finding.verdict == Verdict::Ok && finding.mend.is_none())
        );
    }

    #[test]
    fn taps_are_needed() {
        for (taps, expected) in [
            (Some(true), Verdict::Ok),
            (Some(false), Verdict::Fail),
            (None, Verdict::Unknown),
        ] {
            let host = HostFacts { taps, ..good() };
            assert_eq!(verdict(&host, "tap devices"), expected);
        }
    }

    #[test]
    fn kernels() {
        for (release, realtime, expected) in [
            ("6.1.0-28-amd64", false, Verdict::Ok),
            ("7.0-rc1", false, Verdict::Ok),
            ("5.15.0-100-generic", false, Verdict::Fail),
            ("6.0.19", false, Verdict::Fail),
            ("6.12.8", true, Verdict::Fail),
            ("strange", false, Verdict::Unknown),
        ] {
            let host = HostFacts {
                release: release.into(),
                realtime,
                ..good()
            };
            assert_eq!(verdict(&host, "kernel"), expected, "{release}");
        }
    }

    #[test]
    fn file_systems_jit_and_btf() {
        assert_eq!(
            verdict(
                &HostFacts {
                    bpffs: FileSystem::Known,
                    ..good()
                },
                "bpffs"
            ),
            Verdict::Warn
        );
        assert_eq!(
            verdict(
                &HostFacts {
                    bpffs: FileSystem::Missing,
                    ..good()
                },
                "bpffs"
            ),
            Verdict::Fail
        );
        assert_eq!(
            verdict(
                &HostFacts {
                    jit: Some(false),
                    ..good()
                },
                "BPF JIT"
            ),
            Verdict::Warn
        );
        assert_eq!(
            verdict(
                &HostFacts {
                    jit: None,
                    ..good()
                },
                "BPF JIT"
            ),
            Verdict::Unknown
        );
        assert_eq!(
            verdict(
                &HostFacts {
                    btf: false,
                    ..good()
                },
                "BTF"
            ),
            Verdict::Warn
        );
    }

    #[test]
    fn capabilities() {
        let with = |bits: &[u32]| HostFacts {
            capabilities: Some(bits.iter().map(|b| 1 << b).sum()),
            ..good()
        };
        assert_eq!(
            verdict(&with(&[12, 21]), "privileges"),
            Verdict::Ok,
            "CAP_SYS_ADMIN includes CAP_BPF"
        );
        assert_eq!(verdict(&with(&[12, 21, 39]), "privileges"), Verdict::Ok);
        assert_eq!(verdict(&with(&[12, 39]), "privileges"), Verdict::Fail);
        let missing = judge(&with(&[]))
            .into_iter()
            .find(|f| f.check == "privileges")
            .unwrap();
        assert_eq!(
            missing.value,
            "missing CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_BPF"
        );
        assert_eq!(
            verdict(
                &HostFacts {
                    capabilities: None,
                    ..good()
                },
                "privileges"
            ),
            Verdict::Unknown
        );
    }
}
