//! Discovery in a simulated network: seeded, with virtual time, delay and loss.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use memvault::rng::Rng;
use memvault::time::Instant;
use memvault_net::discovery::{Discovery, Identity, IdentityError, MAX_KNOWN, News};

/// Datagrams on their way between processes.
struct Network {
    now: Instant,
    rng: Rng,
    loss_per_mille: u64,
    processes: BTreeMap<SocketAddr, Process>,
    /// By arrival.
    sent: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    count: u64,
    /// Addresses on the far side of a partition.
    far: BTreeSet<SocketAddr>,
}

struct Process {
    discovery: Discovery,
    news: Vec<News>,
}

const SLOWEST: Duration = Duration::from_millis(20);

impl Network {
    fn new(seed: u64, loss_per_mille: u64) -> Self {
        Self {
            now: Instant::from_millis(1),
            rng: Rng::new(seed),
            loss_per_mille,
            processes: BTreeMap::new(),
            sent: BTreeMap::new(),
            count: 0,
            far: BTreeSet::new(),
        }
    }

    fn start(&mut self, id: &str, incarnation: u64, port: u16, seed: u16) {
        let me = Identity::new(id.to_owned(), address(port), incarnation).expect("a good identity");
        let random = self.rng.next_u64();
        let discovery = Discovery::new(me, vec![address(seed)], random, self.now);
        let news = Vec::new();
        let process = Process { discovery, news };
        self.processes.insert(address(port), process);
    }

    fn kill(&mut self, port: u16) {
        self.processes.remove(&address(port));
    }

    fn process(&mut self, port: u16) -> &mut Process {
        self.processes.get_mut(&address(port)).expect("it runs")
    }

    /// The others that a process takes for alive, `id@port`.
    fn seen_by(&mut self, port: u16) -> Vec<String> {
        let members = self.process(port).discovery.members();
        let mut seen: Vec<_> = members
            .map(|member| format!("{}@{}", member.id, member.address.port()))
            .collect();
        seen.sort_unstable();
        seen
    }

    fn inject(&mut self, to: u16, bytes: &[u8]) {
        let now = self.now;
        let process = self.process(to);
        process.discovery.handle_datagram(now, address(9), bytes);
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.collect();
            let due = self.processes.values().map(|p| p.discovery.poll_timeout());
            let arrival = self.sent.keys().next().map(|(at, _)| *at);
            let Some(next) = due.chain(arrival).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            let now = self.now;
            while let Some(first) = self.sent.first_entry().filter(|e| e.key().0 <= now) {
                let (from, to, bytes) = first.remove();
                if let Some(process) = self.processes.get_mut(&to) {
                    process.discovery.handle_datagram(now, from, &bytes);
                }
            }
            for process in self.processes.values_mut() {
                if process.discovery.poll_timeout() <= now {
                    process.discovery.handle_timeout(now);
                }
            }
        }
        self.now = end;
    }

    /// Puts what processes want to send on its way, unless it is lost.
    fn collect(&mut self) {
        for (from, process) in &mut self.processes {
            while let Some(news) = process.discovery.poll_news() {
                process.news.push(news);
            }
            while let Some((to, bytes)) = process.discovery.poll_datagram() {
                assert!(bytes.len() <= 1400, "{} bytes", bytes.len());
                let is_cut = self.far.contains(from) != self.far.contains(&to);
                if is_cut || self.rng.one_in_thousand(self.loss_per_mille) {
                    continue;
                }
                let at = self.now + self.rng.duration_below(SLOWEST);
                self.count += 1;
                self.sent.insert((at, self.count), (*from, to, bytes));
            }
        }
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// Processes `n1` to `nN` on ports 1 to N, all with port 1 as their only seed.
fn cluster(seed: u64, loss_per_mille: u64, size: u16) -> Network {
    let mut network = Network::new(seed, loss_per_mille);
    for port in 1..=size {
        network.start(&format!("n{port}"), 1, port, 1);
    }
    network
}

fn all_but(port: u16, size: u16) -> Vec<String> {
    let others = (1..=size).filter(|other| *other != port);
    let mut others: Vec<_> = others.map(|other| format!("n{other}@{other}")).collect();
    others.sort_unstable();
    others
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_find_each_other_from_one_seed_though_a_fifth_is_lost() {
    for seed in 0..8 {
        let mut network = cluster(seed, 200, 12);
        network.run(30 * SECOND);
        for port in 1..=12 {
            assert_eq!(network.seen_by(port), all_but(port, 12), "seed {seed}");
        }
    }
}

#[test]
fn the_dead_are_told_of_and_the_living_are_not() {
    let mut network = cluster(1, 0, 5);
    network.run(5 * SECOND);
    network.kill(1);
    network.run(8 * SECOND);
    for port in 2..=5 {
        let gone = |news: &News| matches!(news, News::Gone(_));
        let news = &network.process(port).news;
        let gone: Vec<_> = news.iter().filter(|news| gone(news)).collect();
        assert!(
            matches!(gone[..], [News::Gone(who)] if who.id == "n1"),
            "{gone:?}"
        );
    }
}

#[test]
fn one_that_starts_again_elsewhere_is_found_there_whatever_its_clock_says() {
    for incarnation in [2, 0] {
        let mut network = cluster(2, 50, 4);
        network.run(5 * SECOND);
        network.kill(3);
        network.start("n3", incarnation, 33, 1);
        network.run(2 * SECOND);
        for port in [1, 2, 4] {
            let seen = network.seen_by(port);
            assert!(
                seen.contains(&"n3@33".to_owned()),
                "incarnation {incarnation}: {seen:?}"
            );
            assert_eq!(seen.len(), 3, "{seen:?}");
            let restarts = network.process(port).news.iter();
            let restarts =
                restarts.filter(|news| matches!(news, News::Restarted(who) if who.id == "n3"));
            assert!(restarts.count() >= 1, "incarnation {incarnation}");
        }
        assert_eq!(network.seen_by(33), ["n1@1", "n2@2", "n4@4"]);
    }
}

#[test]
fn one_that_was_cut_off_is_no_restarted_one() {
    let mut network = cluster(3, 0, 4);
    network.run(5 * SECOND);
    network.far = [address(4)].into();
    network.run(20 * SECOND);
    let seen = network.seen_by(1);
    assert_eq!(seen, ["n2@2", "n3@3"]);
    let is_alone = |news: &News| *news == News::Alone;
    assert!(network.process(4).news.iter().any(is_alone));
    network.far.clear();
    network.run(10 * SECOND);
    for port in 1..=4 {
        assert_eq!(network.seen_by(port), all_but(port, 4));
        let is_restart = |news: &News| matches!(news, News::Restarted(_));
        assert!(!network.process(port).news.iter().any(is_restart));
    }
}

#[test]
fn two_sides_find_each_other_again() {
    let mut network = cluster(4, 100, 6);
    network.run(10 * SECOND);
    network.far = [4, 5, 6].map(address).into();
    network.run(60 * SECOND);
    assert_eq!(network.seen_by(5), ["n4@4", "n6@6"]);
    network.far.clear();
    network.run(60 * SECOND);
    for port in 1..=6 {
        assert_eq!(network.seen_by(port), all_but(port, 6));
    }
}

#[test]
fn two_that_are_alone_find_each_other_without_the_seed_that_is_gone() {
    let mut network = cluster(10, 0, 3);
    network.run(5 * SECOND);
    network.kill(1);
    network.far = [address(3)].into();
    network.run(20 * SECOND);
    assert!(network.seen_by(2).is_empty() && network.seen_by(3).is_empty());
    network.far.clear();
    network.run(3 * SECOND);
    assert_eq!(network.seen_by(2), ["n3@3"]);
    assert_eq!(network.seen_by(3), ["n2@2"]);
}

#[test]
fn who_is_alone_asks_again_until_its_seed_is_there() {
    let mut network = Network::new(5, 0);
    network.start("n2", 1, 2, 1);
    network.run(70 * SECOND);
    let asked = vec![address(1)];
    let complaint = News::NoAnswer { asked };
    assert_eq!(
        network.process(2).news,
        [complaint.clone(), complaint],
        "after 5 s, and a minute later"
    );
    network.start("n1", 1, 1, 1);
    network.run(2 * SECOND);
    assert_eq!(network.seen_by(1), ["n2@2"]);
    // The seed itself starts anew and knows only itself: the other tells it.
    network.kill(1);
    network.run(20 * SECOND);
    network.start("n1", 2, 1, 1);
    network.run(7 * SECOND);
    assert_eq!(network.seen_by(1), ["n2@2"]);
}

#[test]
fn two_processes_with_one_id_do_not_flood_the_network() {
    let mut network = cluster(6, 0, 3);
    network.run(5 * SECOND);
    network.start("n2", 2, 22, 1);
    let before = network.count;
    network.run(10 * SECOND);
    let per_second = (network.count - before) / 10;
    assert!(per_second < 400, "{per_second} datagrams a second");
}

#[test]
fn junk_is_counted_and_changes_nothing() {
    let mut network = cluster(7, 0, 3);
    network.run(5 * SECOND);
    let mut rng = Rng::new(8);
    for round in 0..2_000 {
        let mut junk: Vec<u8> = (0..rng.below(1_500))
            .map(|_| rng.next_u64() as u8)
            .collect();
        // Some with a good beginning.
        for (place, byte) in junk.iter_mut().zip(b"MVD\x01").take(round % 5) {
            *place = *byte;
        }
        if let Some(kind) = junk.get_mut(4) {
            *kind %= 4;
        }
        network.inject(1, &junk);
    }
    network.run(61 * SECOND);
    network.inject(1, b"PING\r\n");
    network.run(SECOND);
    let told = network
        .process(1)
        .news
        .iter()
        .filter_map(|news| match news {
            News::Junk { reason, total, .. } => Some((*reason, *total)),
            _ => None,
        });
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 2, "once a minute: {told:?}");
    let reason = "it is not of this protocol, or of another version of it";
    assert_eq!(told[1], (reason, 2_001));
    assert_eq!(network.seen_by(1), ["n2@2", "n3@3"]);
}

#[test]
fn invented_members_are_forgotten_and_the_real_ones_found_again() {
    let mut network = cluster(9, 0, 3);
    network.run(5 * SECOND);
    for number in 0..=MAX_KNOWN {
        let me = Identity::new(format!("x{number}"), address(7), 1).expect("a good identity");
        let mut liar = Discovery::new(me, vec![address(1)], 1, network.now);
        liar.handle_timeout(network.now);
        let (_, ask) = liar.poll_datagram().expect("it asks");
        // What the liar gets as an answer makes it announce itself.
        network.inject(1, &ask);
        let answer = network.process(1).discovery.poll_datagram();
        let (_, answer) = answer.expect("an answer");
        liar.handle_datagram(network.now, address(1), &answer);
        let (_, announce) = liar.poll_datagram().expect("an announcement");
        network.inject(1, &announce);
        while network.process(1).discovery.poll_datagram().is_some() {}
    }
    network.run(20 * SECOND);
    let news = &network.process(1).news;
    assert!(news.contains(&News::TooMany));
    let seen = network.seen_by(1);
    assert!(seen.contains(&"n2@2".to_owned()) && seen.contains(&"n3@3".to_owned()));
}

#[test]
fn identities_that_cannot_be() {
    let refused = |id: &str, address: &str| {
        let address = address.parse().expect("an address");
        Identity::new(id.to_owned(), address, 1).expect_err("it cannot be")
    };
    assert_eq!(refused("", "10.0.0.1:1"), IdentityError::IdLength);
    assert_eq!(refused("a,b", "10.0.0.1:1"), IdentityError::IdCharacters);
    assert_eq!(refused("a", "0.0.0.0:1"), IdentityError::Address);
    assert_eq!(refused("a", "10.0.0.1:0"), IdentityError::Address);
    let long = "x".repeat(256);
    assert_eq!(refused(&long, "10.0.0.1:1"), IdentityError::IdLength);
}
