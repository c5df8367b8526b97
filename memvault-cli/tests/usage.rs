//! Help and what is said about a wrong command line.

use std::io::Write;
use std::net::TcpStream;

use crate::support::{Running, Server, command, memvault, ran};

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
        let words: Vec<_> = help.stdout.split_ascii_whitespace().collect();
        let text = words.join(" ");
        for part in parts.iter().chain(&["Example"]) {
            assert!(
                text.contains(part),
                "{subcommand}: no {part:?} in\n{}",
                help.stdout
            );
        }
    }
}

#[test]
fn help_fits_the_terminal_and_uses_it() {
    let more = [
        "",
        "cluster",
        "cluster add",
        "cluster remove",
        "cluster status",
        "sim scale",
    ];
    let names = SUBCOMMANDS.iter().map(|(name, _)| *name).chain(more);
    for name in names {
        let words = name.split_ascii_whitespace().chain(["--help"]);
        let words: Vec<_> = words.collect();
        let mut lines = Vec::new();
        for width in [60, 80, 100, 160] {
            let help = command(&words).env("COLUMNS", width.to_string()).output();
            let help = ran(help).stdout;
            for line in help.lines() {
                assert!(line.chars().count() <= width, "{name} at {width}: {line}");
            }
            lines.push(help.lines().count());
        }
        assert!(lines.is_sorted_by(|a, b| a >= b), "{name}: {lines:?}");
        assert!(lines[0] > lines[3] || name.is_empty(), "{name}: {lines:?}");
    }
}

#[test]
fn help_is_a_subcommand_too() {
    let by_flag = memvault(&["serve", "--help"]);
    let by_name = memvault(&["help", "serve"]);
    assert_eq!((by_name.code, by_name.stderr.as_str()), (Some(0), ""));
    assert!(
        by_name.stdout.contains("--max-memory <SIZE>"),
        "{by_name:?}"
    );
    assert_eq!(by_name.stdout.lines().next(), by_flag.stdout.lines().next());
}

#[test]
fn letters_behind_the_h_of_help_are_a_mistake() {
    for args in [
        &["-hello"][..],
        &["bench", "-hello"],
        &["serve", "-hx"],
        &["cluster", "status", "-help"],
        &["-Version"],
    ] {
        let word = args.last().expect("never empty");
        assert_refused(args, &format!("unexpected argument '{word}'"));
    }
}

#[test]
fn a_bad_variable_is_named_and_not_the_flag_it_stands_for() {
    let cases: [(&[&str], &str, &str, &str); 9] = [
        (&["serve"], "MEMVAULT_PORT", "x", "MEMVAULT_PORT"),
        (&["up"], "MEMVAULT_PORT", "70000", "MEMVAULT_PORT"),
        (
            &["gateway", "--cluster", "a:1"],
            "MEMVAULT_PORT",
            "tcp://",
            "MEMVAULT_PORT",
        ),
        (
            &["serve"],
            "MEMVAULT_PROTECTED_MODE",
            "1",
            "expected yes or no",
        ),
        (&["ping"], "MEMVAULT_LOG", "loud", "MEMVAULT_LOG"),
        (
            &["ping"],
            "MEMVAULT_LOG_FORMAT",
            "xml",
            "expected text or json",
        ),
        (&["ping"], "MEMVAULT_PORT", "x", "expected a port"),
        (&["bench"], "MEMVAULT_HOST", "a b", "expected a host"),
        (&["top", "--once"], "MEMVAULT_PORT", "0", "expected a port"),
    ];
    for (args, name, value, part) in cases {
        let ran = ran(command(args).env(name, value).output());
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        for part in [part, &format!("{name} of the environment"), value] {
            assert!(ran.stderr.contains(part), "{args:?}: no {part} in {ran:?}");
        }
        for flag in [
            "--port <",
            "--protected-mode <",
            "--log-level <",
            "--log-format <",
        ] {
            assert!(!ran.stderr.contains(flag), "{args:?}: {ran:?}");
        }
    }
    // The flag that was given is the one that is wrong.
    let ran = ran(command(&["serve", "--port", "x"])
        .env("MEMVAULT_LOG", "debug")
        .output());
    assert!(ran.stderr.contains("'--port <PORT>'"), "{ran:?}");
}

#[test]
fn a_host_that_is_not_of_this_machine_is_told_with_its_variable() {
    let ran = ran(command(&["serve", "--port", "0"])
        .env("MEMVAULT_HOST", "192.0.2.1")
        .output());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("MEMVAULT_HOST=192.0.2.1"), "{ran:?}");
}

#[test]
fn links_of_kubernetes_and_empty_variables_count_as_unset() {
    let link = "tcp://10.96.0.10:6379";
    for value in [link, ""] {
        let ran = ran(command(&["ping", "--timeout", "100ms"])
            .env("MEMVAULT_PORT", value)
            .env("MEMVAULT_HOST", "127.0.0.99")
            .env("MEMVAULT_LOG_FORMAT", "")
            .output());
        assert!(ran.stdout.starts_with("127.0.0.99:6379 "), "{ran:?}");
    }
    // An address of this run's own: the port is the usual one.
    let id = std::process::id();
    let host = format!("127.1.{}.{}", id / 250 % 250, id % 250 + 1);
    let mut server = Running::start_with(
        &["serve", "--bind", &host, "--log-level", "debug"],
        &[("MEMVAULT_PORT", link)],
    );
    server.wait_for(&format!(
        "DEBUG ignored variable=MEMVAULT_PORT value={link}"
    ));
    server.wait_for(&format!("listening address={host}:6379"));
}

#[test]
fn a_wrong_command_line_is_explained_and_gives_exit_code_2() {
    let cases: [(&[&str], &str); 24] = [
        (&[], "Usage: memvault"),
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (&["serve", "--max-memory", "lots"], "such as 256mb"),
        (&["serve", "--max-memory", "0"], "more than 0"),
        (&["serve", "--max-memory", "120%"], "1% to 100%"),
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
        (&["set", "k", "-v", "-x"], "unexpected argument '-x'"),
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
