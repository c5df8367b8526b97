//! The shell, fed through a pipe.

use crate::support::{Server, memvault_with_input, run_with_input};

#[test]
fn replies_are_printed_plainly_line_by_line() {
    let server = Server::start(&[]);
    let input =
        "SET a \"x y\" EX 10\n\nGET a\nGET b\nSET b '\\x' \nMGET a b c\nttl a\nECHO \"\\x41\\n\"\n";
    let ran = memvault_with_input(&["shell", "--server", &server.address], input);
    assert_eq!(ran.stdout, "OK\nx y\n\nOK\nx y\n\\x\n\n10\nA\n\n");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn bare_json_and_bytes_that_are_no_text_are_values() {
    let server = Server::start(&[]);
    let input = b"SET user {\"name\": \"Ada\"}\nGET user\nSET k\xff \"\xfe\\xfd\"\nGET k\xff\nSET a -x\nGET a\nSET a [1\n";
    let ran = run_with_input(&["shell", "--server", &server.address], input);
    assert_eq!(
        ran.stdout,
        b"OK\n{\"name\": \"Ada\"}\nOK\n\xfe\xfd\nOK\n-x\n"
    );
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(told.contains("brackets do not match"), "{told}");
}

#[test]
fn errors_and_bad_quotes_are_told_and_do_not_end_it() {
    let server = Server::start(&[]);
    let input = "NONSENSE\nGET \"a\nGET a b\nPING\nexit\nPING\n";
    let ran = memvault_with_input(&["shell", "--server", &server.address], input);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{ran:?}");
    assert!(
        lines[0].starts_with("ERR unknown command 'NONSENSE'"),
        "{ran:?}"
    );
    assert!(
        lines[1].starts_with("ERR wrong number of arguments"),
        "{ran:?}"
    );
    assert_eq!(lines[2], "PONG");
    assert_eq!(ran.stderr, "error: a quote is not closed\n");
}

#[test]
fn help_is_at_hand() {
    let server = Server::start(&[]);
    let ran = memvault_with_input(&["shell", "--server", &server.address], "help pexpire\n");
    assert!(ran.stdout.contains("PEXPIRE key milliseconds"), "{ran:?}");
}

#[test]
fn the_first_member_that_answers_is_used() {
    let server = Server::start(&[]);
    let list = format!("127.0.0.1:1,{}", server.address);
    let ran = memvault_with_input(&["shell", "--cluster", &list], "PING\n");
    assert_eq!(ran.stdout, "PONG\n");
    let none = memvault_with_input(&["shell", "--cluster", "127.0.0.1:1,127.0.0.1:2"], "PING\n");
    assert_eq!(none.code, Some(1));
    assert_eq!(none.stderr.lines().count(), 3, "{none:?}");
}
