//! From a request to operations, and from their ends to the next ones.

use super::admission::{Pending, Wide};
use super::execution::{Ended, Execution};
use super::job::Tasks;
use super::operation::{Call, Operation};
use super::{Coordinator, Leave, Levels, job};
use crate::replication::Now;
use crate::replication::budget::MESSAGE_BYTES;
use crate::replication::context::Context;
use crate::replication::request::{Answer, Failure, Outcome, Request};
use crate::replication::rules::Rule;
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

/// Keys that go to their lanes, and keys that begin, with one input at most, so that none takes long: the rest follows
/// with the next.
const SLICE: usize = 256;
/// A value has more time than others if it cannot travel within that: a second for so many bytes.
const SLOWEST_BYTES_PER_SECOND: usize = 32 << 20;

impl Coordinator {
    /// Begins a request; its outcome appears as [`Action::Complete`](crate::replication::Action::Complete).
    ///
    /// Requests of one `caller` begin in their order; 0 is nobody else's.
    pub(in crate::replication) fn handle_request(
        &mut self,
        cx: &mut Context,
        now: Now,
        (request, caller): (u64, u64),
        what: Request,
        levels: Levels,
    ) {
        cx.statistics.requests += 1;
        if let Some(failure) = self.refusal(cx, now.instant, &what, levels) {
            cx.statistics.overloaded += u64::from(failure == Failure::Overloaded);
            return job::complete(cx, request, Err(failure));
        }
        if matches!(what, Request::Flush | Request::Count) {
            return self.flushes.start(cx, now, request, what == Request::Count);
        }
        let mut tasks = self.jobs.split(request, what);
        if tasks.is_empty() {
            return self.jobs.finish(cx, request);
        }
        let is_single = tasks.len() == 1;
        let asked_at = (caller == 0 && is_single).then_some(now.instant);
        // Callers have numbers from 1 on, and nobody has as many requests.
        let caller = if caller == 0 { !request } else { caller };
        if is_single && let Some(task) = tasks.next() {
            let pending = Pending::new((request, caller), 0, task, levels, asked_at);
            let first = first_replica(cx, &pending.key);
            if let Some(leave) = self.admission.pass(now.instant, first, &pending) {
                return self.start(cx, now, pending, leave);
            }
            tasks = Tasks::one(pending.key, pending.task);
        }
        self.admission.add(Wide {
            request,
            caller,
            levels,
            asked_at,
            tasks,
            slot: 0,
        });
    }

    /// What speaks against the request as such, or against letting it wait.
    fn refusal(
        &self,
        cx: &Context,
        now: Instant,
        what: &Request,
        levels: Levels,
    ) -> Option<Failure> {
        let max_requests = cx.config.max_requests;
        let keys = what.keys();
        if keys > max_requests {
            return Some(Failure::TooManyKeys { keys, max_requests });
        }
        let mut named = [levels.write, levels.read].into_iter();
        if let Some(level) = named.find(|level| cx.config.plain_redis && level.needs_versions()) {
            return Some(Failure::NoVersions { level });
        }
        // Where nothing waits, a request is let in whatever its size: nothing could be gained by waiting.
        if self.admission.waiting() == 0 || !cx.rules.keep(Rule::AdmissionIsBounded) {
            return None;
        }
        let is_hopeless = what
            .first_key()
            .is_some_and(|key| self.admission.is_hopeless(now, first_replica(cx, key)));
        if is_hopeless {
            return Some(Failure::Overloaded);
        }
        self.admission.refusal(keys, what.len())
    }

    /// Ends a request that was not carried out key by key.
    pub(in crate::replication) fn complete(
        &mut self,
        cx: &mut Context,
        request: u64,
        outcome: Outcome,
    ) {
        job::complete(cx, request, outcome);
    }

    /// Begins what waits, as far as there is room, a slice of it at most. Returns whether anything began.
    pub(in crate::replication) fn go_on(&mut self, cx: &mut Context, now: Now) -> bool {
        self.admission
            .split(now.instant, SLICE, |key| first_replica(cx, key));
        let mut begun = 0;
        while begun < SLICE
            && let Some((pending, leave)) = self.admission.next(now.instant)
        {
            begun += 1;
            // One key that failed decides the request: the others are not worth the work.
            if let Some(failure) = self.jobs.failure(pending.request) {
                self.admission.withdraw(now.instant, leave, pending.bytes());
                self.jobs
                    .add(cx, pending.request, pending.slot, Err(failure));
            } else {
                self.start(cx, now, pending, leave);
            }
        }
        begun > 0
    }

    /// Ends what has waited for too long to be waited for.
    pub(in crate::replication) fn tick(&mut self, cx: &mut Context, now: Now) {
        let mut ended = 0;
        while ended < SLICE
            && let Some(pending) = self.admission.pop_impatient(now.instant)
        {
            ended += 1;
            let failure = self.jobs.failure(pending.request);
            cx.statistics.overloaded += u64::from(failure.is_none());
            let result = Err(failure.unwrap_or(Failure::Overloaded));
            self.jobs.add(cx, pending.request, pending.slot, result);
        }
    }

    /// The members have changed: keys that wait go to the lanes of the member that comes first now.
    pub(super) fn rearrange(&mut self, cx: &Context, now: Now) {
        self.admission
            .rearrange(now.instant, |key| first_replica(cx, key));
    }

    /// Whether a caller may ask for more.
    pub(in crate::replication) fn has_room_for(&self, caller: u64) -> bool {
        self.admission.has_room_for(caller)
    }

    /// Keys that wait for their turn.
    pub(in crate::replication) const fn waiting(&self) -> usize {
        self.admission.waiting()
    }

    fn start(&mut self, cx: &mut Context, now: Now, pending: Pending, leave: Leave) {
        let id = cx.fresh_id();
        cx.budget.earn(MESSAGE_BYTES + pending.bytes());
        let preference = cx.preference(&pending.key);
        let since = pending.asked_at.unwrap_or(now.instant);
        let mut operation =
            Operation::new(pending, leave, preference, since + cx.config.op_deadline);
        let extra = time_to_travel(operation.len);
        if since == now.instant && extra.is_zero() {
            self.timers.start_deadline(now.instant, id);
        } else {
            operation.ends_at = operation.ends_at + extra;
            self.timers.add_deadline(operation.ends_at, id);
        }
        let timers = &mut self.timers;
        let mut call = Call {
            cx,
            timers,
            now,
            id,
        };
        let (execution, ended) = Execution::begin(operation, &mut call);
        self.keep(cx, now.instant, id, execution, ended);
    }

    /// Puts an operation back, or hands its result to its job.
    pub(super) fn keep(
        &mut self,
        cx: &mut Context,
        now: Instant,
        id: u64,
        execution: Execution,
        ended: Ended,
    ) {
        let Some(result) = ended else {
            let former = self.executions.insert(id, execution);
            debug_assert!(former.is_none(), "an operation is in one place at a time");
            return;
        };
        let result = result.map_err(|failure| execution.failure(failure));
        let mut operation = execution.operation;
        self.timers.remove_deadline(operation.ends_at, id);
        operation.unlock(cx);
        let answered = match &result {
            Ok(Answer::Value(Some(value))) => Some(value.len()),
            _ => operation.task.is_read().then_some(0),
        };
        let tells = result.is_ok() && !operation.is_repeated;
        self.admission
            .end(now, operation.leave, operation.len, answered, tells);
        self.jobs.add(cx, operation.request, operation.slot, result);
    }
}

/// The first replica of a key, whether it can be reached or not.
fn first_replica(cx: &Context, key: &[u8]) -> NodeIndex {
    let preference = cx.preference(key);
    preference.nodes().first().copied().unwrap_or_default()
}

/// What a value of so many bytes has beyond the time of others.
fn time_to_travel(len: usize) -> Duration {
    Duration::from_millis((len / (SLOWEST_BYTES_PER_SECOND / 1000)) as u64)
}
