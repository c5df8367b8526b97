//! Just enough of HTTP/1.1: the head of a request, and a response of one shape.
//!
//! [`httparse`] reads the head. Every response ends its connection, and bodies of requests are never looked
//! at, so nothing of one request can be taken for another.

use std::borrow::Cow;
use std::fmt::Write;

use httparse::Status;

use super::AdminLimits;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The path, as it came: known paths need no decoding.
    pub(super) path: String,
    /// What follows the question mark; empty if there is none.
    pub(super) query: String,
    /// Whom it is for, as often as it says so.
    hosts: Vec<String>,
    /// Which page has sent it, if one has.
    pub(super) origin: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    /// As [`Get`](Self::Get), without the body.
    Head,
    /// Nothing that is done here.
    Other,
}

/// What is answered.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    content_type: &'static str,
    body: Cow<'static, str>,
}

/// Reads the head of a request; `None` if more of it has to come.
///
/// # Errors
/// The response to what is no head.
pub(super) fn parse(bytes: &[u8], limits: &AdminLimits) -> Option<Result<Request, Response>> {
    let AdminLimits {
        max_head_len,
        max_headers,
        ..
    } = *limits;
    let mut headers = vec![httparse::EMPTY_HEADER; max_headers];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = match head.parse(bytes) {
        Ok(Status::Complete(_)) => Ok(request(&head)),
        Ok(Status::Partial) if bytes.len() >= max_head_len => Err(Response::text(
            431,
            format!(
                "the head of the request has more than {max_head_len} bytes (--admin-max-head)"
            ),
        )),
        Ok(Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => Err(Response::text(
            431,
            format!(
                "the head of the request has more than {max_headers} lines (--admin-max-header-lines)"
            ),
        )),
        Err(httparse::Error::Version) => Err(Response::text(505, "expected HTTP/1.0 or HTTP/1.1")),
        Err(error) => Err(Response::text(
            400,
            format!("expected a request of HTTP/1.1: {error}"),
        )),
    };
    Some(parsed)
}

fn request(head: &httparse::Request<'_, '_>) -> Request {
    let target = head.path.unwrap_or_default();
    let headers = |name: &'static str| {
        let same = head.headers.iter();
        let same = same.filter(move |header| header.name.eq_ignore_ascii_case(name));
        same.map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
    };
    let mut hosts: Vec<_> = headers("Host").collect();
    // As proxies ask: http://host/path.
    let path = match target.strip_prefix("http://") {
        Some(rest) => {
            let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            // It counts in place of a Host.
            hosts = vec![host.to_owned()];
            if path.is_empty() { "/" } else { path }
        }
        None => target,
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        method: match head.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        },
        path: path.to_owned(),
        query: query.to_owned(),
        hosts,
        origin: headers("Origin").next(),
    }
}

impl Request {
    /// Whom it is for, if it says so; `None` if it says so more than once.
    pub(super) fn host(&self) -> Option<Option<&str>> {
        match &self.hosts[..] {
            [] => Some(None),
            [host] => Some(Some(host)),
            _ => None,
        }
    }

    /// Whether it asks if this server is alive or ready: that is always answered.
    pub(super) fn is_probe(&self) -> bool {
        matches!(&*self.path, "/healthz" | "/readyz")
    }
}

impl Response {
    /// What was asked for.
    pub(super) fn new(content_type: &'static str, body: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: 200,
            content_type,
            body: body.into(),
        }
    }

    /// A line of text for people.
    pub(super) fn text(status: u16, line: impl Into<String>) -> Self {
        let mut body = line.into();
        body.push('\n');
        Self {
            status,
            ..Self::new("text/plain; charset=utf-8", body)
        }
    }

    /// A document for programs.
    pub(super) fn json(document: &serde_json::Value) -> Self {
        Self::new("application/json", format!("{document}\n"))
    }

    /// The response as it is sent; to a `HEAD` without its body.
    pub(super) fn encode(&self, method: Method) -> Vec<u8> {
        let Self {
            status,
            content_type,
            body,
        } = self;
        let allow = if *status == 405 {
            "Allow: GET, HEAD\r\n"
        } else {
            ""
        };
        let mut text = String::with_capacity(256 + body.len());
        // A String takes everything.
        let _ = write!(
            text,
            "HTTP/1.1 {status} {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Cache-Control: \
             no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
             Content-Security-Policy: {POLICY}\r\nConnection: close\r\n\r\n",
            reason(*status),
            body.len()
        );
        if method != Method::Head {
            text.push_str(body);
        }
        text.into_bytes()
    }
}

/// What a page from here may load and do: nothing but what comes from here, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> Option<u16> {
        let parsed = parse(bytes, &AdminLimits::default())?;
        Some(parsed.map_or_else(|response| response.status, |_| 200))
    }

    fn read(target: &str) -> (String, String) {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let parsed = parse(bytes.as_bytes(), &AdminLimits::default());
        let request = parsed.expect("whole").expect("a head");
        (request.path, request.query)
    }

    #[test]
    fn heads_may_come_in_pieces() {
        let whole = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(status(&whole[..end]), None, "{end}");
        }
        assert_eq!(status(whole), Some(200));
        assert_eq!(status(b"GET / HTTP/1.0\n\n"), Some(200));
    }

    #[test]
    fn targets_have_a_path_and_a_query() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(read("/a?b=c?d"), pair("/a", "b=c?d"));
        assert_eq!(read("http://host:1/a?b"), pair("/a", "b"));
        assert_eq!(read("http://host"), pair("/", ""));
        assert_eq!(read("/../a"), pair("/../a", ""));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        assert_eq!(status(b"\x16\x03\x01\x02\x00"), Some(400));
        assert_eq!(status(b"GET / HTTP/2.0\r\n\r\n"), Some(505));
        assert_eq!(status(b"GET / HTTP/1.1\r\nno colon\r\n\r\n"), Some(400));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
        assert_eq!(status(many.as_bytes()), Some(431));
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(8 << 10));
        assert_eq!(status(long.as_bytes()), Some(431));
    }

    #[test]
    fn a_head_has_the_length_of_what_it_leaves_out() {
        let response = Response::text(405, "no");
        let whole = String::from_utf8(response.encode(Method::Get)).expect("text");
        let head = String::from_utf8(response.encode(Method::Head)).expect("text");
        assert_eq!(whole, format!("{head}no\n"));
        assert!(head.contains("Content-Length: 3\r\n"), "{head}");
        assert!(head.contains("Allow: GET, HEAD\r\n"), "{head}");
    }
}
