//! The paths of the API and what is done at each.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRequestParts, Path, Request, State, rejection::BytesRejection,
    },
    http::{Method, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;

use super::{
    error::{FORBIDDEN, INVALID, METHOD, Problem, TOO_LARGE, UNKNOWN},
    model,
    process_model::Process,
    requests, session_routes,
};
use crate::{
    core::{
        Input, Output,
        ids::{EndpointId, PublicationId, SubscriptionId},
        refusal::Refusal,
    },
    node::{Node, NodeHandle},
    page,
};

/// Largest body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

pub(super) const PATHS: &str = "/v0/endpoints, /v0/publications, /v0/subscriptions, /v0/sessions, each also with /ID; \
    /v0/subscriptions/ID/pause, /v0/subscriptions/ID/resume; /v0/sessions/ID/ice, /v0/sessions/ID/publications and \
    /v0/sessions/ID/subscriptions, the last two also with /ID, subscriptions also with /ID/pause and /ID/resume; \
    /v0/state, /v0/node, /v0/stop";

/// The API of a node.
pub fn router(node: NodeHandle) -> Router {
    Router::new()
        .route("/v0/endpoints", get(list_endpoints).post(create_endpoint))
        .route(
            "/v0/endpoints/{id}",
            get(show_endpoint).delete(delete_endpoint),
        )
        .route(
            "/v0/publications",
            get(list_publications).post(create_publication),
        )
        .route(
            "/v0/publications/{id}",
            get(show_publication).delete(delete_publication),
        )
        .route(
            "/v0/subscriptions",
            get(list_subscriptions).post(create_subscription),
        )
        .route(
            "/v0/subscriptions/{id}",
            get(show_subscription).delete(delete_subscription),
        )
        .route("/v0/subscriptions/{id}/pause", post(pause))
        .route("/v0/subscriptions/{id}/resume", post(resume))
        .route("/v0/state", get(show_state))
        .route("/v0/node", get(show_node))
        .route("/v0/stop", post(stop))
        .merge(session_routes::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(refuse_browsers))
        // Modules of a page are asked for with an `Origin`.
        .merge(page::routes())
        .with_state(node)
}

pub(super) type Owner = State<NodeHandle>;
pub(super) type Body = Result<Bytes, BytesRejection>;

/// The id in a path, as it was written.
pub(super) struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            // Percent-encoded bytes that are no text.
            Err(_) => Err(Problem::new(&UNKNOWN, "path", parts.uri.path(), PATHS)),
        }
    }
}

/// A page in a browser on this host could otherwise command the node: browsers send `Origin` with every such request.
async fn refuse_browsers(request: Request, next: Next) -> Response {
    match request.headers().get(header::ORIGIN) {
        None => next.run(request).await,
        Some(origin) => Problem::new(
            &FORBIDDEN,
            "Origin",
            String::from_utf8_lossy(origin.as_bytes()).into_owned(),
            "no such header: the API is for programs, not for pages in a browser",
        )
        .into_response(),
    }
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::new(&UNKNOWN, "path", uri.path(), PATHS)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let parts: Vec<&str> = uri.path().split('/').skip(2).collect();
    let allow = match parts.as_slice() {
        [_, _, _] | [_, _, _, _, _] | ["stop"] => "POST",
        [_, _] | [_, _, _, _] => "GET, DELETE",
        ["state" | "node"] => "GET",
        _ => "GET, POST",
    };
    Problem {
        allow: Some(allow),
        ..Problem::new(&METHOD, "method", method.as_str(), allow)
    }
}

pub(super) fn body(body: Body) -> Result<Bytes, Problem> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            &TOO_LARGE,
            "body",
            format!("more than {BODY_LIMIT} bytes"),
            format!("at most {BODY_LIMIT} bytes"),
        ),
        _ => Problem::new(
            &INVALID,
            "body",
            rejection.body_text(),
            "a JSON object, sent whole",
        ),
    })
}

/// Reads an id in a path; one that cannot be is one that nothing has.
pub(super) fn id<T: std::str::FromStr>(
    field: &'static str,
    list: &str,
    text: &str,
) -> Result<T, Problem> {
    let unknown = |_| Refusal::unknown(field, text, format!("an id that GET {list} lists"));
    Ok(text.parse().map_err(unknown)?)
}

fn endpoint_id(text: &str) -> Result<EndpointId, Problem> {
    id("endpoint", "/v0/endpoints", text)
}

fn publication_id(text: &str) -> Result<PublicationId, Problem> {
    id("publication", "/v0/publications", text)
}

fn subscription_id(text: &str) -> Result<SubscriptionId, Problem> {
    id("subscription", "/v0/subscriptions", text)
}

/// Looks at the node, or changes it; the answer comes when the tables hold the outcome.
pub(super) async fn ask<T: Serialize + Send + 'static>(
    node: &NodeHandle,
    status: StatusCode,
    question: impl FnOnce(&mut Node) -> Result<T, Refusal> + Send + 'static,
) -> Result<Response, Problem> {
    let answer = node.call(question).await??;
    Ok((status, Json(answer)).into_response())
}

async fn command(node: &NodeHandle, input: Input) -> Result<StatusCode, Problem> {
    node.call(|node| node.handle(input)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The core answers each command with its own kind of output.
fn unexpected(output: Output) -> Refusal {
    Refusal::failed(
        "node",
        format!("{output:?}"),
        "a bug in the forwarder: report it",
    )
}

async fn list_endpoints(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| Ok(model::Endpoint::all(node))).await
}

async fn show_endpoint(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    let id = endpoint_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        model::Endpoint::find(node, id)
    })
    .await
}

async fn create_endpoint(State(node): Owner, bytes: Body) -> Result<Response, Problem> {
    let spec = requests::endpoint(&body(bytes)?)?;
    let placed = node.place(&spec).await?;
    ask(&node, StatusCode::CREATED, move |node| {
        let id = node.create_endpoint(spec, placed)?;
        model::Endpoint::find(node, id)
    })
    .await
}

async fn delete_endpoint(State(node): Owner, Id(text): Id) -> Result<StatusCode, Problem> {
    command(&node, Input::DeleteEndpoint(endpoint_id(&text)?)).await
}

async fn list_publications(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| {
        Ok(model::Publication::all(node))
    })
    .await
}

async fn show_publication(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    let id = publication_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        model::Publication::find(node, id)
    })
    .await
}

async fn create_publication(State(node): Owner, bytes: Body) -> Result<Response, Problem> {
    let spec = requests::publication(&body(bytes)?)?;
    ask(&node, StatusCode::CREATED, move |node| {
        match node.handle(Input::CreatePublication(spec))? {
            Output::Publication(id) => model::Publication::find(node, id),
            other => Err(unexpected(other)),
        }
    })
    .await
}

async fn delete_publication(State(node): Owner, Id(text): Id) -> Result<StatusCode, Problem> {
    command(&node, Input::DeletePublication(publication_id(&text)?)).await
}

async fn list_subscriptions(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| model::Subscription::all(node)).await
}

async fn show_subscription(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    let id = subscription_id(&text)?;
    ask(&node, StatusCode::OK, move |node| {
        model::Subscription::find(node, id)
    })
    .await
}

async fn create_subscription(State(node): Owner, bytes: Body) -> Result<Response, Problem> {
    let spec = requests::subscription(&body(bytes)?)?;
    ask(&node, StatusCode::CREATED, move |node| {
        match node.handle(Input::CreateSubscription(spec))? {
            Output::Subscription(id) => model::Subscription::find(node, id),
            other => Err(unexpected(other)),
        }
    })
    .await
}

async fn delete_subscription(State(node): Owner, Id(text): Id) -> Result<StatusCode, Problem> {
    command(&node, Input::DeleteSubscription(subscription_id(&text)?)).await
}

async fn pause(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    set_paused(&node, subscription_id(&text)?, Input::Pause).await
}

async fn resume(State(node): Owner, Id(text): Id) -> Result<Response, Problem> {
    set_paused(&node, subscription_id(&text)?, Input::Resume).await
}

async fn set_paused(
    node: &NodeHandle,
    id: SubscriptionId,
    input: impl FnOnce(SubscriptionId) -> Input,
) -> Result<Response, Problem> {
    let input = input(id);
    ask(node, StatusCode::OK, move |node| {
        node.handle(input)?;
        model::Subscription::find(node, id)
    })
    .await
}

async fn show_state(State(node): Owner) -> Result<Response, Problem> {
    let process = Process::read();
    ask(&node, StatusCode::OK, |node| {
        model::State::new(node, process)
    })
    .await
}

async fn show_node(State(node): Owner) -> Result<Response, Problem> {
    ask(&node, StatusCode::OK, |node| Ok(model::NodeInfo::new(node))).await
}

async fn stop(State(node): Owner) -> StatusCode {
    node.stop();
    StatusCode::NO_CONTENT
}
