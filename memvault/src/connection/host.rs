//! [`Hosted`]: an [`Engine`] and what its server knows beside it.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Display;

use super::calls::{ErrorCode, Fault};
use super::engine::{Call, Engine, Execution};
use super::info::{Fields, Section};
use crate::command::{CommandError, Data, Name, SettingError, memory_share};
use crate::consistency::Levels;
use crate::time::Timestamp;

/// What a server knows that its engine does not: the process, the clients, its own limits.
pub trait Host {
    /// Tells what it knows for a section of `INFO`; the engine's lines follow.
    fn info(&self, section: Section, fields: &mut Fields<'_>);

    /// Shows each of its settings, by name and value, for `CONFIG GET`. They are fixed.
    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display));

    /// Sets its counters to zero, for `CONFIG RESETSTAT`.
    fn reset_statistics(&self) {}

    /// Bytes of memory that the process may have, for settings that are a share of it; `None` if it is not known.
    fn memory_limit(&self) -> Option<u64> {
        None
    }

    /// As [`Engine::count_call`].
    #[inline]
    fn count_call(&self, _name: Name) {}

    /// As [`Engine::count_error`].
    fn count_error(&self, _name: Option<Name>, _fault: Fault, _code: ErrorCode) {}

    /// As [`Engine::notice_web_page`].
    fn notice_web_page(&self, _address: &str) {}
}

/// An engine together with its host, for one call of [`Connection::process`](super::Connection::process).
#[derive(Debug)]
pub struct Hosted<'a, E, H: ?Sized> {
    /// Carries out the commands on keys.
    pub engine: &'a mut E,
    /// Knows the rest.
    pub host: &'a H,
}

impl<E: Engine, H: Host + ?Sized> Engine for Hosted<'_, E, H> {
    const KEEPS_ORDER: bool = E::KEEPS_ORDER;
    const CUTS_WIDE: bool = E::CUTS_WIDE;
    const SLICE_KEYS: usize = E::SLICE_KEYS;
    const SLICES_FAIL: bool = E::SLICES_FAIL;
    const DEFERS: bool = E::DEFERS;

    fn max_keys(&self) -> usize {
        self.engine.max_keys()
    }

    fn refusal(&self, command: &Data<'_>) -> Option<CommandError<'static>> {
        self.engine.refusal(command)
    }

    #[inline]
    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        self.engine.execute(call, out)
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.engine.has_room()
    }

    fn levels(&self) -> Option<Levels> {
        self.engine.levels()
    }

    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        self.host.info(section, fields);
        self.engine.info(now, section, fields);
    }

    fn settings(&self, show: &mut dyn FnMut(&str, &dyn Display)) {
        self.host.settings(show);
        self.engine.settings(show);
    }

    fn change_setting(&mut self, name: &str, value: &[u8]) -> Result<(), SettingError> {
        let mut is_fixed = false;
        self.host
            .settings(&mut |fixed, _| is_fixed |= fixed == name);
        if is_fixed {
            return Err(SettingError::Immutable);
        }
        if name == "maxmemory"
            && let Some(bytes) = memory_share(value, || self.host.memory_limit())
        {
            let bytes = bytes.to_string();
            return self.engine.change_setting(name, bytes.as_bytes());
        }
        self.engine.change_setting(name, value)
    }

    fn reset_statistics(&mut self) {
        self.host.reset_statistics();
        self.engine.reset_statistics();
    }

    fn count_commands(&mut self, commands: u64) {
        self.engine.count_commands(commands);
    }

    #[inline]
    fn count_call(&mut self, name: Name) {
        self.host.count_call(name);
    }

    fn count_error(&mut self, name: Option<Name>, fault: Fault, code: ErrorCode) {
        self.host.count_error(name, fault, code);
    }

    fn notice_web_page(&mut self, address: &str) {
        self.host.notice_web_page(address);
    }
}
