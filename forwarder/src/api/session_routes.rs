//! The paths of sessions and what is done at each.

use axum::{
    Router,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
    response::Response,
    routing::{delete, get, post},
};

use super::{
    error::{Problem, UNKNOWN},
    routes::{Body, Id, Owner, PATHS, ask, body, id},
    session_model as model, session_requests as requests,
};
use crate::{
    node::NodeHandle,
    sessions::ids::{PublicationId, SessionId, SubscriptionId},
};

/// The paths of sessions.
pub fn routes() -> Router<NodeHandle> {
    Router::new()
        .route("/v0/sessions", get(list).post(create))
        .route("/v0/sessions/{id}", get(show).delete(close))
        .route("/v0/sessions/{id}/ice", post(restart_ice))
        .route("/v0/sessions/{id}/publications", post(publish))
        .route(
            "/v0/sessions/{id}/publications/{line}",
            get(show_publication).merge(delete(unpublish)),
        )
        .route("/v0/sessions/{id}/subscriptions", post(subscribe))
        .route(
            "/v0/sessions/{id}/subscriptions/{line}",
            get(show_subscription).merge(delete(unsubscribe)),
        )
        .route("/v0/sessions/{id}/subscriptions/{line}/pause", post(pause))
        .route(
            "/v0/sessions/{id}/subscriptions/{line}/resume",
            post(resume),
        )
}

/// The ids of a session and of one of its m-lines in a path, as they were written.
struct Ids(String, String);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path((session, line))) => Ok(Self(session, line)),
            // Percent-encoded bytes that are no text.
            Err(_) => Err(Problem::new(&UNKNOWN, "path", parts.uri.path(), PATHS)),
        }
    }
}

fn session_id(text: &str) -> Result<SessionId, Problem> {
    id("session", "/v0/sessions", text)
}

fn publication_ids(Ids(session, line): &Ids) -> Result<(SessionId, PublicationId), Problem> {
    let publication = id("publication", "/v0/sessions/ID", line)?;
    Ok((session_id(session)?, publication))
}

fn subscription_ids(Ids(session, line): &Ids) -> Result<(SessionId, SubscriptionId), Problem> {
    let subscription = id("subscription", "/v0/sessions/ID", line)?;
    Ok((session_id(session)?, subscription))
}

async fn list(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| model::Session::all(node)).await
}

async fn show(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        model::Session::find(node, id)
    })
    .await
}

async fn create(State(node): Owner, bytes: Body) -> Result<Response, Problem> {
    let spec = requests::session(&body(bytes)?)?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.create(now, spec))?;
        model::CreatedSession::find(node, id)
    })
    .await
}

async fn close(State(node): Owner, Id(text): Id) -> Result<StatusCode, Problem> {
    let id = session_id(&text)?;
    let closed = node.call(move |node| node.command(|sessions, now| sessions.close(now, id)));
    closed.await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn restart_ice(State(node): Owner, Id(text): Id, bytes: Body) -> Result<Response, Problem> {
    let id = session_id(&text)?;
    let remote = requests::ice(&body(bytes)?)?;
    ask(&node, StatusCode::OK, move |node| {
        let local = node.command(|sessions, _| sessions.restart_ice(id, remote))?;
        Ok(model::Ice::new(node, &local))
    })
    .await
}

async fn publish(State(node): Owner, Id(text): Id, bytes: Body) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let spec = requests::publication(&body(bytes)?)?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.publish(now, session, &spec))?;
        model::SessionPublication::find(node, session, id)
    })
    .await
}

async fn show_publication(State(node): Owner, ids: Ids) -> Result<Response, Problem> {
    let (session, id) = publication_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        model::SessionPublication::find(node, session, id)
    })
    .await
}

async fn unpublish(State(node): Owner, ids: Ids) -> Result<StatusCode, Problem> {
    let (session, id) = publication_ids(&ids)?;
    let ended =
        node.call(move |node| node.command(|sessions, now| sessions.unpublish(now, session, id)));
    ended.await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn subscribe(State(node): Owner, Id(text): Id, bytes: Body) -> Result<Response, Problem> {
    let session = session_id(&text)?;
    let spec = requests::subscription(&body(bytes)?)?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.command(|sessions, now| sessions.subscribe(now, session, &spec))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

async fn show_subscription(State(node): Owner, ids: Ids) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

async fn unsubscribe(State(node): Owner, ids: Ids) -> Result<StatusCode, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    let ended =
        node.call(move |node| node.command(|sessions, now| sessions.unsubscribe(now, session, id)));
    ended.await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(node): Owner, ids: Ids) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        node.command(|sessions, _| sessions.pause(session, id))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}

async fn resume(State(node): Owner, ids: Ids) -> Result<Response, Problem> {
    let (session, id) = subscription_ids(&ids)?;
    ask(&node, StatusCode::OK, move |node| {
        node.command(|sessions, now| sessions.resume(now, session, id))?;
        model::SessionSubscription::find(node, session, id)
    })
    .await
}
