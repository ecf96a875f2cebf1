//! A node whose API other hosts reach, and pages of the browsers may use: keys, origins and tokens.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, ensure};

use super::browser::Browser;
use crate::client::Client;
use crate::lab::Lab;
use crate::node::Node;
use crate::plan::Family;

/// The room that tokens admit to.
const ROOM: &str = "hall";

/// Files with the keys of an API; dropped, they are removed.
#[derive(Debug)]
pub struct Admission(PathBuf);

impl Admission {
    /// The key that grants everything, and the secret of tokens.
    pub const KEY: &str = "the-key-of-the-tests-of-browsers";

    /// What [`Admission::start_secure`] tells clients of. Nobody answers there.
    pub const ICE_SERVER: &str = "stun:10.200.0.1:3478";

    /// Writes the files.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("forwarder-admission-{}-{number}", std::process::id());
        let admission = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&admission.0)?;
        for file in [admission.admin(), admission.tokens()] {
            std::fs::write(&file, Self::KEY)?;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(admission)
    }

    /// Starts a node on all interfaces of the lab, whose API the pages of these browsers may use.
    ///
    /// # Errors
    /// As for [`Node::start_on_all`].
    pub fn start(&self, lab: &Lab, path: &str, browsers: &[&Browser]) -> Result<Node> {
        let (admin, tokens) = (self.admin(), self.tokens());
        let base = base(lab);
        let address = base.trim_start_matches("http://");
        let mut arguments = vec!["--path", path, "--api", address];
        arguments.extend(["--admin-key-file", &admin, "--token-secret-file", &tokens]);
        for browser in browsers {
            arguments.extend(["--cors-origin", browser.origin()]);
        }
        Node::start_on_all(lab, &arguments)
    }

    /// Starts a node whose API speaks TLS under a certificate of its own. Its pages are a secure context, and so may use cameras.
    ///
    /// # Errors
    /// As for [`Node::start_on_all`].
    pub fn start_secure(&self, lab: &Lab, path: &str) -> Result<Node> {
        let (admin, tokens) = (self.admin(), self.tokens());
        let base = secure_base(lab);
        let address = base.trim_start_matches("https://");
        let keys = ["--admin-key-file", &admin, "--token-secret-file", &tokens];
        let arguments = ["--path", path, "--api", address, "--api-tls", "self-signed"];
        let servers = ["--ice-server", Self::ICE_SERVER];
        Node::start_on_all(lab, &[&arguments[..], &keys[..], &servers[..]].concat())
    }

    /// A client that may do everything.
    ///
    /// # Errors
    /// As for [`Node::client`].
    pub fn client(&self, node: &Node) -> Result<Client> {
        Ok(node.client()?.with_key(Self::KEY))
    }

    /// A token that lets its holder publish and play in the room of [`whip`] and [`whep`].
    ///
    /// # Errors
    /// When `forwarder token` fails.
    pub fn token(&self, node: &Node) -> Result<String> {
        let secret = self.tokens();
        let arguments = ["token", "--token-secret-file", &secret, "--room", ROOM];
        let grants = ["--publish", "--subscribe"];
        let output = node.command(&[&arguments[..], &grants[..]].concat())?;
        ensure!(output.status.success(), "forwarder token: {output:?}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn admin(&self) -> String {
        self.0.join("admin").display().to_string()
    }

    fn tokens(&self) -> String {
        self.0.join("tokens").display().to_string()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the API is reached from every namespace of the lab.
#[must_use]
pub fn base(lab: &Lab) -> String {
    format!("http://{}:7600", lab.publisher().fwd_addr(Family::V4))
}

/// The same of a node that speaks TLS.
#[must_use]
pub fn secure_base(lab: &Lab) -> String {
    base(lab).replace("http://", "https://")
}

/// The endpoint of WHIP.
#[must_use]
pub fn whip(lab: &Lab) -> String {
    format!("{}/whip/{ROOM}", base(lab))
}

/// The endpoint of WHEP for what a session publishes.
#[must_use]
pub fn whep(lab: &Lab, session: &str) -> String {
    format!("{}/whep/{ROOM}?session={session}", base(lab))
}
