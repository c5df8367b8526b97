//! Members that join and leave under load: real processes, and the command `memvault cluster`.

use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{command, eventually};
use crate::worker::Worker;

const KEYS: usize = 5_000;

/// Three members with data; a fourth joins, then one of the first three leaves, and all the while one client
/// writes and reads at the gateway and one at a member.
#[test]
fn adding_and_removing_a_member_costs_no_request_and_no_key() {
    let cluster = Cluster::start(3);
    let (gateway, member) = (cluster.gateway.port, cluster.members[0].port);
    let workers = [
        Worker::start(gateway, "gateway", KEYS),
        Worker::start(member, "member", KEYS),
    ];
    let all_go_on = |keys| workers.iter().for_each(|worker| worker.wait_for(keys));
    all_go_on(KEYS);

    let port = free_ports(1)[0];
    let seed = format!("127.0.0.1:{member}");
    let joining = Process::start(&["serve", "--cluster", &seed, "--join"], port);
    let fourth = format!("127.0.0.1:{port}");
    wait_until_known(member, &fourth);
    let (is_done, text) = change(&["add", &fourth], &seed);
    assert!(is_done, "{text}");
    assert!(text.contains(&fourth), "{text}");
    all_go_on(KEYS / 2);

    let second = format!("127.0.0.1:{}", cluster.members[1].port);
    let (is_done, text) = change(&["remove", &second], &seed);
    assert!(is_done, "{text}");
    assert!(!text.contains(&second), "{text}");
    // It waits until those that are left have caught up.
    assert_eq!(text.matches(" serving").count(), 3, "{text}");
    all_go_on(KEYS / 2);

    let written = workers.map(Worker::finish);
    for keys in &written {
        for port in [gateway, member, joining.port, cluster.members[2].port] {
            keys.check(port);
        }
    }
}

/// What cannot be done is refused, and nothing changes.
#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let cluster = Cluster::start(3);
    let server = format!("127.0.0.1:{}", cluster.members[0].port);
    for (words, reason) in [
        (["add", "127.0.0.1:9"], "not waiting to be added"),
        (["remove", "127.0.0.1:9"], "there is no member"),
    ] {
        let (is_done, text) = change(&words, &server);
        assert!(!is_done && text.contains(reason), "{words:?}: {text}");
    }
    let gateway = format!("127.0.0.1:{}", cluster.gateway.port);
    let (is_done, text) = change(&["remove", &server], &gateway);
    assert!(!is_done && text.contains("ask one that is"), "{text}");
}

/// Waits until a member can be told to add the node: then the node has called it.
fn wait_until_known(member: u16, node: &str) {
    let mut redis = Redis::connect(member).expect("the member runs");
    eventually("the new node has called", || {
        let reply = format!("{:?}", redis.ask(&["MEMVAULT.CLUSTER", "ADD", node, node]));
        !reply.contains("not waiting")
    });
}

/// Runs `memvault cluster WORDS --wait`; whether it succeeded, and what it printed.
fn change(words: &[&str], server: &str) -> (bool, String) {
    let output = command(&["cluster"])
        .args(words)
        .args(["--server", server, "--wait", "--timeout", "10s"])
        .output()
        .expect("the command was built for this test");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}
