//! Where an operation is, and how it gets from there to the next place.
//!
//! ```text
//! Task::Update     lock --> read (promises) --> decide --> write
//! Task::Get, ..    read --> answer       or --> repair --> answer
//! Task::Set, ..    write
//! ```
//!
//! A phase takes an input and says what follows, a [`Transition`]; it never reaches into another phase. Each is a type
//! with what it alone needs; what all of them share is the [`Operation`](super::operation::Operation).

pub(super) mod found;
pub(super) mod lock;
pub(super) mod plain;
pub(super) mod read;
pub(super) mod repair;
pub(super) mod write;

use crate::replication::entry::Bytes;
use crate::replication::membership::preference::ReplicaSet;
use crate::replication::request::{Answer, Failure};
use crate::time::Timestamp;
use crate::version::Version;
use found::Found;
use lock::LockPhase;
use plain::PlainPhase;
use read::ReadPhase;
use repair::RepairPhase;
use write::WritePhase;

/// Where an operation is.
pub(super) enum Phase {
    /// Not begun.
    Idle,
    /// Waiting for the lock of the key.
    Lock(LockPhase),
    Write(WritePhase),
    Read(ReadPhase),
    /// A quorum read that brings replicas up to date before it answers.
    Repair(RepairPhase),
    /// A command to nodes that speak plain Redis.
    Plain(PlainPhase),
}

/// What an input did to a phase.
pub(super) enum Transition {
    /// It goes on.
    Wait,
    /// The operation is done.
    Done(Result<Answer, Failure>),
    /// Another phase begins.
    Next(Next),
}

/// What begins.
pub(super) enum Next {
    /// A read.
    Read,
    /// A read, after a pause.
    ReadAfterPause,
    /// The read has found this: it answers, or writes.
    Found(Found),
    Write(Change),
    Repair(RepairPhase),
}

impl Transition {
    pub(super) const fn fail(failure: Failure) -> Self {
        Self::Done(Err(failure))
    }
}

impl Phase {
    /// Of whom something is expected.
    pub(super) const fn asked(&self) -> ReplicaSet {
        match self {
            Self::Idle => ReplicaSet::EMPTY,
            Self::Lock(lock) => lock.asked,
            Self::Write(write) => write.asked,
            Self::Read(read) => read.asked,
            Self::Repair(repair) => repair.asked,
            Self::Plain(plain) => plain.asked,
        }
    }

    /// Whether what was asked for last is to be read.
    pub(super) const fn is_read(&self) -> bool {
        match self {
            Self::Read(_) | Self::Repair(_) => true,
            Self::Plain(plain) => plain.is_read(),
            Self::Idle | Self::Lock(_) | Self::Write(_) => false,
        }
    }

    /// Whether it only waits until others are done.
    pub(super) const fn is_queued(&self) -> bool {
        matches!(self, Self::Lock(turn) if turn.is_queued)
    }
}

/// What a write stores, and the answer once it has.
pub(in crate::replication::coordinator) struct Change {
    pub(in crate::replication::coordinator) value: Option<Bytes>,
    pub(in crate::replication::coordinator) expire_at: Option<Timestamp>,
    /// The version that a read quorum has promised to wait for, if the write depends on what was read.
    pub(in crate::replication::coordinator) promised: Option<Version>,
    /// Whether it changes the value, rather than confirm it.
    pub(in crate::replication::coordinator) is_effect: bool,
    pub(in crate::replication::coordinator) answer: Answer,
}
