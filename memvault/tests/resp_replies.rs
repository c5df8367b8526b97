//! Bytes of a server and what they mean, whole and one byte at a time; and what our server writes.

use memvault::resp::{DecodeError, Limits, Protocol, Reply, ReplyDecoder, ReplyScanner, encode};

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.into())
}

/// Bytes of a server, what they are, and what `redis-cli` prints.
type Vector = (&'static [u8], Reply, &'static str);

fn single_vectors() -> Vec<Vector> {
    let int = Reply::Integer;
    vec![
        (b"+OK\r\n", Reply::Simple(b"OK".into()), "OK"),
        (b"+\r\n", Reply::Simple(vec![]), ""),
        (
            b"-ERR no\r\n",
            Reply::Error(b"ERR no".into()),
            "(error) ERR no",
        ),
        (
            b"!7\r\nERR\r\nno\r\n",
            Reply::Error(b"ERR\r\nno".into()),
            "(error) ERR\r\nno",
        ),
        (b":0\r\n", int(0), "(integer) 0"),
        (b":-42\r\n", int(-42), "(integer) -42"),
        (
            b":-9223372036854775808\r\n",
            int(i64::MIN),
            "(integer) -9223372036854775808",
        ),
        (
            b"$5\r\na\"\\\x01\xFF\r\n",
            Reply::Bulk(b"a\"\\\x01\xFF".into()),
            "\"a\\\"\\\\\\x01\\xff\"",
        ),
        (b"$0\r\n\r\n", bulk(""), "\"\""),
        (b"$-1\r\n", Reply::Null, "(nil)"),
        (b"*-1\r\n", Reply::Null, "(nil)"),
        (b"_\r\n", Reply::Null, "(nil)"),
        (b"#t\r\n", Reply::Boolean(true), "(true)"),
        (b"#f\r\n", Reply::Boolean(false), "(false)"),
        (b",3.25\r\n", Reply::Double(3.25), "(double) 3.25"),
        (b",10\r\n", Reply::Double(10.0), "(double) 10"),
        (
            b",-inf\r\n",
            Reply::Double(f64::NEG_INFINITY),
            "(double) -inf",
        ),
        (b",1.5e300\r\n", Reply::Double(1.5e300), "(double) 1.5e300"),
        (
            b"(-123456789012345678901234567890\r\n",
            Reply::BigNumber(b"-123456789012345678901234567890".into()),
            "-123456789012345678901234567890",
        ),
        (
            b"=6\r\ntxt:hi\r\n",
            Reply::Verbatim {
                format: *b"txt",
                text: b"hi".into(),
            },
            "hi",
        ),
    ]
}

/// Likewise, with elements.
fn aggregate_vectors() -> Vec<Vector> {
    let int = Reply::Integer;
    vec![
        (b"*0\r\n", Reply::Array(vec![]), "(empty array)"),
        (b"~0\r\n", Reply::Set(vec![]), "(empty set)"),
        (b"%0\r\n", Reply::Map(vec![]), "(empty hash)"),
        (b">0\r\n", Reply::Push(vec![]), "(empty push)"),
        (
            b"*3\r\n$1\r\na\r\n:1\r\n*-1\r\n",
            Reply::Array(vec![bulk("a"), int(1), Reply::Null]),
            "1) \"a\"\n2) (integer) 1\n3) (nil)",
        ),
        (
            b"*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n+x\r\n",
            Reply::Array(vec![
                Reply::Array(vec![int(1), int(2)]),
                Reply::Array(vec![Reply::Simple(b"x".into())]),
            ]),
            "1) 1) (integer) 1\n   2) (integer) 2\n2) 1) x",
        ),
        (
            b"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n:3\r\n",
            Reply::Map(vec![
                (Reply::Simple(b"a".into()), int(1)),
                (
                    Reply::Simple(b"b".into()),
                    Reply::Array(vec![int(2), int(3)]),
                ),
            ]),
            "1# a => (integer) 1\n2# b => \n   1) (integer) 2\n   2) (integer) 3",
        ),
        (
            b"~1\r\n#t\r\n",
            Reply::Set(vec![Reply::Boolean(true)]),
            "1~ (true)",
        ),
        (
            b">1\r\n+m\r\n",
            Reply::Push(vec![Reply::Simple(b"m".into())]),
            "1) m",
        ),
        (
            b"*1\r\n|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n",
            Reply::Array(vec![Reply::Attributed {
                attributes: vec![(Reply::Simple(b"ttl".into()), int(9))],
                reply: Box::new(bulk("v")),
            }]),
            "1) 1| ttl => (integer) 9\n   \"v\"",
        ),
    ]
}

#[test]
fn replies_are_what_redis_cli_prints() {
    for (bytes, expected, printed) in single_vectors().into_iter().chain(aggregate_vectors()) {
        let text = bytes.escape_ascii();
        assert_eq!(expected.to_string(), printed, "\"{text}\"");
        let mut whole = ReplyDecoder::default();
        let decoded = whole.decode(bytes).unwrap().unwrap();
        assert_eq!(
            (decoded.reply, decoded.consumed),
            (expected.clone(), bytes.len()),
            "\"{text}\""
        );
        let (mut slow, mut scanner) = (ReplyDecoder::default(), ReplyScanner::default());
        for end in 0..bytes.len() {
            assert_eq!(
                slow.decode(&bytes[..end]),
                Ok(None),
                "\"{text}\" up to {end}"
            );
            assert_eq!(
                scanner.scan(&bytes[..end]),
                Ok(None),
                "\"{text}\" up to {end}"
            );
        }
        assert_eq!(
            slow.decode(bytes).unwrap().unwrap().reply,
            expected,
            "\"{text}\""
        );
        let scanned = scanner.scan(bytes).unwrap().unwrap();
        assert_eq!(scanned.consumed, bytes.len());
        assert_eq!(scanned.is_error, expected.error_text().is_some());
        assert_eq!(scanned.is_null, expected.is_null());
    }
}

#[test]
fn a_value_of_a_map_begins_on_a_line_of_its_own_if_it_takes_several() {
    let map = |value| Reply::Map(vec![(bulk("k"), value)]);
    let pair = Reply::Array(vec![Reply::Integer(1), Reply::Integer(2)]);
    let within = map(Reply::Array(vec![pair]));
    assert_eq!(
        within.to_string(),
        "1# \"k\" => \n   1) 1) (integer) 1\n      2) (integer) 2"
    );
    let single = map(Reply::Array(vec![Reply::Null]));
    assert_eq!(single.to_string(), "1# \"k\" => 1) (nil)");
}

#[test]
fn a_list_of_ten_is_aligned() {
    let list = Reply::Array((1..=10).map(Reply::Integer).collect());
    let printed = list.to_string();
    assert!(printed.starts_with(" 1) (integer) 1\n 2) (integer) 2\n"));
    assert!(printed.ends_with("\n10) (integer) 10"));
}

#[test]
fn malformed_replies_are_refused() {
    for (bytes, text) in [
        ("x", "unknown type of reply 'x'"),
        ("\0", "unknown type of reply '\\x00'"),
        ("*1\r\n\n", "unknown type of reply '\\n'"),
        (":\r\n", "invalid value after ':' in a reply"),
        (":+1\r\n", "invalid value after ':' in a reply"),
        (":1a\r\n", "invalid value after ':' in a reply"),
        (
            ":9223372036854775808\r\n",
            "invalid value after ':' in a reply",
        ),
        ("_x\r\n", "invalid value after '_' in a reply"),
        ("#x\r\n", "invalid value after '#' in a reply"),
        (",x\r\n", "invalid value after ',' in a reply"),
        ("(1x\r\n", "invalid value after '(' in a reply"),
        ("(\r\n", "invalid value after '(' in a reply"),
        ("=3\r\ntxt\r\n", "invalid value after '=' in a reply"),
        ("$-2\r\n", "invalid bulk length"),
        ("!-1\r\n", "invalid bulk length"),
        ("$?\r\n", "invalid bulk length"),
        ("*-2\r\n", "invalid multibulk length"),
        ("%-1\r\n", "invalid multibulk length"),
        ("*?\r\n", "invalid multibulk length"),
        ("+a\nb", "expected CRLF"),
        ("+a\rb", "expected CRLF"),
        ("$1\r\nab\r\n", "expected CRLF"),
        (
            "$67108865\r\n",
            "too big reply: the limit max_bulk_len is 67108864",
        ),
        (
            "*1048577\r\n",
            "too big reply: the limit max_arguments is 1048576",
        ),
        (
            "%9223372036854775807\r\n",
            "too big reply: the limit max_arguments is 1048576",
        ),
        (
            "*2\r\n*1048575\r\n",
            "too big reply: the limit max_arguments is 1048576",
        ),
    ] {
        let text = format!("Protocol error: {text}");
        let error = ReplyDecoder::default()
            .decode(bytes.as_bytes())
            .unwrap_err();
        assert_eq!(error.to_string(), text, "{bytes:?}");
        let (mut slow, mut scanner) = (ReplyDecoder::default(), ReplyScanner::default());
        let late = (0..=bytes.len()).find_map(|end| slow.decode(&bytes.as_bytes()[..end]).err());
        let scanned =
            (0..=bytes.len()).find_map(|end| scanner.scan(&bytes.as_bytes()[..end]).err());
        assert_eq!((late, scanned), (Some(error), Some(error)), "{bytes:?}");
    }
}

#[test]
fn replies_within_replies_end_at_the_limit_of_depth() {
    for header in ["*1\r\n", "~1\r\n", ">1\r\n", "%1\r\n:1\r\n", "|0\r\n"] {
        let deep = [header.repeat(128).as_bytes(), b":7\r\n"].concat();
        let decoded = ReplyDecoder::default().decode(&deep).unwrap().unwrap();
        assert_eq!(decoded.consumed, deep.len());
        let too_deep = header.repeat(129);
        let limit = DecodeError::ReplyTooLarge {
            limit: "max_depth",
            value: 128,
        };
        assert_eq!(
            ReplyDecoder::default().decode(too_deep.as_bytes()),
            Err(limit)
        );
    }
    let unlimited = Limits {
        max_depth: usize::MAX,
        ..Limits::DEFAULT
    };
    let error = ReplyDecoder::new(unlimited).decode("*1\r\n".repeat(1_000_000).as_bytes());
    assert_eq!(
        error.unwrap_err().to_string(),
        "Protocol error: too big reply: the limit max_depth is 1024"
    );
}

#[test]
fn a_large_reply_is_refused_when_the_limit_is_reached() {
    let limits = Limits {
        max_inline_len: 10,
        max_command_len: 30,
        ..Limits::DEFAULT
    };
    let refused = |limit, value| Err(DecodeError::ReplyTooLarge { limit, value });
    let decode = |bytes: &[u8]| {
        ReplyDecoder::new(limits)
            .decode(bytes)
            .map(|found| found.is_some())
    };
    assert_eq!(decode(b"+0123456789\r\n"), Ok(true));
    assert_eq!(decode(b"+0123456789\r"), Ok(false));
    assert_eq!(decode(b"+0123456789a"), refused("max_inline_len", 10));
    assert_eq!(decode(b"*2\r\n:1\r\n$15\r\n0123456789abcde\r\n"), Ok(true));
    assert_eq!(
        decode(b"*2\r\n:1\r\n$16\r\n"),
        refused("max_command_len", 30)
    );
    assert_eq!(decode(&b"*9\r\n".repeat(9)), refused("max_command_len", 30));
}

#[test]
fn replies_hand_out_what_is_in_them() {
    let attributed = |reply| Reply::Attributed {
        attributes: vec![],
        reply: Box::new(reply),
    };
    assert_eq!(attributed(bulk("v")).as_bytes(), Some(&b"v"[..]));
    assert_eq!(attributed(Reply::Integer(3)).as_integer(), Some(3));
    assert_eq!(Reply::Error(b"ERR".into()).error_text(), Some(&b"ERR"[..]));
    assert_eq!(
        Reply::Array(vec![Reply::Null]).as_elements(),
        Some(&[Reply::Null][..])
    );
    assert!(attributed(Reply::Null).is_null());
    assert_eq!(attributed(bulk("v")).into_bytes(), Ok(b"v".to_vec()));
    assert_eq!(Reply::Integer(3).into_bytes(), Err(Reply::Integer(3)));
    assert_eq!(
        (bulk("3").as_integer(), Reply::Integer(3).as_bytes()),
        (None, None)
    );
}

/// Something to write, and the bytes that it is in RESP2 and in RESP3.
type Written = (fn(&mut Vec<u8>, Protocol), &'static [u8], &'static [u8]);

fn expect_written(vectors: &[Written]) {
    for &(writer, resp2, resp3) in vectors {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = b"before".to_vec();
            writer(&mut out, protocol);
            let expected = [b"before", expected].concat();
            let texts = (out.escape_ascii(), expected.escape_ascii());
            assert_eq!(texts.0.to_string(), texts.1.to_string());
        }
    }
}

#[test]
fn what_both_protocols_have_is_written_the_same() {
    expect_written(&[
        (|out, _| encode::simple(out, b"OK"), b"+OK\r\n", b"+OK\r\n"),
        (
            |out, _| encode::simple(out, b"a\r\n:1"),
            b"+a  :1\r\n",
            b"+a  :1\r\n",
        ),
        (
            |out, _| encode::error(out, b"ERR a\nb"),
            b"-ERR a b\r\n",
            b"-ERR a b\r\n",
        ),
        (
            |out, _| encode::error_fmt(out, format_args!("ERR {}\r", 1)),
            b"-ERR 1 \r\n",
            b"-ERR 1 \r\n",
        ),
        (|out, _| encode::integer(out, 10), b":10\r\n", b":10\r\n"),
        (
            |out, _| encode::integer(out, i64::MIN),
            b":-9223372036854775808\r\n",
            b":-9223372036854775808\r\n",
        ),
        (
            |out, _| encode::bulk(out, b"a\r\nb"),
            b"$4\r\na\r\nb\r\n",
            b"$4\r\na\r\nb\r\n",
        ),
        (|out, _| encode::array(out, 100), b"*100\r\n", b"*100\r\n"),
    ]);
}

#[test]
fn what_only_resp3_has_is_written_in_the_words_of_resp2_there() {
    expect_written(&[
        (encode::null, b"$-1\r\n", b"_\r\n"),
        (encode::null_array, b"*-1\r\n", b"_\r\n"),
        (
            |out, protocol| encode::map(out, protocol, 6),
            b"*12\r\n",
            b"%6\r\n",
        ),
        (
            |out, protocol| encode::set(out, protocol, 2),
            b"*2\r\n",
            b"~2\r\n",
        ),
        (
            |out, protocol| encode::push(out, protocol, 2),
            b"*2\r\n",
            b">2\r\n",
        ),
        (
            |out, protocol| encode::double(out, protocol, 0.5),
            b"$3\r\n0.5\r\n",
            b",0.5\r\n",
        ),
        (
            |out, protocol| encode::boolean(out, protocol, true),
            b":1\r\n",
            b"#t\r\n",
        ),
        (
            |out, protocol| encode::verbatim(out, protocol, *b"txt", b"hi"),
            b"$2\r\nhi\r\n",
            b"=6\r\ntxt:hi\r\n",
        ),
    ]);
}

#[test]
fn doubles_can_be_read_back() {
    for value in [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        1e-5,
        9.9e-6,
        1e16,
        1e17,
        1e300,
        5e-324,
        f64::MAX,
        f64::INFINITY,
    ] {
        let mut out = Vec::new();
        encode::double(&mut out, Protocol::Resp3, value);
        assert!(out.len() < 30, "{}", out.escape_ascii());
        let decoded = ReplyDecoder::default().decode(&out).unwrap().unwrap();
        assert_eq!(decoded.reply, Reply::Double(value));
    }
    let mut out = Vec::new();
    encode::double(&mut out, Protocol::Resp3, f64::NAN);
    assert_eq!(out, b",nan\r\n");
}

#[test]
fn lengths_of_every_size_are_written_right() {
    for len in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 123_456] {
        let mut out = Vec::new();
        encode::bulk(&mut out, &vec![b'x'; len]);
        assert_eq!(out, format!("${len}\r\n{}\r\n", "x".repeat(len)).as_bytes());
        out.clear();
        encode::integer(&mut out, len as i64);
        encode::integer(&mut out, -(len as i64));
        assert_eq!(
            out,
            format!(":{len}\r\n:-{len}\r\n")
                .replace("-0", "0")
                .as_bytes()
        );
    }
}
