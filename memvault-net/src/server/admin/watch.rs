//! What a node does not tell of as an event by itself: looked for from time to time, told as one.

use std::collections::{BTreeMap, BTreeSet};

use memvault::replication::Node;

use super::history::History;
use crate::clock::wall;

/// A warm-up is told of whenever so much more is fetched, in thousandths.
const STEP: u16 = 100;

/// What there was at the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    failovers: u64,
    /// How many steps of its warm-up each member has taken.
    steps: BTreeMap<String, u16>,
    /// `None` before the first look.
    members: Option<BTreeSet<String>>,
}

impl Watch {
    /// Looks at the node, and notes what has changed. O(members).
    pub(super) fn look(&mut self, node: &Node, history: &mut History) {
        self.look_at_failovers(node.statistics().failovers, history);
        self.look_at_members(node, history);
        let mut fetching = BTreeMap::new();
        for peer in node.peers() {
            let Some(progress) = peer.pending else {
                continue;
            };
            let step = progress.permille / STEP;
            if self.steps.get(&peer.id).copied().unwrap_or(0) < step {
                let text = format!(
                    "fetched node={} percent={} entries={}",
                    peer.id,
                    progress.permille / 10,
                    progress.entries
                );
                history.add(wall(), "fetched", Some(peer.id.clone()), text);
            }
            fetching.insert(peer.id, step);
        }
        self.steps = fetching;
    }

    fn look_at_failovers(&mut self, failovers: u64, history: &mut History) {
        let before = std::mem::replace(&mut self.failovers, failovers);
        if failovers > before {
            let text = format!("failover operations={}", failovers - before);
            history.add(wall(), "failover", None, text);
        }
    }

    fn look_at_members(&mut self, node: &Node, history: &mut History) {
        let members = node.membership().members.iter();
        let members: BTreeSet<_> = members.map(|member| member.id.clone()).collect();
        let Some(before) = self.members.replace(members.clone()) else {
            return;
        };
        let mut tell = |name: &'static str, id: &String| {
            history.add(wall(), name, Some(id.clone()), format!("{name} node={id}"));
        };
        members
            .difference(&before)
            .for_each(|id| tell("joined", id));
        before.difference(&members).for_each(|id| tell("left", id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failovers_are_told_once() {
        let (mut watch, mut history) = (Watch::default(), History::new(100));
        for failovers in [0, 3, 3, 5] {
            watch.look_at_failovers(failovers, &mut history);
        }
        let texts: Vec<_> = history.since(0).map(|event| &*event.text).collect();
        assert_eq!(texts, ["failover operations=3", "failover operations=2"]);
    }
}
