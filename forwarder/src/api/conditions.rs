//! Conditional requests (RFC 9110 §13): what the caller has seen must be what is there.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::Response,
};

use super::error::{CHANGED, INVALID, Problem};

/// Entity tags that one header can name.
const MAX_TAGS: usize = 16;

/// Entity tags, or all there can be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Any,
    These(Vec<String>),
}

/// What a request is conditional on.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    matches: Option<Tags>,
    matches_none: Option<Tags>,
}

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

impl Conditions {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            matches: tags(headers, &header::IF_MATCH)?,
            matches_none: tags(headers, &header::IF_NONE_MATCH)?,
        })
    }

    /// Whether the request says `If-Match` at all.
    pub const fn names_a_match(&self) -> bool {
        self.matches.is_some()
    }

    /// Checks what is there, if anything, against them.
    ///
    /// # Errors
    /// A [`Problem`] with status 412.
    pub fn check(&self, current: Option<&str>) -> Result<(), Problem> {
        let held = |tags: &Tags| match (tags, current) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(current)) => tags.iter().any(|tag| tag == current),
        };
        let (field, wrong) = match (&self.matches, &self.matches_none) {
            (Some(tags), _) if !held(tags) => ("If-Match", tags),
            (_, Some(tags)) if held(tags) => ("If-None-Match", tags),
            _ => return Ok(()),
        };
        let allowed = match current {
            Some(current) => format!("what fits {current}, which it is now"),
            None => "what fits that there is none".to_owned(),
        };
        let given = match wrong {
            Tags::Any => "*".to_owned(),
            Tags::These(tags) => tags.join(", "),
        };
        Err(Problem::new(&CHANGED, field, given, allowed))
    }
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let tag = |tag: &str| {
        let tag = tag.trim();
        // A weak one never fits in If-Match (RFC 9110 §13.1.1); what we give are strong ones.
        let quoted = tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"');
        (quoted || tag.starts_with("W/\"")).then(|| tag.to_owned())
    };
    let tags: Option<Vec<_>> = text.split(',').map(tag).collect();
    match tags {
        Some(tags) if tags.len() <= MAX_TAGS => Ok(Some(Tags::These(tags))),
        _ => Err(Problem::new(
            &INVALID,
            name.as_str(),
            text,
            format!("* or 1 to {MAX_TAGS} entity tags in quotation marks"),
        )),
    }
}

/// The entity tag of a version.
pub fn etag(version: impl ToString) -> String {
    format!("\"{}\"", version.to_string())
}

/// The same answer with a header, where its value can be one.
pub fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// `?dry_run=true`: the request is only checked.
#[derive(Clone, Copy, Debug)]
pub struct DryRun(pub bool);

impl<S: Send + Sync> FromRequestParts<S> for DryRun {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parameter(parts, "dry_run").as_deref() {
            None | Some("false") => Ok(Self(false)),
            Some("true") => Ok(Self(true)),
            Some(other) => Err(Problem::new(&INVALID, "dry_run", other, "true or false")),
        }
    }
}

/// A parameter of the query, as it was written, but for the escapes of a URL.
pub fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let mut url = reqwest::Url::parse("http://localhost").ok()?;
    url.set_query(parts.uri.query());
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(name: &'static str, value: &str) -> Result<Conditions, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        Conditions::read(&headers)
    }

    #[test]
    fn what_was_seen_must_be_what_is_there() {
        for (name, value, current, holds) in [
            ("if-match", "\"1\"", Some("\"1\""), true),
            ("if-match", "\"2\", \"1\"", Some("\"1\""), true),
            ("if-match", "\"2\"", Some("\"1\""), false),
            ("if-match", "W/\"1\"", Some("\"1\""), false),
            ("if-match", "*", Some("\"1\""), true),
            ("if-match", "*", None, false),
            ("if-none-match", "*", None, true),
            ("if-none-match", "*", Some("\"1\""), false),
            ("if-none-match", "\"1\"", Some("\"1\""), false),
            ("if-none-match", "\"2\"", Some("\"1\""), true),
        ] {
            let outcome = conditions(name, value).unwrap().check(current);
            assert_eq!(outcome.is_ok(), holds, "{name}: {value} for {current:?}");
        }
        assert!(Conditions::default().check(None).is_ok());
        for wrong in ["1", "\"1\", 2", ""] {
            assert_eq!(conditions("if-match", wrong).unwrap_err().field, "if-match");
        }
    }
}
