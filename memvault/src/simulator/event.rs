//! What can happen in a simulated cluster.

use alloc::vec::Vec;

use super::pipe::Chunk;
use crate::replication::{Link, Message};
use crate::time::Instant;

/// Something that will happen.
pub(super) enum Event {
    Deliver {
        connection: u64,
        to_member: bool,
        sent: Instant,
        message: Message,
    },
    /// A message is written to a link that has a width.
    Post {
        connection: u64,
        to_member: bool,
        message: Message,
    },
    /// A chunk has left.
    Left {
        connection: u64,
        to_member: bool,
        chunk: Chunk,
    },
    /// It arrives, and waits to be read.
    Arrive {
        connection: u64,
        to_member: bool,
        bytes: Vec<u8>,
    },
    /// It is read.
    Read {
        connection: u64,
        to_member: bool,
        bytes: Vec<u8>,
    },
    /// A process learns that the last of a large message has left.
    Sent {
        process: usize,
        incarnation: u32,
        link: Link,
        id: u64,
    },
    /// A process has done what it was busy with.
    Free {
        process: usize,
        incarnation: u32,
    },
    /// A phase of the load begins.
    Phase {
        number: usize,
    },
    /// A request of a phase comes in.
    Arrival {
        phase: usize,
    },
    Connected {
        from: usize,
        to: usize,
        incarnation: u32,
    },
    Refused {
        from: usize,
        to: usize,
        incarnation: u32,
    },
    /// A process learns that the other side has closed a connection.
    Closed {
        process: usize,
        connection: u64,
    },
    Wake {
        process: usize,
        incarnation: u32,
    },
    /// A client asks its next question.
    Ask {
        client: usize,
    },
    /// A question arrives at the member that is to coordinate it.
    Request {
        question: u64,
        incarnation: u32,
    },
    /// The database looks up a row, or its answer arrives.
    Database {
        visit: u64,
    },
    /// The faults end.
    Calm,
    Crash,
    Restart {
        process: usize,
    },
    Partition,
    Heal,
    ChangeMembers,
    Swizzle,
    Cut {
        from: usize,
        to: usize,
        is_cut: bool,
    },
    Pause,
    Slow,
    Suspect,
    Drift,
    Jump,
    JumpBack {
        process: usize,
    },
}
