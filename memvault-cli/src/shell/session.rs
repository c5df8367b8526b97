//! One conversation with a server, or with whichever member of a cluster answers.

use std::time::Duration;

use memvault::resp::Reply;

use super::catalogue;
use super::words;
use crate::error::Error;
use crate::link::{Link, LinkError};

/// Executes lines; connects anew when the connection was lost.
pub(super) struct Session {
    servers: Vec<String>,
    timeout: Duration,
    link: Option<Link>,
}

/// What a line leads to.
pub(super) enum Answer {
    Nothing,
    Leave,
    /// Help.
    Text(String),
    Reply(Reply),
    /// The line was not carried out, or nobody knows; why.
    Problem(String),
}

impl Session {
    /// Connects to the first server that answers.
    pub(super) fn connect(servers: Vec<String>, timeout: Duration) -> Result<Self, Error> {
        let link = first_of(&servers, timeout).map_err(Error::failed)?;
        Ok(Self {
            servers,
            timeout,
            link: Some(link),
        })
    }

    /// Whom it talks to.
    pub(super) fn prompt(&self) -> &str {
        self.link.as_ref().map_or("not connected", Link::address)
    }

    /// Executes a line as a person types it.
    pub(super) fn execute(&mut self, line: &[u8]) -> Answer {
        let words = match words::split(line) {
            Ok(words) => words,
            Err(error) => return Answer::Problem(error.to_string()),
        };
        let Some(first) = words.first() else {
            return Answer::Nothing;
        };
        match first.to_ascii_lowercase().as_slice() {
            b"exit" | b"quit" => Answer::Leave,
            b"help" | b"?" => Answer::Text(catalogue::help(words.get(1).map(Vec::as_slice))),
            _ => {
                let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                self.send(&args)
            }
        }
    }

    fn send(&mut self, args: &[&[u8]]) -> Answer {
        if self.link.is_none() {
            match first_of(&self.servers, self.timeout) {
                Ok(link) => self.link = Some(link),
                Err(reasons) => return Answer::Problem(reasons),
            }
        }
        let Some(link) = &mut self.link else {
            return Answer::Nothing;
        };
        match link.request(args) {
            Ok(reply) => Answer::Reply(reply),
            Err(error) => {
                self.link = None;
                Answer::Problem(format!(
                    "{error}; whether the command was carried out is not known, the next one connects anew"
                ))
            }
        }
    }
}

/// Connects to the first that answers; else one line for each.
fn first_of(servers: &[String], timeout: Duration) -> Result<Link, String> {
    let mut errors: Vec<LinkError> = Vec::new();
    for server in servers {
        match Link::connect(server, timeout) {
            Ok(link) => return Ok(link),
            Err(error) => errors.push(error),
        }
    }
    if let [only] = &errors[..] {
        return Err(only.to_string());
    }
    let lines = errors.iter().map(|error| format!("\n  {error}"));
    let lines: String = lines.collect();
    Err(format!(
        "none of {} nodes can be reached:{lines}",
        servers.len()
    ))
}
