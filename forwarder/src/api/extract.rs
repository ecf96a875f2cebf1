//! What handlers take from requests: ids in paths, and bodies.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::{
    bodies::too_large,
    error::{INVALID, MEDIA_TYPE, Problem, UNKNOWN},
    read::read,
};
use crate::core::refusal::Refusal;

/// The ids in a path, as they were written: one text, or two.
pub struct Ids<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Ids<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(texts)) => Ok(Self(texts)),
            // Percent-encoded bytes that are no text.
            Err(_) => Err(unknown_path(parts.uri.path())),
        }
    }
}

/// A path that leads nowhere.
pub fn unknown_path(path: &str) -> Problem {
    Problem::new(&UNKNOWN, "path", path, "a path of GET /v0/openapi.json")
}

/// Reads an id in a path; one that cannot be is one that nothing has.
pub fn id<T: std::str::FromStr>(field: &'static str, list: &str, text: &str) -> Result<T, Problem> {
    let unknown = |_| Refusal::unknown(field, text, format!("an id that GET {list} lists"));
    Ok(text.parse().map_err(unknown)?)
}

/// A body in JSON, read by its schema.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema + 'static> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        content_type(request.headers(), "application/json", false)?;
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        read(&bytes).map(Self)
    }
}

/// Refuses bodies of another media type; those that name none are taken unless it is `required`.
pub fn content_type(headers: &HeaderMap, wanted: &str, required: bool) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.map(|given| String::from_utf8_lossy(given.as_bytes()).into_owned());
    let essence = given.as_deref().and_then(|given| given.split(';').next());
    match essence.map(str::trim) {
        None if !required => Ok(()),
        Some(essence) if essence.eq_ignore_ascii_case(wanted) => Ok(()),
        _ => Err(Problem::new(&MEDIA_TYPE, "Content-Type", given, wanted)),
    }
}

/// Why a body could not be had.
pub fn unread(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => {
            let allowed = "a body, sent whole";
            Problem::new(&INVALID, "body", rejection.body_text(), allowed)
        }
    }
}
