//! Messages into bytes.

use alloc::vec::Vec;
use core::mem;

use super::message::{
    Ballot, Body, Hello, LockReply, OfferReply, Prepare, Progress, PullReply, ReadReply, Refusal,
    Write, WriteReply,
};
use super::{kind_code, state_code};
use crate::replication::config::Member;
use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::list::{Change, Membership};
use crate::resp::encode;
use crate::time::Timestamp;
use crate::version::Version;

/// A message taken apart: fixed fields in one part, everything of variable length in parts of its own.
pub(in crate::replication) struct Parts<'a> {
    name: &'static [u8],
    header: Vec<u8>,
    rest: Vec<Part<'a>>,
}

/// A part of variable length.
enum Part<'a> {
    Borrowed(&'a [u8]),
    /// A value: it can be kept without a copy.
    Shared(&'a Bytes),
}

/// Bytes of a message that follow each other.
#[derive(Debug)]
pub(in crate::replication) enum Segment {
    /// Fixed fields and short parts.
    Owned(Vec<u8>),
    /// A long value, which belongs to others too.
    Shared(Bytes),
}

impl<'a> Parts<'a> {
    pub(super) fn new(name: &'static [u8], id: u64, epoch: u64) -> Self {
        // Room for the fixed fields of every message but a chunk of a warm-up.
        let mut header = Vec::with_capacity(72);
        header.extend_from_slice(&id.to_be_bytes());
        header.extend_from_slice(&epoch.to_be_bytes());
        Self {
            name,
            header,
            rest: Vec::new(),
        }
    }

    /// Appends the message to `out`. O(length).
    pub(in crate::replication) fn write(&self, out: &mut Vec<u8>) {
        self.write_head(out);
        for part in &self.rest {
            encode::bulk(out, part.bytes());
        }
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        encode::array(out, 2 + self.rest.len());
        encode::bulk(out, self.name);
        encode::bulk(out, &self.header);
    }

    /// How many bytes [`write`](Self::write) appends. O(parts).
    pub(in crate::replication) fn len(&self) -> usize {
        let rest = self.rest.iter().map(|part| bulk_len(part.bytes().len()));
        let head = header_len(2 + self.rest.len());
        head + bulk_len(self.name.len()) + bulk_len(self.header.len()) + rest.sum::<usize>()
    }

    /// What [`write`](Self::write) appends, without a copy of values above `longest` bytes. O(length of the others).
    pub(in crate::replication) fn segments(&self, longest: usize) -> Vec<Segment> {
        let (mut segments, mut owned) = (Vec::new(), Vec::new());
        self.write_head(&mut owned);
        for part in &self.rest {
            match part {
                Part::Shared(value) if value.len() > longest => {
                    encode::bulk_header(&mut owned, value.len());
                    segments.push(Segment::Owned(mem::take(&mut owned)));
                    segments.push(Segment::Shared(Bytes::clone(value)));
                    owned.extend_from_slice(encode::CRLF);
                }
                part => encode::bulk(&mut owned, part.bytes()),
            }
        }
        segments.push(Segment::Owned(owned));
        segments
    }

    fn part(&mut self, bytes: &'a [u8]) {
        self.rest.push(Part::Borrowed(bytes));
    }

    fn u8(&mut self, value: u8) {
        self.header.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.header.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.header.extend_from_slice(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.header.extend_from_slice(&value.to_be_bytes());
    }

    fn version(&mut self, version: Version) {
        self.header.extend_from_slice(&version.to_bytes());
    }

    fn promise(&mut self, promise: Option<Prepare>) {
        self.u8(match promise {
            None => 0,
            Some(Prepare::Update(_)) => 1,
            Some(Prepare::Fill(_)) => 2,
        });
        self.version(promise.map_or(Version::ZERO, Prepare::version));
    }

    /// Version, expiry and whether there is a value; the value itself is a part of its own.
    fn entry(&mut self, entry: &'a Entry) {
        self.version(entry.version);
        self.u64(entry.expire_at.map_or(0, Timestamp::as_millis));
        self.u8(u8::from(entry.expire_at.is_some()) << 1 | u8::from(entry.value.is_some()));
        if let Some(value) = &entry.value {
            self.rest.push(Part::Shared(value));
        }
    }

    pub(super) fn add_body(&mut self, body: &'a Body) {
        match body {
            Body::Hello(hello) => self.hello(hello),
            Body::SameId { came_later } => self.u8(u8::from(*came_later)),
            Body::Rejected(reason) => self.part(reason.as_bytes()),
            Body::Ping | Body::Flushed | Body::Count | Body::WrongEpoch => {}
            Body::Counted { keys } => self.u64(*keys),
            Body::Pong {
                incarnation,
                state,
                hlc,
                pending,
                wall,
                flushed,
                start_floor,
            } => {
                self.u32(*incarnation);
                self.u8(state_code(*state));
                self.u64(*hlc);
                self.progress(*pending);
                self.u64(wall.as_millis());
                self.version(*flushed);
                self.version(*start_floor);
            }
            Body::Write(write) => self.write_request(write),
            Body::Wrote(reply) => self.write_reply(*reply),
            Body::Offer { key, entry, kind } => {
                self.u8(kind_code(*kind));
                self.part(key);
                self.entry(entry);
            }
            Body::Offered(reply) => self.offer_reply(*reply),
            Body::Read { key, promise } => {
                self.promise(*promise);
                self.part(key);
            }
            Body::Lock { key } | Body::Unlock { key } => self.part(key),
            Body::Locked(reply) => self.u8(match reply {
                LockReply::Granted => 0,
                LockReply::Queued => 1,
                LockReply::Loading => 2,
            }),
            Body::Held(reply) => self.read_reply(reply),
            Body::Pull {
                cursor,
                since,
                pending,
            } => {
                self.u32(*cursor);
                self.u64(*since);
                self.u8(u8::from(*pending));
            }
            Body::Pulled(reply) => self.pull_reply(reply),
            Body::Missed { since } => self.u64(*since),
            Body::Touch { keys } => keys.iter().for_each(|key| self.part(key)),
            Body::Flush { version } => self.version(*version),
            Body::Membership(membership) => self.membership(membership),
            Body::Propose { .. } | Body::Voted { .. } => self.agreement(body),
        }
    }

    fn hello(&mut self, hello: &'a Hello) {
        self.u32(hello.incarnation);
        self.u64(hello.digest);
        self.u8(hello.replicas);
        self.u8(u8::from(hello.is_member));
        self.u8(hello.protocol);
        self.u32(hello.virtual_nodes);
        self.u32(hello.op_deadline_ms);
        self.part(hello.node_id.as_bytes());
        self.part(hello.callee.as_bytes());
    }

    fn progress(&mut self, pending: Option<Progress>) {
        let progress = pending.unwrap_or_default();
        self.u8(u8::from(pending.is_some()));
        self.u64(progress.entries);
        self.u16(progress.permille);
    }

    /// The messages by which members agree on the next membership.
    fn agreement(&mut self, body: &'a Body) {
        match body {
            Body::Propose { number, membership } => {
                self.u64(*number);
                self.u8(u8::from(membership.is_some()));
                if let Some(membership) = membership {
                    self.membership(membership);
                }
            }
            Body::Voted { is_yes, before } => {
                self.u8(u8::from(*is_yes));
                self.u8(u8::from(before.is_some()));
                if let Some(Ballot { number, membership }) = before {
                    self.u64(*number);
                    self.membership(membership);
                }
            }
            _ => {}
        }
    }

    fn membership(&mut self, membership: &'a Membership) {
        self.u64(membership.epoch);
        self.u8(membership.replicas);
        self.u32(u32::try_from(membership.members.len()).unwrap_or(u32::MAX));
        for member in &membership.members {
            self.member(member);
        }
        match &membership.change {
            None => self.u8(0),
            Some(Change::Joining {
                member,
                incarnation,
            }) => {
                self.u8(1);
                self.member(member);
                self.u32(*incarnation);
            }
            Some(Change::Leaving(id)) => {
                self.u8(2);
                self.part(id.as_bytes());
            }
        }
    }

    fn member(&mut self, member: &'a Member) {
        self.u32(member.weight);
        self.part(member.id.as_bytes());
        self.part(member.address.as_bytes());
    }

    fn write_request(&mut self, write: &'a Write) {
        self.u8(write.need);
        self.u8(write.next_need);
        self.u8(u8::from(write.is_fill) << 1 | u8::from(write.first));
        self.u64(write.deadline.as_millis());
        self.part(&write.key);
        self.entry(&write.entry);
    }

    fn write_reply(&mut self, reply: WriteReply) {
        let (code, current) = match reply {
            WriteReply::Done { existed: false } => (0, None),
            WriteReply::Done { existed: true } => (1, None),
            WriteReply::Stale { current, .. } => (2, Some(current)),
            WriteReply::Loading => (3, None),
            WriteReply::WrongNode => (4, None),
            WriteReply::Unreachable => (5, None),
            WriteReply::Expired => (6, None),
            WriteReply::Skew => (7, None),
            WriteReply::TooLarge => (8, None),
            WriteReply::Undecided { current } => (9, Some(current)),
        };
        self.u8(code);
        if let Some(current) = current {
            self.version(current);
        }
        if let WriteReply::Stale { untouched, .. } = reply {
            self.u8(u8::from(untouched));
        }
    }

    fn offer_reply(&mut self, reply: OfferReply) {
        match reply {
            OfferReply::Silent => self.u8(0),
            OfferReply::Ack { counted } => self.u8(1 + u8::from(counted)),
            OfferReply::Nack {
                current,
                held,
                counted,
                refusal,
            } => {
                self.u8(3);
                self.version(current);
                self.u8(u8::from(held) << 1 | u8::from(counted));
                self.u8(match refusal {
                    Refusal::Stale => 0,
                    Refusal::Skew => 1,
                    Refusal::TooLarge => 2,
                    Refusal::Promised => 3,
                });
            }
        }
    }

    fn read_reply(&mut self, reply: &'a ReadReply) {
        match reply {
            ReadReply::Loading => self.u8(0),
            ReadReply::Pending => self.u8(3),
            ReadReply::Overtaken { current } => {
                self.u8(4);
                self.version(*current);
            }
            ReadReply::Holds {
                entry,
                unconfirmed,
                floor,
                behind,
            } => {
                self.u8(1 + u8::from(entry.is_some()));
                self.u8(u8::from(*behind) << 1 | u8::from(*unconfirmed));
                self.version(*floor);
                if let Some(entry) = entry {
                    self.entry(entry);
                }
            }
        }
    }

    fn pull_reply(&mut self, reply: &'a PullReply) {
        let PullReply::Chunk {
            entries,
            looked_at,
            total,
            next,
            floors,
        } = reply
        else {
            return self.u8(0);
        };
        self.u8(1 + u8::from(next.is_some()));
        self.u32(next.unwrap_or(0));
        self.u32(*looked_at);
        self.u32(*total);
        self.u32(u32::try_from(floors.len()).unwrap_or(u32::MAX));
        for (slot, floor) in floors {
            self.u16(slot.number());
            self.version(*floor);
        }
        self.u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        for pulled in entries {
            self.u8(u8::from(pulled.unconfirmed));
            self.part(&pulled.key);
            self.entry(&pulled.entry);
        }
    }
}

impl Part<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Segment {
    pub(in crate::replication) fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Length of a bulk string of `len` bytes.
fn bulk_len(len: usize) -> usize {
    header_len(len) + len + encode::CRLF.len()
}

/// Length of a header that says `len`.
fn header_len(len: usize) -> usize {
    let digits = len.checked_ilog10().unwrap_or(0) as usize + 1;
    1 + digits + encode::CRLF.len()
}
