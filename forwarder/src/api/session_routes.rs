//! Sessions: how they come to be, are looked at and end.

use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api,
    access::{Caller, require_admin},
    answer::{Owner, ask, call, done},
    conditions::{DryRun, etag, with},
    error::Problem,
    extract::{Ids, Json, id},
    session_model as model, session_requests as requests, whole,
};
use crate::{node::Node, sessions::ids::SessionId};

/// The paths of sessions.
pub fn routes() -> OpenApiRouter<Api> {
    let listed = OpenApiRouter::default()
        .routes(routes!(list_sessions))
        .route_layer(axum::middleware::from_fn(require_admin));
    OpenApiRouter::default()
        .merge(listed)
        .routes(routes!(create_session))
        .routes(routes!(show_session, close_session))
        .routes(routes!(restart_ice))
}

/// Reads the id of a session in a path.
pub fn session_id(text: &str) -> Result<SessionId, Problem> {
    id("session", "/v0/sessions", text)
}

/// Lists sessions.
#[utoipa::path(
    get,
    path = "/v0/sessions",
    tag = "sessions",
    responses((status = 200, description = "all sessions", body = [model::Session]))
)]
async fn list_sessions(State(node): Owner) -> Result<Response, Problem> {
    whole::list::<model::Session>(&node).await
}

/// Shows a session.
#[utoipa::path(
    get,
    path = "/v0/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "the session's id")),
    responses((status = 200, description = "the session", body = model::Session))
)]
async fn show_session(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let look = move |node: &mut Node| {
        caller.may_act(node, id)?;
        Ok(model::Session::find(node, id)?)
    };
    ask(&node, StatusCode::OK, look).await
}

/// Creates a session with a peer: by its SDP offer, by an offer of the forwarder, or by parameters.
///
/// The answer holds a key that is good for this session alone.
#[utoipa::path(
    post,
    path = "/v0/sessions",
    tag = "sessions",
    params(("dry_run" = Option<bool>, Query, description = "only check")),
    request_body = requests::Session,
    responses(
        (
            status = 201,
            description = "what the peer has to be told",
            body = model::CreatedSession,
            headers(("Location" = String), ("ETag" = String))
        ),
        (status = 204, description = "it could be created (dry run)"),
    )
)]
async fn create_session(
    State(api): State<Api>,
    caller: Caller,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Session>,
) -> Result<Response, Problem> {
    let spec = request.spec(&caller)?;
    let access = std::sync::Arc::clone(&api.access);
    let join = move |node: &mut Node| {
        let Some(joined) = node.join(spec, dry_run)? else {
            return Ok(None);
        };
        let key = access.session_key(joined.id, &caller);
        let version = node.member(joined.id)?.version;
        Ok(Some((
            model::CreatedSession::new(node, joined, key)?,
            version,
        )))
    };
    let Some((created, version)) = call(&api.node, join).await? else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let location = format!("/v0/sessions/{}", created.id());
    let answer = (StatusCode::CREATED, Answer(created)).into_response();
    let answer = with(answer, header::LOCATION, &location);
    Ok(with(answer, header::ETAG, &etag(version)))
}

/// Closes a session.
#[utoipa::path(
    delete,
    path = "/v0/sessions/{id}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    responses((status = 204, description = "it is closed"))
)]
async fn close_session(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let close = move |node: &mut Node| {
        caller.may_close(node, id)?;
        Ok(node.leave(id, dry_run)?)
    };
    done(&node, close).await
}

/// Restarts ICE of a session that was created by parameters.
#[utoipa::path(
    post,
    path = "/v0/sessions/{id}/ice",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "the session's id"),
        ("dry_run" = Option<bool>, Query, description = "only check"),
    ),
    request_body = requests::Ice,
    responses(
        (status = 200, description = "our new credentials", body = model::Ice),
        (status = 204, description = "it could be restarted (dry run)"),
    )
)]
async fn restart_ice(
    State(node): Owner,
    caller: Caller,
    Ids(text): Ids<String>,
    DryRun(dry_run): DryRun,
    Json(request): Json<requests::Ice>,
) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let remote = request.credentials()?;
    let restart = move |node: &mut Node| {
        caller.may_act(node, id)?;
        let local = node.restart_ice(id, remote, dry_run)?;
        Ok(local.map(|local| model::Ice::new(node, &local)))
    };
    Ok(match call(&node, restart).await? {
        Some(ice) => Answer(ice).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
