//! What a browser sends on behalf of a web page: closed, and nothing of it executed.

use std::cell::RefCell;
use std::fmt::Display;

use memvault::connection::{Fields, Host, Hosted, Progress, Section};

use super::client::{NOW, array, connection, replies_to, send, store};

/// Remembers who was noticed.
#[derive(Default)]
struct Watchful(RefCell<Vec<String>>);

impl Host for Watchful {
    fn info(&self, _section: Section, _fields: &mut Fields<'_>) {}

    fn settings(&self, _show: &mut dyn FnMut(&str, &dyn Display)) {}

    fn notice_web_page(&self, address: &str) {
        self.0.borrow_mut().push(address.to_owned());
    }
}

/// The commands that a page wants executed, after the lines of a browser.
const BODY: &str = "\r\nSET pwned 1\r\nFLUSHALL\r\n*3\r\n$3\r\nSET\r\n$5\r\npwned\r\n$1\r\n1\r\n";

#[test]
fn a_request_of_a_browser_ends_the_connection_and_nothing_of_it_is_executed() {
    for head in [
        "POST / HTTP/1.1\r\nHost: localhost:6379\r\n",
        "post / HTTP/1.1\r\n",
        "pOsT\r\n",
        "Host: localhost:6379\r\n",
        "HOST: x\r\n",
        &array(&["POST", "/"]),
        // What is no command ends nothing; what follows does.
        "GET / HTTP/1.1\r\nHost: localhost:6379\r\n",
        "PUT / HTTP/1.1\r\nhost: localhost:6379\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: localhost:6379\r\n",
    ] {
        let (mut store, host) = (store(), Watchful::default());
        assert_eq!(replies_to(&mut store, NOW, "SET kept 1\r\n"), "+OK\r\n");
        let mut client = connection();
        let mut hosted = Hosted {
            engine: &mut store,
            host: &host,
        };
        let request = format!("{head}{BODY}");
        let (replies, progress) = send(&mut client, &mut hosted, NOW, request.as_bytes());
        assert_eq!(progress, Progress::Close, "{head}");
        let replies = String::from_utf8(replies).expect("text");
        let errors = head.lines().filter(|line| line.contains(" / HTTP")).count();
        let own = usize::from(head.starts_with(['p', 'P']) && !head.starts_with("PUT"));
        assert_eq!(
            replies.lines().count(),
            errors.saturating_sub(own),
            "{replies}"
        );
        assert!(
            replies.lines().all(|line| line.starts_with("-ERR ")),
            "{replies}"
        );
        assert_eq!(*host.0.borrow(), ["127.0.0.1:50000"], "{head}");
        // Nor is what comes later.
        let (replies, progress) = send(&mut client, &mut store, NOW, BODY.as_bytes());
        assert_eq!((replies.len(), progress), (0, Progress::Close), "{head}");
        let found = replies_to(&mut store, NOW, "GET pwned\r\nGET kept\r\n");
        assert_eq!(found, "$-1\r\n$1\r\n1\r\n", "{head}");
    }
}

#[test]
fn what_was_asked_before_is_answered() {
    let mut store = store();
    let (replies, progress) = send(
        &mut connection(),
        &mut store,
        NOW,
        b"PING\r\nPOST /\r\nPING\r\n",
    );
    assert_eq!((&*replies, progress), (&b"+PONG\r\n"[..], Progress::Close));
}

#[test]
fn other_words_that_begin_so_are_only_unknown() {
    let mut store = store();
    for word in ["POSTS", "Host", "Hosts:", "HEAD"] {
        let line = format!("{word} x\r\nPING\r\n");
        let (replies, progress) = send(&mut connection(), &mut store, NOW, line.as_bytes());
        let replies = String::from_utf8(replies).expect("text");
        assert!(replies.starts_with("-ERR unknown command"), "{replies}");
        assert!(replies.ends_with("+PONG\r\n"), "{replies}");
        assert_eq!(progress, Progress::NeedInput);
    }
    // A key or a value may be anything.
    let found = replies_to(&mut store, NOW, "SET POST Host:\r\nGET POST\r\n");
    assert_eq!(found, "+OK\r\n$5\r\nHost:\r\n");
}
