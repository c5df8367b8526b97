//! One running process.

use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use crate::redis::Redis;
use crate::support::{command, eventually, signal_pid};

/// A running `memvault`; killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) port: u16,
    log: PathBuf,
}

impl Process {
    /// Starts `memvault ARGUMENTS --port PORT` and waits until it answers.
    pub(crate) fn start(arguments: &[&str], port: u16) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{}-{number}.log", std::process::id()));
        let output = File::create(&log).expect("a log file can be made in the target directory");
        let child = command(arguments)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("the command was built for this test");
        let mut process = Self { child, port, log };
        eventually("the process answers PING", || {
            process.assert_running();
            Redis::connect(port).is_ok_and(|mut redis| redis.try_ask(&["PING"]).is_ok())
        });
        process
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Stops it (SIGSTOP): it keeps its connections and says nothing more.
    pub(crate) fn pause(&self) {
        signal_pid(self.child.id(), Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn resume(&self) {
        signal_pid(self.child.id(), Signal::CONT);
    }

    /// # Panics
    /// With its output, if the process has ended by itself.
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("it is our child") {
            panic!("the process ended with {status}:\n{}", self.output());
        }
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "--- output of the process on port {}:\n{}",
                self.port,
                self.output()
            );
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Ports that were free a moment ago, each different.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0"));
    let listeners: Vec<_> = listeners
        .collect::<Result<_, _>>()
        .expect("there are free ports");
    let addresses = listeners.iter().map(|listener| listener.local_addr());
    let ports = addresses.map(|address| address.map(|address| address.port()));
    ports
        .collect::<Result<_, _>>()
        .expect("a bound listener has an address")
}
