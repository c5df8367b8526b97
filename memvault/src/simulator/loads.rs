//! Clients that keep rows of a database in the cache: what is missing is loaded and filled in, what changes in the
//! database is deleted from the cache.
//!
//! A row is a number that only grows, so a value tells how old it is. Once the deletion after a change is acknowledged,
//! no read may find, and no fill may leave behind, what was there before that change.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::event::Event;
use super::process::levels;
use super::violation::Promise;
use super::workload::number_of;
use super::world::World;
use crate::replication::{Answer, Bytes, Lease, Outcome, Request};
use crate::time::Duration;

/// A row of the database.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// What the database holds.
    value: u64,
    /// What it held at least when the last deletion that was acknowledged was asked for.
    deleted: u64,
}

/// What a client is at.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Reads the cache.
    Get,
    /// Asks for the value or for leave to fill it in.
    Lease,
    /// Loads the row; `None` before the database has answered.
    Load(Lease, Option<u64>),
    /// Fills this value in.
    Fill(u64),
    /// Deletes what was there before this value, for as many times more.
    Delete(u64, u32),
}

/// A client on its way.
#[derive(Clone, Copy, Debug)]
struct Visit {
    client: usize,
    row: usize,
    stage: Stage,
    /// The oldest value that the present request may find.
    oldest: u64,
}

/// The database, and who is busy with it.
#[derive(Debug, Default)]
pub(super) struct Loads {
    rows: [Row; ROWS],
    visits: BTreeMap<u64, Visit>,
    /// Fills that were stored, and that were refused.
    pub(super) filled: u64,
    pub(super) refused: u64,
}

/// Different rows.
const ROWS: usize = 4;
/// Reads and leases that change the row instead, in a thousand.
const CHANGES: u64 = 250;
/// Deletions that failed are repeated so often.
const MAX_DELETIONS: u32 = 20;
/// What a load takes at most; one in ten takes up to `LONG`, which is more than promises last.
const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(5);

impl World<'_> {
    /// Begins to read or to change a row.
    pub(super) fn ask_load(&mut self, client: usize) {
        let row = self.rng.below(ROWS as u64) as usize;
        let stage = if self.rng.one_in_thousand(CHANGES) {
            let row = &mut self.loads.rows[row];
            row.value += 1;
            Stage::Delete(row.value, MAX_DELETIONS)
        } else {
            Stage::Get
        };
        self.go_on(Visit {
            client,
            row,
            stage,
            oldest: 0,
        });
    }

    /// Asks for what the stage needs.
    fn go_on(&mut self, visit: Visit) {
        let name = Bytes::from(row_name(visit.row).into_bytes());
        let request = match visit.stage {
            Stage::Get => Request::Get(name),
            Stage::Lease => Request::Lease(name),
            Stage::Delete(..) => Request::Delete([name].into()),
            Stage::Load(lease, Some(value)) => {
                let fill = Request::Fill {
                    key: name,
                    value: Bytes::from(value.to_be_bytes()),
                    expire_at: None,
                    lease,
                };
                let stage = Stage::Fill(value);
                return self.ask_about(Visit { stage, ..visit }, fill);
            }
            Stage::Load(_, None) | Stage::Fill(_) => return self.think(visit.client),
        };
        self.ask_about(visit, request);
    }

    fn ask_about(&mut self, mut visit: Visit, request: Request) {
        visit.oldest = self.loads.rows[visit.row].deleted;
        let id = self.note_visit(visit);
        let (levels, incarnation) = (levels(self.scenario), self.incarnation_of(visit.client));
        self.input(visit.client, incarnation, |node, now| {
            node.handle_request(now, id, request, levels);
        });
    }

    fn note_visit(&mut self, visit: Visit) -> u64 {
        self.workload.next_value += 1;
        let id = self.workload.next_value;
        self.loads.visits.insert(id, visit);
        id
    }

    /// Takes the outcome of such a request. Returns whether it was one.
    pub(super) fn complete_load(&mut self, id: u64, outcome: &Outcome) -> bool {
        let Some(visit) = self.loads.visits.remove(&id) else {
            return false;
        };
        match outcome {
            Ok(answer) => self.take_answer(visit, answer),
            Err(_) => {
                self.report.failures += 1;
                match visit.stage {
                    Stage::Delete(value, more) if more > 0 => {
                        let stage = Stage::Delete(value, more - 1);
                        self.go_on(Visit { stage, ..visit });
                    }
                    _ => self.think(visit.client),
                }
            }
        }
        true
    }

    fn take_answer(&mut self, visit: Visit, answer: &Answer) {
        match (visit.stage, answer) {
            (Stage::Get | Stage::Lease, Answer::Value(Some(value))) => {
                self.report.hits += 1;
                self.check_fresh(&visit, number_of(value), "was read");
                self.think(visit.client);
            }
            (Stage::Get, _) => {
                self.report.misses += 1;
                let stage = Stage::Lease;
                self.go_on(Visit { stage, ..visit });
            }
            (Stage::Lease, Answer::Leased(lease)) => {
                let stage = Stage::Load(*lease, None);
                self.wait_for_database(Visit { stage, ..visit });
            }
            (Stage::Fill(value), Answer::Done) => {
                self.report.writes += 1;
                self.loads.filled += 1;
                self.check_fresh(&visit, value, "was filled in");
                self.think(visit.client);
            }
            (Stage::Fill(_), _) => {
                self.loads.refused += 1;
                self.think(visit.client);
            }
            (Stage::Delete(value, _), _) => {
                self.report.writes += 1;
                let row = &mut self.loads.rows[visit.row];
                row.deleted = row.deleted.max(value);
                // One who changed a row may load it again at once.
                if self.rng.one_in_thousand(500) {
                    let stage = Stage::Lease;
                    return self.go_on(Visit { stage, ..visit });
                }
                self.think(visit.client);
            }
            _ => self.think(visit.client),
        }
    }

    /// The way to the database, or back.
    fn wait_for_database(&mut self, visit: Visit) {
        let most = if self.rng.one_in_thousand(100) {
            LONG
        } else {
            SHORT
        };
        let after = self.rng.duration_below(most / 2);
        let visit = self.note_visit(visit);
        self.schedule(after, Event::Database { visit });
    }

    /// The database looks a row up, or its answer arrives.
    pub(super) fn database(&mut self, id: u64) {
        let Some(visit) = self.loads.visits.remove(&id) else {
            return;
        };
        match visit.stage {
            Stage::Load(lease, None) => {
                let value = self.loads.rows[visit.row].value;
                let stage = Stage::Load(lease, Some(value));
                self.wait_for_database(Visit { stage, ..visit });
            }
            _ if self.now >= self.end_of_faults() => {}
            _ => self.go_on(visit),
        }
    }

    fn check_fresh(&mut self, visit: &Visit, value: u64, how: &str) {
        let Visit { row, oldest, .. } = *visit;
        if value < oldest && self.promises.fresh {
            let what = format!("row-{row}: {value} {how} after all before {oldest} was deleted");
            self.violate(Promise::FreshLoads, None, what);
        }
    }

    /// What was deleted is not there any more, at the end.
    pub(super) fn check_rows(&mut self) {
        for (row, Row { deleted, .. }) in self.loads.rows.into_iter().enumerate() {
            let name = row_name(row).into_bytes();
            let replicas = self.replicas_of(&name);
            let newest = replicas.iter().filter_map(|replica| {
                let (held, _) = self.node(*replica)?.held(&name)?;
                let held = held.filter(|held| !held.meta.unconfirmed)?;
                let value = (!held.meta.tombstone).then(|| number_of(held.value));
                Some((held.meta.version, value))
            });
            let newest = newest.max_by_key(|(version, _)| *version);
            if let Some((_, Some(value))) = newest
                && value < deleted
                && self.promises.fresh
            {
                let what = format!("row-{row} is left with {value}, deleted before {deleted}");
                self.violate(Promise::FreshLoads, None, what);
            }
        }
    }
}

/// The key of a row.
fn row_name(row: usize) -> String {
    format!("row-{row}")
}

#[cfg(test)]
mod tests {
    use super::super::{Named, Scenario, run};
    use crate::replication::Level;

    fn loading(seed: u64) -> Scenario {
        (Named::find("loading")
            .expect("it is in the catalogue")
            .scenario)(seed)
    }

    #[test]
    fn most_reads_find_what_was_filled_in() {
        let report = run(&Scenario {
            faults: super::super::Faults::none(),
            ..loading(1)
        });
        assert_eq!(report.violations, []);
        assert!(report.hits > report.misses, "{report:?}");
    }

    #[test]
    fn at_level_one_a_stale_row_may_be_found() {
        let scenario = Scenario {
            read_level: Level::One,
            ..loading(1)
        };
        assert!(!scenario.promises().fresh);
        assert!(loading(1).promises().fresh);
    }
}
