//! Messages as bytes: each is a RESP array of bulk strings, so that any Redis tool can show it.
//!
//! ```text
//! *3 | name, such as OFFER | header: id and fixed fields, big-endian | key | value ...
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use super::entry::{Bytes, Entry};
use super::message::{
    Body, Hello, Message, NodeState, OfferKind, OfferReply, PullReply, PulledEntry, ReadReply,
    Refusal, Write, WriteReply,
};
use crate::resp::{Args, encode};
use crate::time::Timestamp;
use crate::version::{VERSION_LEN, Version};

/// Why bytes are not a message. The peer's fault: its link is closed, nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The name of the message is not one of ours.
    UnknownMessage,
    /// A part is missing, too short or too long.
    Malformed,
    /// A field has a value that means nothing.
    BadValue,
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownMessage => "unknown message",
            Self::Malformed => "malformed message",
            Self::BadValue => "meaningless value in a message",
        })
    }
}

impl core::error::Error for WireError {}

impl Message {
    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut parts = Parts::new(name(&self.body), self.id);
        parts.body(&self.body);
        parts.write(out);
    }

    /// Reads a message from the parts of a RESP array.
    ///
    /// # Errors
    /// If they are not a message; see [`WireError`].
    pub fn decode(args: Args<'_>) -> Result<Self, WireError> {
        let name = args.get(0).ok_or(WireError::Malformed)?;
        let mut header = Header(args.get(1).ok_or(WireError::Malformed)?);
        let mut rest = Rest { args, next: 2 };
        let id = header.u64()?;
        let body = body(name, &mut header, &mut rest)?;
        if header.0.is_empty() && rest.args.get(rest.next).is_none() {
            Ok(Self { id, body })
        } else {
            Err(WireError::Malformed)
        }
    }
}

const fn name(body: &Body) -> &'static [u8] {
    match body {
        Body::Hello(_) => b"HELLO",
        Body::Rejected(_) => b"REJECTED",
        Body::Ping => b"PING",
        Body::Pong { .. } => b"PONG",
        Body::Write(_) => b"WRITE",
        Body::Wrote(_) => b"WROTE",
        Body::Offer { .. } => b"OFFER",
        Body::Offered(_) => b"OFFERED",
        Body::Read { .. } => b"READ",
        Body::Held(_) => b"HELD",
        Body::Pull { .. } => b"PULL",
        Body::Pulled(_) => b"PULLED",
        Body::Flush { .. } => b"FLUSH",
        Body::Flushed => b"FLUSHED",
    }
}

/// A message taken apart: fixed fields in one part, everything of variable length in parts of its own.
struct Parts<'a> {
    name: &'static [u8],
    header: Vec<u8>,
    rest: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn new(name: &'static [u8], id: u64) -> Self {
        Self {
            name,
            header: id.to_be_bytes().to_vec(),
            rest: Vec::new(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        encode::array(out, 2 + self.rest.len());
        encode::bulk(out, self.name);
        encode::bulk(out, &self.header);
        for part in &self.rest {
            encode::bulk(out, part);
        }
    }

    fn u8(&mut self, value: u8) {
        self.header.push(value);
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

    fn base(&mut self, base: Option<Version>) {
        self.u8(u8::from(base.is_some()));
        self.version(base.unwrap_or(Version::ZERO));
    }

    /// Version, expiry and whether there is a value; the value itself is a part of its own.
    fn entry(&mut self, entry: &'a Entry) {
        self.version(entry.version);
        self.u64(entry.expire_at.map_or(0, Timestamp::as_millis));
        self.u8(u8::from(entry.expire_at.is_some()) << 1 | u8::from(entry.value.is_some()));
        if let Some(value) = &entry.value {
            self.rest.push(value);
        }
    }

    fn body(&mut self, body: &'a Body) {
        match body {
            Body::Hello(hello) => {
                self.u32(hello.boot);
                self.u64(hello.ring);
                self.u8(hello.replicas);
                self.u8(u8::from(hello.is_member));
                self.rest.push(hello.node_id.as_bytes());
            }
            Body::Rejected(reason) => self.rest.push(reason.as_bytes()),
            Body::Ping | Body::Flushed => {}
            Body::Pong { boot, state, hlc } => {
                self.u32(*boot);
                self.u8(state_code(*state));
                self.u64(*hlc);
            }
            Body::Write(write) => self.write_request(write),
            Body::Wrote(reply) => self.write_reply(*reply),
            Body::Offer {
                key,
                entry,
                kind,
                base,
            } => {
                self.u8(kind_code(*kind));
                self.base(*base);
                self.rest.push(key);
                self.entry(entry);
            }
            Body::Offered(reply) => self.offer_reply(*reply),
            Body::Read { key } => self.rest.push(key),
            Body::Held(reply) => self.read_reply(reply),
            Body::Pull { cursor, since } => {
                self.u32(*cursor);
                self.u64(*since);
            }
            Body::Pulled(reply) => self.pull_reply(reply),
            Body::Flush { version } => self.version(*version),
        }
    }

    fn write_request(&mut self, write: &'a Write) {
        self.u8(write.need);
        self.u8(u8::from(write.first));
        self.base(write.base);
        self.u64(write.deadline.as_millis());
        self.rest.push(&write.key);
        self.entry(&write.entry);
    }

    fn write_reply(&mut self, reply: WriteReply) {
        let (code, current) = match reply {
            WriteReply::Done { existed: false } => (0, None),
            WriteReply::Done { existed: true } => (1, None),
            WriteReply::Stale { current } => (2, Some(current)),
            WriteReply::Loading => (3, None),
            WriteReply::WrongNode => (4, None),
            WriteReply::Unreachable => (5, None),
            WriteReply::Expired => (6, None),
            WriteReply::Skew => (7, None),
            WriteReply::TooLarge => (8, None),
        };
        self.u8(code);
        if let Some(current) = current {
            self.version(current);
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
                });
            }
        }
    }

    fn read_reply(&mut self, reply: &'a ReadReply) {
        match reply {
            ReadReply::Loading => self.u8(0),
            ReadReply::Holds {
                entry,
                unconfirmed,
                floor,
            } => {
                self.u8(1 + u8::from(entry.is_some()));
                self.u8(u8::from(*unconfirmed));
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
            next,
            floors,
        } = reply
        else {
            return self.u8(0);
        };
        self.u8(1 + u8::from(next.is_some()));
        self.u32(next.unwrap_or(0));
        self.u32(u32::try_from(floors.len()).unwrap_or(u32::MAX));
        for (bucket, floor) in floors {
            self.u32(*bucket);
            self.version(*floor);
        }
        self.u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        for pulled in entries {
            self.u8(u8::from(pulled.unconfirmed));
            self.rest.push(&pulled.key);
            self.entry(&pulled.entry);
        }
    }
}

/// The fixed fields that have not been read yet.
struct Header<'a>(&'a [u8]);

impl<'a> Header<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        self.take().map(u8::from_be_bytes)
    }

    fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::BadValue),
        }
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.take().map(u64::from_be_bytes)
    }

    fn version(&mut self) -> Result<Version, WireError> {
        self.take::<VERSION_LEN>().map(Version::from_bytes)
    }

    fn base(&mut self) -> Result<Option<Version>, WireError> {
        let given = self.flag()?;
        let version = self.version()?;
        Ok(given.then_some(version))
    }

    fn entry(&mut self, rest: &mut Rest<'a>) -> Result<Entry, WireError> {
        let version = self.version()?;
        let millis = self.u64()?;
        let flags = self.u8()?;
        if flags > 0b11 {
            return Err(WireError::BadValue);
        }
        let value = if flags & 1 == 0 {
            None
        } else {
            Some(rest.bytes()?)
        };
        let expire_at = (flags & 2 != 0).then_some(Timestamp::from_millis(millis));
        Ok(Entry {
            version,
            value,
            expire_at,
        })
    }
}

/// The parts of variable length that have not been read yet.
struct Rest<'a> {
    args: Args<'a>,
    next: usize,
}

impl Rest<'_> {
    fn part(&mut self) -> Result<&[u8], WireError> {
        let part = self.args.get(self.next).ok_or(WireError::Malformed)?;
        self.next += 1;
        Ok(part)
    }

    fn bytes(&mut self) -> Result<Bytes, WireError> {
        self.part().map(Bytes::from)
    }

    fn text(&mut self) -> Result<String, WireError> {
        let text = core::str::from_utf8(self.part()?).map_err(|_| WireError::BadValue)?;
        Ok(String::from(text))
    }
}

fn body<'a>(name: &[u8], header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<Body, WireError> {
    Ok(match name {
        b"HELLO" => Body::Hello(Hello {
            boot: header.u32()?,
            ring: header.u64()?,
            replicas: header.u8()?,
            is_member: header.flag()?,
            node_id: rest.text()?,
        }),
        b"REJECTED" => Body::Rejected(rest.text()?),
        b"PING" => Body::Ping,
        b"PONG" => Body::Pong {
            boot: header.u32()?,
            state: state(header.u8()?)?,
            hlc: header.u64()?,
        },
        b"WRITE" => Body::Write(Write {
            need: header.u8()?,
            first: header.flag()?,
            base: header.base()?,
            deadline: Timestamp::from_millis(header.u64()?),
            key: rest.bytes()?,
            entry: header.entry(rest)?,
        }),
        b"WROTE" => Body::Wrote(write_reply(header)?),
        b"OFFER" => Body::Offer {
            kind: kind(header.u8()?)?,
            base: header.base()?,
            key: rest.bytes()?,
            entry: header.entry(rest)?,
        },
        b"OFFERED" => Body::Offered(offer_reply(header)?),
        b"READ" => Body::Read { key: rest.bytes()? },
        b"HELD" => Body::Held(read_reply(header, rest)?),
        b"PULL" => Body::Pull {
            cursor: header.u32()?,
            since: header.u64()?,
        },
        b"PULLED" => Body::Pulled(pull_reply(header, rest)?),
        b"FLUSH" => Body::Flush {
            version: header.version()?,
        },
        b"FLUSHED" => Body::Flushed,
        _ => return Err(WireError::UnknownMessage),
    })
}

fn write_reply(header: &mut Header<'_>) -> Result<WriteReply, WireError> {
    Ok(match header.u8()? {
        0 => WriteReply::Done { existed: false },
        1 => WriteReply::Done { existed: true },
        2 => WriteReply::Stale {
            current: header.version()?,
        },
        3 => WriteReply::Loading,
        4 => WriteReply::WrongNode,
        5 => WriteReply::Unreachable,
        6 => WriteReply::Expired,
        7 => WriteReply::Skew,
        8 => WriteReply::TooLarge,
        _ => return Err(WireError::BadValue),
    })
}

fn offer_reply(header: &mut Header<'_>) -> Result<OfferReply, WireError> {
    Ok(match header.u8()? {
        0 => OfferReply::Silent,
        1 => OfferReply::Ack { counted: false },
        2 => OfferReply::Ack { counted: true },
        3 => {
            let (current, flags) = (header.version()?, header.u8()?);
            let refusal = match header.u8()? {
                0 => Refusal::Stale,
                1 => Refusal::Skew,
                2 => Refusal::TooLarge,
                _ => return Err(WireError::BadValue),
            };
            OfferReply::Nack {
                current,
                held: flags & 2 != 0,
                counted: flags & 1 != 0,
                refusal,
            }
        }
        _ => return Err(WireError::BadValue),
    })
}

fn read_reply<'a>(header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<ReadReply, WireError> {
    let code = header.u8()?;
    if code == 0 {
        return Ok(ReadReply::Loading);
    }
    let (unconfirmed, floor) = (header.flag()?, header.version()?);
    let entry = match code {
        1 => None,
        2 => Some(header.entry(rest)?),
        _ => return Err(WireError::BadValue),
    };
    Ok(ReadReply::Holds {
        entry,
        unconfirmed,
        floor,
    })
}

fn pull_reply<'a>(header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<PullReply, WireError> {
    let code = header.u8()?;
    if code == 0 {
        return Ok(PullReply::Loading);
    }
    let next = header.u32()?;
    let mut floors = Vec::new();
    for _ in 0..header.u32()? {
        floors.push((header.u32()?, header.version()?));
    }
    let mut entries = Vec::new();
    for _ in 0..header.u32()? {
        let unconfirmed = header.flag()?;
        let key = rest.bytes()?;
        entries.push(PulledEntry {
            key,
            entry: header.entry(rest)?,
            unconfirmed,
        });
    }
    Ok(PullReply::Chunk {
        entries,
        next: (code == 2).then_some(next),
        floors,
    })
}

const fn state_code(state: NodeState) -> u8 {
    match state {
        NodeState::Warming => 0,
        NodeState::CatchingUp => 1,
        NodeState::Serving => 2,
        NodeState::Leaving => 3,
    }
}

const fn state(code: u8) -> Result<NodeState, WireError> {
    Ok(match code {
        0 => NodeState::Warming,
        1 => NodeState::CatchingUp,
        2 => NodeState::Serving,
        3 => NodeState::Leaving,
        _ => return Err(WireError::BadValue),
    })
}

const fn kind_code(kind: OfferKind) -> u8 {
    match kind {
        OfferKind::Write => 0,
        OfferKind::Fence => 1,
        OfferKind::Repair => 2,
        OfferKind::Hint => 3,
    }
}

const fn kind(code: u8) -> Result<OfferKind, WireError> {
    Ok(match code {
        0 => OfferKind::Write,
        1 => OfferKind::Fence,
        2 => OfferKind::Repair,
        3 => OfferKind::Hint,
        _ => return Err(WireError::BadValue),
    })
}
