//! The task that serves one client: read, execute, write.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_lite::{AsyncRead, AsyncWrite, AsyncWriteExt};
use memvault::connection::Progress;

use super::admin::ASKER_NAME;
use super::client::Client;
use super::clients::Clients;
use crate::driver::Caller;

/// One client and its socket.
pub(super) struct ClientTask<S> {
    clients: Rc<Clients>,
    client: Rc<Client>,
    /// The same client, as the driver knows it.
    caller: Rc<dyn Caller>,
    stream: S,
    progress: Progress,
    /// When the oldest request was read that is not answered yet, if it is one whose time is taken.
    timed_since: Option<Instant>,
    /// When something was read that is not executed yet.
    read_at: Option<Instant>,
    /// Whether there may be something to execute.
    is_due: bool,
    /// Whether the client will send nothing more.
    is_at_end: bool,
}

/// How a client ends.
enum End {
    /// It is done.
    Closed,
    /// It is no client, but a node.
    Peer,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> ClientTask<S> {
    pub(super) fn new(clients: &Rc<Clients>, client: Rc<Client>, stream: S) -> Self {
        let caller: Rc<dyn Caller> = Rc::<Client>::clone(&client);
        Self {
            clients: Rc::clone(clients),
            client,
            caller,
            stream,
            progress: Progress::NeedInput,
            timed_since: None,
            read_at: None,
            is_due: false,
            is_at_end: false,
        }
    }

    /// Serves the client to its end.
    pub(super) async fn run(mut self) {
        let result = poll_fn(|cx| self.poll_turn(cx)).await;
        match result {
            Ok(End::Closed) => {
                // The client may be gone already: nothing is lost with it.
                if let Err(error) = self.stream.close().await {
                    log::debug!(id = self.id(), error:%; "client-gone");
                }
            }
            Ok(End::Peer) => self.hand_over().await,
            Err(error) => log::debug!(id = self.id(), error:%; "client-gone"),
        }
    }

    fn id(&self) -> u64 {
        self.client.connection.borrow().id()
    }

    /// Gives a node that called to the driver.
    async fn hand_over(mut self) {
        let buffered = self.client.connection.borrow().input().to_vec();
        match self.clients.backend.driver() {
            Some(driver) => driver.accept_peer(self.stream, buffered),
            None => {
                let refusal = b"-ERR this node is not a member of a cluster (--cluster)\r\n";
                if let Err(error) = self.stream.write_all(refusal).await {
                    log::debug!(error:%; "peer-refused");
                }
            }
        }
    }

    /// Goes on as far as possible, in the buffers that all clients use by turns.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        if self.client.is_dismissed() {
            return Poll::Ready(Ok(End::Closed));
        }
        let clients = Rc::clone(&self.clients);
        let mut buffers = clients.buffers.borrow_mut();
        self.client
            .connection
            .borrow_mut()
            .borrow_buffers(&mut buffers);
        let poll = self.advance(cx);
        self.client
            .connection
            .borrow_mut()
            .return_buffers(&mut buffers);
        if poll.is_pending() {
            self.client.wait(cx.waker());
        }
        poll
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        for _ in 0..ROUNDS {
            if self.is_due {
                let clients = &self.clients;
                let begun = self.read_at.take().unwrap_or_else(Instant::now);
                self.progress = clients.backend.process(clients, &self.client, &self.caller);
                clients.tally.end_turn(begun);
                self.is_due = false;
            }
            if self.progress == Progress::Peer {
                return Poll::Ready(Ok(End::Peer));
            }
            // Whatever comes next, it does not come before the client has taken its replies.
            ready!(self.poll_write(cx))?;
            match self.progress {
                Progress::NeedOutput => self.is_due = true,
                Progress::NeedReply if self.client.take_news() => self.is_due = true,
                Progress::NeedReply => return Poll::Pending,
                Progress::NeedInput => {
                    if ready!(self.poll_read(cx))? {
                        return Poll::Ready(Ok(End::Closed));
                    }
                }
                Progress::Close | Progress::Peer => return Poll::Ready(Ok(End::Closed)),
            }
        }
        // Others want their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes all output.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut connection = self.client.connection.borrow_mut();
        while !connection.output().is_empty() {
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write(cx, connection.output()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            connection.consume_output(written);
            self.clients.tally.sent(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads something. Returns whether the client has come to its end instead.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut connection = self.client.connection.borrow_mut();
        let is_answered = connection.deferred() == 0;
        if is_answered
            && let Some(since) = self.timed_since.take()
            // Those who look at a server are none of those that it is there for.
            && connection.name() != ASKER_NAME
        {
            self.clients.meter.record(since.elapsed());
        }
        if self.is_at_end {
            return if is_answered {
                Poll::Ready(Ok(true))
            } else {
                Poll::Pending
            };
        }
        let stream = Pin::new(&mut self.stream);
        match stream.poll_read(cx, connection.input_space())? {
            Poll::Ready(0) => self.is_at_end = true,
            Poll::Ready(read) => {
                connection.commit(read);
                let now = Instant::now();
                self.client.hear(now);
                self.clients.tally.received(read);
                self.read_at = Some(now);
                if self.timed_since.is_none() && self.client.is_sample() {
                    self.timed_since = Some(now);
                }
                self.is_due = true;
            }
            Poll::Pending if self.clients.is_stopping() && is_answered => {
                return Poll::Ready(Ok(true));
            }
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(Ok(false))
    }
}

/// Reads in a row, after which other clients get their turn.
const ROUNDS: usize = 8;
