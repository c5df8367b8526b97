//! `ring`: which node holds what.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use memvault::ring::{Ring, Share};
use serde_json::{Value, json};

use crate::args::{query, size};
use crate::error::{Error, OK, Outcome};
use crate::output::{self, Style, bar, grouped};
use crate::query::{Health, named, probe_all};

/// Runs the subcommand.
pub(crate) fn run(args: &query::Ring) -> Outcome {
    let view = View::new(args)?;
    if args.json {
        output::json(&view.to_json());
    } else {
        output::write(view.to_text(Style::of_stdout()).as_bytes());
    }
    Ok(OK)
}

/// Everything that is shown.
struct View<'a> {
    args: &'a query::Ring,
    ring: Ring,
    shares: Vec<Share>,
    /// One for each share; empty if nobody was asked.
    healths: Vec<Health>,
}

impl<'a> View<'a> {
    fn new(args: &'a query::Ring) -> Result<Self, Error> {
        let members = &args.cluster.cluster.0;
        let mut ring = Ring::new();
        for node in members {
            ring.add(&node.id, 1)
                .map_err(|error| Error::usage(format_args!("--cluster: {}: {error}", node.id)))?;
        }
        let addresses: Vec<_> = members.iter().map(|node| node.address.clone()).collect();
        let healths = if args.timeout.is_zero() {
            Vec::new()
        } else {
            probe_all(&addresses, args.timeout)
        };
        Ok(Self {
            args,
            shares: ring.shares(args.cluster.replicas.replicas),
            ring,
            healths,
        })
    }

    fn to_text(&self, style: Style) -> String {
        let mut text = self.headline(style);
        let width = self.id_width();
        let most = self
            .shares
            .iter()
            .map(|share| share.leader)
            .fold(0.0, f64::max);
        let head = format!(
            "  {:<width$}  {:<BAR$} {:>8} {:>8}",
            "node", "leads", "", "holds"
        );
        let _ = writeln!(text, "{}{}", style.dim(head), self.state_head(style));
        for (position, share) in self.shares.iter().enumerate() {
            let id = self.ring.node_id(share.node).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {id:<width$}  {} {:>6.1} % {:>6.1} %{}",
                style.of_number(0, bar(share.leader / most, BAR)),
                share.leader * 100.0,
                share.replica * 100.0,
                self.state(position, style)
            );
        }
        for key in &self.args.keys {
            self.write_key(&mut text, key, style);
        }
        text
    }

    fn headline(&self, style: Style) -> String {
        let nodes = self.ring.len();
        let wanted = self.args.cluster.replicas.replicas;
        let replicas = match wanted.min(nodes) {
            replicas if replicas < wanted => format!("{replicas} of {wanted} replicas per key"),
            1 => "1 replica per key".to_owned(),
            replicas => format!("{replicas} replicas per key"),
        };
        format!(
            "{}, {replicas}, {} virtual nodes\n\n",
            style.bold(format_args!(
                "{nodes} node{}",
                if nodes == 1 { "" } else { "s" }
            )),
            grouped(self.ring.virtual_nodes() as u64)
        )
    }

    fn state_head(&self, style: Style) -> String {
        if self.healths.is_empty() {
            String::new()
        } else {
            style.dim("   state")
        }
    }

    fn state(&self, position: usize, style: Style) -> String {
        match self.healths.get(position) {
            None => String::new(),
            Some(Health::Down(reason)) => format!("   {} {reason}", style.red("down:")),
            Some(Health::Up { info, .. }) => {
                let state = info.get("node_state").map_or("up", String::as_str);
                format!("   {}{}", style.green(state), load(info))
            }
        }
    }

    fn write_key(&self, text: &mut String, key: &OsStr, style: Style) {
        let _ = writeln!(text, "\n  key {}", style.bold(key.display()));
        let width = self.id_width();
        for (position, id) in self.preference_list(key).enumerate() {
            let role = if position == 0 { "leader" } else { "follower" };
            let _ = writeln!(text, "    {}. {id:<width$}  {role}", position + 1);
        }
    }

    fn preference_list(&self, key: &OsStr) -> impl Iterator<Item = &str> {
        self.ring
            .replicas(key.as_bytes(), self.args.cluster.replicas.replicas)
            .filter_map(|node| self.ring.node_id(node))
    }

    fn id_width(&self) -> usize {
        let members = &self.args.cluster.cluster.0;
        members
            .iter()
            .map(|node| node.id.chars().count())
            .chain(["node".len()])
            .max()
            .unwrap_or(0)
    }

    fn to_json(&self) -> Value {
        let members = &self.args.cluster.cluster.0;
        let nodes = self.shares.iter().zip(members).enumerate();
        let nodes = nodes.map(|(position, (share, node))| {
            let mut entry = json!({
                "id": node.id,
                "address": node.address,
                "leads": share.leader,
                "holds": share.replica,
            });
            match self.healths.get(position) {
                Some(Health::Up { info, .. }) => {
                    entry["up"] = true.into();
                    entry["state"] = json!(info.get("node_state"));
                }
                Some(Health::Down(reason)) => {
                    entry["up"] = false.into();
                    entry["reason"] = json!(reason);
                }
                None => {}
            }
            entry
        });
        let keys = self.args.keys.iter().map(|key| {
            let list: Vec<_> = self.preference_list(key).collect();
            let mut entry = named("key", key);
            entry.insert("preference_list".to_owned(), json!(list));
            entry
        });
        json!({
            "replicas": self.args.cluster.replicas.replicas,
            "virtual_nodes": self.ring.virtual_nodes(),
            "nodes": nodes.collect::<Vec<_>>(),
            "keys": keys.collect::<Vec<_>>(),
        })
    }
}

/// How many keys a node holds, and in how much memory, if it says so.
fn load(info: &BTreeMap<String, String>) -> String {
    let number = |text: &str| text.parse::<u64>().ok();
    // A store without keys has no line `db0:keys=...`.
    let keyspace = info.get("db0").map_or("keys=0", String::as_str);
    let keys = keyspace
        .split(',')
        .find_map(|field| field.strip_prefix("keys="));
    let keys = keys.and_then(number);
    let memory = info.get("used_memory").and_then(|text| number(text));
    match (keys, memory) {
        (Some(keys), Some(bytes)) => {
            let s = if keys == 1 { "" } else { "s" };
            format!(", {} key{s} in {}", grouped(keys), size::human(bytes))
        }
        _ => String::new(),
    }
}

/// Cells of a bar.
const BAR: usize = 30;
