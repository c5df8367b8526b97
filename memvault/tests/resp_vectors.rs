//! Bytes of a client and the commands that they are, each fed whole and one byte at a time.

use memvault::resp::{Args, CommandDecoder, DecodeError, Limits, encode};

type Commands<'a> = Vec<Vec<&'a [u8]>>;

/// Decodes everything in `bytes`, of which `step` more can be seen each time. Empty commands have no words.
fn commands(bytes: &[u8], step: usize, limits: Limits) -> (Vec<Vec<Vec<u8>>>, Option<DecodeError>) {
    let mut decoder = CommandDecoder::new(limits);
    let mut found = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < bytes.len() {
        end = bytes.len().min(end + step);
        loop {
            match decoder.decode(&bytes[start..end]) {
                Ok(Some(decoded)) => {
                    found.push(decoded.args.iter().map(<[u8]>::to_vec).collect());
                    start += decoded.consumed;
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn expect_commands(bytes: &[u8], expected: &Commands<'_>) {
    for step in [bytes.len(), 1, 7] {
        let (found, error) = commands(bytes, step, Limits::DEFAULT);
        let text = bytes.escape_ascii();
        assert_eq!(found, *expected, "\"{text}\" in steps of {step}");
        assert_eq!(error, None, "\"{text}\" in steps of {step}");
    }
}

fn expect_refusal(bytes: &[u8], expected: &str, limits: Limits) {
    for step in [bytes.len(), 1, 7] {
        let (_, error) = commands(bytes, step, limits);
        let text = bytes.escape_ascii();
        let error = error.map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(expected),
            "\"{text}\" in steps of {step}"
        );
    }
}

#[test]
fn arrays_of_bulk_strings_are_commands() {
    let get: Commands = vec![vec![b"GET", b"k"]];
    expect_commands(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", &get);
    expect_commands(
        b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        &vec![vec![b"PING"], vec![b"GET", b"k"]],
    );
    expect_commands(b"*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n", &vec![vec![b"", b"\r\n"]]);
    expect_commands(b"*1\r\n$4\r\n\0\r\n\xFF\r\n", &vec![vec![b"\0\r\n\xFF"]]);
    // Empty commands are passed over; what is not complete is no command yet.
    expect_commands(
        b"*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\nx\r\n*2\r\n$1\r\ny\r\n",
        &vec![vec![], vec![], vec![], vec![b"x"]],
    );
}

#[test]
fn arguments_of_every_length_of_header_are_commands() {
    for count in [1, 2, 8, 9, 10, 11, 99, 100, 1000] {
        for len in [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 9999, 10_000] {
            if count * len > 500_000 {
                continue;
            }
            let long = vec![b'x'; len];
            let mut args: Vec<&[u8]> = vec![&long; count];
            args[count / 2] = b"short";
            let mut bytes = Vec::new();
            encode::command(&mut bytes, &args);
            encode::command(&mut bytes, &[b"PING"]);
            for step in [bytes.len(), 997] {
                let (found, error) = commands(&bytes, step, Limits::DEFAULT);
                assert_eq!(error, None);
                assert!(
                    found == [args.clone(), vec![b"PING"]],
                    "{count} times {len}"
                );
            }
        }
    }
}

#[test]
fn lines_are_commands_too() {
    expect_commands(b"PING\r\n", &vec![vec![b"PING"]]);
    expect_commands(
        b"PING\nGET  k \t\n\r\n \nx",
        &vec![vec![b"PING"], vec![b"GET", b"k"], vec![], vec![]],
    );
    expect_commands(
        b"SET a \"x y\" EX 10\r\n",
        &vec![vec![b"SET", b"a", b"x y", b"EX", b"10"]],
    );
    expect_commands(
        b"a \"\\x41\\n\\r\\t\\b\\a\\\"\\\\\\q\\xZZ\" '' \"\"\r\n",
        &vec![vec![b"a", b"A\n\r\t\x08\x07\"\\qxZZ", b"", b""]],
    );
    expect_commands(
        b"a 'it\\'s \\n raw \"x\"' b\n",
        &vec![vec![b"a", b"it's \\n raw \"x\"", b"b"]],
    );
    expect_commands(b"a b\"c d\"\n", &vec![vec![b"a", b"bc d"]]);
    expect_commands(
        b"GET \0 \xFF\xFE\n",
        &vec![vec![b"GET", b"\0", b"\xFF\xFE"]],
    );
}

#[test]
fn a_bare_json_value_is_one_argument() {
    expect_commands(
        b"SET k {\"a\": [1, 2]} EX 10\n",
        &vec![vec![b"SET", b"k", b"{\"a\": [1, 2]}", b"EX", b"10"]],
    );
    expect_commands(
        b"SET k [{\"a }\": \"\\\"] '\"}, []]\r\n",
        &vec![vec![b"SET", b"k", b"[{\"a }\": \"\\\"] '\"}, []]"]],
    );
    expect_commands(
        b"GET {user 1}.name [] {}x\n",
        &vec![vec![b"GET", b"{user 1}.name", b"[]", b"{}x"]],
    );
    expect_commands(
        b"GET user{1 }2 a[\n",
        &vec![vec![b"GET", b"user{1", b"}2", b"a["]],
    );
}

#[test]
fn what_is_not_closed_or_closes_within_a_word_is_refused() {
    for line in [
        "SET k \"x",
        "SET k \"x\"y",
        "SET k 'x",
        "SET k 'x'y",
        "SET k \"x\\",
        "SET k \"\\\"",
        "SET k {",
        "SET k {\"a\": [1}",
        "SET k [1}",
        "SET k {\"a}",
        "SET k {\"a\\",
        "SET k [[1]",
        "\"",
        "'",
        "{",
        "[",
        "a{ '",
    ] {
        for end in ["\n", "\r\n"] {
            let bytes = format!("{line}{end}");
            expect_refusal(
                bytes.as_bytes(),
                "Protocol error: unbalanced quotes in request",
                Limits::DEFAULT,
            );
        }
    }
}

#[test]
fn malformed_arrays_are_refused_in_the_words_of_redis() {
    for (bytes, text) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("* 1\r\n", "invalid multibulk length"),
        ("*1\n$4\nPING\n", "invalid multibulk length"),
        ("*1\r$", "invalid multibulk length"),
        ("*9223372036854775808\r\n", "invalid multibulk length"),
        ("*99999999999999999999999999", "invalid multibulk length"),
        ("*\0", "invalid multibulk length"),
        ("*1\r\nfooz\r\n", "expected '$', got 'f'"),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n",
            "expected '$', got 'f'",
        ),
        ("*1\r\n*1\r\n*1\r\n", "expected '$', got '*'"),
        ("*1\r\n\0", "expected '$', got '\\x00'"),
        ("*1\r\n\r\n", "expected '$', got '\\r'"),
        ("*2\r\n$1\r\na\r\n\n", "expected '$', got '\\n'"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$-0\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$007\r\n", "invalid bulk length"),
        ("*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
        ("*1\r\n$004\r\nPING\r\n", "invalid bulk length"),
        ("*1\r\n$1:\r\n0123456789\r\n", "invalid bulk length"),
        ("*1\r\n$1/0\r\n0123456789\r\n", "invalid bulk length"),
        ("*1\r\n$1\n", "invalid bulk length"),
        ("*1\r\n$18446744073709551616\r\n", "invalid bulk length"),
        ("*1\r\n$4\r\nPINGPING", "expected CRLF"),
        ("*1\r\n$4\r\nPING\n", "expected CRLF"),
        ("*1\r\n$4\r\nPING\rx", "expected CRLF"),
        ("*1\r\n$4\r\nPIN\r\n*1\r\n", "expected CRLF"),
    ] {
        let text = format!("Protocol error: {text}");
        expect_refusal(bytes.as_bytes(), &text, Limits::DEFAULT);
    }
}

#[test]
fn what_passes_a_limit_is_refused_before_it_comes() {
    for (bytes, text) in [
        (
            "*1048577\r\n",
            "invalid multibulk length 1048577: the limit is 1048576 arguments (max-arguments)",
        ),
        (
            "*9223372036854775807\r\n",
            "invalid multibulk length 9223372036854775807: the limit is 1048576 arguments \
             (max-arguments)",
        ),
        (
            "*1\r\n$67108865\r\n",
            "invalid bulk length 67108865: the limit is 67108864 bytes (max-value)",
        ),
        (
            "*1\r\n$99999999999\r\n",
            "invalid bulk length 99999999999: the limit is 67108864 bytes (max-value)",
        ),
    ] {
        let text = format!("Protocol error: {text}");
        expect_refusal(bytes.as_bytes(), &text, Limits::DEFAULT);
    }
}

#[test]
fn every_limit_of_commands_can_be_set() {
    let little = Limits {
        max_inline_len: 8,
        max_arguments: 2,
        max_bulk_len: 9,
        max_command_len: 24,
        ..Limits::DEFAULT
    };
    for (bytes, text) in [
        (
            "*3\r\n",
            "invalid multibulk length 3: the limit is 2 arguments (max-arguments)",
        ),
        (
            "a b c\n",
            "invalid multibulk length 3: the limit is 2 arguments (max-arguments)",
        ),
        (
            "*1\r\n$10\r\n",
            "invalid bulk length 10: the limit is 9 bytes (max-value)",
        ),
        (
            "*2\r\n$3\r\nGET\r\n$9\r\n",
            "too big request: the limit is 24 bytes (max-command)",
        ),
        (
            "GET longkey\r\n",
            "too big inline request: the limit is 8 bytes (max-inline)",
        ),
        (
            "no line end",
            "too big inline request: the limit is 8 bytes (max-inline)",
        ),
    ] {
        let text = format!("Protocol error: {text}");
        expect_refusal(bytes.as_bytes(), &text, little);
    }
    let just_fits: &[u8] = b"*2\r\n$3\r\nGET\r\n$5\r\nhello\r\n";
    assert_eq!(just_fits.len(), 24);
    assert_eq!(
        commands(just_fits, 1, little),
        (vec![vec![b"GET".to_vec(), b"hello".to_vec()]], None)
    );
    assert_eq!(commands(b"GET abc\n", 1, little).1, None);
}

#[test]
fn an_endless_line_is_refused_at_the_limit_not_after() {
    let line = vec![b'x'; Limits::DEFAULT.max_inline_len + 1];
    let (found, error) = commands(&line[1..], 4096, Limits::DEFAULT);
    assert_eq!((found.len(), error), (0, None));
    let limit = Limits::DEFAULT.max_inline_len;
    let (_, error) = commands(&line, 4096, Limits::DEFAULT);
    assert_eq!(error, Some(DecodeError::InlineTooLong { limit }));
}

#[test]
fn limits_can_change_between_commands() {
    let mut decoder = CommandDecoder::new(Limits::DEFAULT);
    let bytes = b"*1\r\n$4\r\nPING\r\n";
    assert!(matches!(decoder.decode(bytes), Ok(Some(_))));
    decoder.set_limits(Limits {
        max_bulk_len: 3,
        ..*decoder.limits()
    });
    let refusal = DecodeError::BulkTooLong { len: 4, limit: 3 };
    assert_eq!(decoder.decode(bytes).err(), Some(refusal));
}

#[test]
fn arguments_can_be_looked_at_from_anywhere() {
    let mut decoder = CommandDecoder::default();
    let decoded = decoder.decode(b"DEL a bb ccc\n").unwrap().unwrap();
    let keys: Args<'_> = decoded.args.from(1);
    assert_eq!((decoded.args.len(), keys.len()), (4, 3));
    assert_eq!((keys.get(0), keys.get(3)), (Some(&b"a"[..]), None));
    assert_eq!(keys.iter().map(<[u8]>::len).sum::<usize>(), 6);
    assert!(keys.from(3).is_empty() && keys.from(9).is_empty());
}
