//! One client of a server: its socket around its [`Connection`].

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use memvault::connection::{Connection, Progress};
use memvault_net::driver::Caller;
use smol::Timer;
use smol::channel::{self, Receiver, Sender};

use super::backend::Backend;
use super::host::Host;

/// A client that is connected.
pub(super) struct Client {
    stream: TcpStream,
    connection: RefCell<Connection>,
    replies: Rc<Replies>,
    arrived: Receiver<()>,
    host: Rc<Host>,
}

/// Replies that were deferred and have arrived, until the client's task takes them.
struct Replies {
    ready: RefCell<Vec<(u64, Vec<u8>)>>,
    wake: Sender<()>,
}

impl Caller for Replies {
    fn complete(&self, request: u64, encode: &mut dyn FnMut(&mut Vec<u8>)) {
        let mut reply = Vec::new();
        encode(&mut reply);
        self.ready.borrow_mut().push((request, reply));
        // Full means that the task is woken already, closed that the client is gone.
        let _ = self.wake.try_send(());
    }
}

impl Client {
    pub(super) fn new(stream: TcpStream, connection: Connection, host: Rc<Host>) -> Self {
        let (wake, arrived) = channel::bounded(1);
        let replies = Replies {
            ready: RefCell::default(),
            wake,
        };
        Self {
            stream,
            connection: RefCell::new(connection),
            replies: Rc::new(replies),
            arrived,
            host,
        }
    }

    /// Serves it until it leaves, misbehaves, or the server ends.
    ///
    /// # Errors
    /// If the socket fails. Nothing else is lost.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let caller: Rc<dyn Caller> = Rc::<Replies>::clone(&self.replies);
        loop {
            let len = self.read().await?;
            if len == 0 {
                return Ok(());
            }
            self.connection.get_mut().commit(len);
            loop {
                let progress = self.host.backend.process(&self.connection, &caller);
                if progress == Progress::Peer {
                    self.hand_over();
                    return Ok(());
                }
                self.collect().await;
                self.write().await?;
                match progress {
                    Progress::NeedInput => break,
                    Progress::Close => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    /// Reads what has come; 0 if the client has left, was idle for too long, or the server ends.
    async fn read(&mut self) -> io::Result<usize> {
        let space = self.connection.get_mut().input_space();
        let closing = async {
            // The sender is only ever dropped.
            let _ = self.host.closing.recv().await;
            Ok(0)
        };
        let read = future::or(self.stream.read(space), closing);
        match self.host.limits.idle_timeout {
            Some(timeout) => future::or(read, idle(timeout)).await,
            None => read.await,
        }
    }

    /// Waits for all replies under way.
    async fn collect(&self) {
        while self.connection.borrow().deferred() > 0 {
            let ready: Vec<_> = self.replies.ready.borrow_mut().drain(..).collect();
            if ready.is_empty() && self.arrived.recv().await.is_err() {
                return;
            }
            let mut connection = self.connection.borrow_mut();
            for (request, reply) in ready {
                connection.complete(request, |out| out.extend_from_slice(&reply));
            }
        }
    }

    /// Sends all output. A client that does not read gets nothing executed meanwhile.
    async fn write(&mut self) -> io::Result<()> {
        let connection = self.connection.get_mut();
        let len = connection.output().len();
        self.stream.write_all(connection.output()).await?;
        connection.consume_output(len);
        Ok(())
    }

    /// Gives the socket to the node: another node is calling.
    fn hand_over(self) {
        let buffered = self.connection.borrow().input().to_vec();
        if let Backend::Node(driver) = &self.host.backend {
            driver.accept_peer(self.stream, buffered);
        }
    }
}

async fn idle(timeout: Duration) -> io::Result<usize> {
    Timer::after(timeout).await;
    Ok(0)
}
