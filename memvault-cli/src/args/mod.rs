//! The command line: subcommands, flags, units and defaults.
//!
//! Order of what counts: a flag, else the environment variable named in its help, else the default.

pub(crate) mod admin;
pub(crate) mod bench;
pub(crate) mod cluster;
mod dashes;
pub(crate) mod duration;
pub(crate) mod environment;
pub(crate) mod faults;
mod layout;
pub(crate) mod limits;
pub(crate) mod local;
pub(crate) mod members;
pub(crate) mod query;
pub(crate) mod serve;
pub(crate) mod sim;
pub(crate) mod size;
pub(crate) mod top;

use std::env;
use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use log::LevelFilter;

use crate::logging::{LogFormat, Wanted};
use crate::output;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "memvault",
    version,
    about = "A cache that is a cluster: exact LRU, replicated, spoken to by any Redis client.",
    after_help = EXAMPLES,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Least severe messages to log on standard error, off to trace
    /// [default: info for servers, error for the rest]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "MEMVAULT_LOG",
        hide_possible_values = true,
        help_heading = "Output",
        display_order = 900
    )]
    pub(crate) log_level: Option<LevelFilter>,
    /// Form of the log: text for people; json for programs, one object a line
    /// [default: text]
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "MEMVAULT_LOG_FORMAT",
        value_parser = LogFormat::parse,
        default_value = "text",
        hide_default_value = true,
        help_heading = "Output",
        display_order = 901
    )]
    pub(crate) log_format: LogFormat,
    /// Lines that a server logs of one event in 10 s; more are counted and told together. 0 for
    /// no limit
    #[arg(
        verbatim_doc_comment,
        long,
        global = true,
        value_name = "N",
        env = "MEMVAULT_LOG_REPEATS",
        default_value_t = 10,
        help_heading = "Output",
        display_order = 902
    )]
    pub(crate) log_repeats: u64,
    /// What a server has logged and nobody reads yet: beyond it lines are dropped and counted
    #[arg(
        verbatim_doc_comment,
        long,
        global = true,
        value_name = "SIZE",
        env = "MEMVAULT_LOG_BUFFER",
        default_value = "1mb",
        value_parser = size::positive_size,
        help_heading = "Output",
        display_order = 903
    )]
    pub(crate) log_buffer: usize,
}

impl Cli {
    /// What of the log was asked for.
    pub(crate) const fn log(&self) -> Wanted {
        Wanted {
            level: self.log_level,
            format: self.log_format,
            repeats: self.log_repeats,
            buffer: self.log_buffer,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster on this machine, with a gateway in front
    Up(local::Up),
    /// Run one node: alone, or as a member of a cluster
    Serve(serve::Serve),
    /// Run a gateway: serves Redis clients for a cluster, holds no data
    Gateway(serve::Gateway),
    /// Print the value of a key
    Get(query::Get),
    /// Set a key
    Set(query::Set),
    /// Delete keys
    Del(query::Del),
    /// Ask one server, or every node of a cluster, whether it answers
    Ping(query::Ping),
    /// Show which node holds what
    Ring(query::Ring),
    /// Show or change the members of a running cluster
    Cluster(members::Cluster),
    /// Watch a cluster, or one server, in the terminal
    Top(top::Top),
    /// Type commands to a server, with history and completion
    Shell(query::Shell),
    /// Watch a cluster survive: kills a node under load and counts what fails
    Demo(local::Demo),
    /// Measure any RESP server: throughput and latency percentiles
    Bench(bench::Bench),
    /// Simulate clusters under seeded faults and check what the protocol promises
    Sim(sim::Sim),
}

const EXAMPLES: &str = "\
Examples:
  memvault up                                   five nodes and a gateway on port 6379
  memvault serve --max-memory 256mb             one node on 127.0.0.1:6379
  memvault set greeting hello --ttl 10s
  memvault get greeting
  memvault demo                                 kill a node, see that nothing fails

Exit codes: 0 done; 1 failed, or no such key; 2 the command line is wrong.";

/// Reads the command line; ends the process if it is wrong, or asks for help.
pub(crate) fn parse() -> Cli {
    read(env::args_os().collect()).unwrap_or_else(|error| error.exit())
}

fn read(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = definition();
    let words = dashes::arranged(&command, words)?;
    let matches = match command.try_get_matches_from_mut(&words) {
        Ok(matches) => matches,
        Err(error) => return Err(environment::blamed(error, &definition(), &words)),
    };
    environment::remember(&command, &matches);
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// All of the command line, for this terminal and this environment.
fn definition() -> clap::Command {
    let command = taking_negative_numbers(Cli::command());
    let command = environment::without_ignored(command);
    layout::fitted(command, output::columns())
}

/// A number below 0 is the value of the flag before it, whose limits the error then names, and not a flag that does not
/// exist.
fn taking_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes_value = arg.get_action().takes_values();
        arg.allow_negative_numbers(takes_value)
    });
    command.mut_subcommands(taking_negative_numbers)
}

/// Reads a count of at least 1.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn a_number_below_zero_is_a_value_out_of_range() {
        for words in [
            ["memvault", "sim", "--seeds", "-1"],
            ["memvault", "sim", "--hours", "-3"],
            ["memvault", "serve", "--max-key", "-5"],
        ] {
            let command = taking_negative_numbers(Cli::command());
            let error = command
                .try_get_matches_from(words)
                .expect_err("out of range");
            let text = error.to_string();
            assert!(text.contains("expected"), "{text}");
        }
    }
}
