//! What real servers count of commands and errors, and what else `INFO` tells.

use std::collections::BTreeMap;

use memvault::resp::Reply;

use crate::cluster::Cluster;
use crate::process::{Process, free_ports};
use crate::redis::{Redis, ok};

/// The fields of some sections of `INFO`.
fn info(redis: &mut Redis, sections: &str) -> BTreeMap<String, String> {
    let reply = redis.ask(&["INFO", sections]);
    let text = String::from_utf8_lossy(reply.as_bytes().expect("a text")).into_owned();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A number within a field, such as `calls` of `cmdstat_get`.
fn part(fields: &BTreeMap<String, String>, field: &str, name: &str) -> Option<f64> {
    let mut parts = fields.get(field)?.split(',');
    parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn serve(threads: &str) -> (Process, Redis) {
    let server = Process::start(&["serve", "--threads", threads], free_ports(1)[0]);
    let redis = Redis::connect(server.port).expect("it runs");
    (server, redis)
}

#[test]
fn all_threads_of_a_node_count_together() {
    for threads in ["1", "3"] {
        let (server, mut redis) = serve(threads);
        // Every thread has clients, and keys of its own.
        for client in 0..6 {
            let mut redis = Redis::connect(server.port).expect("it runs");
            let command = |key| vec!["SET".to_owned(), format!("k{client}:{key}"), "x".to_owned()];
            let commands: Vec<_> = (0..100).map(command).collect();
            redis.pipeline(&commands).expect("replies");
            redis.ask(&["INCR", &format!("k{client}:1")]);
            redis.ask(&["GET"]);
            redis.ask(&["NOSUCH"]);
        }
        let fields = info(&mut redis, "commandstats");
        let of = |command: &str, name: &str| part(&fields, &format!("cmdstat_{command}"), name);
        assert_eq!(of("set", "calls"), Some(600.0), "{fields:?}");
        assert_eq!(
            (of("incr", "calls"), of("incr", "failed_calls")),
            (Some(6.0), Some(6.0))
        );
        assert_eq!(
            (of("get", "calls"), of("get", "rejected_calls")),
            (Some(0.0), Some(6.0))
        );
        // 600 commands take some time, and their mean is told as well.
        let (sum, mean) = (of("set", "usec"), of("set", "usec_per_call"));
        let (sum, mean) = (sum.expect("told"), mean.expect("told"));
        assert!(
            sum > 0.0 && (mean * 600.0 - sum).abs() <= 4.0,
            "{sum} {mean}"
        );
        let fields = info(&mut redis, "errorstats");
        assert_eq!(
            part(&fields, "errorstat_ERR", "count"),
            Some(18.0),
            "{fields:?}"
        );
        let fields = info(&mut redis, "stats");
        assert_eq!(fields["total_error_replies"], "18");
        assert!(
            fields["total_net_input_bytes"]
                .parse::<u64>()
                .expect("a number")
                > 600 * 25
        );
        assert!(
            fields["total_net_output_bytes"]
                .parse::<u64>()
                .expect("a number")
                > 600 * 5
        );

        assert_eq!(redis.ask(&["CONFIG", "RESETSTAT"]), ok());
        redis.ask(&["GET", "a"]);
        let fields = info(&mut redis, "commandstats");
        assert_eq!(
            part(&fields, "cmdstat_get", "calls"),
            Some(1.0),
            "{fields:?}"
        );
        assert_eq!(fields.get("cmdstat_set"), None);
        assert!(!info(&mut redis, "errorstats").contains_key("errorstat_ERR"));
    }
}

#[test]
fn errors_that_come_from_other_nodes_are_counted_for_their_command() {
    let mut cluster = Cluster::start(3);
    let mut redis = Redis::connect(cluster.gateway.port).expect("it runs");
    assert_eq!(redis.ask(&["SET", "a", "text"]), ok());
    assert!(matches!(redis.ask(&["INCR", "a"]), Reply::Error(_)));
    cluster.members[0].kill();
    cluster.members[1].kill();
    redis.ask(&["CONSISTENCY", "ALL", "ALL"]);
    assert!(matches!(redis.ask(&["SET", "a", "b"]), Reply::Error(_)));
    let fields = info(&mut redis, "commandstats");
    assert_eq!(
        part(&fields, "cmdstat_incr", "failed_calls"),
        Some(1.0),
        "{fields:?}"
    );
    assert_eq!(
        part(&fields, "cmdstat_set", "failed_calls"),
        Some(1.0),
        "{fields:?}"
    );
    let fields = info(&mut redis, "errorstats");
    assert_eq!(
        part(&fields, "errorstat_NOQUORUM", "count"),
        Some(1.0),
        "{fields:?}"
    );
}

#[test]
fn info_tells_of_the_process_as_redis_does() {
    let (_server, mut redis) = serve("1");
    let fields = info(&mut redis, "everything");
    for (name, value) in [
        ("redis_mode", "standalone"),
        ("loading", "0"),
        ("aof_enabled", "0"),
        ("cluster_enabled", "0"),
        ("role", "master"),
        ("rejected_connections", "0"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    let number = |name: &str| fields[name].parse::<f64>().expect(name);
    assert!(number("used_memory_rss") > 1e6);
    assert!(number("used_cpu_user") + number("used_cpu_sys") < 60.0);
    let is_hexadecimal = |text: &str| text.chars().all(|letter| letter.is_ascii_hexdigit());
    assert!(fields["run_id"].len() == 40 && is_hexadecimal(&fields["run_id"]));
    assert!(fields["os"].starts_with("Linux "), "{}", fields["os"]);
}

#[test]
fn a_member_that_fetches_its_keys_is_loading() {
    let ports = free_ports(2);
    let list = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    // It waits for the other one, which does not come.
    let member = Process::start(&["serve", "--cluster", &list], ports[0]);
    let mut redis = Redis::connect(member.port).expect("it runs");
    assert_eq!(info(&mut redis, "persistence")["loading"], "1");
}
