//! Who am I.

use axum::{Json as Answer, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::{ANY_ROOM, Caller},
    ice_servers::IceServerInfo,
};

/// The path of access.
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(show_access))
}

/// What the caller may do.
#[derive(Debug, Default, Serialize, ToSchema)]
struct AccessInfo {
    /// `open`, `admin`, `token` or `session`.
    mode: &'static str,
    /// The name that a token says.
    name: Option<String>,
    /// The room that a token is for; `*` is all.
    room: Option<String>,
    /// The session that a key is for.
    session: Option<String>,
    publish: bool,
    subscribe: bool,
    admin: bool,
    /// When a token expires, or a session's key with it, in seconds since 1970.
    expires: Option<u64>,
    /// Servers that may help to reach the forwarder, for `RTCPeerConnection`.
    ice_servers: Vec<IceServerInfo>,
}

/// Tells the caller what it may do.
#[utoipa::path(
    get,
    path = "/v0/access",
    tag = "node",
    responses((status = 200, description = "what the caller may do", body = AccessInfo))
)]
async fn show_access(State(api): State<Api>, caller: Caller) -> Answer<AccessInfo> {
    let all = |mode| AccessInfo {
        mode,
        room: Some(ANY_ROOM.to_owned()),
        publish: true,
        subscribe: true,
        admin: true,
        ..AccessInfo::default()
    };
    let told = match caller {
        Caller::Open => all("open"),
        Caller::Admin => all("admin"),
        Caller::Token { claims, .. } => AccessInfo {
            mode: "token",
            name: claims.sub,
            room: Some(claims.room),
            session: None,
            publish: claims.publish || claims.admin,
            subscribe: claims.subscribe || claims.admin,
            admin: claims.admin,
            expires: Some(claims.exp),
            ..AccessInfo::default()
        },
        Caller::Session { key, .. } => AccessInfo {
            mode: "session",
            session: Some(key.session.to_string()),
            expires: key.until,
            ..AccessInfo::default()
        },
    };
    Answer(AccessInfo {
        ice_servers: api.ice_servers.tell(),
        ..told
    })
}
