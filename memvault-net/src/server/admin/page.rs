//! The page for people at `/`.

use super::http::Response;

/// Where it is.
pub(super) const PATHS: [&str; 1] = ["/"];

const HTML: &str = include_str!("page/index.html");

/// The page.
pub(super) fn file() -> Response {
    Response::new("text/html; charset=utf-8", HTML)
}
