//! Two processes started with one node id, as happens when a configuration is copied.

use crate::process::free_ports;
use crate::redis::{Redis, bulk, ok};
use crate::support::{Running, eventually};

#[test]
fn the_second_process_with_an_id_ends_and_says_what_to_do_and_the_first_goes_on() {
    let ports = free_ports(4);
    let named = ["a", "b", "c"].into_iter().zip(&ports);
    let list: Vec<_> = named
        .map(|(id, port)| format!("{id}=127.0.0.1:{port}"))
        .collect();
    let list = list.join(",");
    let start = |id: &str, port: u16| {
        let port = port.to_string();
        Running::start(&[
            "serve",
            "--cluster",
            &list,
            "--node-id",
            id,
            "--port",
            &port,
        ])
    };
    let named = ["a", "b", "c"].into_iter().zip(&ports);
    let mut members: Vec<_> = named.map(|(id, port)| start(id, *port)).collect();
    for port in &ports[..3] {
        eventually("the members serve", || {
            let redis = Redis::connect(*port);
            redis.is_ok_and(|mut redis| redis.info("node_state").as_deref() == Some("serving"))
        });
    }
    let mut redis = Redis::connect(ports[0]).expect("it runs");
    for key in 0..200 {
        assert_eq!(redis.ask(&["SET", &format!("key:{key}"), "before"]), ok());
    }

    let mut second = start("a", ports[3]);
    second.wait_for("another process with the id a is alive in this cluster");
    assert_eq!(second.wait(), Some(1), "{:#?}", second.seen);
    let said = second.seen.join("\n");
    assert!(said.contains("stop one of the two"), "{said}");
    assert!(!said.contains("state node=a state=serving"), "{said}");
    members[1].wait_for("same-id node=a must_end=false");
    members[0].wait_for("same-id node=a must_end=false");

    // Nobody took the second one for a replica, and the first has lost nothing.
    for port in &ports[..3] {
        let mut redis = Redis::connect(*port).expect("it runs");
        for key in 0..200 {
            let key = format!("key:{key}");
            assert_eq!(redis.ask(&["GET", &key]), bulk("before"));
        }
    }
}
