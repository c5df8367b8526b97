//! A cache in front of a database: what is loaded is filled in, unless the key was written meanwhile.

use crate::cluster::{Cluster, MISS, at, bytes, get, set, value};
use memvault::command::{Edit, Update};
use memvault::replication::{Answer, Lease, Level, Levels, Outcome, Request};
use memvault::store::Entries;
use memvault::time::Duration;

const QUORUM: Levels = Levels {
    write: Level::Quorum,
    read: Level::Quorum,
};

fn lease(cluster: &mut Cluster, client: usize, key: &str) -> Lease {
    let client = cluster.client(client);
    let answer = cluster.ask(client, Request::Lease(bytes(key)), QUORUM);
    match answer.outcome {
        Ok(Answer::Leased(lease)) => lease,
        other => panic!("there is nothing, so a lease is given: {other:?}"),
    }
}

fn fill(cluster: &mut Cluster, client: usize, key: &str, loaded: &str, lease: Lease) -> Outcome {
    let fill = Request::Fill {
        key: bytes(key),
        value: bytes(loaded),
        expire_at: None,
        lease,
    };
    ask(cluster, client, fill)
}

fn ask(cluster: &mut Cluster, client: usize, request: Request) -> Outcome {
    let client = cluster.client(client);
    cluster.ask(client, request, QUORUM).outcome
}

fn delete(key: &str) -> Request {
    Request::Delete([bytes(key)].into())
}

#[test]
fn what_is_loaded_is_filled_in_and_then_found() {
    let mut cluster = Cluster::serving(5, 2);
    let first = lease(&mut cluster, 0, "row");
    // Longer than promises last.
    cluster.run(Duration::from_secs(10));
    assert_eq!(fill(&mut cluster, 0, "row", "one", first), Ok(Answer::Done));
    assert_eq!(ask(&mut cluster, 1, get("row")), value("one"));
    let found = ask(&mut cluster, 1, Request::Lease(bytes("row")));
    assert_eq!(found, value("one"), "nothing is leased where a value is");
}

#[test]
fn whatever_is_written_after_the_lease_keeps_the_fill_out() {
    let add = Request::Update {
        key: bytes("row"),
        update: Update::Edit {
            edit: Edit::Add(7),
            max_len: 64,
        },
    };
    for (write, then) in [
        (set("row", "newer"), value("newer")),
        (delete("row"), MISS),
        (add, value("7")),
    ] {
        let mut cluster = Cluster::serving(5, 2);
        let lease = lease(&mut cluster, 0, "row");
        ask(&mut cluster, 1, write.clone()).expect("nothing goes wrong");
        let late = fill(&mut cluster, 0, "row", "old", lease);
        assert_eq!(late, Ok(Answer::NotDone), "{write:?}");
        assert_eq!(ask(&mut cluster, 1, get("row")), then, "{write:?}");
    }
}

#[test]
fn a_deletion_that_has_been_forgotten_still_keeps_the_fill_out() {
    let mut cluster = Cluster::start(3, 2, |config| {
        config.tombstone_grace = Duration::from_millis(1);
    });
    cluster.wait_until_serving();
    let lease = lease(&mut cluster, 0, "row");
    ask(&mut cluster, 1, delete("row")).expect("nothing goes wrong");
    cluster.run(Duration::from_secs(1));
    assert_eq!(ask(&mut cluster, 1, get("row")), MISS);
    for member in 0..3 {
        let left = cluster.node(member).entries().map(Entries::len);
        assert_eq!(left, Some(0), "node-{member}");
    }
    assert_eq!(
        fill(&mut cluster, 0, "row", "old", lease),
        Ok(Answer::NotDone)
    );
    assert_eq!(ask(&mut cluster, 1, get("row")), MISS);
}

#[test]
fn one_that_was_restarted_meanwhile_keeps_the_fill_out_as_well() {
    let mut cluster = Cluster::serving(3, 2);
    let lease = lease(&mut cluster, 0, "row");
    ask(&mut cluster, 1, delete("row")).expect("nothing goes wrong");
    for member in 0..3 {
        cluster.kill(member);
        cluster.run(Duration::from_millis(10));
        cluster.restart(member);
        cluster.wait_until_serving();
    }
    assert_eq!(
        fill(&mut cluster, 0, "row", "old", lease),
        Ok(Answer::NotDone)
    );
}

#[test]
fn those_who_load_the_same_do_not_keep_each_other_from_filling_it_in() {
    for order in [[0, 1], [1, 0]] {
        let mut cluster = Cluster::serving(3, 2);
        let leases = [0, 1].map(|client| lease(&mut cluster, client, "row"));
        for client in order {
            let done = fill(&mut cluster, client, "row", "same", leases[client]);
            // The one with the older lease may find the key filled in by the other.
            let overtaken = client == 0 && order == [1, 0];
            let expected = if overtaken {
                Answer::NotDone
            } else {
                Answer::Done
            };
            assert_eq!(done, Ok(expected), "{order:?}");
            assert_eq!(ask(&mut cluster, 1, get("row")), value("same"));
        }
        ask(&mut cluster, 0, delete("row")).expect("nothing goes wrong");
        assert_eq!(ask(&mut cluster, 1, get("row")), MISS);
    }
}

#[test]
fn leases_that_there_is_no_room_for_protect_all_keys_instead() {
    let mut cluster = Cluster::start(3, 1, |config| config.max_versions = 2);
    cluster.wait_until_serving();
    let keys: Vec<String> = (0..20).map(|number| format!("row-{number}")).collect();
    let leases: Vec<Lease> = keys.iter().map(|key| lease(&mut cluster, 0, key)).collect();
    for (key, lease) in keys.iter().zip(leases).step_by(2) {
        ask(&mut cluster, 0, delete(key)).expect("a newer version is found");
        assert_eq!(
            fill(&mut cluster, 0, key, "old", lease),
            Ok(Answer::NotDone)
        );
    }
    assert_eq!(
        ask(&mut cluster, 0, set("row-1", "newer")),
        Ok(Answer::Done)
    );
}

#[test]
fn a_lease_whose_loader_never_comes_back_stands_in_nobodys_way() {
    let mut cluster = Cluster::serving(3, 2);
    lease(&mut cluster, 0, "row");
    let client = cluster.client(1);
    let done = cluster.ask(client, set("row", "other"), at(Level::All));
    assert_eq!(done.outcome, Ok(Answer::Done));
    assert!(done.took < Duration::from_millis(50), "{:?}", done.took);
    assert_eq!(ask(&mut cluster, 1, get("row")), value("other"));
}

#[test]
fn without_a_quorum_there_is_no_lease_and_no_fill() {
    let mut cluster = Cluster::serving(3, 1);
    let lease = lease(&mut cluster, 0, "row");
    cluster.kill(1);
    cluster.kill(2);
    cluster.run(Duration::from_millis(100));
    assert!(ask(&mut cluster, 0, Request::Lease(bytes("other"))).is_err());
    assert!(fill(&mut cluster, 0, "row", "old", lease).is_err());
}
