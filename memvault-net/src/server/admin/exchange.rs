//! Connections of the admin port: each brings one request and gets one response.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::http::{self, Method, Request, Response};
use super::{Admin, AdminLimits};

/// Most bytes that are taken from a connection after its answer, so that the client can read that.
const MAX_DRAINED: usize = 64 << 10;
/// Pause after a failure to accept that is likely to last, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections, for ever.
pub(super) async fn accept(listener: async_net::TcpListener, admin: Rc<Admin>) {
    let limits = *admin.limits();
    // Each connection has one as well.
    let open = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) if Rc::strong_count(&open) > limits.max_connections => {
                turn_away(stream, limits.max_connections).await;
            }
            Ok((stream, address)) => {
                let (admin_of_task, open) = (Rc::clone(&admin), Rc::clone(&open));
                let task = admin.clients.spawn(async move {
                    let too_late = async {
                        Timer::after(limits.exchange_timeout).await;
                        Err(io::ErrorKind::TimedOut.into())
                    };
                    let result = admin_of_task.converse(stream).or(too_late).await;
                    if let Err(error) = result {
                        log::debug!(address:%, error:%; "admin-client-gone");
                    }
                    drop(open);
                });
                if let Some(task) = task {
                    task.detach();
                }
            }
            Err(error) => {
                log::warn!(port = "admin", error:%; "accept-failed");
                Timer::after(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn turn_away(mut stream: TcpStream, most: usize) {
    let text = format!("{most} connections are open already (--admin-max-connections)");
    let bytes = Response::text(503, text).encode(Method::Get);
    // A fresh socket takes a line at once; if not, the client learns from the close.
    if let Err(error) = stream.write(&bytes).await {
        log::debug!(error:%; "admin-client-refused");
    }
}

impl Admin {
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let limits = self.limits();
        let too_late = async {
            Timer::after(limits.read_timeout).await;
            let text = format!(
                "no whole request within {:?} (--admin-read-timeout)",
                limits.read_timeout
            );
            Ok(Some(Err(Response::text(408, text))))
        };
        let Some(request) = read_head(&mut stream, limits).or(too_late).await? else {
            return Ok(());
        };
        let (method, response) = match request {
            Ok(request) => (request.method, self.answer(&request).await),
            Err(response) => (Method::Other, response),
        };
        stream.write_all(&response.encode(method)).await?;
        stream.close().await?;
        // Closing a socket with bytes unread would have the system reset it: the answer might be lost.
        drain(&mut stream).await
    }
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
