//! What was asked on one connection and is not answered yet: an answer must fit a question.
//!
//! The node itself puts up with answers that come twice, late or from nowhere, as some transports deliver
//! them so. TCP does not: there, a node that sends them is broken or hostile.

use std::collections::HashMap;
use std::time::Duration;

use ahash::RandomState;
use memvault::replication::{Body, Message};
use memvault::time::Instant;

use super::link::LinkError;

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// A greeting or a ping.
    Alive,
    Write,
    Offer,
    Read,
    Pull,
    Flush,
    Count,
    Propose,
}

/// The open questions of one connection. O(1) per question and answer.
#[derive(Debug)]
pub(super) struct Questions {
    /// How often each was asked and not answered: a silent node is asked again with the same number.
    recent: HashMap<(Kind, u64), u32, RandomState>,
    /// Those asked before the last turn.
    older: HashMap<(Kind, u64), u32, RandomState>,
    turned_at: Instant,
}

/// How long an answer is waited for at least; some questions never get one.
const TURN: Duration = Duration::from_secs(30);

impl Default for Questions {
    fn default() -> Self {
        let seed = || fastrand::u64(..);
        let hasher = RandomState::with_seeds(seed(), seed(), seed(), seed());
        Self {
            recent: HashMap::with_hasher(hasher.clone()),
            older: HashMap::with_hasher(hasher),
            turned_at: Instant::ZERO,
        }
    }
}

impl Questions {
    pub(super) fn asked(&mut self, now: Instant, message: &Message) {
        let kind = match message.body {
            Body::Hello(_) | Body::Ping => Kind::Alive,
            Body::Write(_) => Kind::Write,
            Body::Offer { .. } => Kind::Offer,
            Body::Read { .. } => Kind::Read,
            Body::Pull { .. } => Kind::Pull,
            Body::Flush { .. } => Kind::Flush,
            Body::Count => Kind::Count,
            Body::Propose { .. } => Kind::Propose,
            _ => return,
        };
        if now - self.turned_at > TURN {
            self.turned_at = now;
            std::mem::swap(&mut self.older, &mut self.recent);
            self.recent.clear();
        }
        *self.recent.entry((kind, message.id)).or_default() += 1;
    }

    /// # Errors
    /// If nobody waits for it.
    pub(super) fn answered(&mut self, message: &Message) -> Result<(), LinkError> {
        let (kind, answer) = match message.body {
            Body::Pong { .. } => (Kind::Alive, "NODE.PONG"),
            Body::Wrote(_) => (Kind::Write, "NODE.WROTE"),
            Body::Offered(_) => (Kind::Offer, "NODE.OFFERED"),
            Body::Held(_) => (Kind::Read, "NODE.HELD"),
            Body::Pulled(_) => (Kind::Pull, "NODE.PULLED"),
            Body::Flushed => (Kind::Flush, "NODE.FLUSHED"),
            Body::Counted { .. } => (Kind::Count, "NODE.COUNTED"),
            Body::Voted { .. } => (Kind::Propose, "NODE.VOTED"),
            // A turn is answered twice: when it is queued, and when it has come.
            _ => return Ok(()),
        };
        if self.take(kind, message.id) {
            return Ok(());
        }
        let asked = Kind::ALL
            .into_iter()
            .find(|other| message.id != 0 && self.is_open(*other, message.id));
        Err(match asked {
            Some(question) => LinkError::WrongKind {
                question: question.name(),
                answer,
            },
            None => LinkError::Unasked { answer },
        })
    }

    fn take(&mut self, kind: Kind, id: u64) -> bool {
        let key = (kind, id);
        for questions in [&mut self.older, &mut self.recent] {
            if let Some(count) = questions.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    questions.remove(&key);
                }
                return true;
            }
        }
        false
    }

    fn is_open(&self, kind: Kind, id: u64) -> bool {
        let key = (kind, id);
        self.recent.contains_key(&key) || self.older.contains_key(&key)
    }
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Alive,
        Self::Write,
        Self::Offer,
        Self::Read,
        Self::Pull,
        Self::Flush,
        Self::Count,
        Self::Propose,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Alive => "NODE.PING",
            Self::Write => "NODE.WRITE",
            Self::Offer => "NODE.OFFER",
            Self::Read => "NODE.READ",
            Self::Pull => "NODE.PULL",
            Self::Flush => "NODE.FLUSH",
            Self::Count => "NODE.COUNT",
            Self::Propose => "NODE.PROPOSE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64, body: Body) -> Message {
        Message { id, epoch: 1, body }
    }

    fn ask(questions: &mut Questions, at: u64, id: u64) {
        let key = b"k"[..].into();
        questions.asked(
            Instant::from_millis(at),
            &message(id, Body::Read { key, promise: None }),
        );
    }

    fn held(id: u64) -> Message {
        message(id, Body::Held(memvault::replication::ReadReply::Loading))
    }

    #[test]
    fn an_answer_fits_one_question_once() {
        let mut questions = Questions::default();
        ask(&mut questions, 0, 7);
        ask(&mut questions, 1, 7);
        let wrong = questions.answered(&message(7, Body::Flushed));
        let text = wrong.expect_err("it is of another kind").to_string();
        assert_eq!(text, "it answered NODE.READ with NODE.FLUSHED");
        assert!(questions.answered(&held(7)).is_ok());
        assert!(questions.answered(&held(7)).is_ok(), "it was asked twice");
        let third = questions.answered(&held(7)).expect_err("a third time");
        assert!(third.to_string().contains("a second time (NODE.HELD)"));
    }

    #[test]
    fn questions_that_are_never_answered_are_forgotten_in_the_end() {
        let mut questions = Questions::default();
        ask(&mut questions, 0, 1);
        ask(&mut questions, 31_000, 2);
        assert!(questions.answered(&held(1)).is_ok(), "it may come late");
        ask(&mut questions, 31_000, 1);
        ask(&mut questions, 62_000, 3);
        ask(&mut questions, 93_000, 4);
        assert!(questions.answered(&held(1)).is_err());
        assert_eq!(questions.recent.len() + questions.older.len(), 2);
    }
}
