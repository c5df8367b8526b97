//! Members that speak plain Redis: their replies, and when they are not talked to.

use super::Node;
use crate::replication::Now;
use crate::replication::action::Action;
use crate::replication::plain::{PlainQuestion, PlainRefusal, PlainReply};
use crate::replication::wire::message::NodeState;
use crate::ring::NodeIndex;

/// They do not say which process answers.
const NO_BOOT: u32 = 0;

impl Node {
    pub(super) fn greet_plain(&mut self, peer: NodeIndex) {
        self.cx
            .out
            .push_back(Action::Ask(peer, PlainQuestion::Greet));
    }

    /// A reply of a member that speaks plain Redis came in.
    pub fn handle_reply(&mut self, now: Now, from: NodeIndex, reply: PlainReply) {
        match reply {
            PlainReply::Alive { is_loading } => {
                self.cx.peers.heard(now.instant, from, &mut self.cx.out);
                let state = if is_loading {
                    NodeState::Warming
                } else {
                    NodeState::Serving
                };
                let about = (NO_BOOT, state);
                self.cx
                    .peers
                    .greeted(now.instant, from, about, &mut self.cx.out);
            }
            PlainReply::Unfit(reason) => self.eject(now, from, reason),
            PlainReply::Answered(id, result) => {
                self.cx.peers.heard(now.instant, from, &mut self.cx.out);
                if result == Err(PlainRefusal::Loading) {
                    self.cx.set_state(now, from, NodeState::Warming);
                }
                self.coordinator
                    .handle_answered(&mut self.cx, now, from, id, result);
            }
        }
    }
}
