//! Flags that name a cluster and how careful to be with it.

use std::time::Duration;

use clap::Args;
use memvault::replication::{Config, Level, OnAmbiguous};
use memvault_net::driver::NodeAddress;

use super::count;
use super::duration::positive_duration;
use super::size::positive_size;

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
    /// What becomes of a plain write of unknown fate: rewrite (write again; it may become
    /// visible twice) or error (answer -INDETERMINATE)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "rewrite",
        value_parser = on_ambiguous,
        help_heading = "Cluster"
    )]
    pub(crate) on_ambiguous: OnAmbiguous,
    /// Keys of one client that are under way or wait: more is not read from it until then, and a request
    /// with more keys is refused
    #[arg(
        long,
        value_name = "N",
        default_value = "65536",
        value_parser = count,
        help_heading = "Cluster"
    )]
    pub(crate) max_requests: usize,
    /// Keys under way at a time for each member; the others wait, clients by turns
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "N",
        default_value = "128",
        value_parser = count,
        help_heading = "Cluster"
    )]
    pub(crate) max_in_flight: usize,
    /// Bytes of keys and values under way at a time for each member, and for each client
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "SIZE",
        default_value = "32mb",
        value_parser = positive_size,
        help_heading = "Cluster"
    )]
    pub(crate) max_in_flight_bytes: usize,
    /// Keys of all clients that wait; further requests are answered with -OVERLOADED
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "N",
        default_value = "1048576",
        value_parser = count,
        help_heading = "Cluster"
    )]
    pub(crate) max_waiting: usize,
    /// The same for the bytes of their keys and values
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "SIZE",
        default_value = "256mb",
        value_parser = positive_size,
        help_heading = "Cluster"
    )]
    pub(crate) max_waiting_bytes: usize,
    /// How long a client waits for its turn before it is answered with -OVERLOADED; less
    /// than 1s, which a request has in all
    #[arg(
        verbatim_doc_comment,
        long,
        value_name = "TIME",
        default_value = "500ms",
        value_parser = max_wait,
        help_heading = "Cluster"
    )]
    pub(crate) max_wait: Duration,
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
        config.max_in_flight = self.max_in_flight;
        config.max_in_flight_bytes = self.max_in_flight_bytes;
        config.max_waiting = self.max_waiting;
        config.max_waiting_bytes = self.max_waiting_bytes;
        config.max_wait = self.max_wait;
        config.ping_rate = self.ping_rate as u64;
    }
}

impl Coordination {
    /// The same flags, for another process.
    pub(crate) fn to_args(self) -> impl Iterator<Item = String> {
        let Self {
            on_ambiguous,
            max_requests,
            max_in_flight,
            max_in_flight_bytes,
            max_waiting,
            max_waiting_bytes,
            max_wait,
            ping_rate,
        } = self;
        let flags = [
            ("--on-ambiguous", on_ambiguous.name().to_owned()),
            ("--max-requests", max_requests.to_string()),
            ("--max-in-flight", max_in_flight.to_string()),
            ("--max-in-flight-bytes", max_in_flight_bytes.to_string()),
            ("--max-waiting", max_waiting.to_string()),
            ("--max-waiting-bytes", max_waiting_bytes.to_string()),
            ("--max-wait", format!("{}ms", max_wait.as_millis())),
            ("--ping-rate", ping_rate.to_string()),
        ];
        let words = flags.map(|(flag, value)| [flag.to_owned(), value]);
        words.into_iter().flatten()
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

/// The time that a request has in all: that of [`Config::new`], which members take for granted.
pub(crate) const REQUEST: Duration = Duration::from_secs(1);

/// Reads how long a request may wait before it begins.
fn max_wait(text: &str) -> Result<Duration, String> {
    let wait = positive_duration(text)?;
    if wait < REQUEST {
        Ok(wait)
    } else {
        Err("must be less than 1s, the time that a request has in all".to_owned())
    }
}

/// Reads what becomes of a write of unknown fate.
pub(crate) fn on_ambiguous(text: &str) -> Result<OnAmbiguous, String> {
    let all = [OnAmbiguous::Rewrite, OnAmbiguous::Error];
    let found = all.into_iter().find(|known| known.name() == text);
    found.ok_or_else(|| "expected rewrite or error".to_owned())
}

/// Reads a level.
pub(crate) fn level(text: &str) -> Result<Level, String> {
    Level::from_name(text.as_bytes()).ok_or_else(|| "expected one, quorum, all or auto".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_fits_into_the_time_of_a_request() {
        let config = Config::new(
            Vec::new(),
            memvault::replication::Role::Coordinator("c".into()),
        );
        assert_eq!(config.op_deadline, REQUEST);
        assert_eq!(max_wait("999ms"), Ok(Duration::from_millis(999)));
        for text in ["1s", "2m", "0ms"] {
            assert!(max_wait(text).is_err(), "{text}");
        }
    }

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
