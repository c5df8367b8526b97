//! The task that serves one client: read, execute, write.
//!
//! ```text
//!        +--> execute a turn --> write what the client takes --> read on, though it has not taken all --+
//!        +----------------------------------------------------------------------------------------------+
//! ```
//!
//! A client may write all it has to ask before it reads the first reply: replies wait for it, up to
//! [`max_output_len`](memvault::connection::Config::max_output_len). As long as it takes them, the server waits for it
//! all the same once some wait, so that a fast server does not fill its memory for a slow reader.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_io::Timer;
use futures_lite::{AsyncWriteExt, FutureExt};
use memvault::connection::Progress;

use super::client::Client;
use super::clients::Clients;
use super::connection_limit::Permit;
use super::meter::ASKER_NAME;
use super::socket::Socket;
use crate::driver::ReplySink;

/// Begins to serve a client.
pub(super) fn serve<S: Socket>(clients: &Rc<Clients>, permit: Permit, stream: S, address: &str) {
    let id = permit.id();
    log::debug!(id, address; "client");
    let mut config = clients.config.connection;
    config.hash_seed = fastrand::u64(..);
    let account = clients.connection_limit.ledger().open(id);
    let counters = Rc::clone(&clients.counters);
    let client = Rc::new(Client::new(id, address, config, counters, account));
    clients.add(&client, id);
    let (all, task) = (Rc::clone(clients), ClientTask::new(clients, client, stream));
    let entry = Entry { all, permit };
    let serving = clients.spawn(async move {
        task.run().await;
        drop(entry);
    });
    if let Some(serving) = serving {
        serving.detach();
    }
}

/// The place of a client among the others, until its task has ended, be it by a panic.
struct Entry {
    all: Rc<Clients>,
    permit: Permit,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.remove(self.permit.id());
    }
}

/// One client and its socket.
struct ClientTask<S> {
    clients: Rc<Clients>,
    client: Rc<Client>,
    /// The same client, as the driver knows it.
    caller: Rc<dyn ReplySink>,
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
    /// How it takes its replies.
    taking: Taking,
}

/// How a client takes its replies.
#[derive(Default)]
struct Taking {
    /// Whether it does not take any: then it may not do so before it has sent all.
    has_stopped: bool,
    /// Rings if it takes nothing for so long that it counts as that.
    pause: Option<Timer>,
    /// Rings if it takes nothing for too long while too much waits for it.
    patience: Option<Timer>,
}

/// What became of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All of it is written.
    All,
    /// The client has to take some first.
    Blocked,
    /// There is more, and others want their turn.
    Enough,
}

/// How a client ends.
enum End {
    /// It is done.
    Closed,
    /// It is closed, for it holds too much; by which limit.
    Over(&'static str),
    /// It is no client, but a node.
    Peer,
}

impl<S: Socket> ClientTask<S> {
    fn new(clients: &Rc<Clients>, client: Rc<Client>, stream: S) -> Self {
        let caller: Rc<dyn ReplySink> = Rc::<Client>::clone(&client);
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
            taking: Taking::default(),
        }
    }

    /// Serves the client to its end.
    async fn run(mut self) {
        let result = poll_fn(|cx| self.poll_turn(cx)).await;
        match result {
            Ok(End::Closed) => {
                // The client may be gone already: nothing is lost with it.
                if let Err(error) = self.stream.close().await {
                    log::debug!(id = self.id(), error:%; "client-gone");
                }
            }
            Ok(End::Over(limit)) => {
                let (id, held) = (self.id(), self.client.connection.borrow().memory());
                self.clients.connection_limit.ledger().count(held);
                let (input, output) = held;
                log::warn!(id, input, output, limit; "client-over-limit");
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
        if self.client.account.has_to_go() {
            return Poll::Ready(Ok(End::Over("--max-clients-memory")));
        }
        let clients = Rc::clone(&self.clients);
        let mut buffers = clients.buffers.borrow_mut();
        self.client
            .connection
            .borrow_mut()
            .borrow_buffers(&mut buffers);
        let poll = self.advance(cx);
        let mut connection = self.client.connection.borrow_mut();
        connection.return_buffers(&mut buffers);
        if poll.is_pending() {
            self.client.wait(cx.waker());
            let (input, output) = connection.memory();
            drop(connection);
            self.client.account.enter(input + output, cx.waker());
        }
        poll
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        let mut spent = Duration::ZERO;
        for _ in 0..ROUNDS {
            if self.is_due {
                spent += self.process();
            }
            if self.progress == Progress::Peer {
                return Poll::Ready(Ok(End::Peer));
            }
            let before = self.client.connection.borrow().output_len();
            let written = self.poll_write(cx)?;
            let progress = self.progress;
            let goes_on = match progress {
                Progress::Close | Progress::Peer if written == Written::All => {
                    return Poll::Ready(Ok(End::Closed));
                }
                Progress::Close | Progress::Peer => false,
                Progress::NeedReply => self.client.take_news(),
                Progress::NeedOutput => self.client.connection.borrow().output_len() < before,
                Progress::NeedTurn => self.may_go_on(written, cx),
                Progress::NeedInput if self.may_go_on(written, cx) => {
                    match self.poll_read(written, cx)? {
                        Poll::Ready(true) => return Poll::Ready(Ok(End::Closed)),
                        Poll::Ready(false) => true,
                        Poll::Pending => false,
                    }
                }
                Progress::NeedInput => false,
            };
            self.is_due = goes_on;
            if written == Written::Enough {
                break;
            }
            if !goes_on {
                return self.poll_patience(cx).map(Ok);
            }
            if spent >= TURN {
                break;
            }
        }
        // Others want their turn.
        self.stream.yield_turn(cx.waker());
        Poll::Pending
    }

    /// Executes what has come. Returns how long it took.
    fn process(&mut self) -> Duration {
        let clients = &self.clients;
        let begun = self.read_at.take().unwrap_or_else(Instant::now);
        self.progress = clients
            .backend
            .process(&**clients, &self.client, &self.caller);
        self.is_due = false;
        clients.counters.end_turn(begun)
    }

    /// Writes output as far as the client takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<Written> {
        let mut connection = self.client.connection.borrow_mut();
        let mut total = 0;
        while !connection.output().is_empty() {
            if total >= MOST_WRITTEN {
                return Ok(Written::Enough);
            }
            let stream = Pin::new(&mut self.stream);
            let output = connection.output();
            let output = output.get(..MOST_WRITTEN).unwrap_or(output);
            let Poll::Ready(written) = stream.poll_write(cx, output)? else {
                return Ok(Written::Blocked);
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            connection.consume_output(written);
            self.clients.counters.sent(written);
            self.taking = Taking::default();
            total += written;
        }
        Ok(Written::All)
    }

    /// Whether more is executed and read although not all is written. A client that takes its replies is waited for;
    /// one that takes none is likely to do so only when it has sent all.
    fn may_go_on(&mut self, written: Written, cx: &mut Context<'_>) -> bool {
        let waiting = self.client.connection.borrow().output_len();
        if written == Written::All || waiting < AHEAD || self.taking.has_stopped {
            return true;
        }
        let pause = self.taking.pause.get_or_insert_with(|| Timer::after(PAUSE));
        self.taking.has_stopped = pause.poll(cx).is_ready();
        self.taking.has_stopped
    }

    /// Ends a client that takes nothing although as much waits for it as may.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let waiting = self.client.connection.borrow().output_len();
        if waiting < self.clients.config.connection.max_output_len {
            return Poll::Pending;
        }
        let patience = self
            .taking
            .patience
            .get_or_insert_with(|| Timer::after(PATIENCE));
        ready!(patience.poll(cx));
        Poll::Ready(End::Over("--max-output"))
    }

    /// Reads something. Returns whether the client has come to its end instead.
    fn poll_read(&mut self, written: Written, cx: &mut Context<'_>) -> io::Result<Poll<bool>> {
        let mut connection = self.client.connection.borrow_mut();
        let is_answered = connection.deferred() == 0;
        if is_answered
            && let Some(since) = self.timed_since.take()
            // Those who look at a server are none of those that it is there for.
            && connection.name() != ASKER_NAME
        {
            self.clients.meter.record(since.elapsed());
        }
        let is_done = is_answered && written == Written::All;
        if self.is_at_end {
            return Ok(if is_done {
                Poll::Ready(true)
            } else {
                Poll::Pending
            });
        }
        let stream = Pin::new(&mut self.stream);
        match stream.poll_read(cx, connection.input_space())? {
            Poll::Ready(0) => self.is_at_end = true,
            Poll::Ready(read) => {
                connection.commit(read);
                let now = Instant::now();
                self.client.hear(now);
                self.clients.counters.received(read);
                self.read_at = Some(now);
                if self.timed_since.is_none() && self.client.is_sample() {
                    self.timed_since = Some(now);
                }
            }
            Poll::Pending if self.clients.is_stopping() && is_done => {
                return Ok(Poll::Ready(true));
            }
            Poll::Pending => return Ok(Poll::Pending),
        }
        Ok(Poll::Ready(false))
    }
}

/// Reads in a row, after which other clients get their turn.
const ROUNDS: usize = 8;
/// Time of execution after which other clients get their turn.
const TURN: Duration = Duration::from_millis(1);
/// Bytes written in a row, after which other clients get their turn.
const MOST_WRITTEN: usize = 1 << 20;
/// Bytes of replies above which a client that takes some is waited for before more is executed.
const AHEAD: usize = 1 << 20;
/// How long a client takes no replies before it counts as one that sends all before it reads.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a client may take nothing while as much waits for it as may.
const PATIENCE: Duration = Duration::from_secs(1);
