//! One link: what is pushed into an [`Outbox`] comes out of an [`Inbox`], however the bytes are cut, and no bytes harm
//! an [`Inbox`].

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use crate::replication::{Body, Entry, Inbox, Message, OfferKind, Outbox, PIECE, WireError};
use crate::resp::{Limits, encode};
use crate::version::Version;

/// Longest value of the link, in bytes.
const LONGEST: usize = 3 << 20;

/// Takes `program` for a schedule of pushing, filling and reading, then for bytes that a hostile peer sends.
///
/// # Panics
/// If a message is missing, twice, changed or out of order; if a small one waits for more than a piece of a large one;
/// if the outbox miscounts what it holds, or the inbox keeps more than it may.
pub fn run(program: &[u8]) {
    let mut link = Link::default();
    for step in program.chunks_exact(2) {
        link.step(step[0], usize::from(step[1]));
    }
    link.finish();
    let _ = take_hostile(program);
    let _ = take_hostile(&pieces(program));
}

/// Both ends of a link, and what has to come.
struct Link {
    outbox: Outbox,
    inbox: Inbox,
    /// Sent and not decoded.
    bytes: Vec<u8>,
    /// How many of these the inbox has seen: what has come does not go again.
    seen: usize,
    small: VecDeque<Message>,
    large: Vec<Message>,
    pushed: u64,
    /// Large messages whose last byte was taken, in order.
    sent: Vec<u64>,
    /// Large messages that came.
    came: Vec<u64>,
}

impl Default for Link {
    fn default() -> Self {
        let limits = Limits {
            max_bulk_len: LONGEST,
            ..Limits::DEFAULT
        };
        Self {
            outbox: Outbox::default(),
            inbox: Inbox::new(limits),
            bytes: Vec::new(),
            seen: 0,
            small: VecDeque::new(),
            large: Vec::new(),
            pushed: 0,
            sent: Vec::new(),
            came: Vec::new(),
        }
    }
}

impl Link {
    fn step(&mut self, what: u8, size: usize) {
        match what % 8 {
            0..=2 => self.push(size),
            3 => self.push(PIECE - 128 + size),
            4 => self.push(PIECE * (1 + size % 8) + size),
            5 if what >= 250 => self.push((1 << 20) + size * 4096),
            5 => self.fill(size),
            6 => self.fill(size * 512),
            _ => self.read(size * 300),
        }
    }

    fn push(&mut self, len: usize) {
        self.pushed += 1;
        let message = offer(self.pushed, len);
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(message.is_bulk(), bytes.len() > PIECE);
        let before = self.outbox.len();
        self.outbox.push(&message);
        assert_eq!(self.outbox.len() - before, bytes.len());
        if message.is_bulk() {
            self.large.push(message);
        } else {
            self.small.push_back(message);
        }
    }

    fn fill(&mut self, room: usize) {
        let (start, before) = (self.bytes.len(), self.outbox.len());
        self.outbox.fill(&mut self.bytes, room);
        while let Some(id) = self.outbox.pop_sent() {
            self.sent.push(id);
        }
        let filled = self.bytes.len() - start;
        assert!(filled > 0 || before == 0, "it makes progress");
        assert!(
            filled < room + 2 * PIECE + 2 * PIECE + 256,
            "{filled} of {room}"
        );
    }

    /// Takes what has come, except for the last `rest` bytes.
    fn read(&mut self, rest: usize) {
        let mut at = 0;
        let end = self.bytes.len().saturating_sub(rest).max(self.seen);
        while let Some(arrived) = self.inbox.next(&self.bytes[at..end]).expect("it is sound") {
            at += arrived.consumed;
            if let Some(message) = arrived.message {
                self.arrive(message);
            }
        }
        self.bytes.drain(..at);
        self.seen = end - at;
        assert!(self.inbox.kept() <= self.inbox.most_kept());
    }

    fn arrive(&mut self, message: Message) {
        if message.is_bulk() {
            let at = self.large.iter().position(|large| *large == message);
            self.large
                .remove(at.expect("it was pushed, and has not come"));
            self.came.push(message.id);
        } else {
            assert_eq!(self.small.pop_front().as_ref(), Some(&message));
        }
    }

    fn finish(&mut self) {
        while !self.outbox.is_empty() {
            self.fill(PIECE);
        }
        self.read(0);
        assert!(self.small.is_empty() && self.large.is_empty() && self.bytes.is_empty());
        assert_eq!(self.inbox.kept(), 0);
        assert_eq!(self.came, self.sent);
    }
}

/// An offer with a value of `len` bytes.
fn offer(id: u64, len: usize) -> Message {
    let value: Vec<u8> = (0..len).map(|at| (at as u64 * 31 + id) as u8).collect();
    let entry = Entry {
        version: Version::new(id, 1),
        value: Some(value.into()),
        expire_at: None,
    };
    let (key, kind) = ((*b"key").into(), OfferKind::Write);
    let body = Body::Offer { key, entry, kind };
    Message { id, epoch: 1, body }
}

/// Pieces whose numbers, lengths and contents are drawn from `program`.
fn pieces(program: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for drawn in program.chunks_exact(4) {
        let total = match drawn[1] % 4 {
            0 => u64::from(drawn[2]),
            1 => PIECE as u64 + u64::from(drawn[2]),
            2 => u64::from(drawn[2]) << 18,
            _ => u64::MAX - u64::from(drawn[2]),
        };
        let len = usize::from(drawn[3]) * PIECE / 200;
        piece(
            &mut bytes,
            u64::from(drawn[0] % 16),
            total,
            &vec![b'*'; len],
        );
    }
    bytes
}

fn piece(out: &mut Vec<u8>, stream: u64, total: u64, bytes: &[u8]) {
    let header = [stream.to_be_bytes(), total.to_be_bytes()].concat();
    encode::array(out, 3);
    encode::bulk(out, b"NODE.PIECE");
    encode::bulk(out, &header);
    encode::bulk(out, bytes);
}

/// Whatever comes, the inbox keeps no more than it may, and no more than has come.
fn take_hostile(bytes: &[u8]) -> Result<usize, WireError> {
    let mut inbox = Link::default().inbox;
    let (mut at, mut messages) = (0, 0);
    while let Some(arrived) = inbox.next(&bytes[at..])? {
        assert!(arrived.consumed > 0);
        at += arrived.consumed;
        messages += usize::from(arrived.message.is_some());
        assert!(inbox.kept() <= at.min(inbox.most_kept()));
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::rng::Rng;

    quickcheck! {
        fn messages_arrive_and_any_bytes_are_safe(program: Vec<u8>) -> bool {
            run(&program);
            true
        }
    }

    #[test]
    fn long_programs_mix_all_kinds() {
        let mut rng = Rng::new(1);
        for _ in 0..40 {
            let program: Vec<u8> = (0..400).map(|_| rng.next_u64() as u8).collect();
            run(&program);
        }
    }

    /// What comes out if all that waits leaves at once: the id of each message that is complete, 0 for a piece that
    /// completes none.
    fn drain(outbox: &mut Outbox, room: usize) -> Vec<u64> {
        let (mut inbox, mut bytes) = (Link::default().inbox, Vec::new());
        outbox.fill(&mut bytes, room);
        let (mut at, mut ids) = (0, Vec::new());
        let mut kept = 0;
        while let Some(arrived) = inbox.next(&bytes[at..]).expect("it is sound") {
            at += arrived.consumed;
            let is_piece = core::mem::replace(&mut kept, inbox.kept()) != inbox.kept();
            match arrived.message {
                Some(message) => ids.push(message.id),
                None if is_piece => ids.push(0),
                // What frames several small ones.
                None => {}
            }
        }
        ids
    }

    #[test]
    fn small_messages_pass_large_ones() {
        let mut outbox = Outbox::default();
        outbox.push(&offer(1, 3 * PIECE));
        outbox.push(&offer(2, 10));
        assert_eq!(drain(&mut outbox, 1), [2, 0]);
        outbox.push(&offer(3, 10));
        assert_eq!(drain(&mut outbox, 1), [3, 0]);
    }

    #[test]
    fn any_number_of_small_messages_leaves_large_ones_their_turn() {
        let mut outbox = Outbox::default();
        outbox.push(&offer(1, 2 * PIECE));
        for id in 2..100 {
            outbox.push(&offer(id, PIECE / 2));
        }
        let came = drain(&mut outbox, 4 * PIECE);
        assert_eq!(came.iter().filter(|id| **id == 0).count(), 1);
        assert_eq!(came.last(), Some(&0));
    }

    #[test]
    fn large_messages_take_turns_and_long_ones_leave_places_for_others() {
        let mut outbox = Outbox::default();
        for id in 1..=3 {
            outbox.push(&offer(id, 3 << 20));
        }
        for id in 4..=12 {
            outbox.push(&offer(id, PIECE + PIECE / 2));
        }
        // Two long ones are on their way, and eight of the others; each of these has two pieces.
        let came = drain(&mut outbox, 18 * PIECE);
        let complete: Vec<u64> = came.into_iter().filter(|id| *id > 0).collect();
        assert_eq!(complete, [4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn a_value_is_not_copied_before_its_turn() {
        let message = offer(1, 3 << 20);
        let Body::Offer { entry, .. } = &message.body else {
            return;
        };
        let value = entry.value.clone().expect("it has one");
        let mut outbox = Outbox::default();
        outbox.push(&message);
        drop(message);
        assert_eq!(alloc::sync::Arc::strong_count(&value), 2);
        while !outbox.is_empty() {
            outbox.fill(&mut Vec::new(), PIECE);
        }
        assert_eq!(alloc::sync::Arc::strong_count(&value), 1);
        assert_eq!((outbox.pop_sent(), outbox.pop_sent()), (Some(1), None));
    }

    #[test]
    fn pieces_that_break_a_rule_are_refused() {
        let total = 2 * PIECE as u64;
        let refused = |parts: &[(u64, u64, usize)]| {
            let mut bytes = Vec::new();
            for (stream, total, len) in parts {
                piece(&mut bytes, *stream, *total, &vec![b'*'; *len]);
            }
            take_hostile(&bytes).expect_err("it must be refused")
        };
        assert_eq!(refused(&[(1, total, 0)]), WireError::Malformed);
        assert_eq!(refused(&[(1, PIECE as u64, 5)]), WireError::BadValue);
        assert!(matches!(
            refused(&[(1, total, PIECE + 1)]),
            WireError::Whole { .. }
        ));
        assert!(matches!(
            refused(&[(1, u64::MAX, 5)]),
            WireError::TooLong { .. }
        ));
        let changed = [(1, total, 5), (1, total + 1, 5)];
        assert_eq!(refused(&changed), WireError::BadValue);
        let too_much = [(1, PIECE as u64 + 1, PIECE), (1, PIECE as u64 + 1, 2)];
        assert_eq!(refused(&too_much), WireError::BadValue);
        let many: Vec<_> = (0..9).map(|stream| (stream, total, 1)).collect();
        assert_eq!(refused(&many), WireError::TooManyStreams);
        let long: Vec<_> = (0..3).map(|stream| (stream, 2 << 20, 1)).collect();
        assert_eq!(refused(&long), WireError::TooManyStreams);
        let nonsense = [(1, total, PIECE), (1, total, PIECE)];
        assert!(matches!(refused(&nonsense), WireError::Resp(_)));
    }

    #[test]
    fn small_messages_that_wait_together_leave_as_one() {
        let ping = |id| Message {
            id,
            epoch: 1,
            body: Body::Ping,
        };
        let mut outbox = Outbox::default();
        let mut chunk = Vec::new();
        outbox.push(&ping(1));
        outbox.fill(&mut chunk, PIECE);
        assert!(
            chunk.starts_with(b"*2\r\n$9\r\nNODE.PING\r\n"),
            "one is by itself"
        );
        chunk.clear();
        (2..5).for_each(|id| outbox.push(&ping(id)));
        outbox.fill(&mut chunk, PIECE);
        assert!(chunk.starts_with(b"*2\r\n$10\r\nNODE.BATCH\r\n"));
        let mut decoder = crate::resp::CommandDecoder::new(Limits::DEFAULT);
        let whole = decoder
            .decode(&chunk)
            .expect("it is RESP")
            .expect("it is complete");
        assert_eq!(whole.consumed, chunk.len());
        // Cut anywhere, all three come.
        for at in 0..chunk.len() {
            let (mut inbox, mut came, mut bytes) = (Link::default().inbox, Vec::new(), Vec::new());
            for part in [&chunk[..at], &chunk[at..]] {
                bytes.extend_from_slice(part);
                while let Some(arrived) = inbox.next(&bytes).expect("it is sound") {
                    bytes.drain(..arrived.consumed);
                    came.extend(arrived.message.map(|message| message.id));
                }
            }
            assert_eq!((came, bytes.len()), (vec![2, 3, 4], 0), "cut at {at}");
        }
    }

    #[test]
    fn batches_that_are_none_are_refused() {
        let mut ping = Vec::new();
        Message {
            id: 1,
            epoch: 1,
            body: Body::Ping,
        }
        .encode(&mut ping);
        let batch = |len: usize, inner: &[u8]| {
            let mut bytes = Vec::from(alloc::format!("*2\r\n$10\r\nNODE.BATCH\r\n${len}\r\n"));
            bytes.extend_from_slice(inner);
            bytes
        };
        let ended = [&ping[..], b"\r\n"].concat();
        let nested = batch(ended.len(), &ended);
        for bytes in [
            batch(ping.len() - 1, &ping),
            batch(ping.len() + 2, &[&ping[..], b"\r\n\r\n"].concat()),
            batch(ping.len(), &[&ping[..], b"xx"].concat()),
            batch(0, b"\r\n"),
            batch(nested.len(), &nested),
            Vec::from("*2\r\n$10\r\nNODE.BATCH\r\n$9999999999\r\n"),
            Vec::from("*2\r\n$10\r\nNODE.BATCH\r\n$x\r\n"),
        ] {
            let refused = take_hostile(&bytes);
            assert!(refused.is_err(), "{}", bytes.escape_ascii());
        }
        assert!(take_hostile(&batch(ping.len(), &ended)).is_ok());
    }

    #[test]
    fn a_claim_takes_no_memory() {
        let mut bytes = Vec::new();
        piece(&mut bytes, 1, LONGEST as u64, b"x");
        let mut inbox = Link::default().inbox;
        let arrived = inbox
            .next(&bytes)
            .expect("it is sound")
            .expect("it is complete");
        assert_eq!((arrived.message, inbox.kept()), (None, 1));
    }
}
