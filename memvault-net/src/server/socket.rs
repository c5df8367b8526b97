//! What a connection to a client has to be able to do.

use std::task::Waker;

use async_net::TcpStream;
use futures_lite::{AsyncRead, AsyncWrite};

#[cfg(target_os = "linux")]
use crate::epoll::EpollStream;

/// A connection to a client.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Has `waker` woken after the sockets of all others were looked at once more.
    fn yield_turn(&self, waker: &Waker);
}

impl Socket for TcpStream {
    /// The reactor looks on a thread of its own.
    fn yield_turn(&self, waker: &Waker) {
        waker.wake_by_ref();
    }
}

#[cfg(target_os = "linux")]
impl Socket for EpollStream {
    fn yield_turn(&self, waker: &Waker) {
        self.wake_later(waker);
    }
}
