//! What a client may send, what a store may hold, and what a connection may owe.

use memvault::connection::{Config, Connection, Progress};
use memvault::resp::Limits;

use super::client::{NOW, array, connection, drain, feed, replies_to, send, store, store_of, text};

#[test]
fn a_key_above_the_limit_is_refused_with_limit_and_flag() {
    let mut store = store();
    let key = "k".repeat(65_537);
    let refused = "-ERR key of 65537 bytes: the limit is 65536 bytes (max-key)\r\n";
    for (command, rest) in [
        ("SET", "v"),
        ("MSET", "v"),
        ("SETNX", "v"),
        ("SETEX", "10 v"),
        ("GETSET", "v"),
    ] {
        let command = array(
            &[
                &[command, &key],
                rest.split(' ').collect::<Vec<_>>().as_slice(),
            ]
            .concat(),
        );
        assert_eq!(replies_to(&mut store, NOW, &command), refused);
    }
    assert_eq!(
        replies_to(&mut store, NOW, &array(&["GET", &key])),
        "$-1\r\n"
    );
    assert_eq!(
        replies_to(&mut store, NOW, &array(&["SET", &key[1..], "v"])),
        "+OK\r\n"
    );
}

#[test]
fn an_entry_beyond_all_memory_is_refused_and_harms_nothing() {
    let mut store = store_of(Some(4096));
    replies_to(&mut store, NOW, "MSET k small other small\r\n");
    let value = "v".repeat(5000);
    let used = store.entries().bytes_used();
    for command in [
        array(&["SET", "k", &value]),
        array(&["SET", "k", &value, "GET"]),
        array(&["SETNX", "new", &value]),
        array(&["MSET", "k", "changed", "other", &value]),
    ] {
        let reply = replies_to(&mut store, NOW, &command);
        assert!(
            reply.starts_with("-OOM entry needs ") && reply.ends_with(" (max-memory)\r\n"),
            "{reply}"
        );
    }
    assert_eq!(
        replies_to(&mut store, NOW, "MGET k other\r\n"),
        "*2\r\n$5\r\nsmall\r\n$5\r\nsmall\r\n"
    );
    assert_eq!(store.entries().bytes_used(), used);
    assert_eq!(store.statistics().evicted, 0);
}

#[test]
fn the_oldest_entries_make_room_and_are_counted() {
    let mut store = store();
    replies_to(
        &mut store,
        NOW,
        "CONFIG SET max-entries 2\r\nMSET a 1 b 2\r\nGET a\r\nTTL b\r\nSET c 3\r\n",
    );
    assert_eq!(
        replies_to(&mut store, NOW, "EXISTS a b c\r\nEXISTS b\r\n"),
        ":2\r\n:0\r\n"
    );
    assert_eq!(store.statistics().evicted, 1);
    replies_to(&mut store, NOW, "CONFIG SET max-entries 1\r\n");
    assert_eq!(
        replies_to(&mut store, NOW, "DBSIZE\r\nGET c\r\n"),
        ":1\r\n$1\r\n3\r\n"
    );
}

#[test]
fn a_reply_of_many_values_is_bounded() {
    let mut store = store();
    store.set_max_reply_len(1000);
    replies_to(&mut store, NOW, &array(&["SET", "k", &"v".repeat(300)]));
    let refused = "-ERR the reply is too long: the limit is 1000 bytes (max-command)\r\n";
    assert_eq!(replies_to(&mut store, NOW, "MGET k k k k\r\n"), refused);
    assert_eq!(
        replies_to(&mut store, NOW, "MGET k k k\r\n").len(),
        4 + 3 * 308
    );
}

#[test]
fn what_is_no_command_gets_an_error_and_ends_the_connection() {
    for (bytes, error) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*2\r\n$3\r\nGET\r\nk\r\n", "expected '$', got 'k'"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$3\r\nGETxx", "expected CRLF"),
        ("GET \"k\r\n", "unbalanced quotes in request"),
        (
            "*1048577\r\n",
            "invalid multibulk length 1048577: the limit is 1048576 arguments (max-arguments)",
        ),
        (
            "*1\r\n$67108865\r\n",
            "invalid bulk length 67108865: the limit is 67108864 bytes (max-value)",
        ),
    ] {
        let (mut store, mut connection) = (store(), connection());
        let bytes = format!("PING\r\n{bytes}SET k v\r\n");
        let (replies, progress) = send(&mut connection, &mut store, NOW, bytes.as_bytes());
        assert_eq!(
            text(&replies),
            text(format!("+PONG\r\n-ERR Protocol error: {error}\r\n").as_bytes())
        );
        assert_eq!(progress, Progress::Close);
        assert_eq!(
            connection.process(NOW, &mut store),
            Progress::Close,
            "and it stays closed"
        );
        assert_eq!(
            store.entries().len(),
            0,
            "nothing behind the error is executed"
        );
    }
}

#[test]
fn an_endless_line_is_refused_at_its_limit() {
    let (mut store, mut connection) = (store(), connection());
    let line = vec![b'a'; 70_000];
    let (replies, progress) = send(&mut connection, &mut store, NOW, &line);
    let error =
        "-ERR Protocol error: too big inline request: the limit is 65536 bytes (max-inline)\r\n";
    assert_eq!(
        (text(&replies), progress),
        (text(error.as_bytes()), Progress::Close)
    );
}

#[test]
fn whoever_claims_to_be_a_node_and_sends_too_much_is_refused() {
    let (mut store, mut connection) = (store(), connection());
    let greeting = format!(
        "*9\r\n$10\r\nnode.hello\r\n$1000000\r\n{}",
        "x".repeat(65_536)
    );
    let (begun, rest) = greeting.as_bytes().split_at(50_000);
    assert_eq!(
        send(&mut connection, &mut store, NOW, begun),
        (Vec::new(), Progress::NeedInput)
    );
    let (reply, progress) = send(&mut connection, &mut store, NOW, rest);
    assert_eq!(progress, Progress::Close);
    assert_eq!(
        text(&reply),
        text(b"-ERR Protocol error: a node's greeting is at most 65536 bytes long\r\n")
    );
}

#[test]
fn a_slow_reader_holds_up_nothing_but_itself() {
    let config = Config {
        max_output_len: 64 << 10,
        ..Config::default()
    };
    let (mut store, mut connection) = (store(), Connection::new(1, "here", config));
    let value = "v".repeat(10_000);
    let _ = send(
        &mut connection,
        &mut store,
        NOW,
        array(&["SET", "k", &value]).as_bytes(),
    );
    feed(&mut connection, &b"GET k\r\n".repeat(1000));
    let mut replies = 0;
    let mut rounds = 0;
    while connection.process(NOW, &mut store) == Progress::NeedOutput {
        let held = connection.output_len();
        assert!(
            (64 << 10..(64 << 10) + 20_000).contains(&held),
            "{held} bytes are bounded by the limit"
        );
        assert_eq!(
            connection.process(NOW, &mut store),
            Progress::NeedOutput,
            "it does not go on"
        );
        assert_eq!(connection.output_len(), held);
        // Some is written: below the limit it goes on.
        let some = connection.output().len().min(held / 2 + 1);
        connection.consume_output(some);
        replies += some;
        rounds += 1;
    }
    replies += drain(&mut connection).len();
    assert_eq!(replies, 1000 * (value.len() + 10));
    assert!(rounds > 100);
}

#[test]
fn a_client_that_reads_nothing_yet_is_executed_turn_by_turn_up_to_the_limit() {
    let config = Config {
        max_output_len: 10 << 20,
        ..Config::default()
    };
    let (mut store, mut connection) = (store(), Connection::new(1, "here", config));
    let set = array(&["SET", "k", &"v".repeat(10_000)]);
    let _ = send(&mut connection, &mut store, NOW, set.as_bytes());
    let (mut asked, mut turns) = (0, 0);
    let progress = loop {
        let before = connection.output_len();
        match connection.process(NOW, &mut store) {
            Progress::NeedInput => {
                feed(&mut connection, &b"GET k\r\n".repeat(100));
                asked += 100;
            }
            Progress::NeedTurn => {}
            other => break other,
        }
        assert!(connection.output_len() <= before + Connection::TURN_LEN + 10_010);
        turns += 1;
        assert!(turns < 10_000);
    };
    assert_eq!(progress, Progress::NeedOutput);
    assert!(connection.output_len() >= 10 << 20);
    let (_, output) = connection.memory();
    assert!(
        output < (10 << 20) + 100_000,
        "no more is held than the limit says"
    );
    let mut replies = drain(&mut connection);
    replies.extend(send(&mut connection, &mut store, NOW, b"").0);
    assert_eq!(replies.len(), asked * 10_010);
}

#[test]
fn what_a_client_may_send_is_configurable() {
    let limits = Limits {
        max_key_len: 3,
        max_bulk_len: 5,
        ..Limits::DEFAULT
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let (mut store, mut connection) = (store(), Connection::new(1, "here", config));
    let (reply, _) = send(&mut connection, &mut store, NOW, b"SET long v\r\n");
    assert_eq!(
        text(&reply),
        text(b"-ERR key of 4 bytes: the limit is 3 bytes (max-key)\r\n")
    );
    let (reply, progress) = send(
        &mut connection,
        &mut store,
        NOW,
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\n",
    );
    assert!(text(&reply).contains("the limit is 5 bytes (max-value)"));
    assert_eq!(progress, Progress::Close);
}
