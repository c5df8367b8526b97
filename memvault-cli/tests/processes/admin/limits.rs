//! What it puts up with: bad requests, slow clients, wrong flags.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use super::{get, node, read, send};
use crate::redis::Redis;
use crate::support::{PATIENCE, Running, memvault};

#[test]
fn bad_requests_get_an_answer_that_says_what_is_wrong() {
    let (_node, admin) = node(&[]);
    let long = format!("GET /metrics HTTP/1.1\r\na: {}", "b".repeat(9000));
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    for (bytes, status, text) in [
        (
            "GET /x HTTP/1.1\r\n\r\n",
            404,
            "/metrics, /healthz, /readyz",
        ),
        ("GET /page/page.js HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("POST /page.js HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /api HTTP/1.1\r\n\r\n", 404, "/api/cluster"),
        (
            "GET /api/events?since=-1 HTTP/1.1\r\n\r\n",
            400,
            "since=NUMBER",
        ),
        (
            "GET /api/events?sinc=1 HTTP/1.1\r\n\r\n",
            400,
            "since=NUMBER",
        ),
        ("PUT / HTTP/1.1\r\n\r\n", 405, "expected GET or HEAD"),
        ("OPTIONS /api/cluster HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /metrics/ HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET /../metrics HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET /%2e%2e/etc/passwd HTTP/1.1\r\n\r\n", 404, "/metrics"),
        ("GET //metrics HTTP/1.1\r\n\r\n", 404, "/metrics"),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            405,
            "expected GET or HEAD",
        ),
        ("DELETE /healthz HTTP/1.1\r\n\r\n", 405, "GET or HEAD"),
        ("GET /metrics HTTP/3.0\r\n\r\n", 505, "HTTP/1.1"),
        ("SET a b\r\n", 505, "HTTP/1.1"),
        ("\x16\x03\x01\r\n\r\n", 400, "HTTP/1.1"),
        (&long, 431, "8192 bytes"),
        (&many, 431, "64 lines"),
    ] {
        let answer = send(admin, bytes.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{bytes:.40}");
        assert!(answer.body.contains(text), "{bytes:.40}: {}", answer.body);
        let allows = answer.head.contains("\r\nAllow: GET, HEAD\r\n");
        assert_eq!(allows, status == 405, "{}", answer.head);
    }
    let head = send(admin, b"HEAD /healthz HTTP/1.1\r\n\r\n").expect("an answer");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert!(head.head.contains("\r\nContent-Length: 3\r\n"));
}

#[test]
fn silent_and_slow_connections_make_room_for_whoever_asks() {
    let (node, admin) = node(&["--admin-read-timeout", "1h", "--admin-timeout", "1h"]);
    let open = || TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    let mut silent: Vec<_> = (0..32).map(|_| open()).collect();
    for stream in &mut silent[16..] {
        stream.write_all(b"GET /metrics HT").expect("it reads");
    }
    // Not one of them is closed before all places are taken, and then the oldest is.
    for path in ["/healthz", "/readyz", "/metrics", "/healthz"] {
        assert_eq!(get(admin, path).status, 200, "{path}");
    }
    let oldest = silent.remove(0);
    oldest.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let told = read(oldest).expect("an answer");
    assert_eq!(told.status, 503);
    assert!(told.body.contains("silent for longest"), "{}", told.body);
    // However many there are, also of those that have their answer and stay.
    let mut crowd: Vec<_> = (0..500).map(|_| open()).collect();
    for stream in &mut crowd[..250] {
        // Some are closed already.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
    }
    for _ in 0..5 {
        assert_eq!(get(admin, "/healthz").status, 200);
        assert_eq!(get(admin, "/metrics").status, 200);
    }
    // Clients of the cache do not notice.
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["PING"]);
    drop((silent, crowd));
}

#[test]
fn what_a_page_from_elsewhere_may_have_sent_is_refused() {
    let (_node, admin) = node(&["--admin-host", "cache.example,proxy"]);
    let paths = [
        "/",
        "/page.js",
        "/metrics",
        "/healthz",
        "/api/cluster",
        "/none",
    ];
    for path in paths {
        for (headers, is_refused) in [
            ("Host: evil.example", true),
            ("Host: evil.example:9400", true),
            ("Host: localhost.evil.example", true),
            ("Host: localhost\r\nOrigin: http://evil.example", true),
            ("Host: localhost\r\nOrigin: null", true),
            ("Host: 127.0.0.1:9400\r\nOrigin: http://127.0.0.1:1", true),
            ("Host: localhost:9400", false),
            (
                "Host: 127.0.0.1:9400\r\nOrigin: http://127.0.0.1:9400",
                false,
            ),
            ("Host: [::1]", false),
            ("Host: 10.1.2.3:9400", false),
            ("Host: cache.example", false),
            ("Host: proxy:80\r\nOrigin: https://cache.example", false),
            ("Accept: */*", false),
        ] {
            let text = format!("GET {path} HTTP/1.1\r\n{headers}\r\n\r\n");
            let answer = send(admin, text.as_bytes()).expect("an answer");
            assert_eq!(answer.status == 403, is_refused, "{path} {headers}");
            assert!(
                !is_refused || answer.body.contains("--admin-host"),
                "{}",
                answer.body
            );
            assert!(
                answer
                    .head
                    .contains("\r\nX-Content-Type-Options: nosniff\r\n")
            );
            assert!(
                answer
                    .head
                    .contains("\r\nContent-Security-Policy: default-src 'none'; ")
            );
        }
    }
    for (text, status) in [
        (
            "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            403,
        ),
        (
            "GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            200,
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n",
            400,
        ),
    ] {
        let answer = send(admin, text.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{text}: {}", answer.body);
    }
}

#[test]
fn limits_are_what_their_flags_say() {
    let flags = [
        "--admin-max-connections",
        "2",
        "--admin-max-head",
        "1kb",
        "--admin-max-header-lines",
        "3",
        "--admin-read-timeout",
        "50ms",
        "--admin-timeout",
        // An answer that came later than this would not come at all.
        "3s",
    ];
    let (_node, admin) = node(&flags);
    let slow = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    slow.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let slow = read(slow).expect("an answer");
    assert_eq!(slow.status, 408, "{}", slow.body);
    assert!(
        slow.body.contains("50ms (--admin-read-timeout)"),
        "{}",
        slow.body
    );
    let long = format!("GET /healthz HTTP/1.1\r\na: {}", "b".repeat(1100));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(4));
    for (bytes, text) in [(long, "1024 bytes (--admin-max-head)"), (many, "3 lines")] {
        let answer = send(admin, bytes.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 431);
        assert!(answer.body.contains(text), "{}", answer.body);
    }
    let (_node, admin) = node(&["--admin-max-connections", "1", "--admin-read-timeout", "1h"]);
    let full = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    let next = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    full.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let full = read(full).expect("an answer");
    assert_eq!(full.status, 503);
    assert!(full.body.contains("1 connections"), "{}", full.body);
    drop(next);
}

#[test]
fn an_end_of_input_amid_a_request_does_no_harm() {
    let (_node, admin) = node(&[]);
    let mut stream = TcpStream::connect(("127.0.0.1", admin)).expect("it listens");
    stream.write_all(b"GET /he").expect("it reads");
    stream.shutdown(Shutdown::Write).expect("a socket");
    let mut rest = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.read_to_end(&mut rest).expect("it closes");
    assert_eq!(rest, b"");
    assert_eq!(get(admin, "/healthz").status, 200);
}

#[test]
fn wrong_flags_and_taken_ports_are_named() {
    for (command, address) in [("serve", "9400"), ("gateway", "a:b"), ("up", "::1:9400")] {
        let ran = memvault(&[command, "--admin", address]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("--admin <HOST:PORT>"), "{}", ran.stderr);
        assert!(ran.stderr.contains("127.0.0.1:9400"), "{}", ran.stderr);
    }
    for (flag, value, expected) in [
        ("--admin-max-connections", "0", "1 to 10000"),
        ("--admin-max-head", "511", "512b to 1mb"),
        ("--admin-max-header-lines", "1001", "1 to 1000"),
        ("--admin-read-timeout", "5", "5s or 5ms"),
        ("--admin-timeout", "0s", "more than 0"),
        ("--admin-max-events", "x", "1 to 100000"),
        ("--admin-host", "a:1", "without a port"),
    ] {
        for command in ["serve", "up"] {
            let ran = memvault(&[command, "--admin", "127.0.0.1:1", flag, value]);
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert!(
                ran.stderr.contains(flag) && ran.stderr.contains(expected),
                "{}",
                ran.stderr
            );
        }
    }
    let alone = memvault(&["serve", "--admin-max-events", "5"]);
    assert_eq!(alone.code, Some(2));
    assert!(
        alone.stderr.contains("--admin <HOST:PORT>"),
        "{}",
        alone.stderr
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let ran = memvault(&["serve", "--port", "0", "--admin", &address]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("is in use (--admin 127.0.0.1:"),
        "{}",
        ran.stderr
    );
    // Another cluster may run beside, on the usual ports.
    let _beside = TcpListener::bind("127.0.0.1:7001");
    let ran = memvault(&["up", "--count", "2", "--admin", "127.0.0.1:65534"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("--admin 127.0.0.1:65534"),
        "{}",
        ran.stderr
    );
    let ran = memvault(&["up", "--count", "3", "--admin", "127.0.0.1:7000"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("port 7001"), "{}", ran.stderr);
}

#[test]
fn an_address_that_others_reach_is_warned_about() {
    let mut node = Running::start(&["serve", "--port", "0", "--admin", "0.0.0.0:0"]);
    let line = node.wait_for("WARN");
    assert!(line.contains("--admin"), "{line}");
}
