//! [`Poller`]: asks all nodes, on connections that are kept.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use memvault::resp::Reply;
use memvault_net::driver::NodeAddress;
use memvault_net::server::{ASKER_NAME, NodeStats};

use super::sample::{Answer, Membership, NodeSample, Sample};
use crate::cluster::status::{self, Status};
use crate::link::{Link, LinkError};

/// Whom to ask, and what it takes.
pub(super) struct Poller {
    /// The nodes that were named.
    named: Vec<NodeAddress>,
    /// The nodes of the last time: one of them knows the members.
    known: Vec<NodeAddress>,
    /// By address.
    links: HashMap<String, Link>,
    timeout: Duration,
    began: Instant,
}

impl Poller {
    pub(super) fn new(named: Vec<NodeAddress>, timeout: Duration) -> Self {
        Self {
            known: named.clone(),
            named,
            links: HashMap::new(),
            timeout,
            began: Instant::now(),
        }
    }

    /// Asks every node once, all at the same time.
    pub(super) fn sample(&mut self) -> Sample {
        let (nodes, cluster) = match self.members() {
            Some((members, cluster)) => (members, Some(cluster)),
            None => {
                let named = self.named.iter().cloned();
                (named.map(|node| (node, None)).collect(), None)
            }
        };
        self.known = nodes.iter().map(|(node, _)| node.clone()).collect();
        let (links, timeout) = (&mut self.links, self.timeout);
        let questions = nodes.into_iter().map(|(node, seen)| {
            let link = links.remove(&node.address);
            (node, seen, link)
        });
        let questions: Vec<_> = questions.collect();
        let answers: Vec<_> = thread::scope(|scope| {
            let asking: Vec<_> = questions
                .into_iter()
                .map(|(node, seen, link)| scope.spawn(move || ask(node, seen, link, timeout)))
                .collect();
            let answers = asking.into_iter().filter_map(|thread| thread.join().ok());
            answers.collect()
        });
        let mut nodes = Vec::new();
        for (node, link) in answers {
            if let Some(link) = link {
                self.links.insert(node.address.clone(), link);
            }
            nodes.push(node);
        }
        Sample {
            at: self.began.elapsed(),
            wall: SystemTime::now(),
            cluster,
            nodes,
        }
    }

    /// The members, from a node that was named or is known and can tell; `None` if there is no cluster, or nobody
    /// answers.
    fn members(&mut self) -> Option<(Vec<Seen>, Membership)> {
        let mut addresses: Vec<String> = Vec::new();
        for node in self.known.iter().chain(&self.named) {
            if !addresses.contains(&node.address) {
                addresses.push(node.address.clone());
            }
        }
        // Connections that are open first: a node that is silent costs time.
        addresses.sort_by_key(|address| !self.links.contains_key(address));
        addresses.iter().find_map(|address| {
            let mut link = match self.links.remove(address) {
                Some(link) => link,
                None => connect(address, self.timeout).ok()?,
            };
            let reply = link.request(&[b"MEMVAULT.CLUSTER", b"STATUS"]).ok()?;
            self.links.insert(address.clone(), link);
            match reply {
                Reply::Bulk(text) => membership(&String::from_utf8_lossy(&text)),
                _ => None,
            }
        })
    }
}

/// A member, and its state if the one that was asked is connected to it.
type Seen = (NodeAddress, Option<String>);

fn membership(text: &str) -> Option<(Vec<Seen>, Membership)> {
    let status = Status::parse(text);
    let field = |node: &std::collections::BTreeMap<String, String>, name: &str| {
        node.get(name).cloned().unwrap_or_default()
    };
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| {
            let address = NodeAddress {
                id: field(node, "id"),
                address: field(node, "address"),
            };
            let is_up = field(node, "link") == "up";
            (address, is_up.then(|| field(node, "state")))
        })
        .collect();
    let placed = status
        .nodes
        .iter()
        .filter(|node| field(node, "role") != "joining");
    let membership = Membership {
        epoch: status.epoch,
        replicas: usize::try_from(status.replicas).unwrap_or(1),
        placed: placed
            .map(|node| (field(node, "id"), status::weight(node)))
            .collect(),
        change: status.change,
    };
    (!nodes.is_empty()).then_some((nodes, membership))
}

/// Asks one node, on a new connection if the kept one has ended.
fn ask(
    node: NodeAddress,
    seen: Option<String>,
    kept: Option<Link>,
    timeout: Duration,
) -> (NodeSample, Option<Link>) {
    let again = kept.and_then(|mut link| question(&mut link).ok().map(|answer| (link, answer)));
    let result = match again {
        Some((link, answer)) => Ok((link, answer)),
        None => connect(&node.address, timeout)
            .and_then(|mut link| question(&mut link).map(|answer| (link, answer))),
    };
    let (link, answer, seen) = match result {
        Ok((link, answer)) => (Some(link), answer, None),
        Err(error) => {
            let seen = seen.filter(|_| error.is_unreached());
            (None, Err(error.reason()), seen)
        }
    };
    let NodeAddress { id, address } = node;
    (
        NodeSample {
            id,
            address,
            answer,
            seen,
        },
        link,
    )
}

fn connect(address: &str, timeout: Duration) -> Result<Link, LinkError> {
    let mut link = Link::connect(address, timeout)?;
    // So that a node leaves our questions out of what it measures; one that knows no such command does not measure.
    link.request(&[b"CLIENT", b"SETNAME", ASKER_NAME])?;
    Ok(link)
}

/// What a node says; an error of its own is an answer.
fn question(link: &mut Link) -> Result<Result<Answer, String>, LinkError> {
    let began = Instant::now();
    link.request(&[b"PING"])?;
    let ping = began.elapsed();
    let reply = link.request(&[b"INFO"])?;
    if let Some(text) = reply.error_text() {
        return Ok(Err(String::from_utf8_lossy(text).into_owned()));
    }
    let Some(bytes) = reply.as_bytes() else {
        return Ok(Err("its answer to INFO is no text".to_owned()));
    };
    let text = String::from_utf8_lossy(bytes);
    let state = text
        .lines()
        .find_map(|line| line.strip_prefix("node_state:"));
    Ok(Ok(Answer {
        ping,
        state: state.unwrap_or("up").to_owned(),
        told: NodeStats::from_info(&text),
    }))
}
