//! Plain Redis clients, served by a [`Node`] for the whole cluster: commands become requests, outcomes become
//! replies.
//!
//! ```text
//! Connection --Call--> ClusterEngine --handle_request(id)--> Node
//!     ^                     | id: who waits, in which form      | Action::Complete(id, outcome)
//!     |                     v                                   v
//!     +---- complete(id, Waiting::encode) <---- Requests::take(id) <---- driver
//! ```
//!
//! Place: on top of [`connection`](crate::connection) and [`replication`](crate::replication); used by anyone who
//! drives a node and listens for clients too, be it a member or a gateway.
//! Cost: one look-up in a hash table per request, beside what the node does.
//! Limits: a command on several keys is carried out key by key, not atomically.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Display;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::command::{
    CommandError, Data, MembershipCommand, Present, Read, Reply, Sees, Set, SettingError, Update,
};
use crate::connection::{Call, Engine, Execution, Fields, Section, StoreInfo};
use crate::replication::{
    Answer, Bytes, Change, Failure, Levels, Member, Node, NodeState, Now, Outcome, PeerStatus,
    Progress, Request,
};
use crate::resp::{Args, Protocol, encode};
use crate::store::{Statistics, Store};
use crate::time::Timestamp;

/// Keys of one client's wide request that are under way at a time: a good millisecond of work, and no more of them
/// stand before what others ask for.
pub const SLICE_KEYS: usize = 256;

/// The requests of clients that a [`Node`] carries out, and for whom; `C` is how the driver names a client.
#[derive(Debug)]
pub struct Requests<C> {
    last_id: u64,
    waiting: HashMap<u64, Waiting<C>, RandomState>,
    commands: u64,
}

impl<C> Requests<C> {
    /// No requests. `hasher` need not be secret: ids are ours.
    #[must_use]
    pub const fn new(hasher: RandomState) -> Self {
        Self {
            last_id: 0,
            waiting: HashMap::with_hasher(hasher),
            commands: 0,
        }
    }

    /// An id that no request of this node had before, also for requests of the driver's own.
    pub const fn fresh_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Who waits for the outcome of a request, once; `None` if it was not begun by a [`ClusterEngine`].
    pub fn take(&mut self, id: u64) -> Option<Waiting<C>> {
        self.waiting.remove(&id)
    }

    /// The state of `node`, whose requests these are, in numbers: its counters, and its entries if it has any.
    #[must_use]
    pub fn store_info(&self, node: &Node) -> StoreInfo {
        let counted = node.statistics();
        let statistics = Statistics {
            hits: counted.hits,
            misses: counted.misses,
            expired: counted.expired,
            evicted: counted.evicted,
            commands: self.commands,
        };
        match node.entries() {
            Some(entries) => StoreInfo {
                is_loading: node.state() == NodeState::Warming,
                ..StoreInfo::of_entries(entries, statistics)
            },
            None => StoreInfo {
                statistics,
                ..StoreInfo::default()
            },
        }
    }

    /// How many requests of clients are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no request of a client is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// A client that waits for an outcome.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<C> {
    /// The client, as the driver named it.
    pub client: C,
    /// What the client asked of one key, if it only read.
    read: Option<Read>,
    protocol: Protocol,
}

impl<C> Waiting<C> {
    /// Appends the reply for `outcome`: to be called by [`Connection::complete`].
    ///
    /// [`Connection::complete`]: crate::connection::Connection::complete
    pub fn encode(&self, now: Timestamp, outcome: &Outcome, out: &mut Vec<u8>) {
        match outcome {
            Ok(Answer::Values(values)) => self.values(values, out),
            Ok(answer) => self.reply(now, answer).encode(self.protocol, out),
            Err(failure) => encode::error_fmt(out, format_args!("{failure}")),
        }
    }

    /// The reply to a command on one key, or one that counts.
    fn reply<'a>(&self, now: Timestamp, answer: &'a Answer) -> Reply<&'a [u8]> {
        let read = |present: Option<Present<'a>>| match self.read {
            Some(read) => read.reply(present, now),
            None => Reply::Value(present.map(|found| found.value)),
        };
        let there = |value, expire_at| Present { value, expire_at };
        match (answer, self.read) {
            (Answer::Value(value), _) => read(value.as_deref().map(|value| there(value, None))),
            (Answer::Expiry(expiry), _) => read(expiry.map(|at| there(&[], at))),
            (Answer::Count(count), Some(_)) => read((*count > 0).then(|| there(&[], None))),
            (Answer::Count(count), None) => Reply::Integer(*count),
            (Answer::Done | Answer::Values(_), _) => Reply::Done,
            // No command asks for a lease.
            (Answer::NotDone | Answer::Leased(_), _) => Reply::NotDone,
            (Answer::Refused(reason), _) => Reply::Refused(*reason),
        }
    }

    fn values(&self, values: &[Option<Bytes>], out: &mut Vec<u8>) {
        let limit = Store::<RandomState>::MAX_REPLY_LEN;
        let total = values
            .iter()
            .flatten()
            .fold(0, |sum: usize, value| sum + value.len());
        if total > limit {
            return CommandError::ReplyTooLong { limit }.encode(out);
        }
        encode::array(out, values.len());
        for value in values {
            Reply::Value(value.as_ref()).encode(self.protocol, out);
        }
    }
}

/// Carries out the commands of one client on the whole cluster.
///
/// Made for one call of [`Connection::process`](crate::connection::Connection::process), which has to get the
/// same time; afterwards the driver does what the node asks for.
pub struct ClusterEngine<'a, C> {
    /// The node that coordinates.
    pub node: &'a mut Node,
    /// Where it is noted who waits.
    pub requests: &'a mut Requests<C>,
    /// Whose commands they are.
    pub client: C,
    /// The client's number, from 1 on: its requests begin in their order.
    pub caller: u64,
    /// The present.
    pub now: Now,
    /// How many replicas to wait for, where the client has not chosen.
    pub levels: Levels,
}

impl<C: Clone> Engine for ClusterEngine<'_, C> {
    const KEEPS_ORDER: bool = false;
    const CUTS_WIDE: bool = true;
    const SLICE_KEYS: usize = SLICE_KEYS;
    /// Replicas may be out of reach.
    const SLICES_FAIL: bool = true;

    fn max_keys(&self) -> usize {
        self.node.config().max_requests
    }

    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        // Before all its keys are copied: that alone takes long.
        let (keys, max_requests) = (keys_of(&call.command), self.max_keys());
        if keys > max_requests {
            let failure = Failure::TooManyKeys { keys, max_requests };
            encode::error_fmt(out, format_args!("{failure}"));
            return Execution::Done;
        }
        let Some(request) = request(&call.command) else {
            // Nothing else is told without asking others.
            encode::bulk(out, self.members().as_bytes());
            return Execution::Done;
        };
        let id = self.requests.fresh_id();
        let waiting = Waiting {
            client: self.client.clone(),
            read: match call.command {
                Data::Read { read, .. } => Some(read),
                _ => None,
            },
            protocol: call.protocol,
        };
        self.requests.waiting.insert(id, waiting);
        let levels = call.levels.unwrap_or(self.levels);
        let caller = self.caller;
        self.node
            .handle_request_of(self.now, (id, caller), request, levels);
        Execution::Deferred(id)
    }

    fn has_room(&self) -> bool {
        self.node.has_room_for(self.caller)
    }

    fn levels(&self) -> Option<Levels> {
        Some(self.levels)
    }

    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        self.store_info().write(now, section, fields);
        if section == Section::Replication {
            self.replication(fields);
        }
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        self.store_info().settings(show);
        let config = self.node.config();
        show("replicas", &self.node.membership().replicas);
        show("on-ambiguous", &config.on_ambiguous.name());
        show("max-requests", &config.max_requests);
        show("max-in-flight", &config.max_in_flight);
        show("max-in-flight-bytes", &config.max_in_flight_bytes);
        show("max-waiting", &config.max_waiting);
        show("max-waiting-bytes", &config.max_waiting_bytes);
        show("max-wait", &config.max_wait.as_millis());
        show("write-level", &self.levels.write.name());
        show("read-level", &self.levels.read.name());
    }

    /// A member's own limits can be changed; all else is the same in the whole cluster, or fixed at the start.
    fn change_setting(&mut self, name: &str, value: &[u8]) -> Result<(), SettingError> {
        let (max_bytes, max_entries) = self.store_info().changed_limits(name, value)?;
        if self.node.set_limits(self.now, max_bytes, max_entries) {
            Ok(())
        } else {
            Err(SettingError::Immutable)
        }
    }

    /// Only the count of commands: the counters of a node are for ever.
    fn reset_statistics(&mut self) {
        self.requests.commands = 0;
    }

    fn count_commands(&mut self, commands: u64) {
        self.requests.commands += commands;
    }
}

impl<C> ClusterEngine<'_, C> {
    fn store_info(&self) -> StoreInfo {
        self.requests.store_info(self.node)
    }

    /// The members and the change under way, one a line.
    fn members(&self) -> String {
        let (membership, peers) = (self.node.membership(), self.node.peers());
        let change = membership.change.as_ref().map(Change::describe);
        let mut text = alloc::format!(
            "epoch:{}\r\nreplicas:{}\r\nchange:{}\r\n",
            membership.epoch,
            membership.replicas,
            change.unwrap_or_default()
        );
        for (position, peer) in peers.enumerate() {
            let role = match &membership.change {
                Some(Change::Joining { member, .. }) if member.id == peer.id => "joining",
                Some(Change::Leaving(id)) if *id == peer.id => "leaving",
                _ => "member",
            };
            let link = link_name(&peer);
            let state = peer.state.name();
            let member = membership.nodes().find(|member| member.id == peer.id);
            let weight = member.map_or(1, |member| member.weight);
            text += &alloc::format!(
                "node{position}:id={},address={},role={role},weight={weight},link={link},state={state}",
                peer.id,
                peer.address,
            );
            if let Some(Progress { entries, permille }) = peer.pending {
                text += &alloc::format!(",entries={entries},permille={permille}");
            }
            text += "\r\n";
        }
        text
    }

    fn replication(&self, fields: &mut Fields<'_>) {
        let counted = self.node.statistics();
        fields.field("node_state", self.node.state().name());
        fields.field("replicas", self.node.membership().replicas);
        fields.field("epoch", self.node.membership().epoch);
        fields.field("requests_in_flight", self.requests.len());
        fields.field("keys_in_flight", self.node.in_flight());
        fields.field("keys_waiting", self.node.waiting());
        fields.field("failed_requests", counted.failed_requests);
        fields.field("overloaded_requests", counted.overloaded);
        fields.field("replica_hits", counted.replica_hits);
        fields.field("replica_misses", counted.replica_misses);
        fields.field("led_writes", counted.led_writes);
        fields.field("failovers", counted.failovers);
        fields.field("retries", counted.retries);
        fields.field("rewrites", counted.rewrites);
        fields.field("degraded_writes", counted.degraded_writes);
        fields.field("read_repairs", counted.read_repairs);
        fields.field("touches_sent", counted.touches_sent);
        fields.field("touches_taken", counted.touches_taken);
        let tombstones = self
            .node
            .entries()
            .map_or(0, |entries| entries.tombstones());
        fields.field("tombstones", tombstones);
        fields.field("dropped_tombstones", counted.dropped_tombstones);
        fields.field("clock_skews", counted.clock_skews);
        for (position, peer) in self.node.peers().enumerate() {
            let link = link_name(&peer);
            let state: NodeState = peer.state;
            fields.field(
                &alloc::format!("node{position}"),
                format_args!("id={},link={link},state={}", peer.id, state.name()),
            );
        }
    }
}

/// How a member is reached, in a word.
const fn link_name(peer: &PeerStatus) -> &'static str {
    match (peer.is_up, peer.is_suspect) {
        (false, _) => "down",
        (true, true) => "silent",
        (true, false) => "up",
    }
}

/// The request that a command becomes; `None` for the state of the members, which the node tells alone.
fn request(command: &Data<'_>) -> Option<Request> {
    let many = |keys: Args<'_>| keys.iter().map(Bytes::from).collect();
    Some(match *command {
        Data::Get(key) => Request::Get(key.into()),
        Data::Set {
            key,
            value,
            expire_at,
        } => {
            let update = Update::Set(Set::expiring(value.into(), expire_at));
            let key = key.into();
            Request::Update { key, update }
        }
        Data::Read { key, read } => match read.sees() {
            Sees::Value => Request::Get(key.into()),
            Sees::Presence => Request::Exists([Bytes::from(key)].into()),
            Sees::Expiry => Request::Expiry(key.into()),
        },
        Data::Update { key, update } => {
            let (key, update) = (key.into(), update.map(Bytes::from));
            Request::Update { key, update }
        }
        Data::GetMany(keys) => Request::GetMany(many(keys)),
        Data::SetMany(pairs) => {
            let keys = pairs.iter().step_by(2);
            let values = pairs.iter().skip(1).step_by(2);
            let pairs = keys
                .zip(values)
                .map(|(key, value)| (key.into(), value.into()));
            Request::SetMany(pairs.collect())
        }
        Data::Delete(keys) => Request::Delete(many(keys)),
        Data::Exists(keys) => Request::Exists(many(keys)),
        Data::Flush => Request::Flush,
        Data::Count => Request::Count,
        Data::Membership(membership) => return change(membership),
    })
}

/// How many keys a command names.
fn keys_of(command: &Data<'_>) -> usize {
    match command {
        Data::GetMany(keys) | Data::Delete(keys) | Data::Exists(keys) => keys.len(),
        Data::SetMany(pairs) => pairs.len() / 2,
        _ => 1,
    }
}

/// The request for a change of the members.
fn change(membership: MembershipCommand<'_>) -> Option<Request> {
    Some(match membership {
        MembershipCommand::Status => return None,
        MembershipCommand::Add {
            id,
            address,
            weight,
        } => Request::AddMember(Member {
            id: id.into(),
            weight,
            address: address.into(),
        }),
        MembershipCommand::Remove(id) => Request::RemoveMember(id.into()),
    })
}
