//! Replies that are not known at once still go out in the order of the commands.

use std::fmt::Display;

use super::client::{NOW, connection, drain, feed, send, store, text};
use memvault::command::SettingError;
use memvault::connection::{
    Buffers, Call, Config, Connection, Engine, Execution, Fields, Progress, Section,
};
use memvault::replication::Levels;
use memvault::resp::encode;
use memvault::store::Store;
use memvault::time::Timestamp;

/// Defers commands on keys that begin with `d`; carries out the others on a store. Notes what it began.
struct Deferring<const ORDERED: bool> {
    store: Store,
    last_id: u64,
    begun: Vec<String>,
}

impl<const ORDERED: bool> Deferring<ORDERED> {
    fn new() -> Self {
        Self {
            store: store(),
            last_id: 0,
            begun: Vec::new(),
        }
    }
}

impl<const ORDERED: bool> Engine for Deferring<ORDERED> {
    const KEEPS_ORDER: bool = ORDERED;

    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        let words: Vec<String> = call
            .args
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).into_owned())
            .collect();
        self.begun.push(words.join(" "));
        if call.command.keys().any(|key| key.starts_with(b"d"))
            || call.command.keys().next().is_none()
        {
            self.last_id += 1;
            return Execution::Deferred(self.last_id);
        }
        self.store
            .execute(call.now, call.protocol, &call.command, out);
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

fn complete(connection: &mut Connection, id: u64, value: &str) -> bool {
    connection
        .complete(id, |out| encode::bulk(out, value.as_bytes()))
        .is_some()
}

/// All orders of `0..n`.
fn orders(n: u64) -> Vec<Vec<u64>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(n - 1);
    let places = |order: &Vec<u64>| {
        let order = order.clone();
        (0..=order.len()).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, n - 1);
            longer
        })
    };
    shorter.iter().flat_map(places).collect()
}

#[test]
fn replies_keep_the_order_of_the_commands_in_whatever_order_they_become_known() {
    let lines = b"PING 0\r\nGET d1\r\nGET d2\r\nPING 1\r\nGET d3\r\nfoo\r\nGET d4\r\nPING 2\r\n";
    let expected = "$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n3\r\n-ERR unknown command 'foo', with \
                    args beginning with: \r\n$1\r\n4\r\n$1\r\n2\r\n";
    for order in orders(4) {
        let (mut engine, mut connection) = (Deferring::<true>::new(), connection());
        let (mut replies, progress) = send(&mut connection, &mut engine, NOW, lines);
        assert_eq!(
            (replies.as_slice(), progress),
            (b"$1\r\n0\r\n".as_slice(), Progress::NeedInput)
        );
        for number in order {
            assert_eq!(connection.deferred() > 0, replies.len() < expected.len());
            assert!(complete(
                &mut connection,
                number + 1,
                &(number + 1).to_string()
            ));
            assert!(
                !complete(&mut connection, number + 1, "again"),
                "each is supplied once"
            );
            replies.extend(drain(&mut connection));
            assert!(expected.as_bytes().starts_with(&replies));
        }
        assert_eq!(text(&replies), text(expected.as_bytes()));
        assert_eq!(connection.deferred(), 0);
    }
}

#[test]
fn a_reply_that_nobody_waits_for_changes_nothing() {
    let mut connection = connection();
    assert!(!complete(&mut connection, 1, "stray"));
    assert_eq!(connection.output(), b"");
}

#[test]
fn quit_waits_for_what_was_asked_before() {
    for last in ["QUIT\r\n", "*x\r\n"] {
        let (mut engine, mut connection) = (Deferring::<true>::new(), connection());
        let lines = format!("GET d\r\n{last}GET late\r\n");
        let (replies, progress) = send(&mut connection, &mut engine, NOW, lines.as_bytes());
        assert_eq!(
            (replies.as_slice(), progress),
            (b"".as_slice(), Progress::NeedReply)
        );
        complete(&mut connection, 1, "v");
        assert_eq!(connection.process(NOW, &mut engine), Progress::Close);
        assert!(connection.output().starts_with(b"$1\r\nv\r\n"));
        assert!(connection.output().len() > 7, "and the last word follows");
        assert_eq!(engine.begun, ["GET d"]);
    }
}

#[test]
fn commands_under_way_are_bounded() {
    let config = Config {
        max_deferred: 3,
        ..Config::default()
    };
    let (mut engine, mut connection) =
        (Deferring::<true>::new(), Connection::new(1, "here", config));
    let (_, progress) = send(&mut connection, &mut engine, NOW, &b"GET d\r\n".repeat(5));
    assert_eq!((progress, engine.begun.len()), (Progress::NeedReply, 3));
    assert_eq!(connection.input(), b"GET d\r\n".repeat(2));
    complete(&mut connection, 1, "v");
    assert_eq!(connection.process(NOW, &mut engine), Progress::NeedReply);
    assert_eq!(engine.begun.len(), 4);
    complete(&mut connection, 3, "v");
    assert_eq!(
        connection.process(NOW, &mut engine),
        Progress::NeedReply,
        "the second holds up the third"
    );
    for id in [2, 4, 5] {
        complete(&mut connection, id, "v");
        let _ = connection.process(NOW, &mut engine);
    }
    assert_eq!((engine.begun.len(), connection.deferred()), (5, 0));
}

#[test]
fn replies_that_wait_for_a_deferred_one_are_bounded() {
    let config = Config {
        max_output_len: 64 << 10,
        ..Config::default()
    };
    let (mut engine, mut connection) =
        (Deferring::<true>::new(), Connection::new(1, "here", config));
    let echo = format!("*2\r\n$4\r\nECHO\r\n$10000\r\n{}\r\n", "x".repeat(10_000));
    let lines = format!("GET d\r\n{}GET d\r\n{}", echo.repeat(4), echo.repeat(10));
    let (replies, progress) = send(&mut connection, &mut engine, NOW, lines.as_bytes());
    assert_eq!((replies.len(), progress), (0, Progress::NeedReply));
    assert_eq!(connection.input().len(), echo.len() * 7, "64 KiB are held");

    complete(&mut connection, 2, "second");
    assert_eq!(connection.process(NOW, &mut engine), Progress::NeedReply);
    complete(&mut connection, 1, "first");
    let mut replies = drain(&mut connection);
    while matches!(
        connection.process(NOW, &mut engine),
        Progress::NeedOutput | Progress::NeedTurn
    ) {
        replies.extend(drain(&mut connection));
    }
    replies.extend(drain(&mut connection));
    assert_eq!(replies.len(), 14 * (10_000 + 10) + 11 + 12);
    assert_eq!(connection.input().len(), 0);
}

/// What is begun at once, of commands on one connection whose engine keeps no order.
fn begun(lines: &str) -> Vec<String> {
    let (mut engine, mut connection) = (Deferring::<false>::new(), connection());
    let _ = send(&mut connection, &mut engine, NOW, lines.as_bytes());
    engine.begun
}

#[test]
fn where_the_engine_keeps_no_order_a_command_waits_for_those_before_it_on_the_same_key() {
    for (lines, at_once) in [
        ("GET d1\r\nGET d1\r\nMGET d2 d1\r\nTTL d1\r\n", 4),
        ("SET d1 a\r\nSET d1 b\r\nDEL d1 d2\r\nMSET d2 c d1 d\r\n", 4),
        ("SET d1 a\r\nSET d2 b\r\nGET d3\r\nEXPIRE d4 1\r\n", 4),
        ("SET d1 a\r\nGET d1\r\n", 1),
        ("GET d1\r\nSET d1 a\r\n", 1),
        ("GET d1\r\nMSET d2 a d1 b\r\n", 1),
        ("MSET d2 a d1 b\r\nMGET d3 d1\r\n", 1),
        ("SET d1 a NX\r\nSET d1 b NX\r\n", 1),
        ("SET d1 a\r\nSET d1 b KEEPTTL\r\n", 1),
        ("EXPIRE d1 1\r\nEXPIRE d1 2\r\n", 1),
        ("FLUSHALL\r\nGET d1\r\n", 1),
        ("GET d1\r\nFLUSHALL\r\n", 1),
        ("GET d1\r\nDBSIZE\r\nGET d2\r\n", 3),
    ] {
        assert_eq!(begun(lines).len(), at_once, "{lines}");
    }
}

#[test]
fn a_command_that_waited_goes_on_when_its_turn_has_come() {
    let (mut engine, mut connection) = (Deferring::<false>::new(), connection());
    let lines = b"SET d a\r\nGET other\r\nGET d\r\nPING\r\n";
    let (_, progress) = send(&mut connection, &mut engine, NOW, lines);
    assert_eq!(progress, Progress::NeedReply);
    assert_eq!(engine.begun, ["SET d a", "GET other"]);
    connection.complete(1, |out| encode::simple(out, b"OK"));
    assert_eq!(connection.process(NOW, &mut engine), Progress::NeedInput);
    complete(&mut connection, 2, "a");
    assert_eq!(
        text(&drain(&mut connection)),
        text(b"+OK\r\n$-1\r\n$1\r\na\r\n+PONG\r\n")
    );
}

#[test]
fn connections_share_buffers_and_keep_only_what_is_theirs() {
    let (mut engine, mut buffers) = (store(), Buffers::default());
    let (mut whole, mut partial, mut slow) = (connection(), connection(), connection());
    let big = format!("*2\r\n$4\r\nECHO\r\n$100000\r\n{}\r\n", "x".repeat(100_000));
    let mut turn = |connection: &mut Connection, bytes: &[u8], reads: bool| {
        connection.borrow_buffers(&mut buffers);
        assert!(connection.input_space().len() >= Connection::MIN_INPUT_SPACE);
        feed(connection, bytes);
        let _ = connection.process(NOW, &mut engine);
        let replies = if reads { drain(connection) } else { Vec::new() };
        connection.return_buffers(&mut buffers);
        replies
    };
    for portion in big.as_bytes().chunks(9_999) {
        let reply = turn(&mut whole, b"PING whole\r\n", true);
        assert_eq!(text(&reply), text(b"$5\r\nwhole\r\n"));
        turn(&mut partial, portion, false);
        turn(&mut slow, b"PING slow\r\n", false);
        assert_eq!(whole.input(), b"");
    }
    let rounds = big.len().div_ceil(9_999);
    assert_eq!(
        slow.output(),
        b"$4\r\nslow\r\n".repeat(rounds),
        "what is not written stays"
    );
    assert_eq!(partial.output().len(), 100_000 + 11);
}

#[test]
fn input_is_kept_in_one_piece_however_it_comes() {
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    };
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for _ in 0..300 {
        let value = "v".repeat(random() % 5_000);
        bytes.extend(format!("*2\r\n$4\r\nECHO\r\n${}\r\n{value}\r\n", value.len()).bytes());
        encode::bulk(&mut expected, value.as_bytes());
    }
    let (mut engine, mut connection, mut buffers) = (store(), connection(), Buffers::default());
    let (mut rest, mut replies) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let n = (random() % 30_000).min(rest.len());
        if n % 2 == 0 {
            connection.borrow_buffers(&mut buffers);
        }
        replies.extend(send(&mut connection, &mut engine, NOW, &rest[..n]).0);
        if n % 3 == 0 {
            connection.return_buffers(&mut buffers);
        }
        rest = &rest[n..];
    }
    assert!(
        replies == expected,
        "{} of {} bytes",
        replies.len(),
        expected.len()
    );
}
