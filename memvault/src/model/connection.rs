//! [`Connection`] with an engine that defers, under any schedule of reading, executing, completing and writing.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::Display;

use crate::command::{Data, SettingError};
use crate::connection::{
    Buffers, Call, Config, Connection, Engine, Execution, Fields, Progress, Section,
};
use crate::replication::Levels;
use crate::resp::encode;
use crate::time::Timestamp;

/// Makes commands of the first half of `program` and a schedule of its second half, and compares the replies
/// with those that the commands have one by one.
///
/// # Panics
/// If a reply is missing, twice, wrong, or out of order; if the connection holds more than it may; or if it
/// waits for something that will not come.
pub fn run(program: &[u8]) {
    let (commands, schedule) = program.split_at(program.len() / 2);
    run_with(Deferring::<true>::default(), commands, schedule);
    run_with(Deferring::<false>::default(), commands, schedule);
}

/// Defers the commands on keys with an odd first byte; each reply tells the number of the command.
#[derive(Default)]
struct Deferring<const ORDERED: bool> {
    executed: u64,
    /// Those that are under way, and whether they write.
    under_way: Vec<(u64, Vec<u8>, bool)>,
}

impl<const ORDERED: bool> Engine for Deferring<ORDERED> {
    const KEEPS_ORDER: bool = ORDERED;

    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        let key = call.command.keys().next().unwrap_or(&[]).to_vec();
        let writes = matches!(call.command, Data::Set { .. });
        if !ORDERED {
            let mixes =
                |(_, other, wrote): &(u64, Vec<u8>, bool)| *other == key && *wrote != writes;
            assert!(
                !self.under_way.iter().any(mixes),
                "a read does not pass a write"
            );
        }
        self.executed += 1;
        if key.first().is_some_and(|byte| byte % 2 == 1) {
            self.under_way.push((self.executed, key, writes));
            return Execution::Deferred(self.executed);
        }
        write_reply(self.executed, out);
        Execution::Done
    }

    fn levels(&self) -> Option<Levels> {
        None
    }

    fn info(&self, _now: Timestamp, _section: Section, _fields: &mut Fields<'_>) {}

    fn settings(&self, _show: &mut dyn FnMut(&str, &dyn Display)) {}

    fn change_setting(&mut self, _name: &str, _value: &[u8]) -> Result<(), SettingError> {
        Err(SettingError::Immutable)
    }

    fn reset_statistics(&mut self) {}

    fn count_commands(&mut self, _commands: u64) {}
}

/// Now and then a long one.
fn write_reply(number: u64, out: &mut Vec<u8>) {
    let width = if number.is_multiple_of(7) { 90 } else { 1 };
    encode::bulk(out, format!("{number:width$}").as_bytes());
}

/// All bytes that the client sends, and all that it has to get.
fn conversation(program: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut sent, mut expected, mut executed) = (Vec::new(), Vec::new(), 0);
    for byte in program {
        let key = [b'a' + byte / 4 % 6];
        match byte % 4 {
            0 => encode::command(&mut sent, &[b"SET", &key, b"v"]),
            1 | 2 => encode::command(&mut sent, &[b"GET", &key]),
            _ => {
                encode::command(&mut sent, &[b"ECHO", &key]);
                encode::bulk(&mut expected, &key);
                continue;
            }
        }
        executed += 1;
        write_reply(executed, &mut expected);
    }
    (sent, expected)
}

const MAX_OUTPUT: usize = 64;
const MAX_DEFERRED: usize = 5;
/// The longest reply of one command.
const LONGEST: usize = 96;

fn run_with<const ORDERED: bool>(mut engine: Deferring<ORDERED>, program: &[u8], schedule: &[u8]) {
    let config = Config {
        max_output_len: MAX_OUTPUT,
        max_deferred: MAX_DEFERRED,
        hash_seed: program.len() as u64,
        ..Config::default()
    };
    let mut connection = Connection::new(1, "model", config);
    let mut buffers = Buffers::default();
    let (sent, expected) = conversation(program);
    let (mut rest, mut got) = (sent.as_slice(), Vec::new());
    for byte in schedule {
        let amount = usize::from(byte / 8);
        match byte % 8 {
            0 | 1 => {
                let (now, later) = rest.split_at(rest.len().min(amount * 4));
                connection.input_space()[..now.len()].copy_from_slice(now);
                connection.commit(now.len());
                rest = later;
            }
            2 | 3 => process(&mut connection, &mut engine),
            4 => complete(&mut connection, &mut engine, amount),
            5 => {
                let n = connection.output().len().min(amount * 8);
                got.extend_from_slice(&connection.output()[..n]);
                connection.consume_output(n);
            }
            6 => connection.borrow_buffers(&mut buffers),
            _ => connection.return_buffers(&mut buffers),
        }
        assert!(expected.starts_with(&got), "replies come in order");
    }
    finish(&mut connection, &mut engine, rest, &mut got);
    assert_eq!(
        got.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

fn process<const ORDERED: bool>(connection: &mut Connection, engine: &mut Deferring<ORDERED>) {
    let progress = connection.process(Timestamp::from_millis(1), engine);
    assert_eq!(connection.deferred() == 0, engine.under_way.is_empty());
    assert!(connection.deferred() <= MAX_DEFERRED);
    match progress {
        Progress::NeedInput | Progress::NeedTurn => {}
        Progress::NeedOutput => assert!(connection.output_len() >= MAX_OUTPUT),
        Progress::NeedReply => assert!(connection.deferred() > 0),
        Progress::Close | Progress::Peer => panic!("{progress:?}"),
    }
}

/// Completes one of the commands under way, whichever it is.
fn complete<const ORDERED: bool>(
    connection: &mut Connection,
    engine: &mut Deferring<ORDERED>,
    choice: usize,
) {
    if engine.under_way.is_empty() {
        return;
    }
    let (id, ..) = engine
        .under_way
        .swap_remove(choice % engine.under_way.len());
    let before = connection.output_len();
    let completed = connection.complete(id, |out| write_reply(id, out));
    assert!(completed.is_some_and(|completed| completed.error.is_none()));
    // What waited for it is bounded by the limit, and by a reply for each command under way.
    let most = MAX_OUTPUT + (MAX_DEFERRED + 2) * LONGEST;
    assert!(connection.output_len() <= before + most);
}

/// Reads, executes, completes and writes in turn until nothing is left.
fn finish<const ORDERED: bool>(
    connection: &mut Connection,
    engine: &mut Deferring<ORDERED>,
    mut rest: &[u8],
    got: &mut Vec<u8>,
) {
    loop {
        let before = (
            rest.len(),
            connection.input().len(),
            got.len(),
            engine.under_way.len(),
        );
        let (now, later) = rest.split_at(rest.len().min(100));
        connection.input_space()[..now.len()].copy_from_slice(now);
        connection.commit(now.len());
        rest = later;
        process(connection, engine);
        complete(connection, engine, 0);
        while connection.output_len() > 0 {
            got.extend_from_slice(connection.output());
            connection.consume_output(connection.output().len());
        }
        if before
            == (
                rest.len(),
                connection.input().len(),
                got.len(),
                engine.under_way.len(),
            )
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::{Gen, QuickCheck};

    use super::*;

    #[test]
    fn replies_are_complete_and_in_order_under_any_schedule() {
        fn property(program: Vec<u8>) {
            run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(1_000, 1))
            .tests(1_000)
            .quickcheck(property as fn(Vec<u8>));
    }
}
