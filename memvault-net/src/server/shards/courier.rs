//! The task of a thread that brings and takes its mail.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ahash::RandomState;
use futures_lite::future::poll_fn;
use memvault::command::{Command, Context, lookup};
use memvault::store::Store;

use super::letter::{Errand, Letter, Parcel};
use super::shard::Shard;
use crate::server::clients::Clients;
use crate::server::sockets::Sockets;

/// One thread's courier.
///
/// It is woken by what others send and by the first letter to them. It takes its turn behind the clients
/// that were ready by then, so that the letters of all of them go together.
pub(super) struct Courier {
    pub(super) shard: Rc<Shard>,
    pub(super) clients: Rc<Clients>,
    pub(super) sockets: Sockets,
}

impl Courier {
    /// Works for ever.
    pub(super) async fn run(self) {
        let (mut parcels, mut letters) = (Vec::new(), VecDeque::new());
        poll_fn(|cx| {
            self.sweep(&mut parcels, &mut letters, cx.waker());
            Poll::<()>::Pending
        })
        .await;
    }

    /// Handles what has come, then sends all that is to go. `letters` are those that have come and are not opened yet:
    /// clients of this thread get their turn between many of them.
    fn sweep(
        &self,
        parcels: &mut Vec<Parcel>,
        letters: &mut VecDeque<(usize, Letter)>,
        waker: &Waker,
    ) {
        let shard = &self.shard;
        let courier = match shard.courier.take() {
            Some(same) if same.will_wake(waker) => same,
            _ => waker.clone(),
        };
        let mailbox = &shard.shards.desks[shard.number].mailbox;
        *parcels = mailbox.collect(std::mem::take(parcels), waker);
        for parcel in parcels.drain(..) {
            for reply in parcel.answers.iter() {
                shard.answer(parcel.from, reply);
            }
            let from = parcel.from;
            letters.extend(parcel.letters.into_iter().map(|letter| (from, letter)));
        }
        let begun = (!letters.is_empty()).then(Instant::now);
        for opened in 1.. {
            let Some((from, letter)) = letters.pop_front() else {
                break;
            };
            self.open(from, letter);
            let is_look = opened % LETTERS_PER_LOOK == 0;
            if is_look && begun.is_some_and(|begun| begun.elapsed() >= TURN) {
                break;
            }
        }
        if let Some(begun) = begun {
            self.clients.tally.end_turn(begun);
        }
        if letters.is_empty() {
            letters.shrink_to(KEPT_LETTERS);
        } else {
            self.sockets.yield_turn(waker);
        }
        shard.publish(&shard.store.borrow());
        shard.flush();
        shard.courier.set(Some(courier));
    }

    fn open(&self, from: usize, letter: Letter) {
        let shard = &self.shard;
        match letter {
            Letter::Errand(errand) => {
                if let Some(spec) = errand.args.as_args().get(0).and_then(lookup) {
                    self.clients.tally.time(spec.id);
                }
                let store = &mut shard.store.borrow_mut();
                shard.pack(from, |parcel| {
                    parcel.answers.add(|out| shard.run(store, &errand, out));
                });
            }
            Letter::Arrival(arrival) => self.sockets.welcome(&self.clients, arrival),
            Letter::NewLimits => shard.apply_limits(&mut shard.store.borrow_mut()),
            Letter::ResetStatistics => shard.store.borrow_mut().reset_statistics(),
            Letter::Finish => shard.end.is_asked_for.set(true),
            Letter::Gone => shard.end.gone.set(shard.end.gone.get() + 1),
            Letter::Abort => shard.end.is_aborted.set(true),
        }
        shard.end.changed();
    }
}

/// Time of opening letters after which the thread's clients get their turn.
const TURN: Duration = Duration::from_millis(1);
/// Letters between two looks at the time.
const LETTERS_PER_LOOK: usize = 16;
/// Room for letters that is kept.
const KEPT_LETTERS: usize = 4096;

impl Shard {
    /// Carries out a command on own keys, and appends its reply.
    pub(super) fn run(&self, store: &mut Store<RandomState>, errand: &Errand, out: &mut Vec<u8>) {
        let args = errand.args.as_args();
        let context = Context {
            now: errand.now,
            max_key_len: self.limits.max_key_len,
            max_value_len: self.limits.max_bulk_len,
        };
        match Command::parse(&args, &context) {
            Ok(Command::Data(command)) => {
                store.execute(errand.now, errand.protocol, &command, out);
            }
            // Its sender parsed it already.
            Ok(Command::Session(_)) => debug_assert!(false, "no command on keys"),
            Err(error) => error.encode(out),
        }
    }
}
