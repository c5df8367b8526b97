//! What is wrong is answered with what was expected.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::http::{get, request, send_raw};
use crate::processes::{Api, PATIENCE};

/// A server without a cache: it is not needed to say what is wrong.
fn start(name: &str, flags: &[&str]) -> Api {
    let mut all = vec!["--users", "10"];
    all.extend_from_slice(flags);
    if !flags.contains(&"--slow-ms") {
        all.extend(["--slow-ms", "0"]);
    }
    Api::start(name, &["127.0.0.1:1".to_owned()], &all)
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_with_it() {
    let api = start("wrong", &["--max-body", "200"]);
    let long = format!(r#"{{"name": "{}", "email": "a@b"}}"#, "n".repeat(300));
    for (method, path, body, status, message) in [
        (
            "GET",
            "/user/abc",
            "",
            400,
            "expected a whole number from 1",
        ),
        ("GET", "/user/0", "", 400, "\"0\" is wrong"),
        ("GET", "/user/-1", "", 400, "expected a whole number"),
        ("GET", "/user/+1", "", 400, "expected a whole number"),
        (
            "GET",
            "/user/9223372036854775808",
            "",
            400,
            "to 9223372036854775807",
        ),
        ("GET", "/user/%FF", "", 400, "UTF-8"),
        ("DELETE", "/user/1.5", "", 400, "\"1.5\" is wrong"),
        ("GET", "/user/11", "", 404, "there is no user 11"),
        ("GET", "/users", "", 404, "there are /user, /user/{id}"),
        (
            "PATCH",
            "/user/1",
            "",
            405,
            "takes GET, PUT and DELETE, not PATCH",
        ),
        ("GET", "/user", "", 405, "/user takes POST, not GET"),
        ("PUT", "/user/1", "{", 400, "the body is not a user: EOF"),
        ("PUT", "/user/1", "[]", 400, "the body is not a user"),
        (
            "PUT",
            "/user/1",
            r#"{"name": "A"}"#,
            400,
            "missing field `email`",
        ),
        (
            "POST",
            "/user",
            r#"{"email": "a@b"}"#,
            400,
            "missing field `name`",
        ),
        (
            "POST",
            "/user",
            r#"{"name": 1, "email": "a@b"}"#,
            400,
            "expected a string",
        ),
        (
            "POST",
            "/user",
            r#"{"name": "A", "email": "a@b", "age": 1}"#,
            400,
            "unknown field `age`",
        ),
        (
            "POST",
            "/user",
            r#"{"name": " ", "email": "a@b"}"#,
            400,
            "name is empty",
        ),
        (
            "POST",
            "/user",
            r#"{"name": "A", "email": "ab"}"#,
            400,
            "\"ab\" is no address",
        ),
        (
            "POST",
            "/user",
            r#"{"name": "A", "email": "@b"}"#,
            400,
            "is no address",
        ),
        (
            "POST",
            "/user",
            &long,
            413,
            "the limit is 200 bytes (--max-body)",
        ),
    ] {
        let answer = request(api.address, method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        assert!(answer.message().contains(message), "{answer:?}");
    }
    let wrong = request(api.address, "PATCH", "/user/1", "");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,PUT,DELETE"));
    for content_type in ["", "content-type: text/plain\r\n"] {
        let text = format!(
            "PUT /user/1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{content_type}content-length: 2\r\n\r\n{{}}"
        );
        let answer = send_raw(api.address, text.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 415);
        assert!(
            answer.message().contains("expected application/json"),
            "{answer:?}"
        );
    }
    let answer = send_raw(api.address, b"rubbish\r\n\r\n").expect("an answer");
    assert_eq!(answer.status, 400);
    assert_eq!(get(api.address, "/user/1").body["data"]["name"], "User 1");
}

#[test]
fn a_name_that_is_too_long_is_refused() {
    let api = start("long", &[]);
    let long = format!(r#"{{"name": "{}", "email": "a@b"}}"#, "n".repeat(321));
    let answer = request(api.address, "POST", "/user", &long);
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.message(),
        "name has 321 bytes; the longest allowed is 320"
    );
}

#[test]
fn slow_clients_are_not_waited_for() {
    let api = start(
        "slow",
        &["--client-timeout-ms", "200", "--max-connections", "1"],
    );
    let text = "PUT /user/1 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let answer = send_raw(api.address, text.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(
        answer.message().contains("--client-timeout-ms"),
        "{answer:?}"
    );
    // With one connection at a time, the next one is served once this one is given up.
    let mut idle = TcpStream::connect(api.address).expect("it accepts");
    idle.write_all(b"GET /us").expect("it reads");
    assert_eq!(get(api.address, "/user/1").status, 200);
    let mut rest = Vec::new();
    assert!(!matches!(idle.read_to_end(&mut rest), Ok(1..)) || !rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_client_that_does_not_read_its_answers_is_given_up() {
    let flags = ["--write-timeout-ms", "200", "--max-connections", "1"];
    let api = start("unread", &flags);
    let mut stuck = TcpStream::connect(api.address).expect("it accepts");
    stuck.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    let requests = "GET /statistics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let error = loop {
        if let Err(error) = stuck.write_all(requests.as_bytes()) {
            break error;
        }
    };
    // Closed by the server, not still waiting for it.
    let closed = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(closed.contains(&error.kind()), "{error}");
    assert_eq!(get(api.address, "/user/1").status, 200);
}

#[test]
fn whoever_sends_half_a_request_makes_room_for_an_honest_one() {
    let flags = ["--client-timeout-ms", "3600000", "--max-connections", "50"];
    let api = start("half", &flags);
    let half = |text: &str| {
        let mut stream = TcpStream::connect(api.address).expect("it accepts");
        // The server may close it at once.
        let _ = stream.write_all(text.as_bytes());
        stream
    };
    let heads = (0..500).map(|_| half("GET /user/1 HTTP/1.1\r\nhost: localhost\r\n"));
    let mut crowd: Vec<_> = heads.collect();
    let body = "POST /user HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    crowd.extend((0..500).map(|_| half(body)));
    for _ in 0..5 {
        assert_eq!(get(api.address, "/user/1").status, 200);
    }
    // Who keeps his connection is answered on it again and again.
    let mut kept = TcpStream::connect(api.address).expect("it accepts");
    kept.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    for _ in 0..3 {
        kept.write_all(b"GET /user/1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .expect("it reads");
        let mut answer = [0; 12];
        kept.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut rest = [0; 4096];
        assert!(kept.read(&mut rest).expect("the rest") > 0);
    }
    drop(crowd);
}

#[test]
fn who_is_being_answered_keeps_his_place() {
    let flags = ["--slow-ms", "1000", "--max-connections", "2"];
    let api = start("busy", &flags);
    let address = api.address;
    let under_way: Vec<_> = (1..3)
        .map(|user| thread::spawn(move || get(address, &format!("/user/{user}"))))
        .collect();
    thread::sleep(Duration::from_millis(300));
    let crowd: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(address).expect("it accepts"))
        .collect();
    assert_eq!(get(address, "/statistics").status, 200);
    for one in under_way {
        assert_eq!(one.join().expect("an answer").status, 200);
    }
    drop(crowd);
}

#[test]
fn what_a_page_from_elsewhere_may_have_sent_is_refused() {
    let api = start("pages", &["--host", "users.example"]);
    let json = "content-type: application/json";
    for (method, headers, status) in [
        ("GET", "host: evil.example", 403),
        ("DELETE", "host: evil.example", 403),
        (
            "DELETE",
            "host: localhost\r\norigin: http://evil.example",
            403,
        ),
        ("DELETE", "host: localhost\r\norigin: null", 403),
        ("GET", "host: localhost\r\nhost: evil.example", 400),
        ("GET", "host: 127.0.0.1:3000", 200),
        ("GET", "host: users.example", 200),
        (
            "GET",
            "host: users.example\r\norigin: https://users.example",
            200,
        ),
        // From before there were names.
        ("GET", "accept: */*", 200),
    ] {
        let text = format!(
            "{method} /user/1 HTTP/1.1\r\n{headers}\r\n{json}\r\nconnection: close\r\n\r\n"
        );
        let is_old = headers.starts_with("accept");
        let text = if is_old {
            text.replace("1.1", "1.0")
        } else {
            text
        };
        let answer = send_raw(api.address, text.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{headers}: {answer:?}");
        assert!(
            status != 403 || answer.message().contains("--host"),
            "{answer:?}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap_or("");
        assert!(policy.starts_with("default-src 'none'"), "{answer:?}");
    }
    let elsewhere =
        "GET http://evil.example/user/1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = send_raw(api.address, elsewhere.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 403);
    assert_eq!(get(api.address, "/user/1").status, 200);
}

#[test]
fn check_tells_whether_it_answers() {
    let mut api = start("check", &[]);
    let check = |address: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_user-api"));
        let checked = command.args(["--check", "--listen", address]).output();
        checked.expect("it runs")
    };
    let port = api.address.port();
    for address in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        let checked = check(&address);
        assert!(checked.status.success(), "{checked:?}");
    }
    assert!(api.stop(), "it ends well");
    let checked = check(&api.address.to_string());
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(said.contains("does not answer"), "{said}");
}

#[test]
fn a_database_that_fails_is_told() {
    let api = start("broken", &[]);
    let broken = api.database().execute_batch("DROP TABLE users");
    broken.expect("it can be dropped");
    let body = r#"{"name": "A", "email": "a@b"}"#;
    for (method, path, body) in [
        ("GET", "/user/1", ""),
        ("POST", "/user", body),
        ("PUT", "/user/1", body),
        ("DELETE", "/user/1", ""),
    ] {
        let answer = request(api.address, method, path, body);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer.message().contains("no such table: users"),
            "{answer:?}"
        );
    }
}

#[test]
fn sigterm_lets_requests_end() {
    let mut api = start("stop", &["--slow-ms", "500"]);
    let address = api.address;
    let under_way = thread::spawn(move || get(address, "/user/1"));
    thread::sleep(Duration::from_millis(200));
    assert!(api.stop(), "it ends well");
    assert_eq!(under_way.join().expect("an answer").status, 200);
}
