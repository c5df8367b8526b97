//! What can happen in a simulated cluster.

use crate::replication::Message;
use crate::time::Instant;

/// Something that will happen.
pub(super) enum Event {
    Deliver {
        connection: u64,
        to_member: bool,
        sent: Instant,
        message: Message,
    },
    Connected {
        from: usize,
        to: usize,
        boot: u32,
    },
    Refused {
        from: usize,
        to: usize,
        boot: u32,
    },
    /// A process learns that the other side has closed a connection.
    Closed {
        process: usize,
        connection: u64,
    },
    Wake {
        process: usize,
        boot: u32,
    },
    /// A client asks its next question.
    Ask {
        client: usize,
    },
    /// A question arrives at the member that is to coordinate it.
    Request {
        question: u64,
        boot: u32,
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
