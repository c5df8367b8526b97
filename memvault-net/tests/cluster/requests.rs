//! What a client can ask for, and what it counts.

use super::*;

#[test]
fn commands_do_what_their_names_say() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    block_on(async {
        assert_eq!(client.get("a").await?, None);
        client.set("a", "1").await?;
        assert_eq!(client.get("a").await?.as_deref(), Some(&b"1"[..]));
        assert!(client.exists("a").await?);
        assert_eq!(client.ttl("a").await?, Ttl::Never);
        client
            .set_with_ttl("b", vec![0, 255], Duration::from_secs(600))
            .await?;
        let Ttl::After(left) = client.ttl("b").await? else {
            panic!("it expires");
        };
        assert!(left <= Duration::from_secs(600) && left > Duration::from_secs(500));
        client.mset([("c", "3"), ("d", "4")]).await?;
        let values = client.mget(["d", "nothing", "c"]).await?;
        let values: Vec<_> = values.iter().map(|value| value.as_deref()).collect();
        assert_eq!(values, [Some(&b"4"[..]), None, Some(&b"3"[..])]);
        // A delete that had to be repeated finds its own work: on a busy machine, try again.
        while !client.del("a").await? {
            assert!(!client.exists("a").await?);
            client.set("a", "1").await?;
        }
        assert!(!client.del("a").await?);
        assert!(!client.exists("a").await?);
        assert_eq!(client.ttl("a").await?, Ttl::Miss);
        assert_eq!(client.mget([""; 0]).await?, []);
        client
            .set_with_ttl("e", "5", Duration::from_nanos(1))
            .await?;
        Ok::<_, Error>(())
    })
    .expect("every command");
    eventually("the shortest TTL passes", || {
        block_on(client.get("e")).expect("a read").is_none()
    });
}

#[test]
fn a_client_may_give_its_requests_less_time_than_others() {
    let cluster = Cluster::start(3, 3);
    for millis in [100, 300, 500, 1000] {
        let builder = cluster.builder();
        let client = builder
            .request_timeout(Duration::from_millis(millis))
            .connect();
        let client = block_on(client).expect("it is taken");
        eventually("a request is answered in that time", || {
            block_on(client.set("key", millis.to_string())).is_ok()
        });
        eventually("and another", || {
            let value = block_on(client.get("key"));
            value.is_ok_and(|value| value.as_deref() == Some(millis.to_string().as_bytes()))
        });
    }
}

#[test]
fn values_can_be_json() {
    let cluster = Cluster::start(1, 1);
    let client = cluster.client();
    let ages: BTreeMap<String, u32> = [("ada".into(), 36), ("alan".into(), 41)].into();
    block_on(async {
        client.set_json("ages", &ages).await?;
        assert_eq!(client.get_json("ages").await?, Some(ages));
        assert_eq!(client.get_json::<u8>("nothing").await?, None);
        client.set("text", "{").await?;
        let error = client.get_json::<u8>("text").await.expect_err("no JSON");
        assert!(
            error.to_string().starts_with("JSON of key \"text\": "),
            "{error}"
        );
        assert!(std::error::Error::source(&error).is_some());
        Ok::<_, Error>(())
    })
    .expect("JSON in and out");
}

#[test]
fn levels_are_chosen_per_handle() {
    let mut cluster = Cluster::start(3, 3);
    let client = cluster.client();
    all_serve(&client, &cluster);
    let strict = client.with_levels(Levels {
        write: Level::All,
        read: Level::All,
    });
    block_on(strict.set("a", "1")).expect("all are there");
    cluster.kill(0);
    eventually("the loss is noticed", || {
        !serves(&client, &cluster.addresses[0])
    });
    let error = block_on(strict.set("a", "2")).expect_err("one is missing");
    assert!(
        matches!(error, Error::Failed(Failure::NoQuorum { need: 3, .. })),
        "{error:?}"
    );
    block_on(client.set("a", "3")).expect("AUTO goes on");
    block_on(client.with_levels(QUORUM).set("a", "4")).expect("two are a quorum");
}

#[test]
fn dropped_futures_never_mix_up_replies() {
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    fill(&client, 100);
    let threads: Vec<_> = (0..4_usize)
        .map(|seed| {
            let client = client.clone();
            thread::spawn(move || {
                for round in 0..200 {
                    let wanted = (round * 7 + seed) % 100;
                    let abandoned = client.get(key((wanted + 1) % 100));
                    let kept = client.get(key(wanted));
                    block_on(async {
                        // Begun, and dropped before the answer is there.
                        assert!(
                            future::poll_once(Box::pin(abandoned))
                                .await
                                .is_none_or(|r| r.is_ok())
                        );
                        let found = kept.await.expect("a read");
                        assert_eq!(found.as_deref(), Some(value(wanted).as_bytes()));
                    });
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no mix-up"));
}

#[test]
fn requests_beyond_the_limit_wait_for_their_turn() {
    let cluster = Cluster::start(1, 1);
    let client = block_on(cluster.builder().max_requests(2).connect()).expect("it comes up");
    let begun = || block_on(client.statistics()).expect("statistics").requests;
    let before = begun();
    let thaw = cluster.freeze(0);
    let executor = async_executor::LocalExecutor::new();
    let requests = (0..100).map(|number| client.set(key(number), value(number)));
    let tasks: Vec<_> = requests.map(|request| executor.spawn(request)).collect();
    while executor.try_tick() {}
    assert_eq!(begun() - before, 2);
    drop(thaw);
    block_on(executor.run(async {
        for task in tasks {
            task.await.expect("it is served in the end");
        }
    }));
    check(&client, 100);
}

#[test]
fn a_request_with_many_keys_counts_as_one() {
    let cluster = Cluster::start(1, 1);
    let client = block_on(cluster.builder().max_requests(2).connect()).expect("it comes up");
    let keys = |from: usize| (from..from + 500).map(key);
    let write = |from| client.mset(keys(from).map(|key| (key.clone(), key)));
    let (one, other) = block_on(future::zip(write(0), write(500)));
    one.and(other).expect("both have their turn");
    let found = block_on(client.mget(keys(250))).expect("a read");
    for (key, value) in keys(250).zip(found) {
        assert_eq!(value.as_deref(), Some(key.as_bytes()));
    }
}

#[test]
fn too_long_keys_and_values_are_refused_before_they_are_sent() {
    let cluster = Cluster::start(1, 1);
    let builder = cluster.builder().max_key_len(4).max_value_len(8);
    let client = block_on(builder.connect()).expect("it comes up");
    let error = block_on(client.get("12345")).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "the key has 5 bytes; the longest allowed is 4"
    );
    let error = block_on(client.set("1", "123456789")).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "the value has 9 bytes; the longest allowed is 8"
    );
    block_on(client.set("1", "12345678")).expect("at the limit");
}

#[test]
fn the_client_counts_what_it_does_and_its_streams_end_with_it() {
    fn is_shared<T: Clone + Send + Sync>(_: &T) {}
    fn is_sent<T: Send>(value: T) -> T {
        value
    }
    let cluster = Cluster::start(3, 3);
    let client = cluster.client();
    is_shared(&client);
    fill(&client, 30);
    block_on(is_sent(client.get("nothing"))).expect("a read");
    let total = block_on(client.statistics()).expect("statistics");
    assert_eq!(
        (total.requests, total.failed_requests, total.misses),
        (31, 0, 1)
    );
    let nodes = block_on(client.node_statistics()).expect("statistics");
    assert_eq!(nodes.len(), 3);
    assert!(nodes.iter().map(|node| node.requests).sum::<u64>() >= 31);
    assert!(nodes.iter().any(|node| node.latency.count() > 0));
    assert!(nodes.iter().all(|node| node.address == node.id));
    let mut events = client.events();
    drop(client);
    assert_eq!(block_on(events.find(|_| false)), None);
}
