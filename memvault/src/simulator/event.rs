//! What can happen in a simulated cluster.

use crate::replication::{Link, Message};

/// Something that will happen.
pub(super) enum Event {
    Deliver {
        connection: u64,
        to_member: bool,
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
    Closed {
        process: usize,
        boot: u32,
        link: Link,
    },
    Wake {
        process: usize,
        boot: u32,
    },
    Ask {
        client: usize,
    },
    Crash,
    Restart {
        process: usize,
    },
    Partition,
    Heal,
    ChangeMembers,
    Pause,
    SkewJump,
}
