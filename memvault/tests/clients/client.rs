//! A client without a socket.

use memvault::connection::{Config, Connection, Engine, Progress};
use memvault::store::{self, Store};
use memvault::time::Timestamp;

/// The present, unless a test says otherwise: some day in 2026.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// A store within `max_bytes`.
pub(crate) fn store_of(max_bytes: Option<usize>) -> Store {
    let config = store::Config {
        max_bytes,
        ..store::Config::default()
    };
    Store::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4))
}

/// A store without limits.
pub(crate) fn store() -> Store {
    store_of(None)
}

/// A connection with the default limits.
pub(crate) fn connection() -> Connection {
    Connection::new(7, "127.0.0.1:50000", Config::default())
}

/// Hands `bytes` to the connection, as if they had been read from a socket.
pub(crate) fn feed(connection: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = connection.input_space();
        let n = space.len().min(bytes.len());
        space[..n].copy_from_slice(&bytes[..n]);
        connection.commit(n);
        bytes = &bytes[n..];
    }
}

/// Takes all output, as if it had been written to a socket.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut output = Vec::with_capacity(connection.output_len());
    while connection.output_len() > 0 {
        output.extend_from_slice(connection.output());
        connection.consume_output(connection.output().len());
    }
    output
}

/// Sends bytes and takes the replies, in whatever portions they come.
pub(crate) fn send(
    connection: &mut Connection,
    engine: &mut impl Engine,
    now: Timestamp,
    bytes: &[u8],
) -> (Vec<u8>, Progress) {
    feed(connection, bytes);
    let mut replies = Vec::new();
    loop {
        let progress = connection.process(now, engine);
        replies.extend(drain(connection));
        if !matches!(progress, Progress::NeedOutput | Progress::NeedTurn) {
            return (replies, progress);
        }
    }
}

/// Bytes for people.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The replies to command lines on a connection of their own, which stays open.
pub(crate) fn replies_to(store: &mut Store, now: Timestamp, lines: &str) -> String {
    let (replies, progress) = send(&mut connection(), store, now, lines.as_bytes());
    assert_eq!(progress, Progress::NeedInput, "{lines}");
    String::from_utf8(replies).expect("replies of these tests are text")
}

/// A command as an array of bulk strings.
pub(crate) fn array(args: &[&str]) -> String {
    let bulk = |arg: &&str| format!("${}\r\n{arg}\r\n", arg.len());
    format!(
        "*{}\r\n{}",
        args.len(),
        args.iter().map(bulk).collect::<String>()
    )
}
