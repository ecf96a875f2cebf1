//! A named network namespace: made, entered by a thread, given commands, removed on drop.
//!
//! `ip netns exec` and `ip -n` mount a fresh /sys and with it hide the pins in bpffs. So nothing here uses them: a closure
//! runs on a thread that has called `setns`, and a command does so between fork and exec. The /sys that is seen from inside
//! is therefore the host's: ask netlink, not /sys/class/net.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};

/// Where named namespaces are mounted, by convention of iproute2.
pub const RUN_NETNS: &str = "/run/netns";

/// A handle on a network namespace. Clones share it; the namespace is removed when the [`crate::Lab`] that made it goes.
#[derive(Clone, Debug)]
pub struct Netns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    /// `None`: where this process is, which it need not enter.
    file: Option<File>,
}

impl Netns {
    /// Makes a namespace of this name. Its loopback is down and nothing is in it.
    ///
    /// # Errors
    /// When `ip` is missing, the name is taken, or the user may not.
    pub fn create(name: &str) -> Result<Self> {
        run_ip(Command::new("ip"), &[format!("netns add {name}")])?;
        Self::open(name)
    }

    /// Opens a namespace that is there already, such as one that a node made for itself.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn open(name: &str) -> Result<Self> {
        let path = PathBuf::from(RUN_NETNS).join(name);
        let file = File::open(&path)
            .with_context(|| format!("cannot open namespace {}", path.display()))?;
        Ok(Self(Arc::new(Inner {
            name: name.to_owned(),
            file: Some(file),
        })))
    }

    /// The namespace that this process is in, which it may use without any privilege.
    #[must_use]
    pub fn here() -> Self {
        Self(Arc::new(Inner {
            name: "here".to_owned(),
            file: None,
        }))
    }

    /// The name under /run/netns.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Runs `work` on a fresh thread inside the namespace and waits for it. Sockets opened there stay in the namespace,
    /// whichever thread uses them later.
    ///
    /// # Panics
    /// When `work` panics, with its panic; and when the namespace cannot be entered.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let outcome = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name(format!("in {}", self.name()))
                .spawn_scoped(scope, || {
                    self.enter_this_thread()
                        .expect("the lab enters its own namespace");
                    work()
                })
                .expect("a thread can be started");
            thread.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Moves the calling thread into the namespace, for good. For threads that live there.
    ///
    /// # Errors
    /// When the user may not.
    pub fn enter_this_thread(&self) -> Result<()> {
        let Some(file) = &self.0.file else {
            return Ok(());
        };
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("cannot enter namespace {}", self.name()))
    }

    /// A command that will run inside the namespace. Mounts are the caller's own, bpffs included.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if self.0.file.is_none() {
            return command;
        }
        let inner = Arc::clone(&self.0);
        // SAFETY: between fork and exec the closure only calls setns, which is a bare system call: it takes no lock and
        // allocates nothing. The descriptor is kept open by the Arc that moved in.
        unsafe {
            command.pre_exec(move || {
                let file = inner.file.as_ref().map_or(-1, AsRawFd::as_raw_fd);
                match libc::setns(file, libc::CLONE_NEWNET) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        command
    }

    /// Runs lines of `ip` in one batch inside the namespace: `["link set lo up", "route add ..."]`.
    ///
    /// # Errors
    /// With what `ip` printed, when a line fails. The lines before it stay in effect.
    pub fn ip<L: AsRef<str>>(&self, lines: &[L]) -> Result<()> {
        run_ip(self.command("ip"), lines).with_context(|| format!("in namespace {}", self.name()))
    }

    /// What `ip` prints for these arguments inside the namespace.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn ask_ip(&self, arguments: &[&str]) -> Result<String> {
        let output = self
            .command("ip")
            .args(arguments)
            .output()
            .context("cannot run ip")?;
        if !output.status.success() {
            bail!(
                "ip {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes values under /proc/sys/net of this namespace: `[("ipv4/ip_forward", "0")]`.
    ///
    /// # Errors
    /// When a name is unknown to this kernel or a value refused.
    pub fn sysctl(&self, values: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            for (name, value) in values {
                let path = format!("/proc/sys/net/{name}");
                std::fs::write(&path, value)
                    .with_context(|| format!("cannot write {value} to {path}"))?;
            }
            Ok(())
        })
    }

    /// Interface statistics by name (`rx_packets`, `rx_dropped`, ...), from netlink.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn link_statistics(&self, interface: &str) -> Result<HashMap<String, u64>> {
        let text = self.ask_ip(&["-json", "-stats", "link", "show", "dev", interface])?;
        let links: serde_json::Value =
            serde_json::from_str(&text).context("ip -json printed no JSON")?;
        let mut all = HashMap::new();
        for direction in ["rx", "tx"] {
            if let Some(values) = links[0]["stats64"][direction].as_object() {
                for (name, value) in values {
                    all.insert(format!("{direction}_{name}"), value.as_u64().unwrap_or(0));
                }
            }
        }
        Ok(all)
    }

    /// Waits until packets to this address are taken in. The kernel makes an IPv6 address local in a deferred work, also one
    /// without duplicate address detection (`addrconf_dad_work` in `net/ipv6/addrconf.c`), and until then drops what arrives.
    ///
    /// # Errors
    /// When it does not happen within five seconds.
    pub fn wait_until_local(&self, address: Ipv6Addr) -> Result<()> {
        let hex = format!("{:032x}", u128::from(address));
        self.enter(|| {
            let end = Instant::now() + Duration::from_secs(20);
            while !has_local_route(
                &std::fs::read_to_string("/proc/thread-self/net/ipv6_route")?,
                &hex,
            ) {
                ensure!(
                    Instant::now() < end,
                    "{address} did not become local in {}",
                    self.name()
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        })
    }

    /// Identifies the namespace: device and inode of its file, as /proc/PID/ns/net has them.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn identity(&self) -> Result<(u64, u64)> {
        let metadata = match &self.0.file {
            Some(file) => file.metadata()?,
            None => std::fs::metadata("/proc/self/ns/net")?,
        };
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Removes the name. The namespace and its interfaces go with the last thread, process or socket in it.
    ///
    /// # Errors
    /// When it is gone already, or this process is in it.
    pub fn remove(&self) -> Result<()> {
        ensure!(self.0.file.is_some(), "this process is in it");
        run_ip(Command::new("ip"), &[format!("netns del {}", self.name())])
    }
}

/// Whether a table in the format of /proc/net/ipv6_route has a local route to exactly this address.
fn has_local_route(table: &str, address: &str) -> bool {
    // linux/ipv6_route.h
    const RTF_LOCAL: u32 = 0x8000_0000;
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| {
            let flags = fields
                .get(8)
                .and_then(|flags| u32::from_str_radix(flags, 16).ok())
                .unwrap_or(0);
            fields.starts_with(&[address, "80"]) && flags & RTF_LOCAL != 0
        })
}

/// Feeds lines to `ip -batch`, which costs one process for all of them.
fn run_ip<L: AsRef<str>>(mut ip: Command, lines: &[L]) -> Result<()> {
    let mut child = ip
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ip: install the package iproute2")?;
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    // A failing batch closes its input early; what it says on the way out tells more than the broken pipe.
    let written = child
        .stdin
        .take()
        .context("ip has no input")?
        .write_all(text.as_bytes());
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "ip: {}\nin the batch:\n{}",
            String::from_utf8_lossy(&output.stderr).trim(),
            shorten(&text)
        );
    }
    written.context("cannot write to ip")
}

/// The first lines of a batch, for an error that people read.
fn shorten(text: &str) -> String {
    text.lines().take(12).collect::<Vec<_>>().join("\n")
}
