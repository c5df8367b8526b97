//! One direction of one link with a width: what waits to leave, what is under way, what has come in parts.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::replication::{Inbox, Message, Outbox, PIECE};
use crate::resp::Limits;

/// What waits at one end of a connection, and what the other end has of it.
pub(super) struct Pipe {
    outbox: Outbox,
    /// What is let into the outbox only when that is empty, so that nothing passes it; empty while the rule is kept that
    /// small messages go before large ones.
    in_order: VecDeque<Message>,
    is_in_order: bool,
    inbox: Inbox,
    /// Bytes that have left, or are leaving, and that the other end has not read.
    unread: usize,
    /// Whether something is leaving now.
    is_leaving: bool,
}

/// What leaves in one go.
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    /// The large messages that are gone with it.
    pub(super) sent: Vec<u64>,
}

/// What the kernels of both ends keep of bytes that the other end has not read: beyond it nothing leaves.
const WINDOW: usize = 256 << 10;

impl Pipe {
    pub(super) fn new(is_in_order: bool) -> Self {
        Self {
            outbox: Outbox::default(),
            in_order: VecDeque::new(),
            is_in_order,
            inbox: Inbox::new(Limits::default()),
            unread: 0,
            is_leaving: false,
        }
    }

    pub(super) fn push(&mut self, message: Message) {
        if self.is_in_order {
            self.in_order.push_back(message);
        } else {
            self.outbox.push(&message);
        }
    }

    /// Takes what leaves next, if nothing is leaving and the other end has room.
    pub(super) fn leave(&mut self) -> Option<Chunk> {
        if self.is_leaving || self.unread >= WINDOW {
            return None;
        }
        if self.outbox.is_empty() {
            let next = self.in_order.pop_front()?;
            self.outbox.push(&next);
        }
        let mut bytes = Vec::new();
        self.outbox.fill(&mut bytes, PIECE);
        let mut sent = Vec::new();
        while let Some(id) = self.outbox.pop_sent() {
            sent.push(id);
        }
        self.is_leaving = true;
        self.unread += bytes.len();
        Some(Chunk { bytes, sent })
    }

    /// What was leaving has left.
    pub(super) const fn left(&mut self) {
        self.is_leaving = false;
    }

    /// Whether a part of a large message has come.
    pub(super) fn keeps_pieces(&self) -> bool {
        self.inbox.kept() > 0
    }

    /// The other end reads a chunk. Returns the messages that are complete with it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.unread = self.unread.saturating_sub(bytes.len());
        let (mut messages, mut rest) = (Vec::new(), bytes);
        // What an outbox has packed an inbox unpacks: the simulator breaks no bytes.
        while let Ok(Some(arrived)) = self.inbox.next(rest) {
            messages.extend(arrived.message);
            rest = rest.get(arrived.consumed..).unwrap_or_default();
        }
        debug_assert!(
            rest.is_empty(),
            "a chunk ends where a message or a piece does"
        );
        messages
    }
}
