//! One connection to a node that speaks plain Redis: replies come in the order of the questions.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::command::{Form, is_loading};
use super::{PlainError, PlainQuestion, PlainReply};
use crate::resp::{Limits, Reply, ReplyDecoder, encode};
use crate::time::Timestamp;

/// Questions as bytes, bytes as replies, for one connection.
///
/// # Examples
/// ```
/// use memvault::replication::{Answer, PlainCommand, PlainLink, PlainQuestion, PlainReply};
/// use memvault::resp::Limits;
/// use memvault::time::Timestamp;
///
/// let (mut link, mut out) = (PlainLink::new(Limits::default()), Vec::new());
/// link.ask(&PlainQuestion::Command(7, PlainCommand::Get(b"a"[..].into())), &mut out);
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
/// let (reply, consumed) = link.next(Timestamp::default(), b"$1\r\nx\r\n")?.expect("it is complete");
/// let value = Answer::Value(Some(b"x"[..].into()));
/// assert_eq!((reply, consumed), (PlainReply::Answered(7, Ok(value)), 7));
/// # Ok::<(), memvault::replication::PlainError>(())
/// ```
#[derive(Debug)]
pub struct PlainLink {
    decoder: ReplyDecoder,
    /// What was asked and is not answered, oldest first.
    expected: VecDeque<Expected>,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Greeting,
    Pong,
    Command(u64, Form),
}

impl PlainLink {
    /// The codec of a connection that has just been opened; replies may be as large as `limits` say.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            decoder: ReplyDecoder::new(limits),
            expected: VecDeque::new(),
        }
    }

    /// Appends a question to `out`. O(length).
    pub fn ask(&mut self, question: &PlainQuestion, out: &mut Vec<u8>) {
        self.expected.push_back(match question {
            PlainQuestion::Greet => {
                encode::command(out, &[b"INFO"]);
                Expected::Greeting
            }
            PlainQuestion::Ping => {
                encode::command(out, &[b"PING"]);
                Expected::Pong
            }
            PlainQuestion::Command(id, command) => Expected::Command(*id, command.encode(out)),
        });
    }

    /// The reply at the beginning of `input` and its length in bytes; `None` if it is not complete: call
    /// again with the same bytes and more behind them. `wall` is when it came.
    ///
    /// # Errors
    /// If the bytes are no reply to what was asked; see [`PlainError`]. The connection is of no more use.
    pub fn next(
        &mut self,
        wall: Timestamp,
        input: &[u8],
    ) -> Result<Option<(PlainReply, usize)>, PlainError> {
        if !input.is_empty() && self.expected.is_empty() {
            return Err(PlainError::Unasked);
        }
        let Some(decoded) = self.decoder.decode(input).map_err(PlainError::Decode)? else {
            return Ok(None);
        };
        let reply = match self.expected.pop_front() {
            None => return Err(PlainError::Unasked),
            Some(Expected::Greeting) => greeting(&decoded.reply)?,
            Some(Expected::Pong) => pong(&decoded.reply)?,
            Some(Expected::Command(id, form)) => {
                PlainReply::Answered(id, form.answer(wall, decoded.reply)?)
            }
        };
        Ok(Some((reply, decoded.consumed)))
    }
}

/// Whether a server that describes itself like this can be a node.
fn greeting(reply: &Reply) -> Result<PlainReply, PlainError> {
    if let Some(text) = reply.error_text() {
        return Ok(unfit(text));
    }
    let wrong = PlainError::WrongKind { command: "INFO" };
    let info = String::from_utf8_lossy(reply.as_bytes().ok_or(wrong)?);
    let field = |name: &str| {
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        fields
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.trim())
    };
    if field("node_state").is_some() {
        return Ok(PlainReply::Unfit(MEMBER.to_string()));
    }
    if field("redis_mode") == Some("cluster") {
        return Ok(PlainReply::Unfit(REDIS_CLUSTER.to_string()));
    }
    if field("role") == Some("slave") {
        let master = field("master_host").unwrap_or("another server");
        return Ok(PlainReply::Unfit(format!(
            "it is a read-only replica of {master}: name its master in the list of nodes instead"
        )));
    }
    let is_loading = field("loading") == Some("1");
    Ok(PlainReply::Alive { is_loading })
}

fn pong(reply: &Reply) -> Result<PlainReply, PlainError> {
    match reply {
        Reply::Simple(text) if text == b"PONG" => Ok(PlainReply::Alive { is_loading: false }),
        Reply::Error(text) if is_loading(text) => Ok(PlainReply::Alive { is_loading: true }),
        Reply::Error(text) => Ok(unfit(text)),
        _ => Err(PlainError::WrongKind { command: "PING" }),
    }
}

fn unfit(error: &[u8]) -> PlainReply {
    let text = String::from_utf8_lossy(error);
    PlainReply::Unfit(if text.starts_with("NOAUTH") {
        format!("it wants a password, which plain Redis nodes must not (it said: {text})")
    } else {
        format!("it cannot be used as a plain Redis node; it said: {text}")
    })
}

const MEMBER: &str = "it is a member or gateway of a MemVault cluster, and this process was told that its nodes \
     speak plain Redis: leave plain-redis out, or name Redis servers only (a cluster is all of one kind)";
const REDIS_CLUSTER: &str = "it runs in cluster mode (cluster-enabled yes) and places keys itself: use servers without it, or \
     a client for Redis Cluster";

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_to(question: PlainQuestion, bytes: &[u8]) -> Result<PlainReply, PlainError> {
        let mut link = PlainLink::new(Limits::default());
        link.ask(&question, &mut Vec::new());
        let (reply, consumed) = link.next(Timestamp::default(), bytes)?.expect("complete");
        assert_eq!(consumed, bytes.len());
        Ok(reply)
    }

    fn greet(info: &str) -> PlainReply {
        let bytes = format!("${}\r\n{info}\r\n", info.len());
        reply_to(PlainQuestion::Greet, bytes.as_bytes()).expect("a reply")
    }

    #[test]
    fn a_greeting_tells_who_can_be_a_node() {
        let alive = |is_loading| PlainReply::Alive { is_loading };
        let master = "# Server\r\nredis_mode:standalone\r\nloading:0\r\nrole:master\r\n";
        assert_eq!(greet(master), alive(false));
        assert_eq!(greet("loading:1\r\nrole:master\r\n"), alive(true));
        for (info, part) in [
            ("redis_mode:cluster\r\n", "cluster mode"),
            (
                "role:slave\r\nmaster_host:10.0.0.9\r\n",
                "replica of 10.0.0.9",
            ),
            ("node_state:serving\r\n", "leave plain-redis out"),
        ] {
            let PlainReply::Unfit(reason) = greet(info) else {
                panic!("{info} was taken");
            };
            assert!(reason.contains(part), "{reason}");
        }
        let noauth = b"-NOAUTH Authentication required.\r\n";
        let reply = reply_to(PlainQuestion::Greet, noauth);
        assert!(matches!(reply, Ok(PlainReply::Unfit(why)) if why.contains("password")));
    }

    #[test]
    fn what_nobody_asked_for_and_what_does_not_fit_is_an_error() {
        let mut link = PlainLink::new(Limits::default());
        let unasked = link.next(Timestamp::default(), b"+OK\r\n");
        assert_eq!(unasked, Err(PlainError::Unasked));
        let get = PlainQuestion::Command(
            1,
            crate::replication::plain::PlainCommand::Get(b"k"[..].into()),
        );
        let wrong = PlainError::WrongKind { command: "GET" };
        assert_eq!(reply_to(get, b":1\r\n"), Err(wrong));
        let wrong = PlainError::WrongKind { command: "PING" };
        assert_eq!(reply_to(PlainQuestion::Ping, b":1\r\n"), Err(wrong));
    }
}
