//! The command line.

mod token;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

pub use self::token::TokenArgs;
use crate::config::{
    Announced, ApiLimitOverrides, Config, ConfigError, ControlOverrides, IceServer, Overrides,
    PathChoice, RoomOverrides, Secret, parse_announced, parse_api, parse_api_access, parse_api_tls,
    parse_dscp, parse_file, parse_ice_url, parse_iface, parse_lease, parse_max_publications,
    parse_max_sessions, parse_max_subscriptions, parse_media_address, parse_media_port, parse_name,
    parse_origin, parse_path, parse_rooms, parse_secret_file, parse_ttl, parse_workers, read,
};

/// Forwards WebRTC and RTP from publishers to subscribers, in the kernel (XDP) where it can.
///
/// `forwarder run` starts a node, which is told over HTTP what to forward. The environment variable RUST_LOG sets what is
/// logged to standard error: error, warn, info (the default), debug or trace, also per module.
#[derive(Debug, Parser)]
#[command(name = "forwarder", version, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node in the foreground until SIGTERM, SIGINT or `forwarder stop`
    ///
    /// Prints one line to standard output when it is ready, such as `forwarder ready: api http://127.0.0.1:7600 path kernel
    /// (eth0) sessions at 10.0.0.1:7700 key /run/forwarder/default.key`. Media goes on in the kernel if this process is killed, until the lease runs out; a new `forwarder run` of
    /// the same name takes over. Without --iface, or without root, media is forwarded through sockets.
    Run(Box<RunArgs>),
    /// Stop a node, and clean up after one that was killed
    ///
    /// Sends SIGTERM to the node of this name and waits for it. If it is dead, removes the XDP programs, pinned maps,
    /// network namespace and virtual interfaces that it left.
    Stop {
        /// Name that the node was started with
        #[arg(long, default_value = "default", value_parser = allowed(parse_name))]
        name: String,
    },
    /// Check whether an interface is fit for XDP forwarding, and say what mends each finding
    ///
    /// Looks at driver, native XDP, programs already attached, queues, rings, MTU, offloads, kernel version and features. Exit
    /// status 0 if the interface is fit, 1 if not.
    Doctor {
        /// Name of the interface, as `ip link` shows it
        #[arg(value_parser = allowed(parse_iface))]
        iface: String,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a token by which someone joins a room, and print it
    ///
    /// A JSON Web Token, signed with a key that the node checks tokens with. A service can make the same by itself: the claims
    /// are exp, room ("*" for all), publish, subscribe, admin and, as needed, sub, nbf, jti, max_sessions, max_tracks, max_bitrate.
    Token(Box<TokenArgs>),
}

/// Flags of `forwarder run`. Each overrides the key of the same name in the configuration file.
#[derive(Args, Debug, Default)]
pub struct RunArgs {
    /// Configuration file in TOML, with the other flags' long names as keys: iface = ["eth0"], dscp = 46, lease = "30s"
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Interface to attach XDP to; repeat it for several, up to 7
    #[arg(long = "iface", value_name = "NAME", value_parser = allowed(parse_iface))]
    pub ifaces: Vec<String>,
    /// Forwarding path: auto takes the kernel path where it works and says why where it does not; kernel makes that an error;
    /// socket needs no privilege [default: auto]
    #[arg(long, value_name = "auto|kernel|socket", value_parser = allowed(parse_path))]
    pub path: Option<PathChoice>,
    /// Address and port of the control API [default: 127.0.0.1:7600]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = allowed(parse_api))]
    pub api: Option<SocketAddr>,
    /// Name of the node, if several run on this host [default: default]
    #[arg(long, value_parser = allowed(parse_name))]
    pub name: Option<String>,
    /// How long the kernel goes on sending when this process no longer renews the lease, 1s to 1day [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = allowed(parse_lease))]
    pub lease: Option<Duration>,
    /// Differentiated services code point of media, 0-63, for endpoints that name none [default: 0]
    #[arg(long, value_name = "N", value_parser = allowed(parse_dscp))]
    pub dscp: Option<u8>,
    /// TTL (IPv4) or hop limit (IPv6) of media, 1-255 [default: 64]
    #[arg(long, value_name = "N", value_parser = allowed(parse_ttl))]
    pub ttl: Option<u8>,
    /// Most subscriptions, 1-262144; about 1 KiB, and 96 bytes per CPU, are taken for each at start [default: 16384]
    #[arg(long, value_name = "N", value_parser = allowed(parse_max_subscriptions))]
    pub max_subscriptions: Option<u32>,
    /// Most publications, 1-65536 [default: 1024]
    #[arg(long, value_name = "N", value_parser = allowed(parse_max_publications))]
    pub max_publications: Option<u32>,
    /// Most sessions, 1-4095 [default: 1024]
    #[arg(long, value_name = "N", value_parser = allowed(parse_max_sessions))]
    pub max_sessions: Option<u32>,
    /// UDP and TCP port of all sessions [default: 7700]
    #[arg(long, value_name = "PORT", value_parser = allowed(parse_media_port))]
    pub media_port: Option<u16>,
    /// Address of this host that sessions can be reached at; repeat it for several, up to 16 [default: every global address
    /// of the host's interfaces; those of loopback if there is none]
    #[arg(long = "media-address", value_name = "ADDRESS", value_parser = allowed(parse_media_address))]
    pub media_addresses: Vec<IpAddr>,
    /// Address that peers are told in the place of a local one, behind a NAT that keeps ports; repeat it for several
    #[arg(long, value_name = "LOCAL=PUBLIC", value_parser = allowed(parse_announced))]
    pub announced: Vec<Announced>,
    /// Threads that open and seal media, each on a CPU of its own, 1-16 [default: one per CPU]
    #[arg(long, value_name = "N", value_parser = allowed(parse_workers))]
    pub workers: Option<u32>,
    /// Certificate for DTLS, ECDSA with P-256, in PEM or DER; needs --private-key [default: one is made at every start]
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_file))]
    pub certificate: Option<PathBuf>,
    /// Private key of the certificate, in PEM or DER
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_file))]
    pub private_key: Option<PathBuf>,
    /// Who may use the API: who has a key or a token, or, open, whoever reaches it, for which it has to be on loopback. Without a
    /// key the node makes one for this run, in a file of its user's alone, which the ready line names [default: keys]
    #[arg(long, value_name = "keys|open", value_parser = allowed(parse_api_access))]
    pub api_access: Option<bool>,
    /// File with the key that grants everything in the API
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_secret_file))]
    pub admin_key_file: Option<Secret>,
    /// File with the secret that tokens are signed with (HS256)
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_secret_file))]
    pub token_secret_file: Option<Secret>,
    /// File with the Ed25519 public key, in PEM, of who signs tokens (EdDSA); repeat it for several
    #[arg(long = "token-public-key", value_name = "FILE", value_parser = allowed(parse_file))]
    pub token_public_keys: Vec<PathBuf>,
    /// Origin whose pages may use the API, such as `https://example.com`; repeat it for several [default: the node's own]
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = allowed(parse_origin))]
    pub cors_origins: Vec<String>,
    /// Whether the API speaks TLS with a certificate made at start [default: off]
    #[arg(long, value_name = "off|self-signed", value_parser = allowed(parse_api_tls))]
    pub api_tls: Option<bool>,
    /// Certificate chain of the API, in PEM; needs --api-private-key [default: no TLS]
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_file))]
    pub api_certificate: Option<PathBuf>,
    /// Private key of the API's certificate, in PEM
    #[arg(long, value_name = "FILE", value_parser = allowed(parse_file))]
    pub api_private_key: Option<PathBuf>,
    /// STUN server that clients are told of, such as `stun:stun.example.net`; repeat it for several. TURN servers, which want a
    /// username and a credential, stand in the file, as [[ice-server]] [default: none, and the forwarder itself needs none]
    #[arg(long = "ice-server", value_name = "URL", value_parser = allowed(parse_ice_url))]
    pub ice_servers: Vec<String>,
    /// Whether whoever joins makes a room, or rooms are declared before [default: open]
    #[arg(long, value_name = "open|declared", value_parser = allowed(parse_rooms))]
    pub rooms: Option<bool>,
}

/// The list, if anything is in it.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn without_credential(url: String) -> IceServer {
    IceServer {
        url,
        username: None,
        credential: None,
    }
}

/// Makes clap say what is allowed: it has named the flag and the value by then.
fn allowed<T>(parse: fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| parse(text).map_err(|allowed| format!("allowed: {allowed}"))
}

impl RunArgs {
    /// Defaults, file and flags together.
    ///
    /// # Errors
    /// Those of the file, and values that do not go together.
    pub fn into_config(self) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        if let Some(file) = &self.config {
            config.override_with(read(file)?)?;
        }
        config.override_with(Overrides {
            ifaces: some(self.ifaces),
            path: self.path,
            api: self.api,
            name: self.name,
            lease: self.lease,
            dscp: self.dscp,
            ttl: self.ttl,
            max_subscriptions: self.max_subscriptions,
            max_publications: self.max_publications,
            max_sessions: self.max_sessions,
            media_port: self.media_port,
            media_addresses: some(self.media_addresses),
            announced: some(self.announced),
            workers: self.workers,
            certificate: self.certificate,
            private_key: self.private_key,
            control: ControlOverrides {
                open: self.api_access,
                admin_key: self.admin_key_file,
                token_secret: self.token_secret_file,
                token_public_keys: some(self.token_public_keys),
                cors_origins: some(self.cors_origins),
                self_signed: self.api_tls,
                api_certificate: self.api_certificate,
                api_private_key: self.api_private_key,
                webhooks: None,
                limits: ApiLimitOverrides::default(),
                ice_servers: some(
                    self.ice_servers
                        .into_iter()
                        .map(without_credential)
                        .collect(),
                ),
            },
            rooms: RoomOverrides {
                made_by_joining: self.rooms,
                ..RoomOverrides::default()
            },
        })?;
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(flags: &[&str]) -> Result<Config, String> {
        let arguments = ["forwarder", "run"].iter().chain(flags);
        match Cli::try_parse_from(arguments)
            .map_err(|error| error.to_string())?
            .command
        {
            Command::Run(args) => args.into_config().map_err(|error| error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_override_defaults() {
        assert_eq!(run(&[]), Ok(Config::default()));
        let config = run(&[
            "--iface", "a", "--iface", "b", "--lease", "5s", "--path", "socket",
        ])
        .unwrap();
        assert_eq!(config.ifaces, ["a", "b"]);
        assert_eq!(
            (config.lease, config.path),
            (Duration::from_secs(5), PathChoice::Socket)
        );
    }

    #[test]
    fn errors_name_flag_value_and_what_is_allowed() {
        for (flag, value, allowed) in [
            ("--dscp", "64", "0 to 63"),
            ("--ttl", "0", "1 to 255"),
            ("--lease", "0s", "from 1s"),
            ("--api", "7600", "127.0.0.1:7600"),
            ("--path", "xdp", "auto, kernel or socket"),
            ("--api-access", "all", "keys or open"),
            ("--name", "a/b", "letters"),
            ("--media-port", "70000", "1 to 65535"),
            ("--media-address", "::", "this host"),
            ("--announced", "10.0.0.1=fd00::1", "one family"),
            ("--max-sessions", "0", "1 to 4095"),
            ("--workers", "17", "1 to 16"),
            ("--ice-server", "stun://x", "stun:HOST"),
        ] {
            let error = run(&[flag, value]).unwrap_err();
            for part in [flag, value, allowed] {
                assert!(error.contains(part), "{error:?} lacks {part:?}");
            }
        }
    }

    #[test]
    fn interfaces_are_at_most_seven_and_differ() {
        let eight: Vec<String> = (0..8).map(|at| format!("--iface=eth{at}")).collect();
        let eight: Vec<&str> = eight.iter().map(String::as_str).collect();
        assert!(run(&eight[..7]).is_ok());
        assert!(run(&eight).unwrap_err().contains("at most 7"));
        assert!(
            run(&["--iface=a", "--iface=a"])
                .unwrap_err()
                .contains("\"a\"")
        );
    }

    #[test]
    fn what_sessions_need_goes_together() {
        for (flags, wanted) in [
            (&["--certificate=a"][..], "private-key"),
            (&["--private-key=a"], "certificate"),
            (
                &["--media-address=10.0.0.1", "--media-address=10.0.0.1"],
                "each once",
            ),
            (
                &["--media-address=10.0.0.1", "--announced=10.0.0.2=192.0.2.1"],
                "media-address names",
            ),
            (
                &[
                    "--announced=10.0.0.2=192.0.2.1",
                    "--announced=10.0.0.2=192.0.2.2",
                ],
                "each once",
            ),
        ] {
            let error = run(flags).unwrap_err();
            assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
        }
        assert!(run(&["--announced=10.0.0.2=192.0.2.1"]).is_ok());
    }

    #[test]
    fn every_flag_and_command_has_help() {
        for command in std::iter::once(&Cli::command()).chain(Cli::command().get_subcommands()) {
            assert!(command.get_about().is_some());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{argument}");
            }
        }
    }
}
