//! Patterns as Redis has them: `*`, `?`, `[a-c]`, `[^a]`, and `\` before a byte that is meant as such.

/// Whether all of `text` matches `pattern`, whatever the case of letters.
///
/// Cost: at most the product of the two lengths, and no call of itself: of several `*` only the last one
/// is ever tried again, since whatever an earlier one could take, the last one can take as well.
#[must_use]
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        match (one(pattern, text.first()), text) {
            (Some(rest), [_, tail @ ..]) => (pattern, text) = (rest, tail),
            _ if pattern.is_empty() && text.is_empty() => return true,
            _ => match retry {
                Some((after_star, [_, tail @ ..])) => {
                    retry = Some((after_star, tail));
                    (pattern, text) = (after_star, tail);
                }
                _ => return false,
            },
        }
    }
}

/// Matches one byte; gives the rest of the pattern if it does.
fn one<'a>(pattern: &'a [u8], byte: Option<&u8>) -> Option<&'a [u8]> {
    let byte = byte?.to_ascii_lowercase();
    let (hit, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => (true, rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => {
            (literal.to_ascii_lowercase() == byte, rest)
        }
    };
    hit.then_some(rest)
}

/// Whether `byte` is in the class whose `[` has been read, and what follows its `]`.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut pattern) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let mut hit = false;
    loop {
        let (low, high, rest) = match pattern {
            [] => return (hit != negated, pattern),
            [b']', rest @ ..] => return (hit != negated, rest),
            [b'\\', literal, rest @ ..] => (literal, literal, rest),
            [low, b'-', high, rest @ ..] => (low, high, rest),
            [literal, rest @ ..] => (literal, literal, rest),
        };
        let (low, high) = (low.to_ascii_lowercase(), high.to_ascii_lowercase());
        hit |= (low.min(high)..=low.max(high)).contains(&byte);
        pattern = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "abc"),
            ("max*", "MAXMEMORY"),
            ("*-*", "max-key"),
            ("m?x*y", "max-memory"),
            ("[a-c]x", "bx"),
            ("[^a-c]x", "dx"),
            ("[c-a]x", "bx"),
            ("\\*", "*"),
            ("[\\]]", "]"),
            ("a**b", "ab"),
            ("[ab", "a"),
            ("save", "save"),
        ] {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("?", ""),
            ("[]", "a"),
            ("a*b", "abc"),
            ("[a-c]", "d"),
            ("\\*", "a"),
            ("a\\", "b"),
        ] {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_time() {
        let pattern = b"*a".repeat(500);
        let text = [b'a'; 400];
        assert!(!matches(&pattern, &text));
    }
}
