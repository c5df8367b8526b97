//! Connections of the admin port: each brings one request and gets one response.

use std::io;
use std::rc::Rc;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::http::{self, Method, Request, Response};
use super::places::{Place, Places};
use super::{Admin, AdminLimits};
use crate::server::door::{Arrived, Door, dismiss};

/// Most bytes that are taken from a connection after its answer, so that the client can read that.
const MAX_DRAINED: usize = 64 << 10;

/// Accepts connections, for ever.
pub(super) async fn accept(mut door: Door, admin: Rc<Admin>) {
    let limits = *admin.limits();
    let places = Places::new(limits.max_connections);
    loop {
        let (stream, address) = match door.next().await {
            Arrived::ReplySink(stream, address) => (stream, address),
            Arrived::TooMany(stream, _) => {
                turn_away(stream, "no file descriptor is left (ulimit -n)");
                continue;
            }
        };
        let Some(place) = places.take() else {
            turn_away(stream, &full(limits.max_connections));
            continue;
        };
        let admin_of_task = Rc::clone(&admin);
        let task = admin.clients.spawn(async move {
            let too_late = async {
                Timer::after(limits.exchange_timeout).await;
                Err(io::ErrorKind::TimedOut.into())
            };
            let result = admin_of_task.converse(stream, &place).or(too_late).await;
            if let Err(error) = result {
                log::debug!(address:%, error:%; "admin-client-gone");
            }
        });
        if let Some(task) = task {
            task.detach();
        }
    }
}

fn full(most: usize) -> String {
    format!("{most} connections are open already (--admin-max-connections)")
}

fn turn_away(stream: TcpStream, reason: &str) {
    dismiss(stream, &Response::text(503, reason).encode(Method::Get));
}

impl Admin {
    async fn converse(&self, mut stream: TcpStream, place: &Place) -> io::Result<()> {
        let limits = self.limits();
        let too_late = async {
            Timer::after(limits.read_timeout).await;
            let text = format!(
                "no whole request within {:?} (--admin-read-timeout)",
                limits.read_timeout
            );
            Ok(Some(Err(Response::text(408, text))))
        };
        let reading = read_head(&mut stream, limits).or(too_late);
        let Some(request) = unless_needed(place, reading).await else {
            let text = full(limits.max_connections) + ", and this one was silent for longest";
            turn_away(stream, &text);
            return Ok(());
        };
        let Some(request) = request? else {
            return Ok(());
        };
        place.set_busy(true);
        let (method, response) = match request {
            Ok(request) if place.is_for_probes && !request.is_probe() => (
                request.method,
                Response::text(503, full(limits.max_connections)),
            ),
            Ok(request) => (request.method, self.answer(&request).await),
            Err(response) => (Method::Other, response),
        };
        stream.write_all(&response.encode(method)).await?;
        stream.close().await?;
        place.set_busy(false);
        // Closing a socket with bytes unread would have the system reset it: the answer might be lost.
        let drained = unless_needed(place, drain(&mut stream)).await;
        drained.unwrap_or(Ok(()))
    }
}

/// What comes of it, unless the place is needed for another before.
async fn unless_needed<T>(place: &Place, doing: impl Future<Output = T>) -> Option<T> {
    let needed = async {
        place.is_needed().await;
        None
    };
    async { Some(doing.await) }.or(needed).await
}

/// Reads until a request is whole; `None` if the client leaves before.
async fn read_head(
    stream: &mut TcpStream,
    limits: &AdminLimits,
) -> io::Result<Option<Result<Request, Response>>> {
    let mut head = vec![0; limits.max_head_len];
    let mut len = 0;
    loop {
        let read = stream.read(&mut head[len..]).await?;
        if read == 0 {
            return Ok(None);
        }
        len += read;
        if let Some(request) = http::parse(&head[..len], limits) {
            return Ok(Some(request));
        }
    }
}

/// Takes what a client still sends.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut left = MAX_DRAINED;
    let mut rest = [0; 1024];
    while left > 0 {
        match stream.read(&mut rest).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}
