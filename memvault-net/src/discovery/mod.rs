//! Discovery: members find each other's addresses from a few seeds, by gossip (SWIM, by the crate `foca`).
//!
//! ```text
//! datagrams, time, seeds --handle_*-->  Discovery  --poll_datagram--> UDP
//!                                        (foca)    --poll_news-----> who is where, who seems to be gone
//! ```
//!
//! Place: beside the [`Driver`](crate::driver::Driver) of a member, which tells its node what was found. Says
//! where members are; never who they are: the member list changes by the operator's command alone, and comes
//! over TCP. Who is alive, each node finds out by its own connections, which notice more, and sooner.
//!
//! [`Discovery`] has no socket and no clock. After every input, drain [`Discovery::poll_datagram`] and
//! [`Discovery::poll_news`], and call [`Discovery::handle_timeout`] at [`Discovery::poll_timeout`].
//!
//! ```text
//! new member                                 seed
//!    |--- ask: I am b, at this address ------->|   only the address of a seed is known beforehand
//!    |<-- answer: I am a (b was known as ...) -|   b outranks its former self, whatever the clocks say
//!    |--- announce (foca) -------------------->|   tells the others
//!    |<-- feed: those that a knows ------------|
//! ```
//!
//! Limits: [`MAX_ID_LEN`], [`MAX_KNOWN`]; a datagram has 1400 bytes at most, longer ones are junk.

mod frame;
mod identity;
mod runtime;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::{
    Codec, Config, Error, Foca, Header, Message, NoCustomBroadcast, OwnedNotification,
    PeriodicParams, PostcardCodec,
};
use memvault::rng::Rng;
use memvault::time::Instant;

use frame::{Frame, HEAD, MALFORMED, MAX_DATAGRAM};
pub use identity::{Identity, IdentityError, MAX_ID_LEN};
use runtime::{Dice, Wishes};

/// Members known at a time, dead ones included. If there are more, all are forgotten and the seeds asked
/// anew: somebody makes them up.
pub const MAX_KNOWN: usize = 4096;

/// How one member finds the others. A state machine; see the [module](self).
pub struct Discovery {
    gossip: Gossip,
    wishes: Wishes,
    rng: Rng,
    seeds: Vec<SocketAddr>,
    /// When to ask again who is there, while nobody is known to be.
    ask_at: Instant,
    /// When to complain, unless somebody answers.
    complain_at: Instant,
    /// Until then, being taken for dead is not answered again.
    renewed_until: Instant,
    news: VecDeque<News>,
    junk: u64,
    junk_told_until: Instant,
}

type Gossip = Foca<Identity, PostcardCodec, Dice, NoCustomBroadcast>;

/// What discovery has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// A member is there, or is there again; also when it is reached elsewhere now.
    Found(Identity),
    /// A member's process is another one than before: the former has crashed, or was stopped.
    Restarted(Identity),
    /// No member reaches it any more. A hint only: who has a connection to it knows better.
    Gone(Identity),
    /// No other member is known to be alive; seeds are asked until one answers.
    Alone,
    /// Nobody that was asked has answered for a while. Told once a minute.
    NoAnswer {
        /// Whom it asks.
        asked: Vec<SocketAddr>,
    },
    /// Datagrams were ignored. Told once a minute.
    Junk {
        /// Where the last one came from.
        from: SocketAddr,
        /// What is wrong with it.
        reason: &'static str,
        /// How many were ignored since the start.
        total: u64,
    },
    /// More than [`MAX_KNOWN`] members were told of: all were forgotten.
    TooMany,
}

/// Between two rounds of asking, while nobody is known to be there; a quarter more by chance.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long nobody may answer before it is told, and between two such reports.
const PATIENCE: Duration = Duration::from_secs(5);
const REPEAT: Duration = Duration::from_secs(60);
/// Between two renewals: two processes with one id would declare each other dead as fast as the network goes.
const RENEW_EVERY: Duration = Duration::from_secs(1);

impl Discovery {
    /// Starts to look for others. `seed` is for random choices.
    #[must_use]
    pub fn new(me: Identity, seeds: Vec<SocketAddr>, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            gossip: gossip(me, &mut rng),
            wishes: Wishes::default(),
            rng,
            seeds,
            ask_at: now,
            complain_at: now + PATIENCE,
            renewed_until: now,
            news: VecDeque::new(),
            junk: 0,
            junk_told_until: now,
        }
    }

    /// This member itself, as others know it.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        self.gossip.identity()
    }

    /// The others that seem to be alive.
    pub fn members(&self) -> impl Iterator<Item = &Identity> {
        self.gossip.iter_members().map(foca::Member::id)
    }

    /// Whether no other member is known to be alive.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.gossip.num_members() == 0
    }

    /// Whom to ask while nobody is known to be there; for names whose addresses have changed.
    pub fn set_seeds(&mut self, seeds: Vec<SocketAddr>) {
        self.seeds = seeds;
    }

    /// A datagram came in. What is not understood is ignored and counted; see [`News::Junk`].
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let flaw = match Frame::decode(bytes) {
            Ok(Frame::Gossip(content)) => self.take_gossip(now, content),
            Ok(Frame::Ask(asker)) => {
                self.answer(from, asker);
                None
            }
            Ok(Frame::Answer(other, known)) => {
                self.take_answer(now, other, known);
                None
            }
            Err(error) => Some(error.reason()),
        };
        if let Some(reason) = flaw {
            self.note_junk(now, from, reason);
        }
        if self.gossip.iter_membership_state().len() > MAX_KNOWN {
            self.forget(now);
        }
        self.take_notes(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.wishes.take_due(now) {
            // It goes on after every error; one comes about if this process stood still for too long.
            let _ = self.gossip.handle_timer(timer, self.wishes.at(now));
        }
        self.take_notes(now);
        if self.is_alone() && self.ask_at <= now {
            self.ask(now);
        }
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let next = self.wishes.next_timer();
        let asks = self.is_alone().then_some(self.ask_at);
        let due = [next, asks].into_iter().flatten().min();
        due.unwrap_or(self.ask_at)
    }

    /// A datagram to send.
    pub fn poll_datagram(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.wishes.datagrams.pop_front()
    }

    /// Something that was found out.
    pub fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Asks all seeds who they are, and everyone that was ever known: their addresses may be seeds now.
    fn ask(&mut self, now: Instant) {
        let known = self.gossip.iter_membership_state();
        let known = known.map(|member| member.id().address);
        let mut asked: Vec<SocketAddr> = self.seeds.iter().copied().chain(known).collect();
        asked.sort_unstable();
        asked.dedup();
        asked.retain(|address| *address != self.identity().address);
        let question = Frame::Ask(self.identity().clone()).encode();
        let datagrams = asked.iter().map(|to| (*to, question.clone()));
        self.wishes.datagrams.extend(datagrams);
        self.ask_at = now + ASK_EVERY + self.rng.duration_below(ASK_EVERY / 4);
        if self.complain_at <= now && !asked.is_empty() {
            self.complain_at = now + REPEAT;
            self.news.push_back(News::NoAnswer { asked });
        }
    }

    fn answer(&mut self, from: SocketAddr, asker: Identity) {
        let me = self.identity().clone();
        // Two processes with one id are told apart over TCP, where it counts.
        if asker.id == me.id {
            return;
        }
        let mut known = self.gossip.iter_membership_state();
        let known = known.find(|member| member.id().id == asker.id);
        let known = known.map(|member| member.id().clone());
        let answer = Frame::Answer(me, known).encode();
        self.wishes.datagrams.push_back((from, answer));
    }

    fn take_answer(&mut self, now: Instant, other: Identity, known: Option<Identity>) {
        let me = self.identity();
        if other.id == me.id {
            return;
        }
        let former = known.filter(|known| known.id == me.id && known.incarnation > me.incarnation);
        let incarnation = former.and_then(|former| former.incarnation.checked_add(1));
        if let Some(incarnation) = incarnation {
            let mut me = me.clone();
            me.incarnation = incarnation;
            // It only fails for the identity that there is already.
            let _ = self.gossip.change_identity(me, self.wishes.at(now));
        }
        // Identities are bounded so that they fit.
        let _ = self.gossip.announce(other, self.wishes.at(now));
    }

    /// Returns what is wrong with it, if anything is.
    fn take_gossip(&mut self, now: Instant, content: &[u8]) -> Option<&'static str> {
        let header = PostcardCodec.decode_header(content);
        let header: Header<Identity> = match header {
            Ok(header) => header,
            Err(_) => return Some(MALFORMED),
        };
        if header.message == Message::TurnUndead && header.dst == *self.identity() {
            if now < self.renewed_until {
                return None;
            }
            self.renewed_until = now + RENEW_EVERY;
        }
        match self.gossip.handle_data(content, self.wishes.at(now)) {
            // From this member itself, or another process with its id.
            Ok(()) | Err(Error::DataFromOurselves) => None,
            Err(_) => Some(MALFORMED),
        }
    }

    fn note_junk(&mut self, now: Instant, from: SocketAddr, reason: &'static str) {
        self.junk += 1;
        if self.junk_told_until <= now {
            self.junk_told_until = now + REPEAT;
            let total = self.junk;
            self.news.push_back(News::Junk {
                from,
                reason,
                total,
            });
        }
    }

    fn forget(&mut self, now: Instant) {
        // Under the present identity others may hold it for dead.
        let me = self.identity().clone();
        let me = foca::Identity::renew(&me).unwrap_or(me);
        self.gossip = gossip(me, &mut self.rng);
        self.wishes.clear_timers();
        self.wishes.notes.clear();
        self.ask_at = now + ASK_EVERY;
        self.news.push_back(News::TooMany);
    }

    /// Turns what foca tells into news.
    fn take_notes(&mut self, now: Instant) {
        while let Some(note) = self.wishes.notes.pop_front() {
            let news = match note {
                OwnedNotification::MemberUp(member) => {
                    let told = News::Restarted(member.clone());
                    if self.news.back() == Some(&told) {
                        continue;
                    }
                    News::Found(member)
                }
                OwnedNotification::MemberDown(member) => News::Gone(member),
                OwnedNotification::Rename(before, after) => {
                    if !self.members().any(|member| *member == after) {
                        continue;
                    }
                    if before.incarnation == after.incarnation {
                        News::Found(after)
                    } else {
                        News::Restarted(after)
                    }
                }
                OwnedNotification::Idle => {
                    self.ask_at = now;
                    self.complain_at = now + PATIENCE;
                    News::Alone
                }
                OwnedNotification::Active
                | OwnedNotification::Defunct
                | OwnedNotification::Rejoin(_) => continue,
            };
            self.news.push_back(news);
        }
    }
}

fn gossip(me: Identity, rng: &mut Rng) -> Gossip {
    let dice = Dice(Rng::new(rng.next_u64()));
    Foca::new(me, config(), dice, PostcardCodec)
}

fn config() -> Config {
    let periodic = |millis, members| {
        Some(PeriodicParams {
            frequency: Duration::from_millis(millis),
            num_members: count(members),
        })
    };
    Config {
        probe_period: Duration::from_millis(500),
        probe_rtt: Duration::from_millis(200),
        num_indirect_probes: count(3),
        max_transmissions: NonZeroU8::new(10).unwrap_or(NonZeroU8::MIN),
        suspect_to_down_after: Duration::from_millis(1500),
        // Dead members are announced to, so that the sides of a partition find each other again.
        remove_down_after: None,
        max_packet_size: count(MAX_DATAGRAM - HEAD),
        notify_down_members: true,
        periodic_announce: periodic(30_000, 1),
        periodic_announce_to_down_members: periodic(5_000, 2),
        periodic_gossip: periodic(200, 3),
    }
}

const fn count(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(count) => count,
        None => NonZeroUsize::MIN,
    }
}
