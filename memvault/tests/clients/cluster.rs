//! Redis clients of a cluster: the same bytes as for a plain node.

use super::client::{NOW, connection, drain, feed, text};
use super::replies::{self, Case};
use memvault::cluster::{ClusterEngine, Requests};
use memvault::connection::{Connection, Progress};
use memvault::replication::{Action, Config, Levels, Member, Node, Now, Role};
use memvault::store;
use memvault::time::{Duration, Instant, Timestamp};

/// A node that can reach no other, and the clients that talk to it.
struct Lone {
    node: Node,
    requests: Requests<usize>,
    now: Now,
}

const MEMBER: &str = "127.0.0.1:7001";

impl Lone {
    fn new(role: Role) -> Self {
        Self::among(&[MEMBER], role)
    }

    fn among(members: &[&str], role: Role) -> Self {
        let now = Now {
            instant: Instant::ZERO,
            wall: NOW,
        };
        let members = members.iter().copied().map(Member::new);
        let config = Config::new(members.collect(), role);
        let node = Node::new(config, 1, 2, store::Config::default(), now);
        Self {
            node: node.expect("a valid configuration"),
            requests: Requests::new(ahash::RandomState::with_seeds(1, 2, 3, 4)),
            now,
        }
    }

    /// The one member of a cluster, started up.
    fn serving() -> Self {
        let mut lone = Self::new(Role::Member(MEMBER.to_string()));
        while !lone.node.is_ready() {
            lone.wait(&mut [], 25);
        }
        lone
    }

    fn wait(&mut self, clients: &mut [Connection], millis: u64) {
        self.now.instant = self.now.instant + Duration::from_millis(millis);
        self.now.wall = Timestamp::from_millis(self.now.wall.as_millis() + millis);
        self.node.handle_timeout(self.now);
        self.act(clients);
    }

    /// Does what the node asks for; no node that it calls answers.
    fn act(&mut self, clients: &mut [Connection]) {
        while let Some(action) = self.node.poll_action() {
            match action {
                Action::Connect(peer) => self.node.handle_disconnected(self.now, peer),
                Action::Complete(id, outcome) => {
                    let waiting = self.requests.take(id).expect("all requests are of clients");
                    assert!(self.requests.take(id).is_none(), "each is answered once");
                    let write = |out: &mut Vec<u8>| waiting.encode(self.now.wall, &outcome, out);
                    assert!(clients[waiting.client].complete(id, write).is_some());
                }
                _ => {}
            }
        }
    }

    /// Executes what has come on one of the connections and does what the node asks for.
    fn process(&mut self, clients: &mut [Connection], client: usize) -> Progress {
        let mut engine = ClusterEngine {
            caller: client as u64 + 1,
            node: &mut self.node,
            requests: &mut self.requests,
            client,
            now: self.now,
            levels: Levels::default(),
        };
        let progress = clients[client].process(self.now.wall, &mut engine);
        self.act(clients);
        progress
    }

    fn send(&mut self, clients: &mut [Connection], client: usize, bytes: &[u8]) -> Vec<u8> {
        feed(&mut clients[client], bytes);
        let mut replies = Vec::new();
        loop {
            let progress = self.process(clients, client);
            replies.extend(drain(&mut clients[client]));
            match progress {
                Progress::NeedOutput | Progress::NeedReply => {}
                _ => return replies,
            }
        }
    }
}

/// Commands that a cluster answers in another way.
const DIFFERENT: [&str; 2] = ["CONFIG", "INFO"];

fn check(cases: &[Case]) {
    let mut lone = Lone::serving();
    let mut clients = [connection()];
    for (command, expected) in cases {
        let is_different = DIFFERENT.iter().any(|name| command.starts_with(name));
        if is_different && !expected.starts_with("-ERR wrong") {
            continue;
        }
        let line = [command.as_bytes(), b"\r\n"].concat();
        let replied = lone.send(&mut clients, 0, &line);
        assert_eq!(text(&replied), text(expected.as_bytes()), "{command}");
        lone.wait(&mut clients, 1);
    }
}

#[test]
fn replies_are_those_of_redis_byte_for_byte() {
    for cases in [
        replies::READ_AND_SET,
        replies::SET_OPTIONS,
        replies::SEVERAL_KEYS,
        replies::RELATIVES_OF_SET,
        replies::EDITS,
        replies::EXPIRY,
        replies::CONNECTION,
        replies::HANDSHAKE,
    ] {
        check(cases);
    }
}

#[test]
fn a_member_tells_of_itself_and_of_the_cluster() {
    let mut lone = Lone::serving();
    let mut clients = [connection()];
    let lines = b"SET a 1\r\nSET b 2 EX 100\r\nGET a\r\nDEL a\r\nGET a\r\n";
    lone.send(&mut clients, 0, lines);
    let info = text(&lone.send(&mut clients, 0, b"INFO\r\n"));
    for line in [
        "role:master",
        "node_state:serving",
        "replicas:3",
        "node0:id=127.0.0.1:7001,link=up,state=serving",
        "keyspace_hits:1",
        "keyspace_misses:1",
        "total_commands_processed:5",
        "db0:keys=1,expires=1,avg_ttl=",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    let settings = lone.send(&mut clients, 0, b"CONFIG GET *level\r\n");
    assert!(text(&settings).starts_with("*4\\r\\n$11\\r\\nwrite-level\\r\\n$4\\r\\nauto"));
    let refused = lone.send(&mut clients, 0, b"CONFIG SET replicas 5\r\n");
    assert!(text(&refused).contains("immutable"));
}

#[test]
fn the_limits_of_a_member_can_be_changed() {
    let mut lone = Lone::serving();
    let mut clients = [connection()];
    let mut ask = |bytes: &[u8]| {
        let reply = lone.send(&mut clients, 0, bytes);
        String::from_utf8(reply).expect("it is text")
    };
    assert_eq!(ask(b"MSET a 1 b 2 c 3\r\n"), "+OK\r\n");
    assert_eq!(ask(b"DBSIZE\r\n"), ":3\r\n");
    assert_eq!(
        ask(b"CONFIG SET max-entries 2 maxmemory 1mb\r\n"),
        "+OK\r\n"
    );
    assert_eq!(ask(b"DBSIZE\r\n"), ":2\r\n");
    assert_eq!(ask(b"GET a\r\n"), "$-1\r\n");
    assert!(ask(b"CONFIG GET maxmemory\r\n").contains("1048576"));
    assert_eq!(ask(b"SET d 4\r\n"), "+OK\r\n");
    assert_eq!(ask(b"DBSIZE\r\n"), ":2\r\n");
    assert!(ask(b"CONFIG SET maxmemory lots\r\n").contains("must be a memory value"));
    assert!(ask(b"CONFIG SET replicas 5\r\n").contains("immutable"));
}

#[test]
fn where_no_member_can_be_reached_every_client_is_told() {
    let mut lone = Lone::new(Role::Coordinator("gateway".to_string()));
    let mut clients = [connection(), connection()];
    lone.wait(&mut clients, 25);
    let lines = [
        b"PING\r\nGET a\r\nPING\r\n".as_slice(),
        b"MSET a 1 b 2\r\nDBSIZE\r\n",
    ];
    for (client, lines) in lines.into_iter().enumerate() {
        feed(&mut clients[client], lines);
        let _ = lone.process(&mut clients, client);
    }
    for _ in 0..50 {
        lone.wait(&mut clients, 25);
    }
    // It waited for the keys before it to be done.
    assert_eq!(lone.process(&mut clients, 1), Progress::NeedInput);
    assert!(lone.requests.is_empty());
    let failure = "-CLUSTERDOWN no replica of this key can be reached\r\n";
    let [first, second] = &mut clients;
    assert_eq!(
        text(&drain(first)),
        text(format!("+PONG\r\n{failure}+PONG\r\n").as_bytes())
    );
    assert_eq!(
        text(&drain(second)),
        text(format!("{failure}{failure}").as_bytes())
    );
}

#[test]
fn commands_of_one_connection_on_one_key_keep_their_order() {
    let mut lone = Lone::serving();
    let mut clients = [connection()];
    let mut lines = Vec::new();
    let mut expected = Vec::new();
    for round in 0..50 {
        lines.extend(format!("SET k {round:02}\r\nGET k\r\nSET k x NX\r\nEXPIRE k 50\r\nTTL k\r\nDEL k\r\nGET k\r\n").bytes());
        expected.extend(
            format!("+OK\r\n$2\r\n{round:02}\r\n$-1\r\n:1\r\n:50\r\n:1\r\n$-1\r\n").bytes(),
        );
    }
    let replies = lone.send(&mut clients, 0, &lines);
    assert_eq!(text(&replies), text(&expected));
}

#[test]
fn a_connection_chooses_how_many_replicas_its_requests_wait_for() {
    let mut lone = Lone::serving();
    let mut clients = [connection(), connection()];
    let present = |write: &str, read: &str| {
        let word = |word: &str| format!("${}\r\n{word}\r\n", word.len());
        let words = ["write", write, "read", read].map(word);
        text(format!("*4\r\n{}", words.concat()).as_bytes())
    };
    let mut ask = |client, line: &str| {
        text(&lone.send(&mut clients, client, format!("{line}\r\n").as_bytes()))
    };
    assert_eq!(ask(0, "CONSISTENCY"), present("auto", "auto"));
    assert_eq!(ask(0, "consistency QUORUM all"), text(b"+OK\r\n"));
    assert_eq!(ask(0, "CONSISTENCY"), present("quorum", "all"));
    assert_eq!(
        ask(1, "CONSISTENCY"),
        present("auto", "auto"),
        "each connection has its own"
    );
    let wrong = "-ERR expected CONSISTENCY <write> <read>, each of them auto, one, quorum or all; without \
                 arguments it tells the present ones\r\n";
    for line in [
        "CONSISTENCY quorum",
        "CONSISTENCY quorum most",
        "CONSISTENCY one one one",
    ] {
        assert_eq!(ask(0, line), text(wrong.as_bytes()), "{line}");
    }
    let shown = ask(0, "CONFIG GET *-level");
    assert!(shown.contains("quorum") && shown.contains("all"), "{shown}");
    assert!(!ask(1, "CONFIG GET *-level").contains("quorum"));
    ask(0, "RESET");
    assert_eq!(ask(0, "CONSISTENCY"), present("auto", "auto"));
}

#[test]
fn a_level_that_a_connection_has_chosen_is_not_weakened() {
    // One member of three is up.
    let members = [MEMBER, "127.0.0.1:7002", "127.0.0.1:7003"];
    let mut lone = Lone::among(&members, Role::Member(MEMBER.to_string()));
    let mut clients = [connection()];
    while !lone.node.is_ready() {
        lone.wait(&mut clients, 25);
    }
    assert_eq!(
        text(&lone.send(&mut clients, 0, b"SET k 1\r\n")),
        text(b"+OK\r\n")
    );
    lone.send(&mut clients, 0, b"CONSISTENCY quorum quorum\r\n");
    for line in [b"SET k 2\r\n".as_slice(), b"GET k\r\n", b"INCR k\r\n"] {
        let reply = text(&lone.send(&mut clients, 0, line));
        assert!(
            reply.starts_with("-NOQUORUM level quorum needs 2 replicas and 1 can be reached"),
            "{reply}"
        );
    }
}

/// `MSET` and the like with so many keys, each with a value behind it if there are any.
fn wide(name: &str, keys: usize, value: &str) -> Vec<u8> {
    let arguments = (0..keys).flat_map(|key| [format!("key:{key}"), value.to_owned()]);
    let arguments: Vec<String> = arguments.filter(|argument| !argument.is_empty()).collect();
    let mut bytes =
        format!("*{}\r\n${}\r\n{name}\r\n", arguments.len() + 1, name.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n{argument}\r\n", argument.len()).bytes());
    }
    bytes
}

#[test]
fn between_the_slices_of_a_wide_command_others_are_answered() {
    const KEYS: usize = 3000;
    let mut lone = Lone::serving();
    let mut clients = [connection(), connection()];
    let array = format!("*{KEYS}\r\n{}", "$1\r\nv\r\n".repeat(KEYS));
    let count = format!(":{KEYS}\r\n");
    for (command, expected) in [
        (wide("MSET", KEYS, "v"), "+OK\r\n"),
        (wide("MGET", KEYS, ""), &array),
        (wide("EXISTS", KEYS, ""), &count),
        (wide("DEL", KEYS, ""), &count),
    ] {
        feed(&mut clients[0], &command);
        let (mut reply, mut answered) = (Vec::new(), 0);
        while reply.len() < expected.len() {
            let _ = lone.process(&mut clients, 0);
            assert!(
                lone.node.in_flight() + lone.node.waiting() <= 256,
                "one slice at a time"
            );
            reply.extend(drain(&mut clients[0]));
            let other = lone.send(&mut clients, 1, b"GET other\r\n");
            assert_eq!(text(&other), "$-1\\r\\n");
            answered += usize::from(reply.is_empty());
        }
        assert!(
            reply == expected.as_bytes(),
            "{}",
            text(&reply[..40.min(reply.len())])
        );
        assert!(
            answered >= 10,
            "{answered} were answered before it was done"
        );
    }
}

#[test]
fn a_wide_command_of_which_a_slice_fails_is_answered_with_that_error_alone() {
    let mut lone = Lone::new(Role::Coordinator("gateway".to_owned()));
    let mut clients = [connection()];
    for command in [
        wide("MGET", 3000, ""),
        wide("MSET", 3000, "v"),
        wide("DEL", 3000, ""),
    ] {
        feed(&mut clients[0], &command);
        let mut reply = Vec::new();
        while reply.is_empty() {
            let _ = lone.process(&mut clients, 0);
            lone.wait(&mut clients, 100);
            reply.extend(drain(&mut clients[0]));
        }
        let _ = lone.process(&mut clients, 0);
        reply.extend(drain(&mut clients[0]));
        let reply = text(&reply);
        assert!(reply.starts_with('-'), "{reply}");
        assert_eq!(reply.matches("\\r\\n").count(), 1, "{reply}");
    }
}

#[test]
fn a_command_with_more_keys_than_may_be_under_way_is_refused_whole() {
    let mut lone = Lone::serving();
    let mut clients = [connection()];
    let most = lone.node.config().max_requests;
    let reply = lone.send(&mut clients, 0, &wide("MSET", most + 1, "v"));
    assert!(reply.starts_with(b"-"), "{}", text(&reply));
    assert_eq!(
        text(&lone.send(&mut clients, 0, b"EXISTS key:0\r\n")),
        ":0\\r\\n"
    );
}
