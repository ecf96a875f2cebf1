//! Who asks, and what they may do.
//!
//! Three kinds of credentials go by `Authorization: Bearer` (RFC 6750): the admin key of the configuration, a JSON Web Token, and
//! the key that the answer to a new session holds. An API is open, without any of them, only where the configuration says so, on loopback alone.
//!
//! What has expired may still end what it began, and nothing else.

mod caller;
mod claims;
mod failures;
mod session_key;
mod source;

use std::{
    fmt, fs, io,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};

use self::session_key::{SessionKey, SessionKeys};
pub use self::{
    caller::{Caller, require_admin},
    claims::{ANY_ROOM, Claims},
    failures::{Allowance, Allowances, Failures},
    source::Source,
};
use super::{
    Api,
    error::{GUESSED, Problem, UNAUTHORIZED},
};
use crate::{config::Control, sessions::ids::SessionId};

/// How far the clocks of those who make tokens may be off, in seconds.
const LEEWAY: u64 = 10;
const WANTED: &str = "Authorization: Bearer with the admin key, a token that is signed with a key of the configuration, or the key of a session";

/// What the node is told about access.
pub struct Access {
    keys: Option<Keys>,
    sessions: SessionKeys,
    origins: Vec<String>,
}

/// What credentials are checked with.
struct Keys {
    /// SHA-256, so that comparing takes the same time whatever is given.
    admin: Option<digest::Digest>,
    secret: Option<DecodingKey>,
    public: Vec<DecodingKey>,
}

/// Why a configuration of access cannot be.
#[derive(Debug)]
pub enum AccessError {
    /// Whoever reaches the address would control the node.
    Open(SocketAddr),
    /// Nobody could use it.
    NoKeys,
    /// A file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A file holds no Ed25519 public key.
    NoKey(PathBuf),
    /// The random generator failed.
    Random,
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(api) => write!(
                f,
                "api cannot be \"{api}\" where api-access is open: whoever reaches it would control the node; allowed: an address of \
                 loopback, or any with api-access = \"keys\""
            ),
            Self::NoKeys => f.write_str(
                "api-access cannot be \"keys\" without a key; allowed: keys with admin-key-file, token-secret-file or \
                 token-public-key, or open",
            ),
            Self::Unreadable(file, why) => {
                write!(
                    f,
                    "token-public-key: {} cannot be read: {why}",
                    file.display()
                )
            }
            Self::NoKey(file) => write!(
                f,
                "token-public-key cannot be {:?}; allowed: a file with an Ed25519 public key in PEM",
                file.display().to_string()
            ),
            Self::Random => f.write_str("the random generator failed"),
        }
    }
}

impl std::error::Error for AccessError {}

impl Access {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn new(control: &Control, api: SocketAddr) -> Result<Self, AccessError> {
        let public: Result<Vec<_>, _> = control.token_public_keys.iter().map(public_key).collect();
        let keys = Keys {
            admin: control.admin_key.as_ref().map(|key| sha256(key.expose())),
            secret: control
                .token_secret
                .as_ref()
                .map(|secret| DecodingKey::from_secret(secret.expose().as_bytes())),
            public: public?,
        };
        match (control.open, control.has_keys()) {
            (true, _) if !api.ip().is_loopback() => return Err(AccessError::Open(api)),
            (false, false) => return Err(AccessError::NoKeys),
            _ => {}
        }
        Ok(Self {
            // Where there are keys it is not open, whatever else is said.
            keys: (!control.open || control.has_keys()).then_some(keys),
            sessions: SessionKeys::new().ok_or(AccessError::Random)?,
            origins: control.cors_origins.clone(),
        })
    }

    /// Whether whoever reaches the API may do everything.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.keys.is_none()
    }

    /// Origins whose pages may use the API.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The key of a session, for whoever creates it: it ends with what they hold.
    pub(super) fn session_key(&self, session: SessionId, creator: &Caller) -> String {
        let until = creator.until();
        self.sessions.write(SessionKey { session, until })
    }

    /// Finds out who asks.
    fn caller(&self, authorization: Option<&HeaderValue>) -> Result<Caller, Unknown> {
        let Some(keys) = &self.keys else {
            return Ok(Caller::Open);
        };
        let given = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let Some(given) = given else {
            return Err(Unknown::Asking("none"));
        };
        let token = given.split_once(' ').and_then(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
        });
        let Some(token) = token else {
            return Err(Unknown::Asking("of another scheme"));
        };
        if let Some(admin) = &keys.admin {
            let same = verify_slices_are_equal(admin.as_ref(), sha256(token).as_ref());
            if same.is_ok() {
                return Ok(Caller::Admin);
            }
        }
        if let Some(key) = self.sessions.read(token) {
            let expired = key
                .until
                .is_some_and(|until| until.saturating_add(LEEWAY) < now());
            return Ok(Caller::Session { key, expired });
        }
        let unknown = if token.starts_with(session_key::PREFIX) {
            Unknown::Stale
        } else {
            Unknown::Guessing
        };
        let (claims, expired) = keys.claims(token).map_err(unknown)?;
        Ok(Caller::Token {
            // Tokens that do not say whose they are are told apart by themselves.
            holder: claims
                .holder()
                .unwrap_or_else(|| format!("{:?}", sha256(token))),
            claims: Box::new(claims),
            expired,
        })
    }
}

/// Why it is not known who asks.
enum Unknown {
    /// No credentials that could be right.
    Asking(&'static str),
    /// Some that could, and are not.
    Guessing(Error),
    /// The key of a session of another run of the node, most likely: its page asks again and again, and there is nothing to guess in
    /// such keys.
    Stale(Error),
}

impl Unknown {
    fn problem(&self) -> Problem {
        match self {
            Self::Asking(given) => unauthorized(given, None),
            Self::Guessing(error) | Self::Stale(error) => {
                let (given, description) = reason(error);
                unauthorized(given, Some(description))
            }
        }
    }

    /// Whether it may have been an attempt to find some that hold. Tokens that do not hold yet were signed by who may.
    fn is_guess(&self) -> bool {
        matches!(self, Self::Guessing(error) if *error.kind() != ErrorKind::ImmatureSignature)
    }
}

/// In seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

impl Keys {
    /// Claims of a token that one of the keys has signed, and whether it has expired.
    fn claims(&self, token: &str) -> Result<(Claims, bool), Error> {
        let header = decode_header(token).map_err(|_| Error::from(ErrorKind::InvalidToken))?;
        let keys = match header.alg {
            Algorithm::HS256 => self.secret.as_slice(),
            Algorithm::EdDSA => self.public.as_slice(),
            _ => &[],
        };
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // Looked at below: one that has expired may still end what it began.
        validation.validate_exp = false;
        let mut outcome = Err(ErrorKind::InvalidAlgorithm.into());
        for key in keys {
            outcome = decode::<Claims>(token, key, &validation).map(|read| {
                let expired = read.claims.exp.saturating_add(LEEWAY) < now();
                (read.claims, expired)
            });
            if !matches!(&outcome, Err(error) if *error.kind() == ErrorKind::InvalidSignature) {
                break;
            }
        }
        outcome
    }
}

fn public_key(file: &PathBuf) -> Result<DecodingKey, AccessError> {
    let pem = fs::read(file).map_err(|why| AccessError::Unreadable(file.clone(), why))?;
    DecodingKey::from_ed_pem(&pem).map_err(|_| AccessError::NoKey(file.clone()))
}

fn sha256(text: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, text.as_bytes())
}

/// What is wrong with a token: for people, and for `WWW-Authenticate`. The token itself is repeated in neither.
fn reason(error: &Error) -> (&'static str, &'static str) {
    match error.kind() {
        ErrorKind::ImmatureSignature => ("a token that does not hold yet", "not yet valid"),
        ErrorKind::InvalidSignature => ("a token that no known key has signed", "signature"),
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => (
            "a token of an algorithm that no key of the configuration is for",
            "algorithm",
        ),
        ErrorKind::MissingRequiredClaim(_)
        | ErrorKind::InvalidClaimFormat(_)
        | ErrorKind::Json(_)
        | ErrorKind::InvalidAudience => (
            "a token whose claims are not exp, room and, if it has them, nbf, sub, jti, publish, subscribe, admin, \
             max_sessions, max_tracks and max_bitrate",
            "claims",
        ),
        _ => ("neither the admin key nor a token", "malformed"),
    }
}

fn unauthorized(given: &'static str, description: Option<&str>) -> Problem {
    let problem = Problem::new(&UNAUTHORIZED, "Authorization", given, WANTED);
    let challenge = match description {
        None => "Bearer".to_owned(),
        Some(why) => format!("Bearer error=\"invalid_token\", error_description=\"{why}\""),
    };
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}

/// What has expired is answered with.
fn expired() -> Problem {
    unauthorized("a token that has expired", Some("expired"))
}

fn guessed(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let allowed = format!(
        "credentials that hold, in {seconds} s; too many that did not came from this address"
    );
    let problem = Problem::new(&GUESSED, "Authorization", "not looked at", allowed);
    problem.with(header::RETRY_AFTER, HeaderValue::from(seconds))
}

/// Lets through who can say who they are.
pub(super) async fn authenticate(
    State(api): State<Api>,
    source: Source,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let looked = Instant::now();
    let wait = api.failures.wait(source, looked);
    if let Some(wait) = wait.filter(|_| given.is_some() && !api.access.is_open()) {
        return guessed(wait).into_response();
    }
    match api.access.caller(given) {
        Ok(caller) if caller.is_expired() && request.method() != Method::DELETE => {
            expired().into_response()
        }
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(unknown) => {
            if unknown.is_guess() {
                api.failures.note(source, looked);
            }
            unknown.problem().into_response()
        }
    }
}
