//! What nodes say to each other. Every question carries an id that its answer repeats, so answers may come
//! in any order, late, twice or not at all.

use alloc::string::String;
use alloc::vec::Vec;

use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::list::Membership;
use crate::slot::Slot;
use crate::time::Timestamp;
use crate::version::Version;

/// A question or an answer on a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Chosen by the one who asks, unique among its questions; repeated in the answer.
    pub id: u64,
    /// The epoch of the sender's member list. A question is only answered by a node of the same epoch.
    pub epoch: u64,
    /// What is asked or answered.
    pub body: Body,
}

/// The kinds of messages: each question is followed by its answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Opens a link: who calls, and by which rules.
    Hello(Hello),
    /// Refuses a [`Hello`](Self::Hello): the caller goes by other rules; the text says which.
    Rejected(String),
    /// Another process with the receiver's id is alive as well.
    SameId {
        /// Whether the receiver came second: its greeting is refused.
        came_later: bool,
    },
    /// Are you alive?
    Ping,
    /// Accepts a [`Hello`](Self::Hello) and answers a [`Ping`](Self::Ping).
    Pong {
        /// The process start: another number means that all data of the former was lost.
        incarnation: u32,
        /// What the node can be used for.
        state: NodeState,
        /// Its hybrid logical time.
        hlc: u64,
        /// How far it has come with taking over what it should hold; `None` once it has everything.
        pending: Option<Progress>,
        /// Its wall clock.
        wall: Timestamp,
        /// The version of the latest flush that it knows of: a node that does not know of it yet flushes too.
        flushed: Version,
        /// While it warms up: up to here it may have acknowledged something in a former life that it has forgotten.
        /// Zero otherwise.
        start_floor: Version,
    },
    /// Asks a leader to write.
    Write(Write),
    /// Answers a [`Write`](Self::Write).
    Wrote(WriteReply),
    /// Offers one version to a replica.
    Offer {
        /// The key.
        key: Bytes,
        /// The version offered; a [fence](OfferKind::Fence) carries no value.
        entry: Entry,
        /// Why it is offered.
        kind: OfferKind,
    },
    /// Answers an [`Offer`](Self::Offer).
    Offered(OfferReply),
    /// What do you hold for this key?
    Read {
        /// The key.
        key: Bytes,
        /// If set, a promise is asked for as well.
        promise: Option<Prepare>,
    },
    /// Answers a [`Read`](Self::Read).
    Held(ReadReply),
    /// Asks a leader for the lock of a key: to read it, decide, and write it.
    Lock {
        /// The key.
        key: Bytes,
    },
    /// Answers a [`Lock`](Self::Lock), a second time once a lock that was waited for has come.
    Locked(LockReply),
    /// Gives a lock back, by its id; nobody answers.
    Unlock {
        /// The key.
        key: Bytes,
    },
    /// Send me your entries that I should hold, from `cursor` on.
    Pull {
        /// Zero to begin with, then what the last answer said.
        cursor: u32,
        /// Only versions later than this hybrid logical time; zero for all.
        since: u64,
        /// Only keys that I hold after the change of members that is under way, and not before.
        pending: bool,
    },
    /// Answers a [`Pull`](Self::Pull).
    Pulled(PullReply),
    /// You have not confirmed versions that I hold, the oldest of them at this hybrid logical time. Repeated
    /// until a [`Pull`](Self::Pull) has fetched them; has no answer of its own.
    Missed {
        /// The time just before the oldest one.
        since: u64,
    },
    /// The sender leads these keys and has served them: make them the last to be evicted, if they are there.
    /// Says nothing about what they hold, and has no answer.
    Touch {
        /// The keys, in no particular order.
        keys: Vec<Bytes>,
    },
    /// Forget everything up to this version.
    Flush {
        /// The version of the flush.
        version: Version,
    },
    /// Answers a [`Flush`](Self::Flush).
    Flushed,
    /// How many keys do you hold?
    Count,
    /// Answers a [`Count`](Self::Count).
    Counted {
        /// Keys that have a value, those included whose time is over and that nobody has asked for since.
        keys: u64,
    },
    /// The member list of the sender, for a node that has an earlier one. Where that node asked something,
    /// it has to ask again.
    Membership(Membership),
    /// Answers a question from a later epoch: nothing was done, and the membership is wanted.
    WrongEpoch,
    /// Asks a member to vote on the next membership.
    Propose {
        /// The number of the ballot.
        number: u64,
        /// What to vote for; `None` asks for the promise to ignore ballots with lower numbers.
        membership: Option<Membership>,
    },
    /// Answers a [`Propose`](Self::Propose).
    Voted {
        /// Whether it is a yes: no ballot with a higher number was promised.
        is_yes: bool,
        /// What it voted for before.
        before: Option<Ballot>,
    },
}

/// What a reader asks a replica to promise, by the version of the write to come: to store nothing older from now
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prepare {
    /// Nothing at all: what will be written follows from what is read now.
    Update(Version),
    /// Nothing but fills: what will be written is loaded from elsewhere, after this. Fills do not stand in each
    /// other's way, or clients that load the same would keep each other from filling it in.
    Fill(Version),
}

impl Prepare {
    /// The version of the write to come.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::Update(version) | Self::Fill(version) => version,
        }
    }
}

/// A vote for a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The number of the ballot.
    pub number: u64,
    /// What was voted for.
    pub membership: Membership,
}

/// How far a node has come with fetching its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries received, a key from several sources counted several times.
    pub entries: u64,
    /// The part of the sources' entries that was looked at, in thousandths.
    pub permille: u16,
}

/// Who opens a link, and by which rules it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The member's id, or a name for a client or gateway.
    pub node_id: String,
    /// The process start.
    pub incarnation: u32,
    /// Digest of the member list: those of one epoch must be the same.
    pub digest: u64,
    /// Replicas per key: both ends must agree.
    pub replicas: u8,
    /// Whether it holds data, and is thus one of the ring's members.
    pub is_member: bool,
    /// The version of these messages and of the rules of placement: both ends must have the same.
    pub protocol: u8,
    /// Virtual nodes per unit of weight: both ends must place keys alike.
    pub virtual_nodes: u32,
    /// [`Config::op_deadline`](crate::replication::Config::op_deadline) in milliseconds: members must agree when nobody
    /// waits for an answer any more.
    pub op_deadline_ms: u32,
    /// The id that the caller takes the other end for; empty if it does not know.
    pub callee: String,
}

impl Hello {
    /// The version that this release speaks.
    pub const PROTOCOL: u8 = 5;
}

/// What a node can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// Just started, without data: accepts writes uncounted, answers no reads.
    Warming,
    /// Was cut off or paused and fetches what it missed: answers quorum reads, does not lead.
    CatchingUp,
    /// Does everything.
    Serving,
    /// About to stop: finishes its work, does not lead.
    Leaving,
}

impl NodeState {
    /// The state's name in messages to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warming => "warming",
            Self::CatchingUp => "catching-up",
            Self::Serving => "serving",
            Self::Leaving => "leaving",
        }
    }
}

/// A write, as the coordinator asks the leader for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The key.
    pub key: Bytes,
    /// The new version; its version identifies the write through all retries.
    pub entry: Entry,
    /// Acknowledgements needed, the leader's own included.
    pub need: u8,
    /// Acknowledgements needed of the replicas after the change of members that is under way.
    pub next_need: u8,
    /// Whether this version has never been sent to anyone before.
    pub first: bool,
    /// Whether it fills in what was loaded from elsewhere.
    pub is_fill: bool,
    /// After this time nobody waits for the answer, and the leader must not begin.
    pub deadline: Timestamp,
}

/// What became of a [`Write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteReply {
    /// Enough replicas hold it. `existed` tells whether the leader held a live value before.
    Done {
        /// Whether the leader held a live value before.
        existed: bool,
    },
    /// It can never be acknowledged: something newer is there. A new version above `current` may succeed.
    Stale {
        /// The newest version seen.
        current: Version,
        /// Whether no replica can have stored it at all.
        untouched: bool,
    },
    /// The node does not lead at present.
    Loading,
    /// The node is not one of the key's replicas.
    WrongNode,
    /// Fewer replicas are within reach than needed; those within reach may have it.
    Unreachable,
    /// Some replicas hold something newer and refuse for ever, others may have it, and too few are within
    /// reach to tell which side wins. A new version above `current` may succeed; the old one may yet turn up.
    Undecided {
        /// The newest version seen.
        current: Version,
    },
    /// The deadline has passed; whether it took effect is unknown.
    Expired,
    /// The version is too far in the future: somebody's clock is wrong.
    Skew,
    /// The node cannot hold an entry of this size.
    TooLarge,
}

/// Why a version is offered to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferKind {
    /// Part of a write: a refusal is for ever.
    Write,
    /// Part of a write that fills in what was loaded from elsewhere: a refusal is for ever.
    Fill,
    /// Was it ever accepted? If not, it never will be.
    Fence,
    /// A reader brings replicas up to date, or a member that catches up itself.
    Repair,
}

/// What a replica made of an [`Offer`](Body::Offer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferReply {
    /// It holds the version, or held it once.
    Ack {
        /// Whether the acknowledgement counts: not from a node that is warming up.
        counted: bool,
    },
    /// It does not hold the version.
    Nack {
        /// The newest version that it holds or has forgotten.
        current: Version,
        /// Whether it holds `current`, or may only have forgotten it.
        held: bool,
        /// Whether the refusal counts.
        counted: bool,
        /// Why.
        refusal: Refusal,
    },
    /// A node that is warming up does not answer a fence.
    Silent,
}

/// Why a replica refused an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Something as new or newer was there.
    Stale,
    /// Somebody was promised that nothing older than `current` would be stored.
    Promised,
    /// The version is too far in the future.
    Skew,
    /// The entry is heavier than the whole budget.
    TooLarge,
}

/// What a leader made of a [`Lock`](Body::Lock).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockReply {
    /// Go ahead.
    Granted,
    /// Others are first.
    Queued,
    /// The node does not lead at present.
    Loading,
}

/// What a replica holds for a key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReadReply {
    /// The node is warming up and must not answer.
    Loading,
    /// The promise that was asked for cannot be given: something as new is there, or promised to another.
    Overtaken {
        /// The newest version held, forgotten or promised.
        current: Version,
    },
    /// The node has yet to take the key over: what it holds is not complete, and nobody relies on it so far.
    Pending,
    /// What it holds, and the highest version it may have forgotten.
    Holds {
        /// The entry, if any; may be a tombstone or past its time.
        entry: Option<Entry>,
        /// The entry survived more failures than the budget: good for a read at ONE, not for a quorum.
        unconfirmed: bool,
        /// The highest version forgotten among the keys of the same bucket.
        floor: Version,
        /// It is cut off, or was or stood still and has not caught up: what it holds counts as before, but others may
        /// know that it is long gone.
        behind: bool,
    },
}

/// One entry of a [`PullReply::Chunk`].
#[derive(Clone, Debug, PartialEq)]
pub struct PulledEntry {
    /// The key.
    pub key: Bytes,
    /// What the source holds.
    pub entry: Entry,
    /// See [`ReadReply::Holds`].
    pub unconfirmed: bool,
}

impl PulledEntry {
    /// Bytes of key and value.
    pub(in crate::replication) fn weight(&self) -> usize {
        self.key.len() + self.entry.value.as_ref().map_or(0, |value| value.len())
    }
}

/// Part of what a source holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PullReply {
    /// The source is not ready to be one; ask again.
    Loading,
    /// Some entries.
    Chunk {
        /// In no particular order.
        entries: Vec<PulledEntry>,
        /// How many entries were looked at for this answer.
        looked_at: u32,
        /// How many entries the source has.
        total: u32,
        /// Where to go on; `None` after the last chunk.
        next: Option<u32>,
        /// With the last chunk: slot and floor, for floors above [`Version::ZERO`] of slots that the asker should hold.
        floors: Vec<(Slot, Version)>,
    },
}
