//! [`Engine`]: whatever carries out the commands on keys for a [`Connection`](super::Connection).

use alloc::vec::Vec;
use core::fmt::Display;
use core::hash::BuildHasher;

use super::calls::{ErrorCode, Fault};
use super::info::{Fields, Section};
use super::store_info::StoreInfo;
use crate::command::{CommandError, Data, Name, SettingError};
use crate::consistency::Levels;
use crate::resp::{Args, Protocol};
use crate::store::Store;
use crate::time::Timestamp;

/// A command on keys, as a client sent it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The present.
    pub now: Timestamp,
    /// The version of the protocol that the reply has to be in.
    pub protocol: Protocol,
    /// The levels that the client has chosen; `None` leaves them to the engine.
    pub levels: Option<Levels>,
    /// The arguments as they came, for an engine that passes them on.
    pub args: Args<'a>,
    /// What they mean.
    pub command: Data<'a>,
}

/// What became of a [`Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// It is carried out, and its reply is in the output.
    Done,
    /// It is under way, and nothing was written: the reply will be supplied under this id by
    /// [`Connection::complete`](super::Connection::complete). Higher than all before on this connection.
    Deferred(u64),
}

/// Carries out commands on keys, and knows the facts about the node that `INFO` and `CONFIG` tell.
///
/// [`Store`] is one that never defers. A server of several threads defers what another thread has to do; a
/// node of a cluster defers what it has to ask others for.
pub trait Engine {
    /// Whether commands of one connection on the same key take effect in the order in which they were
    /// executed, also while they are deferred. If not, the connection holds a command back until those
    /// before it on the same key are done, unless all of them only read, or only write.
    const KEEPS_ORDER: bool = true;

    /// Whether commands on very many keys or bytes are cut into slices by the connection, and other connections get
    /// their turn between two of them. A command on up to [`SLICE_KEYS`](super::SLICE_KEYS) keys and
    /// [`SLICE_LEN`](super::SLICE_LEN) bytes takes effect at once, where one command does.
    const CUTS_WIDE: bool = false;

    /// Keys of a slice, where commands are cut.
    const SLICE_KEYS: usize = super::SLICE_KEYS;

    /// Whether a slice can fail by itself. Then the values of an `MGET` are kept until all are there, and one that
    /// failed makes the reply an error; otherwise they go to the client as they come.
    const SLICES_FAIL: bool = false;

    /// Whether it ever defers.
    const DEFERS: bool = true;

    /// Keys of a command above which the engine refuses it whole, without any effect. Then a connection need not cut it
    /// or put it in order with others.
    fn max_keys(&self) -> usize {
        usize::MAX
    }

    /// Why a command would be refused whole; asked before its first slice is carried out.
    fn refusal(&self, _command: &Data<'_>) -> Option<CommandError<'static>> {
        None
    }

    /// Carries out a command: appends its reply to `out`, or defers it and appends nothing.
    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution;

    /// Whether it takes a further command of this connection, while others are [deferred](Execution::Deferred). If not,
    /// the connection holds it back until one of those is done.
    fn has_room(&self) -> bool {
        true
    }

    /// The levels of requests for which a client has chosen none; `None` if there is nothing to choose.
    fn levels(&self) -> Option<Levels>;

    /// Tells what it knows for a section of `INFO`.
    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>);

    /// Shows each of its settings, by name and value, for `CONFIG GET`.
    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display));

    /// Changes a setting, for `CONFIG SET`. `name` is one that [`settings`](Self::settings) shows, in lower
    /// case.
    ///
    /// # Errors
    /// If the setting is fixed or cannot take the value; it stays as it is then.
    fn change_setting(&mut self, name: &str, value: &[u8]) -> Result<(), SettingError>;

    /// Sets the counters to zero, for `CONFIG RESETSTAT`.
    fn reset_statistics(&mut self);

    /// Takes note that a connection has executed `commands` commands, of whatever kind.
    fn count_commands(&mut self, commands: u64);

    /// Takes note that a command was carried out or is under way. Only an engine that tells `commandstats` needs to.
    #[inline]
    fn count_call(&mut self, _name: Name) {}

    /// Takes note that a command, if it was one, was answered with an error. A [deferred](Execution::Deferred) reply is
    /// not among these: the supplier is told what it [is](super::Connection::complete).
    fn count_error(&mut self, _name: Option<Name>, _fault: Fault, _code: ErrorCode) {}

    /// Takes note that a client at `address` sent what browsers send, `POST` or `Host:`. It is closed without an
    /// answer, and nothing of what follows is executed.
    fn notice_web_page(&mut self, _address: &str) {}
}

impl<S: BuildHasher> Engine for Store<S> {
    const CUTS_WIDE: bool = true;
    const DEFERS: bool = false;

    fn refusal(&self, command: &Data<'_>) -> Option<CommandError<'static>> {
        Self::refusal(self, command)
    }

    #[inline]
    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        Self::execute(self, call.now, call.protocol, &call.command, out);
        Execution::Done
    }

    fn levels(&self) -> Option<Levels> {
        None
    }

    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        StoreInfo::of_store(self).write(now, section, fields);
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        StoreInfo::of_store(self).settings(show);
    }

    fn change_setting(&mut self, name: &str, value: &[u8]) -> Result<(), SettingError> {
        let (max_bytes, max_entries) = StoreInfo::of_store(self).changed_limits(name, value)?;
        self.set_limits(max_bytes, max_entries);
        Ok(())
    }

    fn reset_statistics(&mut self) {
        Self::reset_statistics(self);
    }

    fn count_commands(&mut self, commands: u64) {
        Self::count_commands(self, commands);
    }
}
