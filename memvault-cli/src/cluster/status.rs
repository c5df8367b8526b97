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
    pub(crate) fn of(link: &mut Link) -> Result<Self, Error> {
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

    /// Ids of the members whose keys are placed on the ring.
    pub(crate) fn placed(&self) -> Vec<&str> {
        let nodes = self.nodes.iter();
        let placed = nodes.filter(|node| field(node, "role") != "joining");
        placed.map(|node| field(node, "id")).collect()
    }

    /// The weight of a member; `None` if it is none.
    pub(crate) fn weight(&self, id: &str) -> Option<u32> {
        let mut nodes = self.nodes.iter();
        nodes.find(|node| field(node, "id") == id).map(weight)
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

    /// Whether all members that can be reached serve.
    pub(super) fn all_serve(&self) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.all(|node| ["serving", "down"].contains(&state(node)))
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
        output::write(self.to_text(Style::of_stdout()).as_bytes());
    }

    /// A table of the members, and the change under way. Ids that are addresses are told once.
    fn to_text(&self, style: Style) -> String {
        let with_addresses = self
            .nodes
            .iter()
            .any(|node| field(node, "id") != field(node, "address"));
        let with_weights = self.nodes.iter().any(|node| weight(node) != 1);
        let mut titles = vec!["node"];
        titles.extend(with_addresses.then_some("address"));
        titles.extend(with_weights.then_some("weight"));
        titles.extend(["state", "change"]);
        let rows = self.nodes.iter().map(|node| {
            let mut cells = vec![field(node, "id").to_owned()];
            cells.extend(with_addresses.then(|| field(node, "address").to_owned()));
            cells.extend(with_weights.then(|| weight(node).to_string()));
            cells.extend([state(node).to_owned(), change(node)]);
            cells
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|cells| cells[column].chars().count());
            cells.chain([titles[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..titles.len()).map(width).collect();
        let mut text = String::new();
        let head = titles.iter().zip(&widths);
        let head = head.map(|(title, width)| format!("{title:<width$}"));
        let head = head.collect::<Vec<_>>().join("  ");
        text += &format!("{}\n", style.dim(head.trim_end()));
        let at = titles.iter().position(|title| *title == "state");
        for (node, cells) in self.nodes.iter().zip(&rows) {
            let cells = cells.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, width))| {
                let cell = format!("{cell:<width$}");
                match (Some(column) == at, field(node, "link")) {
                    (false, _) => cell,
                    (true, "up") => style.green(cell),
                    (true, _) => style.red(cell),
                }
            });
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        let change = match self.change.as_str() {
            "" => "no change under way".to_owned(),
            change => format!("under way: {}", change.replace('=', " ")),
        };
        let last = style.dim(format_args!(
            "epoch {}, {} replicas per key, {change}",
            self.epoch, self.replicas
        ));
        text + &last + "\n"
    }
}

/// What a member does, or that it cannot be reached.
fn state(node: &BTreeMap<String, String>) -> &str {
    match field(node, "link") {
        "up" => field(node, "state"),
        link => link,
    }
}

/// What a member has to do with a change, and how far it has come.
fn change(node: &BTreeMap<String, String>) -> String {
    let role = match field(node, "role") {
        "member" => None,
        role => Some(role.to_owned()),
    };
    let progress = node.get("entries").zip(node.get("permille"));
    let progress = progress.map(|(entries, permille)| {
        let percent = permille.parse::<u64>().unwrap_or(0) / 10;
        format!("fetching: {entries} entries, {percent} %")
    });
    let parts: Vec<String> = role.into_iter().chain(progress).collect();
    parts.join(", ")
}

/// A member's share of the keys, relative to the others.
pub(crate) fn weight(node: &BTreeMap<String, String>) -> u32 {
    node.get("weight")
        .and_then(|weight| weight.parse().ok())
        .unwrap_or(1)
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
    fn a_table_has_headings_and_says_nothing_twice() {
        let status = Status::parse(TEXT);
        let expected = "node  address  state    change\n\
                        a     a:1      serving\n\
                        d     d:1      warming  joining, fetching: 5 entries, 25 %\n\
                        epoch 2, 3 replicas per key, under way: joining d\n";
        assert_eq!(status.to_text(Style::plain()), expected);
        assert!(!status.all_serve());
        let text = "epoch:2\r\nreplicas:3\r\nchange:\r\n\
                    node0:id=a:1,address=a:1,role=member,weight=2,link=up,state=serving\r\n\
                    node1:id=b:1,address=b:1,role=member,weight=1,link=down,state=serving\r\n";
        let expected = "node  weight  state    change\n\
                        a:1   2       serving\n\
                        b:1   1       down\n\
                        epoch 2, 3 replicas per key, no change under way\n";
        assert_eq!(Status::parse(text).to_text(Style::plain()), expected);
    }

    #[test]
    fn without_a_change_there_is_no_progress() {
        let status = Status::parse("epoch:3\r\nreplicas:3\r\nchange:\r\n");
        assert_eq!((status.progress(), status.epoch), (None, 3));
    }
}
