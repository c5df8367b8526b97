//! The memory of the process as a whole is kept in bounds: what the store counts is not all that there is.
//!
//! ```text
//! resident > line:   withhold what is too much from the budget of entries, up to a quarter of it
//! resident < line:   give back an eighth of what is free
//!
//! line = 1.25 x --max-memory + buffers of clients + 10 MiB, or 4 MiB more than the process began with
//! ```
//! Holes between entries of many sizes, copies under way and what waits for peers are in no budget. So the process is
//! looked at, and while it takes too much, the store may use less than `--max-memory`: `maxmemory_withheld` in `INFO`.
//!
//! Place: a task per thread, each for its share.
//! Cost: reads one line from the system, twenty times a second; entries go in steps of half a millisecond.
//! Limits: knows Linux; elsewhere nothing is withheld.

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::Timer;

use super::clients::Clients;
use super::process;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time that clients wait for one step.
const STEP: Duration = Duration::from_micros(500);
/// Pause between two steps.
const BREATH: Duration = Duration::from_millis(2);
/// Entries after which the clock is read.
const SLICE: usize = 16;

/// Withholds from the store what the process has too much, for ever.
pub(super) async fn govern(clients: Rc<Clients>) {
    let Some(at_start) = process::anonymous() else {
        return;
    };
    let (mut withheld, threads) = (0, clients.config.threads.max(1));
    loop {
        Timer::after(LOOK).await;
        let limit = clients.backend.store_info().max_bytes;
        let (Some(limit), Some(resident)) = (limit, process::anonymous()) else {
            continue;
        };
        let line = line(limit, clients.connection_limit.ledger().used(), at_start);
        withheld = next(withheld, resident, line, limit);
        let begun = || {
            let begun = Instant::now();
            move || begun.elapsed() < STEP
        };
        while clients.backend.withhold(withheld / threads, SLICE, begun()) {
            Timer::after(BREATH).await;
        }
    }
}

/// Resident bytes above which entries make room.
fn line(limit: usize, of_clients: usize, at_start: usize) -> usize {
    let beside = BESIDE.max(at_start + MARGIN);
    limit
        .saturating_add(limit / 4)
        .saturating_add(of_clients + beside)
}

/// What is to be withheld of `limit` after a look at the process.
fn next(withheld: usize, resident: usize, line: usize, limit: usize) -> usize {
    let too_much = resident.saturating_sub(line);
    let free = line.saturating_sub(resident) / 8;
    (withheld + too_much).saturating_sub(free).min(limit / 4)
}

/// What a process may take beside entries and buffers.
const BESIDE: usize = 10 << 20;
/// What it may take more than at its start.
const MARGIN: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn a_process_above_the_line_is_brought_below_it() {
        let (limit, mut withheld) = (100 * MIB, 0);
        let line = line(limit, 0, 0);
        assert_eq!(line, 135 * MIB);
        for _ in 0..50 {
            let resident = 143 * MIB - withheld;
            withheld = next(withheld, resident, line, limit);
        }
        assert_eq!(withheld, 8 * MIB);
        for _ in 0..50 {
            withheld = next(withheld, 100 * MIB, line, limit);
        }
        assert_eq!(withheld, 0);
    }

    #[test]
    fn what_no_eviction_can_help_costs_a_quarter_of_the_budget_at_most() {
        let (limit, mut withheld) = (100 * MIB, 0);
        for _ in 0..50 {
            withheld = next(withheld, 400 * MIB, line(limit, 0, 0), limit);
        }
        assert_eq!(withheld, 25 * MIB);
    }

    #[test]
    fn buffers_of_clients_and_a_large_program_are_no_reason() {
        assert_eq!(line(100 * MIB, 50 * MIB, 5 * MIB), 185 * MIB);
        assert_eq!(line(100 * MIB, 0, 30 * MIB), 159 * MIB);
        assert_eq!(
            next(0, 158 * MIB, line(100 * MIB, 0, 30 * MIB), 100 * MIB),
            0
        );
    }
}
