//! The pages: a room for people, and the node for who operates it. They are part of the program, and load nothing from
//! anywhere else.

mod files;

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use files::File;

/// Nothing but what the node itself serves is loaded or asked, no script stands in a document, and nobody frames a page.
/// Pictures that the page makes are `blob:`.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
    media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const HEADERS: [(HeaderName, HeaderValue); 6] = [
    // Asked for again each time, which an unchanged file answers with 304: a page is never made of files of two versions.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_POLICY),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
        ),
    ),
];

/// The pages and their files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|headers| serve(headers, "room.html")))
        .route("/node", get(|headers| serve(headers, "node.html")))
        .route(
            "/page/{file}",
            get(|Path(name): Path<String>, headers| async move { serve(headers, &name).await }),
        )
}

async fn serve(headers: HeaderMap, name: &str) -> Response {
    let Some(file) = files::find(name) else {
        let content = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return (StatusCode::NOT_FOUND, content, "There is no such file.\n").into_response();
    };
    let tag = [(header::ETAG, file.tag.as_str())];
    if has(&headers, file) {
        return (StatusCode::NOT_MODIFIED, HEADERS, tag).into_response();
    }
    let content = [(header::CONTENT_TYPE, file.content_type)];
    (HEADERS, tag, content, file.text).into_response()
}

/// Whether the browser has this very version (RFC 9110 §13.1.2).
fn has(headers: &HeaderMap, file: &File) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == file.tag)
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, http::HeaderMap, response::Response};

    use super::*;

    fn with_tag(tag: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, tag.parse().unwrap())])
    }

    fn value<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers()[name].to_str().unwrap()
    }

    #[tokio::test]
    async fn a_page_comes_whole_and_may_load_nothing_from_elsewhere() {
        let response = serve(HeaderMap::new(), "room.html").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(value(&response, "content-type"), "text/html; charset=utf-8");
        assert_eq!(value(&response, "x-content-type-options"), "nosniff");
        assert_eq!(value(&response, "referrer-policy"), "no-referrer");
        let policy = value(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(body, files::find("room.html").unwrap().text);
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let first = serve(HeaderMap::new(), "room.js").await;
        let tag = value(&first, "etag").to_owned();
        for known in [
            tag.clone(),
            format!("W/{tag}"),
            format!("\"old\", {tag}"),
            "*".to_owned(),
        ] {
            let again = serve(with_tag(&known), "room.js").await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(value(&again, "etag"), tag);
            let body = to_bytes(again.into_body(), usize::MAX).await.unwrap();
            assert!(body.is_empty());
        }
        let other = serve(with_tag("\"old\""), "room.js").await;
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn only_files_of_the_page_are_there() {
        for name in [
            "",
            "room",
            "tests/events.test.js",
            "../Cargo.toml",
            "package.json",
        ] {
            let response = serve(HeaderMap::new(), name).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
