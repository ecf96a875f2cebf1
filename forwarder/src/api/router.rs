//! Puts the paths together, with what is done around each request.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa::openapi::{OpenApi, RefOr, path::ParameterIn};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::{
    Api,
    access::{authenticate, require_admin},
    access_routes, bodies, browsers, endpoint_routes,
    error::{INVALID, METHOD, Problem},
    event_routes,
    extract::unknown_path,
    idempotency::once,
    line_routes, negotiation_routes, node_routes, openapi, room_routes, session_routes,
    webhook_routes, whip,
};

/// Where the document is.
const DOCUMENT: &str = "/v0/openapi.json";
/// Where it is shown.
const PAGE: &str = "/docs";

/// The API of a node.
pub fn router(api: Api) -> Router {
    let operator = OpenApiRouter::default()
        .merge(endpoint_routes::routes())
        .merge(node_routes::routes())
        .merge(webhook_routes::routes())
        .route_layer(middleware::from_fn(require_admin));
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::base())
        .merge(operator)
        .merge(access_routes::routes())
        .merge(room_routes::routes())
        .merge(session_routes::routes())
        .merge(negotiation_routes::routes())
        .merge(line_routes::routes())
        .merge(event_routes::routes())
        .merge(whip::routes())
        .split_for_parts();
    openapi::complete(&mut document);
    let queries = Arc::new(queries(&document));
    // Written once: whoever asks needs no credentials, and may be slow to read.
    let served = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let page = SwaggerUi::new(PAGE)
        .config(utoipa_swagger_ui::Config::new([DOCUMENT]).validator_url("none"));
    let routes: Router = routes
        .route_layer(middleware::from_fn_with_state(queries, check_query))
        .route_layer(middleware::from_fn_with_state(api.clone(), once))
        .route_layer(middleware::from_fn_with_state(
            api.clone(),
            bodies::read_whole,
        ))
        // Nothing is read of somebody who is not known.
        .route_layer(middleware::from_fn_with_state(api.clone(), authenticate))
        .route(
            DOCUMENT,
            get(move || async move { ([(header::CONTENT_TYPE, "application/json")], served) }),
        )
        .merge(page)
        .merge(crate::page::routes())
        .merge(whip::preflights())
        .fallback(unknown)
        .layer(DefaultBodyLimit::disable())
        .with_state(api.clone());
    // Around the whole: a router adds `Allow` outside of its own layers.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn(name_methods))
        .layer(middleware::from_fn_with_state(api, browsers::admit))
        .layer(middleware::from_fn(bodies::discard_unread))
}

async fn unknown(uri: Uri) -> Problem {
    unknown_path(uri.path())
}

/// Says which methods a path takes, where it does not take the one of the request.
async fn name_methods(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let methods = response.headers().get(header::ALLOW).cloned();
    let named = methods.as_ref().and_then(|methods| methods.to_str().ok());
    let named = named.unwrap_or_default().replace(',', ", ");
    let problem = Problem::new(&METHOD, "method", method.as_str(), named);
    match methods {
        Some(methods) => problem.with(header::ALLOW, methods).into_response(),
        None => problem.into_response(),
    }
}

/// Which parameters an operation takes in the query.
type Queries = HashMap<(Method, String), Vec<String>>;

fn queries(document: &OpenApi) -> Queries {
    let mut queries = Queries::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            (Method::GET, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in methods {
            let parameters = operation.iter().flat_map(|operation| &operation.parameters);
            let names = parameters
                .flatten()
                .filter_map(|parameter| match parameter {
                    RefOr::T(parameter) => Some(parameter),
                    RefOr::Ref(_) => None,
                })
                .filter(|parameter| matches!(parameter.parameter_in, ParameterIn::Query))
                .map(|parameter| parameter.name.clone());
            if operation.is_some() {
                queries.insert((method, path.clone()), names.collect());
            }
        }
    }
    queries
}

/// Refuses parameters that the path does not take: a misspelt `dry_run` would be carried out.
async fn check_query(
    State(queries): State<Arc<Queries>>,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let key = (request.method().clone(), path.as_str().to_owned());
    let Some(known) = queries.get(&key) else {
        // Another method, which is refused for that.
        return next.run(request).await;
    };
    let query = request.uri().query().unwrap_or_default();
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    let stray = names
        .filter(|name| !name.is_empty())
        .find(|name| !known.iter().any(|known| known == name));
    match stray {
        None => next.run(request).await,
        Some(stray) => {
            let allowed = match known.as_slice() {
                [] => "no parameters in the query".to_owned(),
                known => format!("the parameters {}", known.join(", ")),
            };
            Problem::new(&INVALID, "query", stray, allowed).into_response()
        }
    }
}
