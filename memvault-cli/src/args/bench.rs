//! Flags of `bench`.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::count;
use super::duration::positive_duration;
use super::size::size;

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").args(["requests", "duration"]))]
#[command(after_help = "\
Every connection sends --pipeline commands, waits for all their replies, and goes on. A latency is
the time from sending the command to having its reply.

Examples:
  memvault bench
  memvault bench --fill --keys 1000000 --zipf 0.99 --duration 30s
  memvault bench --server 127.0.0.1:7001 --pipeline 16 --value-size 1kb --json")]
pub(crate) struct Bench {
    /// The RESP server to measure: host:port
    /// [default: MEMVAULT_HOST:MEMVAULT_PORT, each if set, else 127.0.0.1:6379]
    #[arg(long, value_name = "HOST:PORT", value_parser = super::cluster::server)]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) load: Load,
    #[command(flatten)]
    pub(crate) data: Data,
    /// Print one line of JSON, and no progress
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// How much is asked at once, and for how long.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct Load {
    /// Requests in all [default: 100000]
    #[arg(long, short = 'n', value_name = "N", value_parser = count)]
    pub(crate) requests: Option<usize>,
    /// Go on for this long instead: 500ms, 10s, 5m
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(crate) duration: Option<Duration>,
    /// Connections, spread over the threads
    #[arg(long, short = 'c', value_name = "N", default_value = "50", value_parser = count)]
    pub(crate) connections: usize,
    /// Commands in flight on each connection
    #[arg(long, short = 'P', value_name = "N", default_value = "1", value_parser = count)]
    pub(crate) pipeline: usize,
    /// Threads of the load generator
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    pub(crate) threads: usize,
    /// Longest wait for a connection, and for a reply
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
}

/// Which keys and values.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct Data {
    /// Different keys: key:000000000000 and so on
    #[arg(long, value_name = "N", default_value = "100000", value_parser = count)]
    pub(crate) keys: usize,
    /// Exponent of Zipf's law, 0 to 10: 0 takes all keys alike, 0.99 is a usual skew
    #[arg(long, value_name = "S", default_value = "0", value_parser = exponent)]
    pub(crate) zipf: f64,
    /// GETs to SETs, chosen at random
    #[arg(long, value_name = "GET:SET", default_value = "9:1", value_parser = ratio)]
    pub(crate) ratio: Ratio,
    /// Bytes of a value: 64, 1kb
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    pub(crate) value_size: usize,
    /// Set every key once before the measurement
    #[arg(long)]
    pub(crate) fill: bool,
    /// Seed of the choice of keys
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
}

/// How many GETs for how many SETs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) gets: u32,
    pub(crate) sets: u32,
}

fn ratio(text: &str) -> Result<Ratio, String> {
    let parsed = text.split_once(':').and_then(|(gets, sets)| {
        let (gets, sets) = (gets.parse().ok()?, sets.parse().ok()?);
        Some(Ratio { gets, sets })
    });
    parsed
        .filter(|ratio| {
            ratio
                .gets
                .checked_add(ratio.sets)
                .is_some_and(|all| all > 0)
        })
        .ok_or_else(|| "expected GETs:SETs, such as 9:1, 1:0 or 0:1".to_owned())
}

fn exponent(text: &str) -> Result<f64, String> {
    let parsed = text.parse().ok();
    parsed
        .filter(|exponent| (0.0..=10.0).contains(exponent))
        .ok_or_else(|| "expected a number from 0 to 10, such as 0.99".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_exponents() {
        assert_eq!(ratio("9:1"), Ok(Ratio { gets: 9, sets: 1 }));
        assert_eq!(ratio("0:1"), Ok(Ratio { gets: 0, sets: 1 }));
        for text in ["", "9", "0:0", "-1:2", "1:2:3", "4294967295:1"] {
            assert!(ratio(text).is_err(), "{text}");
        }
        assert_eq!(exponent("0.99"), Ok(0.99));
        for text in ["", "-0.1", "NaN", "inf", "11"] {
            assert!(exponent(text).is_err(), "{text}");
        }
    }
}
