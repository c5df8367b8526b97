//! `CONFIG`: the settings of the engine, by name.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::engine::Engine;
use crate::command::{CommandError, SettingError, matches};
use crate::consistency::Levels;
use crate::resp::{Args, Protocol, encode};

/// Answers `CONFIG GET`: the settings whose name matches one of the patterns. The levels are those that the
/// connection has chosen, if it has.
pub(super) fn show<E: Engine>(
    engine: &E,
    patterns: &Args<'_>,
    (protocol, levels): (Protocol, Option<Levels>),
    out: &mut Vec<u8>,
) {
    let mut found: Vec<(String, String)> = Vec::new();
    engine.settings(&mut |name, value| {
        let asked =
            |pattern: &[u8]| pattern.len() <= LONGEST_PATTERN && matches(pattern, name.as_bytes());
        if patterns.iter().any(asked) {
            let value = match (name, levels) {
                ("write-level", Some(levels)) => levels.write.name().to_string(),
                ("read-level", Some(levels)) => levels.read.name().to_string(),
                _ => value.to_string(),
            };
            found.push((name.to_string(), value));
        }
    });
    encode::map(out, protocol, found.len());
    for (name, value) in found {
        encode::bulk(out, name.as_bytes());
        encode::bulk(out, value.as_bytes());
    }
}

/// Carries out `CONFIG SET`: all names are looked at before the first value is set.
pub(super) fn change<'a, E: Engine>(
    engine: &mut E,
    pairs: &Args<'a>,
) -> Result<(), CommandError<'a>> {
    let mut changes = Vec::new();
    for name in pairs.iter().step_by(2) {
        let mut found = None;
        engine.settings(&mut |known, _| {
            if known.as_bytes().eq_ignore_ascii_case(name) {
                found = Some(known.to_string());
            }
        });
        let found = found.ok_or(CommandError::UnknownSetting(name))?;
        if changes.iter().any(|(_, known)| *known == found) {
            let reason = SettingError::Duplicate;
            return Err(CommandError::Setting { name, reason });
        }
        changes.push((name, found));
    }
    let values = pairs.iter().skip(1).step_by(2);
    for ((name, known), value) in changes.iter().zip(values) {
        engine
            .change_setting(known, value)
            .map_err(|reason| CommandError::Setting { name, reason })?;
    }
    Ok(())
}

/// Bytes of a pattern above which it matches nothing: no name is that long, and a match takes its time.
const LONGEST_PATTERN: usize = 1024;
