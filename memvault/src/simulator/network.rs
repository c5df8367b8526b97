//! Simulated connections: who can reach whom, and how long a message takes.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::faults::Faults;
use super::pipe::Pipe;
use super::scenario::Scenario;
use crate::rng::Rng;
use crate::time::Duration;

/// One connection from a process to a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Who has closed it, while the other side has yet to learn of it.
    closed_by: Option<usize>,
}

/// All connections, and which directions are cut.
pub(super) struct Network {
    faults: Faults,
    open: BTreeMap<u64, Connection>,
    outbound: BTreeMap<(usize, usize), u64>,
    /// Of connections with a width: by connection, and whether towards the member.
    pipes: BTreeMap<(u64, bool), Pipe>,
    /// Whether nothing passes anything on those.
    is_in_order: bool,
    cut: Vec<Vec<bool>>,
    next: u64,
}

impl Connection {
    /// The other end.
    pub(super) const fn peer_of(&self, process: usize) -> usize {
        if self.from == process {
            self.to
        } else {
            self.from
        }
    }

    /// Whether what is sent to this end still arrives.
    pub(super) fn is_open_at(&self, process: usize) -> bool {
        self.closed_by != Some(process)
    }
}

/// The least that a message takes.
const LATENCY: Duration = Duration::from_micros(100);

impl Network {
    pub(super) fn new(processes: usize, scenario: &Scenario) -> Self {
        Self {
            faults: scenario.faults,
            is_in_order: !scenario.lets_small_pass(),
            open: BTreeMap::new(),
            outbound: BTreeMap::new(),
            pipes: BTreeMap::new(),
            cut: vec![vec![false; processes]; processes],
            next: 0,
        }
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) -> u64 {
        self.next += 1;
        let connection = Connection {
            from,
            to,
            closed_by: None,
        };
        self.open.insert(self.next, connection);
        self.outbound.insert((from, to), self.next);
        self.next
    }

    pub(super) fn connection(&self, id: u64) -> Option<Connection> {
        self.open.get(&id).copied()
    }

    pub(super) fn outbound(&self, from: usize, to: usize) -> Option<u64> {
        self.outbound.get(&(from, to)).copied()
    }

    /// One side closes a connection. Returns it if the other side has to be told: what was sent to that one
    /// before still arrives until then.
    pub(super) fn close(&mut self, id: u64, by: usize) -> Option<Connection> {
        let connection = self.open.get_mut(&id)?;
        if connection.closed_by.is_some_and(|other| other != by) {
            self.forget(id);
            return None;
        }
        let is_news = connection.closed_by.replace(by).is_none();
        let connection = *connection;
        if connection.from == by {
            self.forget_outbound(id, connection);
        }
        is_news.then_some(connection)
    }

    /// The other side has learnt that a connection is closed.
    pub(super) fn forget(&mut self, id: u64) {
        if let Some(connection) = self.open.remove(&id) {
            self.forget_outbound(id, connection);
        }
        self.pipes.remove(&(id, true));
        self.pipes.remove(&(id, false));
    }

    /// One direction of a connection with a width.
    pub(super) fn pipe(&mut self, id: u64, to_member: bool) -> Option<&mut Pipe> {
        let is_there = self.open.contains_key(&id);
        let is_in_order = self.is_in_order;
        let pipe = self.pipes.entry((id, to_member));
        is_there.then(|| pipe.or_insert_with(|| Pipe::new(is_in_order)))
    }

    /// What a chunk takes from one end to the other, once it has left.
    pub(super) const fn latency(&self) -> Duration {
        self.faults.delay
    }

    fn forget_outbound(&mut self, id: u64, connection: Connection) {
        let ends = (connection.from, connection.to);
        if self.outbound.get(&ends) == Some(&id) {
            self.outbound.remove(&ends);
        }
    }

    /// Closes all connections of a process that died. Returns those whose other side has to be told.
    pub(super) fn close_all_of(&mut self, process: usize) -> Vec<(u64, Connection)> {
        let is_end =
            |connection: &Connection| connection.from == process || connection.to == process;
        let open = self.open.iter();
        let ids: Vec<u64> = open
            .filter(|(_, connection)| is_end(connection))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter()
            .filter_map(|id| self.close(id, process).map(|connection| (id, connection)))
            .collect()
    }

    /// When each copy of a message arrives, if it does; there may be two.
    pub(super) fn deliveries(
        &self,
        from: usize,
        to: usize,
        slowness: u32,
        rng: &mut Rng,
    ) -> [Option<Duration>; 2] {
        let is_doubled = rng.one_in_thousand(self.faults.duplicate);
        [true, is_doubled].map(|is_sent| {
            if !is_sent || self.is_cut(from, to) || rng.one_in_thousand(self.faults.loss) {
                return None;
            }
            if rng.one_in_thousand(self.faults.straggle) {
                return Some(rng.duration_below(self.faults.straggle_max));
            }
            let jitter = self.faults.delay.saturating_sub(LATENCY) * 2;
            Some((LATENCY + rng.duration_below(jitter)) * slowness)
        })
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut
            .get(from)
            .and_then(|row| row.get(to))
            .copied()
            .unwrap_or(false)
    }

    /// Cuts or mends one direction between two processes.
    pub(super) fn set_cut(&mut self, from: usize, to: usize, is_cut: bool) {
        let cell = self.cut.get_mut(from).and_then(|row| row.get_mut(to));
        if let Some(cell) = cell {
            *cell = is_cut;
        }
    }

    /// Nothing goes wrong from now on.
    pub(super) fn calm(&mut self) {
        self.faults = Faults::none();
        self.heal();
    }

    /// Cuts a random part of the processes off from the rest, sometimes in one direction only. Returns the
    /// part, and whether it still hears the rest.
    pub(super) fn partition(&mut self, members: usize, rng: &mut Rng) -> (Vec<bool>, bool) {
        let isolate = rng
            .one_in_thousand(500)
            .then(|| rng.below(members as u64) as usize);
        let one_way = rng.one_in_thousand(300);
        let mut side = Vec::new();
        for process in 0..self.cut.len() {
            side.push(isolate.map_or_else(|| rng.one_in_thousand(400), |who| who == process));
        }
        for (row, from) in self.cut.iter_mut().zip(&side) {
            for (cut, to) in row.iter_mut().zip(&side) {
                *cut = *from && !*to || !one_way && !*from && *to;
            }
        }
        (side, one_way)
    }

    pub(super) fn heal(&mut self) {
        for row in &mut self.cut {
            row.fill(false);
        }
    }
}
