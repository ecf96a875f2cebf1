//! Who asks, and what they may do.
//!
//! Three kinds of credentials go by `Authorization: Bearer` (RFC 6750): the admin key of the configuration, a JSON Web Token, and
//! the key that the answer to a new session holds. Without any key in the configuration the API is open, on loopback alone.

mod caller;
mod claims;
mod session_key;

use std::{fmt, fs, io, net::SocketAddr, path::PathBuf};

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};

use self::session_key::SessionKeys;
pub use self::{
    caller::{Caller, require_admin},
    claims::{ANY_ROOM, Claims},
};
use super::{
    Api,
    error::{Problem, UNAUTHORIZED},
};
use crate::config::Control;

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
                "api cannot be \"{api}\" without a key: whoever reaches it would control the node; allowed: an address of \
                 loopback, or any with admin-key-file, token-secret-file or token-public-key"
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
        let any = keys.admin.is_some() || keys.secret.is_some() || !keys.public.is_empty();
        if !any && !api.ip().is_loopback() {
            return Err(AccessError::Open(api));
        }
        Ok(Self {
            keys: any.then_some(keys),
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

    /// The key of a session, for whoever creates it.
    pub(super) const fn sessions(&self) -> &SessionKeys {
        &self.sessions
    }

    /// Finds out who asks.
    fn caller(&self, authorization: Option<&HeaderValue>) -> Result<Caller, Problem> {
        let Some(keys) = &self.keys else {
            return Ok(Caller::Open);
        };
        let given = authorization.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let Some(given) = given else {
            return Err(unauthorized("none", WANTED, None));
        };
        let token = given.split_once(' ').and_then(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
        });
        let Some(token) = token else {
            return Err(unauthorized("of another scheme", WANTED, None));
        };
        if let Some(admin) = &keys.admin {
            let same = verify_slices_are_equal(admin.as_ref(), sha256(token).as_ref());
            if same.is_ok() {
                return Ok(Caller::Admin);
            }
        }
        if let Some(session) = self.sessions.session(token) {
            return Ok(Caller::Session(session));
        }
        match keys.claims(token) {
            Ok(claims) => Ok(Caller::Token {
                // Tokens that do not say whose they are are told apart by themselves.
                holder: claims
                    .holder()
                    .unwrap_or_else(|| format!("{:?}", sha256(token))),
                claims: Box::new(claims),
            }),
            Err(error) => {
                let (given, description) = reason(&error);
                Err(unauthorized(given, WANTED, Some(description)))
            }
        }
    }
}

impl Keys {
    /// Claims of a token that one of the keys has signed.
    fn claims(&self, token: &str) -> Result<Claims, Error> {
        let header = decode_header(token).map_err(|_| Error::from(ErrorKind::InvalidToken))?;
        let keys = match header.alg {
            Algorithm::HS256 => self.secret.as_slice(),
            Algorithm::EdDSA => self.public.as_slice(),
            _ => &[],
        };
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        let mut outcome = Err(ErrorKind::InvalidAlgorithm.into());
        for key in keys {
            outcome = decode::<Claims>(token, key, &validation).map(|read| read.claims);
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
        ErrorKind::ExpiredSignature => ("a token that has expired", "expired"),
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

fn unauthorized(given: &'static str, allowed: &str, description: Option<&str>) -> Problem {
    let problem = Problem::new(&UNAUTHORIZED, "Authorization", given, allowed);
    let challenge = match description {
        None => "Bearer".to_owned(),
        Some(why) => format!("Bearer error=\"invalid_token\", error_description=\"{why}\""),
    };
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}

/// Lets through who can say who they are.
pub(super) async fn authenticate(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Response {
    match api
        .access
        .caller(request.headers().get(header::AUTHORIZATION))
    {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}
