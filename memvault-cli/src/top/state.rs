//! [`State`]: what to show, made of one [`Sample`] after the other.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use memvault::ring::Ring;
use memvault_net::driver::Latency;
use memvault_net::server::NodeStats;

use super::sample::{Membership, NodeSample, Sample};

/// Everything that was seen so far.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By id.
    nodes: BTreeMap<String, Node>,
    /// Ids in the order in which they were told.
    order: Vec<String>,
    pub(super) cluster: Option<Membership>,
    /// The part of the ring that each leads, by id; empty without a cluster.
    shares: BTreeMap<String, f64>,
    /// One for each sample but the first, oldest first.
    pub(super) points: VecDeque<Point>,
    /// What has happened, oldest first.
    pub(super) events: VecDeque<Event>,
    pub(super) wall: Option<SystemTime>,
}

/// The sum of all nodes between two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Per second.
    pub(super) operations: f64,
    pub(super) hit_ratio: Option<f64>,
}

/// Something that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: SystemTime,
    pub(super) node: String,
    pub(super) text: String,
    /// Whether it is what nobody wants.
    pub(super) is_bad: bool,
}

/// One node, over time.
#[derive(Debug, Default)]
struct Node {
    address: String,
    condition: Option<Condition>,
    before: Option<(Duration, NodeStats)>,
    last: Option<(Duration, NodeStats)>,
    ping: Option<Duration>,
}

/// Whether a node can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It does its part.
    Up,
    /// It answers, and does not do all of its part: it warms up or leaves.
    Partly(String),
    /// It does not answer; why.
    Down(String),
    /// No way leads there from here, and others are connected to it: what it does, as they say, and why not from here.
    Unreached { state: String, reason: String },
}

/// A node as it is shown. What is not known is `None`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) condition: Condition,
    /// The part of the ring that it leads, 0 to 1.
    pub(super) share: Option<f64>,
    pub(super) keys: Option<u64>,
    /// In bytes.
    pub(super) memory: Option<u64>,
    pub(super) memory_limit: Option<u64>,
    /// Between the last two samples.
    pub(super) rates: Option<Rates>,
    pub(super) ping: Option<Duration>,
}

/// What a node did between two samples.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// Per second.
    pub(super) operations: f64,
    /// Per second.
    pub(super) evictions: f64,
    /// Per second, as the next one.
    pub(super) hits: f64,
    pub(super) misses: f64,
    /// How long its answers took; empty if it does not measure that.
    pub(super) latency: Latency,
}

impl Condition {
    /// The condition in a word.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Up => "up",
            Self::Partly(state) => state,
            Self::Down(_) => "down",
            Self::Unreached { .. } => "unreached",
        }
    }
}

impl Rates {
    /// Reads that found a value among all; `None` if there was none.
    pub(super) fn hit_ratio(&self) -> Option<f64> {
        ratio(self.hits, self.misses)
    }

    fn between(before: &(Duration, NodeStats), last: &(Duration, NodeStats)) -> Option<Self> {
        let ((before_at, before), (last_at, last)) = (before, last);
        let seconds = last_at.saturating_sub(*before_at).as_secs_f64();
        // One that was started anew counts from zero.
        if seconds <= 0.0 || last.uptime_seconds < before.uptime_seconds {
            return None;
        }
        let rate =
            |read: fn(&NodeStats) -> u64| read(last).saturating_sub(read(before)) as f64 / seconds;
        let answers = last.answer_latency.since(&before.answer_latency);
        let clients = last.client_latency.since(&before.client_latency);
        Some(Self {
            operations: rate(|told| told.operations),
            evictions: rate(|told| told.evictions),
            hits: rate(|told| told.hits),
            misses: rate(|told| told.misses),
            // Of a member, what matters to all is how soon it answers other nodes.
            latency: if answers.count() > 0 {
                answers
            } else {
                clients
            },
        })
    }
}

impl Row {
    /// What `percent` of the answers did not exceed; `None` if it has measured none of late.
    pub(super) fn latency(&self, percent: f64) -> Option<Duration> {
        let latency = &self.rates.as_ref()?.latency;
        (latency.count() > 0).then(|| latency.percentile(percent))
    }
}

impl State {
    /// Takes in what was seen last.
    pub(super) fn take(&mut self, sample: &Sample) {
        let is_first = self.wall.replace(sample.wall).is_none();
        for node in &sample.nodes {
            self.take_node(sample, node, is_first);
        }
        self.order = sample.nodes.iter().map(|node| node.id.clone()).collect();
        let order = &self.order;
        let gone: Vec<_> = self
            .nodes
            .keys()
            .filter(|id| !order.contains(id))
            .cloned()
            .collect();
        for id in gone {
            self.nodes.remove(&id);
            self.note(sample.wall, id, "is no member any more".to_owned(), false);
        }
        if sample.cluster.is_some() && sample.cluster != self.cluster {
            self.shares = sample.cluster.as_ref().map(shares).unwrap_or_default();
            self.cluster.clone_from(&sample.cluster);
        }
        if !is_first {
            let total = Total::of(&self.rows());
            self.points.push_back(Point {
                operations: total.operations,
                hit_ratio: total.hit_ratio(),
            });
            if self.points.len() > MAX_POINTS {
                self.points.pop_front();
            }
        }
    }

    fn take_node(&mut self, sample: &Sample, seen: &NodeSample, is_first: bool) {
        let is_new = !self.nodes.contains_key(&seen.id);
        let node = self.nodes.entry(seen.id.clone()).or_default();
        node.address.clone_from(&seen.address);
        let now = match &seen.answer {
            Ok(answer) => {
                node.ping = Some(answer.ping);
                node.before = node.last.replace((sample.at, answer.told.clone()));
                match &*answer.state {
                    "up" | "serving" => Condition::Up,
                    state => Condition::Partly(state.to_owned()),
                }
            }
            Err(reason) => {
                // What is old is not shown as if it were the present.
                (node.ping, node.before, node.last) = (None, None, None);
                let reason = reason.clone();
                match &seen.seen {
                    Some(state) => Condition::Unreached {
                        state: state.clone(),
                        reason,
                    },
                    None => Condition::Down(reason),
                }
            }
        };
        let before = node.condition.replace(now.clone());
        let text = match (before, &now) {
            (None, Condition::Down(reason)) => format!("is down: {reason}"),
            (None, _) if is_new && !is_first => "is a member now".to_owned(),
            (None, Condition::Unreached { reason, .. }) => format!("is not reached: {reason}"),
            (Some(Condition::Down(_)), Condition::Down(_)) => return,
            (Some(_), Condition::Down(reason)) => format!("went down: {reason}"),
            (Some(Condition::Down(_)), Condition::Up | Condition::Unreached { .. }) => {
                "came back".to_owned()
            }
            (Some(Condition::Down(_)), Condition::Partly(state)) => format!("came back, {state}"),
            (Some(Condition::Up), Condition::Partly(state)) => format!("is {state}"),
            (Some(Condition::Partly(_)), Condition::Up) => "serves again".to_owned(),
            _ => return,
        };
        let is_bad = matches!(now, Condition::Down(_));
        self.note(sample.wall, seen.id.clone(), text, is_bad);
    }

    fn note(&mut self, at: SystemTime, node: String, text: String, is_bad: bool) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event {
            at,
            node,
            text,
            is_bad,
        });
    }

    /// All nodes, in the order of the member list.
    pub(super) fn rows(&self) -> Vec<Row> {
        let known = self
            .order
            .iter()
            .filter_map(|id| Some((id, self.nodes.get(id)?)));
        known.map(|(id, node)| self.row(id, node)).collect()
    }

    fn row(&self, id: &str, node: &Node) -> Row {
        let told = node.last.as_ref().map(|(_, told)| told);
        let condition = node.condition.clone();
        Row {
            id: id.to_owned(),
            address: node.address.clone(),
            condition: condition.unwrap_or(Condition::Down(String::new())),
            share: self.shares.get(id).copied(),
            keys: told.map(|told| told.keys),
            memory: told.map(|told| told.memory_used),
            memory_limit: told.and_then(|told| told.memory_limit),
            rates: node
                .before
                .as_ref()
                .zip(node.last.as_ref())
                .and_then(|(before, last)| Rates::between(before, last)),
            ping: node.ping,
        }
    }
}

/// The sum of all nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Total {
    pub(super) up: usize,
    pub(super) down: usize,
    /// That answer, and do not do all of their part.
    pub(super) partly: usize,
    /// That only others reach.
    pub(super) unreached: usize,
    /// Each is counted once for every node that has it.
    pub(super) keys: u64,
    /// In bytes.
    pub(super) memory: u64,
    /// `None` if one of the nodes has no limit.
    pub(super) memory_limit: Option<u64>,
    /// Per second.
    pub(super) operations: f64,
    /// Per second.
    pub(super) evictions: f64,
    hits: f64,
    misses: f64,
    pub(super) latency: Latency,
}

impl Total {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut total = Self::default();
        for row in rows {
            match row.condition {
                Condition::Up => total.up += 1,
                Condition::Partly(_) => total.partly += 1,
                Condition::Down(_) => total.down += 1,
                Condition::Unreached { .. } => total.unreached += 1,
            }
            total.keys += row.keys.unwrap_or(0);
            total.memory += row.memory.unwrap_or(0);
            if let Some(rates) = &row.rates {
                total.operations += rates.operations;
                total.evictions += rates.evictions;
                total.hits += rates.hits;
                total.misses += rates.misses;
                total.latency.add(&rates.latency);
            }
        }
        let mut up = rows.iter().filter(|row| row.memory.is_some()).peekable();
        if up.peek().is_some() {
            total.memory_limit = up.map(|row| row.memory_limit).sum();
        }
        total
    }

    pub(super) fn hit_ratio(&self) -> Option<f64> {
        ratio(self.hits, self.misses)
    }
}

fn ratio(hits: f64, misses: f64) -> Option<f64> {
    let all = hits + misses;
    (all > 0.0).then(|| hits / all)
}

/// The part of the ring that each node leads.
fn shares(cluster: &Membership) -> BTreeMap<String, f64> {
    let mut ring = Ring::new();
    for (id, weight) in &cluster.placed {
        // A list that cannot be is shown without shares.
        if ring.add(id, *weight).is_err() {
            return BTreeMap::new();
        }
    }
    let shares = ring.shares(cluster.replicas.max(1)).into_iter();
    shares
        .filter_map(|share| Some((ring.node_id(share.node)?.to_owned(), share.leader)))
        .collect()
}

/// Samples that are kept: as many as the widest terminal shows.
const MAX_POINTS: usize = 512;
/// Events that are kept.
const MAX_EVENTS: usize = 100;
