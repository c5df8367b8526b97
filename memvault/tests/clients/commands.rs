//! Requests as bytes, and the bytes that come back.

use super::client::{NOW, connection, feed, replies_to, send, store, text};
use super::replies::{self, Case};
use memvault::connection::Progress;
use memvault::time::Timestamp;

/// Runs a group of commands on one connection; `split` says into which portions their bytes fall.
fn check(before: &str, cases: &[Case], split: impl Fn(&[u8]) -> usize) {
    let (mut store, mut connection) = (store(), connection());
    let _ = send(&mut connection, &mut store, NOW, before.as_bytes());
    for (command, expected) in cases {
        let line = [command.as_bytes(), b"\r\n"].concat();
        let (first, second) = line.split_at(split(&line));
        let (mut replied, _) = send(&mut connection, &mut store, NOW, first);
        replied.extend(send(&mut connection, &mut store, NOW, second).0);
        assert_eq!(text(&replied), text(expected.as_bytes()), "{command}");
    }
}

const GROUPS: [&[Case]; 8] = [
    replies::READ_AND_SET,
    replies::SET_OPTIONS,
    replies::SEVERAL_KEYS,
    replies::RELATIVES_OF_SET,
    replies::EDITS,
    replies::EXPIRY,
    replies::CONNECTION,
    replies::HANDSHAKE,
];

#[test]
fn replies_are_those_of_redis_byte_for_byte() {
    for cases in GROUPS {
        check("", cases, <[u8]>::len);
        check("", cases, |line| line.len() / 2);
    }
}

#[test]
fn replies_in_resp3_are_those_of_redis_byte_for_byte() {
    check("HELLO 3\r\n", replies::RESP3, <[u8]>::len);
}

#[test]
fn a_pipeline_gives_the_same_replies_in_the_same_order() {
    for cases in GROUPS {
        let (mut store, mut connection) = (store(), connection());
        let lines: String = cases
            .iter()
            .map(|(command, _)| format!("{command}\r\n"))
            .collect();
        let expected: String = cases.iter().map(|(_, reply)| *reply).collect();
        let (replied, _) = send(&mut connection, &mut store, NOW, lines.as_bytes());
        assert_eq!(text(&replied), text(expected.as_bytes()));
    }
}

#[test]
fn a_key_is_gone_at_the_millisecond_it_expires() {
    let mut store = store();
    let at = |millis| Timestamp::from_millis(NOW.as_millis() + millis);
    assert_eq!(
        replies_to(&mut store, at(0), "SET k v PX 1500\r\n"),
        "+OK\r\n"
    );
    assert_eq!(
        replies_to(&mut store, at(1), "PTTL k\r\nTTL k\r\n"),
        ":1499\r\n:1\r\n"
    );
    assert_eq!(
        replies_to(&mut store, at(1000), "PTTL k\r\nTTL k\r\n"),
        ":500\r\n:1\r\n"
    );
    assert_eq!(replies_to(&mut store, at(1001), "TTL k\r\n"), ":0\r\n");
    assert_eq!(replies_to(&mut store, at(1499), "GET k\r\n"), "$1\r\nv\r\n");
    assert_eq!(replies_to(&mut store, at(1499), "DBSIZE\r\n"), ":1\r\n");
    assert_eq!(
        replies_to(&mut store, at(1500), "GET k\r\nDBSIZE\r\nTTL k\r\n"),
        "$-1\r\n:0\r\n:-2\r\n"
    );
    assert_eq!(store.statistics().expired, 1);
}

#[test]
fn every_command_takes_an_expired_key_for_a_missing_one() {
    for (command, reply) in [
        ("DEL k", ":0\r\n"),
        ("EXISTS k", ":0\r\n"),
        ("SET k w XX", "$-1\r\n"),
        ("SET k w NX", "+OK\r\n"),
        ("SET k w GET", "$-1\r\n"),
        ("EXPIRE k 10", ":0\r\n"),
        ("PERSIST k", ":0\r\n"),
        ("TYPE k", "+none\r\n"),
        ("STRLEN k", ":0\r\n"),
        ("GETDEL k", "$-1\r\n"),
        ("GETEX k PERSIST", "$-1\r\n"),
        ("GETRANGE k 0 -1", "$0\r\n\r\n"),
        ("INCR k", ":1\r\n"),
        ("APPEND k w", ":1\r\n"),
        ("SETRANGE k 1 w", ":2\r\n"),
        ("MGET k", "*1\r\n$-1\r\n"),
        ("SETNX k w", ":1\r\n"),
    ] {
        let mut store = store();
        replies_to(&mut store, NOW, "SET k v PX 1\r\n");
        let later = Timestamp::from_millis(NOW.as_millis() + 1);
        assert_eq!(
            replies_to(&mut store, later, &format!("{command}\r\n")),
            reply,
            "{command}"
        );
        assert_eq!(store.statistics().expired, 1, "{command}");
    }
    let mut store = store();
    replies_to(&mut store, NOW, "SET k v PX 1\r\n");
    let later = Timestamp::from_millis(NOW.as_millis() + 1);
    let kept = replies_to(&mut store, later, "SET k w KEEPTTL\r\nTTL k\r\n");
    assert_eq!(
        kept, "+OK\r\n:-1\r\n",
        "what has expired has no expiry to keep"
    );
}

#[test]
fn a_node_alone_has_no_levels_to_choose_from() {
    for line in ["CONSISTENCY\r\n", "CONSISTENCY quorum quorum\r\n"] {
        let reply = replies_to(&mut store(), NOW, line);
        assert!(
            reply.starts_with("-ERR this node is alone and holds the only copy"),
            "{reply}"
        );
    }
}

#[test]
fn after_quit_nothing_is_executed() {
    let (mut store, mut connection) = (store(), connection());
    let (replies, progress) = send(
        &mut connection,
        &mut store,
        NOW,
        b"SET a 1\r\nQUIT\r\nSET b 2\r\n",
    );
    assert_eq!(
        (text(&replies), progress),
        (text(b"+OK\r\n+OK\r\n"), Progress::Close)
    );
    assert_eq!(store.entries().len(), 1);
}

#[test]
fn the_handshake_tells_who_is_who() {
    let (mut store, mut connection) = (store(), connection());
    let (reply, _) = send(
        &mut connection,
        &mut store,
        NOW,
        b"HELLO 3 AUTH default x SETNAME me\r\n",
    );
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "%7\r\n$6\r\nserver\r\n$8\r\nmemvault\r\n$7\r\nversion\r\n${}\r\n{version}\r\n$5\r\nproto\r\n:3\r\n\
         $2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
        version.len()
    );
    assert_eq!(text(&reply), text(expected.as_bytes()));
    assert_eq!(connection.name(), b"me");
    let _ = send(
        &mut connection,
        &mut store,
        NOW,
        b"CLIENT SETINFO LIB-NAME redis-py\r\nCLIENT SETINFO lib-ver 5.0\r\n",
    );
    let (reply, _) = send(&mut connection, &mut store, NOW, b"CLIENT INFO\r\n");
    let line = "txt:id=7 addr=127.0.0.1:50000 name=me age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=13 obl=0 \
                oll=0 omem=0 cmd=client|info user=default redir=-1 resp=3 lib-name=redis-py lib-ver=5.0\n";
    assert_eq!(
        text(&reply),
        text(format!("={}\r\n{line}\r\n", line.len()).as_bytes())
    );
    let _ = send(&mut connection, &mut store, NOW, b"RESET\r\n");
    assert_eq!(connection.name(), b"");
    assert_eq!(
        text(&send(&mut connection, &mut store, NOW, b"GET k\r\n").0),
        text(b"$-1\r\n")
    );
}

#[test]
fn a_client_is_told_its_age_and_what_waits() {
    let (mut store, mut connection) = (store(), connection());
    let _ = send(&mut connection, &mut store, NOW, b"PING\r\n");
    let later = Timestamp::from_millis(NOW.as_millis() + 3_700);
    let (reply, _) = send(
        &mut connection,
        &mut store,
        later,
        b"PING\r\nCLIENT INFO\r\n",
    );
    let reply = text(&reply);
    for part in [" age=3 ", " qbuf=13 ", " obl=7 "] {
        assert!(reply.contains(part), "{part} in {reply}");
    }
}

#[test]
fn help_lists_the_subcommands() {
    let mut store = store();
    for (command, count, part) in [
        (
            "client",
            17,
            "+SETNAME name\r\n+    Names the connection.\r\n",
        ),
        ("CONFIG", 9, "+SET setting value [setting value ...]\r\n"),
        (
            "Command",
            15,
            "+COUNT\r\n+    Counts the commands there are.\r\n",
        ),
    ] {
        let help = replies_to(&mut store, NOW, &format!("{command} help\r\n"));
        let name = command.to_uppercase();
        let head = format!(
            "*{count}\r\n+{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"
        );
        assert!(help.starts_with(&head), "{help}");
        assert!(help.contains(part), "{help}");
        assert!(
            help.ends_with("+HELP\r\n+    Prints this help.\r\n"),
            "{help}"
        );
        let name = command.to_lowercase();
        assert_eq!(
            replies_to(&mut store, NOW, &format!("{command} HELP x\r\n")),
            format!("-ERR wrong number of arguments for '{name}|help' command\r\n")
        );
    }
}

#[test]
fn names_that_are_too_long_are_refused_for_that() {
    let mut store = store();
    let (longest, longer) = ("a".repeat(1024), "a".repeat(1025));
    assert_eq!(
        replies_to(&mut store, NOW, &format!("CLIENT SETNAME {longest}\r\n")),
        "+OK\r\n"
    );
    for (command, what) in [
        ("CLIENT SETNAME", "Client names"),
        ("HELLO 2 SETNAME", "Client names"),
        ("CLIENT SETINFO lib-name", "lib-name"),
        ("CLIENT SETINFO lib-ver", "lib-ver"),
    ] {
        assert_eq!(
            replies_to(&mut store, NOW, &format!("{command} {longer}\r\n")),
            format!("-ERR {what} cannot be longer than 1024 bytes.\r\n")
        );
    }
}

#[test]
fn a_setting_is_named_once() {
    let mut store = store();
    for name in ["maxmemory", "MAXMEMORY"] {
        assert_eq!(
            replies_to(
                &mut store,
                NOW,
                &format!("CONFIG SET maxmemory 1 {name} 2\r\n")
            ),
            format!(
                "-ERR CONFIG SET failed (possibly related to argument '{name}') - duplicate parameter\r\n"
            )
        );
    }
}

#[test]
fn blanks_of_inline_commands_are_those_of_redis() {
    let mut store = store();
    for (line, reply) in [
        ("ECHO a\x0cb", "$3\r\na\x0cb\r\n"),
        ("ECHO a\x0bb", "$3\r\na\x0bb\r\n"),
        ("\x0b\x0cECHO \x0b\x0ca", "$1\r\na\r\n"),
        ("ECHO a \x0b", "$1\r\na\r\n"),
        ("ECHO \"a\"\x0b", "$1\r\na\r\n"),
        ("\x0b\x0c", ""),
    ] {
        assert_eq!(
            replies_to(&mut store, NOW, &format!("{line}\r\n")),
            reply,
            "{line:?}"
        );
    }
}

#[test]
fn memory_is_told_for_people_too() {
    let mut store = store();
    let value = "x".repeat(1 << 20);
    replies_to(&mut store, NOW, "CONFIG SET maxmemory 4mb\r\n");
    replies_to(
        &mut store,
        NOW,
        &format!(
            "*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}\r\n",
            value.len()
        ),
    );
    replies_to(&mut store, NOW, "DEL a\r\n");
    let memory = replies_to(&mut store, NOW, "INFO memory\r\n");
    let number = |name: &str| {
        let mut lines = memory.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.expect(name).parse::<u64>().expect("a number")
    };
    assert!(number("used_memory") < 1 << 20, "{memory}");
    assert!(number("used_memory_peak") > 1 << 20, "{memory}");
    for line in [
        "used_memory_human:",
        "used_memory_peak_human:1.0",
        "maxmemory_human:4.00M\r\n",
    ] {
        assert!(memory.contains(line), "{line} in {memory}");
    }
}

#[test]
fn info_counts_what_happened() {
    let mut store = store();
    replies_to(
        &mut store,
        NOW,
        "SET a 1\r\nSET b 2 EX 100\r\nGET a\r\nGET x\r\nPING\r\nfoo\r\n",
    );
    let all = replies_to(&mut store, NOW, "INFO\r\n");
    for line in [
        "# Memory\r\nused_memory:",
        "maxmemory_policy:allkeys-lru\r\n",
        "# Stats\r\ntotal_commands_processed:6\r\n",
        "keyspace_hits:1\r\nkeyspace_misses:1\r\n",
        "# Replication\r\nrole:master\r\n",
        "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=100000\r\n",
    ] {
        assert!(all.contains(line), "{line} in {all}");
    }
    let some = replies_to(&mut store, NOW, "INFO stats KEYSPACE\r\n");
    assert!(some.contains("# Stats") && some.contains("# Keyspace") && !some.contains("# Memory"));
    replies_to(&mut store, NOW, "CONFIG RESETSTAT\r\n");
    assert_eq!(store.statistics().hits, 0);
}

#[test]
fn the_table_of_commands_is_told_to_whoever_asks() {
    let mut store = store();
    let count = memvault::command::all().len();
    assert_eq!(
        replies_to(&mut store, NOW, "COMMAND COUNT\r\n"),
        format!(":{count}\r\n")
    );
    let names = replies_to(&mut store, NOW, "COMMAND LIST\r\n");
    assert!(names.starts_with(&format!("*{count}\r\n")) && names.contains("$8\r\nexpireat\r\n"));
    assert!(
        replies_to(&mut store, NOW, "COMMAND\r\n").starts_with(&format!("*{count}\r\n*10\r\n"))
    );
    assert_eq!(
        replies_to(&mut store, NOW, "COMMAND INFO get nosuch\r\n"),
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n\
         *3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n\
         *1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n\
         $12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n\
         $9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n\
         *6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n"
    );
    let docs = replies_to(&mut store, NOW, "COMMAND DOCS ttl\r\n");
    assert!(
        docs.starts_with("*2\r\n$3\r\nttl\r\n*8\r\n$7\r\nsummary\r\n"),
        "{docs}"
    );
}

#[test]
fn the_table_tells_commands_by_category_and_the_keys_of_each() {
    let mut store = store();
    for (command, reply) in [
        (
            "COMMAND LIST FILTERBY PATTERN p*ire",
            "*1\r\n$7\r\npexpire\r\n",
        ),
        ("COMMAND LIST FILTERBY MODULE x", "*0\r\n"),
        (
            "COMMAND LIST FILTERBY ACLCAT admin",
            "*2\r\n$6\r\nconfig\r\n$16\r\nmemvault.cluster\r\n",
        ),
        ("COMMAND LIST FILTERBY ACLCAT", "-ERR syntax error\r\n"),
        (
            "COMMAND GETKEYS MSET a 1 b 2",
            "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        ),
        (
            "COMMAND GETKEYS ECHO k",
            "-ERR The command has no key arguments\r\n",
        ),
        (
            "COMMAND GETKEYS NOSUCH k",
            "-ERR Invalid command specified\r\n",
        ),
        (
            "COMMAND GETKEYS GET a b",
            "-ERR Invalid number of arguments specified for command\r\n",
        ),
        (
            "COMMAND GETKEYSANDFLAGS SET k v",
            "*1\r\n*2\r\n$1\r\nk\r\n*2\r\n+OW\r\n+update\r\n",
        ),
        (
            "COMMAND GETKEYSANDFLAGS SET k v NX GET",
            "*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n",
        ),
    ] {
        let replied = replies_to(&mut store, NOW, &format!("{command}\r\n"));
        assert_eq!(replied, reply, "{command}");
    }
}

#[test]
fn settings_are_found_by_pattern_and_set_all_or_none() {
    let mut store = store();
    let expected =
        "*4\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lru\r\n";
    assert_eq!(
        replies_to(&mut store, NOW, "CONFIG GET maxmem*y\r\n"),
        expected
    );
    let refused = "-ERR Unknown option or number of arguments for CONFIG SET - 'b'\r\n";
    assert_eq!(
        replies_to(&mut store, NOW, "CONFIG SET maxmemory 1mb b 2\r\n"),
        refused
    );
    assert_eq!(store.entries().config().max_bytes, None);
    assert_eq!(
        replies_to(
            &mut store,
            NOW,
            "CONFIG SET maxmemory 1mb max-entries 5\r\n"
        ),
        "+OK\r\n"
    );
    let config = store.entries().config();
    assert_eq!(
        (config.max_bytes, config.max_entries),
        (Some(1 << 20), Some(5))
    );
}

#[test]
fn a_node_is_told_from_a_client_by_its_first_command_alone() {
    let hello = b"*2\r\n$10\r\nNODE.HELLO\r\n$1\r\nx\r\nrest";
    let (mut store, mut node) = (store(), connection());
    feed(&mut node, hello);
    assert_eq!(node.process(NOW, &mut store), Progress::Peer);
    assert_eq!(
        node.input(),
        hello,
        "the bytes stay for the code that speaks with nodes"
    );
    assert_eq!(node.output(), b"");

    let mut client = connection();
    let (reply, progress) = send(&mut client, &mut store, NOW, b"PING\r\nNODE.HELLO x\r\n");
    assert_eq!(progress, Progress::NeedInput);
    assert!(reply.starts_with(b"+PONG\r\n-ERR unknown command 'NODE.HELLO'"));
}
