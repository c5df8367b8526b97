//! What a node says of the members.

use std::collections::BTreeMap;

use memvault::resp::Reply;
use serde_json::json;

use super::request;
use crate::error::Error;
use crate::link::Link;
use crate::output::{self, Style};

/// The member list of a node, and the change under way.
pub(crate) struct Status {
    pub(crate) epoch: u64,
    pub(crate) replicas: u64,
    /// Such as `joining=d`; empty if there is none.
    pub(crate) change: String,
    /// Each by the names of its fields: `id`, `address`, `role` and others.
    pub(crate) nodes: Vec<BTreeMap<String, String>>,
}

impl Status {
    /// Asks a node.
    pub(super) fn of(link: &mut Link) -> Result<Self, Error> {
        match request(link, &[b"STATUS"])? {
            Reply::Bulk(text) => Ok(Self::parse(&String::from_utf8_lossy(&text))),
            _ => Err(Error::failed(format_args!(
                "{}: it did not answer with a status: is it a MemVault node?",
                link.address()
            ))),
        }
    }

    /// Reads the answer to `MEMVAULT.CLUSTER STATUS`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut status = Self {
            epoch: 0,
            replicas: 0,
            change: String::new(),
            nodes: Vec::new(),
        };
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            match name {
                "epoch" => status.epoch = value.parse().unwrap_or(0),
                "replicas" => status.replicas = value.parse().unwrap_or(0),
                "change" => value.clone_into(&mut status.change),
                _ => status.nodes.push(fields(value)),
            }
        }
        status
    }

    /// Whether this node is a member, and stays one.
    pub(super) fn has_member(&self, id: &str) -> bool {
        let is = |node: &BTreeMap<String, String>| field(node, "id") == id;
        let stays = |node: &BTreeMap<String, String>| field(node, "role") == "member";
        self.nodes.iter().any(|node| is(node) && stays(node))
    }

    /// The change under way, and how far those have come that fetch keys, in thousandths.
    pub(super) fn progress(&self) -> Option<(String, u64)> {
        if self.change.is_empty() {
            return None;
        }
        let done = |node: &BTreeMap<String, String>| match node.get("permille") {
            Some(permille) => permille.parse().unwrap_or(0),
            None => 1000,
        };
        let least = self.nodes.iter().map(done).min();
        Some((self.change.replace('=', " "), least.unwrap_or(0)))
    }

    /// Prints it for people or for programs.
    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            return output::json(&json!({
                "epoch": self.epoch,
                "replicas": self.replicas,
                "change": self.change,
                "nodes": self.nodes,
            }));
        }
        let style = Style::of_stdout();
        let width = |name: &str| {
            let widths = self.nodes.iter().map(|node| field(node, name).len());
            widths.max().unwrap_or(0)
        };
        let (ids, addresses) = (width("id"), width("address"));
        for node in &self.nodes {
            let (id, address) = (field(node, "id"), field(node, "address"));
            let state = match field(node, "link") {
                "up" => style.green(field(node, "state")),
                link => style.red(link),
            };
            let role = match field(node, "role") {
                "member" => String::new(),
                role => format!("  {role}"),
            };
            let progress = match (node.get("entries"), node.get("permille")) {
                (Some(entries), Some(permille)) => {
                    let percent = permille.parse::<u64>().unwrap_or(0) / 10;
                    format!("  fetching: {entries} entries, {percent} %")
                }
                _ => String::new(),
            };
            output::line(format_args!(
                "{id:<ids$}  {address:<addresses$}  {state}{role}{progress}"
            ));
        }
        let change = match self.change.as_str() {
            "" => "no change under way".to_owned(),
            change => format!("under way: {}", change.replace('=', " ")),
        };
        output::line(style.dim(format_args!(
            "epoch {}, {} replicas per key, {change}",
            self.epoch, self.replicas
        )));
    }
}

fn field<'a>(node: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    node.get(name).map_or("", String::as_str)
}

/// `a=1,b=2`. Ids may contain `=`, so the first of each pair counts.
fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "epoch:2\r\nreplicas:3\r\nchange:joining=d\r\n\
        node0:id=a,address=a:1,role=member,link=up,state=serving\r\n\
        node1:id=d,address=d:1,role=joining,link=up,state=warming,entries=5,permille=250\r\n";

    #[test]
    fn a_node_that_joins_is_no_member_yet() {
        let status = Status::parse(TEXT);
        assert!(status.has_member("a") && !status.has_member("d"));
        assert_eq!(status.progress(), Some(("joining d".to_owned(), 250)));
    }

    #[test]
    fn without_a_change_there_is_no_progress() {
        let status = Status::parse("epoch:3\r\nreplicas:3\r\nchange:\r\n");
        assert_eq!((status.progress(), status.epoch), (None, 3));
    }
}
