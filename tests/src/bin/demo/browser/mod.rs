//! A room for a person at a browser: the node on this host, and participants that go on publishing until the demo is ended.

mod ground;
mod media;
mod picture;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use forwarder_tests::rtc::participant::Joining;
use forwarder_tests::rtc::{AgentOptions, Codec as RtcCodec, Crowd, Participant};
use forwarder_tests::{Client, Netns, Node, node};
use serde::Serialize;

use self::ground::Ground;
use crate::options::{Codec, Options, Path};
use crate::{ffmpeg, interrupt};

/// The room.
const ROOM: &str = "demo";
/// Who is in it, as many as are asked for.
const NAMES: [&str; 16] = [
    "Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gwen", "Hugo", "Iris", "Jack", "Kate", "Liam",
    "Mia", "Noah", "Olga", "Paul",
];
/// How soon the end that was asked for comes.
const GLANCE: Duration = Duration::from_millis(100);

/// What is told once all are there.
#[derive(Debug, Serialize)]
struct Ready {
    /// Opens the room, to be joined with one press.
    url: String,
    /// Shows the node.
    node_url: String,
    room: &'static str,
    /// How the node forwards.
    path: String,
    /// Why it is no faster path, if it is not the fastest.
    why: Option<String>,
    participants: Vec<Shown>,
}

/// A participant as others see it.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    name: &'static str,
    /// The number in its picture.
    number: u16,
    /// Its tone, Hz.
    tone: u32,
    /// How packets leave to it and come from it: `sealed` is by XDP.
    path: String,
}

/// Runs the room until the end is asked for, or its time is over.
///
/// # Errors
/// When it cannot be set up, or the node ends.
pub fn show(options: &Options) -> Result<()> {
    ffmpeg::check(options.codec)?;
    let binary = node::forwarder_binary()?;
    interrupt::listen()?;
    let started = Instant::now();
    let codec = match options.codec {
        Codec::Vp8 => RtcCodec::Vp8,
        Codec::H264 => RtcCodec::H264,
    };
    if !options.json {
        let count = options.publishers;
        println!(
            "setting up a node on this host and {count} participants; the first time, what they publish is encoded"
        );
    }
    // Dropped from the last to the first: participants, node, ground.
    let ground = Ground::prepare(options.path)?;
    let api = format!("127.0.0.1:{}", options.port);
    let media = free_port()?.to_string();
    let path = if ground.why_none().is_some() {
        Path::Socket
    } else {
        options.path
    };
    let mut arguments = vec!["--path", path.name(), "--api", &api, "--media-port", &media];
    arguments.extend(
        ground
            .interface()
            .into_iter()
            .flat_map(|name| ["--iface", name]),
    );
    let mut node = Node::start_in(&Netns::here(), &binary, ground.name(), &arguments)?;
    let client = node.client()?;
    let crowd = Crowd::start(ground.netns())?;
    let names = NAMES.iter().take(options.publishers.into());
    let mut participants = Vec::new();
    for (number, name) in (1_u16..).zip(names) {
        interrupt::check()?;
        participants.push(join(&crowd, &client, &ground, codec, name, number)?);
    }
    let ready = Ready::of(&node, &client, &ground, &participants)?;
    if options.json {
        println!("{}", serde_json::to_string(&ready)?);
    } else {
        ready.print(started.elapsed(), options.duration);
    }
    let flowing = Instant::now();
    while options
        .duration
        .is_none_or(|duration| flowing.elapsed() < duration)
    {
        if interrupt::wanted() {
            break;
        }
        // By the same interrupt it may end before this process looks.
        if let Some(status) = node.has_ended().filter(|_| !interrupt::wanted()) {
            anyhow::bail!(
                "the forwarder ended: {status}. It said:\n{}",
                node.log().join("\n")
            );
        }
        std::thread::sleep(GLANCE);
    }
    participants
        .iter()
        .for_each(|(participant, _)| participant.stop_media());
    if !options.json {
        println!("\nthe room is closed");
    }
    Ok(())
}

/// Joins a participant, which publishes from then on.
fn join(
    crowd: &Crowd,
    client: &Client,
    ground: &Ground,
    codec: RtcCodec,
    name: &'static str,
    number: u16,
) -> Result<(Participant, Shown)> {
    let options = AgentOptions::new(name, ground.address());
    let joining = Joining {
        room: Some(ROOM),
        name: Some(name),
        ..Joining::default()
    };
    let participant = Participant::join_as(crowd, client, options, joining)
        .with_context(|| format!("{name} does not get in"))?;
    participant.publish(&media::sound(number)?)?;
    participant.publish(&media::pictures(codec, number)?)?;
    participant.start_media();
    let view: serde_json::Value = client.read(&format!("/v0/sessions/{}", participant.id))?;
    let shown = Shown {
        name,
        number,
        tone: media::tone_of(number),
        path: view["path"].as_str().unwrap_or_default().to_owned(),
    };
    Ok((participant, shown))
}

impl Ready {
    fn of(
        node: &Node,
        client: &Client,
        ground: &Ground,
        participants: &[(Participant, Shown)],
    ) -> Result<Self> {
        let facts: serde_json::Value = client.read("/v0/node")?;
        let base = node.api()?.replace("127.0.0.1", "localhost");
        Ok(Self {
            url: format!("{base}/#room={ROOM}&publish=generated&name=You"),
            node_url: format!("{base}/node"),
            room: ROOM,
            path: node.path().to_owned(),
            why: ground
                .why_none()
                .or_else(|| facts["why"].as_str())
                .map(str::to_owned),
            participants: participants
                .iter()
                .map(|(_, shown)| shown.clone())
                .collect(),
        })
    }

    fn print(&self, took: Duration, duration: Option<Duration>) {
        let why = self.why.as_ref().map(|why| format!(", because: {why}"));
        println!("path {}{}", self.path, why.unwrap_or_default());
        for Shown {
            name,
            number,
            tone,
            path,
        } in &self.participants
        {
            println!("  {name} publishes the number {number} and {tone} Hz; path {path}");
        }
        println!(
            "\nThe room is open after {:.1} s:\n\n    {}\n",
            took.as_secs_f64(),
            self.url
        );
        println!(
            "Open that on this computer, and press Join. The node itself: {}",
            self.node_url
        );
        println!("A browser on this host comes by loopback, hence over sockets.");
        match duration {
            None => println!("It stays open until Ctrl-C."),
            Some(time) => println!("It stays open for {}.", humantime::format_duration(time)),
        }
    }
}

/// A port that neither UDP nor TCP has in use, for media: another node may run on this host.
fn free_port() -> Result<u16> {
    for _ in 0..64 {
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free for UDP and TCP")
}
