//! Entries past their time do not stay, although nobody asks for them: in a store, and in every member of a cluster.

use memvault::command::{Condition, Data, Expiry};
use memvault::connection::StoreInfo;
use memvault::replication::{Answer, Level, Request};
use memvault::resp::Protocol;
use memvault::store::{Config, Store};
use memvault::time::{Duration, Timestamp};

use crate::cluster::{Cluster, MISS, at, bytes, get, value};

const START: u64 = 1_790_000_000_000;

fn store(max_bytes: Option<usize>) -> Store {
    let config = Config {
        max_bytes,
        ..Config::default()
    };
    Store::new(config, ahash::RandomState::with_seeds(1, 2, 3, 4))
}

/// Sets a key `millis` after the start, to expire so much later.
fn set(store: &mut Store, millis: u64, key: &str, value: &[u8], ttl: Option<u64>) {
    let now = START + millis;
    let set = Data::Set {
        key: key.as_bytes(),
        value,
        expire_at: ttl.map(|ttl| Timestamp::from_millis(now + ttl)),
    };
    let mut out = Vec::new();
    store.execute(Timestamp::from_millis(now), Protocol::Resp2, &set, &mut out);
    assert_eq!(out, b"+OK\r\n");
}

#[test]
fn a_server_with_nothing_to_do_is_rid_of_them_in_small_steps() {
    let mut store = store(None);
    for number in 0..50_000 {
        set(
            &mut store,
            0,
            &format!("session-{number}"),
            b"value",
            Some(300),
        );
    }
    set(&mut store, 0, "stays", b"value", None);
    let later = Timestamp::from_millis(START + 300);
    let mut steps = 0;
    while store.next_expiry().is_some_and(|at| at <= later) {
        assert!(store.purge_expired(later, 1_000) <= 1_000);
        steps += 1;
    }
    assert_eq!(store.entries().len(), 1);
    assert!(steps <= 51, "{steps} steps");
    assert_eq!(store.statistics().expired, 50_000);
    assert_eq!(store.next_expiry(), None, "nothing to wake up for");
}

#[test]
fn rounds_of_short_sessions_do_not_grow() {
    let mut store = store(None);
    let (mut most, mut number) = (0, 0);
    for millis in 0..20_000 {
        for _ in 0..10 {
            number += 1;
            // Sessions of 0.2 to 1 s beside each other, some prolonged, some ended.
            let ttl = 200 + 200 * (number % 5);
            set(
                &mut store,
                millis,
                &format!("session-{number}"),
                b"v",
                Some(ttl),
            );
            if number % 3 == 0 {
                set(
                    &mut store,
                    millis,
                    &format!("session-{}", number - 2),
                    b"v",
                    Some(1_000),
                );
            }
        }
        most = most.max(store.entries().len());
    }
    // 10 per millisecond, of 600 ms on the average, a third of them of nearly a second.
    assert!(most < 10 * 850, "{most} entries");
    let store_info = StoreInfo::of_store(&store);
    assert_eq!(
        store_info.keys as u64 + store_info.statistics.expired,
        number
    );
    assert_eq!(
        (store_info.expiring, store_info.statistics.evicted),
        (store_info.keys, 0)
    );
}

#[test]
fn the_dead_make_room_before_the_living() {
    // As found: 8 000 keys, 8 000 with PX 300, a second later 8 000 new ones, within 20 MB.
    let mut store = store(Some(20_000_000));
    let value = [b'v'; 1_000];
    for number in 0..8_000 {
        set(&mut store, 0, &format!("lives-{number}"), &value, None);
    }
    for number in 0..8_000 {
        set(&mut store, 0, &format!("dies-{number}"), &value, Some(300));
    }
    assert_eq!(store.statistics().evicted, 0, "there is room for these");
    for number in 0..8_000 {
        set(&mut store, 1_300, &format!("new-{number}"), &value, None);
    }
    let (entries, statistics) = (store.entries(), store.statistics());
    assert_eq!((statistics.evicted, statistics.expired), (0, 8_000));
    assert_eq!(entries.len(), 16_000);
    assert!((0..8_000).all(|number| entries.peek(format!("lives-{number}").as_bytes()).is_some()));
}

#[test]
fn a_few_dead_among_many_that_will_expire_are_found() {
    let mut store = store(Some(2_000_000));
    for number in 0..100_000_u64 {
        let ttl = if number % 100 == 7 { 300 } else { 3_600_000 };
        set(&mut store, 0, &format!("key-{number}"), b"value", Some(ttl));
    }
    let (evicted, here) = (store.statistics().evicted, store.entries().len() as u64);
    let dead = here / 100;
    for number in 0..dead - 5 {
        set(
            &mut store,
            400,
            &format!("new-{number}"),
            b"value",
            Some(3_600_000),
        );
    }
    assert_eq!(store.statistics().evicted, evicted, "{dead} were dead");
}

#[test]
fn the_order_among_the_living_is_that_of_use() {
    let mut store = store(None);
    store.set_limits(None, Some(100));
    for number in 0..100_u64 {
        let ttl = (number % 2 == 1).then_some(10);
        set(&mut store, 0, &format!("key-{number}"), b"v", ttl);
    }
    let mut out = Vec::new();
    let read = Data::Get(b"key-0");
    store.execute(
        Timestamp::from_millis(START),
        Protocol::Resp2,
        &read,
        &mut out,
    );
    for number in 0..149 {
        set(&mut store, 10, &format!("new-{number}"), b"v", None);
    }
    // 50 were dead; of 50 living, 49 were older than the one that was read, and 50 new ones.
    assert_eq!(store.statistics().expired, 50);
    assert_eq!(store.statistics().evicted, 99);
    assert_eq!(
        store.entries().oldest().map(|entry| entry.key),
        Some(&b"new-49"[..])
    );
}

/// Sets so many keys, to expire after `ttl`.
fn set_sessions(cluster: &mut Cluster, round: usize, count: usize, ttl: Duration) {
    let client = cluster.client(0);
    let wall = 1_700_000_000_000 + cluster.now.as_micros() / 1000;
    let expire_at = Timestamp::from_millis(wall + ttl.as_millis() as u64);
    let ids: Vec<u64> = (0..count)
        .map(|number| {
            let request = Request::Set {
                key: bytes(&format!("session-{round}-{number}")),
                value: bytes("value"),
                expiry: Expiry::At(expire_at),
                condition: Condition::Always,
                return_old: false,
            };
            cluster.begin(client, request, at(Level::Quorum))
        })
        .collect();
    for id in ids {
        assert_eq!(cluster.finish(id).outcome, Ok(Answer::Done));
    }
}

#[test]
fn members_of_a_cluster_forget_them_too_and_remember_that_they_did() {
    const ROUNDS: usize = 4;
    const SESSIONS: usize = 1_500;
    let mut cluster = Cluster::start(3, 1, |config| config.max_requests = 10_000);
    cluster.wait_until_serving();
    let client = cluster.client(0);
    assert_eq!(
        cluster.set(client, "stays", "here").outcome,
        Ok(Answer::Done)
    );
    for round in 0..ROUNDS {
        set_sessions(&mut cluster, round, SESSIONS, Duration::from_secs(2));
        cluster.run(Duration::from_secs(1));
        for member in 0..3 {
            let entries = cluster.node(member).entries().expect("a member");
            assert!(entries.len() > SESSIONS, "they live for two seconds");
        }
        cluster.run(Duration::from_millis(1_100));
        for member in 0..3 {
            let node = cluster.node(member);
            assert_eq!(node.entries().map(|entries| entries.len()), Some(1));
            assert_eq!(node.statistics().expired, ((round + 1) * SESSIONS) as u64);
            assert_eq!(node.statistics().evicted, 0);
        }
    }
    for number in 0..10 {
        let key = format!("session-0-{number}");
        let read = cluster.ask(client, get(&key), at(Level::Quorum));
        assert_eq!(read.outcome, MISS);
        assert_eq!(cluster.set(client, &key, "again").outcome, Ok(Answer::Done));
        let read = cluster.ask(client, get(&key), at(Level::Quorum));
        assert_eq!(read.outcome, value("again"));
    }
    let read = cluster.ask(client, get("stays"), at(Level::Quorum));
    assert_eq!(read.outcome, value("here"));
}
