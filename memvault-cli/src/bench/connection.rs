//! One connection of the load generator: a batch of requests out, all their replies in.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use memvault::resp::{Limits, ReplyScanner};

use super::tally::Tally;
use super::workload::Kind;

/// State of a connection whose socket does not block.
pub(super) struct Connection {
    scanner: ReplyScanner,
    input: Vec<u8>,
    pub(super) output: Vec<u8>,
    written: usize,
    /// Requests whose replies are missing, in order.
    pub(super) waiting: VecDeque<Kind>,
    /// When the present batch began.
    pub(super) began: Instant,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self {
            scanner: ReplyScanner::new(Limits {
                max_bulk_len: 512 << 20,
                ..Limits::default()
            }),
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            waiting: VecDeque::new(),
            began: Instant::now(),
        }
    }

    /// Whether there is something left to send.
    pub(super) fn has_output(&self) -> bool {
        self.written < self.output.len()
    }

    /// Sends as much of the batch as the socket takes.
    pub(super) fn write(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while self.has_output() {
            match stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what has come and counts the replies in it. Returns how many there were.
    pub(super) fn read(
        &mut self,
        mut stream: &TcpStream,
        chunk: &mut [u8],
        tally: &mut Tally,
    ) -> io::Result<u64> {
        let len = match stream.read(chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if is_momentary(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let latency = self.began.elapsed();
        let kept = !self.input.is_empty();
        if kept {
            self.input.extend_from_slice(&chunk[..len]);
        }
        let bytes = if kept { &self.input[..] } else { &chunk[..len] };
        let (mut consumed, mut replies) = (0, 0);
        while let Some(scanned) = self.scanner.scan(&bytes[consumed..]).map_err(malformed)? {
            if scanned.is_error {
                tally.note_error(&bytes[consumed..consumed + scanned.consumed]);
            }
            consumed += scanned.consumed;
            replies += 1;
            let kind = self.waiting.pop_front().ok_or_else(unasked)?;
            tally.count(kind, latency, scanned.is_error, scanned.is_null);
        }
        if kept {
            self.input.drain(..consumed);
        } else {
            self.input.extend_from_slice(&chunk[consumed..len]);
        }
        Ok(replies)
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn malformed(error: memvault::resp::DecodeError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no RESP server? {error}"))
}

fn unasked() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a reply without a request")
}
