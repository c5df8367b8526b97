//! What happens between two inputs: the node's actions are carried out, its links are served.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant as StdInstant};

use async_executor::Task;
use async_io::Timer;
use async_net::TcpStream;
use futures_lite::future::yield_now;
use futures_lite::{AsyncRead, AsyncWrite, FutureExt};
use memvault::replication::{Action, Event, Link, Message, Now, PlainLink, PlainReply};
use memvault::ring::NodeIndex;

use super::connect::{connect, limit_send_buffer};
use super::link::{Codec, Incoming, LinkError, Reader};
use super::links::OpenLink;
use super::outlet::{self, Outlet};
use super::{Driver, WeakDriver, event_log};

/// How long it may take to send what says why a link is closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Driver {
    /// A handle that does not keep the driver alive.
    pub(crate) fn downgrade(&self) -> WeakDriver {
        WeakDriver(Rc::downgrade(&self.0))
    }

    /// Starts a task; `None` if the executor is gone.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) -> Option<Task<()>> {
        let executor = self.0.executor.upgrade()?;
        Some(executor.spawn(future))
    }

    pub(super) fn start_timer(&self) {
        let (weak, alarm, clock) = (self.downgrade(), Rc::clone(&self.0.alarm), self.0.clock);
        let timer = async move {
            loop {
                alarm.rings(clock).await;
                let Some(driver) = weak.upgrade() else { return };
                driver.note_work();
                let now = driver.0.clock.now();
                driver.0.node.borrow_mut().handle_timeout(now);
                driver.drive(now);
                driver.close_dead(now);
                driver.tell_summaries();
                drop(driver);
                // A node that has more to begin is due at once: first it is the others' turn.
                yield_now().await;
            }
        };
        if let Some(task) = self.spawn(timer) {
            self.0.alarm.keep(task);
        }
    }

    /// The time; a node that is late learns first how much its own thread worked.
    pub(super) fn now(&self) -> Now {
        let now = self.0.clock.now();
        if self.0.node.borrow().is_late(now) {
            self.note_work();
        }
        now
    }

    fn note_work(&self) {
        let work = self.0.effort.borrow_mut().since_last();
        self.0.node.borrow_mut().note_work(work);
    }

    /// Does what the node asks, until it asks for nothing more.
    pub(super) fn drive(&self, now: Now) {
        if self.0.driving.replace(true) {
            return;
        }
        loop {
            while let Some(action) = self.next_action() {
                self.perform(now, action);
            }
            let Some((link, error)) = self.0.links.borrow_mut().pop_overflown() else {
                break;
            };
            self.lose(now, link, &error);
        }
        self.0.driving.set(false);
        self.0.alarm.set(self.0.node.borrow().poll_timeout());
    }

    fn next_action(&self) -> Option<Action> {
        self.0.node.borrow_mut().poll_action()
    }

    fn perform(&self, now: Now, action: Action) {
        match action {
            Action::Connect(node) => self.connect(node),
            Action::Disconnect(link) => {
                if let Link::Peer(node) = link {
                    self.0.peers.borrow_mut().dropped(node);
                }
                self.part(link);
            }
            Action::Send(link, message) => {
                match link {
                    Link::Peer(node) => self.0.peers.borrow_mut().sent(now, node, &message),
                    Link::Inbound(_) => {
                        let mut answers = self.0.answers.borrow_mut();
                        answers.sent(self.0.clock, link, &message);
                    }
                }
                let mut links = self.0.links.borrow_mut();
                links.send(now.instant, link, &message);
            }
            Action::Ask(node, question) => {
                self.0.peers.borrow_mut().asked(now, node, &question);
                let mut links = self.0.links.borrow_mut();
                links.ask(now.instant, node, &question);
            }
            Action::Complete(id, outcome) => {
                let waiting = self.0.requests.borrow_mut().take(id);
                if let Some(waiting) = waiting {
                    waiting.complete(now.wall, id, outcome);
                }
            }
            Action::Event(event) => self.announce(&event),
        }
    }

    /// Closes a link, but still sends what is queued on an inbound one, as it may say why.
    fn part(&self, link: Link) {
        let last_words = self.0.links.borrow_mut().part(link);
        if let Some(writer) = last_words {
            let too_late = async {
                Timer::after(LAST_WORDS).await;
            };
            if let Some(task) = self.spawn(writer.or(too_late)) {
                task.detach();
            }
        }
    }

    /// Closes inbound links on which nothing was heard for too long, as their opener is gone, and links on which
    /// nothing is taken.
    fn close_dead(&self, now: Now) {
        let (now_then, timeout) = (now.instant, self.0.idle_timeout);
        let dead = self.0.links.borrow_mut().pop_dead(now_then, timeout);
        for (link, error) in dead {
            self.lose(now, link, &error);
        }
    }

    fn announce(&self, event: &Event) {
        if let Event::MembersChanged { .. } = event {
            let mut peers = self.0.peers.borrow_mut();
            for peer in self.0.node.borrow().peers() {
                peers.know(peer.index, peer.id, peer.address);
            }
        }
        if let Event::Moved { node, address } = event {
            self.0.peers.borrow_mut().moved(node, address);
        }
        if let Event::Up { node, .. } = event {
            self.0.peers.borrow_mut().came_up(node);
        }
        self.0.peers.borrow_mut().note(event);
        if self.0.flapping.borrow_mut().tells(StdInstant::now(), event) {
            event_log::write(event);
        }
        for hook in self.0.on_event.borrow().iter() {
            hook(event);
        }
    }

    /// Tells what members have done all the time.
    fn tell_summaries(&self) {
        let summaries = self.0.flapping.borrow_mut().take_over(StdInstant::now());
        summaries.iter().for_each(event_log::write_summary);
    }

    fn connect(&self, node: NodeIndex) {
        let address = self.0.peers.borrow_mut().address_to_call(node);
        let (timeout, send_buffer) = (self.0.connect_timeout, self.0.link_send_buffer);
        let patience = self.inspect(|node| node.config().down_after);
        let weak = self.downgrade();
        let attempt = async move {
            let result = connect(&address, timeout, patience).await;
            let result = result.and_then(|stream| {
                limit_send_buffer(&stream, send_buffer)?;
                Ok(stream)
            });
            let Some(driver) = weak.upgrade() else { return };
            match result {
                Ok(stream) => driver.connected(node, stream),
                Err(error) => {
                    log::debug!(address, error:%; "connect-failed");
                    driver.lose(driver.0.clock.now(), Link::Peer(node), &error);
                }
            }
        };
        if let Some(task) = self.spawn(attempt) {
            self.0.links.borrow_mut().connecting(node, task);
        }
    }

    fn connected(&self, node: NodeIndex, stream: TcpStream) {
        let speaks_plain = self.inspect(|node| node.config().plain_redis);
        let codec = if speaks_plain {
            Codec::Plain(Rc::new(RefCell::new(PlainLink::new(self.0.limits))))
        } else {
            Codec::messages(self.0.limits)
        };
        let reader = Reader::new(stream.clone(), Vec::new(), codec);
        self.open(Link::Peer(node), reader, stream);
        let now = self.0.clock.now();
        self.0.peers.borrow_mut().connected(node);
        self.0.node.borrow_mut().handle_connected(now, node);
        self.drive(now);
    }

    pub(super) fn open<R, W>(&self, link: Link, mut reader: Reader<R>, writer: W)
    where
        R: AsyncRead + Unpin + 'static,
        W: AsyncWrite + Unpin + 'static,
    {
        let clock = self.0.clock;
        let outlet = Rc::new(Outlet::new(clock.now().instant));
        let plain = reader.plain();
        let (weak, answers) = (self.downgrade(), Rc::clone(&outlet));
        let most = match link {
            Link::Inbound(_) => self.0.max_link_answers,
            Link::Peer(_) => usize::MAX,
        };
        let reading = async move {
            loop {
                // Who does not read what it asked for is not asked what else it wants.
                answers.drained(most).await;
                let result = reader.read().await;
                let Some(driver) = weak.upgrade() else { return };
                let (is_partial, unfinished) = (reader.is_partial(), reader.unfinished());
                driver.take(link, is_partial, reader.incoming());
                driver.weigh(link, unfinished);
                if let Err(error) = result {
                    return driver.lose(driver.0.clock.now(), link, &error);
                }
                drop(driver);
                if reader.ends_turn() {
                    yield_now().await;
                }
            }
        };
        let weak = self.downgrade();
        let queue = Rc::clone(&outlet);
        let writing = async move {
            let sent = |id| {
                if let Some(driver) = weak.upgrade() {
                    driver.sent(link, id);
                }
            };
            if let Err(error) = outlet::write(&queue, writer, clock, sent).await
                && let Some(driver) = weak.upgrade()
            {
                driver.lose(driver.0.clock.now(), link, &LinkError::Io(error));
            }
        };
        if let (Some(reader), Some(writer)) = (self.spawn(reading), self.spawn(writing)) {
            let now = self.0.clock.now().instant;
            let mut open = OpenLink::new(outlet, reader, writer, now);
            if let Some(codec) = plain {
                open = open.plain(codec);
            }
            self.0.links.borrow_mut().open(link, open);
        }
    }

    /// `is_partial`: whether of a large message only a part has come.
    fn take(&self, link: Link, is_partial: bool, incoming: impl Iterator<Item = Incoming>) {
        let now = self.now();
        self.0.links.borrow_mut().heard(now.instant, link);
        self.0.node.borrow_mut().handle_heard(now, link);
        if is_partial {
            self.0.node.borrow_mut().handle_piece(now, link);
        }
        for one in incoming {
            if !self.0.links.borrow().is_open(link) {
                return;
            }
            match (one, link) {
                (Incoming::Message(message), _) => self.take_message(now, link, message),
                (Incoming::Reply(reply), Link::Peer(node)) => self.take_reply(now, node, reply),
                (Incoming::Reply(_), Link::Inbound(_)) => {}
            }
            self.drive(now);
        }
    }

    /// So many bytes of incomplete messages have come on a link: those that hold too much have to go.
    fn weigh(&self, link: Link, unfinished: usize) {
        if self.0.links.borrow_mut().weigh(link, unfinished) {
            self.drive(self.0.clock.now());
        }
    }

    /// The system has taken the last byte of a large message.
    fn sent(&self, link: Link, id: u64) {
        if self.0.links.borrow().is_open(link) {
            let now = self.now();
            self.0.node.borrow_mut().handle_sent(now, link, id);
            self.drive(now);
        }
    }

    fn take_message(&self, now: Now, link: Link, message: Message) {
        if let Link::Peer(node) = link {
            let fits = self.0.peers.borrow_mut().received(now, node, &message);
            if let Err(error) = fits {
                return self.lose(now, link, &error);
            }
        }
        let mut answers = self.0.answers.borrow_mut();
        answers.received(now.instant, link, &message);
        drop(answers);
        self.0.node.borrow_mut().handle_message(now, link, message);
    }

    fn take_reply(&self, now: Now, node: NodeIndex, reply: PlainReply) {
        self.0.peers.borrow_mut().replied(now, node, &reply);
        self.0.node.borrow_mut().handle_reply(now, node, reply);
    }

    /// Tells the node that a link is gone, or did not come about.
    pub(super) fn lose(&self, now: Now, link: Link, error: &LinkError) {
        self.0.links.borrow_mut().close(link);
        match link {
            Link::Peer(node) => {
                if error.is_misbehaviour() {
                    let reason = error.to_string();
                    self.0
                        .node
                        .borrow_mut()
                        .handle_misbehaviour(now, node, reason);
                } else {
                    self.0.node.borrow_mut().handle_disconnected(now, node);
                }
                // The event comes first: it explains the end that is counted here.
                self.drive(now);
                self.0.peers.borrow_mut().lost(node, error);
            }
            Link::Inbound(number) => {
                if !matches!(error, LinkError::Closed) {
                    log::warn!(link = number, error:%; "inbound-closed");
                }
                let mut node = self.0.node.borrow_mut();
                node.handle_inbound_closed(now, number);
            }
        }
        self.drive(now);
    }
}
