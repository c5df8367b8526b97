//! Whether servers answer.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use memvault::resp::Reply;
use serde_json::json;

use super::server_address;
use crate::args::duration;
use crate::args::query::Ping;
use crate::error::{NOT_FOUND, OK, Outcome};
use crate::link::Link;
use crate::output::{self, Style};

/// What one server had to say.
#[derive(Clone, Debug)]
pub(crate) enum Health {
    /// It answered.
    Up {
        /// From sending `PING` to having the reply.
        latency: Duration,
        /// What `INFO` says: field and value. Empty if it has none.
        info: BTreeMap<String, String>,
    },
    /// It did not; why.
    Down(String),
}

/// Runs `ping`.
pub(crate) fn ping(args: &Ping) -> Outcome {
    let addresses = match &args.target.cluster {
        Some(members) => members.0.iter().map(|node| node.address.clone()).collect(),
        None => vec![server_address(args.target.server.as_deref())?],
    };
    let healths = probe_all(&addresses, args.target.timeout);
    let all_up = healths
        .iter()
        .all(|health| matches!(health, Health::Up { .. }));
    if args.json {
        let entries: Vec<_> = addresses.iter().zip(&healths).map(entry).collect();
        output::json(&entries);
    } else {
        let width = addresses.iter().map(String::len).max().unwrap_or(0);
        let style = Style::of_stdout();
        for (address, health) in addresses.iter().zip(&healths) {
            output::line(format_args!("{address:<width$}  {}", words(health, style)));
        }
    }
    Ok(if all_up { OK } else { NOT_FOUND })
}

fn entry((address, health): (&String, &Health)) -> serde_json::Value {
    match health {
        Health::Up { latency, .. } => {
            json!({"server": address, "up": true, "latency_us": latency.as_micros() as u64})
        }
        Health::Down(reason) => json!({"server": address, "up": false, "reason": reason}),
    }
}

fn words(health: &Health, style: Style) -> String {
    match health {
        Health::Up { latency, .. } => {
            format!("{} in {}", style.green("PONG"), duration::human(*latency))
        }
        Health::Down(reason) => style.red(reason),
    }
}

/// Asks all of them at once.
pub(crate) fn probe_all(addresses: &[String], timeout: Duration) -> Vec<Health> {
    thread::scope(|scope| {
        let probes: Vec<_> = addresses
            .iter()
            .map(|address| scope.spawn(move || probe(address, timeout)))
            .collect();
        probes
            .into_iter()
            .map(|probe| {
                let health = probe.join();
                health.unwrap_or_else(|_| Health::Down("the probe panicked".to_owned()))
            })
            .collect()
    })
}

/// Asks one server.
pub(crate) fn probe(address: &str, timeout: Duration) -> Health {
    let mut link = match Link::connect(address, timeout) {
        Ok(link) => link,
        Err(error) => return Health::Down(error.reason()),
    };
    let began = Instant::now();
    match link.request(&[b"PING"]) {
        Ok(Reply::Error(text)) => {
            return Health::Down(String::from_utf8_lossy(&text).into_owned());
        }
        Err(error) => return Health::Down(error.reason()),
        Ok(_) => {}
    }
    let latency = began.elapsed();
    let info = match link.request(&[b"INFO"]) {
        Ok(reply) => reply.as_bytes().map(fields).unwrap_or_default(),
        Err(_) => BTreeMap::new(),
    };
    Health::Up { latency, info }
}

/// The lines `field:value` of what `INFO` gives.
fn fields(info: &[u8]) -> BTreeMap<String, String> {
    String::from_utf8_lossy(info)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(field, value)| (field.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_split_into_fields() {
        let fields = fields(b"# Server\r\nport:6379\r\n\r\nexecutable:/a:b\r\nodd line\r\n");
        let expected = [("executable", "/a:b"), ("port", "6379")];
        let expected = expected.map(|(field, value)| (field.to_owned(), value.to_owned()));
        assert_eq!(fields, BTreeMap::from(expected));
    }
}
