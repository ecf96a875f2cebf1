//! The command line of `cargo xtask`. The flags of `demo` and `bench` are defined here as well, so that
//! their help is there before anything is built; they are passed on as they are.

use clap::{Parser, Subcommand, ValueEnum};

/// Builds, tests, measures and shows the forwarder.
///
/// Every task sets up what it needs. Tasks run as the calling user; only built programs are run as root, through
/// `sudo` where the user is not root.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Args {
    #[command(subcommand)]
    pub task: Task,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    Setup(Setup),
    Build(Build),
    Demo(Demo),
    Test(Test),
    Lint(Lint),
    Verify(Verify),
    Bench(Bench),
    Run(Run),
    /// Do what CI does: lint, verify, test, and a short bench. A test of the lab that fails is run once more, alone; if it passes
    /// then, the end of the run tells of it.
    Ci,
}

/// Find or install the eBPF toolchain, and the programs that demo and tests use.
///
/// Taken is the first of: a rustup nightly that has rust-src, with bpf-linker in PATH; the Debian packages rustc-web,
/// libstd-rust-web-dev-bpf and llvm-22-dev (installed with apt-get, as root or through sudo) with bpf-linker built into
/// target/bpf-tools. Where neither can be had, it says what to install. Does nothing, quickly, when all is there.
///
/// FORWARDER_BPF_TOOLCHAIN=rustup or =debian allows only that one.
#[derive(Debug, clap::Args)]
pub struct Setup {
    /// Only the eBPF toolchain, not the programs that demo and tests call, nor the browsers.
    #[arg(long)]
    pub toolchain_only: bool,
}

/// Build the eBPF objects and the host programs (release).
///
/// The objects go to target/bpf/ (forwarder.o, lab.o) and are embedded in the programs; target/release/forwarder is
/// the one file to deploy.
#[derive(Debug, clap::Args)]
pub struct Build {
    /// Embed the eBPF object that logs packets through aya-log. Slow; not for production.
    #[arg(long)]
    pub trace: bool,
    /// Only the eBPF objects.
    #[arg(long)]
    pub bpf_only: bool,
}

/// Forward really encoded video and sound through XDP to a room of WebRTC clients, in namespaces of its own.
///
/// Publishers and subscribers are clients with ICE and DTLS-SRTP, each session under its own keys; every subscriber
/// compares every frame with what was published, some decode with ffmpeg. With --plain, endpoints of plain RTP instead:
/// ffmpeg publishes SRTP under a pre-shared key and clear RTP, receivers check every packet. Exit status 0 only if every
/// receiver got everything that it should. XDP needs root; without it the socket path forwards, inside a user namespace.
///
/// With --browser the node runs on this host, participants publish, and the address of a room is printed, to be opened
/// in a browser here: one press joins. That goes on until Ctrl-C. Without root all of it goes over sockets.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// How many clients publish, each a video and a sound (2 unless told).
    #[arg(long, value_name = "N", conflicts_with = "plain")]
    pub publishers: Option<u16>,
    /// How many clients subscribe, each to all that is published (24 unless told).
    #[arg(long, value_name = "N", conflicts_with = "plain")]
    pub subscribers: Option<u16>,
    /// Endpoints of plain RTP instead of WebRTC clients.
    #[arg(long)]
    pub plain: bool,
    /// With --plain: how many receivers check every packet (256 unless told).
    #[arg(long, value_name = "N", requires = "plain")]
    pub receivers: Option<u32>,
    /// Leave a room open for a browser on this host.
    #[arg(long, conflicts_with_all = ["plain", "subscribers", "ipv6"])]
    pub browser: bool,
    /// With --browser: the port of page and API; any free one unless told.
    #[arg(long, value_name = "PORT", requires = "browser")]
    pub port: Option<u16>,
    /// How long media flows, for example 20s or 2m: 20s unless told, with --browser until Ctrl-C.
    #[arg(long = "for", value_name = "DURATION")]
    pub duration: Option<String>,
    /// Which path forwards.
    #[arg(long, value_enum, default_value_t = Path::Auto)]
    pub path: Path,
    /// How the pictures are encoded.
    #[arg(long, value_enum, default_value_t = Codec::Vp8)]
    pub codec: Codec,
    /// Publish and receive over IPv6.
    #[arg(long)]
    pub ipv6: bool,
    /// Print the summary as JSON instead of the live table; with --browser the addresses, once the room is open.
    #[arg(long)]
    pub json: bool,
    /// More arguments for the demo program, as they are.
    #[arg(last = true, value_name = "ARGS")]
    pub rest: Vec<String>,
}

/// A forwarding path.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Path {
    /// XDP where a leg allows it, else the socket.
    Auto,
    /// XDP only.
    Kernel,
    /// The UDP socket only; needs no privilege in the forwarder.
    Socket,
}

/// A video codec of the demo.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Codec {
    /// VP8, with Opus for the sound.
    Vp8,
    /// H.264, with Opus for the sound.
    H264,
}

/// Run the tests: unit, property, doc and kernel tests.
///
/// Tests that load programs into the kernel run as root (through `sudo -n` where the user is not root). Where root
/// cannot be had they are left out, and the run says so. The test programs are told by FORWARDER_TEST_ROOT=1 or 0, and
/// find the built forwarder in FORWARDER_BIN.
#[derive(Debug, Default, clap::Args)]
pub struct Test {
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Only unit, property and doc tests of the crates themselves: no root, no kernel, no suites of tests/.
    #[arg(long)]
    pub quick: bool,
    /// Only this package.
    #[arg(long, short, value_name = "NAME")]
    pub package: Option<String>,
    /// Only this test file (as `cargo test --test`).
    #[arg(long = "test", value_name = "NAME")]
    pub suite: Option<String>,
    /// Test optimised programs, without overflow checks and debug assertions.
    #[arg(long)]
    pub release: bool,
    /// Arguments for the test programs, for example `-- --nocapture`.
    #[arg(last = true, value_name = "ARGS")]
    pub rest: Vec<String>,
}

/// Check form and style: rustfmt, clippy on host and eBPF crates, docs, boundaries, licences and advisories.
///
/// Warnings are errors. cargo-deny checks licences, sources and, if its database can be fetched, advisories.
#[derive(Debug, clap::Args)]
pub struct Lint {
    /// Let rustfmt change the files, instead of only checking them.
    #[arg(long)]
    pub fix: bool,
    /// Build cargo-deny into target/lint-tools if it is not there (two minutes); without it that check is left out.
    #[arg(long)]
    pub install_deny: bool,
}

/// Load the eBPF objects into the kernel and hold every program against its budget.
///
/// Prints per program instructions, instructions verified and stack, and the memory of the maps, against
/// forwarder-ebpf/budget.toml. Fails when a program is refused or outgrows it. Both variants are loaded, with and
/// without `trace`. Needs root.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// Write what was measured, plus some room, as the new budget.
    #[arg(long)]
    pub update: bool,
    /// Print JSON instead of the table.
    #[arg(long)]
    pub json: bool,
}

/// Measure the forwarder.
#[derive(Debug, clap::Args)]
pub struct Bench {
    #[command(subcommand)]
    pub what: BenchKind,
}

#[derive(Debug, Subcommand)]
pub enum BenchKind {
    /// Cost per replica by fan-out, payload and path, with the floors interleaved in the same run.
    Fanout(BenchFlags),
    /// How throughput grows from one CPU to two.
    Scaling(BenchFlags),
    /// Latency that the kernel path adds: p50 and p99.
    Latency(BenchFlags),
    /// The sealed path: cost per replica by fan-out, payload, suite and path, with the floors interleaved in the same run;
    /// two workers against one; latency.
    Sealed(BenchFlags),
    /// What sessions cost: CPU time of a set-up, memory of an idle session and of a subscription, times of API calls.
    Sessions(BenchFlags),
    /// What a person at a browser waits for: time to the first picture, and freezes of 720p beside a call without a forwarder.
    Browsers(BenchFlags),
    /// What a caller of the control API waits for: times of calls on a node with ten thousand subscriptions.
    Api(BenchFlags),
}

#[derive(Debug, clap::Args)]
pub struct BenchFlags {
    /// Print JSON instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Fewer cases and shorter rounds: a smoke test, not figures to quote.
    #[arg(long)]
    pub quick: bool,
    /// More arguments for the bench program, as they are.
    #[arg(last = true, value_name = "ARGS")]
    pub rest: Vec<String>,
}

/// Build and start a node: `forwarder run` with these arguments.
///
/// Runs as root, through sudo where the user is not root; without either, or with `--path socket`, as the user. See
/// `cargo xtask run -- --help` for the flags of `forwarder run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    /// Arguments for `forwarder run`.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    pub args: Vec<String>,
}
