//! Commands on very many keys or bytes, which are carried out slice by slice.

use super::client::{NOW, array, connection, drain, feed, replies_to, send, store, store_of, text};
use memvault::connection::{Connection, Progress, SLICE_KEYS, SLICE_LEN};
use memvault::store::Store;

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

#[test]
fn an_inline_command_may_be_wide_too() {
    let (mut store, mut connection) = (store(), connection());
    let line = format!("EXISTS{}\r\nPING\r\n", " 'k'".repeat(5_000));
    let (reply, turns) = in_turns(&mut connection, &mut store, &line, |_| {});
    assert_eq!(text(&reply), ":0\\r\\n+PONG\\r\\n");
    assert!(turns >= 5);
}
