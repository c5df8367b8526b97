//! What a host is told of commands and errors, and how `INFO` tells it on.

use std::cell::RefCell;
use std::fmt::Display;

use super::client::{NOW, connection, send, store};
use memvault::command::{Name, SettingError};
use memvault::connection::{
    Call, CallStatistics, Connection, Engine, ErrorCode, Execution, Fault, Fields, Host, Hosted,
    Section,
};
use memvault::replication::Levels;
use memvault::store::Store;
use memvault::time::Timestamp;

/// Counts all that it is told of.
#[derive(Default)]
struct Counting(RefCell<CallStatistics>);

impl Host for Counting {
    fn info(&self, section: Section, fields: &mut Fields<'_>) {
        self.0.borrow().write(section, fields);
    }

    fn settings(&self, _show: &mut dyn FnMut(&str, &dyn Display)) {}

    fn memory_limit(&self) -> Option<u64> {
        Some(5000)
    }

    fn reset_statistics(&self) {
        self.0.take();
    }

    fn count_call(&self, name: Name) {
        self.0.borrow_mut().of_mut(name).calls += 1;
    }

    fn count_error(&self, name: Option<Name>, fault: Fault, code: ErrorCode) {
        let mut counted = self.0.borrow_mut();
        counted.add_errors(code, 1);
        if let Some(name) = name {
            let count = counted.of_mut(name);
            match fault {
                Fault::Rejected => count.rejected += 1,
                Fault::Failed => count.failed += 1,
            }
        }
    }
}

/// Defers every read, and carries out the rest on a store.
struct Slow(Store);

impl Engine for Slow {
    fn execute(&mut self, call: &Call<'_>, out: &mut Vec<u8>) -> Execution {
        if call.args.get(0) == Some(b"GET") {
            return Execution::Deferred(7);
        }
        Engine::execute(&mut self.0, call, out)
    }

    fn levels(&self) -> Option<Levels> {
        None
    }

    fn info(&self, now: Timestamp, section: Section, fields: &mut Fields<'_>) {
        self.0.info(now, section, fields);
    }

    fn settings(&self, _show: &mut dyn FnMut(&str, &dyn Display)) {}

    fn change_setting(&mut self, _name: &str, _value: &[u8]) -> Result<(), SettingError> {
        Err(SettingError::Immutable)
    }

    fn reset_statistics(&mut self) {}

    fn count_commands(&mut self, _commands: u64) {}
}

fn ask(
    connection: &mut Connection,
    engine: &mut impl Engine,
    host: &Counting,
    lines: &str,
) -> String {
    let mut hosted = Hosted { engine, host };
    let (replies, _) = send(connection, &mut hosted, NOW, lines.as_bytes());
    String::from_utf8(replies).expect("text")
}

#[test]
fn memory_can_be_a_share_of_what_the_host_knows_of() {
    let (mut store, host, mut connection) = (store(), Counting::default(), connection());
    let lines = "CONFIG SET maxmemory 60%\r\nCONFIG GET maxmemory\r\nCONFIG SET maxmemory 0%\r\n";
    let replies = ask(&mut connection, &mut store, &host, lines);
    assert!(
        replies.starts_with("+OK\r\n*2\r\n$9\r\nmaxmemory\r\n$4\r\n3000\r\n-ERR "),
        "{replies}"
    );
    assert!(replies.contains("must be a memory value"), "{replies}");
}

#[test]
fn calls_failures_and_refusals_are_told_apart() {
    let (mut store, host, mut connection) = (store(), Counting::default(), connection());
    let lines = "set a x\r\nGET a\r\nGet b\r\nINCR a\r\nSET a 1 EX x\r\nGET\r\nnosuch\r\nPING\r\n\
                 CONFIG SET nosuch 1\r\nSELECT 1\r\n";
    ask(&mut connection, &mut store, &host, lines);
    let text = ask(
        &mut connection,
        &mut store,
        &host,
        "INFO commandstats errorstats stats\r\n",
    );
    let mut lines = text.lines().skip(1).filter(|line| !line.is_empty());
    for expected in [
        "# Stats",
        "total_error_replies:6",
        "total_commands_processed:10",
    ] {
        assert_eq!(lines.next(), Some(expected), "{text}");
    }
    let mut rest = lines.skip_while(|line| !line.starts_with('#'));
    for expected in [
        "# Commandstats",
        "cmdstat_config:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
        "cmdstat_get:calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0",
        "cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
        "cmdstat_ping:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0",
        "cmdstat_select:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
        "cmdstat_set:calls=2,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1",
        "# Errorstats",
        "errorstat_ERR:count=6",
    ] {
        assert_eq!(rest.next(), Some(expected), "{text}");
    }
    assert_eq!(rest.next(), None);
    ask(&mut connection, &mut store, &host, "CONFIG RESETSTAT\r\n");
    let text = ask(&mut connection, &mut store, &host, "INFO commandstats\r\n");
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("cmdstat_"))
            .count(),
        1,
        "{text}"
    );
    assert!(text.contains("cmdstat_config:calls=1,"), "{text}");
}

#[test]
fn what_is_no_command_at_all_is_an_error_too() {
    let (mut store, host, mut first) = (store(), Counting::default(), connection());
    ask(&mut first, &mut store, &host, "*1\r\n+oops\r\n");
    let text = ask(&mut connection(), &mut store, &host, "INFO errorstats\r\n");
    assert!(text.contains("errorstat_ERR:count=1\r\n"), "{text}");
}

#[test]
fn a_deferred_reply_says_what_it_answers_and_whether_it_is_an_error() {
    let (mut slow, host, mut connection) = (Slow(store()), Counting::default(), connection());
    ask(&mut connection, &mut slow, &host, "GET a\r\n");
    assert_eq!(host.0.borrow().of(Name::Get).calls, 1);
    let completed = connection.complete(7, |out| out.extend_from_slice(b"-NOQUORUM 1 of 2\r\n"));
    let completed = completed.expect("it was waited for");
    assert_eq!(completed.name, Name::Get);
    assert_eq!(
        completed.error.map(|code| code.to_string()).as_deref(),
        Some("NOQUORUM")
    );
    assert_eq!(connection.complete(7, |_| panic!("nobody waits")), None);
    connection.consume_output(connection.output().len());
    ask(&mut connection, &mut slow, &host, "GET a\r\n");
    let completed = connection.complete(7, |out| out.extend_from_slice(b"$-1\r\n"));
    assert_eq!(completed.expect("it was waited for").error, None);
}

/// The headings of what `INFO` tells.
fn sections(arguments: &str) -> Vec<String> {
    let (mut store, host) = (store(), Counting::default());
    let text = ask(
        &mut connection(),
        &mut store,
        &host,
        &format!("INFO {arguments}\r\n"),
    );
    let headings = text.lines().filter_map(|line| line.strip_prefix("# "));
    headings.map(str::to_owned).collect()
}

#[test]
fn sections_are_those_of_redis_in_its_order() {
    let all = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Commandstats",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    let usual: Vec<_> = all
        .into_iter()
        .filter(|name| *name != "Commandstats")
        .collect();
    assert_eq!(sections(""), usual);
    assert_eq!(sections("default"), usual);
    assert_eq!(sections("ALL"), all);
    assert_eq!(sections("everything"), all);
    assert_eq!(sections("commandstats Default"), all);
    assert_eq!(
        sections("keyspace cpu CLUSTER"),
        ["CPU", "Cluster", "Keyspace"]
    );
    assert_eq!(sections("nosuch"), [""; 0]);
}
