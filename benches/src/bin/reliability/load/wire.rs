//! A connection that waits for its replies, for threads of this process.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memvault::resp::{Limits, ReplyScanner, encode};

/// Longest wait for bytes, and for room for bytes.
const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 256 << 10;

/// A client of any RESP server.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    scanner: ReplyScanner,
    input: Vec<u8>,
    /// Where the first byte of `input` stands that belongs to no reply yet.
    begin: usize,
    chunk: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// Bytes of the reply.
    pub(super) len: usize,
    /// Its first bytes.
    pub(super) head: Vec<u8>,
}

impl Wire {
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            scanner: ReplyScanner::new(Limits {
                max_bulk_len: 512 << 20,
                max_arguments: 4 << 20,
                max_command_len: usize::MAX,
                ..Limits::default()
            }),
            input: Vec::new(),
            begin: 0,
            chunk: vec![0; CHUNK],
        })
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// The error reply, or what happened to the connection, in words.
    pub(super) fn ask(&mut self, args: &[&[u8]]) -> Result<Reply, String> {
        self.ask_bytes(&command(args))
    }

    /// The same with a command that is encoded already.
    pub(super) fn ask_bytes(&mut self, bytes: &[u8]) -> Result<Reply, String> {
        self.stream.write_all(bytes).map_err(|error| gone(&error))?;
        self.reply()
    }

    /// Waits for the next reply.
    ///
    /// # Errors
    /// As [`info_client`](Self::ask).
    pub(super) fn reply(&mut self) -> Result<Reply, String> {
        loop {
            let rest = &self.input[self.begin..];
            let scanned = self.scanner.scan(rest).map_err(|error| error.to_string())?;
            if let Some(scanned) = scanned {
                let reply = &rest[..scanned.consumed];
                self.begin += scanned.consumed;
                if scanned.is_error {
                    return Err(String::from_utf8_lossy(reply).trim().to_owned());
                }
                let head = reply[..reply.len().min(1024)].to_vec();
                return Ok(Reply {
                    len: reply.len(),
                    head,
                });
            }
            self.read().map_err(|error| gone(&error))?;
        }
    }

    fn read(&mut self) -> io::Result<()> {
        self.input.drain(..self.begin);
        self.begin = 0;
        match self.stream.read(&mut self.chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            len => {
                self.input.extend_from_slice(&self.chunk[..len]);
                Ok(())
            }
        }
    }
}

/// The bytes of a command.
pub(super) fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::command(&mut bytes, args);
    bytes
}

/// The first word of an error, by which errors are counted.
pub(super) fn kind(error: &str) -> &str {
    let word = error.trim_start_matches(['-', ':']);
    let word = word.split_whitespace().next().unwrap_or("nothing");
    word.trim_end_matches(':')
}

fn gone(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "SILENT for a minute".to_owned(),
        _ => format!("CLOSED: {error}"),
    }
}
