//! Runs the real binary.

// Each test file uses its own part of this module.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A generous limit for things that must happen in the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, without the settings of those who run the tests.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memvault"));
    command.args(args);
    for variable in [
        "MEMVAULT_HOST",
        "MEMVAULT_PORT",
        "MEMVAULT_LOG",
        "MEMVAULT_LOG_FORMAT",
        "MEMVAULT_PROTECTED_MODE",
        "MEMVAULT_LOG_REPEATS",
        "MEMVAULT_LOG_BUFFER",
        "NO_COLOR",
        "COLUMNS",
    ] {
        command.env_remove(variable);
    }
    command
}

/// What a run of the binary left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end.
pub(crate) fn memvault(args: &[&str]) -> Ran {
    ran(command(args).stdin(Stdio::null()).output())
}

/// Runs the binary to its end, with this as its standard input.
pub(crate) fn memvault_with_input(args: &[&str], input: &str) -> Ran {
    ran(Ok(run_with_input(args, input.as_bytes())))
}

/// The same with bytes.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("the binary runs")
}

pub(crate) fn ran(output: std::io::Result<Output>) -> Ran {
    let output = output.expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// A process that goes on; killed at the end of the test. Its lines, from both outputs, are collected.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// All lines that were waited for or passed over.
    pub(crate) seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same with these variables.
    pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(args);
        command.envs(variables.iter().copied());
        Self::of(command)
    }

    /// The same for a command that was prepared otherwise.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it is piped")),
            Box::new(child.stderr.take().expect("it is piped")),
        ];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that has `part` in it.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {part:?} ({error}): {:#?}", self.seen),
            }
        }
    }

    /// Waits until it handles SIGINT itself: before that the signal would end it without a word.
    pub(crate) fn wait_for_handler(&self) {
        let status = Path::new("/proc")
            .join(self.child.id().to_string())
            .join("status");
        eventually("it catches SIGINT", || {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            caught.is_some_and(|mask| mask & 1 << (Signal::INT.as_raw() - 1) != 0)
        });
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_pid(self.child.id(), signal);
    }

    /// Waits for its end; returns its exit code, `None` after a signal.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that this test has started, or a child of it.
pub(crate) fn signal_pid(pid: u32, signal: Signal) {
    assert!(try_signal_pid(pid, signal), "the process is there");
}

/// The same to a process that may have ended; returns whether it was there.
pub(crate) fn try_signal_pid(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// `memvault serve` on a port of its own.
pub(crate) struct Server {
    pub(crate) process: Running,
    /// `host:port`.
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        let args = [&["serve", "--port", "0"], args].concat();
        let mut process = Running::start(&args);
        let line = process.wait_for("listening address=");
        let (_, rest) = line
            .split_once("listening address=")
            .expect("it is in the line");
        let address = rest.split(' ').next().expect("never empty").to_owned();
        Self { process, address }
    }

    /// Runs a subcommand against it.
    pub(crate) fn ask(&self, args: &[&str]) -> Ran {
        memvault(&[args, &["--server", &self.address]].concat())
    }
}

/// A port with `count - 1` free ones behind it. All lie below those that the system gives to outgoing
/// connections, so that a server which is started again finds its port free.
pub(crate) fn free_ports(count: u16) -> u16 {
    // Tests within one process shall not find the same ports free at the same moment.
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    const PORTS: Range<u16> = 20_000..32_700;
    let of_process = (std::process::id() % 190) as u16 * 64;
    for _ in 0..1000 {
        let given = GIVEN.fetch_add(count, Ordering::Relaxed);
        let base = PORTS.start + of_process.wrapping_add(given) % (PORTS.end - PORTS.start - count);
        let listeners = (0..count).map(|offset| TcpListener::bind(("127.0.0.1", base + offset)));
        if listeners.collect::<Result<Vec<_>, _>>().is_ok() {
            return base;
        }
    }
    panic!("no {count} free ports in a row");
}

/// Tells loudly that something is not tested on this machine, and why; `.ci/run` repeats it at its end.
pub(crate) fn skipped(why: &str) {
    eprintln!("\n!!! SKIPPED: {why}\n");
    if let Some(list) = std::env::var_os("CI_SKIPPED") {
        let list = OpenOptions::new().append(true).create(true).open(list);
        // Only the summary would lack it.
        let _ = list.and_then(|mut list| writeln!(list, "SKIPPED: {why}"));
    }
}

/// Whether nobody listens on a port.
pub(crate) fn is_silent(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

/// Whether a process has ended; a zombie has.
pub(crate) fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    // After the name, which stands in brackets, comes the state.
    stat.map_or(true, |stat| {
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with('Z'))
    })
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}
