//! Commands on very many keys or bytes, which are carried out slice by slice.

use std::fmt::Display;

use super::client::{NOW, array, connection, drain, feed, replies_to, send, store, store_of, text};
use memvault::command::{Data, SettingError};
use memvault::connection::{
    Call, Connection, Engine, Execution, Fields, Progress, SLICE_KEYS, SLICE_LEN, Section,
};
use memvault::replication::Levels;
use memvault::store::Store;
use memvault::time::Timestamp;

const KEYS: usize = 10 * SLICE_KEYS + 7;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("key:{number}")).collect()
}

fn command(name: &str, arguments: &[String]) -> String {
    let mut args = vec![name];
    args.extend(arguments.iter().map(String::as_str));
    array(&args)
}

fn pairs() -> Vec<String> {
    let pairs = keys().into_iter().map(|key| [key.clone(), key]);
    pairs.flatten().collect()
}

/// Executes a command turn by turn, `between` two of which something else happens. Returns the reply.
fn in_turns(
    connection: &mut Connection,
    store: &mut Store,
    command: &str,
    mut between: impl FnMut(&mut Store),
) -> (Vec<u8>, usize) {
    feed(connection, command.as_bytes());
    let (mut reply, mut turns) = (Vec::new(), 1);
    while connection.process(NOW, store) == Progress::NeedTurn {
        reply.extend(drain(connection));
        between(store);
        turns += 1;
    }
    reply.extend(drain(connection));
    (reply, turns)
}

#[test]
fn a_wide_command_is_answered_as_if_it_was_executed_in_one_go() {
    let (mut store, mut connection) = (store(), connection());
    let mut run = |command: String, least_turns: usize| {
        let (reply, turns) = in_turns(&mut connection, &mut store, &command, |_| {});
        assert!(turns >= least_turns, "{turns} turns");
        String::from_utf8(reply).expect("text")
    };
    assert_eq!(run(command("MSET", &pairs()), 10), "+OK\r\n");
    let values = run(command("MGET", &keys()), 10);
    let expected: String = keys()
        .iter()
        .map(|key| format!("${}\r\n{key}\r\n", key.len()))
        .collect();
    assert!(
        values == format!("*{KEYS}\r\n{expected}"),
        "all values in order"
    );
    assert_eq!(run(command("EXISTS", &keys()), 10), format!(":{KEYS}\r\n"));
    assert_eq!(run(command("DEL", &keys()), 10), format!(":{KEYS}\r\n"));
    assert_eq!(run(command("UNLINK", &keys()), 10), ":0\r\n");
    assert_eq!(run(command("EXISTS", &keys()[..SLICE_KEYS]), 1), ":0\r\n");
}

#[test]
fn others_get_their_turn_between_two_slices_and_the_client_itself_keeps_its_order() {
    let (mut store, mut connection) = (store(), connection());
    let mset = command("MSET", &pairs());
    let lines = format!("{mset}GET key:0\r\nDBSIZE\r\n");
    let mut seen = Vec::new();
    let (reply, _) = in_turns(&mut connection, &mut store, &lines, |store| {
        seen.push(replies_to(store, NOW, "DBSIZE\r\n"));
    });
    let expected = format!("+OK\r\n$5\r\nkey:0\r\n:{KEYS}\r\n");
    assert_eq!(text(&reply), text(expected.as_bytes()));
    assert_eq!(seen[0], format!(":{SLICE_KEYS}\r\n"));
    assert!(seen.len() >= 10, "{seen:?}");
}

#[test]
fn large_values_are_sent_in_pieces_of_a_few_megabytes() {
    let (mut store, mut connection) = (store(), connection());
    let set = array(&["SET", "k", &"v".repeat(1 << 20)]);
    let _ = send(&mut connection, &mut store, NOW, set.as_bytes());
    feed(
        &mut connection,
        command("MGET", &vec!["k".to_owned(); 100]).as_bytes(),
    );
    let (mut total, mut most) = (0, 0);
    while connection.process(NOW, &mut store) == Progress::NeedTurn {
        most = most.max(connection.output_len());
        total += drain(&mut connection).len();
    }
    total += drain(&mut connection).len();
    assert_eq!(total, 6 + 100 * ((1 << 20) + 12));
    assert!(most <= SLICE_LEN + (2 << 20), "{most} bytes at a time");
}

#[test]
fn an_mset_of_many_bytes_is_cut_too() {
    let (mut store, mut connection) = (store(), connection());
    let value = "v".repeat(2 << 20);
    let pairs: Vec<String> = (0..8)
        .flat_map(|n| [format!("k{n}"), value.clone()])
        .collect();
    let (reply, turns) = in_turns(
        &mut connection,
        &mut store,
        &command("MSET", &pairs),
        |_| {},
    );
    assert_eq!(text(&reply), "+OK\\r\\n");
    assert!(turns >= 4, "{turns}");
    assert_eq!(store.entries().len(), 8);
}

#[test]
fn a_wide_mset_with_an_entry_that_never_fits_changes_nothing() {
    let mut store = store_of(Some(1 << 20));
    let mut pairs = pairs();
    pairs.extend(["large".to_owned(), "v".repeat(2 << 20)]);
    let (reply, _) = in_turns(
        &mut connection(),
        &mut store,
        &command("MSET", &pairs),
        |_| {},
    );
    assert!(reply.starts_with(b"-OOM entry needs "), "{}", text(&reply));
    assert_eq!(store.entries().len(), 0);
}

/// Defers everything to a store, whose replies it supplies one by one.
struct ByMail {
    store: Store,
    replies: Vec<(u64, Vec<u8>)>,
    last_id: u64,
    most_keys: usize,
}

impl Engine for ByMail {
    const CUTS_WIDE: bool = true;

    fn execute(&mut self, call: &Call<'_>, _out: &mut Vec<u8>) -> Execution {
        assert_eq!(
            call.args.len() - 1,
            call.command.keys().count()
                * match call.command {
                    Data::SetMany(_) | Data::Set { .. } => 2,
                    _ => 1,
                },
            "arguments and command are the same"
        );
        self.most_keys = self.most_keys.max(call.command.keys().count());
        let mut reply = Vec::new();
        self.store
            .execute(call.now, call.protocol, &call.command, &mut reply);
        self.last_id += 1;
        self.replies.push((self.last_id, reply));
        Execution::Deferred(self.last_id)
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

#[test]
fn slices_that_others_carry_out_are_put_together_in_order() {
    let mut engine = ByMail {
        store: store(),
        replies: Vec::new(),
        last_id: 0,
        most_keys: 0,
    };
    let mut connection = connection();
    let large = format!("large {}", "v".repeat(1 << 20));
    let lines = [
        "GET key:3\r\n".to_owned(),
        command("MSET", &pairs()),
        command("MGET", &keys()),
        array(&["SET", "large", &large[6..]]),
        command("MGET", &vec!["large".to_owned(); 200]),
        command("DEL", &keys()),
        "PING\r\n".to_owned(),
    ];
    feed(&mut connection, lines.concat().as_bytes());
    let mut reply = Vec::new();
    loop {
        let progress = connection.process(NOW, &mut engine);
        reply.extend(drain(&mut connection));
        if progress == Progress::NeedInput && engine.replies.is_empty() {
            break;
        }
        // The last first: what waits for the others waits.
        if let Some((id, one)) = engine.replies.pop() {
            assert!(connection.deferred() > 0);
            let completed = connection.complete(id, |out| out.extend_from_slice(&one));
            assert!(completed.is_some());
        }
    }
    reply.extend(drain(&mut connection));
    let mut expected = b"$-1\r\n+OK\r\n".to_vec();
    let array = |expected: &mut Vec<u8>, values: &[&str]| {
        expected.extend(format!("*{}\r\n", values.len()).bytes());
        for value in values {
            expected.extend(format!("${}\r\n{value}\r\n", value.len()).bytes());
        }
    };
    let keys = keys();
    array(
        &mut expected,
        &keys.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    expected.extend(b"+OK\r\n");
    array(&mut expected, &[&large[6..]; 200]);
    expected.extend(format!(":{KEYS}\r\n+PONG\r\n").bytes());
    assert!(reply == expected, "{} of {}", reply.len(), expected.len());
    assert_eq!(engine.most_keys, SLICE_KEYS);
}

#[test]
fn an_inline_command_may_be_wide_too() {
    let (mut store, mut connection) = (store(), connection());
    let line = format!("EXISTS{}\r\nPING\r\n", " 'k'".repeat(5_000));
    let (reply, turns) = in_turns(&mut connection, &mut store, &line, |_| {});
    assert_eq!(text(&reply), ":0\\r\\n+PONG\\r\\n");
    assert!(turns >= 5);
}
