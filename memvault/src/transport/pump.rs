//! Moves what a node asks for over a transport, and what the transport brings to the node.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Incident, Transport};
use crate::replication::{
    Action, Event, Levels, Link, Message, Node, Now, Outcome, PlainLink, PlainQuestion, Request,
    WireError,
};
use crate::resp::{CommandDecoder, Limits};
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
/// use memvault::transport::{LoopbackNetwork, Pump};
///
/// let network = LoopbackNetwork::new();
/// let config = Config::new(vec![Member::new("a")], Role::Member("a".into()));
/// let node = Node::new(config, 1, 1, store::Config::default(), Now::default())?;
/// let mut pump = Pump::new(node, network.attach(0));
/// let now = Now { instant: Instant::from_millis(1100), wall: Timestamp::from_millis(1100) };
/// pump.run(now); // its warm-up is over: there is nobody to wait for
/// pump.request(now, 7, Request::Get(b"key"[..].into()), Levels::default());
/// pump.run(now);
/// assert_eq!(pump.poll_outcome(), Some((7, Ok(Answer::Value(None)))));
/// # Ok::<(), memvault::replication::ConfigError>(())
/// ```
pub struct Pump<T> {
    node: Node,
    transport: T,
    streams: BTreeMap<Link, Stream>,
    /// The message being sent; its memory is used again.
    scratch: Vec<u8>,
    outcomes: VecDeque<(u64, Outcome)>,
    events: VecDeque<Event>,
}

/// What came in on one link and is not a whole message yet.
#[derive(Debug, Default)]
struct Stream {
    decoder: CommandDecoder,
    input: Vec<u8>,
    /// The codec, if the other end speaks plain Redis.
    plain: Option<PlainLink>,
}

impl<T: Transport> Pump<T> {
    /// A pump for a node that has just been made.
    pub const fn new(node: Node, transport: T) -> Self {
        Self {
            node,
            transport,
            streams: BTreeMap::new(),
            scratch: Vec::new(),
            outcomes: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Begins a request; its outcome comes from [`poll_outcome`](Self::poll_outcome) with this id.
    pub fn request(&mut self, now: Now, id: u64, request: Request, levels: Levels) {
        self.node.handle_request(now, id, request, levels);
        self.perform();
    }

    /// Does all that can be done at `now`. Returns whether anything was received.
    pub fn run(&mut self, now: Now) -> bool {
        if self.node.poll_timeout() <= now.instant {
            self.node.handle_timeout(now);
        }
        self.perform();
        let mut received = false;
        while let Some(incident) = self.transport.poll(now.instant) {
            received = true;
            self.take(now, incident);
            self.perform();
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

    fn take(&mut self, now: Now, incident: Incident) {
        match incident {
            Incident::Connected(peer) => {
                self.streams.remove(&Link::Peer(peer));
                self.node.handle_connected(now, peer);
            }
            Incident::Received(link, bytes) => {
                let stream = self.streams.entry(link).or_default();
                stream.input.extend_from_slice(&bytes);
                match (link, &stream.plain) {
                    (Link::Peer(peer), Some(_)) => self.decode_plain(now, peer),
                    _ => self.decode(now, link),
                }
            }
            Incident::Closed(link) => self.closed(now, link),
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
                    self.perform();
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

    fn perform(&mut self) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Connect(peer) => self.transport.connect(peer),
                Action::Disconnect(link) => {
                    self.streams.remove(&link);
                    self.transport.close(link);
                }
                Action::Send(link, message) => {
                    self.scratch.clear();
                    message.encode(&mut self.scratch);
                    self.transport.send(link, &self.scratch);
                }
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
        let input = self.input.get(*at..).unwrap_or(&[]);
        match self.decoder.decode(input) {
            Ok(Some(decoded)) => {
                *at += decoded.consumed;
                Some(Message::decode(decoded.args))
            }
            Ok(None) => None,
            Err(_) => Some(Err(WireError::Malformed)),
        }
    }
}
