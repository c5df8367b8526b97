//! Help and what is said about a wrong command line.

use std::io::Write;
use std::net::TcpStream;

use crate::support::{Server, memvault};

/// Subcommands and what their help must mention.
const SUBCOMMANDS: [(&str, &[&str]); 13] = [
    (
        "up",
        &[
            "[default: 5]",
            "[default: 7001]",
            "[default: 6379]",
            "256mb",
            "--admin <HOST:PORT>",
        ],
    ),
    (
        "serve",
        &[
            "--max-memory <SIZE>",
            "[default: 10000]",
            "64mb",
            "MEMVAULT_PORT",
            "--node-id",
            "--discover <LIST>",
            "--admin <HOST:PORT>",
        ],
    ),
    (
        "gateway",
        &["--cluster <LIST>", "[default: 3]", "MEMVAULT_HOST"],
    ),
    (
        "get",
        &["--level <LEVEL>", "quorum", "[default: 2s]", "--json"],
    ),
    ("set", &["--ttl <TIME>", "500ms", "[default: never]"]),
    ("del", &["<KEY>..."]),
    ("ping", &["--timeout <TIME>"]),
    ("top", &["--timeout <TIME>", "100ms to 1h"]),
    ("ring", &["--key <KEY>", "preference list"]),
    ("shell", &["MEMVAULT_HISTORY", "redis-cli"]),
    ("demo", &["SIGKILL", "Exit code 1"]),
    (
        "bench",
        &[
            "--zipf <S>",
            "--ratio <GET:SET>",
            "[default: 9:1]",
            "--pipeline <N>",
        ],
    ),
    (
        "sim",
        &[
            "[default: mixed]",
            "[default: 100]",
            "crash=2.5s",
            "linearizable",
            "hasty",
        ],
    ),
];

#[test]
fn every_subcommand_explains_itself_with_units_defaults_and_examples() {
    let overview = memvault(&["--help"]);
    assert_eq!(overview.code, Some(0));
    for (subcommand, parts) in SUBCOMMANDS {
        assert!(overview.stdout.contains(&format!("\n  {subcommand} ")));
        let help = memvault(&[subcommand, "--help"]);
        assert_eq!(help.code, Some(0), "{subcommand}");
        for part in parts.iter().chain(&["Example"]) {
            assert!(
                help.stdout.contains(part),
                "{subcommand}: no {part:?} in\n{}",
                help.stdout
            );
        }
        let longest = help.stdout.lines().map(|line| line.chars().count()).max();
        assert!(
            longest <= Some(120),
            "{subcommand}: a line of {longest:?} characters"
        );
    }
}

#[test]
fn a_wrong_command_line_is_explained_and_gives_exit_code_2() {
    let cases: [(&[&str], &str); 22] = [
        (&[], "Usage: memvault"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["serve", "--max-memory", "lots"], "such as 256mb"),
        (&["serve", "--max-memory", "0"], "more than 0"),
        (
            &["serve", "--max-memory", "5 parsecs"],
            "expected b, kb, mb or gb",
        ),
        (&["serve", "--max-entries", "0"], "at least 1"),
        (&["serve", "--io", "uring"], "expected auto, epoll or smol"),
        (&["serve", "--protected-mode", "1"], "expected yes or no"),
        (
            &["serve", "--io", "epoll", "--cluster", "a:1"],
            "--io epoll is for a node alone",
        ),
        (
            &["serve", "--max-tombstones", "0", "--cluster", "a:1"],
            "expected 1 to 100",
        ),
        (&["serve", "--threads", "0"], "expected 1 to 1024"),
        (
            &["serve", "--threads", "2", "--cluster", "a:1"],
            "(--cluster, --discover) has 1 thread",
        ),
        (&["serve", "--port", "70000"], "70000"),
        (&["serve", "--node-id", "a"], "--cluster"),
        (
            &["serve", "--cluster", "a:1,a:1"],
            "a:1 is in the list twice",
        ),
        (&["gateway"], "--cluster"),
        (&["set", "k", "v", "--ttl", "10"], "10s or 10ms?"),
        (&["set", "k"], "<VALUE>"),
        (&["get", "k", "--server", "localhost"], "expected host:port"),
        (
            &["get", "k", "--cluster", "a:1", "--level", "most"],
            "one, quorum, all or auto",
        ),
        (
            &["ring", "--cluster", "a:1", "--replicas", "9"],
            "expected 1 to 8",
        ),
        (&["bench", "--ratio", "0:0"], "such as 9:1"),
    ];
    for (args, part) in cases {
        assert_refused(args, part);
    }
}

#[test]
fn a_wrong_way_to_find_a_cluster_is_explained() {
    let cases: [(&[&str], &str); 4] = [
        (
            &["gateway", "--cluster", "a:1", "--discover", "a:1"],
            "cannot be used with",
        ),
        (&["serve", "--discover", "a=b:1"], "expected host:port"),
        (
            &["serve", "--discover", "a:1", "--cluster", "a:1", "--join"],
            "cannot be used with",
        ),
        (&["serve", "--advertise", "a:1"], "--discover"),
    ];
    for (args, part) in cases {
        assert_refused(args, part);
    }
}

fn assert_refused(args: &[&str], part: &str) {
    let ran = memvault(args);
    assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
    assert!(ran.stdout.is_empty(), "{args:?}");
    assert!(
        ran.stderr.contains(part),
        "{args:?}: no {part:?} in\n{}",
        ran.stderr
    );
}

#[test]
fn a_member_that_is_not_in_its_list_does_not_start() {
    let cases: [(&[&str], &str); 4] = [
        (
            &[
                "serve",
                "--port",
                "7009",
                "--cluster",
                "127.0.0.1:7001,127.0.0.1:7002",
            ],
            "no entry has port 7009",
        ),
        (
            &[
                "serve",
                "--node-id",
                "c",
                "--cluster",
                "a=127.0.0.1:7001,b=127.0.0.1:7002",
            ],
            "no entry has the id c",
        ),
        (
            &[
                "serve",
                "--port",
                "7001",
                "--cluster",
                "127.0.0.1:7001,localhost:7001",
            ],
            "say which one this is with --node-id",
        ),
        (
            &["up", "--base-port", "65530", "--count", "20"],
            "the highest is 65535",
        ),
    ];
    for (args, part) in cases {
        let ran = memvault(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_log_has_a_line_for_each_connection_and_never_a_key_or_a_value() {
    let mut server = Server::start(&["--log-level", "debug"]);
    let mut client = TcpStream::connect(&server.address).expect("it listens");
    let own = client.local_addr().expect("it is connected");
    let expected = format!("DEBUG client id=1 address={own}");
    server.process.wait_for(&expected);
    let request = b"SET secret-key secret-value\r\nGET secret-key\r\nsecret-word\r\nQUIT\r\n";
    client.write_all(request).expect("it reads");
    // The line of the next connection comes after all of the first.
    std::io::copy(&mut client, &mut std::io::sink()).expect("it closes");
    drop(TcpStream::connect(&server.address).expect("it listens"));
    server.process.wait_for("client id=2 ");
    let log = server.process.seen.join("\n");
    assert!(!log.contains("secret"), "{log}");
}
