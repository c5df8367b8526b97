//! What is counted of commands and of errors, for `INFO commandstats` and `INFO errorstats`.
//!
//! Place: a [`Connection`](super::Connection) tells its [`Engine`](super::Engine) of each command and of each error
//! reply; the one that counts them, a [`Host`](super::Host) as a rule, gives the sums as [`CallStatistics`].

use alloc::collections::BTreeMap;
use core::fmt;

use super::info::{Fields, Section};
use crate::command::{Name, all};

/// How many commands there are.
const COMMANDS: usize = all().len();

/// What there is to count of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCount {
    /// How often it was carried out, with success or without.
    pub calls: u64,
    /// The time that was spent on that, in nanoseconds.
    pub nanos: u64,
    /// How often it was refused before anything was done: it had too few arguments, or too many.
    pub rejected: u64,
    /// How many of the calls were answered with an error.
    pub failed: u64,
}

/// Why a command was answered with an error.
///
/// Complete: the two that `INFO commandstats` of Redis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It was not carried out.
    Rejected,
    /// It was carried out, and failed.
    Failed,
}

/// The first word of an error reply, such as `ERR` or `NOQUORUM`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErrorCode {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

/// The counts of all commands and of all errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStatistics {
    counts: [CallCount; COMMANDS],
    errors: BTreeMap<ErrorCode, u64>,
}

/// A reply that was deferred has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The command that it answers.
    pub name: Name,
    /// Which error it is, if it is one.
    pub error: Option<ErrorCode>,
}

impl ErrorCode {
    /// Longest code, in bytes; a longer one is cut off.
    pub const MAX_LEN: usize = 23;

    /// The code of a reply; `None` if it is no error.
    ///
    /// ```
    /// use memvault::connection::ErrorCode;
    ///
    /// let code = ErrorCode::of_reply(b"-NOQUORUM 1 of 2 replicas\r\n");
    /// assert_eq!(code.map(|code| code.to_string()).as_deref(), Some("NOQUORUM"));
    /// assert_eq!(ErrorCode::of_reply(b"+OK\r\n"), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn of_reply(reply: &[u8]) -> Option<Self> {
        match reply {
            [b'-', text @ ..] => Some(Self::of_text(text)),
            _ => None,
        }
    }

    #[cold]
    fn of_text(text: &[u8]) -> Self {
        let is_of_code = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let word = text.iter().take_while(|byte| is_of_code(byte));
        let mut code = Self {
            bytes: [0; Self::MAX_LEN],
            len: 0,
        };
        for (place, byte) in code.bytes.iter_mut().zip(word) {
            *place = *byte;
            code.len += 1;
        }
        code
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.get(..self.len.into()).unwrap_or_default();
        bytes
            .iter()
            .try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for CallStatistics {
    fn default() -> Self {
        Self {
            counts: [CallCount::default(); COMMANDS],
            errors: BTreeMap::new(),
        }
    }
}

impl CallStatistics {
    /// Most different codes that are counted apart; what is beyond counts as `OTHER`.
    pub const MAX_CODES: usize = 128;

    /// The counts of a command.
    #[must_use]
    pub const fn of(&self, name: Name) -> &CallCount {
        &self.counts[name as usize]
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, name: Name) -> &mut CallCount {
        &mut self.counts[name as usize]
    }

    /// All commands with their counts, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &CallCount)> {
        all().iter().map(|spec| spec.id).zip(&self.counts)
    }

    /// How often there was each error.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        self.errors.iter().map(|(code, count)| (*code, *count))
    }

    /// Adds to the count of an error.
    pub fn add_errors(&mut self, code: ErrorCode, count: u64) {
        let is_new = !self.errors.contains_key(&code);
        let code = match is_new && self.errors.len() >= Self::MAX_CODES {
            true => ErrorCode::of_text(b"OTHER"),
            false => code,
        };
        *self.errors.entry(code).or_default() += count;
    }

    /// Adds other counts, such as those of another thread.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            sum.calls += count.calls;
            sum.nanos += count.nanos;
            sum.rejected += count.rejected;
            sum.failed += count.failed;
        }
        other
            .errors()
            .for_each(|(code, count)| self.add_errors(code, count));
    }

    /// What was counted since `before`, which are earlier counts of the same.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        for (count, before) in self.counts.iter_mut().zip(&before.counts) {
            count.calls = count.calls.saturating_sub(before.calls);
            count.nanos = count.nanos.saturating_sub(before.nanos);
            count.rejected = count.rejected.saturating_sub(before.rejected);
            count.failed = count.failed.saturating_sub(before.failed);
        }
        for (code, before) in before.errors() {
            if let Some(count) = self.errors.get_mut(&code) {
                *count = count.saturating_sub(before);
            }
        }
        self.errors.retain(|_, count| *count > 0);
        self
    }

    /// Writes the lines of the sections that tell of commands and errors, as Redis writes them; none for another.
    pub fn write(&self, section: Section, fields: &mut Fields<'_>) {
        match section {
            Section::Commandstats => self.write_commands(fields),
            Section::Errorstats => {
                for (code, count) in self.errors() {
                    fields.field(
                        &alloc::format!("errorstat_{code}"),
                        format_args!("count={count}"),
                    );
                }
            }
            Section::Stats => {
                let errors: u64 = self.errors().map(|(_, count)| count).sum();
                fields.field("total_error_replies", errors);
            }
            _ => {}
        }
    }

    fn write_commands(&self, fields: &mut Fields<'_>) {
        for (name, count) in self.iter() {
            let CallCount {
                calls,
                nanos,
                rejected,
                failed,
            } = *count;
            if calls + rejected + failed == 0 {
                continue;
            }
            let micros = nanos as f64 / 1e3;
            let value = format_args!(
                "calls={calls},usec={micros:.0},usec_per_call={:.2},rejected_calls={rejected},failed_calls={failed}",
                micros / calls.max(1) as f64
            );
            fields.field(&alloc::format!("cmdstat_{}", name.spec()), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;

    fn text(statistics: &CallStatistics, section: Section) -> String {
        let mut text = String::new();
        statistics.write(section, &mut Fields::new(&mut text));
        text
    }

    #[test]
    fn only_what_was_called_is_told_with_all_fields() {
        let mut statistics = CallStatistics::default();
        *statistics.of_mut(Name::Get) = CallCount {
            calls: 3,
            nanos: 10_400,
            rejected: 0,
            failed: 1,
        };
        statistics.of_mut(Name::Set).rejected = 2;
        assert_eq!(
            text(&statistics, Section::Commandstats),
            "cmdstat_get:calls=3,usec=10,usec_per_call=3.47,rejected_calls=0,failed_calls=1\r\n\
             cmdstat_set:calls=0,usec=0,usec_per_call=0.00,rejected_calls=2,failed_calls=0\r\n"
        );
    }

    #[test]
    fn errors_are_counted_by_their_first_word() {
        let mut statistics = CallStatistics::default();
        for reply in ["-ERR x", "-ERR", "-NOQUORUM 1 of 2", "-", "-x-y"] {
            let code = ErrorCode::of_reply(reply.as_bytes()).expect("an error");
            statistics.add_errors(code, 1);
        }
        assert_eq!(
            text(&statistics, Section::Errorstats),
            "errorstat_:count=1\r\nerrorstat_ERR:count=2\r\nerrorstat_NOQUORUM:count=1\r\nerrorstat_x:count=1\r\n"
        );
        assert_eq!(
            text(&statistics, Section::Stats),
            "total_error_replies:5\r\n"
        );
    }

    #[test]
    fn codes_that_differ_without_end_are_counted_together() {
        let mut statistics = CallStatistics::default();
        for number in 0..1000 {
            let reply = alloc::format!("-E{number} {}", "long".repeat(100));
            let code = ErrorCode::of_reply(reply.as_bytes()).expect("an error");
            statistics.add_errors(code, 1);
        }
        assert_eq!(statistics.errors().count(), CallStatistics::MAX_CODES + 1);
        let other = statistics
            .errors()
            .find(|(code, _)| code.to_string() == "OTHER");
        assert_eq!(other.map(|(_, count)| count), Some(1000 - 128));
        let long = ErrorCode::of_reply(&[b'-'; 2]).map(|code| code.to_string());
        assert_eq!(long.as_deref(), Some(""));
    }

    #[test]
    fn counts_add_up_and_begin_anew() {
        let mut one = CallStatistics::default();
        one.of_mut(Name::Get).calls = 3;
        one.add_errors(ErrorCode::of_text(b"ERR"), 2);
        let mut both = one.clone();
        both.add(&one);
        assert_eq!(both.of(Name::Get).calls, 6);
        let since = both.clone().since(&one);
        assert_eq!(since, one);
        assert_eq!(both.clone().since(&both), CallStatistics::default());
    }
}
