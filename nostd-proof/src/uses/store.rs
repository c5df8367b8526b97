//! A server without sockets: bytes of a client in, bytes for the client out.

use memvault::connection::{Config, Connection, Progress};
use memvault::store::{self, Store};
use memvault::time::Timestamp;

pub fn run() {
    let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut store = Store::new(store::Config::default(), hasher);
    let mut client = Connection::new(1, "nobody", Config::default());
    let mut says = |at, bytes: &[u8], expected: &[u8]| {
        client.input_space()[..bytes.len()].copy_from_slice(bytes);
        client.commit(bytes.len());
        let progress = client.process(Timestamp::from_millis(at), &mut store);
        assert_eq!(progress, Progress::NeedInput);
        assert_eq!(client.output(), expected);
        client.consume_output(expected.len());
    };
    says(
        0,
        b"SET key \"x y\" EX 10\r\nGET key\r\n",
        b"+OK\r\n$3\r\nx y\r\n",
    );
    says(9_999, b"*2\r\n$6\r\nEXISTS\r\n$3\r\nkey\r\n", b":1\r\n");
    says(10_000, b"GET key\r\nDBSIZE\r\n", b"$-1\r\n:0\r\n");
    says(
        10_000,
        b"GET\r\n",
        b"-ERR wrong number of arguments for 'get' command\r\n",
    );
}
