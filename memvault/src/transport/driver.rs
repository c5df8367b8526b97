//! Moves what a node asks for over a transport, and what the transport brings to the node.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Transport, TransportEvent};
use crate::replication::{
    Action, Event, Inbox, Levels, Link, Message, Node, Now, Outbox, Outcome, PlainLink,
    PlainQuestion, Request, WireError,
};
use crate::resp::Limits;
use crate::ring::NodeIndex;
use crate::time::Instant;

/// A node with its transport: the whole of a process but for its clock and its clients.
///
/// # Examples
///
/// ```
/// # use memvault::replication::{Answer, Config, Levels, Member, Node, Now, Request, Role};
/// # use memvault::store;
/// # use memvault::time::{Instant, Timestamp};
/// use memvault::transport::{LoopbackNetwork, Driver};
///
/// let network = LoopbackNetwork::new();
/// let config = Config::new(vec![Member::new("a")], Role::Member("a".into()));
/// let node = Node::new(config, 1, 1, store::Config::default(), Now::default())?;
/// let mut driver = Driver::new(node, network.attach(0));
/// let now = Now { instant: Instant::from_millis(1100), wall: Timestamp::from_millis(1100) };
/// driver.run(now); // its warm-up is over: there is nobody to wait for
/// driver.request(now, 7, Request::Get(b"key"[..].into()), Levels::default());
/// driver.run(now);
/// assert_eq!(driver.poll_outcome(), Some((7, Ok(Answer::Value(None)))));
/// # Ok::<(), memvault::replication::ConfigError>(())
/// ```
pub struct Driver<T> {
    node: Node,
    transport: T,
    streams: BTreeMap<Link, Stream>,
    /// What is being sent; its memory is used again.
    scratch: Vec<u8>,
    /// Large messages that were sent whole, of which the node has yet to hear.
    sent: VecDeque<(Link, u64)>,
    outcomes: VecDeque<(u64, Outcome)>,
    events: VecDeque<Event>,
}

/// What came in on one link and is not a whole message yet, and what goes out.
#[derive(Debug)]
struct Stream {
    inbox: Inbox,
    outbox: Outbox,
    input: Vec<u8>,
    /// The codec, if the other end speaks plain Redis.
    plain: Option<PlainLink>,
}

impl<T: Transport> Driver<T> {
    /// A driver for a node that has just been made.
    pub const fn new(node: Node, transport: T) -> Self {
        Self {
            node,
            transport,
            streams: BTreeMap::new(),
            scratch: Vec::new(),
            sent: VecDeque::new(),
            outcomes: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins a request; its outcome comes from [`poll_outcome`](Self::poll_outcome) with this id.
    pub fn request(&mut self, now: Now, id: u64, request: Request, levels: Levels) {
        self.node.handle_request(now, id, request, levels);
        self.perform(now);
    }

    /// The same for one of several callers; see [`Node::handle_request_of`].
    pub fn request_of(
        &mut self,
        now: Now,
        (id, caller): (u64, u64),
        request: Request,
        levels: Levels,
    ) {
        self.node
            .handle_request_of(now, (id, caller), request, levels);
        self.perform(now);
    }

    /// Does all that can be done at `now`. Returns whether anything was received.
    pub fn run(&mut self, now: Now) -> bool {
        if self.node.poll_timeout() <= now.instant {
            self.node.handle_timeout(now);
        }
        self.perform(now);
        let mut received = false;
        while let Some(event) = self.transport.poll(now.instant) {
            received = true;
            self.take(now, event);
            self.perform(now);
        }
        received
    }

    /// The next request that is done.
    pub fn poll_outcome(&mut self) -> Option<(u64, Outcome)> {
        self.outcomes.pop_front()
    }

    /// The next thing worth telling.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`run`](Self::run) is due even if nothing comes in.
    pub fn poll_timeout(&self) -> Instant {
        self.node.poll_timeout()
    }

    /// The node.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The transport, for instance to break it.
    pub const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    fn take(&mut self, now: Now, event: TransportEvent) {
        match event {
            TransportEvent::Connected(peer) => {
                self.streams.remove(&Link::Peer(peer));
                self.node.handle_connected(now, peer);
            }
            TransportEvent::Received(link, bytes) => {
                let stream = self.streams.entry(link).or_default();
                stream.input.extend_from_slice(&bytes);
                self.node.handle_heard(now, link);
                match (link, &stream.plain) {
                    (Link::Peer(peer), Some(_)) => self.decode_plain(now, peer),
                    _ => self.decode(now, link),
                }
            }
            TransportEvent::Closed(link) => self.closed(now, link),
        }
    }

    /// Hands over all messages that are complete; a link that brings anything else is closed.
    fn decode(&mut self, now: Now, link: Link) {
        let Some(mut stream) = self.streams.remove(&link) else {
            return;
        };
        let mut at = 0;
        while let Some(result) = stream.next(&mut at) {
            match (result, link) {
                (Ok(message), _) => self.node.handle_message(now, link, message),
                (Err(error), Link::Peer(peer)) => {
                    self.transport.close(link);
                    let reason = alloc::format!("it sent no valid message: {error}");
                    return self.node.handle_misbehaviour(now, peer, reason);
                }
                (Err(_), Link::Inbound(number)) => {
                    self.transport.close(link);
                    return self.node.handle_inbound_closed(now, number);
                }
            }
        }
        stream.input.drain(..at);
        if stream.inbox.kept() > 0 {
            self.node.handle_piece(now, link);
        }
        self.streams.insert(link, stream);
    }

    /// The same for a member that speaks plain Redis.
    fn decode_plain(&mut self, now: Now, peer: NodeIndex) {
        let link = Link::Peer(peer);
        while let Some(stream) = self.streams.get_mut(&link) {
            let Some(plain) = &mut stream.plain else {
                return;
            };
            match plain.next(now.wall, &stream.input) {
                Ok(Some((reply, consumed))) => {
                    stream.input.drain(..consumed);
                    self.node.handle_reply(now, peer, reply);
                    self.perform(now);
                }
                Ok(None) => return,
                Err(error) => {
                    self.streams.remove(&link);
                    self.transport.close(link);
                    return self.node.handle_misbehaviour(now, peer, error.to_string());
                }
            }
        }
    }

    /// Sends a message whole: a transport in memory takes everything.
    fn send(&mut self, link: Link, message: &Message) {
        let stream = self.streams.entry(link).or_default();
        stream.outbox.push(message);
        self.scratch.clear();
        stream.outbox.fill(&mut self.scratch, usize::MAX);
        while let Some(id) = stream.outbox.pop_sent() {
            self.sent.push_back((link, id));
        }
        self.transport.send(link, &self.scratch);
    }

    fn ask(&mut self, peer: NodeIndex, question: &PlainQuestion) {
        let stream = self.streams.entry(Link::Peer(peer)).or_default();
        let plain = stream
            .plain
            .get_or_insert_with(|| PlainLink::new(Limits::default()));
        self.scratch.clear();
        plain.ask(question, &mut self.scratch);
        self.transport.send(Link::Peer(peer), &self.scratch);
    }

    fn closed(&mut self, now: Now, link: Link) {
        self.streams.remove(&link);
        match link {
            Link::Peer(peer) => self.node.handle_disconnected(now, peer),
            Link::Inbound(number) => self.node.handle_inbound_closed(now, number),
        }
    }

    fn perform(&mut self, now: Now) {
        self.perform_actions();
        while let Some((link, id)) = self.sent.pop_front() {
            self.node.handle_sent(now, link, id);
            self.perform_actions();
        }
    }

    fn perform_actions(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Connect(peer) => self.transport.connect(peer),
                Action::Disconnect(link) => {
                    self.streams.remove(&link);
                    self.transport.close(link);
                }
                Action::Send(link, message) => self.send(link, &message),
                Action::Ask(peer, question) => self.ask(peer, &question),
                Action::Complete(id, outcome) => self.outcomes.push_back((id, outcome)),
                Action::Event(event) => self.events.push_back(event),
            }
        }
    }
}

impl Stream {
    /// The next message from `at` on, if it is complete; moves `at` behind it.
    fn next(&mut self, at: &mut usize) -> Option<Result<Message, WireError>> {
        loop {
            let input = self.input.get(*at..).unwrap_or(&[]);
            match self.inbox.next(input) {
                Ok(Some(arrived)) => {
                    *at += arrived.consumed;
                    if let Some(message) = arrived.message {
                        return Some(Ok(message));
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            inbox: Inbox::new(Limits::default()),
            outbox: Outbox::default(),
            input: Vec::new(),
            plain: None,
        }
    }
}
