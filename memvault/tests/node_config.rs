//! Settings that do not fit together are refused when a node is made, by name, with what was expected.

use memvault::replication::{Config, Member, Node, Now, Role};
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};

type Change = fn(&mut Config);

const WRONG: &[(Change, &str)] = &[
    (
        |config| config.heartbeat = Duration::ZERO,
        "heartbeat is 0ns: expected more than 0",
    ),
    (
        |config| config.heartbeat = Duration::from_millis(400),
        "suspect_after is 400ms: expected more than heartbeat, which is 400ms",
    ),
    (
        |config| config.suspect_after = Duration::from_secs(2),
        "down_after is 1.5s: expected more than suspect_after, which is 2s",
    ),
    (
        |config| config.op_deadline = Duration::from_millis(30),
        "op_deadline is 30ms: expected more than read_attempt, which is 30ms",
    ),
    (
        |config| config.write_attempt = Duration::from_secs(1),
        "op_deadline is 1s: expected more than write_attempt, which is 1s",
    ),
    (
        |config| config.max_wait = Duration::from_secs(3),
        "op_deadline is 1s: expected more than max_wait, which is 3s",
    ),
    (
        |config| config.op_deadline = Duration::from_secs(100_000),
        "op_deadline or down_after is 100000s: expected at most 86400s",
    ),
    (
        |config| config.max_in_flight = 0,
        "max_in_flight is 0: expected at least 1",
    ),
    (
        |config| config.fetch_rate = 0,
        "fetch_rate is 0: expected at least 1",
    ),
    (
        |config| config.max_tombstones = 101,
        "max_tombstones is 101 %: expected at most 100 %",
    ),
];

#[test]
fn settings_that_contradict_each_other_are_refused_with_both_values() {
    assert_eq!(refusal(|_| {}), None);
    for (change, text) in WRONG {
        assert_eq!(refusal(*change).as_deref(), Some(*text));
    }
}

/// What is said of the default settings with this change.
fn refusal(change: Change) -> Option<String> {
    let mut config = Config::new(vec![Member::new("a")], Role::Member("a".into()));
    change(&mut config);
    let now = Now {
        instant: Instant::ZERO,
        wall: Timestamp::from_millis(1_700_000_000_000),
    };
    let made = Node::new(config, 1, 1, store::Config::default(), now);
    made.err().map(|error| error.to_string())
}
