//! `memvault top` without a screen, on a real cluster.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{Ran, memvault};

fn top(arguments: &[&str]) -> Ran {
    memvault(&[&["top", "--interval", "100ms"], arguments].concat())
}

fn document(arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = top(&[arguments, &["--json"]].concat());
    let document = serde_json::from_str(&ran.stdout);
    (
        ran.code,
        document.unwrap_or_else(|error| panic!("{error}: {ran:?}")),
    )
}

#[test]
fn any_node_tells_of_all_and_a_dead_one_is_shown() {
    let mut cluster = Cluster::start(3);
    let mut redis = Redis::connect(cluster.gateway.port).expect("it runs");
    for key in 0..20 {
        redis.ask(&["SET", &format!("k{key}"), "x"]);
    }
    let gateway = format!("127.0.0.1:{}", cluster.gateway.port);
    let member = format!("127.0.0.1:{}", cluster.members[2].port);
    for whom in [
        ["--server", &gateway],
        ["--server", &member],
        ["--cluster", &cluster.list],
    ] {
        let (code, document) = document(&whom);
        assert_eq!(code, Some(0), "{document}");
        let nodes = document["nodes"].as_array().expect("a list");
        assert_eq!(nodes.len(), 3, "{document}");
        // 20 keys, and the one that the cluster was tried with.
        assert!(
            nodes
                .iter()
                .all(|node| node["keys"] == 21 && node["state"] == "up"),
            "{document}"
        );
        let leads = nodes
            .iter()
            .filter_map(|node| node["leader_ratio"].as_f64());
        assert!((leads.sum::<f64>() - 1.0).abs() < 1e-9, "{document}");
        assert_eq!(
            (&document["total"]["up"], &document["replicas"]),
            (&3.into(), &3.into())
        );
    }
    cluster.members[0].kill();
    let dead = format!("127.0.0.1:{}", cluster.members[0].port);
    let ran = top(&["--once", "--cluster", &cluster.list]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout
            .starts_with("3 nodes: 2 up, 1 down; 3 replicas per key\n"),
        "{}",
        ran.stdout
    );
    let mut lines = ran.stdout.lines();
    let line = lines.find(|line| line.starts_with(&dead));
    let line = line.unwrap_or_else(|| panic!("{dead}: {}", ran.stdout));
    assert!(line.contains(" down "), "{line}");
    let why = lines.next();
    assert!(
        why.is_some_and(|why| why.ends_with("nothing listens there")),
        "{why:?}"
    );
}

#[test]
fn a_node_alone_is_shown_alone() {
    let node = Process::start(&["serve", "--max-memory", "1mb"], free_ports(1)[0]);
    let (code, document) = document(&["--server", &format!("127.0.0.1:{}", node.port)]);
    assert_eq!(code, Some(0));
    assert_eq!(
        document["nodes"].as_array().map(Vec::len),
        Some(1),
        "{document}"
    );
    assert_eq!(document["nodes"][0]["memory_limit_bytes"], 1 << 20);
    assert_eq!(
        (&document["nodes"][0]["leader_ratio"], &document["replicas"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn what_it_cannot_do_is_said() {
    let silent = format!("127.0.0.1:{}", free_ports(1)[0]);
    let ran = top(&["--once", "--server", &silent]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.contains("1 node: 0 up, 1 down"),
        "{}",
        ran.stdout
    );
    let cases: [(&[&str], &str); 4] = [
        (&[], "use --once"),
        (&["--interval", "1ms"], "100ms to 1h"),
        (
            &["--server", "a:1", "--cluster", "a:1"],
            "cannot be used with",
        ),
        (&["--cluster", "a:1,a:1"], "--cluster <LIST>"),
    ];
    for (arguments, part) in cases {
        let ran = memvault(&[&["top"], arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
}
