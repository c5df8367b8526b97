//! Processes to measure.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use memvault::replication::NodeState;
use memvault::ring::Ring;
use memvault_net::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use smol::Timer;

/// Starts processes of one binary.
pub(crate) struct Starter(PathBuf);

impl Starter {
    /// # Errors
    /// In words, if the binary is not there.
    pub(crate) fn new(binary: Option<&Path>) -> Result<Self, String> {
        let beside = std::env::current_exe().map(|own| own.with_file_name("memvault"));
        let binary = binary.map_or_else(|| beside.unwrap_or_default(), Path::to_owned);
        if binary.is_file() {
            return Ok(Self(binary));
        }
        let binary = binary.display();
        Err(format!(
            "{binary} is not there; build it: cargo build --release -p memvault-server, or name it: --memvault PATH"
        ))
    }

    /// `memvault` with these arguments. It ends with this process.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .args(["--log-level", "error", "--end-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary can be run")
    }

    /// `memvault` with these arguments, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(args);
        command
    }
}

/// Members on this machine.
pub(crate) struct Cluster<'a> {
    starter: &'a Starter,
    pub(crate) addresses: Vec<String>,
    members: Vec<Child>,
    /// Where the first member tells of itself, the others on the ports that follow.
    admin: Option<u16>,
}

impl<'a> Cluster<'a> {
    /// Starts this many members, with three replicas for each key, and waits until all serve.
    pub(crate) fn start(starter: &'a Starter, count: u16) -> Self {
        Self::start_with(starter, count, None)
    }

    /// The same with admin ports, from `admin` on.
    pub(crate) fn start_with(starter: &'a Starter, count: u16, admin: Option<u16>) -> Self {
        let base = free_ports(count);
        let addresses: Vec<_> = (base..base + count)
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let mut cluster = Self {
            starter,
            addresses,
            members: Vec::new(),
            admin,
        };
        for number in 0..usize::from(count) {
            let member = cluster.start_member(number);
            cluster.members.push(member);
        }
        smol::block_on(async {
            let client = cluster.client().await;
            for number in 0..usize::from(count) {
                cluster.serves(&client, number).await;
            }
        });
        cluster
    }

    fn start_member(&self, number: usize) -> Child {
        let list = self.addresses.join(",");
        let (_, port) = self.addresses[number]
            .rsplit_once(':')
            .expect("it has a port");
        let mut args = vec!["serve", "--cluster", &list, "--port", port];
        let admin = self.admin.map(|base| base + number as u16);
        let admin = admin.map(|port| format!("127.0.0.1:{port}"));
        args.extend(admin.iter().flat_map(|address| ["--admin", address]));
        self.starter.start(&args)
    }

    /// The process of a member.
    pub(crate) fn pid(&self, number: usize) -> u32 {
        self.members[number].id()
    }

    /// A client of its own: nobody else's requests wait in it.
    pub(crate) async fn client(&self) -> Client {
        let builder = Client::builder().cluster(self.addresses.clone());
        builder.connect().await.expect("the cluster serves")
    }

    /// `kill -9`; returns when it was told to die.
    pub(crate) fn kill(&mut self, number: usize) -> Instant {
        let at = Instant::now();
        self.members[number].kill().expect("it is our child");
        self.members[number].wait().expect("it is our child");
        at
    }

    /// Starts a killed member again, with empty memory.
    pub(crate) fn restart(&mut self, number: usize) {
        self.members[number] = self.start_member(number);
    }

    /// SIGSTOP or SIGCONT.
    pub(crate) fn signal(&self, number: usize, signal: Signal) {
        let pid = i32::try_from(self.members[number].id())
            .ok()
            .and_then(Pid::from_raw);
        let sent = pid.map(|pid| kill_process(pid, signal));
        assert_eq!(sent, Some(Ok(())), "it is our child");
    }

    /// Waits until a member serves, as `client` sees it.
    pub(crate) async fn serves(&self, client: &Client, number: usize) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let nodes = client.node_statistics().await.expect("the client lives");
            let node = nodes.iter().find(|node| node.id == self.addresses[number]);
            if node.is_some_and(|node| {
                node.is_up && !node.is_suspect && node.state == NodeState::Serving
            }) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not serve",
                self.addresses[number]
            );
            Timer::after(Duration::from_millis(5)).await;
        }
    }

    /// The first keys that a member leads, as long as all live.
    pub(crate) fn keys_led_by(&self, number: usize, count: usize) -> Vec<String> {
        let mut ring = Ring::new();
        for address in &self.addresses {
            ring.add(address, 1).expect("ports differ");
        }
        let leads = |key: &String| {
            let leader = ring.replicas(key.as_bytes(), 1).next();
            leader.and_then(|leader| ring.node_id(leader)) == Some(&self.addresses[number])
        };
        (0..)
            .map(|key| format!("key:{key}"))
            .filter(leads)
            .take(count)
            .collect()
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended already.
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

/// A free port with `count - 1` free ones behind it, below those of outgoing connections.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = (std::process::id() % 100) as u16 * 70;
    for _ in 0..1000 {
        let base = 10_000 + (of_process + NEXT.fetch_add(count, Ordering::Relaxed)) % 9_000;
        let listeners = (0..count).map(|offset| TcpListener::bind(("127.0.0.1", base + offset)));
        if listeners.collect::<Result<Vec<_>, _>>().is_ok() {
            return base;
        }
    }
    panic!("no {count} free ports in a row");
}
