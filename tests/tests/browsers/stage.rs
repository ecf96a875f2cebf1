//! What scenarios share: the lab, the browsers in it, and a node while a scenario has one.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use forwarder_tests::browsers::{Browser, Kind, Options};
use forwarder_tests::{Client, Family, Lab, Node};

/// How long anything may take that happens at all, on a busy machine too.
pub const LONG: Duration = Duration::from_secs(20);

/// Pictures to be read before a stream is said to flow: a second and a half.
pub const SOME: u64 = 15;

/// The key that grants everything, and the secret of tokens.
const KEY: &str = "the-key-of-the-tests-of-browsers";

/// The lab and who is in it.
///
///     pub0: chromium ── fwd: a node, local ── rx0: chromium, firefox
pub struct Stage {
    /// Chromium in the publishers' namespace.
    pub publisher: Browser,
    /// Chromium in the receivers' namespace.
    pub chromium: Browser,
    /// Firefox there.
    pub firefox: Browser,
    /// Chromium on the forwarder's own host.
    pub local: Browser,
    /// The forwarder, from [`Stage::start`] until the scenario ends.
    node: Option<Node>,
    secrets: Secrets,
    /// The namespaces.
    pub lab: Lab,
}

impl Stage {
    /// Makes the lab and starts the browsers, all at once.
    pub fn build() -> Result<Self> {
        let lab = Lab::star().build()?;
        let (sending, receiving) = (&lab.publisher().netns, &lab.receiver().netns);
        let begin = |kind, name, netns| Browser::begin(kind, name, netns, &Options::default());
        let publisher = begin(Kind::Chromium, "publisher", sending)?;
        let chromium = begin(Kind::Chromium, "chromium", receiving)?;
        let firefox = begin(Kind::Firefox, "firefox", receiving)?;
        let local = begin(Kind::Chromium, "local", &lab.fwd)?;
        let stage = Self {
            publisher: publisher.finish()?,
            chromium: chromium.finish()?,
            firefox: firefox.finish()?,
            local: local.finish()?,
            node: None,
            secrets: Secrets::new()?,
            lab,
        };
        println!(
            "browsers: {}, {}",
            stage.chromium.version(),
            stage.firefox.version()
        );
        Ok(stage)
    }

    /// As at first: pages anew, no node.
    pub fn clear(&mut self) -> Result<()> {
        self.node = None;
        for browser in self.browsers() {
            browser.visit(None)?;
        }
        Ok(())
    }

    /// Starts a node of this path, and gives a client of its API.
    pub fn start(&mut self, path: &str) -> Client {
        self.start_with(path, &[])
    }

    /// The same with an API that other hosts reach and that pages of the browsers may use; and a token that admits to the room
    /// `hall`.
    pub fn start_reachable(&mut self, path: &str) -> (Client, Option<String>) {
        let address = self.base().replace("http://", "");
        let (admin, secret) = (self.secrets.admin(), self.secrets.tokens());
        let mut arguments = vec!["--api", &address];
        arguments.extend(["--admin-key-file", &admin, "--token-secret-file", &secret]);
        let origins = self.browsers().map(|browser| browser.origin().to_owned());
        arguments.extend(origins.iter().flat_map(|one| ["--cors-origin", one]));
        let api = self.start_with(path, &arguments).with_key(KEY);
        let node = self.node.as_ref().unwrap();
        let token = ["token", "--token-secret-file", &secret, "--room", "hall"];
        let grants = ["--publish", "--subscribe"];
        let output = node.command(&[&token[..], &grants[..]].concat()).unwrap();
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        (api, Some(token))
    }

    fn start_with(&mut self, path: &str, arguments: &[&str]) -> Client {
        let all = [&["--path", path], arguments].concat();
        let node = Node::start_on_all(&self.lab, &all).unwrap();
        assert_eq!(node.path(), path, "{}", node.ready_line());
        let client = node.client().unwrap();
        self.node = Some(node);
        client
    }

    /// Where the API is reached from every namespace.
    pub fn base(&self) -> String {
        let address = self.lab.publisher().fwd_addr(Family::V4);
        format!("http://{address}:7600")
    }

    /// Ends a scenario. After a failure, what the browsers show and said is kept.
    pub fn end(&mut self, failed: bool, name: &str) {
        let file = name.replace("::", "-");
        if failed {
            for browser in self.browsers() {
                let said = browser.said().join("\n");
                eprintln!("---- {} said:\n{said}\n----", browser.name());
                let _ = browser.screenshot(&format!("{file}-{}", browser.name()));
            }
            if let Some(node) = &self.node {
                eprintln!("---- the forwarder said:\n{}\n----", node.log().join("\n"));
            }
        }
        self.node = None;
    }

    fn browsers(&self) -> [&Browser; 4] {
        [&self.publisher, &self.chromium, &self.firefox, &self.local]
    }
}

/// Files with the keys of the API.
struct Secrets(PathBuf);

impl Secrets {
    fn new() -> Result<Self> {
        let name = format!("forwarder-browsers-{}", std::process::id());
        let secrets = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&secrets.0)?;
        for file in [secrets.admin(), secrets.tokens()] {
            std::fs::write(&file, KEY)?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(secrets)
    }

    fn admin(&self) -> String {
        self.0.join("admin").display().to_string()
    }

    fn tokens(&self) -> String {
        self.0.join("tokens").display().to_string()
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
