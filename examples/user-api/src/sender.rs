//! Who may ask: no web page from elsewhere, and no answer is more than what it says it is.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use memvault_net::web::OwnNames;

use crate::error::Error;

/// What is said with every answer: a browser is to take none of them for a page or a script, and to keep none.
const HEADERS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Answers a request, unless a web page from elsewhere may have sent it.
pub(crate) async fn check(State(names): State<OwnNames>, request: Request, next: Next) -> Response {
    let mut response = match is_refused(&names, &request) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn is_refused(names: &OwnNames, request: &Request) -> Option<Error> {
    let headers = request.headers();
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Some(Error::bad_request("expected one host"));
    }
    // As proxies ask, the name stands in the first line and counts in place of the header.
    let named = request.uri().authority().map(|named| named.as_str());
    let host = named.or_else(|| text(headers, header::HOST));
    let checked = names.check(host, text(headers, header::ORIGIN));
    let foreign = checked.err()?;
    let message = format!("{foreign}, or what --host names");
    Some(Error::new(StatusCode::FORBIDDEN, message))
}

/// A header; what is no text is nobody's name.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get(name)?;
    Some(value.to_str().unwrap_or("?"))
}
