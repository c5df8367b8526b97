//! Messages: questions of others are answered, answers go to those who asked.

use alloc::string::String;

use super::{InboundPeer, Node};
use crate::hash::token;
use crate::replication::Now;
use crate::replication::action::{Action, Link};
use crate::replication::coordinator::{Reply, is_operation};
use crate::replication::event::Event;
use crate::replication::member::pull::Position;
use crate::replication::peers::Greeting;
use crate::replication::wire::message::{Body, Hello, Message, NodeState};
use crate::ring::{NodeIndex, VIRTUAL_NODES};
use crate::time::Instant;
use crate::version::Version;

impl Node {
    pub(super) fn receive(&mut self, now: Now, from: Link, message: Message) {
        let Message { id, epoch, body } = message;
        if let Link::Peer(peer) = from {
            self.cx.peers.note_epoch(peer, epoch);
        }
        match body {
            Body::Hello(hello) => self.greet(now, from, (id, epoch), &hello),
            Body::Membership(membership) => {
                if self.is_known(from) {
                    self.learn(now, from, membership);
                }
            }
            Body::Ping
            | Body::Write(_)
            | Body::Offer { .. }
            | Body::Read { .. }
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::Pull { .. }
            | Body::Missed { .. }
            | Body::Touch { .. }
            | Body::Flush { .. }
            | Body::Count
            | Body::Propose { .. } => self.take_question(now, from, (id, epoch), body),
            answer => {
                if let Link::Peer(peer) = from {
                    self.cx.peers.heard(now.instant, peer, &mut self.cx.out);
                    if epoch < self.cx.membership.epoch && tells_its_epoch(&answer) {
                        self.send_membership(from, 0);
                    }
                    self.take_answer(now, peer, id, epoch, answer);
                }
            }
        }
    }

    /// Answers a question of the same epoch; otherwise the node that is behind gets the membership first.
    fn take_question(&mut self, now: Now, from: Link, (id, epoch): (u64, u64), question: Body) {
        if !self.is_known(from) {
            return self.cx.out.push_back(Action::Disconnect(from));
        }
        let mine = self.cx.membership.epoch;
        if question == Body::Ping {
            if let Some(caller) = self.caller(from)
                && !self.cx.peers.is_rejected(caller)
            {
                self.cx.peers.called_by(now.instant, caller);
            }
            let answer = self.pong(now);
            if self.member.is_some() {
                self.cx.answer(from, id, answer);
            }
            if epoch < mine {
                self.send_membership(from, 0);
            }
        } else if epoch < mine {
            self.send_membership(from, id);
        } else if epoch > mine {
            self.cx.answer(from, id, Body::WrongEpoch);
        } else {
            self.serve(now, from, id, question);
        }
    }

    /// Answers a question.
    fn serve(&mut self, now: Now, from: Link, id: u64, question: Body) {
        let caller = self.caller(from);
        let Some(member) = &mut self.member else {
            return;
        };
        let cx = &mut self.cx;
        let answer = match question {
            Body::Write(write) => {
                cx.statistics.led_writes += 1;
                return member
                    .leader
                    .handle_write(cx, &mut member.replica, now, (from, id), write);
            }
            Body::Offer { key, entry, kind } => {
                Body::Offered(member.take_offer(cx, now, &key, &entry, kind))
            }
            Body::Read { key, promise } => Body::Held(member.answer_read(cx, now, &key, promise)),
            Body::Lock { key } => Body::Locked(member.answer_lock(now, &key, (from, id))),
            Body::Unlock { key } => {
                let key_locks = &mut member.key_locks;
                return key_locks.give_back(cx, now.instant, token(&key), (from, id));
            }
            Body::Pull {
                cursor,
                since,
                pending,
            } => {
                let from = Position {
                    cursor,
                    since,
                    pending,
                };
                match caller {
                    Some(to) => Body::Pulled(member.answer_pull(cx, now, to, from)),
                    None => return,
                }
            }
            Body::Missed { since } => match caller {
                Some(source) => return self.fetch_missed(now, source, since),
                None => return,
            },
            Body::Touch { keys } => {
                if caller.is_some() {
                    cx.statistics.touches_taken += member.replica.touch(&keys);
                }
                return;
            }
            Body::Flush { version } => member.flush(cx, now, version),
            Body::Count => member.count(),
            Body::Propose { number, membership } => match self.vote(number, membership) {
                Some(vote) => vote,
                None => return,
            },
            _ => return,
        };
        self.cx.answer(from, id, answer);
    }

    /// Whether the other side has said who it is.
    fn is_known(&self, from: Link) -> bool {
        match from {
            Link::Peer(_) => true,
            Link::Inbound(link) => self.inbound.contains_key(&link),
        }
    }

    /// The member that asks, if it is one, or joins.
    fn caller(&self, from: Link) -> Option<NodeIndex> {
        match from {
            Link::Peer(node) => Some(node),
            Link::Inbound(link) => {
                let caller = self.inbound.get(&link).filter(|caller| caller.is_member)?;
                caller.node
            }
        }
    }

    fn greet(&mut self, now: Now, from: Link, (id, epoch): (u64, u64), hello: &Hello) {
        let Link::Inbound(link) = from else { return };
        if let Some(reason) = self.mismatch(epoch, hello) {
            self.cx.answer(from, id, Body::Rejected(reason));
            return self.cx.out.push_back(Action::Disconnect(from));
        }
        let node = self.cx.peers.index_of(&hello.node_id);
        if let Some(node) = node.filter(|_| hello.is_member) {
            if self.refuse_second(now, link, node, hello) {
                return;
            }
            self.node_identity
                .greeted(now, link, node, hello.incarnation);
        }
        let caller = InboundPeer {
            id: hello.node_id.clone(),
            incarnation: hello.incarnation,
            is_member: hello.is_member,
            node,
        };
        self.inbound.insert(link, caller);
        if let Some(caller) = self.caller(from) {
            self.cx.peers.called_by(now.instant, caller);
        }
        let answer = self.pong(now);
        self.cx.answer(from, id, answer);
        if epoch < self.cx.membership.epoch || self.has_news_for(from) {
            self.send_membership(from, 0);
        }
    }

    fn pong(&self, now: Now) -> Body {
        Body::Pong {
            incarnation: self.incarnation,
            state: self.state(),
            hlc: self.cx.hlc.last(),
            pending: self.pending(),
            wall: now.wall,
            flushed: self.flushed(),
            start_floor: self.start_floor(),
        }
    }

    /// What keeps the caller and this node from working together.
    fn mismatch(&self, epoch: u64, hello: &Hello) -> Option<String> {
        if self.member.is_none() {
            return Some(String::from("this node holds no data"));
        }
        // Where the epochs differ, one of the two will learn.
        let is_same_epoch = epoch == self.cx.membership.epoch;
        self.other_release(hello)
            .or_else(|| self.other_node(hello))
            .or_else(|| self.other_deadline(hello))
            .or_else(|| self.other_list(hello).filter(|_| is_same_epoch))
    }

    fn other_release(&self, hello: &Hello) -> Option<String> {
        if hello.protocol != Hello::PROTOCOL {
            return Some(alloc::format!(
                "{} speaks version {} of the protocol, {} speaks {} (all processes of a cluster must run releases that \
                 speak the same)",
                self.name,
                Hello::PROTOCOL,
                hello.node_id,
                hello.protocol
            ));
        }
        (hello.virtual_nodes != VIRTUAL_NODES).then(|| {
            alloc::format!(
                "{} has {VIRTUAL_NODES} virtual nodes per unit of weight, {} has {} (keys would be misplaced: all \
                 processes of a cluster must run the same release)",
                self.name,
                hello.node_id,
                hello.virtual_nodes
            )
        })
    }

    fn other_node(&self, hello: &Hello) -> Option<String> {
        (!hello.callee.is_empty() && hello.callee != self.name).then(|| {
            alloc::format!(
                "this is {}, and {} takes it for {} (the list of members names the wrong address for one of them)",
                self.name,
                hello.node_id,
                hello.callee
            )
        })
    }

    /// A leader that gives a write up before its coordinator does, or after it, breaks what is promised of the time at
    /// which a request has taken effect or never will.
    fn other_deadline(&self, hello: &Hello) -> Option<String> {
        let mine = self.op_deadline_ms();
        let fits = if hello.is_member {
            hello.op_deadline_ms == mine
        } else {
            hello.op_deadline_ms <= mine
        };
        (!fits).then(|| {
            alloc::format!(
                "{} gives a request up after {mine} ms, {} after {} ms (op_deadline must be the same in all members, and no \
                 longer in gateways and clients)",
                self.name,
                hello.node_id,
                hello.op_deadline_ms
            )
        })
    }

    pub(super) fn op_deadline_ms(&self) -> u32 {
        let millis = self.cx.config.op_deadline.as_millis();
        debug_assert!(
            u32::try_from(millis).is_ok(),
            "the configuration was checked"
        );
        u32::try_from(millis).unwrap_or(u32::MAX)
    }

    fn other_list(&self, hello: &Hello) -> Option<String> {
        let (replicas, digest) = (self.cx.membership.replicas, self.cx.placement.digest);
        // First, as the digest would differ as well, and say less.
        if hello.replicas != replicas {
            return Some(alloc::format!(
                "{} keeps {replicas} replicas, {} keeps {} (replicas must be the same everywhere)",
                self.name,
                hello.node_id,
                hello.replicas
            ));
        }
        (hello.digest != digest).then(|| {
            alloc::format!(
                "the member lists differ: that of {} is {digest:016x}, that of {} is {:016x} (the \
                 members must be the same everywhere)",
                self.name,
                hello.node_id,
                hello.digest
            )
        })
    }

    fn take_answer(&mut self, now: Now, from: NodeIndex, id: u64, epoch: u64, answer: Body) {
        let cx = &mut self.cx;
        match answer {
            Body::Pong {
                incarnation,
                state,
                hlc,
                pending,
                wall,
                flushed,
                start_floor,
            } => {
                let took = now.instant - Instant::from_micros(id);
                let is_ahead = !cx.observe(now, Version::new(hlc, 0));
                if cx.peers.compare_clock(now, took, from, (wall, is_ahead)) {
                    cx.statistics.clock_skews += u64::from(!is_ahead);
                    let node = cx.peers.id(from);
                    cx.event(Event::ClockSkew { node });
                }
                self.flush_too(now, flushed);
                let cx = &mut self.cx;
                if cx.peers.is_news(from, id) {
                    cx.peers.note_pending(from, epoch, pending);
                    cx.peers.note_start_floor(from, start_floor);
                    self.take_pong(now, from, incarnation, state);
                }
            }
            Body::Voted { is_yes, before } => self.handle_vote(now, from, id, (is_yes, before)),
            Body::SameId { came_later } => self.take_same_id(now, from, came_later),
            Body::Rejected(reason) => self.note_rejection(from, reason),
            Body::Wrote(reply) => self
                .coordinator
                .handle(cx, now, (from, id), Reply::Wrote(reply)),
            Body::Locked(reply) => {
                self.coordinator
                    .handle(cx, now, (from, id), Reply::Locked(reply))
            }
            Body::Held(reply) => self
                .coordinator
                .handle(cx, now, (from, id), Reply::Held(reply)),
            Body::Flushed => self.coordinator.handle_flushed(cx, from, id),
            Body::Counted { keys } => self.coordinator.handle_counted(cx, from, id, keys),
            Body::Offered(reply) if is_operation(id) => {
                self.coordinator
                    .handle(cx, now, (from, id), Reply::Offered(reply));
            }
            Body::Offered(reply) => {
                if let Some(member) = &mut self.member {
                    member.leader.handle_offered(cx, now, from, id, reply);
                }
            }
            Body::Pulled(reply) => {
                if let Some(member) = &mut self.member
                    && let Some(warm_up) = &mut member.warm_up
                {
                    warm_up.handle_pulled(cx, &mut member.replica, now, from, id, reply);
                }
                self.drive_warm_up(now);
            }
            _ => {}
        }
    }

    fn take_pong(&mut self, now: Now, from: NodeIndex, incarnation: u32, state: NodeState) {
        if let Some(reason) = self.wrong_incarnation(from, incarnation) {
            return self.eject(now, from, reason);
        }
        let silence = self.cx.peers.silence(now.instant, from);
        let greeting =
            self.cx
                .peers
                .greeted(now.instant, from, (incarnation, state), &mut self.cx.out);
        if greeting != Greeting::Known {
            self.node_identity.accepted();
            self.turn_away_impostors(now, from, incarnation);
        }
        match greeting {
            // It ran on while the two could not talk: it may hold what this node missed.
            Greeting::Back {
                same_incarnation: true,
            } => {
                self.catch_up(now, u64::try_from(silence.as_millis()).unwrap_or(u64::MAX));
            }
            // Its former life may have led meanwhile, and members that could hear it may hold what this node missed.
            Greeting::Back {
                same_incarnation: false,
            } => self.note_bereft(now, silence),
            // Nothing was heard of it in this life: one that serves already, served without it.
            Greeting::Up if self.state() != NodeState::Warming => {
                self.note_bereft(now, now.instant - self.started);
            }
            Greeting::Known | Greeting::Up => {}
        }
    }
}

/// Whether a message from an earlier epoch means that its sender needs the membership. Answers do not: they
/// may have been on their way while it came.
const fn tells_its_epoch(answer: &Body) -> bool {
    matches!(answer, Body::Pong { .. } | Body::WrongEpoch)
}
