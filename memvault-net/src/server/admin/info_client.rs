//! One question to another node: a connection of its own, as a client has it, and `INFO` on it.

use std::time::Duration;

use async_io::Timer;
use async_net::TcpStream;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use memvault::resp::{Limits, Reply, ReplyDecoder, encode};

use super::node_stats::NodeStats;
use crate::driver::connect::connect;
use crate::server::meter::ASKER_NAME;

/// How long a node may take to answer, a connection to it included.
pub(super) const ASK_TIMEOUT: Duration = Duration::from_millis(800);
/// Most bytes of an answer: the section about a cluster has a line for each member.
const MAX_ANSWER_LEN: usize = 256 << 10;
/// Most characters of an error that are told.
const MAX_REFUSAL_LEN: usize = 100;

/// A connection to a node.
#[derive(Debug)]
pub(super) struct InfoClient {
    stream: TcpStream,
    decoder: ReplyDecoder,
    input: Vec<u8>,
}

/// Asks the node at `address`, on the connection of the last time if that still works.
///
/// # Errors
/// If it does not answer in time, or nothing that makes sense; the text says what.
pub(super) async fn ask(
    kept: Option<InfoClient>,
    address: &str,
) -> Result<(InfoClient, NodeStats), String> {
    let asking = async {
        if let Some(client) = kept
            // The node may have been started anew since.
            && let Ok(answer) = client.info().await
        {
            return Ok(answer);
        }
        InfoClient::connect(address).await?.info().await
    };
    let too_late = async {
        Timer::after(ASK_TIMEOUT).await;
        Err(format!("no answer within {} ms", ASK_TIMEOUT.as_millis()))
    };
    asking.or(too_late).await
}

impl InfoClient {
    async fn connect(address: &str) -> Result<Self, String> {
        let stream = connect(address, ASK_TIMEOUT, ASK_TIMEOUT).await;
        let limits = Limits {
            max_bulk_len: MAX_ANSWER_LEN,
            max_command_len: MAX_ANSWER_LEN + 64,
            ..Limits::default()
        };
        let mut client = Self {
            stream: stream.map_err(|error| error.to_string())?,
            decoder: ReplyDecoder::new(limits),
            input: Vec::new(),
        };
        // If it has no such command, it has another way to tell clients apart, or none.
        client
            .exchange(&[b"CLIENT", b"SETNAME", ASKER_NAME])
            .await?;
        Ok(client)
    }

    async fn info(mut self) -> Result<(Self, NodeStats), String> {
        match self.exchange(&[b"INFO"]).await? {
            Reply::Bulk(text) | Reply::Verbatim { text, .. } => {
                let told = NodeStats::from_info(&String::from_utf8_lossy(&text));
                Ok((self, told))
            }
            Reply::Error(text) => Err(refusal(&text)),
            _ => Err("its answer to INFO is no text".to_owned()),
        }
    }

    async fn exchange(&mut self, args: &[&[u8]]) -> Result<Reply, String> {
        let mut output = Vec::new();
        encode::command(&mut output, args);
        let lost = |error: std::io::Error| format!("connection lost: {error}");
        self.stream.write_all(&output).await.map_err(lost)?;
        let mut chunk = [0; 4 << 10];
        loop {
            let decoded = self.decoder.decode(&self.input);
            if let Some(decoded) = decoded.map_err(|error| format!("no RESP: {error}"))? {
                self.input.drain(..decoded.consumed);
                return Ok(decoded.reply);
            }
            match self.stream.read(&mut chunk).await.map_err(lost)? {
                0 => return Err("it closed the connection".to_owned()),
                read => self.input.extend(chunk.iter().take(read)),
            }
        }
    }
}

/// What to tell of an error: of a long one, such as that of protected mode, its beginning.
fn refusal(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut begin: String = text.chars().take(MAX_REFUSAL_LEN).collect();
    if begin.len() < text.len() {
        begin.push('…');
    }
    format!("it said: {begin}")
}
