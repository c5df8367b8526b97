//! What threads send each other.

use memvault::command::OwnedArgs;
use memvault::resp::Protocol;
use memvault::time::Timestamp;

use super::super::listen::Arrival;

/// All that one thread sends to another at a time.
#[derive(Default)]
pub(super) struct Batch {
    /// The thread that sends it.
    pub(super) from: usize,
    pub(super) messages: Vec<Message>,
    pub(super) answers: Answers,
}

/// A thing to do for another thread.
pub(super) enum Message {
    /// Carry out a command, and answer.
    RemoteCommand(RemoteCommand),
    /// Serve a client.
    Arrival(Arrival),
    /// Take over your share of the limits: they have changed.
    NewLimits,
    /// Set your counters to zero.
    ResetStatistics,
    /// Answer what has been received, and close all clients.
    Finish,
    /// The clients of the sender are gone: it needs no more answers.
    Gone,
    /// A thread is lost: end at once.
    Abort,
}

/// A command on keys of the one who gets it.
pub(super) struct RemoteCommand {
    pub(super) now: Timestamp,
    pub(super) protocol: Protocol,
    pub(super) args: OwnedArgs,
}

/// Replies to remote commands, in the order of these.
#[derive(Default)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    /// Where each reply ends.
    ends: Vec<usize>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.answers.ends.is_empty()
    }
}

impl Answers {
    /// Adds the reply that `write` appends.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let reply = &self.bytes[start..end];
            start = end;
            reply
        })
    }
}
