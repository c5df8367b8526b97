//! Splits a typed line into arguments: with the quoting rules of redis-cli, and bare JSON as servers take it inline.

use std::fmt;
use std::iter::Peekable;
use std::slice::Iter;

/// Why a line has no arguments to speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unbalanced {
    /// A quote that was opened is not closed.
    Open,
    /// Something follows a closing quote directly.
    Glued,
    /// A word that begins as JSON has a bracket too few or too many.
    Bracket,
}

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "a quote is not closed",
            Self::Glued => "a blank is missing after a closing quote",
            Self::Bracket => {
                "brackets do not match: quote a word that is no JSON and begins with one"
            }
        })
    }
}

/// Splits at blanks. Within `"` a backslash escapes (`\n \r \t \b \a \xHH`, itself and quotes); within `'`
/// only `\'` does. What begins with `{` or `[` goes on to the matching bracket, blanks and quotes included.
pub(super) fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    let mut bytes = line.iter().peekable();
    loop {
        while bytes.next_if(|byte| is_blank(**byte)).is_some() {}
        if bytes.peek().is_none() {
            return Ok(words);
        }
        words.push(word(&mut bytes)?);
    }
}

fn word(bytes: &mut Peekable<Iter<'_, u8>>) -> Result<Vec<u8>, Unbalanced> {
    let mut word = Vec::new();
    if let Some(b'{' | b'[') = bytes.peek() {
        json(bytes, &mut word)?;
    }
    while let Some(&byte) = bytes.next_if(|byte| !ends_word(**byte)) {
        match byte {
            b'"' => {
                double_quoted(bytes, &mut word)?;
                return ended(bytes, word);
            }
            b'\'' => {
                single_quoted(bytes, &mut word)?;
                return ended(bytes, word);
            }
            _ => word.push(byte),
        }
    }
    Ok(word)
}

/// An object or array as it stands.
fn json(bytes: &mut Peekable<Iter<'_, u8>>, word: &mut Vec<u8>) -> Result<(), Unbalanced> {
    let mut open = Vec::new();
    let mut in_string = false;
    while let Some(&byte) = bytes.next() {
        word.push(byte);
        match (byte, in_string) {
            (b'"', _) => in_string = !in_string,
            (b'\\', true) => word.extend(bytes.next()),
            (b'{', false) => open.push(b'}'),
            (b'[', false) => open.push(b']'),
            (b'}' | b']', false) if open.pop() != Some(byte) => return Err(Unbalanced::Bracket),
            (b'}' | b']', false) if open.is_empty() => return Ok(()),
            _ => {}
        }
    }
    Err(Unbalanced::Bracket)
}

fn ended(bytes: &mut Peekable<Iter<'_, u8>>, word: Vec<u8>) -> Result<Vec<u8>, Unbalanced> {
    match bytes.peek() {
        Some(byte) if !is_blank(**byte) => Err(Unbalanced::Glued),
        _ => Ok(word),
    }
}

/// As `isspace` of C has it, which redis-cli asks between words.
const fn is_blank(byte: u8) -> bool {
    ends_word(byte) || matches!(byte, 0x0b | 0x0c)
}

/// What ends a word without quotes.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn double_quoted(bytes: &mut Peekable<Iter<'_, u8>>, word: &mut Vec<u8>) -> Result<(), Unbalanced> {
    loop {
        match bytes.next().ok_or(Unbalanced::Open)? {
            b'"' => return Ok(()),
            b'\\' => word.push(escaped(bytes)?),
            &byte => word.push(byte),
        }
    }
}

fn escaped(bytes: &mut Peekable<Iter<'_, u8>>) -> Result<u8, Unbalanced> {
    Ok(match bytes.next().ok_or(Unbalanced::Open)? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        b'x' => match hex(bytes.clone()) {
            Some(byte) => {
                bytes.nth(1);
                byte
            }
            None => b'x',
        },
        &byte => byte,
    })
}

/// The byte that the next two hexadecimal digits stand for.
fn hex(mut bytes: Peekable<Iter<'_, u8>>) -> Option<u8> {
    let mut digit = || char::from(*bytes.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high * 16 + low).ok()
}

fn single_quoted(bytes: &mut Peekable<Iter<'_, u8>>, word: &mut Vec<u8>) -> Result<(), Unbalanced> {
    loop {
        match bytes.next().ok_or(Unbalanced::Open)? {
            b'\'' => return Ok(()),
            b'\\' if bytes.next_if(|byte| **byte == b'\'').is_some() => word.push(b'\''),
            &byte => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_escapes() {
        let cases: [(&str, &[&[u8]]); 13] = [
            ("", &[]),
            ("  \t \x0c\x0b ", &[]),
            ("GET  key ", &[b"GET", b"key"]),
            (r#"SET a "x y""#, &[b"SET", b"a", b"x y"]),
            (r#""\x00\xfF\n\t\"\\\q""#, &[b"\x00\xff\n\t\"\\q"]),
            (r#""\xZZ""#, &[b"xZZ"]),
            (r"'a\n\'b' ''", &[b"a\\n'b", b""]),
            (r#"a"b c" d"#, &[b"ab c", b"d"]),
            ("schlüssel", &["schlüssel".as_bytes()]),
            (
                r#"SET u {"name": "A}\"a", "n": [1, 2]} EX 5"#,
                &[
                    b"SET",
                    b"u",
                    br#"{"name": "A}\"a", "n": [1, 2]}"#,
                    b"EX",
                    b"5",
                ],
            ),
            ("\x0b[1, 2]", &[b"[1, 2]"]),
            ("KEYS [ab]*", &[b"KEYS", b"[ab]*"]),
            ("GET user{1} a[", &[b"GET", b"user{1}", b"a["]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line.as_bytes()).expect(line), words, "{line}");
        }
        let bytes = split(b"SET a\xff \"\xfe\"").expect("bytes are words");
        assert_eq!(bytes, [&b"SET"[..], b"a\xff", b"\xfe"]);
    }

    #[test]
    fn unbalanced_quotes_are_told_apart() {
        for line in [r#"""#, r#"a "b"#, "'", r#""\"#, r#""\x"#] {
            assert_eq!(split(line.as_bytes()), Err(Unbalanced::Open), "{line}");
        }
        for line in [r#""a"b"#, "'a''b'"] {
            assert_eq!(split(line.as_bytes()), Err(Unbalanced::Glued), "{line}");
        }
        for line in ["SET a {", "[1, 2", "{]}", r#"{"}"#] {
            assert_eq!(split(line.as_bytes()), Err(Unbalanced::Bracket), "{line}");
        }
    }
}
