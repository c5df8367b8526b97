//! The processes of a cluster: members and a gateway.

use std::fs::File;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::network::{GATEWAY, MEMBERS, Network, id};
use crate::plan::name;
use crate::support::{eventually, signal_pid};

/// All processes. They are killed when it is dropped, and end by themselves if the test dies.
pub(crate) struct Cluster<'a> {
    network: &'a dyn Network,
    name: &'static str,
    processes: Vec<Process>,
}

#[derive(Default)]
struct Process {
    child: Option<Child>,
    /// What it has written since each of its starts.
    logs: Vec<PathBuf>,
}

impl<'a> Cluster<'a> {
    /// Starts all, and waits until they serve.
    pub(crate) fn start(network: &'a dyn Network, name: &'static str) -> Self {
        let processes = (0..=GATEWAY).map(|_| Process::default()).collect();
        let mut cluster = Self {
            network,
            name,
            processes,
        };
        for process in 0..=GATEWAY {
            cluster.start_process(process);
        }
        eventually("the members serve", || {
            cluster.assert_running();
            cluster.all_serve(&[])
        });
        eventually("the gateway has seen all members", || {
            cluster.log(GATEWAY).matches(" up node=").count() >= MEMBERS
        });
        cluster
    }

    /// Starts one, which does not run.
    pub(crate) fn start_process(&mut self, process: usize) {
        let list = self.network.list(process).join(",");
        let (host, port) = self.network.address(process);
        let (port, own) = (port.to_string(), id(process));
        let mut args = vec![
            "gateway",
            "--cluster",
            &list,
            "--bind",
            &host,
            "--port",
            &port,
            // Its own network, where clients have addresses of their own.
            "--protected-mode",
            "no",
        ];
        if process < MEMBERS {
            args[0] = "serve";
            args.extend(["--node-id", &own]);
        }
        // Each state is read from the log, however often it changes.
        args.extend(["--log-repeats", "0", "--end-with-stdin"]);
        let incarnation = self.processes[process].logs.len();
        let log = format!(
            "chaos-{}-{}-{}-{incarnation}.log",
            self.name,
            std::process::id(),
            name(process)
        );
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(log);
        let output = File::create(&log).expect("a log file can be made in the target directory");
        let child = self
            .network
            .command(process, &args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("the command was built for this test");
        self.processes[process].child = Some(child);
        self.processes[process].logs.push(log);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, process: usize) {
        if let Some(mut child) = self.processes[process].child.take() {
            child.kill().expect("it is our child");
            child.wait().expect("it is our child");
        }
    }

    /// SIGSTOP or SIGCONT, if it runs.
    pub(crate) fn signal(&self, process: usize, signal: Signal) {
        if let Some(child) = &self.processes[process].child {
            signal_pid(child.id(), signal);
        }
    }

    /// Whether all members serve but those in `except`, as they say in their logs: those are heard whatever
    /// the network does.
    pub(crate) fn all_serve(&self, except: &[usize]) -> bool {
        (0..MEMBERS).all(|member| except.contains(&member) || self.serves(member))
    }

    fn serves(&self, member: usize) -> bool {
        let log = self.log(member);
        let own = format!(" state node={} state=", id(member));
        let state = log.rsplit_once(&own).map(|(_, rest)| rest);
        self.processes[member].child.is_some()
            && state.is_some_and(|state| state.starts_with("serving"))
    }

    fn log(&self, process: usize) -> String {
        let log = self.processes[process].logs.last().expect("it was started");
        String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
    }

    /// Starts of members, but for the first of each, after which they could not ask enough others.
    pub(crate) fn degraded_starts(&self) -> usize {
        let logs = self
            .processes
            .iter()
            .flat_map(|process| process.logs.iter().skip(1));
        let is_degraded = |log: &&PathBuf| {
            std::fs::read(log)
                .is_ok_and(|log| String::from_utf8_lossy(&log).contains("degraded-start"))
        };
        logs.filter(is_degraded).count()
    }

    /// # Panics
    /// With its log, if a process has ended by itself.
    pub(crate) fn assert_running(&mut self) {
        for process in 0..=GATEWAY {
            let child = self.processes[process].child.as_mut();
            if let Some(status) = child.and_then(|child| child.try_wait().expect("it is our child"))
            {
                panic!(
                    "{} ended with {status}:\n{}",
                    name(process),
                    self.log(process)
                );
            }
        }
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        for process in 0..=GATEWAY {
            if let Some(mut child) = self.processes[process].child.take() {
                // It may have ended already.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        let logs = self.processes.iter().flat_map(|process| &process.logs);
        for log in logs.filter(|_| !std::thread::panicking()) {
            let _ = std::fs::remove_file(log);
        }
    }
}

/// Where plain clients find a process.
pub(crate) fn socket_address(network: &dyn Network, process: usize) -> SocketAddr {
    let (host, port) = network.address(process);
    let mut found = (host, port).to_socket_addrs().expect("it is an address");
    found.next().expect("it is an address")
}
