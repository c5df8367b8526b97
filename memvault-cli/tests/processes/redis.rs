//! A blocking client for any RESP server: what a simple Redis client library does.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use memvault::resp::{Limits, Reply, ReplyDecoder, encode};

use crate::support::PATIENCE;

/// One connection.
pub(crate) struct Redis {
    stream: TcpStream,
    input: Vec<u8>,
    decoder: ReplyDecoder,
}

impl Redis {
    /// Connects to a server on this machine.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        Self::connect_within((Ipv4Addr::LOCALHOST, port).into(), PATIENCE)
    }

    /// Connects to a server that is given up when it takes longer than this to connect or to reply.
    pub(crate) fn connect_within(server: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self {
            stream,
            input: Vec::new(),
            decoder: ReplyDecoder::new(Limits::default()),
        })
    }

    /// Sends one command and waits for the reply.
    pub(crate) fn ask(&mut self, command: &[&str]) -> Reply {
        self.try_ask(command)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Like [`info_client`](Self::ask), for connections that may fail.
    pub(crate) fn try_ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut replies = self.pipeline(&[command.to_vec()])?;
        replies.pop().ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// Sends all commands at once and waits for all replies.
    pub(crate) fn pipeline<T: AsRef<str>>(
        &mut self,
        commands: &[Vec<T>],
    ) -> io::Result<Vec<Reply>> {
        let mut output = Vec::new();
        for command in commands {
            let arguments: Vec<&[u8]> = command.iter().map(|a| a.as_ref().as_bytes()).collect();
            encode::command(&mut output, &arguments);
        }
        self.stream.write_all(&output)?;
        commands.iter().map(|_| self.reply()).collect()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let decoded = self
                .decoder
                .decode(&self.input)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, format!("{error}")))?;
            if let Some(decoded) = decoded {
                let (reply, consumed) = (decoded.reply, decoded.consumed);
                self.input.drain(..consumed);
                return Ok(reply);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                len => self.input.extend_from_slice(&chunk[..len]),
            }
        }
    }

    /// The field `name` of `INFO`.
    pub(crate) fn info(&mut self, name: &str) -> Option<String> {
        let reply = self.try_ask(&["INFO"]).ok()?;
        let text = String::from_utf8_lossy(reply.as_bytes()?).into_owned();
        let mut lines = text.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned()))
    }
}

/// The reply to a write that was carried out.
pub(crate) fn ok() -> Reply {
    Reply::Simple(b"OK".to_vec())
}

/// The reply to a read that found `value`.
pub(crate) fn bulk(value: &str) -> Reply {
    Reply::Bulk(value.as_bytes().to_vec())
}
