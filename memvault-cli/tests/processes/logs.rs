//! What processes log, as programs read it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::process::{Process, free_ports};
use crate::redis::Redis;
use crate::support::{command, eventually, free_ports as ports_in_a_row, memvault, signal_pid};

/// The events in a log; each line is to be one.
///
/// # Panics
/// If a line is no object, or has no time, level or event.
fn events(log: &str) -> Vec<Value> {
    let event = |line: &str| {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |name: &str| {
            event[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name}: {line}"))
        };
        assert!(is_time(text("ts")), "{line}");
        let levels = ["error", "warn", "info", "debug", "trace"];
        assert!(levels.contains(&text("level")), "{line}");
        assert!(!text("event").contains(' '), "{line}");
        event
    };
    log.lines().map(event).collect()
}

/// Whether this is as `2026-11-24T09:30:00.123Z`.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// The last event of this name about this node.
fn last(log: &str, name: &str, node: &str) -> Option<Value> {
    let mut events = events(log).into_iter().rev();
    events.find(|event| event["event"] == name && event["node"] == node)
}

#[test]
fn each_line_of_a_member_is_an_object_and_tells_which_node_and_why() {
    let ports = free_ports(3);
    let nodes: Vec<_> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let list = nodes.join(",");
    let start = |number: usize| {
        let flags = ["--log-format", "json", "--log-level", "debug"];
        Process::start(
            &[&["serve", "--cluster", &list], &flags[..]].concat(),
            ports[number],
        )
    };
    let mut members: Vec<_> = (0..3).map(start).collect();
    // The log may end within a line that is being written.
    let log = |members: &[Process]| {
        let output = members[0].output();
        output.rsplit_once('\n').unwrap_or_default().0.to_owned()
    };
    let dead = nodes[2].as_str();
    eventually("all serve", || {
        last(&log(&members), "up", dead).is_some_and(|event| event["state"] == "serving")
            || last(&log(&members), "state", dead).is_some_and(|event| event["state"] == "serving")
    });
    let mut redis = Redis::connect(ports[0]).expect("it serves");
    redis.ask(&["SET", "secret-key", "secret-value"]);
    redis.ask(&["secret-word"]);
    redis.ask(&["SET", "secret-key"]);

    members[2].kill();
    eventually("its end is logged", || {
        last(&log(&members), "down", dead).is_some()
    });
    let down = last(&log(&members), "down", dead).expect("just seen");
    assert_eq!(
        (&down["level"], &down["reason"]),
        (&"warn".into(), &"disconnected".into())
    );
    members[2] = start(2);
    eventually("its return is logged", || {
        last(&log(&members), "rejoined", dead).is_some()
    });

    let log = log(&members);
    let listening = &events(&log)[0];
    assert_eq!(listening["event"], "listening");
    assert_eq!(listening["address"], nodes[0]);
    assert_eq!(
        (&listening["role"], &listening["replicas"]),
        (&"member".into(), &3.into())
    );
    // Nothing is told of what was not asked for.
    assert_eq!(listening.get("max_memory"), None);
    assert!(
        events(&log).iter().any(|event| event["event"] == "client"),
        "{log}"
    );
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn a_failure_is_an_event_too() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let ran = memvault(&["serve", "--port", &port, "--log-format", "json"]);
    assert_eq!(ran.code, Some(1));
    let events = events(&ran.stderr);
    assert_eq!(events.len(), 1, "{}", ran.stderr);
    assert_eq!(
        (&events[0]["event"], &events[0]["level"]),
        (&"failed".into(), &"error".into())
    );
    let error = events[0]["error"].as_str().expect("a text");
    assert!(error.contains("is in use"), "{error}");
}

/// A process that does not outlive a test that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `memvault up` with two nodes, at `base` and the next port, and a gateway behind them.
fn up_with_json(base: u16) -> Killed {
    let flags = [
        "--count",
        "2",
        "--log-format",
        "json",
        "--log-level",
        "info",
    ];
    let up = command(&[&["up"], &flags[..]].concat())
        .args(["--base-port", &base.to_string()])
        .args(["--port", &(base + 2).to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Killed(up.expect("it starts"))
}

#[test]
fn up_names_the_process_of_each_line() {
    let base = ports_in_a_row(3);
    let mut up = up_with_json(base);
    let mut screen = BufReader::new(up.0.stdout.take().expect("it is piped")).lines();
    let mut log = BufReader::new(up.0.stderr.take().expect("it is piped")).lines();
    let row = screen.find_map(|line| Some(line.ok()?.split_once("node 2")?.1.to_owned()));
    let row = row.expect("it is up");
    let pid = row
        .split("pid ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let pid: u32 = pid.and_then(|pid| pid.parse().ok()).expect("it is told");
    screen.find(|line| {
        line.as_ref()
            .is_ok_and(|line| line.contains("Ctrl-C stops all"))
    });

    signal_pid(pid, Signal::KILL);
    let (mut ended, mut down) = (None, None);
    while ended.is_none() || down.is_none() {
        let line = log.next().expect("there is more").expect("text");
        let event = events(&line).remove(0);
        match event["event"].as_str() {
            Some("process-ended") => ended = Some(event),
            Some("down") if event["process"] == "gateway" => down = Some(event),
            _ => {}
        }
    }
    let ended = ended.expect("just seen");
    assert_eq!(
        (&ended["pid"], &ended["process"]),
        (&pid.into(), &format!("node {}", base + 1).into())
    );
    assert_eq!(ended["reason"], "killed by signal 9, SIGKILL");
    let dead = format!("127.0.0.1:{}", base + 1);
    assert_eq!(down.expect("just seen")["node"], dead);

    signal_pid(up.0.id(), Signal::INT);
    let rest: Vec<_> = log.map_while(Result::ok).collect();
    assert_eq!(
        events(&rest.join("\n")).last().expect("a line")["event"],
        "stopped"
    );
    assert!(up.0.wait().expect("it is a child").success());
}

#[test]
fn a_form_that_does_not_exist_is_refused() {
    let by_flag = memvault(&["serve", "--log-format", "xml"]);
    let by_variable = command(&["gateway", "--cluster", "127.0.0.1:1"])
        .env("MEMVAULT_LOG_FORMAT", "JSON")
        .output();
    let by_variable = crate::support::ran(by_variable);
    for (ran, name) in [
        (by_flag, "--log-format <FORMAT>"),
        (by_variable, "MEMVAULT_LOG_FORMAT"),
    ] {
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("expected text or json"),
            "{}",
            ran.stderr
        );
    }
}
