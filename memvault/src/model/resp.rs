//! The decoders of [`resp`](crate::resp) against themselves, fed in pieces, and against a naive decoder.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::resp::{
    CommandDecoder, DecodeError, Limits, Protocol, Reply, ReplyDecoder, ReplyScanner, encode,
};

/// Runs `program` as the bytes of a peer: as they are, as a way to put pieces of RESP together, and as the
/// plan of valid commands and replies. Its first bytes choose where the bytes are cut.
///
/// # Panics
///
/// Panics where the same bytes decode to something else when they come in other pieces, where a naive
/// decoder sees other commands, where a limit is passed, or where something valid does not survive.
pub fn run(program: &[u8]) {
    let (cuts, plan) = program.split_at(program.len().min(4));
    check_commands(plan, cuts, LIMITS);
    check_replies(plan, cuts);
    let mut pieced = Vec::new();
    plan.iter()
        .for_each(|&byte| append_piece(&mut pieced, byte));
    check_commands(&pieced, cuts, LIMITS);
    check_commands(&pieced, cuts, Limits::DEFAULT);
    check_replies(&pieced, cuts);
    check_valid_commands(plan, cuts);
    check_valid_replies(plan, cuts);
}

/// Small enough that programs pass them.
const LIMITS: Limits = Limits {
    max_inline_len: 40,
    max_arguments: 6,
    max_bulk_len: 12,
    max_command_len: 90,
    max_depth: 3,
    ..Limits::DEFAULT
};

/// What came out of a stream: commands or replies, how many bytes they took, and the error at the end.
type Outcome<T> = (Vec<(T, usize)>, Option<DecodeError>);

type Command = Vec<Vec<u8>>;

/// Half of the bytes stand for themselves, the others for what RESP is made of.
fn append_piece(out: &mut Vec<u8>, byte: u8) {
    const PIECES: [&[u8]; 32] = [
        b"*1\r\n",
        b"*2\r\n",
        b"*3\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*7\r\n",
        b"$3\r\nGET\r\n",
        b"$0\r\n\r\n",
        b"$1\r\nk\r\n",
        b"$12\r\n",
        b"$13\r\n",
        b"$-1\r\n",
        b"hello, world\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":42\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(123\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"!3\r\nERR\r\n",
        b"%1\r\n",
        b"~1\r\n",
        b">1\r\n",
        b"|1\r\n",
        b"SET a \"x y\" ",
        b"{\"a\": [1]}",
        b"'q' ",
    ];
    match byte {
        0x80.. => out.extend_from_slice(PIECES[usize::from(byte) % PIECES.len()]),
        _ => out.push(byte),
    }
}

fn check_commands(bytes: &[u8], cuts: &[u8], limits: Limits) {
    let whole = commands(bytes, &[], limits);
    assert_eq!(whole, commands(bytes, cuts, limits));
    assert_eq!(whole, commands(bytes, &[1], limits));
    for (command, consumed) in &whole.0 {
        assert!(command.len() <= limits.max_arguments);
        assert!(*consumed <= limits.max_command_len);
    }
    compare_with_naive(bytes, &whole, &limits);
}

fn check_replies(bytes: &[u8], cuts: &[u8]) {
    let whole = replies(bytes, &[], LIMITS);
    // Not a number is not equal to itself, but printed the same.
    let text = format!("{whole:?}");
    assert_eq!(text, format!("{:?}", replies(bytes, cuts, LIMITS)));
    assert_eq!(text, format!("{:?}", replies(bytes, &[1], LIMITS)));
    let scanned = scanned(bytes, cuts, LIMITS);
    assert_eq!(scanned, self::scanned(bytes, &[], LIMITS));
    let seen = whole
        .0
        .iter()
        .map(|(reply, consumed)| ((reply.error_text().is_some(), reply.is_null()), *consumed));
    let depth = DecodeError::ReplyTooLarge {
        limit: "max_depth",
        value: LIMITS.max_depth,
    };
    if whole.1 == Some(depth) {
        assert!(seen.eq(scanned.0.into_iter().take(whole.0.len())));
    } else {
        assert_eq!((seen.collect(), whole.1), scanned);
    }
}

/// Feeds `bytes` in pieces of the lengths `cuts`, over and over, all at once where there are none. Whatever
/// `decode` takes from the front is gone.
fn feed<T>(
    bytes: &[u8],
    cuts: &[u8],
    mut decode: impl FnMut(&[u8]) -> Result<Option<(T, usize)>, DecodeError>,
) -> Outcome<T> {
    let mut outcome = Vec::new();
    let mut lengths = cuts.iter().cycle().map(|&cut| usize::from(cut) % 24);
    let (mut start, mut end) = (0, 0);
    let mut fruitless = 0;
    while end < bytes.len() {
        let len = lengths.next().unwrap_or(bytes.len());
        fruitless = if len == 0 { fruitless + 1 } else { 0 };
        end += if fruitless > cuts.len() {
            bytes.len()
        } else {
            len
        };
        end = end.min(bytes.len());
        loop {
            match decode(&bytes[start..end]) {
                Ok(Some((found, consumed))) => {
                    assert!(consumed > 0 && consumed <= end - start);
                    outcome.push((found, consumed));
                    start += consumed;
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decode(&bytes[start..end]).err(), Some(error));
                    return (outcome, Some(error));
                }
            }
        }
    }
    (outcome, None)
}

fn commands(bytes: &[u8], cuts: &[u8], limits: Limits) -> Outcome<Command> {
    let mut decoder = CommandDecoder::new(limits);
    feed(bytes, cuts, |input| {
        let decoded = decoder.decode(input)?.map(|decoded| {
            let args: Command = decoded.args.iter().map(<[u8]>::to_vec).collect();
            assert_eq!(decoded.args.len(), args.len());
            (args, decoded.consumed)
        });
        decoder.check_invariants(input.len());
        Ok(decoded)
    })
}

fn replies(bytes: &[u8], cuts: &[u8], limits: Limits) -> Outcome<Reply> {
    let mut decoder = ReplyDecoder::new(limits);
    feed(bytes, cuts, |input| {
        let decoded = decoder.decode(input)?;
        decoder.check_invariants();
        Ok(decoded.map(|decoded| (decoded.reply, decoded.consumed)))
    })
}

fn scanned(bytes: &[u8], cuts: &[u8], limits: Limits) -> Outcome<(bool, bool)> {
    let mut scanner = ReplyScanner::new(limits);
    feed(bytes, cuts, |input| {
        let scanned = scanner.scan(input)?;
        Ok(scanned.map(|scanned| ((scanned.is_error, scanned.is_null), scanned.consumed)))
    })
}

/// The naive decoder only knows arrays, and judges no header before it is complete.
fn compare_with_naive(bytes: &[u8], (commands, error): &Outcome<Command>, limits: &Limits) {
    let mut rest = bytes;
    for (command, consumed) in commands {
        if rest.starts_with(b"*") {
            let naive = naive_array(rest, limits);
            assert_eq!(naive, Naive::Complete(command.clone(), *consumed));
        }
        rest = &rest[*consumed..];
    }
    if rest.starts_with(b"*") {
        match naive_array(rest, limits) {
            Naive::Complete(..) => panic!("complete, but not decoded: {rest:?}"),
            Naive::Incomplete => {}
            Naive::Wrong => assert!(error.is_some(), "wrong, but not refused: {rest:?}"),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Naive {
    Complete(Command, usize),
    Incomplete,
    Wrong,
}

fn naive_array(bytes: &[u8], limits: &Limits) -> Naive {
    let mut at = 0;
    let mut args = Command::new();
    let count = match naive_header(bytes, &mut at, b'*') {
        Ok(count) if count <= limits.max_arguments as i64 => count,
        Ok(_) => return Naive::Wrong,
        Err(naive) => return naive,
    };
    for _ in 0..count {
        let len = match naive_header(bytes, &mut at, b'$') {
            Ok(len) if (0..=limits.max_bulk_len as i64).contains(&len) => len as usize,
            Ok(_) => return Naive::Wrong,
            Err(naive) => return naive,
        };
        if at + len + 2 > limits.max_command_len {
            return Naive::Wrong;
        }
        if bytes.len() < at + len + 2 {
            return Naive::Incomplete;
        }
        if &bytes[at + len..at + len + 2] != b"\r\n" {
            return Naive::Wrong;
        }
        args.push(bytes[at..at + len].to_vec());
        at += len + 2;
    }
    Naive::Complete(args, at)
}

fn naive_header(bytes: &[u8], at: &mut usize, kind: u8) -> Result<i64, Naive> {
    let line = &bytes[*at..];
    let end = line.windows(2).position(|pair| pair == b"\r\n");
    let end = end.ok_or(Naive::Incomplete)?;
    *at += end + 2;
    let text = core::str::from_utf8(&line[..end]).map_err(|_| Naive::Wrong)?;
    let digits = text.strip_prefix(char::from(kind)).ok_or(Naive::Wrong)?;
    let number: i64 = digits.parse().map_err(|_| Naive::Wrong)?;
    if number.to_string() == digits {
        Ok(number)
    } else {
        Err(Naive::Wrong)
    }
}

/// Commands with arguments out of `plan` come back as they were, whatever bytes they are made of.
fn check_valid_commands(plan: &[u8], cuts: &[u8]) {
    let mut expected = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = plan;
    while let [count, lengths, tail @ ..] = rest {
        let args: Vec<&[u8]> = (0..=count % 4)
            .map(|at| {
                let len = usize::from(lengths >> (at * 2) & 3) * usize::from(*count >> 2);
                &tail[..len.min(tail.len())]
            })
            .collect();
        let before = bytes.len();
        encode::command(&mut bytes, &args);
        let owned: Command = args.iter().map(|arg| arg.to_vec()).collect();
        expected.push((owned, bytes.len() - before));
        rest = &tail[tail.len().min(usize::from(*count) / 2)..];
    }
    assert_eq!(commands(&bytes, cuts, Limits::DEFAULT), (expected, None));
}

/// Replies that `plan` describes come back as they were.
fn check_valid_replies(plan: &[u8], cuts: &[u8]) {
    let mut plan = plan.iter();
    let mut expected = Vec::new();
    let mut bytes = Vec::new();
    while plan.len() > 0 {
        let before = bytes.len();
        let reply = write_reply(&mut plan, &mut bytes, 0);
        expected.push((reply, bytes.len() - before));
    }
    assert_eq!(replies(&bytes, cuts, Limits::DEFAULT), (expected, None));
}

/// Appends what the next bytes of `plan` stand for; gives it as it should come back.
fn write_reply(plan: &mut Plan<'_>, out: &mut Vec<u8>, depth: usize) -> Reply {
    let byte = plan.next().copied().unwrap_or(0);
    let few = usize::from(byte >> 4) % 4;
    let mut element = |out: &mut Vec<u8>| write_reply(plan, out, depth + 1);
    match byte % 16 {
        0 if depth < 20 => {
            encode::array(out, few);
            Reply::Array((0..few).map(|_| element(out)).collect())
        }
        1 if depth < 20 => {
            encode::set(out, RESP3, few);
            Reply::Set((0..few).map(|_| element(out)).collect())
        }
        2 if depth < 20 => {
            encode::push(out, RESP3, few);
            Reply::Push((0..few).map(|_| element(out)).collect())
        }
        3 if depth < 20 => {
            encode::map(out, RESP3, few);
            Reply::Map((0..few).map(|_| (element(out), element(out))).collect())
        }
        4 if depth < 20 => {
            out.extend_from_slice(b"|1\r\n");
            Reply::Attributed {
                attributes: [(element(out), element(out))].into(),
                reply: Box::new(element(out)),
            }
        }
        kind => write_single(kind, byte, plan, out),
    }
}

fn write_single(kind: u8, byte: u8, plan: &Plan<'_>, out: &mut Vec<u8>) -> Reply {
    let text = &plan.as_slice()[..plan.len().min(usize::from(byte >> 4) * 9)];
    let printable: Vec<u8> = text.iter().map(|byte| byte % 64 + 32).collect();
    let number = text.iter().fold(i64::from(byte) - 128, |number, &byte| {
        number.wrapping_mul(257).wrapping_add(i64::from(byte))
    });
    match kind {
        5 => {
            encode::simple(out, &printable);
            Reply::Simple(printable)
        }
        6 => {
            encode::error(out, &printable);
            Reply::Error(printable)
        }
        7 => {
            encode::integer(out, number);
            Reply::Integer(number)
        }
        8 => {
            encode::null(out, RESP3);
            Reply::Null
        }
        9 => {
            encode::null_array(out, Protocol::Resp2);
            Reply::Null
        }
        10 => {
            let value = number as f64 * f64::from(byte).powi(number as i32 % 99);
            encode::double(out, RESP3, if value.is_nan() { 0.0 } else { value });
            Reply::Double(if value.is_nan() { 0.0 } else { value })
        }
        11 => {
            encode::boolean(out, RESP3, byte > 127);
            Reply::Boolean(byte > 127)
        }
        12 => {
            encode::verbatim(out, RESP3, *b"txt", text);
            Reply::Verbatim {
                format: *b"txt",
                text: text.to_vec(),
            }
        }
        _ => {
            encode::bulk(out, text);
            Reply::Bulk(text.to_vec())
        }
    }
}

const RESP3: Protocol = Protocol::Resp3;

type Plan<'a> = core::slice::Iter<'a, u8>;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::{Gen, QuickCheck};

    #[test]
    fn decoders_do_not_care_how_bytes_are_cut() {
        fn property(program: Vec<u8>) {
            super::run(&program);
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(200, 1))
            .tests(3_000)
            .quickcheck(property as fn(Vec<u8>));
    }

    #[test]
    fn a_null_among_the_attributes_is_not_the_reply() {
        super::run(&[0xed, 0xfe, 0x7a, 0x2e, 0xfc, 0x93, 0x93, 0xf4, 0x60]);
    }
}
