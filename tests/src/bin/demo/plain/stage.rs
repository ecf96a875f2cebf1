//! Where the demo plays: a publisher, the forwarder, receivers that check and receivers that decode, each in a namespace; and what
//! the forwarder is told over its API.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use forwarder_tests::model::{Mode, NewEndpoint, NewPublication, State};
use forwarder_tests::{Client, Family, Lab, Leaf, Node};

use super::checker::Checker;
use super::decoder::Incoming;
use crate::interrupt;
use super::leg::{self, Rewrite};
use super::media::{self, Publication};
use crate::options::{Options, Path};

/// The forwarder's port towards all receivers.
const PORT: u16 = 5100;

/// The first port of the receivers that decode; each takes four: two streams, and ffmpeg opens the next port for RTCP of each.
const DECODER_PORTS: u16 = 8000;

/// Numbers of decoding receivers begin here, so that no checking one has the same rewrite.
const DECODER_NUMBERS: usize = 100_000;

/// The namespaces with the forwarder in the middle. Fields are dropped in their order: the lab last.
pub struct Stage {
    /// Client of the forwarder.
    pub api: Client,
    /// The forwarder.
    pub node: Node,
    lab: Lab,
    family: Family,
    publications: [Publication; media::COUNT],
    ids: Vec<String>,
}

impl Stage {
    /// Makes the namespaces, starts the forwarder and adds what is published.
    ///
    /// # Errors
    /// When one of these fails.
    pub fn build(
        options: &Options,
        path: Path,
        publications: [Publication; media::COUNT],
    ) -> Result<Self> {
        let lab = Lab::star().receivers(2).build()?;
        interrupt::check()?;
        let node = Node::start_on_all(&lab, &["--path", path.name()])?;
        let api = node.client()?;
        let mut stage = Self {
            api,
            node,
            lab,
            family: options.family(),
            publications,
            ids: Vec::new(),
        };
        for publication in &publications {
            let local = stage.ingress(publication);
            let remote = stage
                .publisher()
                .socket(stage.family, publication.from_port);
            let endpoint = NewEndpoint::new(local, remote, publication.mode);
            let endpoint = stage.api.add_endpoint(&endpoint)?;
            let published = stage.api.publish(&NewPublication {
                endpoint: endpoint.id,
                ssrcs: vec![publication.ssrc],
                payload_type: publication.payload_type,
                clock_rate: publication.clock_rate,
            })?;
            stage.ids.push(published.id);
        }
        Ok(stage)
    }

    /// Where the publisher is.
    pub fn publisher(&self) -> &Leaf {
        self.lab.publisher()
    }

    /// Where the receivers are that check.
    pub fn checkers(&self) -> &Leaf {
        &self.lab.receivers[0]
    }

    /// Where the receivers are that decode.
    pub fn decoders(&self) -> &Leaf {
        &self.lab.receivers[1]
    }

    /// Where a publication is sent to.
    pub fn ingress(&self, publication: &Publication) -> SocketAddr {
        self.publisher()
            .fwd_socket(self.family, publication.to_port)
    }

    /// Subscribes checking receivers, each to picture and sound of its mode.
    ///
    /// # Errors
    /// As the forwarder refuses.
    pub fn subscribe_checkers(&self, count: usize) -> Result<()> {
        let leaf = self.checkers();
        for n in 0..count {
            interrupt::check()?;
            let mode = leg::mode_of(n);
            let remote = Checker::address(leaf, self.family, n);
            let endpoint = NewEndpoint::new(leaf.fwd_socket(self.family, PORT), remote, mode);
            let endpoint = self.api.add_endpoint(&endpoint)?;
            for number in media::of_mode(mode) {
                let rewrite = leg::rewrite_of(n, &self.publications[number]);
                let new = Rewrite::ask(rewrite, &self.ids[number], &endpoint.id);
                self.api
                    .subscribe(&new)
                    .with_context(|| format!("subscribing receiver {n}"))?;
            }
        }
        Ok(())
    }

    /// Subscribes the decoding receiver `n` to picture and sound of a mode, each on a port of its own. Returns what it gets.
    ///
    /// # Errors
    /// As the forwarder refuses.
    pub fn subscribe_decoder(&self, n: usize, mode: Mode) -> Result<[Incoming; 2]> {
        let leaf = self.decoders();
        let stream = |place: usize| -> Result<Incoming> {
            let number = media::of_mode(mode)[place];
            let publication = self.publications[number];
            let port = DECODER_PORTS + 4 * u16::try_from(n)? + 2 * u16::try_from(place)?;
            let to = leaf.socket(self.family, port);
            let local = leaf.fwd_socket(self.family, PORT);
            let endpoint = self.api.add_endpoint(&NewEndpoint::new(local, to, mode))?;
            let rewrite = leg::rewrite_of(DECODER_NUMBERS + n, &publication);
            let new = Rewrite::ask(rewrite, &self.ids[number], &endpoint.id);
            self.api.subscribe(&new)?;
            Ok((publication, to, rewrite))
        };
        Ok([stream(0)?, stream(1)?])
    }

    /// The forwarder's own account of what it did.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn account(&self) -> Result<State> {
        Ok(self.api.state()?)
    }

    /// Id of a publication at the forwarder.
    pub fn id(&self, number: media::Number) -> &str {
        &self.ids[number]
    }
}
