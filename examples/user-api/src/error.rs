//! What is answered when something is wrong: `{"message": "..."}` and a status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A request that was not carried out.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn no_user(id: i64) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no user {id}"))
    }

    pub(crate) fn database(error: impl std::fmt::Display) -> Self {
        let message = format!("the database failed: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        json_response(
            self.status,
            &Message {
                message: &self.message,
            },
        )
    }
}

/// The body of a response that only says something.
#[derive(Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) message: &'a str,
}

/// A response with this as JSON.
pub(crate) fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(text) = serde_json::to_string(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, text).into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
