//! Problem documents (RFC 9457): every error names the field, what it held, and what it may hold.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use crate::core::refusal::{Refusal, RefusalKind};

/// Longest value that is repeated to the caller, in characters.
const LONGEST_VALUE: usize = 200;

/// An error as the API tells it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// What kind of error: the last part of `type`.
    pub name: &'static str,
    /// The same in words, the same for every error of the kind.
    pub title: &'static str,
    /// The field at fault.
    pub field: String,
    /// What it held.
    pub value: Value,
    /// What it may hold.
    pub allowed: String,
    /// The methods of the path, where the method was at fault.
    pub allow: Option<&'static str>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: String,
    field: &'a str,
    value: &'a Value,
    allowed: &'a str,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(
        (status, name, title): (StatusCode, &'static str, &'static str),
        field: impl Into<String>,
        value: impl Into<Value>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            status,
            name,
            title,
            field: field.into(),
            value: shorten(value.into()),
            allowed: allowed.into(),
            allow: None,
        }
    }
}

/// A value that cannot be.
pub const INVALID: (StatusCode, &str, &str) =
    (StatusCode::BAD_REQUEST, "invalid", "A value is not allowed");
/// Nothing is there.
pub const UNKNOWN: (StatusCode, &str, &str) =
    (StatusCode::NOT_FOUND, "unknown", "There is no such thing");

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::Invalid => INVALID,
            RefusalKind::Unknown => UNKNOWN,
            RefusalKind::Duplicate => (StatusCode::CONFLICT, "duplicate", "It is there already"),
            RefusalKind::Conflict => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "conflict",
                "A value does not fit what it refers to",
            ),
            RefusalKind::Full => (
                StatusCode::INSUFFICIENT_STORAGE,
                "full",
                "There is no room for it",
            ),
            RefusalKind::Failed => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "failed",
                "The system refused the change",
            ),
        };
        // Numbers are told as numbers.
        let value = refusal
            .value
            .parse::<u64>()
            .map_or_else(|_| Value::from(refusal.value), Value::from);
        Self::new(kind, refusal.field, value, refusal.allowed)
    }
}

fn shorten(value: Value) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_VALUE {
        return value;
    }
    let mut short: String = text.chars().take(LONGEST_VALUE).collect();
    short.push('…');
    Value::from(short)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let value = match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let document = Document {
            r#type: format!("urn:forwarder:problem:{}", self.name),
            title: self.title,
            status: self.status.as_u16(),
            detail: format!("{} is {value}; allowed: {}", self.field, self.allowed),
            field: &self.field,
            value: &self.value,
            allowed: &self.allowed,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let content = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(header::CONTENT_TYPE, content)], body).into_response();
        if let Some(allow) = self.allow {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}
