//! What goes wrong: crashes, pauses, partitions, clocks.

use super::super::event::Event;
use super::super::process::{Process, member_id, member_number};
use super::super::workload::key_name;
use super::World;
use crate::replication::{Change, Document, Levels, Link, Member, Node, NodeState, Request};
use crate::time::{Duration, Instant};

/// The operator leaves at least so many.
const FEWEST_MEMBERS: usize = 3;

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
            let mut replicas = node.ring().replicas(&key_name(key), self.scenario.replicas);
            replicas.find_map(|index| member_number(&node.address(index)).filter(is_alive))
        });
        if let Some(leader) = leader {
            self.crash_member(leader);
        }
    }

    fn crash_member(&mut self, victim: usize) {
        if !self.scenario.faults.crash_beyond_budget && !self.all_serve() {
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
                let link = Link::Peer(self.index(connection.from, victim));
                self.notify_closed(connection.from, link);
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

    /// Whether every member serves, and the process that joins is the one that began to.
    fn all_serve(&self) -> bool {
        let Some(document) = self.latest_document() else {
            return false;
        };
        let process = |id: &str| member_number(id).and_then(|number| self.processes.get(number));
        let serves = |process: &Process| {
            let node = process.node.as_ref();
            node.is_some_and(|node| node.state() == NodeState::Serving)
        };
        let joins = match &document.change {
            Some(Change::Joining { member, boot }) => process(&member.id)
                .is_some_and(|process| process.node.is_some() && process.boot == *boot),
            _ => true,
        };
        let mut members = document.members.iter();
        joins && members.all(|member| process(&member.id).is_some_and(serves))
    }

    /// The member list of the latest epoch that anyone alive goes by.
    fn latest_document(&self) -> Option<&Document> {
        let nodes = self
            .processes
            .iter()
            .filter_map(|process| process.node.as_ref());
        nodes
            .map(Node::document)
            .max_by_key(|document| document.epoch)
    }

    /// An operator gives a random member a command, sensible or not.
    pub(super) fn change_members(&mut self) {
        self.schedule_fault(self.scenario.faults.change_every, Event::ChangeMembers);
        let Some(document) = self.latest_document().cloned() else {
            return;
        };
        let number = self.chance.below(self.scenario.nodes as u64) as usize;
        let asked = self.chance.below(self.scenario.nodes as u64) as usize;
        let id = member_id(number);
        let request = if !document.has_member(&id) {
            Request::AddMember(Member::new(id))
        } else if document.members.len() > FEWEST_MEMBERS {
            Request::RemoveMember(id)
        } else {
            return;
        };
        let boot = self.boot_of(asked);
        // Nobody waits for the outcome: whether it came about shows in the document.
        self.input(asked, boot, |node, now| {
            node.handle_request(now, u64::MAX, request, Levels::default());
        });
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
