//! Problem documents (RFC 9457): every error names the field, what it held, and what it may hold.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::refusal::{Refusal, RefusalKind};

/// Longest value that is repeated to the caller, in characters.
const LONGEST_VALUE: usize = 200;

/// A kind of error.
#[derive(Debug)]
pub struct Kind {
    /// HTTP status.
    pub status: StatusCode,
    /// The last part of `type`.
    pub name: &'static str,
    /// The same in words.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:ident, $name:literal, $title:literal;)*) => {
        $($(#[$doc])* pub static $kind: Kind = Kind { status: StatusCode::$status, name: $name, title: $title };)*
    };
}

kinds! {
    /// A value that cannot be.
    INVALID = BAD_REQUEST, "invalid", "A value is not allowed";
    /// No credentials, or none that hold.
    UNAUTHORIZED = UNAUTHORIZED, "unauthorized", "The API wants to know who asks";
    /// Credentials that do not grant this.
    FORBIDDEN = FORBIDDEN, "forbidden", "The caller may not do this";
    /// A request from a web page of somebody else.
    ORIGIN = FORBIDDEN, "origin", "The API is not for pages of this origin";
    /// Nothing is there.
    UNKNOWN = NOT_FOUND, "unknown", "There is no such thing";
    /// A method that the path does not take.
    METHOD = METHOD_NOT_ALLOWED, "method", "The path does not take this method";
    /// A body that did not come.
    SLOW = REQUEST_TIMEOUT, "slow", "The request did not come whole";
    /// There is one already.
    DUPLICATE = CONFLICT, "duplicate", "It is there already";
    /// What the caller refers to has changed since.
    STALE = CONFLICT, "stale", "It has changed since";
    /// What the caller has seen is not what is there.
    CHANGED = PRECONDITION_FAILED, "changed", "It has changed since";
    /// A body beyond the limit.
    TOO_LARGE = PAYLOAD_TOO_LARGE, "too-large", "The body is too large";
    /// A body of another media type.
    MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE, "media-type", "The path does not read this media type";
    /// A value contradicts another.
    CONFLICT = UNPROCESSABLE_ENTITY, "conflict", "A value does not fit what it refers to";
    /// A change that needs `If-Match`.
    UNCONDITIONAL = PRECONDITION_REQUIRED, "unconditional", "The change has to be conditional";
    /// More than a room or a token may have.
    LIMIT = TOO_MANY_REQUESTS, "limit", "A limit is reached";
    /// Credentials that were wrong too often.
    GUESSED = TOO_MANY_REQUESTS, "guessed", "Too many credentials did not hold";
    /// As many as there is room for at one time.
    BUSY = SERVICE_UNAVAILABLE, "busy", "There is no room for now";
    /// The system refused.
    FAILED = INTERNAL_SERVER_ERROR, "failed", "The system refused the change";
    /// No room.
    FULL = INSUFFICIENT_STORAGE, "full", "There is no room for it";
}

/// An error as the API tells it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind of error.
    pub kind: &'static Kind,
    /// The field at fault.
    pub field: String,
    /// What it held.
    pub value: Value,
    /// What it may hold.
    pub allowed: String,
    /// What the answer says besides.
    pub header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// Why a request was refused; nothing was changed. RFC 9457, with the field at fault.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// A URN that names the kind of error.
    #[schema(example = "urn:forwarder:problem:invalid")]
    r#type: String,
    /// The kind of error in words.
    title: &'a str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The rest in one sentence.
    detail: String,
    /// The field, header or part of the path that is at fault.
    field: &'a str,
    /// What it held; shortened where it is long.
    #[schema(value_type = Value)]
    value: &'a Value,
    /// What it may hold, or what to do.
    allowed: &'a str,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(
        kind: &'static Kind,
        field: impl Into<String>,
        value: impl Into<Value>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            field: shortened(field.into()),
            value: shorten(value.into()),
            allowed: allowed.into(),
            header: None,
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::Invalid => &INVALID,
            RefusalKind::Unknown => &UNKNOWN,
            RefusalKind::Duplicate => &DUPLICATE,
            RefusalKind::Conflict => &CONFLICT,
            RefusalKind::Forbidden => &FORBIDDEN,
            RefusalKind::Limited => &LIMIT,
            RefusalKind::Stale => &STALE,
            RefusalKind::Full => &FULL,
            RefusalKind::Failed => &FAILED,
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
    Value::from(shortened(text))
}

/// Names of fields are given too, where nobody knows them.
fn shortened(text: String) -> String {
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST_VALUE).collect();
    short.push('…');
    short
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let value = match &self.value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let Kind {
            status,
            name,
            title,
        } = self.kind;
        let document = Document {
            r#type: format!("urn:forwarder:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: format!("{} is {value}; allowed: {}", self.field, self.allowed),
            field: &self.field,
            value: &self.value,
            allowed: &self.allowed,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let content = HeaderValue::from_static("application/problem+json");
        let mut response = (*status, [(header::CONTENT_TYPE, content)], body).into_response();
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
