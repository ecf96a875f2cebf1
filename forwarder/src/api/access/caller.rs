//! What callers may do.

use axum::{
    extract::{FromRequestParts, Request},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{ANY_ROOM, Claims};
use crate::{
    api::error::{FAILED, FORBIDDEN, Problem},
    sessions::ids::SessionId,
};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever reaches the API.
    Open,
    /// Who has the admin key.
    Admin,
    /// Who has a token.
    Token(Claims),
    /// Who has created this session.
    Session(SessionId),
}

impl Caller {
    /// Whether they may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match self {
            Self::Open | Self::Admin => true,
            Self::Token(claims) => claims.admin && claims.room == ANY_ROOM,
            Self::Session(_) => false,
        }
    }

    /// Whether they may do everything in this room.
    #[must_use]
    pub fn is_admin_of(&self, room: &str) -> bool {
        let of_room = matches!(self, Self::Token(claims) if claims.admin && claims.covers(room));
        of_room || self.is_admin()
    }

    /// What tells them from others, in one word.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::Admin => "admin".to_owned(),
            Self::Session(session) => format!("session:{session}"),
            Self::Token(claims) => claims.holder().unwrap_or_else(|| {
                // Tokens that say nothing of their holder are the same if they say the same.
                serde_json::to_string(claims).unwrap_or_default()
            }),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| {
            let allowed = "a bug in the forwarder: report it";
            Problem::new(&FAILED, "Authorization", "not looked at", allowed)
        })
    }
}

/// Refuses everything but what needs no grant.
pub fn forbidden(given: impl Into<String>, allowed: impl Into<String>) -> Problem {
    Problem::new(&FORBIDDEN, "Authorization", given.into(), allowed)
}

/// Lets through who may do everything.
pub async fn require_admin(caller: Caller, request: Request, next: Next) -> Response {
    if caller.is_admin() {
        return next.run(request).await;
    }
    let allowed = "the admin key, or a token with admin for all rooms";
    forbidden("a key or token for less", allowed).into_response()
}
