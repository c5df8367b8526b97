//! Nodes that die, freeze, never answer, and come back.

use super::*;

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
        // The nodes run on the same processors: without a breath they are silent for want of a turn.
        thread::sleep(Duration::from_millis(1));
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
