//! What callers may do.

use axum::{
    extract::{FromRequestParts, Request},
    http::request::Parts,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{ANY_ROOM, Claims, Source, expired, session_key::SessionKey};
use crate::{
    api::error::{FAILED, FORBIDDEN, Problem},
    node::Node,
    rooms::{ids::RoomId, specs::Grants},
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
    Token {
        /// What it says.
        claims: Box<Claims>,
        /// Who its sessions belong to.
        holder: String,
        /// Whether it may only end what it began.
        expired: bool,
    },
    /// Who has created a session.
    Session {
        /// What its key says.
        key: SessionKey,
        /// Whether it may only end the session.
        expired: bool,
    },
}

impl Caller {
    /// Whether they may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match self {
            Self::Open | Self::Admin => true,
            Self::Token {
                claims, expired, ..
            } => claims.admin && claims.room == ANY_ROOM && !expired,
            Self::Session { .. } => false,
        }
    }

    fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Token { claims, .. } => Some(claims),
            Self::Open | Self::Admin | Self::Session { .. } => None,
        }
    }

    /// Whether they may only end what they began.
    #[must_use]
    pub const fn is_expired(&self) -> bool {
        match self {
            Self::Open | Self::Admin => false,
            Self::Token { expired, .. } | Self::Session { expired, .. } => *expired,
        }
    }

    /// What tells them from others, in one word. Where everybody may do everything, that is where they come from.
    #[must_use]
    pub fn identity(&self, source: Source) -> String {
        match self {
            Self::Open => format!("open:{source}"),
            Self::Admin => "admin".to_owned(),
            Self::Session { key, .. } => format!("session:{}", key.session),
            Self::Token { holder, .. } => format!("token:{holder}"),
        }
    }

    /// Until when they may do it, in seconds since 1970.
    #[must_use]
    pub fn until(&self) -> Option<u64> {
        match self {
            Self::Open | Self::Admin => None,
            Self::Token { claims, .. } => Some(claims.exp),
            Self::Session { key, .. } => key.until,
        }
    }

    /// What a session of theirs may do in this room.
    ///
    /// # Errors
    /// A [`Problem`] where they may not join it.
    pub fn grants(&self, room: Option<&RoomId>) -> Result<Grants, Problem> {
        let Self::Token { claims, holder, .. } = self else {
            return match self {
                Self::Session { .. } => Err(forbidden(
                    "the key of a session",
                    "the admin key or a token: a session's key is for that session alone",
                )),
                _ => Ok(Grants {
                    admin: true,
                    ..Grants::default()
                }),
            };
        };
        match room {
            Some(room) if !claims.covers(room.as_str()) => {
                return Err(other_room(claims, room));
            }
            None if !self.is_admin() => {
                let allowed = "a room; sessions without one take the admin key, or a token with admin for all rooms";
                return Err(Problem::new(
                    &FORBIDDEN,
                    "room",
                    serde_json::Value::Null,
                    allowed,
                ));
            }
            _ => {}
        }
        Ok(Grants {
            publish: claims.publish || claims.admin,
            subscribe: claims.subscribe || claims.admin,
            admin: claims.admin,
            holder: Some(holder.clone()),
            max_sessions: claims.max_sessions,
            max_tracks: claims.max_tracks,
            max_bitrate: claims.max_bitrate,
        })
    }

    /// The name of a session of theirs: the token's, if it says one.
    ///
    /// # Errors
    /// A [`Problem`] where they ask for another.
    pub fn name(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        let own = self.claims().and_then(|claims| claims.sub.clone());
        match (own, asked) {
            (Some(own), Some(asked)) if own != asked && !self.is_admin() => Err(Problem::new(
                &FORBIDDEN,
                "name",
                asked,
                format!("{own:?}, as the token says, or none"),
            )),
            (own, asked) => Ok(asked.or(own)),
        }
    }

    /// Whether they may look at a room.
    ///
    /// # Errors
    /// A [`Problem`] where not.
    pub fn may_read(&self, node: &Node, room: &RoomId) -> Result<(), Problem> {
        let within = match self {
            Self::Open | Self::Admin => true,
            Self::Token { claims, .. } if claims.covers(room.as_str()) => true,
            Self::Token { claims, .. } => return Err(other_room(claims, room)),
            Self::Session { key, .. } => {
                let member = node.member(key.session);
                member.is_ok_and(|member| member.room.as_ref() == Some(room))
            }
        };
        if within {
            return Ok(());
        }
        Err(forbidden(
            "the key of a session elsewhere",
            "a key or token for this room",
        ))
    }

    /// Whether they may do everything in this room.
    ///
    /// # Errors
    /// A [`Problem`] where not.
    pub fn may_moderate(&self, room: Option<&RoomId>) -> Result<(), Problem> {
        if self.is_expired() {
            return Err(expired());
        }
        let of_room =
            |claims: &Claims| claims.admin && room.is_some_and(|room| claims.covers(room.as_str()));
        if self.is_admin() || self.claims().is_some_and(of_room) {
            return Ok(());
        }
        Err(forbidden(
            "a key or token without admin",
            "the admin key, or a token with admin for the room",
        ))
    }

    /// Whether a session is theirs, or in a room where they may do everything.
    ///
    /// # Errors
    /// A [`Problem`] where neither, or there is none with this id.
    pub fn may_act(&self, node: &Node, session: SessionId) -> Result<(), Problem> {
        if self.is_expired() {
            return Err(expired());
        }
        self.may_close(node, session)
    }

    /// Whether they may end a session: their own also when what they hold has expired.
    ///
    /// # Errors
    /// A [`Problem`] where not, or there is none with this id.
    pub fn may_close(&self, node: &Node, session: SessionId) -> Result<(), Problem> {
        let member = node.member(session)?;
        let own = match self {
            Self::Open | Self::Admin => true,
            Self::Session { key, .. } => key.session == session,
            Self::Token { holder, .. } => {
                member.holder.as_ref() == Some(holder)
                    || self.may_moderate(member.room.as_ref()).is_ok()
            }
        };
        if own {
            return Ok(());
        }
        let allowed =
            "the session's key, the token that created it, or one with admin for its room";
        Err(forbidden("a key or token for something else", allowed))
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

fn other_room(claims: &Claims, room: &RoomId) -> Problem {
    Problem::new(
        &FORBIDDEN,
        "room",
        room.as_str(),
        format!("{:?}, as the token says", claims.room),
    )
}

fn forbidden(given: &'static str, allowed: &'static str) -> Problem {
    Problem::new(&FORBIDDEN, "Authorization", given, allowed)
}

/// Lets through who may do everything.
pub async fn require_admin(caller: Caller, request: Request, next: Next) -> Response {
    if caller.is_admin() {
        return next.run(request).await;
    }
    let allowed = "the admin key, or a token with admin for all rooms";
    forbidden("a key or token for less", allowed).into_response()
}
