//! Faults of the simulator as people write them: `loss=2%,crash=2.5s`.

use std::time::Duration;

use memvault::simulator::Faults;

use super::duration::duration;

/// One word of `--faults`, known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(String);

/// Makes these words faults; what they do not name does not happen.
pub(crate) fn faults(words: &[Fault]) -> Faults {
    let mut faults = Faults::default();
    for Fault(word) in words {
        // It was tried out when it was read.
        let _ = apply(&mut faults, word);
    }
    faults
}

/// Reads one word.
pub(crate) fn fault(text: &str) -> Result<Fault, String> {
    let word = text.trim();
    apply(&mut Faults::default(), word).map(|()| Fault(word.to_owned()))
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where in [`Faults`] the value of a name goes.
enum Place {
    /// A share of all messages, per thousand.
    Share(fn(&mut Faults) -> &mut u64),
    /// Mean time between two events.
    Every(fn(&mut Faults) -> &mut Option<Duration>),
    /// A length of time.
    Length(fn(&mut Faults) -> &mut Duration),
    /// Yes or no.
    Switch(fn(&mut Faults) -> &mut bool),
}

const NAMES: [(&str, Place); 20] = [
    ("delay", Place::Length(|faults| &mut faults.delay)),
    ("loss", Place::Share(|faults| &mut faults.loss)),
    ("duplicate", Place::Share(|faults| &mut faults.duplicate)),
    ("straggle", Place::Share(|faults| &mut faults.straggle)),
    (
        "straggle-max",
        Place::Length(|faults| &mut faults.straggle_max),
    ),
    ("crash", Place::Every(|faults| &mut faults.crash_every)),
    (
        "crash-after-write",
        Place::Share(|faults| &mut faults.crash_after_write),
    ),
    (
        "silent-crash",
        Place::Share(|faults| &mut faults.silent_crash),
    ),
    (
        "crash-any",
        Place::Switch(|faults| &mut faults.crash_beyond_budget),
    ),
    (
        "restart-max",
        Place::Length(|faults| &mut faults.restart_max),
    ),
    (
        "partition",
        Place::Every(|faults| &mut faults.partition_every),
    ),
    (
        "partition-max",
        Place::Length(|faults| &mut faults.partition_max),
    ),
    ("swizzle", Place::Every(|faults| &mut faults.swizzle_every)),
    ("pause", Place::Every(|faults| &mut faults.pause_every)),
    ("pause-max", Place::Length(|faults| &mut faults.pause_max)),
    ("slow", Place::Every(|faults| &mut faults.slow_every)),
    ("suspect", Place::Every(|faults| &mut faults.suspect_every)),
    ("skew", Place::Length(|faults| &mut faults.skew)),
    ("jump", Place::Every(|faults| &mut faults.jump_every)),
    ("change", Place::Every(|faults| &mut faults.change_every)),
];

fn apply(faults: &mut Faults, word: &str) -> Result<(), String> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let place = match name {
        "none" | "all" if !value.is_empty() => return Err(format!("{name} takes no value")),
        "none" => {
            *faults = Faults::default();
            return Ok(());
        }
        "all" => {
            *faults = Faults::all();
            return Ok(());
        }
        _ => NAMES.iter().find(|(known, _)| *known == name),
    };
    let Some((_, place)) = place else {
        let known: Vec<_> = NAMES.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "unknown fault {name:?}: expected none, all, {}",
            known.join(", ")
        ));
    };
    let explain = |form: &str| format!("{name}: expected {form}");
    match place {
        Place::Share(at) => {
            *at(faults) = per_mille(value)
                .ok_or_else(|| explain(&format!("{name}=2% or {name}=0.5%, 0% to 100%")))?;
        }
        Place::Every(at) => {
            *at(faults) = every(value)
                .map_err(|why| explain(&format!("{name}=2.5s or {name}=never: {why}")))?;
        }
        Place::Length(at) => {
            *at(faults) =
                duration(value).map_err(|why| explain(&format!("{name}=200ms: {why}")))?;
        }
        Place::Switch(at) if value.is_empty() => *at(faults) = true,
        Place::Switch(_) => return Err(explain("no value")),
    }
    Ok(())
}

/// A percentage in steps of a tenth.
fn per_mille(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%')?;
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if tenths.len() != 1 || !digits(whole) || !digits(tenths) {
        return None;
    }
    let per_mille = whole.parse::<u64>().ok()?.checked_mul(10)? + tenths.parse::<u64>().ok()?;
    (per_mille <= 1000).then_some(per_mille)
}

fn every(text: &str) -> Result<Option<Duration>, String> {
    if text == "never" {
        return Ok(None);
    }
    match duration(text)? {
        short if short < SHORTEST => Err("at least 1ms".to_owned()),
        mean => Ok(Some(mean)),
    }
}

/// Mean times below it would fill the simulation with nothing else.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Faults, String> {
        let words: Result<Vec<_>, _> = text.split(',').map(fault).collect();
        words.map(|words| faults(&words))
    }

    #[test]
    fn only_what_is_named_happens() {
        let read = parse("loss=0.5%, crash=2.5s,crash-after-write=2%,crash-any,skew=200ms")
            .expect("right");
        assert_eq!((read.loss, read.duplicate), (5, 0));
        assert_eq!(read.crash_after_write, 20);
        assert_eq!(read.crash_every, Some(Duration::from_millis(2500)));
        assert!(read.crash_beyond_budget && read.partition_every.is_none());
        assert_eq!(read.skew, Duration::from_millis(200));
    }

    #[test]
    fn later_words_change_what_earlier_ones_said() {
        let all = Faults::all();
        let read = parse("all,loss=100%,crash=never").expect("right");
        assert_eq!((read.loss, read.crash_every), (1000, None));
        assert_eq!(
            (read.duplicate, read.pause_every),
            (all.duplicate, all.pause_every)
        );
        let read = parse("loss=3%,none,pause=1m").expect("right");
        assert_eq!(
            (read.loss, read.pause_every),
            (0, Some(Duration::from_secs(60)))
        );
    }

    #[test]
    fn wrong_words_are_explained() {
        for (text, part) in [
            ("", "expected none, all, delay, loss,"),
            ("lose=2%", "unknown fault \"lose\""),
            ("loss", "loss=2%"),
            ("loss=2", "loss=2%"),
            ("loss=101%", "0% to 100%"),
            ("loss=0.25%", "loss=0.5%"),
            ("loss=-1%", "loss=2%"),
            ("crash=2", "2s or 2ms?"),
            ("crash=0ms", "at least 1ms"),
            ("crash=0.5", "crash=2.5s or crash=never"),
            ("crash-any=yes", "no value"),
            ("skew=never", "skew=200ms"),
            ("all=3", "all takes no value"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
