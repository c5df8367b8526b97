//! A shard as the engine of one client: own keys at once, others' keys by mail.

use std::cell::{RefCell, RefMut};
use std::fmt::Display;
use std::rc::Rc;

use ahash::RandomState;
use memvault::command::{Gather, OwnedArgs, Part, Placement, SettingError, place};
use memvault::connection::{Call, Engine, Execution, Fields, Section};
use memvault::replication::Levels;
use memvault::store::Store;
use memvault::time::Timestamp;

use super::limits::Limits;
use super::mailbox::lock;
use super::message::{Message, RemoteCommand};
use super::shard::{Shard, Waiting};
use crate::driver::ReplySink;

/// For one turn of one client.
pub(in crate::server) struct ShardEngine<'a> {
    shard: &'a Shard,
    store: RefMut<'a, Store<RandomState>>,
    caller: &'a Rc<dyn ReplySink>,
}

impl Shard {
    /// Has `process` use this shard as the engine of one client.
    pub(in crate::server) fn with_engine<R>(
        &self,
        caller: &Rc<dyn ReplySink>,
        process: impl FnOnce(&mut ShardEngine<'_>) -> R,
    ) -> R {
        let result = process(&mut ShardEngine::new(self, caller));
        self.publish(&self.store.borrow());
        result
    }
}

impl<'a> ShardEngine<'a> {
    fn new(shard: &'a Shard, caller: &'a Rc<dyn ReplySink>) -> Self {
        let store = shard.store.borrow_mut();
        Self {
            shard,
            store,
            caller,
        }
    }

    fn send(
        &self,
        thread: usize,
        call: &Call<'_>,
        args: OwnedArgs,
        request: u64,
        part: Option<(Rc<RefCell<Gather>>, usize)>,
    ) {
        let command = RemoteCommand {
            now: call.now,
            protocol: call.protocol,
            args,
        };
        let caller = Rc::clone(self.caller);
        let waiting = Waiting {
            caller,
            request,
            part,
        };
        self.shard.send(thread, command, waiting);
    }

    /// Carries out what is this thread's own, and sends off the rest.
    fn scatter(&mut self, call: &Call<'_>, parts: Vec<Part>, gather: Gather) -> Execution {
        let request = self.shard.next_request();
        let gather = Rc::new(RefCell::new(gather));
        for (position, Part { shard, args }) in parts.into_iter().enumerate() {
            if shard == self.shard.number {
                let command = RemoteCommand {
                    now: call.now,
                    protocol: call.protocol,
                    args,
                };
                let mut reply = Vec::new();
                self.shard.run(&mut self.store, &command, &mut reply);
                gather.borrow_mut().add(position, &reply);
            } else {
                let part = (Rc::clone(&gather), position);
                self.send(shard, call, args, request, Some(part));
            }
        }
        // Not all parts can be this thread's own, so that the last answer is still to come.
        Execution::Deferred(request)
    }
}

impl Engine for ShardEngine<'_> {
    const CUTS_WIDE: bool = true;

    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        let shards = &self.shard.shards;
        let shard_of = |key: &[u8]| shards.place(key);
        match place(&call.args, &call.command, shards.len(), shard_of) {
            Placement::One(own) if own == self.shard.number => {
                self.store
                    .execute(call.now, call.protocol, &call.command, out);
                Execution::Done
            }
            Placement::One(other) => {
                let request = self.shard.next_request();
                self.send(other, call, OwnedArgs::from(&call.args), request, None);
                Execution::Deferred(request)
            }
            Placement::Several(parts, gather) => self.scatter(call, parts, gather),
        }
    }

    fn levels(&self) -> Option<Levels> {
        None
    }

    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        self.shard.publish(&self.store);
        self.shard.shards.store_info().write(now, section, fields);
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        self.shard.shards.settings().settings(show);
    }

    fn change_setting(&mut self, name: &str, value: &[u8]) -> Result<(), SettingError> {
        let shards = &self.shard.shards;
        let (max_bytes, max_entries) = shards.settings().changed_limits(name, value)?;
        *lock(&shards.limits) = Limits {
            max_bytes,
            max_entries,
        };
        self.shard.apply_limits(&mut self.store);
        self.shard.post_to_others(|| Message::NewLimits);
        Ok(())
    }

    fn reset_statistics(&mut self) {
        self.store.reset_statistics();
        self.shard.shards.forget_statistics();
        self.shard.post_to_others(|| Message::ResetStatistics);
    }

    fn count_commands(&mut self, commands: u64) {
        self.store.count_commands(commands);
    }
}
