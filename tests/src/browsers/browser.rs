//! A browser that runs in a namespace, with the page of the tests open in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::peer::Peer;
use super::process::{Driver, Pending};
use super::programs::{self, Kind};
use super::report::Codecs;
use crate::netns::Netns;

/// How long a browser may take to start: longer than the driver waits for it. Firefox with a new profile takes four seconds on an idle
/// machine of two cores.
const OPENING: Duration = Duration::from_secs(150);

/// How long a page may take for what it is told: longer than the driver's own patience, which knows better what it waited for.
pub const ACTING: Duration = Duration::from_secs(30);

/// What a browser is started with, besides what all are.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A film for the camera of Chromium (y4m), instead of its own.
    pub y4m: Option<PathBuf>,
    /// The tone of Firefox's fake microphone, Hz, instead of that of stream 7.
    pub tone: Option<u32>,
    /// More arguments of its command line.
    pub arguments: Vec<String>,
}

/// A browser that runs. Clones are the same one; when the last goes, it is closed.
#[derive(Clone, Debug)]
pub struct Browser(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    kind: Kind,
    version: String,
    origin: String,
    // Before the profile, which it still writes to until it has ended.
    driver: Driver,
    _profile: Profile,
}

/// A folder for one browser's own files.
#[derive(Debug)]
struct Profile(PathBuf);

/// A browser that is being started.
#[derive(Debug)]
pub struct Opening {
    driver: Driver,
    pending: Pending,
    profile: Profile,
    name: String,
    kind: Kind,
}

impl Browser {
    /// Starts a browser inside a namespace, whose loopback has to be up. The name is for messages.
    ///
    /// # Errors
    /// When something is not installed, or it does not start within `OPENING`.
    pub fn open(kind: Kind, name: &str, netns: &Netns, options: &Options) -> Result<Self> {
        Self::begin(kind, name, netns, options)?.finish()
    }

    /// Begins to start one, so that others can start at the same time.
    ///
    /// # Errors
    /// When something is not installed.
    pub fn begin(kind: Kind, name: &str, netns: &Netns, options: &Options) -> Result<Opening> {
        let profile = Profile::new()?;
        let mut command = netns.command(programs::node()?);
        command
            .arg(programs::driver())
            // Firefox keeps files at home otherwise, and asks the desktop.
            .env("HOME", &profile.0)
            .env("MOZ_HEADLESS", "1")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("DISPLAY")
            .envs(
                ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"]
                    .map(|name| (name, String::new())),
            );
        let driver = Driver::start(command)?;
        let arguments = json!({
            "kind": kind.name(),
            "program": kind.find()?,
            "modules": programs::modules()?,
            "profile": profile.0.join("profile"),
            "y4m": options.y4m,
            "tone": options.tone,
            "args": options.arguments,
        });
        std::fs::create_dir(profile.0.join("profile"))?;
        let pending = driver.give("open", arguments)?;
        Ok(Opening {
            driver,
            pending,
            profile,
            name: name.to_owned(),
            kind,
        })
    }

    /// The browser's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// As it calls itself: `Chrome/156.0.8078.79`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The origin of the page of the tests, by which an API admits it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// What it has said on its console.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.0.driver.said()
    }

    /// Makes a peer connection of this name in the page.
    ///
    /// # Errors
    /// When the page refuses.
    pub fn peer(&self, name: &str) -> Result<Peer> {
        Peer::make(self, name)
    }

    /// The codecs that it sends and takes.
    ///
    /// # Errors
    /// When the page does not tell.
    pub fn codecs(&self) -> Result<Codecs> {
        self.act("codecs", json!({}))
    }

    /// Waits until an endpoint of WHIP or WHEP answers its page, which may take a while after the network has changed.
    ///
    /// # Errors
    /// When it does not within `ACTING`.
    pub fn reach(&self, url: &str) -> Result<()> {
        let status: u16 = self.act("reach", json!({ "url": url }))?;
        ensure!(status < 300, "{url} answers {status}");
        Ok(())
    }

    /// The formats of a codec of pictures that it sends, as in `a=fmtp`.
    ///
    /// # Errors
    /// When the page does not tell.
    pub fn formats(&self, codec: &str) -> Result<Vec<String>> {
        self.act("formats", json!({ "codec": codec }))
    }

    /// Loads the page of the tests anew, or another address. All peers are gone with the page before.
    ///
    /// # Errors
    /// When it does not load.
    pub fn visit(&self, url: Option<&str>) -> Result<()> {
        self.done("visit", json!({ "url": url }))
    }

    /// What an expression is in the open page.
    ///
    /// # Errors
    /// When it throws.
    pub fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Result<T> {
        let value = self.tell("evaluate", json!({ "expression": expression }))?;
        serde_json::from_value(value).with_context(|| format!("{expression} is something else"))
    }

    /// Clicks on what a selector of CSS finds.
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn click(&self, selector: &str) -> Result<()> {
        self.done("click", json!({ "selector": selector }))
    }

    /// Fills in a field.
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn fill(&self, selector: &str, value: &str) -> Result<()> {
        self.done("fill", json!({ "selector": selector, "value": value }))
    }

    /// Presses a key, such as `Tab`.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn press(&self, key: &str) -> Result<()> {
        self.done("press", json!({ "key": key }))
    }

    /// Makes the page this wide and high, in pixels.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.done("resize", json!({ "width": width, "height": height }))
    }

    /// Keeps a picture of the page in `target/artefacts/NAME.png`.
    ///
    /// # Errors
    /// When it cannot be taken or kept.
    pub fn screenshot(&self, name: &str) -> Result<PathBuf> {
        let path = programs::artefacts()?.join(format!("{name}.png"));
        self.done("screenshot", json!({ "path": path }))?;
        Ok(path)
    }

    /// Keeps the pictures that its peers could not read in `target/artefacts/NAME-1.png` and so on.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn keep_damaged(&self, name: &str) -> Result<()> {
        let path = programs::artefacts()?.join(name);
        self.done("keep", json!({ "path": path }))
    }

    /// Calls an action of the page of the tests.
    pub(super) fn act<T: DeserializeOwned>(&self, action: &str, arguments: Value) -> Result<T> {
        let given = json!({ "action": action, "args": arguments });
        let value = self.tell("act", given).with_context(|| action.to_owned())?;
        serde_json::from_value(value).with_context(|| format!("{action} answered something else"))
    }

    fn done(&self, name: &str, arguments: Value) -> Result<()> {
        self.tell(name, arguments).map(drop)
    }

    fn tell(&self, name: &str, arguments: Value) -> Result<Value> {
        let pending = self.0.driver.give(name, arguments);
        pending
            .and_then(|pending| pending.wait(ACTING))
            .with_context(|| format!("browser {}", self.0.name))
    }
}

impl Opening {
    /// Waits until the browser is there.
    ///
    /// # Errors
    /// When it does not start within [`OPENING`].
    pub fn finish(self) -> Result<Browser> {
        let Self {
            driver,
            pending,
            profile,
            name,
            kind,
        } = self;
        let opened = pending.wait(OPENING).with_context(|| {
            let said = driver.said().join("\n");
            format!("browser {name} did not start; it said:\n{said}")
        })?;
        let pid = opened["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        if let Ok(mut group) = driver.group.lock() {
            *group = pid;
        }
        Ok(Browser(Arc::new(Inner {
            name,
            kind,
            version: opened["version"].as_str().unwrap_or_default().to_owned(),
            origin: opened["origin"].as_str().unwrap_or_default().to_owned(),
            driver,
            _profile: profile,
        })))
    }
}

impl Profile {
    fn new() -> Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("forwarder-browser-{}-{number}", std::process::id()));
        make(&folder)?;
        Ok(Self(folder))
    }
}

fn make(folder: &Path) -> Result<()> {
    // One that a killed test with the same process id left.
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
