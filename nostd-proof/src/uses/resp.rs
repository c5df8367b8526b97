//! The codec: a command that arrives byte by byte, an inline command, a reply.

use alloc::vec::Vec;

use memvault::resp::{CommandDecoder, DecodeError, Limits, Reply, ReplyDecoder, encode};

pub fn run() {
    let mut bytes = Vec::new();
    encode::command(&mut bytes, &[b"SET", b"key", b"va\r\nlue"]);
    let mut decoder = CommandDecoder::new(Limits::default());
    for end in 0..bytes.len() {
        assert!(matches!(decoder.decode(&bytes[..end]), Ok(None)));
    }
    let decoded = decoder.decode(&bytes).ok().flatten();
    let decoded = decoded.expect("the command is complete");
    assert_eq!(decoded.consumed, bytes.len());
    assert_eq!(decoded.args.get(2), Some(&b"va\r\nlue"[..]));

    let inline = decoder.decode(b"SET a \"x y\" EX 10\r\n").ok().flatten();
    assert_eq!(inline.map(|decoded| decoded.args.len()), Some(5));
    let broken: Result<_, DecodeError> = decoder.decode(b"*x\r\n");
    assert!(broken.is_err());

    let mut replies = ReplyDecoder::new(Limits::default());
    let reply = replies.decode(b"*2\r\n:1\r\n$-1\r\n").ok().flatten();
    let reply = reply.map(|decoded| decoded.reply);
    assert!(matches!(reply, Some(Reply::Array(parts)) if parts.len() == 2));
}
