//! What scenarios share: the lab, the browsers in it, and a node while a scenario has one.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Result;
use forwarder_tests::browsers::{Admission, Browser, Kind, Media, Options, artefacts};
use forwarder_tests::{Client, Family, Lab, Node};

/// How long anything may take that happens at all, on a busy machine too.
pub const LONG: Duration = Duration::from_secs(40);

/// Pictures to be read before a stream is said to flow: a second and a half.
pub const SOME: u64 = 15;

/// The lab and who is in it.
///
///     pub0: chromium ── fwd: a node, chromium, firefox ── rx0: chromium, firefox
pub struct Stage {
    /// Chromium in the publishers' namespace.
    pub publisher: Browser,
    /// Chromium in the receivers' namespace.
    pub chromium: Browser,
    /// Firefox there.
    pub firefox: Browser,
    /// Chromium on the forwarder's own host.
    pub local: Browser,
    /// Firefox there.
    pub local_firefox: Browser,
    /// The forwarder, from [`Stage::start`] until the scenario ends.
    node: Option<Node>,
    admission: Admission,
    /// The namespaces.
    pub lab: Lab,
}

impl Stage {
    /// The stream whose tone Firefox publishes.
    pub const FIREFOX_STREAM: u8 = 7;
    /// The same of Firefox on the forwarder's own host.
    pub const LOCAL_FIREFOX_STREAM: u8 = 9;

    /// Makes the lab and starts the browsers, all at once.
    pub fn build() -> Result<Self> {
        let lab = Lab::star().build()?;
        // Firefox gathers no candidate where there is no default route.
        let via = [Family::V4, Family::V6].map(|family| lab.receiver().addr(family));
        lab.fwd
            .ip(&via.map(|gateway| format!("route add default via {gateway}")))?;
        let (sending, receiving) = (&lab.publisher().netns, &lab.receiver().netns);
        let begin = |kind, name, netns| Browser::begin(kind, name, netns, &Options::default());
        let publisher = begin(Kind::Chromium, "publisher", sending)?;
        let chromium = begin(Kind::Chromium, "chromium", receiving)?;
        let firefox = begin(Kind::Firefox, "firefox", receiving)?;
        let local = begin(Kind::Chromium, "local", &lab.fwd)?;
        let options = Options {
            tone: Some(Media::tone_of(Self::LOCAL_FIREFOX_STREAM)),
            ..Options::default()
        };
        let local_firefox = Browser::begin(Kind::Firefox, "local-firefox", &lab.fwd, &options)?;
        let stage = Self {
            publisher: publisher.finish()?,
            chromium: chromium.finish()?,
            firefox: firefox.finish()?,
            local: local.finish()?,
            local_firefox: local_firefox.finish()?,
            node: None,
            admission: Admission::new()?,
            lab,
        };
        println!(
            "browsers: {}, {}",
            stage.chromium.version(),
            stage.firefox.version()
        );
        Ok(stage)
    }

    /// As at first: pages anew, no node, no picture of an earlier failure of this scenario.
    pub fn clear(&mut self, name: &str) -> Result<()> {
        self.node = None;
        let artefacts = artefacts()?;
        for browser in self.browsers() {
            let picture = artefacts.join(format!("{}.png", failure(name, browser)));
            if let Err(error) = std::fs::remove_file(picture)
                && error.kind() != ErrorKind::NotFound
            {
                return Err(error.into());
            }
            browser.visit(None)?;
        }
        Ok(())
    }

    /// Starts a node of this path, and gives a client of its API.
    pub fn start(&mut self, path: &str) -> Client {
        let node = Node::start_on_all(&self.lab, &["--path", path]).unwrap();
        assert_eq!(node.path(), path, "{}", node.ready_line());
        let client = node.client().unwrap();
        self.node = Some(node);
        client
    }

    /// The same with an API that other hosts reach and that pages of the browsers may use; and a token that admits to its room.
    pub fn start_reachable(&mut self, path: &str) -> (Client, Option<String>) {
        let admission = &self.admission;
        let node = admission.start(&self.lab, path, &self.browsers()).unwrap();
        assert_eq!(node.path(), path, "{}", node.ready_line());
        let token = admission.token(&node).unwrap();
        let client = admission.client(&node).unwrap();
        self.node = Some(node);
        (client, Some(token))
    }

    /// The same over TLS, under a certificate that nobody signed; gives the token alone.
    pub fn start_secure(&mut self, path: &str) -> String {
        let node = self.admission.start_secure(&self.lab, path).unwrap();
        assert_eq!(node.path(), path, "{}", node.ready_line());
        let token = self.admission.token(&node).unwrap();
        self.node = Some(node);
        token
    }

    /// Ends a scenario. After a failure, what the browsers show and said is kept.
    pub fn end(&mut self, failed: bool, name: &str) {
        if failed {
            for browser in self.browsers() {
                let said = browser.said().join("\n");
                eprintln!("---- {} said:\n{said}\n----", browser.name());
                let file = failure(name, browser);
                let _ = browser.screenshot(&file);
                let _ = browser.keep_damaged(&format!("{file}-unreadable"));
            }
            if let Some(node) = &self.node {
                eprintln!("---- the forwarder said:\n{}\n----", node.log().join("\n"));
            }
        }
        self.node = None;
    }

    fn browsers(&self) -> [&Browser; 5] {
        [
            &self.publisher,
            &self.chromium,
            &self.firefox,
            &self.local,
            &self.local_firefox,
        ]
    }
}

/// What the picture of a browser is called that a failed scenario leaves.
fn failure(scenario: &str, browser: &Browser) -> String {
    format!("{}-{}", scenario.replace("::", "-"), browser.name())
}
