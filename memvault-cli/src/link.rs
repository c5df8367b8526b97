//! One blocking connection to one RESP server.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use memvault::resp::{DecodeError, Limits, Reply, ReplyDecoder, encode};

/// A connection that sends a command and waits for its reply.
pub(crate) struct Link {
    address: String,
    stream: TcpStream,
    decoder: ReplyDecoder,
    input: Vec<u8>,
}

/// Why a server cannot be asked.
#[derive(Debug)]
pub(crate) struct LinkError {
    address: String,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Resolve(io::Error),
    Connect(io::Error),
    Silent(Duration),
    Lost(io::Error),
    Closed,
    Malformed(DecodeError),
}

impl Link {
    /// Connects to `host:port`. `timeout` bounds the connection attempt and each wait for a reply.
    pub(crate) fn connect(address: &str, timeout: Duration) -> Result<Self, LinkError> {
        let stream = connect(address, timeout).map_err(|reason| LinkError::new(address, reason))?;
        let limits = Limits {
            max_bulk_len: 512 << 20,
            ..Limits::default()
        };
        Ok(Self {
            address: address.to_owned(),
            stream,
            decoder: ReplyDecoder::new(limits),
            input: Vec::new(),
        })
    }

    /// Where it is connected to, as it was written.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a command and waits for its reply.
    pub(crate) fn request(&mut self, args: &[&[u8]]) -> Result<Reply, LinkError> {
        let mut output = Vec::new();
        encode::command(&mut output, args);
        self.exchange(&output)
            .map_err(|reason| LinkError::new(&self.address, reason))
    }

    fn exchange(&mut self, output: &[u8]) -> Result<Reply, Reason> {
        self.stream.write_all(output).map_err(Reason::Lost)?;
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(decoded) = self
                .decoder
                .decode(&self.input)
                .map_err(Reason::Malformed)?
            {
                self.input.drain(..decoded.consumed);
                return Ok(decoded.reply);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Reason::Closed),
                Ok(len) => self.input.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.silent_or_lost(error)),
            }
        }
    }

    fn silent_or_lost(&self, error: io::Error) -> Reason {
        let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        match self.stream.read_timeout() {
            Ok(Some(timeout)) if timed_out => Reason::Silent(timeout),
            _ => Reason::Lost(error),
        }
    }
}

/// The addresses behind `host:port`.
pub(crate) fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<_> = address.to_socket_addrs()?.collect();
    if found.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "no address"));
    }
    Ok(found)
}

fn connect(address: &str, timeout: Duration) -> Result<TcpStream, Reason> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no address");
    for candidate in resolve(address).map_err(Reason::Resolve)? {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(Reason::Lost)?;
                stream
                    .set_read_timeout(Some(timeout))
                    .map_err(Reason::Lost)?;
                stream
                    .set_write_timeout(Some(timeout))
                    .map_err(Reason::Lost)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Reason::Connect(last))
}

impl LinkError {
    fn new(address: &str, reason: Reason) -> Self {
        Self {
            address: address.to_owned(),
            reason,
        }
    }

    /// Whether no way leads there from this machine, so that others may well reach it.
    pub(crate) fn is_unreached(&self) -> bool {
        match &self.reason {
            Reason::Resolve(_) => true,
            Reason::Connect(error) => error.kind() != ErrorKind::ConnectionRefused,
            _ => false,
        }
    }

    /// What is wrong, without the address.
    pub(crate) fn reason(&self) -> String {
        match &self.reason {
            Reason::Resolve(error) => format!("unknown host: {error}"),
            Reason::Connect(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "connection refused: nothing listens there".to_owned()
            }
            Reason::Connect(error) => format!("cannot connect: {error}"),
            Reason::Silent(timeout) => format!("no reply within {} ms", timeout.as_millis()),
            Reason::Lost(error) => format!("connection lost: {error}"),
            Reason::Closed => "the server closed the connection".to_owned(),
            Reason::Malformed(error) => format!("not a RESP server? {error}"),
        }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.reason())
    }
}
