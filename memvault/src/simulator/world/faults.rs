//! What goes wrong: crashes, pauses, partitions, clocks.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::event::Event;
use super::super::process::{Process, member_id, member_number, process_name};
use super::World;
use super::links::RESET_MAX;
use super::load::AFTERMATH;
use crate::replication::{Change, Levels, Member, Membership, Node, NodeState, Request};
use crate::slot::slot_of;
use crate::time::{Duration, Instant};

/// The operator leaves at least so many.
const FEWEST_MEMBERS: usize = 3;
/// Within this the others learn that a member has died whose machine lost its power, if nothing tells them sooner.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long a member is slow at most.
const SLOW_MAX: Duration = Duration::from_secs(2);
/// The links of a swizzle stop within this, and come back within as much again.
const SWIZZLE: Duration = Duration::from_millis(500);
/// How far a clock jumps at most, in milliseconds.
const JUMP_MAX_MS: u64 = 3_600_000;
/// How long it stays wrong at most.
const JUMP_LASTS: Duration = Duration::from_secs(3);
/// How often clocks drift within the skew.
const DRIFT_EVERY: Duration = Duration::from_secs(2);

impl World<'_> {
    /// Schedules the first of each kind of fault, and their end.
    pub(super) fn schedule_faults(&mut self) {
        let faults = self.scenario.faults;
        self.schedule_fault(faults.crash_every, Event::Crash);
        self.schedule_fault(faults.partition_every, Event::Partition);
        self.schedule_fault(faults.swizzle_every, Event::Swizzle);
        self.schedule_fault(faults.pause_every, Event::Pause);
        self.schedule_fault(faults.slow_every, Event::Slow);
        self.schedule_fault(faults.suspect_every, Event::Suspect);
        self.schedule_fault(faults.jump_every, Event::Jump);
        self.schedule_fault(faults.change_every, Event::ChangeMembers);
        self.schedule(DRIFT_EVERY, Event::Drift);
        self.schedule(self.scenario.duration, Event::Calm);
    }

    /// Schedules the next fault, if it comes before the end.
    pub(super) fn schedule_fault(&mut self, mean: Option<Duration>, event: Event) {
        let Some(mean) = mean else { return };
        let after = mean / 4 + self.rng.duration_below(mean * 3 / 2);
        if self.now + after < self.end_of_faults() {
            self.schedule(after, event);
        }
    }

    /// Everything goes well from now on: links mend, the dead come back, clocks go right.
    pub(super) fn calm(&mut self) {
        self.network.calm();
        let now = self.now;
        for process in &mut self.processes {
            process.jump_back(now);
            process.slow_until = now;
        }
        for number in 0..self.processes.len() {
            self.restart(number);
            self.wake_early(number);
        }
        self.note("all faults end");
    }

    /// A member of the cluster, drawn by lot.
    fn any_member(&mut self) -> usize {
        self.rng.below(self.scenario.nodes as u64) as usize
    }

    fn any_process(&mut self) -> usize {
        self.rng.below(self.processes.len() as u64) as usize
    }

    pub(super) fn draw_skew(&mut self, number: usize) {
        let offset = self.rng.duration_below(self.scenario.faults.skew * 2);
        if let Some(process) = self.processes.get_mut(number) {
            process.wall_offset = offset;
        }
    }

    pub(super) fn crash(&mut self) {
        self.schedule_fault(self.scenario.faults.crash_every, Event::Crash);
        let victim = self.rng.below(self.scenario.nodes as u64) as usize;
        self.crash_member(victim);
    }

    /// Crashes the leader of a key, now and then.
    pub(in super::super) fn crash_after_write(&mut self, key: usize) {
        let is_due = self.now < self.end_of_faults();
        if !is_due
            || !self
                .rng
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
            let slot = slot_of(&self.scenario.key_name(key));
            let mut replicas = node.slots().replicas(slot).iter();
            replicas.find_map(|index| member_number(&node.address(*index)).filter(is_alive))
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
        process.excused_until = Instant::ZERO + Duration::MAX;
        self.report.crashes += 1;
        self.note_about(victim, "crashes");
        let is_silent = self.rng.one_in_thousand(self.scenario.faults.silent_crash);
        let longest = if is_silent { SILENCE_MAX } else { RESET_MAX };
        for (id, connection) in self.network.close_all_of(victim) {
            self.notify_closed(connection.peer_of(victim), id, longest);
        }
        self.fail_questions_to(victim);
        let quick = self.rng.one_in_thousand(500);
        let longest = if quick {
            Duration::from_millis(3)
        } else {
            self.scenario.faults.restart_max
        };
        let after = self.rng.duration_below(longest);
        self.schedule(after, Event::Restart { process: victim });
    }

    /// Whether every member serves, and the process that joins is the one that began to.
    fn all_serve(&self) -> bool {
        let Some(membership) = self.latest_membership() else {
            return false;
        };
        let process = |id: &str| member_number(id).and_then(|number| self.processes.get(number));
        let serves = |process: &Process| {
            let node = process.node.as_ref();
            node.is_some_and(|node| node.state() == NodeState::Serving)
        };
        let joins = match &membership.change {
            Some(Change::Joining {
                member,
                incarnation,
            }) => process(&member.id).is_some_and(|process| {
                process.node.is_some() && process.incarnation == *incarnation
            }),
            _ => true,
        };
        let mut members = membership.members.iter();
        joins && members.all(|member| process(&member.id).is_some_and(serves))
    }

    /// The member list of the latest epoch that anyone alive goes by.
    pub(super) fn latest_membership(&self) -> Option<&Membership> {
        let nodes = self
            .processes
            .iter()
            .filter_map(|process| process.node.as_ref());
        nodes
            .map(Node::membership)
            .max_by_key(|membership| membership.epoch)
    }

    /// An operator gives a random member a command, sensible or not.
    pub(super) fn change_members(&mut self) {
        self.schedule_fault(self.scenario.faults.change_every, Event::ChangeMembers);
        let Some(membership) = self.latest_membership().cloned() else {
            return;
        };
        let number = self.rng.below(self.scenario.nodes as u64) as usize;
        let asked = self.rng.below(self.scenario.nodes as u64) as usize;
        let id = member_id(number);
        let request = if !membership.has_member(&id) {
            Request::AddMember(Member::new(id))
        } else if membership.members.len() > FEWEST_MEMBERS {
            Request::RemoveMember(id)
        } else {
            return;
        };
        let incarnation = self.incarnation_of(asked);
        // Nobody waits for the outcome: whether it came about shows in the membership.
        self.input(asked, incarnation, |node, now| {
            node.handle_request(now, u64::MAX, request, Levels::default());
        });
    }

    pub(super) fn pause(&mut self) {
        self.schedule_fault(self.scenario.faults.pause_every, Event::Pause);
        let victim = self.any_process();
        let lasts = self.rng.duration_below(self.scenario.faults.pause_max);
        let until = (self.now + lasts).min(self.end_of_faults());
        if let Some(process) = self.processes.get_mut(victim) {
            process.paused_until = process.paused_until.max(until);
            process.excused_until = process.excused_until.max(until + AFTERMATH);
            self.report.pauses += 1;
        }
        self.note_about(
            victim,
            &format!("stands still for {} ms", lasts.as_millis()),
        );
    }

    pub(super) fn partition(&mut self) {
        self.report.partitions += 1;
        let (side, one_way) = self.network.partition(self.scenario.nodes, &mut self.rng);
        let names: Vec<String> = (0..)
            .zip(side)
            .filter(|(_, is_in)| *is_in)
            .map(|(number, _)| process_name(self.scenario, number))
            .collect();
        let how = if one_way {
            ", who still hear the rest"
        } else {
            ""
        };
        self.note(&format!("partition of {names:?}{how}"));
        let heal = self.rng.duration_below(self.scenario.faults.partition_max);
        self.schedule(heal, Event::Heal);
        self.schedule_fault(self.scenario.faults.partition_every, Event::Partition);
    }

    pub(super) fn heal(&mut self) {
        self.network.heal();
        self.note("partitions heal");
    }

    pub(super) fn swizzle(&mut self) {
        self.schedule_fault(self.scenario.faults.swizzle_every, Event::Swizzle);
        self.report.partitions += 1;
        let victim = self.any_member();
        self.note_about(victim, "loses its links one by one");
        for other in (0..self.processes.len()).filter(|other| *other != victim) {
            for (from, to) in [(victim, other), (other, victim)] {
                let (stop, mend) = (
                    self.rng.duration_below(SWIZZLE),
                    SWIZZLE + self.rng.duration_below(SWIZZLE),
                );
                for (after, is_cut) in [(stop, true), (mend, false)] {
                    self.schedule(after, Event::Cut { from, to, is_cut });
                }
            }
        }
    }

    pub(super) fn slow(&mut self) {
        self.schedule_fault(self.scenario.faults.slow_every, Event::Slow);
        let victim = self.any_member();
        let lasts = self.rng.duration_below(SLOW_MAX);
        if let Some(process) = self.processes.get_mut(victim) {
            process.slow_until = self.now + lasts;
        }
        self.note_about(victim, &format!("is slow for {} ms", lasts.as_millis()));
    }

    pub(super) fn suspect(&mut self) {
        self.schedule_fault(self.scenario.faults.suspect_every, Event::Suspect);
        let (process, member) = (self.any_process(), self.any_member());
        let incarnation = self.incarnation_of(process);
        let member = self.index(process, member);
        self.input(process, incarnation, |node, now| node.suspect(now, member));
    }

    pub(super) fn drift(&mut self) {
        if self.now < self.end_of_faults() {
            let process = self.any_process();
            self.draw_skew(process);
            self.schedule(DRIFT_EVERY, Event::Drift);
        }
    }

    pub(super) fn jump(&mut self) {
        self.schedule_fault(self.scenario.faults.jump_every, Event::Jump);
        let victim = self.any_process();
        let far = i64::try_from(self.rng.below(JUMP_MAX_MS)).unwrap_or(0);
        let jump = if self.rng.one_in_thousand(500) {
            far
        } else {
            -far
        };
        if let Some(process) = self.processes.get_mut(victim) {
            process.jump(jump);
            self.report.jumps += 1;
        }
        self.note_about(victim, &format!("has a clock that jumps by {jump} ms"));
        let after = self.rng.duration_below(JUMP_LASTS);
        self.schedule(after, Event::JumpBack { process: victim });
    }

    pub(super) fn jump_back(&mut self, number: usize) {
        let now = self.now;
        if let Some(process) = self.processes.get_mut(number) {
            process.jump_back(now);
        }
        self.note_about(number, "has a clock that is right again");
    }

    /// When faults and requests end.
    pub(in super::super) fn end_of_faults(&self) -> Instant {
        Instant::ZERO + self.scenario.duration
    }
}
