//! How this node fares with each member: addresses, counters, reasons.

use std::collections::BTreeMap;

use memvault::replication::{
    Body, DownReason, Event, Message, NodeState, Now, PeerStatus, PlainQuestion, PlainReply,
    Progress,
};
use memvault::ring::NodeIndex;
use memvault::time::Instant;

use super::latency::Latency;
use super::link::LinkError;
use super::questions::Questions;

/// One member, as this node sees it, since its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerReport {
    /// The member's id.
    pub id: String,
    /// Where it is reached: `host:port`.
    pub address: String,
    /// Whether it can be reached.
    pub is_up: bool,
    /// Whether it is silent and not chosen.
    pub is_suspect: bool,
    /// What it said last that it can be used for.
    pub state: NodeState,
    /// How far it has come with fetching its keys; `None` if it has them all, or has not said.
    pub pending: Option<Progress>,
    /// Questions sent to it, without greetings and heartbeats.
    pub requests: u64,
    /// Of these, those that it has not answered yet.
    pub in_flight: u64,
    /// Of these, those that were lost with their connection.
    pub failures: u64,
    /// Connections that came about.
    pub connects: u64,
    /// Connections that broke or did not come about.
    pub disconnects: u64,
    /// Time from a question to its answer; a sample, one question at a time.
    pub latency: Latency,
    /// Why it could not be used last; `None` if it never failed.
    pub last_failure: Option<String>,
}

/// What is kept of one member.
#[derive(Default)]
struct Peer {
    id: String,
    address: String,
    /// Where it was reached before it was found elsewhere.
    former_address: Option<String>,
    /// Calls since the last one that was answered.
    calls: u32,
    /// Whether the last call went to its former address.
    called_formerly: bool,
    requests: u64,
    in_flight: u64,
    failures: u64,
    connects: u64,
    disconnects: u64,
    latency: Latency,
    /// What was asked on the present connection.
    questions: Questions,
    /// The question whose answer is being timed.
    probe: Option<(u64, Instant)>,
    last_failure: Option<String>,
    /// Whether `last_failure` tells more than the end of the connection, which follows, will.
    is_explained: bool,
}

/// What is kept of all members, by [`NodeIndex`].
pub(super) struct PeerLog {
    peers: Vec<Peer>,
    /// Where members are reached from here, whatever the member list says.
    addresses: BTreeMap<String, String>,
}

impl PeerLog {
    /// The log of no members so far; those not in `addresses` are reached where the member list says.
    pub(super) const fn new(addresses: BTreeMap<String, String>) -> Self {
        Self {
            peers: Vec::new(),
            addresses,
        }
    }

    /// Notes who a member is, now and when the member list changes.
    pub(super) fn know(&mut self, node: NodeIndex, id: String, address: String) {
        if self.peers.len() <= node.as_usize() {
            self.peers.resize_with(node.as_usize() + 1, Peer::default);
        }
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.address = self.addresses.get(&id).cloned().unwrap_or(address);
            peer.id = id;
        }
    }

    /// Notes that a member is reached elsewhere than the member list, or that of this process, says.
    pub(super) fn moved(&mut self, id: &str, address: &str) {
        self.addresses.remove(id);
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.id == id) {
            let former = std::mem::replace(&mut peer.address, address.to_owned());
            peer.former_address = Some(former);
            peer.calls = 0;
        }
    }

    /// Where to call a member: by turns where it was found and where it was before, as what others say need not
    /// hold from here.
    pub(super) fn address_to_call(&mut self, node: NodeIndex) -> String {
        let Some(peer) = self.peers.get_mut(node.as_usize()) else {
            return String::new();
        };
        peer.calls = peer.calls.wrapping_add(1);
        peer.called_formerly = peer.former_address.is_some() && peer.calls.is_multiple_of(2);
        match &peer.former_address {
            Some(former) if peer.called_formerly => former.clone(),
            _ => peer.address.clone(),
        }
    }

    /// A member answered as itself: where it was before need not be called any more, which would cost time when it
    /// comes back.
    pub(super) fn came_up(&mut self, id: &str) {
        let peer = self.peers.iter_mut().find(|peer| peer.id == id);
        if let Some(peer) = peer.filter(|peer| !peer.called_formerly) {
            peer.former_address = None;
        }
    }

    pub(super) fn sent(&mut self, now: Now, node: NodeIndex, message: &Message) {
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.questions.asked(now.instant, message);
        }
        if is_question(&message.body) {
            self.count_question(now, node, message.id);
        }
    }

    /// # Errors
    /// If it answers what was not asked.
    pub(super) fn received(
        &mut self,
        now: Now,
        node: NodeIndex,
        message: &Message,
    ) -> Result<(), LinkError> {
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.questions.answered(message)?;
        }
        if is_answer(&message.body) {
            self.count_answer(now, node, message.id);
        }
        Ok(())
    }

    /// The same for a member that speaks plain Redis.
    pub(super) fn asked(&mut self, now: Now, node: NodeIndex, question: &PlainQuestion) {
        if let PlainQuestion::Command(id, _) = question {
            self.count_question(now, node, *id);
        }
    }

    /// The same for a member that speaks plain Redis.
    pub(super) fn replied(&mut self, now: Now, node: NodeIndex, reply: &PlainReply) {
        if let PlainReply::Answered(id, _) = reply {
            self.count_answer(now, node, *id);
        }
    }

    fn count_question(&mut self, now: Now, node: NodeIndex, id: u64) {
        let Some(peer) = self.peers.get_mut(node.as_usize()) else {
            return;
        };
        peer.requests += 1;
        peer.in_flight += 1;
        if peer.probe.is_none() && id != 0 {
            peer.probe = Some((id, now.instant));
        }
    }

    fn count_answer(&mut self, now: Now, node: NodeIndex, id: u64) {
        let Some(peer) = self.peers.get_mut(node.as_usize()) else {
            return;
        };
        peer.in_flight = peer.in_flight.saturating_sub(1);
        if let Some((asked, at)) = peer.probe
            && asked == id
        {
            peer.probe = None;
            peer.latency.record(now.instant - at);
        }
    }

    pub(super) fn connected(&mut self, node: NodeIndex) {
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.connects += 1;
            peer.calls = 0;
            peer.is_explained = false;
            peer.questions = Questions::default();
        }
    }

    /// The node gave the link up: it was silent for too long.
    pub(super) fn dropped(&mut self, node: NodeIndex) {
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.end("it accepted the connection but does not answer".to_owned());
        }
    }

    pub(super) fn lost(&mut self, node: NodeIndex, error: &LinkError) {
        if let Some(peer) = self.peers.get_mut(node.as_usize()) {
            peer.end(error.to_string());
        }
    }

    /// Takes note of what an event says about a member.
    pub(super) fn note(&mut self, event: &Event) {
        let (id, reason) = match event {
            Event::Rejected { node, reason } => (node, reason.clone()),
            Event::Down {
                node,
                reason: DownReason::Silent,
            } => (node, "it no longer answers".to_owned()),
            _ => return,
        };
        let peer = self.peers.iter_mut().find(|peer| peer.id == *id);
        if let Some(peer) = peer {
            peer.last_failure = Some(reason);
            peer.is_explained = matches!(event, Event::Rejected { .. });
        }
    }

    pub(super) fn report(&self, status: PeerStatus) -> PeerReport {
        let blank = Peer::default();
        let peer = self.peers.get(status.index.as_usize()).unwrap_or(&blank);
        PeerReport {
            id: status.id,
            address: peer.address.clone(),
            is_up: status.is_up,
            is_suspect: status.is_suspect,
            state: status.state,
            pending: status.pending,
            requests: peer.requests,
            in_flight: peer.in_flight,
            failures: peer.failures,
            connects: peer.connects,
            disconnects: peer.disconnects,
            latency: peer.latency.clone(),
            last_failure: peer.last_failure.clone(),
        }
    }
}

impl Peer {
    fn end(&mut self, reason: String) {
        self.disconnects += 1;
        self.failures += std::mem::take(&mut self.in_flight);
        self.probe = None;
        if !std::mem::take(&mut self.is_explained) {
            self.last_failure = Some(reason);
        }
    }
}

const fn is_question(body: &Body) -> bool {
    matches!(
        body,
        Body::Write(_)
            | Body::Offer { .. }
            | Body::Read { .. }
            | Body::Pull { .. }
            | Body::Flush { .. }
            | Body::Count
    )
}

const fn is_answer(body: &Body) -> bool {
    matches!(
        body,
        Body::Wrote(_)
            | Body::Offered(_)
            | Body::Held(_)
            | Body::Pulled(_)
            | Body::Flushed
            | Body::Counted { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: NodeIndex = NodeIndex(0);

    fn found_elsewhere() -> PeerLog {
        let mut log = PeerLog::new(BTreeMap::new());
        log.know(MEMBER, "a".to_owned(), "former".to_owned());
        log.moved("a", "present");
        log
    }

    fn called(log: &mut PeerLog, times: usize) -> Vec<String> {
        (0..times).map(|_| log.address_to_call(MEMBER)).collect()
    }

    #[test]
    fn a_member_found_elsewhere_is_called_in_both_places_until_it_answers() {
        let mut log = found_elsewhere();
        assert_eq!(called(&mut log, 3), ["present", "former", "present"]);
        log.connected(MEMBER);
        log.came_up("a");
        assert_eq!(called(&mut log, 3), ["present", "present", "present"]);
    }

    #[test]
    fn hearsay_that_does_not_hold_costs_nothing_for_good() {
        let mut log = found_elsewhere();
        assert_eq!(called(&mut log, 2), ["present", "former"]);
        log.connected(MEMBER);
        log.came_up("a");
        assert_eq!(called(&mut log, 2), ["present", "former"]);
    }
}
