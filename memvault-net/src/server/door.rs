//! [`Door`]: a listener that always has a descriptor left to tell callers that there is none.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use async_io::{Async, Timer};
use async_net::{TcpListener, TcpStream};
use futures_lite::future::{poll_once, yield_now};
use rustix::io::Errno;

use crate::tcp;

/// Where callers come in.
pub(super) struct Door {
    listener: TcpListener,
    /// What the log calls it.
    port: &'static str,
    /// Given up for a moment where no other descriptor is left.
    spare: Option<OwnedFd>,
}

/// Who comes in.
pub(super) enum Arrived {
    ReplySink(TcpStream, SocketAddr),
    /// There is no descriptor left: send him away before the next one is asked in.
    TooMany(TcpStream, SocketAddr),
}

impl Door {
    /// # Errors
    /// If it is no listener.
    pub(super) fn new(listener: std::net::TcpListener, port: &'static str) -> io::Result<Self> {
        tcp::lengthen_backlog(&listener)?;
        Ok(Self {
            listener: listener.try_into()?,
            port,
            spare: None,
        })
    }

    /// Waits for the next caller. Others get their turn before, however many call.
    pub(super) async fn next(&mut self) -> Arrived {
        loop {
            // Before anybody else can take what has just become free.
            if self.spare.is_none() {
                self.spare = self.listener.as_fd().try_clone_to_owned().ok();
            }
            yield_now().await;
            match self.listener.accept().await {
                Ok((stream, address)) => return Arrived::ReplySink(stream, address),
                // The caller's own end of it: the next one is not affected.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::warn!(port = self.port, error:%; "accept-failed");
                    if is_for_want_of_descriptors(&error)
                        && self.spare.take().is_some()
                        && let Some(Ok((stream, address))) = poll_once(self.listener.accept()).await
                    {
                        return Arrived::TooMany(stream, address);
                    }
                    Timer::after(PAUSE).await;
                }
            }
        }
    }
}

/// Sends these bytes, if the system takes them at once, as it does on a fresh socket, and closes.
///
/// What the caller has sent already is read: on a close with bytes unread the system resets the connection, and the
/// words might be lost.
pub(super) fn dismiss(stream: TcpStream, words: &[u8]) {
    let shared: Arc<Async<std::net::TcpStream>> = stream.into();
    let mut socket = shared.get_ref();
    let said = io::Write::write(&mut socket, words).and_then(|_| socket.shutdown(Shutdown::Write));
    if let Err(error) = said {
        return log::debug!(error:%; "dismissed-unheard");
    }
    let mut unheard = [0; 4096];
    for _ in 0..READS {
        if !socket.read(&mut unheard).is_ok_and(|read| read > 0) {
            return;
        }
    }
}

fn is_for_want_of_descriptors(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

/// Pause after a failure to accept that is likely to last.
const PAUSE: Duration = Duration::from_millis(100);
/// How often something is read from a caller who is sent away.
const READS: usize = 16;
