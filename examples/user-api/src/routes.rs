//! Paths, methods, bodies: what a request means, and how it is answered.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use futures_lite::{FutureExt, StreamExt};
use memvault_net::web::OwnNames;
use serde::Serialize;

use crate::args::Args;
use crate::cache::Part;
use crate::error::{Error, Message, json_response};
use crate::places::Guest;
use crate::sender;
use crate::service::Users;
use crate::user::{Draft, User, parse_id};

/// What every request needs.
#[derive(Clone)]
struct App {
    users: Users,
    max_body: usize,
    client_timeout: Duration,
}

/// A user, and where it comes from.
#[derive(Serialize)]
struct Answer<'a> {
    source: &'static str,
    data: &'a User,
}

/// What the server counts.
#[derive(Serialize)]
struct Statistics {
    database_reads: u64,
    /// Changes that the cache has not been told of.
    pending: usize,
}

type Id = Result<Path<String>, PathRejection>;

/// All paths.
pub(crate) fn router(args: &Args, users: Users) -> Router {
    let app = App {
        users,
        max_body: args.max_body,
        client_timeout: args.client_timeout(),
    };
    let user = get(find).put(update).delete(delete);
    Router::new()
        .route("/user", post(create))
        .route("/user/{id}", user)
        .route("/statistics", get(statistics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(app)
        .layer(from_fn_with_state(OwnNames::new(&args.host), sender::check))
}

async fn find(State(app): State<App>, id: Id) -> Result<Response, Error> {
    let (user, part) = app.users.find(read_id(id)?).await?;
    Ok(answer(StatusCode::OK, &user, Some(part)))
}

async fn create(State(app): State<App>, request: Request) -> Result<Response, Error> {
    let user = app.users.create(app.draft(request).await?).await?;
    let mut response = answer(StatusCode::CREATED, &user, None);
    if let Ok(location) = HeaderValue::try_from(format!("/user/{}", user.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn update(State(app): State<App>, id: Id, request: Request) -> Result<Response, Error> {
    let id = read_id(id)?;
    let draft = app.draft(request).await?;
    let (user, part) = app.users.update(id, draft).await?;
    Ok(answer(StatusCode::OK, &user, Some(part)))
}

async fn delete(State(app): State<App>, id: Id) -> Result<Response, Error> {
    let id = read_id(id)?;
    let part = app.users.delete(id).await?;
    let message = &format!("user {id} is deleted");
    Ok(with_part(
        json_response(StatusCode::OK, &Message { message }),
        part,
    ))
}

async fn statistics(State(app): State<App>) -> Response {
    let body = Statistics {
        database_reads: app.users.database_reads(),
        pending: app.users.pending(),
    };
    json_response(StatusCode::OK, &body)
}

async fn unknown_path(uri: Uri) -> Error {
    let message = format!(
        "there is nothing at {}; there are /user, /user/{{id}} and /statistics",
        uri.path()
    );
    Error::new(StatusCode::NOT_FOUND, message)
}

async fn wrong_method(method: Method, uri: Uri) -> Error {
    let allowed = match uri.path() {
        "/user" => "POST",
        "/statistics" => "GET",
        _ => "GET, PUT and DELETE",
    };
    let message = format!("{} takes {allowed}, not {method}", uri.path());
    Error::new(StatusCode::METHOD_NOT_ALLOWED, message)
}

fn read_id(id: Id) -> Result<i64, Error> {
    let Path(text) = id.map_err(|error| Error::bad_request(error.body_text()))?;
    parse_id(&text).map_err(Error::bad_request)
}

impl App {
    /// The user in a body.
    async fn draft(&self, request: Request) -> Result<Draft, Error> {
        check_type(request.headers())?;
        let too_late = async {
            smol::Timer::after(self.client_timeout).await;
            let time = self.client_timeout.as_millis();
            let message = format!(
                "the body did not arrive within {time} ms; that limit is --client-timeout-ms"
            );
            Err(Error::new(StatusCode::REQUEST_TIMEOUT, message))
        };
        let guest = request.extensions().get::<Guest>().cloned();
        let body = self.read(request.into_body()).or(too_late).await?;
        if let Some(guest) = guest {
            guest.set_busy(true);
        }
        Draft::parse(&body).map_err(Error::bad_request)
    }

    async fn read(&self, body: Body) -> Result<Vec<u8>, Error> {
        let (mut bytes, mut chunks) = (Vec::new(), body.into_data_stream());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk
                .map_err(|error| Error::bad_request(format!("the body broke off: {error}")))?;
            if bytes.len() + chunk.len() > self.max_body {
                let message = format!(
                    "the body is too large; the limit is {} bytes (--max-body)",
                    self.max_body
                );
                return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.map_or("", |value| value.to_str().unwrap_or("?"));
    let media_type = given.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let message = format!("content-type {given:?} is wrong; expected application/json");
    Err(Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

fn answer(status: StatusCode, user: &User, part: Option<Part>) -> Response {
    let source = part.map_or("database", Part::source);
    let response = json_response(status, &Answer { source, data: user });
    match part {
        Some(part) => with_part(response, part),
        None => response,
    }
}

fn with_part(mut response: Response, part: Part) -> Response {
    let value = HeaderValue::from_static(part.name());
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-cache"), value);
    response
}
