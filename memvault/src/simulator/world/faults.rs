//! What goes wrong: crashes, pauses, partitions, clocks.

use super::super::event::Event;
use super::super::process::Process;
use super::super::workload::key_name;
use super::World;
use super::links::index;
use crate::replication::{Link, NodeState};
use crate::ring::NodeIndex;
use crate::time::{Duration, Instant};

impl World<'_> {
    /// Schedules the next fault, if it comes before the end: the last seconds are calm.
    pub(super) fn schedule_fault(&mut self, mean: Option<Duration>, event: Event) {
        let Some(mean) = mean else { return };
        let after = mean / 4 + self.chance.duration_below(mean * 3 / 2);
        if self.now + after < Instant::ZERO + self.scenario.duration {
            self.schedule(after, event);
        }
    }

    pub(super) fn draw_skew(&mut self, number: usize) {
        let offset = self.chance.duration_below(self.scenario.faults.skew * 2);
        if let Some(process) = self.processes.get_mut(number) {
            process.wall_offset = offset;
        }
    }

    pub(super) fn crash(&mut self) {
        self.schedule_fault(self.scenario.faults.crash_every, Event::Crash);
        let victim = self.chance.below(self.scenario.nodes as u64) as usize;
        self.crash_member(victim);
    }

    /// Crashes the leader of a key, now and then.
    pub(in super::super) fn crash_after_write(&mut self, key: usize) {
        let is_due = self.now < Instant::ZERO + self.scenario.duration;
        if !is_due
            || !self
                .chance
                .one_in_thousand(self.scenario.faults.crash_after_write)
        {
            return;
        }
        let is_alive = |member: &usize| {
            self.processes
                .get(*member)
                .is_some_and(|process| process.node.is_some())
        };
        let alive = self
            .processes
            .iter()
            .find_map(|process| process.node.as_ref());
        let leader = alive.and_then(|node| {
            let replicas = node.ring().replicas(&key_name(key), self.scenario.replicas);
            replicas.map(NodeIndex::as_usize).find(is_alive)
        });
        if let Some(leader) = leader {
            self.crash_member(leader);
        }
    }

    fn crash_member(&mut self, victim: usize) {
        let members = self.processes.get(..self.scenario.nodes).unwrap_or(&[]);
        let serves = |process: &Process| {
            process
                .node
                .as_ref()
                .is_some_and(|node| node.state() == NodeState::Serving)
        };
        if !self.scenario.faults.crash_beyond_budget && !members.iter().all(serves) {
            return;
        }
        let Some(process) = self
            .processes
            .get_mut(victim)
            .filter(|process| process.node.is_some())
        else {
            return;
        };
        process.node = None;
        self.report.crashes += 1;
        for (id, connection) in self.network.close_all_of(victim) {
            if connection.to == victim {
                self.notify_closed(connection.from, Link::Peer(index(victim)));
            } else {
                self.notify_closed(connection.to, Link::Inbound(id));
            }
        }
        let quick = self.chance.one_in_thousand(500);
        let longest = if quick {
            Duration::from_millis(3)
        } else {
            self.scenario.faults.restart_max
        };
        let after = self.chance.duration_below(longest);
        self.schedule(after, Event::Restart { process: victim });
    }

    pub(super) fn pause(&mut self) {
        self.schedule_fault(self.scenario.faults.pause_every, Event::Pause);
        let victim = self.chance.below(self.scenario.nodes as u64) as usize;
        let until = self.now + self.chance.duration_below(self.scenario.faults.pause_max);
        if let Some(process) = self.processes.get_mut(victim) {
            process.paused_until = until;
            self.report.pauses += 1;
        }
    }

    pub(super) fn partition(&mut self) {
        self.report.partitions += 1;
        self.network
            .partition(self.scenario.nodes, &mut self.chance);
        let heal = self
            .chance
            .duration_below(self.scenario.faults.partition_max);
        self.schedule(heal, Event::Heal);
        self.schedule_fault(self.scenario.faults.partition_every, Event::Partition);
    }

    pub(super) fn skew_jump(&mut self) {
        let process = self.chance.below(self.processes.len() as u64) as usize;
        self.draw_skew(process);
        self.schedule(Duration::from_secs(2), Event::SkewJump);
    }
}
