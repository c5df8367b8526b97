//! Bytes into messages. Nothing in them is trusted: no length, no count, no code.

use alloc::string::String;
use alloc::vec::Vec;

use super::message::{
    Ballot, Body, Hello, LockReply, OfferReply, Prepare, Progress, PullReply, PulledEntry,
    ReadReply, Refusal, Write, WriteReply,
};
use super::{HELLO, WireError, kind, state};
use crate::replication::config::Member;
use crate::replication::entry::{Bytes, Entry};
use crate::replication::membership::list::{Change, Membership};
use crate::resp::Args;
use crate::slot::Slot;
use crate::time::Timestamp;
use crate::version::{VERSION_LEN, Version};

/// The fixed fields that have not been read yet.
pub(super) struct Header<'a>(&'a [u8]);

impl<'a> Header<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

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

    fn u16(&mut self) -> Result<u16, WireError> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.take().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.take().map(u64::from_be_bytes)
    }

    fn version(&mut self) -> Result<Version, WireError> {
        self.take::<VERSION_LEN>().map(Version::from_bytes)
    }

    fn promise(&mut self) -> Result<Option<Prepare>, WireError> {
        let (kind, version) = (self.u8()?, self.version()?);
        Ok(match kind {
            0 => None,
            1 => Some(Prepare::Update(version)),
            2 => Some(Prepare::Fill(version)),
            _ => return Err(WireError::BadValue),
        })
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
pub(super) struct Rest<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> Rest<'a> {
    pub(super) const fn new(args: Args<'a>) -> Self {
        Self { args, next: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.next >= self.args.len()
    }

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

/// Reads the body of the message with this name.
pub(super) fn read_body<'a>(
    name: &[u8],
    header: &mut Header<'a>,
    rest: &mut Rest<'a>,
) -> Result<Body, WireError> {
    Ok(match name {
        HELLO => Body::Hello(hello(header, rest)?),
        b"NODE.REJECTED" => Body::Rejected(rest.text()?),
        b"NODE.SAMEID" => Body::SameId {
            came_later: header.flag()?,
        },
        b"NODE.PING" => Body::Ping,
        b"NODE.PONG" => Body::Pong {
            incarnation: header.u32()?,
            state: state(header.u8()?)?,
            hlc: header.u64()?,
            pending: progress(header)?,
            wall: Timestamp::from_millis(header.u64()?),
            flushed: header.version()?,
            start_floor: header.version()?,
        },
        b"NODE.WRITE" => Body::Write(write_request(header, rest)?),
        b"NODE.WROTE" => Body::Wrote(write_reply(header)?),
        b"NODE.OFFER" => Body::Offer {
            kind: kind(header.u8()?)?,
            key: rest.bytes()?,
            entry: header.entry(rest)?,
        },
        b"NODE.OFFERED" => Body::Offered(offer_reply(header)?),
        b"NODE.READ" => Body::Read {
            promise: header.promise()?,
            key: rest.bytes()?,
        },
        b"NODE.LOCK" => Body::Lock { key: rest.bytes()? },
        b"NODE.LOCKED" => Body::Locked(lock_reply(header)?),
        b"NODE.UNLOCK" => Body::Unlock { key: rest.bytes()? },
        b"NODE.HELD" => Body::Held(read_reply(header, rest)?),
        b"NODE.PULL" => Body::Pull {
            cursor: header.u32()?,
            since: header.u64()?,
            pending: header.flag()?,
        },
        b"NODE.PULLED" => Body::Pulled(pull_reply(header, rest)?),
        b"NODE.MISSED" => Body::Missed {
            since: header.u64()?,
        },
        b"NODE.TOUCH" => Body::Touch { keys: keys(rest)? },
        b"NODE.FLUSH" => Body::Flush {
            version: header.version()?,
        },
        b"NODE.FLUSHED" => Body::Flushed,
        b"NODE.COUNT" => Body::Count,
        b"NODE.COUNTED" => Body::Counted {
            keys: header.u64()?,
        },
        b"NODE.MEMBERSHIP" => Body::Membership(membership(header, rest)?),
        b"NODE.WRONGEPOCH" => Body::WrongEpoch,
        name => agreement(name, header, rest)?,
    })
}

/// All parts that are left.
fn keys(rest: &mut Rest<'_>) -> Result<Vec<Bytes>, WireError> {
    let mut keys = Vec::new();
    while !rest.is_empty() {
        keys.push(rest.bytes()?);
    }
    Ok(keys)
}

fn hello(header: &mut Header<'_>, rest: &mut Rest<'_>) -> Result<Hello, WireError> {
    Ok(Hello {
        incarnation: header.u32()?,
        digest: header.u64()?,
        replicas: header.u8()?,
        is_member: header.flag()?,
        protocol: header.u8()?,
        virtual_nodes: header.u32()?,
        op_deadline_ms: header.u32()?,
        node_id: rest.text()?,
        callee: rest.text()?,
    })
}

/// The messages by which members agree on the next membership.
fn agreement<'a>(
    name: &[u8],
    header: &mut Header<'a>,
    rest: &mut Rest<'a>,
) -> Result<Body, WireError> {
    Ok(match name {
        b"NODE.PROPOSE" => Body::Propose {
            number: header.u64()?,
            membership: match header.flag()? {
                true => Some(membership(header, rest)?),
                false => None,
            },
        },
        b"NODE.VOTED" => Body::Voted {
            is_yes: header.flag()?,
            before: match header.flag()? {
                true => Some(Ballot {
                    number: header.u64()?,
                    membership: membership(header, rest)?,
                }),
                false => None,
            },
        },
        _ => return Err(WireError::UnknownMessage),
    })
}

fn progress(header: &mut Header<'_>) -> Result<Option<Progress>, WireError> {
    let is_pending = header.flag()?;
    let progress = Progress {
        entries: header.u64()?,
        permille: header.u16()?,
    };
    Ok(is_pending.then_some(progress))
}

fn membership(header: &mut Header<'_>, rest: &mut Rest<'_>) -> Result<Membership, WireError> {
    let (epoch, replicas) = (header.u64()?, header.u8()?);
    let mut members = Vec::new();
    for _ in 0..header.u32()? {
        members.push(member(header, rest)?);
    }
    let change = match header.u8()? {
        0 => None,
        1 => Some(Change::Joining {
            member: member(header, rest)?,
            incarnation: header.u32()?,
        }),
        2 => Some(Change::Leaving(rest.text()?)),
        _ => return Err(WireError::BadValue),
    };
    Ok(Membership {
        epoch,
        members,
        replicas,
        change,
    })
}

fn member(header: &mut Header<'_>, rest: &mut Rest<'_>) -> Result<Member, WireError> {
    Ok(Member {
        weight: header.u32()?,
        id: rest.text()?,
        address: rest.text()?,
    })
}

fn write_request<'a>(header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<Write, WireError> {
    let (need, next_need, flags) = (header.u8()?, header.u8()?, header.u8()?);
    if flags > 0b11 {
        return Err(WireError::BadValue);
    }
    Ok(Write {
        need,
        next_need,
        first: flags & 1 != 0,
        is_fill: flags & 2 != 0,
        deadline: Timestamp::from_millis(header.u64()?),
        key: rest.bytes()?,
        entry: header.entry(rest)?,
    })
}

fn write_reply(header: &mut Header<'_>) -> Result<WriteReply, WireError> {
    Ok(match header.u8()? {
        0 => WriteReply::Done { existed: false },
        1 => WriteReply::Done { existed: true },
        2 => WriteReply::Stale {
            current: header.version()?,
            untouched: header.flag()?,
        },
        3 => WriteReply::Loading,
        4 => WriteReply::WrongNode,
        5 => WriteReply::Unreachable,
        6 => WriteReply::Expired,
        7 => WriteReply::Skew,
        8 => WriteReply::TooLarge,
        9 => WriteReply::Undecided {
            current: header.version()?,
        },
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
                3 => Refusal::Promised,
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

fn lock_reply(header: &mut Header<'_>) -> Result<LockReply, WireError> {
    Ok(match header.u8()? {
        0 => LockReply::Granted,
        1 => LockReply::Queued,
        2 => LockReply::Loading,
        _ => return Err(WireError::BadValue),
    })
}

fn read_reply<'a>(header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<ReadReply, WireError> {
    let code = header.u8()?;
    match code {
        0 => return Ok(ReadReply::Loading),
        3 => return Ok(ReadReply::Pending),
        4 => {
            return Ok(ReadReply::Overtaken {
                current: header.version()?,
            });
        }
        _ => {}
    }
    let (flags, floor) = (header.u8()?, header.version()?);
    if flags > 0b11 {
        return Err(WireError::BadValue);
    }
    let entry = match code {
        1 => None,
        2 => Some(header.entry(rest)?),
        _ => return Err(WireError::BadValue),
    };
    Ok(ReadReply::Holds {
        entry,
        unconfirmed: flags & 1 != 0,
        floor,
        behind: flags & 2 != 0,
    })
}

fn pull_reply<'a>(header: &mut Header<'a>, rest: &mut Rest<'a>) -> Result<PullReply, WireError> {
    let code = header.u8()?;
    if code == 0 {
        return Ok(PullReply::Loading);
    }
    let next = header.u32()?;
    let (looked_at, total) = (header.u32()?, header.u32()?);
    let mut floors = Vec::new();
    for _ in 0..header.u32()? {
        let slot = Slot::new(header.u16()?).ok_or(WireError::BadValue)?;
        floors.push((slot, header.version()?));
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
        looked_at,
        total,
        next: (code == 2).then_some(next),
        floors,
    })
}
