//! A node alone.

use serde_json::Value;

use super::{get, json, metric, node};
use crate::redis::Redis;
use crate::support::eventually;

#[test]
fn a_node_alone_counts_what_its_clients_do() {
    for threads in ["1", "2"] {
        let flags = ["--threads", threads, "--max-entries", "100"];
        let (node, admin) = node(&flags);
        let mut redis = Redis::connect(node.port).expect("it runs");
        let sets: Vec<_> = (0..300)
            .map(|key| vec!["SET".to_owned(), format!("k{key}"), "v".to_owned()])
            .collect();
        redis.pipeline(&sets).expect("replies");
        for _ in 0..100 {
            redis.ask(&["GET", "none"]);
        }
        redis.ask(&["GET", "k299"]);
        // The present state of a connection is told, and a sample of one request in 16 was timed.
        assert_eq!(metric(admin, "memvault_connected_clients"), Some(1.0));
        let calls = |name| {
            metric(
                admin,
                &format!("memvault_commands_total{{command=\"{name}\"}}"),
            )
        };
        assert_eq!((calls("get"), calls("set")), (Some(101.0), Some(300.0)));
        assert_eq!(calls("mget"), None);
        let seconds = "memvault_command_duration_seconds_total{command=\"set\"}";
        assert!(metric(admin, seconds).expect("told") > 0.0);
        assert_eq!(metric(admin, "memvault_misses_total"), Some(100.0));
        assert_eq!(metric(admin, "memvault_hits_total"), Some(1.0));
        assert_eq!(metric(admin, "memvault_entries"), Some(100.0));
        assert_eq!(metric(admin, "memvault_evictions_total"), Some(200.0));
        assert_eq!(metric(admin, "memvault_max_entries"), Some(100.0));
        let timed = metric(admin, "memvault_request_duration_seconds_count");
        assert!((5.0..=8.0).contains(&timed.expect("told")), "{timed:?}");
        let infinite = "memvault_request_duration_seconds_bucket{le=\"+Inf\"}";
        assert_eq!(metric(admin, infinite), timed);
        assert_eq!(get(admin, "/healthz").body, "ok\n");
        assert_eq!(get(admin, "/readyz").body, "serving\n");
    }
}

#[test]
fn the_status_of_a_node_alone_is_a_document() {
    let (node, admin) = node(&["--max-memory", "1mb"]);
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["SET", "a", "b"]);
    for key in ["a", "a", "a", "none"] {
        redis.ask(&["GET", key]);
    }
    let status = json(admin, "/api/status");
    assert_eq!(status["role"], "alone");
    assert_eq!(
        (&status["ready"], &status["state"]),
        (&true.into(), &"serving".into())
    );
    assert_eq!(status["hit_ratio"], 0.75);
    assert_eq!(status["entries"], 1);
    assert_eq!(status["memory_limit_bytes"], 1 << 20);
    assert!(status["memory_used_bytes"].as_u64().expect("told") > 0);
    assert_eq!(status["cluster"], Value::Null);
    assert_eq!(status["clients"]["connected"], 1);
    eventually("what is recent becomes old", || {
        json(admin, "/api/status")["recent"]["commands_per_second"] == 0.0
    });
    assert_eq!(
        json(admin, "/api/where?key=a")["nodes"],
        serde_json::json!([])
    );
    let answer = get(admin, "/api/where?kez=a");
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("/api/where?key=KEY"),
        "{}",
        answer.body
    );
}

#[test]
fn a_node_alone_is_a_cluster_of_one() {
    let (node, admin) = node(&["--max-memory", "1mb"]);
    let mut redis = Redis::connect(node.port).expect("it runs");
    redis.ask(&["SET", "a", "b"]);
    redis.ask(&["GET", "a"]);
    let overview = json(admin, "/api/cluster");
    assert_eq!(
        (&overview["role"], &overview["gateway"]),
        (&"alone".into(), &Value::Null)
    );
    assert_eq!(overview["nodes"].as_array().map(Vec::len), Some(1));
    assert_eq!(overview["nodes"][0]["told"]["hits"], 1);
    assert_eq!(overview["total"]["keys"], 1);
    assert_eq!(overview["total"]["memory_limit_bytes"], 1 << 20);
    assert_eq!(json(admin, "/api/events")["events"], serde_json::json!([]));
    assert_eq!(
        json(admin, "/api/ring")["nodes"],
        serde_json::json!(["this node"])
    );
}

#[test]
fn the_page_comes_in_files_and_may_load_nothing_else() {
    let (_node, admin) = node(&[]);
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "<title>MemVault</title>"),
        ("/page.css", "text/css; charset=utf-8", "color-scheme"),
        (
            "/page.js",
            "text/javascript; charset=utf-8",
            "\"use strict\";",
        ),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = get(admin, path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(text), "{path}");
        for header in [
            &format!("Content-Type: {kind}\r\n"),
            "Content-Security-Policy: default-src 'none'; script-src 'self';",
            "X-Content-Type-Options: nosniff",
        ] {
            assert!(answer.head.contains(header), "{path}: {}", answer.head);
        }
    }
}
