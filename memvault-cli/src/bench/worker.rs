//! One thread of the load generator: its connections, in one loop around `poll`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::Connection;
use super::tally::Tally;
use super::workload::Workload;
use crate::args::bench::Data;

/// What all threads of one run share.
pub(super) struct Run {
    pub(super) data: Data,
    pub(super) pipeline: usize,
    pub(super) timeout: Duration,
    /// Whether each key is set once, in order, instead of what the data asks for.
    pub(super) fills: bool,
    /// Requests in all; as good as no limit when the clock ends the run.
    pub(super) requests: u64,
    pub(super) begun: AtomicU64,
    pub(super) done: AtomicU64,
    pub(super) stop: AtomicBool,
}

/// Connects; the sockets do not block.
pub(super) fn connect(
    address: SocketAddr,
    count: usize,
    timeout: Duration,
) -> io::Result<Vec<TcpStream>> {
    let open = |_| {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    (0..count).map(open).collect()
}

/// Runs until all requests are begun and answered, or the run is stopped and all begun ones are answered.
/// Returns what was counted, and why it ended early if a connection failed or was silent for too long; the
/// others of this thread are given up too then.
pub(super) fn work(run: &Run, thread: usize, streams: &[TcpStream]) -> (Tally, io::Result<()>) {
    let mut worker = Worker {
        run,
        workload: Workload::new(&run.data, thread),
        tally: Tally::new(),
        chunk: vec![0; 64 << 10],
    };
    let result = worker.work(streams);
    (worker.tally, result)
}

/// Waits until a socket is ready or a tenth of a second has passed; `ready` gets what each is ready for.
fn wait(
    streams: &[TcpStream],
    connections: &[Connection],
    ready: &mut Vec<PollFlags>,
) -> io::Result<()> {
    const TICK: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    let wanted = |connection: &Connection| {
        if connection.has_output() {
            PollFlags::IN | PollFlags::OUT
        } else {
            PollFlags::IN
        }
    };
    let mut sockets: Vec<_> = streams
        .iter()
        .zip(connections)
        .map(|(stream, connection)| PollFd::new(stream, wanted(connection)))
        .collect();
    match poll(&mut sockets, Some(&TICK)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    ready.clear();
    ready.extend(sockets.iter().map(PollFd::revents));
    Ok(())
}

struct Worker<'a> {
    run: &'a Run,
    workload: Workload,
    tally: Tally,
    chunk: Vec<u8>,
}

impl Worker<'_> {
    fn work(&mut self, streams: &[TcpStream]) -> io::Result<()> {
        let mut connections: Vec<_> = streams.iter().map(|_| Connection::new()).collect();
        for (connection, stream) in connections.iter_mut().zip(streams) {
            self.begin(connection, stream)?;
        }
        let mut ready = Vec::with_capacity(streams.len());
        while connections.iter().any(|client| !client.waiting.is_empty()) {
            wait(streams, &connections, &mut ready)?;
            let connections = connections.iter_mut().zip(streams);
            for (&events, (connection, stream)) in ready.iter().zip(connections) {
                self.serve(connection, stream, events)?;
            }
        }
        Ok(())
    }

    fn serve(
        &mut self,
        connection: &mut Connection,
        stream: &TcpStream,
        events: PollFlags,
    ) -> io::Result<()> {
        if events.contains(PollFlags::OUT) {
            self.send(connection, stream)?;
        }
        if events.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR)
            && !connection.waiting.is_empty()
        {
            let replies = connection.read(stream, &mut self.chunk, &mut self.tally)?;
            self.run.done.fetch_add(replies, Ordering::Relaxed);
            if connection.waiting.is_empty() {
                self.begin(connection, stream)?;
            }
        } else if events.is_empty() && !connection.waiting.is_empty() {
            self.check_silence(connection)?;
        }
        Ok(())
    }

    /// Begins a batch, if there are requests left.
    fn begin(&mut self, connection: &mut Connection, stream: &TcpStream) -> io::Result<()> {
        let pipeline = self.run.pipeline as u64;
        if self.run.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let first = self.run.begun.fetch_add(pipeline, Ordering::Relaxed);
        for number in first..(first + pipeline).min(self.run.requests) {
            let output = &mut connection.output;
            let kind = if self.run.fills {
                self.workload.fill(number as usize, output)
            } else {
                self.workload.next(output)
            };
            connection.waiting.push_back(kind);
        }
        connection.began = Instant::now();
        self.send(connection, stream)
    }

    /// Sends what the socket takes; where it takes nothing any more, the server may have said why.
    fn send(&mut self, connection: &mut Connection, stream: &TcpStream) -> io::Result<()> {
        connection.write(stream).inspect_err(|_| {
            // The first failure is the one to report.
            let _ = connection.read(stream, &mut self.chunk, &mut self.tally);
        })
    }

    fn check_silence(&self, connection: &Connection) -> io::Result<()> {
        if connection.began.elapsed() < self.run.timeout {
            return Ok(());
        }
        let millis = self.run.timeout.as_millis();
        let text = format!("no reply within {millis} ms (--timeout)");
        Err(io::Error::new(io::ErrorKind::TimedOut, text))
    }
}
