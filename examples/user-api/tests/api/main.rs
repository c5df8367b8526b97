//! The real server over HTTP, with real nodes behind it.

mod bad_input;
mod http;
mod processes;
mod workload;

use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use http::{get, request};
use processes::{Api, Nodes, eventually};
use workload::Workload;

const ADA: &str = r#"{"name": "Ada", "email": "ada@example.com"}"#;

/// How long clients ask in the longer tests.
fn seconds() -> Duration {
    let seconds = std::env::var("API_SECONDS").ok();
    let seconds = seconds.map_or(6, |text| text.parse().expect("API_SECONDS is a number"));
    Duration::from_secs(seconds)
}

#[test]
fn users_are_found_made_changed_and_deleted() {
    let nodes = Nodes::start(3);
    let api = Api::start(
        "story",
        &nodes.addresses(),
        &["--users", "10", "--slow-ms", "0"],
    );
    api.wait_for_cache();
    let first = get(api.address, "/user/7");
    assert_eq!((first.status, first.cache()), (200, "miss"));
    assert_eq!(first.body["source"], "database");
    assert_eq!(first.body["data"]["name"], "User 7");
    assert_eq!(first.body["data"]["email"], "user7@example.com");
    let second = get(api.address, "/user/7");
    assert_eq!((second.status, second.cache()), (200, "hit"));
    assert_eq!(second.body["source"], "cache");
    assert_eq!(second.body["data"], first.body["data"]);

    let changed = request(api.address, "PUT", "/user/7", ADA);
    assert_eq!((changed.status, changed.cache()), (200, "updated"));
    let found = get(api.address, "/user/7");
    assert_eq!(
        (found.cache(), &found.body["data"]["name"]),
        ("hit", &"Ada".into())
    );

    let made = request(api.address, "POST", "/user", ADA);
    assert_eq!(
        (made.status, made.header("location")),
        (201, Some("/user/11"))
    );
    assert_eq!(made.body["data"]["id"], 11);

    let deleted = request(api.address, "DELETE", "/user/7", "");
    assert_eq!((deleted.status, deleted.cache()), (200, "deleted"));
    for (method, body) in [("GET", ""), ("PUT", ADA), ("DELETE", "")] {
        let gone = request(api.address, method, "/user/7", body);
        assert_eq!((gone.status, gone.message()), (404, "there is no user 7"));
    }
}

#[test]
fn a_hundred_simultaneous_questions_for_one_user_make_one_database_read() {
    let nodes = Nodes::start(3);
    let flags = ["--users", "10", "--slow-ms", "300"];
    let api = Api::start("stampede", &nodes.addresses(), &flags);
    api.wait_for_cache();
    let reads = api.statistic("database_reads");
    let start = Barrier::new(100);
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                start.wait();
                let answer = get(api.address, "/user/2");
                assert_eq!(answer.body["data"]["name"], "User 2", "{answer:?}");
            });
        }
    });
    assert_eq!(api.statistic("database_reads") - reads, 1);
}

#[test]
fn many_who_change_and_read_the_same_users_never_see_or_leave_an_old_one() {
    let nodes = Nodes::start(3);
    // Loads take long enough for changes to overtake them. The default level of the cache: nothing fails here.
    let flags = ["--users", "4", "--slow-ms", "4", "--level", "auto"];
    let api = Api::start("race", &nodes.addresses(), &flags);
    api.wait_for_cache();
    let workload = Workload::new(api.address, 4);
    workload.run(16, || thread::sleep(seconds()));
    workload.check_at_rest(&api, &nodes);
    assert!(workload.hits.load(Ordering::Relaxed) > 0);
}

#[test]
fn nothing_fails_and_nothing_is_stale_while_nodes_are_killed_and_restarted() {
    let mut nodes = Nodes::start(5);
    let flags = ["--users", "40", "--slow-ms", "2"];
    let api = Api::start("kills", &nodes.addresses(), &flags);
    api.wait_for_cache();
    let workload = Workload::new(api.address, 40);
    let (mut kills, end) = (0, Instant::now() + seconds());
    workload.run(12, || {
        while Instant::now() < end || kills < 2 {
            nodes.kill(kills % 5);
            thread::sleep(Duration::from_millis(200));
            nodes.restart(kills % 5);
            nodes.wait_until_serving();
            kills += 1;
        }
    });
    workload.check_at_rest(&api, &nodes);
    let [answers, hits] = [&workload.answers, &workload.hits].map(|of| of.load(Ordering::Relaxed));
    println!("{answers} answers, {hits} from the cache, {kills} kills");
    assert!(hits > 0);
}

#[test]
fn without_the_cache_all_is_served_from_the_database_and_nothing_old_comes_back_with_it() {
    let mut nodes = Nodes::start(3);
    let flags = ["--users", "10", "--slow-ms", "0"];
    let api = Api::start("down", &nodes.addresses(), &flags);
    api.wait_for_cache();
    (0..3).for_each(|node| nodes.kill(node));
    let found = get(api.address, "/user/1");
    assert_eq!((found.status, found.cache()), (200, "down"), "{found:?}");
    assert_eq!(found.body["source"], "database");
    let changed = request(api.address, "PUT", "/user/1", ADA);
    assert_eq!((changed.status, changed.cache()), (200, "pending"));
    let found = get(api.address, "/user/1");
    assert_eq!((found.status, found.cache()), (200, "bypass"));
    assert_eq!(found.body["data"]["name"], "Ada");
    assert_eq!(api.statistic("pending"), 1);
    (0..3).for_each(|node| nodes.restart(node));
    eventually("the cache is told", || api.statistic("pending") == 0);
    eventually("the cache is used", || {
        let found = get(api.address, "/user/1");
        assert_eq!(found.body["data"]["name"], "Ada");
        found.cache() == "hit"
    });
}

#[test]
fn it_serves_before_there_is_a_cache() {
    let api = Api::start(
        "alone",
        &["127.0.0.1:1".to_owned()],
        &["--users", "10", "--slow-ms", "0"],
    );
    let found = get(api.address, "/user/3");
    assert_eq!((found.status, found.cache()), (200, "down"));
    let deleted = request(api.address, "DELETE", "/user/3", "");
    assert_eq!((deleted.status, deleted.cache()), (200, "pending"));
    assert_eq!(get(api.address, "/user/3").status, 404);
}
