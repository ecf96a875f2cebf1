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

/// A value that cannot be.
pub static INVALID: Kind = Kind {
    status: StatusCode::BAD_REQUEST,
    name: "invalid",
    title: "A value is not allowed",
};
/// Nothing is there.
pub static UNKNOWN: Kind = Kind {
    status: StatusCode::NOT_FOUND,
    name: "unknown",
    title: "There is no such thing",
};
/// There is one already.
pub static DUPLICATE: Kind = Kind {
    status: StatusCode::CONFLICT,
    name: "duplicate",
    title: "It is there already",
};
/// A value contradicts another.
pub static CONFLICT: Kind = Kind {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    name: "conflict",
    title: "A value does not fit what it refers to",
};
/// No room.
pub static FULL: Kind = Kind {
    status: StatusCode::INSUFFICIENT_STORAGE,
    name: "full",
    title: "There is no room for it",
};
/// A limit of the caller's or of the room's.
pub static LIMITED: Kind = Kind {
    status: StatusCode::TOO_MANY_REQUESTS,
    name: "limited",
    title: "A limit is reached",
};
/// Something the caller may not do.
pub static DENIED: Kind = Kind {
    status: StatusCode::FORBIDDEN,
    name: "denied",
    title: "The caller may not do this",
};
/// What the caller refers to has changed since.
pub static STALE: Kind = Kind {
    status: StatusCode::CONFLICT,
    name: "stale",
    title: "It has changed since",
};
/// The system refused.
pub static FAILED: Kind = Kind {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    name: "failed",
    title: "The system refused the change",
};
/// A request from a web page.
pub static FORBIDDEN: Kind = Kind {
    status: StatusCode::FORBIDDEN,
    name: "forbidden",
    title: "The API is not for web pages",
};
/// A method that the path does not take.
pub static METHOD: Kind = Kind {
    status: StatusCode::METHOD_NOT_ALLOWED,
    name: "method",
    title: "The path does not take this method",
};
/// A body beyond the limit.
pub static TOO_LARGE: Kind = Kind {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    name: "too-large",
    title: "The body is too large",
};

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
        kind: &'static Kind,
        field: impl Into<String>,
        value: impl Into<Value>,
        allowed: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            field: field.into(),
            value: shorten(value.into()),
            allowed: allowed.into(),
            allow: None,
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
            RefusalKind::Forbidden => &DENIED,
            RefusalKind::Limited => &LIMITED,
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
        if let Some(allow) = self.allow {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}
