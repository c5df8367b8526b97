//! Nodes that speak plain Redis, in memory: the store's own connection plays redis-server.

mod world;

use memvault::command::{Condition, Edit, ExpireCondition, Update};
use memvault::replication::{
    Answer, ConfigError, DownReason, Event, Failure, Level, Levels, Node, Now, Request, Role,
};
use memvault::store;
use memvault::time::Timestamp;
use world::{DONE, EPOCH_MS, MISS, World, bytes, config, empty, set, set_if, value};

#[test]
fn a_clock_that_jumps_locks_nobody_out_of_servers_that_tell_no_time() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    world.jump_ms = 3_600_000;
    assert_eq!(world.get("k"), value("1"));
    assert_eq!(world.set("k", "2"), DONE);
}

#[test]
fn a_write_reaches_every_replica_and_no_other_server() {
    let mut world = World::new(5);
    for number in 0..50 {
        let key = format!("key-{number}");
        assert_eq!(world.set(&key, "x"), DONE);
        world.run(1);
        let mut replicas = world.replicas(&key);
        replicas.sort_unstable();
        let held = world.held(&key);
        let holders: Vec<_> = (0..5).filter(|n| held[*n].is_some()).collect();
        assert_eq!(holders, replicas, "{key}");
        assert_eq!(world.get(&key), value("x"));
    }
    assert_eq!(
        world.ask(Request::Delete(vec![bytes("key-7")])),
        Ok(Answer::Count(1))
    );
    world.run(1);
    assert_eq!(world.held("key-7"), vec![None; 5]);
    assert_eq!(world.ask(Request::Flush), DONE);
    world.run(1);
    assert_eq!(world.held("key-8"), vec![None; 5]);
}

#[test]
fn expiries_and_conditions_are_the_servers_own_and_all_replicas_follow_the_first() {
    let mut world = World::new(3);
    let taken = || Ok(Answer::NotDone);
    assert_eq!(
        world.ask(set_if("k", "0", Condition::IfPresent, false)),
        taken()
    );
    assert_eq!(
        world.ask(set_if("k", "1", Condition::IfAbsent, false)),
        DONE
    );
    assert_eq!(
        world.ask(set_if("k", "2", Condition::IfAbsent, false)),
        taken()
    );
    world.run(1);
    assert_eq!(world.held("k"), vec![Some("1".to_owned()); 3]);
    assert_eq!(
        world.ask(set_if("k", "3", Condition::Always, true)),
        value("1")
    );
    let in_an_hour = Timestamp::from_millis(EPOCH_MS + 3_600_000);
    let expire = |at, condition| Request::Update {
        key: bytes("k"),
        update: Update::Expire { at, condition },
    };
    let at = Some(in_an_hour);
    assert_eq!(
        world.ask(expire(at, ExpireCondition::IfSome)),
        Ok(Answer::Count(0))
    );
    assert_eq!(
        world.ask(expire(at, ExpireCondition::IfNone)),
        Ok(Answer::Count(1))
    );
    world.run(1);
    let leader = world.replicas("k")[0];
    world.kill(leader);
    world.run(1);
    assert_eq!(
        world.ask(Request::Expiry(bytes("k"))),
        Ok(Answer::Expiry(Some(at)))
    );
    assert_eq!(
        world.ask(expire(None, ExpireCondition::Always)),
        Ok(Answer::Count(1))
    );
    assert_eq!(
        world.ask(Request::Expiry(bytes("k"))),
        Ok(Answer::Expiry(Some(None)))
    );
    assert_eq!(
        world.ask(Request::Exists(vec![bytes("k"), bytes("no")])),
        Ok(Answer::Count(1))
    );
}

#[test]
fn numbers_are_added_up_by_the_leader_and_copied_to_the_others() {
    let mut world = World::new(3);
    let update = |update| Request::Update {
        key: bytes("n"),
        update,
    };
    let max_len = 1 << 20;
    let edit = |edit| update(Update::Edit { edit, max_len });
    assert_eq!(world.ask(edit(Edit::Add(40))), Ok(Answer::Count(40)));
    assert_eq!(world.ask(edit(Edit::Add(-2))), Ok(Answer::Count(38)));
    world.run(1);
    assert_eq!(world.held("n"), vec![Some("38".to_owned()); 3]);
    assert_eq!(
        world.ask(edit(Edit::Append(bytes("!")))),
        Ok(Answer::Count(3))
    );
    let refused = world.ask(edit(Edit::Add(1))).expect_err("it is no number");
    assert!(
        refused
            .to_string()
            .starts_with("ERR value is not an integer"),
        "{refused}"
    );
    let overwrite = Edit::Overwrite {
        offset: 1,
        bytes: bytes("9"),
    };
    assert_eq!(world.ask(edit(overwrite)), Ok(Answer::Count(3)));
    world.run(1);
    assert_eq!(world.held("n"), vec![Some("39!".to_owned()); 3]);
    let at = Some(Timestamp::from_millis(EPOCH_MS + 3_600_000));
    let expire = update(Update::GetExpire { at });
    assert_eq!(world.ask(expire), value("39!"));
    assert_eq!(world.ask(update(Update::GetDelete)), value("39!"));
    world.run(1);
    assert_eq!(world.held("n"), vec![None; 3]);
}

#[test]
fn a_dead_server_costs_no_request_and_is_used_again_when_it_is_back() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.kill(leader);
    let (outcome, took) = world.timed(Request::Get(bytes("k")), Levels::default());
    assert_eq!(outcome, value("1"));
    assert!(took <= 2, "{took} ms");
    assert_eq!(world.set("k", "2"), DONE);
    let node = format!("redis-{leader}");
    let reason = DownReason::Disconnected;
    assert!(world.events.contains(&Event::Down {
        node: node.clone(),
        reason
    }));
    world.start(leader, empty());
    world.run(2000);
    assert!(world.events.contains(&Event::Rejoined { node }));
    // The weaker promise: what the empty server lacks is a miss until it is written again.
    assert_eq!(world.get("k"), MISS);
    assert_eq!(world.set("k", "3"), DONE);
    assert_eq!(world.get("k"), value("3"));
}

#[test]
fn a_silent_server_costs_one_time_limit_and_is_ejected_after_400_ms() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.server(leader).is_paused = true;
    let (outcome, took) = world.timed(Request::Get(bytes("k")), Levels::default());
    assert_eq!(outcome, value("1"));
    assert!((30..40).contains(&took), "{took} ms");
    world.run(400);
    let ejected = Event::Ejected {
        node: format!("redis-{leader}"),
    };
    assert!(world.events.contains(&ejected));
    let (outcome, took) = world.timed(set("k", "2"), Levels::default());
    assert_eq!(outcome, DONE);
    assert!(took <= 2, "nobody waits for it again: {took} ms");
    world.server(leader).is_paused = false;
    world.run(200);
    assert_eq!(world.get("k"), value("2"), "it was told as well");
}

#[test]
fn a_write_waits_for_a_silent_leader_once_and_takes_the_word_of_the_next() {
    let mut world = World::new(3);
    let leader = world.replicas("k")[0];
    world.server(leader).is_paused = true;
    let (outcome, took) = world.timed(Request::Delete(vec![bytes("k")]), Levels::default());
    assert_eq!(outcome, Ok(Answer::Count(0)));
    assert!((100..110).contains(&took), "{took} ms");
}

#[test]
fn levels_that_rest_on_versions_are_refused() {
    let mut world = World::new(3);
    for level in [Level::Quorum, Level::All] {
        let levels = Levels {
            write: Level::One,
            read: level,
        };
        let (outcome, _) = world.timed(Request::Get(bytes("k")), levels);
        let failure = outcome.expect_err("there are no versions");
        assert_eq!(failure, Failure::NoVersions { level });
        let text = failure.to_string();
        assert!(
            text.contains("plain Redis servers (plain-redis) keep none"),
            "{text}"
        );
        let mut config = config(3);
        config.write_level = level;
        let error = Node::new(config, 1, 1, store::Config::default(), Now::default()).err();
        assert_eq!(error, Some(ConfigError::PlainLevel(level)));
    }
    let levels = Levels {
        write: Level::One,
        read: Level::One,
    };
    assert_eq!(world.timed(set("k", "1"), levels).0, DONE);
    let mut config = config(3);
    config.role = Role::Member("redis-0".into());
    let error = Node::new(config, 1, 1, store::Config::default(), Now::default()).err();
    assert_eq!(error, Some(ConfigError::PlainMember("redis-0".into())));
}

#[test]
fn the_error_of_a_server_is_handed_on_and_a_loading_one_is_passed_over() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    world.server(leader).says = Some("-OOM command not allowed\r\n");
    let failure = world.set("k", "2").expect_err("it is full");
    assert_eq!(failure.code(), "OOM");
    let text = format!("OOM command not allowed (said by redis-{leader})");
    assert_eq!(failure.to_string(), text);
    world.server(leader).says = Some("-LOADING Redis is loading the dataset in memory\r\n");
    assert_eq!(world.get("k"), value("2"), "the next one knows");
}

#[test]
fn nonsense_ejects_a_server_with_the_reason_and_harms_no_request() {
    let mut world = World::new(3);
    assert_eq!(world.set("k", "1"), DONE);
    let leader = world.replicas("k")[0];
    for (nonsense, part) in [
        (":5\r\n", "it answered GET with a reply of the wrong kind"),
        ("?\r\n", "unknown type of reply"),
        ("$1\r\nx\r\n+OK\r\n", "a reply although nothing was asked"),
    ] {
        world.events.clear();
        world.run(3000);
        world.server(leader).says = Some(nonsense);
        let answer = world.get("k");
        assert!(answer == value("1") || answer == value("x"), "{answer:?}");
        world.run(5);
        let told = world.events.iter().any(|event| {
            matches!(event, Event::Rejected { node, reason }
                if *node == format!("redis-{leader}") && reason.contains(part))
        });
        assert!(told, "{part}: {:?}", world.events);
        world.server(leader).says = None;
    }
}

/// Under any schedule of crashes, pauses and requests: a value that is read was written, with all servers
/// up and quiet the last write is read, and a request never fails while a replica lives.
fn run(seed: u64) {
    let mut rng = memvault::rng::Rng::new(seed);
    let mut world = World::new(4);
    let mut written: Vec<Vec<String>> = vec![vec![]; 5];
    let mut down: Option<usize> = None;
    for number in 0..60 {
        let key = rng.below(5) as usize;
        let name = format!("key-{key}");
        match rng.below(10) {
            0 if down.is_none() => {
                let server = rng.below(4) as usize;
                down = Some(server);
                if rng.one_in_thousand(500) {
                    world.kill(server);
                } else {
                    world.server(server).is_paused = true;
                }
            }
            1 => {
                if let Some(server) = down.take() {
                    match &mut world.servers[server] {
                        Some(paused) => paused.is_paused = false,
                        None => world.start(server, empty()),
                    }
                    world.run(6000);
                }
            }
            2..=5 => {
                let text = format!("{seed}-{number}");
                written[key].push(text.clone());
                assert_eq!(world.set(&name, &text), DONE, "seed {seed}, {number}");
            }
            _ => {
                let found = world.get(&name).unwrap_or_else(|error| {
                    panic!("seed {seed}, request {number}: {error}");
                });
                if let Answer::Value(Some(found)) = found {
                    let known = written[key].iter().any(|text| text.as_bytes() == &*found);
                    assert!(known, "seed {seed}: {found:?} was never written");
                }
            }
        }
        world.run(rng.below(20));
    }
    if let Some(server) = down
        && let Some(paused) = &mut world.servers[server]
    {
        paused.is_paused = false;
    }
    world.run(6000);
    for key in 0..5 {
        let name = format!("key-{key}");
        assert_eq!(world.set(&name, "last"), DONE, "seed {seed}");
        assert_eq!(world.get(&name), value("last"), "seed {seed}");
    }
}

#[test]
fn any_schedule_reads_only_what_was_written() {
    (0..40).for_each(run);
}
