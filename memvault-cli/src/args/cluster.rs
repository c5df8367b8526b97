//! Flags that name a cluster and how careful to be with it.

use clap::Args;
use memvault::replication::{Config, Level, OnAmbiguous};
use memvault_net::driver::NodeAddress;

use super::count;

/// The members of a cluster, as one flag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members(pub(crate) Vec<NodeAddress>);

/// Some members of a cluster by their addresses, as one flag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Vec<String>);

/// Which cluster, and how many replicas it keeps.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct Cluster {
    /// All members, in any order: host:port or id=host:port, separated by commas.
    /// The same in every process
    #[arg(long, value_name = "LIST", value_parser = members)]
    pub(crate) cluster: Members,
    #[command(flatten)]
    pub(crate) replicas: Replicas,
}

/// How many nodes hold each key.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Replicas {
    /// Nodes that hold each key, 1 to 8. The same in every process
    #[arg(long, value_name = "N", default_value = "3", value_parser = replicas, help_heading = "Cluster")]
    pub(crate) replicas: usize,
}

/// What kind of servers the members are.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Kind {
    /// The members are plain Redis servers (redis-server, Valkey), not nodes of MemVault: keys are
    /// placed and copied as ever, at level one and with a weaker promise
    #[arg(long, requires = "cluster", help_heading = "Cluster")]
    pub(crate) plain_redis: bool,
}

/// How a node carries out the requests of its clients on the cluster.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Coordination {
    /// What becomes of a plain write of unknown fate: retag (write again; it may become
    /// visible twice) or error (answer -INDETERMINATE)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "retag",
        value_parser = on_ambiguous,
        help_heading = "Cluster"
    )]
    pub(crate) on_ambiguous: OnAmbiguous,
    /// Keys under way for clients at a time; further requests are answered with -BUSY, and
    /// one with more keys than that is refused
    #[arg(
        long,
        value_name = "N",
        default_value = "65536",
        value_parser = count,
        help_heading = "Cluster"
    )]
    pub(crate) max_requests: usize,
    /// Pings per second to all other nodes together, as long as these answer and serve:
    /// with more than 100 of them, silence is noticed later
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        value_parser = count,
        help_heading = "Cluster"
    )]
    pub(crate) ping_rate: usize,
}

impl Coordination {
    /// Writes the flags into the settings of a node.
    pub(crate) const fn apply(self, config: &mut Config) {
        config.on_ambiguous = self.on_ambiguous;
        config.max_requests = self.max_requests;
        config.ping_rate = self.ping_rate as u64;
    }
}

impl Members {
    /// The members as they were written: what another process takes as `--cluster`.
    pub(crate) fn to_words(&self) -> Vec<String> {
        self.0.iter().map(word).collect()
    }
}

/// A member as users write it.
pub(crate) fn word(node: &NodeAddress) -> String {
    if node.id == node.address {
        node.address.clone()
    } else {
        format!("{}={}", node.id, node.address)
    }
}

/// Reads a member list; no id and no address twice.
pub(crate) fn members(text: &str) -> Result<Members, String> {
    let mut members: Vec<NodeAddress> = Vec::new();
    for word in text.split(',').filter(|word| !word.trim().is_empty()) {
        let node: NodeAddress = word.parse().map_err(|error| format!("{error}"))?;
        if members.iter().any(|other| other.id == node.id) {
            return Err(format!("{} is in the list twice", node.id));
        }
        if let Some(other) = members.iter().find(|other| other.address == node.address) {
            return Err(format!(
                "{} is in the list twice, as {} and as {}: give each node its own address",
                node.address, other.id, node.id
            ));
        }
        members.push(node);
    }
    if members.is_empty() {
        return Err("expected host:port,host:port,... such as 10.0.0.1:6379,10.0.0.2:6379".into());
    }
    Ok(Members(members))
}

/// Reads a number of replicas.
pub(crate) fn replicas(text: &str) -> Result<usize, String> {
    let most = Config::MAX_REPLICAS;
    match text.parse() {
        Ok(replicas) if (1..=most).contains(&replicas) => Ok(replicas),
        _ => Err(format!("expected 1 to {most}")),
    }
}

/// Reads the address of one server, `host:port`.
pub(crate) fn server(text: &str) -> Result<String, String> {
    let node: Result<NodeAddress, _> = text.parse();
    match node {
        Ok(node) if node.id == node.address => Ok(node.address),
        _ => Err("expected host:port, such as 127.0.0.1:6379".to_owned()),
    }
}

/// Reads addresses of members to ask for the rest.
pub(crate) fn seeds(text: &str) -> Result<Seeds, String> {
    let words = text.split(',').map(str::trim);
    let words = words.filter(|word| !word.is_empty());
    let mut seeds: Vec<String> = words.map(server).collect::<Result<_, _>>()?;
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.is_empty() {
        return Err("expected host:port,host:port,... such as 10.0.0.1:6379".to_owned());
    }
    Ok(Seeds(seeds))
}

/// Reads what becomes of a write of unknown fate.
pub(crate) fn on_ambiguous(text: &str) -> Result<OnAmbiguous, String> {
    let all = [OnAmbiguous::Retag, OnAmbiguous::Error];
    let found = all.into_iter().find(|known| known.name() == text);
    found.ok_or_else(|| "expected retag or error".to_owned())
}

/// Reads a level.
pub(crate) fn level(text: &str) -> Result<Level, String> {
    Level::from_name(text.as_bytes()).ok_or_else(|| "expected one, quorum, all or auto".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_words_and_its_order() {
        let list = members("b=10.0.0.2:1, a:2 ,").expect("a list");
        assert_eq!(list.to_words(), ["b=10.0.0.2:1", "a:2"]);
    }

    #[test]
    fn what_is_no_list_is_explained() {
        for (text, part) in [
            ("", "expected host:port"),
            ("a:1,b", "node \"b\""),
            ("a:1,a:1", "a:1 is in the list twice"),
            ("a=h:1,b=h:1", "h:1 is in the list twice, as a and as b"),
            ("a=b=c:1", "node \"a=b=c:1\""),
            ("a b=c:1", "node \"a b=c:1\""),
        ] {
            let error = members(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(replicas("0").is_err() && replicas("9").is_err() && replicas("x").is_err());
        assert_eq!(level("QUORUM"), Ok(Level::Quorum));
        assert!(level("most").is_err());
        assert_eq!(server("[::1]:6379"), Ok("[::1]:6379".to_owned()));
        assert!(server("localhost").is_err() && server("a=b:1").is_err());
        let two = ["a:1".to_owned(), "b:2".to_owned()];
        assert_eq!(seeds("b:2, a:1, b:2,"), Ok(Seeds(two.into())));
        assert!(seeds("").is_err() && seeds("a=b:1").is_err());
    }
}
