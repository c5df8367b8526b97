//! A server in this process, and clients that speak raw bytes.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memvault::store;
use memvault_net::server::{Config, Role, Server};

/// A generous limit for things that must happen in the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: async_channel::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(listener: TcpListener, config: Config) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let thread = thread::spawn(move || {
            let shutdown = async move { stopped.recv().await };
            Server::run(listener, config, shutdown).expect("it runs");
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn single(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(Role::Single(store::Config::default()));
        change(&mut config);
        Self::start(listener(), config)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream
    }

    /// Asks the server to end.
    pub(crate) fn stop(&self) {
        self.stop.close();
    }

    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

#[track_caller]
pub(crate) fn expect(stream: &mut TcpStream, reply: &[u8]) {
    let mut found = vec![0; reply.len()];
    let result = stream.read_exact(&mut found);
    let text = String::from_utf8_lossy(&found).into_owned();
    result.unwrap_or_else(|error| panic!("{error}, after {text:?}"));
    assert_eq!(text, String::from_utf8_lossy(reply));
}

#[track_caller]
pub(crate) fn ask(stream: &mut TcpStream, command: &[u8], reply: &[u8]) {
    stream.write_all(command).expect("it is open");
    expect(stream, reply);
}

/// What comes until the other end closes.
#[track_caller]
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut found = Vec::new();
    let result = stream.read_to_end(&mut found);
    let text = String::from_utf8_lossy(&found).into_owned();
    result.unwrap_or_else(|error| panic!("{error}, after {text:?}"));
    text
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Says loudly what does not run.
pub(crate) fn skipped(why: &str) {
    eprintln!("\n!!! SKIPPED: {why}\n");
    if let Some(list) = std::env::var_os("CI_SKIPPED") {
        let list = OpenOptions::new().append(true).create(true).open(list);
        // Only the summary would lack it.
        let _ = list.and_then(|mut list| writeln!(list, "SKIPPED: {why}"));
    }
}
