//! `ring`: which node holds what.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use memvault::ring::{Ring, Share};
use memvault::slot::{SLOTS, SlotTable, slot_of};
use serde_json::{Value, json};

use crate::args::{query, size};
use crate::cluster::status::Status;
use crate::error::{Error, OK, Outcome};
use crate::link::Link;
use crate::output::{self, Style, bar, grouped, visible, wrap};
use crate::query::{Health, named, probe_all};

/// Runs the subcommand.
pub(crate) fn run(args: &query::Ring) -> Outcome {
    let view = View::new(args)?;
    if args.json {
        output::json(&view.to_json());
        return Ok(OK);
    }
    if let Some(difference) = &view.difference {
        let label = Style::of_stderr().red("warning:");
        output::note(format_args!("{label} {difference}"));
    }
    let columns = output::columns().unwrap_or(usize::MAX);
    output::write(view.to_text(Style::of_stdout(), columns).as_bytes());
    Ok(OK)
}

/// Everything that is shown.
struct View<'a> {
    args: &'a query::Ring,
    ring: Ring,
    slots: SlotTable,
    shares: Vec<Share>,
    /// One for each share; empty if nobody was asked.
    healths: Vec<Health>,
    /// How the list differs from what its members say.
    difference: Option<String>,
}

impl<'a> View<'a> {
    fn new(args: &'a query::Ring) -> Result<Self, Error> {
        let members = &args.cluster.cluster.0;
        let addresses: Vec<_> = members.iter().map(|node| node.address.clone()).collect();
        let healths = if args.timeout.is_zero() {
            Vec::new()
        } else {
            probe_all(&addresses, args.timeout)
        };
        let told = told(&addresses, &healths, args.timeout);
        let mut ring = Ring::new();
        for node in members {
            let weight = told
                .as_ref()
                .and_then(|(_, status)| status.weight(&node.id));
            ring.add(&node.id, weight.unwrap_or(1))
                .map_err(|error| Error::usage(format_args!("--cluster: {}: {error}", node.id)))?;
        }
        let replicas = args.cluster.replicas.replicas;
        let listed: Vec<&str> = members.iter().map(|node| &*node.id).collect();
        let slots = SlotTable::new(&ring, replicas);
        Ok(Self {
            args,
            shares: slots.shares(&ring),
            slots,
            ring,
            healths,
            difference: told
                .and_then(|(member, status)| difference(&member, &status, &listed, replicas)),
        })
    }

    fn to_text(&self, style: Style, columns: usize) -> String {
        let mut text = self.headline(style);
        let width = self.id_width();
        let most = self.shares.iter().map(|share| share.leader);
        let most = most.fold(0.0, f64::max);
        let states: Vec<String> = (0..self.shares.len())
            .map(|position| self.state(position, style))
            .collect();
        let longest = states.iter().map(|state| visible(state)).max().unwrap_or(0);
        // Beside id, bar and state a line has 25 columns.
        let left = columns.saturating_sub(width + 25);
        let is_beside = longest + LEAST_BAR <= left;
        let bar_width = left.saturating_sub(if is_beside { longest } else { 0 });
        let bar_width = bar_width.clamp(LEAST_BAR, BAR);
        let head = format!(
            "  {:<width$}  {:<bar_width$} {:>8} {:>8}",
            "node", "leads", "", "holds"
        );
        let state_head = if is_beside {
            self.state_head(style)
        } else {
            String::new()
        };
        let _ = writeln!(text, "{}{state_head}", style.dim(head));
        for (share, state) in self.shares.iter().zip(&states) {
            let id = self.ring.node_id(share.node).unwrap_or_default();
            let line = format!(
                "  {id:<width$}  {} {:>6.1} % {:>6.1} %",
                style.of_number(0, bar(share.leader / most, bar_width)),
                share.leader * 100.0,
                share.replica * 100.0,
            );
            if is_beside && !state.is_empty() {
                let _ = writeln!(text, "{line}   {state}");
            } else {
                let _ = writeln!(text, "{line}");
                if !state.is_empty() {
                    wrap(&mut text, "    ", state, columns);
                }
            }
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
            "{}, {replicas}, {} slots\n\n",
            style.bold(format_args!(
                "{nodes} node{}",
                if nodes == 1 { "" } else { "s" }
            )),
            grouped(SLOTS.into())
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
            Some(Health::Down(reason)) => format!("{} {reason}", style.red("down:")),
            Some(Health::Up { info, .. }) => {
                let state = info.get("node_state").map_or("up", String::as_str);
                format!("{}{}", style.green(state), load(info))
            }
        }
    }

    fn write_key(&self, text: &mut String, key: &OsStr, style: Style) {
        let slot = slot_of(key.as_bytes());
        let _ = writeln!(text, "\n  key {}, slot {slot}", style.bold(key.display()));
        let width = self.id_width();
        for (position, id) in self.preference_list(key).enumerate() {
            let role = if position == 0 { "leader" } else { "follower" };
            let _ = writeln!(text, "    {}. {id:<width$}  {role}", position + 1);
        }
    }

    fn preference_list(&self, key: &OsStr) -> impl Iterator<Item = &str> {
        let list = self.slots.replicas(slot_of(key.as_bytes())).iter();
        list.filter_map(|node| self.ring.node_id(*node))
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
            entry.insert("slot".to_owned(), slot_of(key.as_bytes()).number().into());
            entry.insert("preference_list".to_owned(), json!(list));
            entry
        });
        json!({
            "replicas": self.args.cluster.replicas.replicas,
            "slots": SLOTS,
            "nodes": nodes.collect::<Vec<_>>(),
            "difference": self.difference,
            "keys": keys.collect::<Vec<_>>(),
        })
    }
}

/// What the first that answers says of the members, and which one that is.
fn told(addresses: &[String], healths: &[Health], timeout: Duration) -> Option<(String, Status)> {
    let up = addresses.iter().zip(healths);
    let mut up = up.filter(|(_, health)| matches!(health, Health::Up { .. }));
    up.find_map(|(address, _)| {
        let mut link = Link::connect(address, timeout).ok()?;
        // A node alone, or a plain Redis server, has no members.
        let status = Status::of(&mut link).ok()?;
        Some((address.clone(), status))
    })
}

/// What is wrong with shares that follow from a list: they are not those of the cluster.
fn difference(member: &str, status: &Status, listed: &[&str], replicas: usize) -> Option<String> {
    let placed = status.placed();
    let missing = placed.iter().filter(|id| !listed.contains(id));
    let missing: Vec<&str> = missing.copied().collect();
    let unknown = listed.iter().filter(|id| !placed.contains(id));
    let unknown: Vec<&str> = unknown.copied().collect();
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("--cluster lacks {}", missing.join(", ")));
    }
    if !unknown.is_empty() {
        parts.push(format!("{} is no member there", unknown.join(", ")));
    }
    if status.replicas != replicas as u64 {
        parts.push(format!(
            "it keeps {} replicas, not {replicas}",
            status.replicas
        ));
    }
    (!parts.is_empty()).then(|| {
        format!(
            "these are not the shares of the cluster that {member} belongs to: {}",
            parts.join("; ")
        )
    })
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

/// Cells of a bar, at most and at least.
const BAR: usize = 30;
const LEAST_BAR: usize = 8;
