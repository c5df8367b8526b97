//! Requests with several keys: split into tasks of one key each, results put together again.

use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashMap;

use super::Task;
use crate::command::{Set, SetReply, Update};
use crate::replication::action::Action;
use crate::replication::context::Context;
use crate::replication::entry::Bytes;
use crate::replication::request::{Answer, Failure, Outcome, Request};

/// One request, as far as it has come.
struct Job {
    left: usize,
    answer: PartialAnswer,
    failure: Option<Failure>,
}

/// How the answers of the tasks make the answer of the request.
enum PartialAnswer {
    /// There is one task, and its answer is the request's.
    One(Option<Answer>),
    /// Values, by slot.
    Values(Vec<Option<Bytes>>),
    /// Their sum.
    Count(i64),
    /// All must be done.
    Done,
}

/// All requests under way, by their id.
pub(super) struct Jobs(HashMap<u64, Job, ahash::RandomState>);

impl Jobs {
    pub(super) fn new(hasher: &ahash::RandomState) -> Self {
        Self(HashMap::with_hasher(hasher.clone()))
    }

    /// Requests under way.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The tasks of a request, in the order of their slots.
    pub(super) fn split(&mut self, request: u64, what: Request) -> Tasks {
        let (answer, tasks) = split(what);
        let job = Job {
            left: tasks.len(),
            answer,
            failure: None,
        };
        let former = self.0.insert(request, job);
        debug_assert!(
            former.is_none(),
            "the driver gives each request a number of its own"
        );
        tasks
    }

    /// What a request has failed of already; it ends with its last task all the same.
    pub(super) fn failure(&self, request: u64) -> Option<Failure> {
        self.0.get(&request)?.failure.clone()
    }

    /// Adds the result of one task; the last one completes the request.
    pub(super) fn add(
        &mut self,
        cx: &mut Context,
        request: u64,
        slot: u32,
        result: Result<Answer, Failure>,
    ) {
        let Some(job) = self.0.get_mut(&request) else {
            debug_assert!(false, "a request ends with its last task");
            return;
        };
        debug_assert!(job.left > 0, "a request ends with its last task");
        match result {
            Ok(answer) => job.answer.add(slot as usize, answer),
            Err(failure) => job.failure = job.failure.take().or(Some(failure)),
        }
        job.left = job.left.saturating_sub(1);
        if job.left == 0 {
            self.finish(cx, request);
        }
    }

    /// Completes a request with what its tasks answered.
    pub(super) fn finish(&mut self, cx: &mut Context, request: u64) {
        let Some(job) = self.0.remove(&request) else {
            return;
        };
        complete(
            cx,
            request,
            job.failure
                .map_or_else(|| Ok(job.answer.into_answer()), Err),
        );
    }
}

/// Hands an outcome to the driver.
pub(super) fn complete(cx: &mut Context, request: u64, outcome: Outcome) {
    if outcome.is_err() {
        cx.statistics.failed_requests += 1;
    }
    cx.out.push_back(Action::Complete(request, outcome));
}

impl PartialAnswer {
    fn add(&mut self, slot: usize, answer: Answer) {
        match (self, answer) {
            (Self::One(one), answer) => *one = Some(answer),
            (Self::Values(values), Answer::Value(value)) => {
                debug_assert!(slot < values.len(), "a task for each key");
                if let Some(place) = values.get_mut(slot) {
                    *place = value;
                }
            }
            (Self::Count(sum), Answer::Count(count)) => *sum += count,
            (Self::Done, Answer::Done) => {}
            (_, answer) => debug_assert!(false, "{answer:?} is no answer to this"),
        }
    }

    fn into_answer(self) -> Answer {
        match self {
            Self::One(answer) => answer.unwrap_or(Answer::Done),
            Self::Values(values) => Answer::Values(values),
            Self::Count(count) => Answer::Count(count),
            Self::Done => Answer::Done,
        }
    }
}

fn split(what: Request) -> (PartialAnswer, Tasks) {
    match what {
        Request::Get(key) => one(key, Task::Get),
        Request::Expiry(key) => one(key, Task::Expiry),
        Request::Set {
            key,
            value,
            expiry,
            condition,
            return_old,
        } => {
            let reply = if return_old {
                SetReply::Former
            } else {
                SetReply::Done
            };
            let set = Set {
                value,
                expiry,
                condition,
                reply,
            };
            one(key, task(Update::Set(set)))
        }
        Request::Update { key, update } => one(key, task(update)),
        Request::Lease(key) => one(key, Task::Lease),
        Request::Fill {
            key,
            value,
            expire_at,
            lease,
        } => one(
            key,
            Task::Fill {
                value,
                expire_at,
                lease,
            },
        ),
        Request::GetMany(keys) => (
            PartialAnswer::Values(vec![None; keys.len()]),
            Tasks::Each(keys.into_iter(), Task::Get),
        ),
        Request::Delete(keys) => (
            PartialAnswer::Count(0),
            Tasks::Each(keys.into_iter(), Task::Delete),
        ),
        Request::Exists(keys) => (
            PartialAnswer::Count(0),
            Tasks::Each(keys.into_iter(), Task::Exists),
        ),
        Request::SetMany(pairs) => (PartialAnswer::Done, Tasks::Pairs(pairs.into_iter())),
        // Not carried out key by key, and taken care of before.
        Request::Flush | Request::Count | Request::AddMember(_) | Request::RemoveMember(_) => {
            (PartialAnswer::Done, Tasks::Pairs(Vec::new().into_iter()))
        }
    }
}

fn one(key: Bytes, task: Task) -> (PartialAnswer, Tasks) {
    (PartialAnswer::One(None), Tasks::one(key, task))
}

/// The tasks of one request, made when their turn comes.
pub(super) enum Tasks {
    /// One, unless it was taken.
    One(Option<(Bytes, Task)>),
    /// The same for each key.
    Each(vec::IntoIter<Bytes>, Task),
    /// A key and its value each.
    Pairs(vec::IntoIter<(Bytes, Bytes)>),
}

impl Tasks {
    pub(super) fn one(key: Bytes, task: Task) -> Self {
        Self::One(Some((key, task)))
    }

    /// Tasks that are left.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(task) => usize::from(task.is_some()),
            Self::Each(keys, _) => keys.len(),
            Self::Pairs(pairs) => pairs.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of their keys and values. O(keys).
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::One(None) => 0,
            Self::One(Some((key, task))) => key.len() + task.value_len(),
            Self::Each(keys, _) => keys.as_slice().iter().map(|key| key.len()).sum(),
            Self::Pairs(pairs) => {
                let pairs = pairs.as_slice().iter();
                pairs.map(|(key, value)| key.len() + value.len()).sum()
            }
        }
    }

    /// The next one, with its key.
    pub(super) fn next(&mut self) -> Option<(Bytes, Task)> {
        match self {
            Self::One(one) => one.take(),
            Self::Each(keys, task) => keys.next().map(|key| (key, task.clone())),
            Self::Pairs(pairs) => pairs.next().map(|(key, value)| {
                let expire_at = None;
                (key, Task::Set { value, expire_at })
            }),
        }
    }
}

/// A SET that depends on nothing is one write; any other change has to read first.
fn task(update: Update<Bytes>) -> Task {
    match update {
        Update::Set(set) => match set.blind() {
            Some(expire_at) => Task::Set {
                value: set.value,
                expire_at,
            },
            None => Task::Update(Update::Set(set)),
        },
        update => Task::Update(update),
    }
}
