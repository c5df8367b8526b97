//! Messages: questions of others are answered, answers go to whoever asked.

use alloc::string::String;

use super::super::Now;
use super::super::action::{Action, Event, Link};
use super::super::context::Context;
use super::super::coordinator::is_operation;
use super::super::message::{Body, Hello, Message, NodeState};
use super::super::peers::Greeting;
use super::super::pull::pull;
use super::super::rules::Rule;
use super::Node;
use crate::ring::NodeIndex;
use crate::version::Version;

impl Node {
    pub(super) fn receive(&mut self, now: Now, from: Link, message: Message) {
        let Message { id, body, .. } = message;
        match body {
            Body::Hello(_)
            | Body::Ping
            | Body::Write(_)
            | Body::Offer { .. }
            | Body::Read { .. }
            | Body::Pull { .. }
            | Body::Flush { .. } => self.serve(now, from, id, body),
            answer => {
                if let Link::Peer(peer) = from {
                    self.cx.peers.heard(now.instant, peer, &mut self.cx.out);
                    self.take_answer(now, peer, id, answer);
                }
            }
        }
    }

    /// Answers a question.
    fn serve(&mut self, now: Now, from: Link, id: u64, question: Body) {
        if let Body::Hello(hello) = question {
            return self.greet(now, from, id, &hello);
        }
        let caller = self.caller(from);
        let Some(caller) = caller else {
            return self.cx.out.push_back(Action::Disconnect(from));
        };
        let Some(member) = &mut self.member else {
            return;
        };
        let cx = &mut self.cx;
        let answer = match question {
            Body::Ping => pong(self.boot, member.replica.state, cx),
            Body::Write(write) => {
                return member
                    .leader
                    .handle_write(cx, &mut member.replica, now, (from, id), write);
            }
            Body::Offer {
                key,
                entry,
                kind,
                base,
            } => {
                cx.observe(now, entry.version);
                if let Some(warm_up) = &mut member.warm_up {
                    warm_up.handle_write(&member.replica, &key);
                }
                Body::Offered(member.replica.offer(now, &key, &entry, kind, base))
            }
            Body::Read { key } => Body::Held(member.replica.read(now, &key)),
            Body::Pull { cursor, since } => match caller {
                Some(to) => Body::Pulled(pull(cx, &member.replica, now, to, cursor, since)),
                None => return,
            },
            Body::Flush { version } => {
                if cx.observe(now, version) {
                    member.replica.flush(now, version);
                }
                Body::Flushed
            }
            _ => return,
        };
        cx.answer(from, id, answer);
    }

    /// Who asks: `None` if it has not said so, `Some(None)` if it is not a member.
    fn caller(&self, from: Link) -> Option<Option<NodeIndex>> {
        match from {
            Link::Peer(node) => Some(Some(node)),
            Link::Inbound(link) => self.inbound.get(&link).copied(),
        }
    }

    fn greet(&mut self, now: Now, from: Link, id: u64, hello: &Hello) {
        let Link::Inbound(link) = from else { return };
        if let Some(reason) = self.mismatch(hello) {
            self.cx.answer(from, id, Body::Rejected(reason));
            return self.cx.out.push_back(Action::Disconnect(from));
        }
        let caller = if hello.is_member {
            self.cx.placement.current.index_of(&hello.node_id)
        } else {
            None
        };
        self.inbound.insert(link, caller);
        if let Some(caller) = caller {
            self.cx.peers.called_by(now.instant, caller);
        }
        let state = self
            .member
            .as_ref()
            .map_or(NodeState::Serving, |member| member.replica.state);
        let answer = pong(self.boot, state, &self.cx);
        self.cx.answer(from, id, answer);
    }

    /// What keeps the caller and this node from working together.
    fn mismatch(&self, hello: &Hello) -> Option<String> {
        let replicas = self.cx.config.replicas;
        if self.member.is_none() {
            return Some(String::from("this node holds no data"));
        }
        // First, as the digest would differ as well, and say less.
        if usize::from(hello.replicas) != replicas {
            return Some(alloc::format!(
                "{} keeps {replicas} replicas, {} keeps {} (--replicas must be the same everywhere)",
                self.name,
                hello.node_id,
                hello.replicas
            ));
        }
        let digest = self.cx.placement.digest;
        (hello.digest != digest).then(|| {
            alloc::format!(
                "the member lists differ: that of {} is {digest:016x}, that of {} is {:016x} (--cluster must \
                 name the same members everywhere)",
                self.name,
                hello.node_id,
                hello.digest
            )
        })
    }

    fn take_answer(&mut self, now: Now, from: NodeIndex, id: u64, answer: Body) {
        let cx = &mut self.cx;
        match answer {
            Body::Pong { boot, state, hlc } => self.take_pong(now, from, boot, state, hlc),
            Body::Rejected(reason) => {
                let node = cx.peers.id(from);
                cx.event(Event::Rejected { node, reason });
            }
            Body::Wrote(reply) => self.coordinator.handle_wrote(cx, now, from, id, reply),
            Body::Held(reply) => self.coordinator.handle_held(cx, now, from, id, reply),
            Body::Flushed => self.coordinator.handle_flushed(cx, from, id),
            Body::Offered(reply) if is_operation(id) => {
                self.coordinator.handle_offered(cx, now, from, id, reply);
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

    fn take_pong(&mut self, now: Now, from: NodeIndex, boot: u32, state: NodeState, hlc: u64) {
        if !self.cx.observe(now, Version::new(hlc, 0)) {
            let node = self.cx.peers.id(from);
            self.cx.event(Event::ClockSkew { node });
        }
        let silence = self.cx.peers.silence(now.instant, from);
        let greeting = self
            .cx
            .peers
            .greeted(now.instant, from, (boot, state), &mut self.cx.out);
        let was_cut_off = greeting == (Greeting::Up { same_boot: true });
        if was_cut_off && self.cx.rules.keep(Rule::CutOffCatchesUp) {
            // It ran on while the two could not talk: it may hold what this node missed.
            self.catch_up(now, u64::try_from(silence.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

fn pong(boot: u32, state: NodeState, cx: &Context) -> Body {
    Body::Pong {
        boot,
        state,
        hlc: cx.hlc.last(),
    }
}
