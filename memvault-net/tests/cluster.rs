//! The replicating client against real nodes over real sockets.

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_lite::{StreamExt, future};
use memvault::replication::{DownReason, Event, Failure, Level, Levels, NodeState};
use memvault_net::client::{Client, Error, Events, Ttl};
use support::{Cluster, PATIENCE, address, block_on, dead_address, eventually, impostor, listener};

const QUORUM: Levels = Levels {
    write: Level::Quorum,
    read: Level::Quorum,
};

fn key(number: usize) -> String {
    format!("key:{number}")
}

fn value(number: usize) -> String {
    format!("value of {number}")
}

fn fill(client: &Client, count: usize) {
    for number in 0..count {
        block_on(client.set(key(number), value(number))).expect("a write");
    }
}

#[track_caller]
fn check(client: &Client, count: usize) {
    for number in 0..count {
        let found = block_on(client.get(key(number))).expect("a read");
        assert_eq!(found.as_deref(), Some(value(number).as_bytes()), "{number}");
    }
}

/// Waits for an event that `is_it`.
fn expect_event(events: &mut Events, what: &str, is_it: impl Fn(&Event) -> bool) {
    let found = async { events.any(|seen| is_it(&seen.event)).await };
    let too_late = async {
        async_io::Timer::after(PATIENCE).await;
        false
    };
    assert!(block_on(future::or(found, too_late)), "no event: {what}");
}

fn serves(client: &Client, address: &str) -> bool {
    let reports = block_on(client.node_statistics()).expect("statistics");
    reports
        .iter()
        .any(|node| node.id == address && node.is_up && node.state == NodeState::Serving)
}

fn all_serve(client: &Client, cluster: &Cluster) {
    for address in &cluster.addresses {
        eventually("every node serves", || serves(client, address));
    }
}

#[test]
fn commands_do_what_their_names_say() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    block_on(async {
        assert_eq!(client.get("a").await?, None);
        client.set("a", "1").await?;
        assert_eq!(client.get("a").await?.as_deref(), Some(&b"1"[..]));
        assert!(client.exists("a").await?);
        assert_eq!(client.ttl("a").await?, Ttl::Never);
        client
            .set_with_ttl("b", vec![0, 255], Duration::from_secs(600))
            .await?;
        let Ttl::After(left) = client.ttl("b").await? else {
            panic!("it expires");
        };
        assert!(left <= Duration::from_secs(600) && left > Duration::from_secs(500));
        client.mset([("c", "3"), ("d", "4")]).await?;
        let values = client.mget(["d", "nothing", "c"]).await?;
        let values: Vec<_> = values.iter().map(|value| value.as_deref()).collect();
        assert_eq!(values, [Some(&b"4"[..]), None, Some(&b"3"[..])]);
        // A delete that had to be repeated finds its own work: on a busy machine, try again.
        while !client.del("a").await? {
            assert!(!client.exists("a").await?);
            client.set("a", "1").await?;
        }
        assert!(!client.del("a").await?);
        assert!(!client.exists("a").await?);
        assert_eq!(client.ttl("a").await?, Ttl::Miss);
        assert_eq!(client.mget([""; 0]).await?, []);
        client
            .set_with_ttl("e", "5", Duration::from_nanos(1))
            .await?;
        Ok::<_, Error>(())
    })
    .expect("every command");
    eventually("the shortest TTL passes", || {
        block_on(client.get("e")).expect("a read").is_none()
    });
}

#[test]
fn values_can_be_json() {
    let cluster = Cluster::start(1, 1);
    let client = cluster.client();
    let ages: BTreeMap<String, u32> = [("ada".into(), 36), ("alan".into(), 41)].into();
    block_on(async {
        client.set_json("ages", &ages).await?;
        assert_eq!(client.get_json("ages").await?, Some(ages));
        assert_eq!(client.get_json::<u8>("nothing").await?, None);
        client.set("text", "{").await?;
        let error = client.get_json::<u8>("text").await.expect_err("no JSON");
        assert!(
            error.to_string().starts_with("JSON of key \"text\": "),
            "{error}"
        );
        assert!(std::error::Error::source(&error).is_some());
        Ok::<_, Error>(())
    })
    .expect("JSON in and out");
}

#[test]
fn levels_are_chosen_per_handle() {
    let mut cluster = Cluster::start(3, 3);
    let client = cluster.client();
    all_serve(&client, &cluster);
    let strict = client.with_levels(Levels {
        write: Level::All,
        read: Level::All,
    });
    block_on(strict.set("a", "1")).expect("all are there");
    cluster.kill(0);
    eventually("the loss is noticed", || {
        !serves(&client, &cluster.addresses[0])
    });
    let error = block_on(strict.set("a", "2")).expect_err("one is missing");
    assert!(
        matches!(error, Error::Failed(Failure::NoQuorum { need: 3, .. })),
        "{error:?}"
    );
    block_on(client.set("a", "3")).expect("AUTO goes on");
    block_on(client.with_levels(QUORUM).set("a", "4")).expect("two are a quorum");
}

/// Writes and reads until told to stop; counts what went wrong.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(client: &Client, threads: usize) -> Self {
        let (stop, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let one = |number: usize| {
            let (client, stop, done) = (client.clone(), Arc::clone(&stop), Arc::clone(&done));
            thread::spawn(move || load(&client, number, &stop, &done))
        };
        let threads = (0..threads).map(one).collect();
        Self {
            stop,
            done,
            threads,
        }
    }

    fn wait_for(&self, requests: usize) {
        let before = self.done.load(Ordering::Relaxed);
        eventually("the load goes on", || {
            self.done.load(Ordering::Relaxed) >= before + requests
        });
    }

    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    }
}

fn load(client: &Client, thread: usize, stop: &AtomicBool, done: &AtomicUsize) -> Vec<String> {
    let mut problems = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (key, value) = (format!("load:{thread}:{}", round % 50), round.to_string());
        if let Err(error) = block_on(client.set(&key, &value)) {
            problems.push(format!("SET {key}: {error}"));
        } else {
            match block_on(client.get(&key)) {
                Ok(Some(found)) if *found == *value.as_bytes() => {}
                Ok(found) => problems.push(format!("GET {key}: {found:?}, not {value}")),
                Err(error) => problems.push(format!("GET {key}: {error}")),
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    problems
}

#[test]
fn nodes_die_and_return_one_after_the_other_and_nothing_fails_or_is_lost() {
    const KEYS: usize = 300;
    let mut cluster = Cluster::start(3, 3);
    let client = cluster.client();
    all_serve(&client, &cluster);
    fill(&client, KEYS);
    let mut events = client.events();
    let load = Load::start(&client, 2);
    for member in [0, 1] {
        load.wait_for(50);
        cluster.kill(member);
        load.wait_for(50);
        cluster.restart(member);
        let id = cluster.addresses[member].clone();
        let is = |node: &String| *node == id;
        expect_event(
            &mut events,
            "down at once",
            |e| matches!(e, Event::Down { node, reason: DownReason::Disconnected } if is(node)),
        );
        expect_event(
            &mut events,
            "up",
            |e| matches!(e, Event::Up { node, .. } if is(node)),
        );
        expect_event(
            &mut events,
            "back",
            |e| matches!(e, Event::Rejoined { node } if is(node)),
        );
        eventually("it serves again", || serves(&client, &id));
    }
    cluster.kill(2);
    load.wait_for(50);
    assert_eq!(load.finish(), [""; 0]);
    check(&client, KEYS);
}

#[test]
fn a_frozen_node_fails_nothing_and_is_used_again_when_it_thaws() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    all_serve(&client, &cluster);
    let mut events = client.events();
    let load = Load::start(&client, 2);
    load.wait_for(20);
    let id = cluster.addresses[1].clone();
    let thaw = cluster.freeze(1);
    expect_event(
        &mut events,
        "ejected",
        |e| matches!(e, Event::Ejected { node } if *node == id),
    );
    load.wait_for(200);
    drop(thaw);
    expect_event(
        &mut events,
        "back",
        |e| matches!(e, Event::Rejoined { node } if *node == id),
    );
    load.wait_for(20);
    assert_eq!(load.finish(), [""; 0]);
}

#[test]
fn a_node_that_never_answers_is_left_out() {
    let listeners = vec![listener(), listener()];
    let silent = listener();
    let addresses = listeners.iter().chain([&silent]).map(address).collect();
    let cluster = Cluster::start_some(addresses, listeners, 3, Duration::from_secs(2));
    let client = cluster.client();
    fill(&client, 50);
    check(&client, 50);
    assert!(!serves(&client, &address(&silent)));
}

#[test]
fn with_no_node_alive_requests_fail_at_once_and_succeed_when_one_is_back() {
    let mut cluster = Cluster::start_impatient(2, 2);
    let client = cluster.client();
    all_serve(&client, &cluster);
    cluster.kill(0);
    cluster.kill(1);
    eventually("both are missed", || {
        !cluster
            .addresses
            .iter()
            .any(|address| serves(&client, address))
    });
    let error = block_on(client.get("a")).expect_err("nobody is there");
    let Error::Unreachable {
        nodes,
        tried_for: None,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(nodes.len(), 2);
    let text = error.to_string();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(
        cluster
            .addresses
            .iter()
            .all(|address| text.contains(address.as_str())),
        "{text}"
    );
    assert!(error.is_temporary());
    cluster.restart(1);
    eventually("the client recovers", || {
        block_on(client.set("a", "1")).is_ok()
    });
    assert_eq!(
        block_on(client.get("a")).expect("a read").as_deref(),
        Some(&b"1"[..])
    );
}

#[test]
fn clients_that_disagree_about_who_lives_neither_hang_nor_lose_writes() {
    let cluster = Cluster::start(3, 3);
    let seeing = cluster.client();
    all_serve(&seeing, &cluster);
    for blind in 0..3 {
        // To this client, one of the nodes is out of reach.
        let nodes = cluster.addresses.iter().enumerate().map(|(number, id)| {
            let address = if number == blind {
                dead_address()
            } else {
                id.clone()
            };
            format!("{id}={address}")
        });
        let half_blind = Client::builder().cluster(nodes).ready_timeout(PATIENCE);
        let half_blind = block_on(half_blind.connect()).expect("two of three are enough");
        let (one, other) = (seeing.with_levels(QUORUM), half_blind.with_levels(QUORUM));
        for number in 0..30 {
            let (key, old, new) = (key(number), value(number), value(number + 1));
            block_on(one.set(&key, &old)).expect("a write");
            let found = block_on(other.get(&key)).expect("a read");
            assert_eq!(found.as_deref(), Some(old.as_bytes()));
            block_on(other.set(&key, &new)).expect("a write");
            let found = block_on(one.get(&key)).expect("a read");
            assert_eq!(found.as_deref(), Some(new.as_bytes()));
        }
    }
}

#[test]
fn dropped_futures_never_mix_up_replies() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    fill(&client, 100);
    let threads: Vec<_> = (0..4_usize)
        .map(|seed| {
            let client = client.clone();
            thread::spawn(move || {
                for round in 0..200 {
                    let wanted = (round * 7 + seed) % 100;
                    let abandoned = client.get(key((wanted + 1) % 100));
                    let kept = client.get(key(wanted));
                    block_on(async {
                        // Begun, and dropped before the answer is there.
                        assert!(
                            future::poll_once(Box::pin(abandoned))
                                .await
                                .is_none_or(|r| r.is_ok())
                        );
                        let found = kept.await.expect("a read");
                        assert_eq!(found.as_deref(), Some(value(wanted).as_bytes()));
                    });
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no mix-up"));
}

#[test]
fn requests_beyond_the_limit_wait_for_their_turn() {
    let cluster = Cluster::start(1, 1);
    let client = block_on(cluster.builder().max_requests(2).connect()).expect("it comes up");
    let begun = || block_on(client.statistics()).expect("statistics").requests;
    let before = begun();
    let thaw = cluster.freeze(0);
    let executor = async_executor::LocalExecutor::new();
    let requests = (0..100).map(|number| client.set(key(number), value(number)));
    let tasks: Vec<_> = requests.map(|request| executor.spawn(request)).collect();
    while executor.try_tick() {}
    assert_eq!(begun() - before, 2);
    drop(thaw);
    block_on(executor.run(async {
        for task in tasks {
            task.await.expect("it is served in the end");
        }
    }));
    check(&client, 100);
}

#[test]
fn a_request_with_many_keys_counts_as_one() {
    let cluster = Cluster::start(1, 1);
    let client = block_on(cluster.builder().max_requests(2).connect()).expect("it comes up");
    let keys = |from: usize| (from..from + 500).map(key);
    let write = |from| client.mset(keys(from).map(|key| (key.clone(), key)));
    let (one, other) = block_on(future::zip(write(0), write(500)));
    one.and(other).expect("both have their turn");
    let found = block_on(client.mget(keys(250))).expect("a read");
    for (key, value) in keys(250).zip(found) {
        assert_eq!(value.as_deref(), Some(key.as_bytes()));
    }
}

#[test]
fn garbage_closes_the_link_and_harms_nothing_else() {
    let liar = listener();
    let id = address(&liar);
    impostor(liar, |mut stream| {
        let mut heard = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..read]);
            if heard.windows(9).any(|window| window == b"NODE.READ") {
                let _ = stream.write_all(b"*2\r\n$10\r\nNODE.WROTE\r\n$3\r\nabc\r\n");
            }
        }
    });
    let dead = dead_address();
    let builder = Client::builder().cluster([&id, &dead]).replicas(2);
    let client = block_on(builder.ready_timeout(PATIENCE).connect());
    let client = client.expect("it greeted well");
    let mut events = client.events();
    let error = block_on(client.get("a")).expect_err("nobody tells the truth");
    assert!(error.is_temporary(), "{error:?}");
    expect_event(
        &mut events,
        "down",
        |e| matches!(e, Event::Down { node, .. } if *node == id),
    );
    eventually("the reason is told", || {
        let reports = block_on(client.node_statistics()).expect("statistics");
        let reason = reports.iter().find(|node| node.id == id);
        let reason = reason.and_then(|node| node.last_failure.clone());
        reason.is_some_and(|reason| reason.contains("no valid message"))
    });
}

#[test]
fn garbage_from_a_caller_closes_its_link_only() {
    let cluster = Cluster::start(2, 2);
    let client = cluster.client();
    fill(&client, 20);
    for garbage in [
        &b"*1\r\n$4\r\nPING\r\n"[..],
        b"*3\r\n$10\r\nNODE.HELLO\r\n$1\r\nx\r\n$1\r\ny\r\n",
        b"*x\r\n",
        b"$\xff\xff\r\n",
        b"*2\r\n$9\r\nNODE.READ\r\n$8\r\n\0\0\0\0\0\0\0\x01\r\n",
    ] {
        let mut caller = TcpStream::connect(&cluster.addresses[0]).expect("a connection");
        caller.write_all(garbage).expect("it is open");
        caller
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let ended = caller.read_to_end(&mut Vec::new());
        assert!(
            !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "still open after {garbage:?}"
        );
    }
    check(&client, 20);
}

#[test]
fn a_node_that_does_not_read_loses_its_link_when_the_limit_is_reached() {
    let lazy = listener();
    let id = address(&lazy);
    impostor(lazy, |stream| {
        thread::sleep(PATIENCE);
        drop(stream);
    });
    let builder = Client::builder().cluster([&id]).replicas(1);
    let builder = builder.max_link_buffer(1 << 20).ready_timeout(PATIENCE);
    let client = block_on(builder.connect()).expect("it greeted well");
    // More than the socket's own buffers take.
    let big = vec![7; 4 << 20];
    eventually("the link is given up", || {
        let begun = future::poll_once(Box::pin(client.set("a", &big)));
        let _ = block_on(begun);
        let reports = block_on(client.node_statistics()).expect("statistics");
        reports.iter().any(|node| {
            let reason = node.last_failure.as_ref();
            reason.is_some_and(|reason| reason.contains("max_link_buffer"))
        })
    });
}

#[test]
fn other_replicas_or_another_ring_are_refused_with_the_reason() {
    let cluster = Cluster::start(2, 2);
    let _up = cluster.client();
    let connect = |builder: memvault_net::client::Builder| {
        let result = block_on(builder.ready_timeout(Duration::ZERO).connect());
        result.expect_err("it must be refused").to_string()
    };
    let text = connect(cluster.builder().replicas(1));
    assert!(text.contains("keeps 2 replicas"), "{text}");
    assert!(
        text.contains("--replicas must be the same everywhere"),
        "{text}"
    );
    let mut more = cluster.addresses.clone();
    more.push(dead_address());
    let text = connect(cluster.builder().cluster(more));
    assert_eq!(
        text.matches("--cluster must name the same members").count(),
        2,
        "{text}"
    );
    assert_eq!(text.matches("cannot connect").count(), 1, "{text}");
}

#[test]
fn unreachable_nodes_are_listed_with_what_is_wrong_with_each() {
    let (dead, silent) = (dead_address(), listener());
    let builder = Client::builder()
        .cluster([&dead, "no-such-host.invalid:1", &address(&silent)])
        .ready_timeout(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(20));
    let error = block_on(builder.connect()).expect_err("nobody serves");
    let text = error.to_string();
    let line = |address: &str| {
        let found = text.lines().find(|line| line.contains(address));
        found.unwrap_or_else(|| panic!("{address} is missing: {text}"))
    };
    assert!(line(&dead).contains("cannot connect"), "{text}");
    assert!(
        line("no-such-host.invalid").contains("cannot resolve"),
        "{text}"
    );
    assert!(line(&address(&silent)).contains("answer"), "{text}");
}

#[test]
fn a_connection_that_does_not_come_about_costs_its_time_limit() {
    let full = listener();
    rustix::net::listen(&full, 0).expect("it is bound");
    // Nobody accepts: once the queue is full, the system answers no further attempts.
    let target = full.local_addr().expect("it is bound");
    let brief = Duration::from_millis(200);
    let queued: Vec<_> = (0..4)
        .map(|_| TcpStream::connect_timeout(&target, brief))
        .collect();
    assert!(queued.iter().any(Result::is_err), "the queue is full");
    let builder = Client::builder().cluster([address(&full)]);
    let builder = builder.connect_timeout(brief).ready_timeout(Duration::ZERO);
    let text = block_on(builder.connect())
        .expect_err("it hangs")
        .to_string();
    assert!(text.contains("no connection within 200 ms"), "{text}");
}

#[test]
fn mistakes_in_the_description_are_named() {
    let connect = |nodes: &[&str], replicas: usize| {
        let builder = Client::builder().cluster(nodes.iter().copied());
        let result = block_on(builder.replicas(replicas).connect());
        result.expect_err("it is wrong").to_string()
    };
    assert!(connect(&[], 3).contains("the member list is empty"));
    assert!(connect(&["a:1", "a:1"], 3).contains("names a:1 twice"));
    assert!(connect(&["a"], 3).contains("expected host:port"));
    assert!(connect(&["a:1"], 9).contains("expected 1 to 8"));
}

#[test]
fn too_long_keys_and_values_are_refused_before_they_are_sent() {
    let cluster = Cluster::start(1, 1);
    let builder = cluster.builder().max_key_len(4).max_value_len(8);
    let client = block_on(builder.connect()).expect("it comes up");
    let error = block_on(client.get("12345")).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "the key has 5 bytes; the longest allowed is 4"
    );
    let error = block_on(client.set("1", "123456789")).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "the value has 9 bytes; the longest allowed is 8"
    );
    block_on(client.set("1", "12345678")).expect("at the limit");
}

#[test]
fn the_client_counts_what_it_does_and_its_streams_end_with_it() {
    fn is_shared<T: Clone + Send + Sync>(_: &T) {}
    fn is_sent<T: Send>(value: T) -> T {
        value
    }
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    is_shared(&client);
    fill(&client, 30);
    block_on(is_sent(client.get("nothing"))).expect("a read");
    let total = block_on(client.statistics()).expect("statistics");
    assert_eq!(
        (total.requests, total.failed_requests, total.misses),
        (31, 0, 1)
    );
    let nodes = block_on(client.node_statistics()).expect("statistics");
    assert_eq!(nodes.len(), 3);
    assert!(nodes.iter().map(|node| node.requests).sum::<u64>() >= 31);
    assert!(nodes.iter().any(|node| node.latency.count() > 0));
    assert!(nodes.iter().all(|node| node.address == node.id));
    let mut events = client.events();
    drop(client);
    assert_eq!(block_on(events.find(|_| false)), None);
}
