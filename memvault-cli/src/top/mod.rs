//! `top`: the state of a cluster in a terminal.
//!
//! ```text
//! Poller --Sample--> State --rows, sums, points, events--> screen (ratatui), plain (text, JSON)
//! ```
//!
//! Place: it asks nodes by `INFO`, as any client may; nothing runs in the servers for it.

mod plain;
mod poll;
mod sample;
#[cfg(feature = "tui")]
mod screen;
mod state;
#[cfg_attr(
    not(feature = "tui"),
    allow(dead_code, reason = "half of it is for the screen")
)]
mod table;
#[cfg(feature = "tui")]
mod terminal;
#[cfg(test)]
mod tests;

use std::thread;

use memvault_net::driver::NodeAddress;

use crate::args::top::Top;
use crate::error::{NOT_FOUND, OK, Outcome};
use crate::output::{self, Style};
use crate::query::server_address;
use poll::Poller;
use state::State;

/// Runs the subcommand. The exit code is 1 if one look was asked for and a node is down.
pub(crate) fn run(args: &Top) -> Outcome {
    let named = match &args.cluster {
        Some(members) => members.0.clone(),
        None => {
            let address = server_address(args.server.as_deref())?;
            vec![NodeAddress {
                id: address.clone(),
                address,
            }]
        }
    };
    let poller = Poller::new(named, args.timeout);
    if args.once || args.json {
        Ok(once(args, poller))
    } else {
        watch(args, poller)
    }
}

/// Looks twice, as rates are between two looks, and prints.
fn once(args: &Top, mut poller: Poller) -> u8 {
    let mut state = State::default();
    state.take(&poller.sample());
    thread::sleep(args.interval);
    state.take(&poller.sample());
    if args.json {
        output::json(&plain::document(&state));
    } else {
        output::write(plain::text(&state, Style::of_stdout(), output::columns()).as_bytes());
    }
    match state::Total::of(&state.rows()).down {
        0 => OK,
        _ => NOT_FOUND,
    }
}

#[cfg(feature = "tui")]
fn watch(args: &Top, poller: Poller) -> Outcome {
    terminal::watch(args.interval, poller)
}

#[cfg(not(feature = "tui"))]
fn watch(_args: &Top, _poller: Poller) -> Outcome {
    Err(crate::error::Error::usage(
        "this memvault was built without its screen (feature tui): use --once or --json",
    ))
}
