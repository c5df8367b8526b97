//! Peers that talk nonsense or go by other rules, nodes that are not there, descriptions with mistakes.

use super::*;

#[test]
fn garbage_closes_the_link_and_harms_nothing_else() {
    let liar = listener();
    let id = address(&liar);
    impostor(liar, |mut stream| {
        let mut heard = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..read]);
            if heard.windows(9).any(|window| window == b"NODE.READ") {
                let _ = stream.write_all(b"*2\r\n$10\r\nNODE.WROTE\r\n$3\r\nabc\r\n");
            }
        }
    });
    let dead = dead_address();
    let builder = Client::builder().cluster([&id, &dead]).replicas(2);
    let client = block_on(builder.ready_timeout(PATIENCE).connect());
    let client = client.expect("it greeted well");
    let mut events = client.events();
    let error = block_on(client.get("a")).expect_err("nobody tells the truth");
    assert!(error.is_temporary(), "{error:?}");
    expect_event(
        &mut events,
        "down",
        |e| matches!(e, Event::Down { node, .. } if *node == id),
    );
    eventually("the reason is told", || {
        let reports = block_on(client.node_statistics()).expect("statistics");
        let reason = reports.iter().find(|node| node.id == id);
        let reason = reason.and_then(|node| node.last_failure.clone());
        reason.is_some_and(|reason| reason.contains("no valid message"))
    });
}

#[test]
fn garbage_from_a_caller_closes_its_link_only() {
    let cluster = Cluster::start(2, 2);
    let client = cluster.client();
    fill(&client, 20);
    for garbage in [
        &b"*1\r\n$4\r\nPING\r\n"[..],
        b"*3\r\n$10\r\nNODE.HELLO\r\n$1\r\nx\r\n$1\r\ny\r\n",
        b"*x\r\n",
        b"$\xff\xff\r\n",
        b"*2\r\n$9\r\nNODE.READ\r\n$8\r\n\0\0\0\0\0\0\0\x01\r\n",
        b"*2\r\n$10\r\nNODE.PIECE\r\n$1\r\nx\r\n",
        b"*3\r\n$10\r\nNODE.PIECE\r\n$16\r\n\0\0\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff\r\n$1\r\nx\r\n",
        b"*3\r\n$10\r\nNODE.PIECE\r\n$16\r\n\0\0\0\0\0\0\0\x01\0\0\0\0\0\x01\0\0\r\n$0\r\n\r\n",
        b"*3\r\n$9\r\nNODE.READ\r\n$65536\r\n",
    ] {
        let mut caller = TcpStream::connect(&cluster.addresses[0]).expect("a connection");
        caller.write_all(garbage).expect("it is open");
        caller
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit");
        let ended = caller.read_to_end(&mut Vec::new());
        assert!(
            !matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock),
            "still open after {garbage:?}"
        );
    }
    check(&client, 20);
}

#[test]
fn a_node_that_does_not_read_loses_its_link_when_the_limit_is_reached() {
    let lazy = listener();
    let id = address(&lazy);
    impostor(lazy, |stream| {
        thread::sleep(PATIENCE);
        drop(stream);
    });
    let builder = Client::builder().cluster([&id]).replicas(1);
    let builder = builder.max_link_buffer(1 << 20).ready_timeout(PATIENCE);
    let client = block_on(builder.connect()).expect("it greeted well");
    // More than the socket's own buffers take.
    let big = vec![7; 4 << 20];
    eventually("the link is given up", || {
        let begun = future::poll_once(Box::pin(client.set("a", &big)));
        let _ = block_on(begun);
        let reports = block_on(client.node_statistics()).expect("statistics");
        reports.iter().any(|node| {
            let reason = node.last_failure.as_ref();
            reason.is_some_and(|reason| reason.contains("--max-link-buffer"))
        })
    });
}

#[test]
fn other_replicas_or_another_ring_are_refused_with_the_reason() {
    let cluster = Cluster::start(2, 2);
    let _up = cluster.client();
    let connect = |builder: memvault_net::client::Builder| {
        let result = block_on(builder.ready_timeout(Duration::ZERO).connect());
        result.expect_err("it must be refused").to_string()
    };
    let text = connect(cluster.builder().replicas(1));
    assert!(text.contains("keeps 2 replicas"), "{text}");
    assert!(
        text.contains("(replicas must be the same everywhere)"),
        "{text}"
    );
    let mut more = cluster.addresses.clone();
    more.push(dead_address());
    let text = connect(cluster.builder().cluster(more));
    assert_eq!(
        text.matches("members must be the same everywhere").count(),
        2,
        "{text}"
    );
    assert_eq!(text.matches("cannot connect").count(), 1, "{text}");
}

#[test]
fn unreachable_nodes_are_listed_with_what_is_wrong_with_each() {
    let (dead, silent) = (dead_address(), listener());
    let builder = Client::builder()
        .cluster([&dead, "no-such-host.invalid:1", &address(&silent)])
        .ready_timeout(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(20));
    let error = block_on(builder.connect()).expect_err("nobody serves");
    let text = error.to_string();
    let line = |address: &str| {
        let found = text.lines().find(|line| line.contains(address));
        found.unwrap_or_else(|| panic!("{address} is missing: {text}"))
    };
    assert!(line(&dead).contains("cannot connect"), "{text}");
    assert!(
        line("no-such-host.invalid").contains("cannot resolve"),
        "{text}"
    );
    assert!(line(&address(&silent)).contains("answer"), "{text}");
}

#[test]
fn a_connection_that_does_not_come_about_costs_its_time_limit() {
    let full = listener();
    rustix::net::listen(&full, 0).expect("it is bound");
    // Nobody accepts: once the queue is full, the system answers no further attempts.
    let target = full.local_addr().expect("it is bound");
    let brief = Duration::from_millis(200);
    let queued: Vec<_> = (0..4)
        .map(|_| TcpStream::connect_timeout(&target, brief))
        .collect();
    assert!(queued.iter().any(Result::is_err), "the queue is full");
    let builder = Client::builder().cluster([address(&full)]);
    let builder = builder.connect_timeout(brief).ready_timeout(Duration::ZERO);
    let text = block_on(builder.connect())
        .expect_err("it hangs")
        .to_string();
    assert!(text.contains("no connection within 200 ms"), "{text}");
}

#[test]
fn mistakes_in_the_description_are_named() {
    let connect = |nodes: &[&str], replicas: usize| {
        let builder = Client::builder().cluster(nodes.iter().copied());
        let result = block_on(builder.replicas(replicas).connect());
        result.expect_err("it is wrong").to_string()
    };
    assert!(connect(&[], 3).contains("the member list is empty"));
    assert!(connect(&["a:1", "a:1"], 3).contains("names a:1 twice"));
    assert!(connect(&["a"], 3).contains("expected host:port"));
    assert!(connect(&["a:1"], 9).contains("expected 1 to 8"));
}
