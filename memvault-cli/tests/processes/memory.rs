//! Memory of real servers: it goes back to the system, and what the server takes stays near what it was told to keep.
#![cfg(target_os = "linux")]

use std::fs;

use memvault::resp::Reply;

use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::eventually;

const MIB: u64 = 1 << 20;

/// Bytes of memory of a process that no file stands behind: at present, and most at a time.
struct Resident {
    now: u64,
    most: u64,
}

impl Resident {
    fn of(process: &Process) -> Self {
        let status = format!("/proc/{}/status", process.id());
        let status = fs::read_to_string(status).expect("the process runs");
        let field = |name| {
            let mut lines = status.lines();
            let rest = lines.find_map(|line: &str| line.strip_prefix(name));
            let number = rest.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            number.expect("Linux tells it") << 10
        };
        Self {
            now: field("RssAnon:"),
            // The peak is told for all together; the program itself hardly changes.
            most: field("VmHWM:").saturating_sub(field("RssFile:")),
        }
    }
}

/// What docs/limits.md says that a server takes at most, without its clients' buffers.
fn bound(max_memory: u64) -> u64 {
    max_memory * 14 / 10 + 20 * MIB
}

fn serve(max_memory: &str) -> (Process, Redis) {
    let arguments = ["serve", "--max-memory", max_memory];
    let server = Process::start(&arguments, free_ports(1)[0]);
    let redis = Redis::connect(server.port).expect("it runs");
    (server, redis)
}

fn set(redis: &mut Redis, keys: std::ops::Range<usize>, value: &str) {
    let command = |key| vec!["SET".to_owned(), format!("key:{key}"), value.to_owned()];
    let commands: Vec<_> = keys.map(command).collect();
    for commands in commands.chunks(500) {
        redis.pipeline(commands).expect("it serves");
    }
}

/// What `INFO` and `CONFIG GET` tell is in the second place.
fn second(reply: Reply) -> String {
    let Reply::Array(fields) = reply else {
        panic!("{reply:?}");
    };
    let Some(Reply::Bulk(value)) = fields.into_iter().nth(1) else {
        panic!("there is no value");
    };
    String::from_utf8(value).expect("it is a number")
}

fn assert_gives_back(process: &Process, flush: impl FnOnce()) {
    let before = Resident::of(process).now;
    assert!(before > 60 * MIB, "{before} bytes are in use");
    flush();
    eventually("what was flushed goes back to the system", || {
        Resident::of(process).now < 24 * MIB
    });
}

#[test]
fn after_a_flush_the_memory_goes_back() {
    let (server, mut redis) = serve("256mb");
    for (keys, len) in [(200_000, 250), (300, 250_000)] {
        set(&mut redis, 0..keys, &"v".repeat(len));
        assert_gives_back(&server, || {
            assert_eq!(redis.ask(&["FLUSHALL"]), Reply::Simple(b"OK".to_vec()));
            assert_eq!(redis.ask(&["DBSIZE"]), Reply::Integer(0));
        });
    }
}

/// A member has something to do all the time, so that its memory would go back in any case, only later.
#[test]
fn the_allocator_of_every_server_gives_back_at_once() {
    let cluster = Cluster::start(3);
    for server in cluster.members.iter().chain([&cluster.gateway]) {
        let environment = fs::read(format!("/proc/{}/environ", server.id())).expect("it runs");
        let mut variables = environment.split(|byte| *byte == 0);
        assert!(variables.any(|variable| variable == b"MIMALLOC_PURGE_DELAY=0"));
    }
}

#[test]
fn a_share_of_the_memory_that_there_is_can_be_set() {
    let (_server, mut redis) = serve("1%");
    let maxmemory = |redis: &mut Redis| second(redis.ask(&["CONFIG", "GET", "maxmemory"]));
    let at_start: u64 = maxmemory(&mut redis).parse().expect("it is a number");
    let done = Reply::Simple(b"OK".to_vec());
    assert_eq!(redis.ask(&["CONFIG", "SET", "maxmemory", "60%"]), done);
    let set: u64 = maxmemory(&mut redis).parse().expect("it is a number");
    assert!(set.abs_diff(60 * at_start) < 100, "{at_start}, {set}");
    let refused = redis.ask(&["CONFIG", "SET", "maxmemory", "101%"]);
    assert!(matches!(refused, Reply::Error(_)), "{refused:?}");
}

#[test]
fn after_a_flush_the_memory_of_members_goes_back() {
    let cluster = Cluster::start(3);
    let mut redis = Redis::connect(cluster.gateway.port).expect("it runs");
    set(&mut redis, 0..40_000, &"v".repeat(2000));
    let [first, second, third] = [0, 1, 2].map(|member| &cluster.members[member]);
    assert_gives_back(first, || {
        assert_gives_back(second, || {
            assert_gives_back(third, || drop(redis.ask(&["FLUSHALL"])));
        });
    });
}

#[test]
fn a_value_that_grows_takes_no_more_than_its_room() {
    let (server, mut redis) = serve("64mb");
    let piece = "p".repeat(512 << 10);
    for key in ["a", "b", "c"] {
        for part in 1..=32 {
            let append = vec!["APPEND", key, &piece];
            let end = (part * piece.len()).to_string();
            let set_range = vec!["SETRANGE", "grown", &end, "x"];
            redis
                .pipeline(&[append, set_range])
                .expect("both have room");
        }
    }
    let most = Resident::of(&server).most;
    assert!(most < bound(64 * MIB), "{} MiB", most / MIB);
}

/// Tables grow piece by piece, and what is left of larger values makes room.
#[test]
fn many_small_keys_take_the_place_of_values_of_all_sizes() {
    let (server, mut redis) = serve("64mb");
    churn(&mut redis);
    for round in 0..400 {
        let keys = (0..4000).map(|number| format!("{:x}", round * 4000 + number));
        let pairs = keys.flat_map(|key| [key, "1".to_owned()]);
        let command: Vec<_> = std::iter::once("MSET".to_owned()).chain(pairs).collect();
        redis.pipeline(&[command]).expect("it serves");
    }
    let most = Resident::of(&server).most;
    assert!(most < bound(64 * MIB), "{} MiB", most / MIB);
}

#[test]
fn values_of_all_sizes_leave_no_holes() {
    let (server, mut redis) = serve("64mb");
    churn(&mut redis);
    let most = Resident::of(&server).most;
    assert!(most < bound(64 * MIB), "{} MiB", most / MIB);
}

fn churn(redis: &mut Redis) {
    let text = "t".repeat(1 << 20);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let mut command = || {
            // As many of one size as of twice that, and now and then any.
            let most = 1 << random.u32(0..=20);
            let len = random.usize(1..=most);
            vec![
                "SET".to_owned(),
                format!("key:{}", random.u32(..100_000)),
                text[..len].to_owned(),
            ]
        };
        let commands: Vec<_> = (0..40).map(|_| command()).collect();
        redis.pipeline(&commands).expect("it serves");
    }
}
