//! Real processes: nodes of the cache, and the server under test.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use memvault::replication::{Level, Levels, NodeState};
use memvault_net::client::Client;
use rusqlite::Connection;

use crate::http::get;

/// A generous limit for things that must happen in the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The nodes of a cluster, some of which may be down.
pub(crate) struct Nodes {
    ports: Vec<u16>,
    processes: Vec<Option<Child>>,
    client: Option<Client>,
}

/// The server under test, with a database of its own.
pub(crate) struct Api {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) path: PathBuf,
}

impl Nodes {
    /// Starts so many nodes, and waits until they serve.
    pub(crate) fn start(count: usize) -> Self {
        let listeners: Vec<_> = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
            .collect();
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        let mut nodes = Self {
            ports: listeners.iter().map(port).collect(),
            processes: (0..count).map(|_| None).collect(),
            client: None,
        };
        drop(listeners);
        (0..count).for_each(|node| nodes.restart(node));
        let builder = Client::builder().cluster(nodes.addresses());
        let builder = builder
            .ready_timeout(PATIENCE)
            .reconnect_max(Duration::from_millis(200));
        nodes.client = Some(smol::block_on(builder.connect()).expect("the nodes come up"));
        nodes.wait_until_serving();
        nodes
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        let address = |port| format!("127.0.0.1:{port}");
        self.ports.iter().map(address).collect()
    }

    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(mut process) = self.processes[node].take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    pub(crate) fn restart(&mut self, node: usize) {
        let process = Command::new(memvault())
            .args(["serve", "--cluster", &self.addresses().join(",")])
            .args(["--port", &self.ports[node].to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.processes[node] = Some(process.expect("memvault starts"));
    }

    pub(crate) fn wait_until_serving(&self) {
        let client = self.client();
        eventually("all nodes serve", || {
            let nodes = smol::block_on(client.node_statistics()).expect("statistics");
            let mut nodes = nodes.iter();
            nodes.all(|node| node.is_up && node.state == NodeState::Serving)
        });
    }

    /// What the cache holds, by a quorum.
    pub(crate) fn cached(&self, id: i64) -> Option<String> {
        let quorum = Levels {
            write: Level::Quorum,
            read: Level::Quorum,
        };
        let client = self.client().with_levels(quorum);
        let value = smol::block_on(client.get(format!("user:{id}"))).expect("a read");
        value.map(|value| String::from_utf8(value.to_vec()).expect("text"))
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is connected")
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        (0..self.ports.len()).for_each(|node| self.kill(node));
    }
}

impl Api {
    /// Starts the server over these nodes, with this many users and these further flags.
    pub(crate) fn start(name: &str, cluster: &[String], flags: &[&str]) -> Self {
        let file = format!("user-api-{name}-{}.db", std::process::id());
        let path = std::env::temp_dir().join(file);
        remove(&path);
        Self::start_on(path, cluster, flags)
    }

    fn start_on(path: PathBuf, cluster: &[String], flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_user-api"))
            .args(["--listen", "127.0.0.1:0", "--cluster", &cluster.join(",")])
            .arg("--database")
            .arg(&path)
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("it says where it listens");
        let address = line.trim().rsplit("http://").next().unwrap_or("");
        let address = address.parse().expect("an address");
        Self {
            process,
            address,
            path,
        }
    }

    /// Waits until the cache is used.
    pub(crate) fn wait_for_cache(&self) {
        eventually("the cache is used", || {
            get(self.address, "/user/1").cache() == "hit"
        });
    }

    /// A number that the server counts.
    pub(crate) fn statistic(&self, name: &str) -> u64 {
        let statistics = get(self.address, "/statistics").body;
        statistics[name].as_u64().expect("a number")
    }

    /// The database, as anyone can open it.
    pub(crate) fn database(&self) -> Connection {
        Connection::open(&self.path).expect("it is there")
    }

    /// Asks the server to stop, and says whether it ended well.
    pub(crate) fn stop(&mut self) -> bool {
        let id = self.process.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status();
        assert!(asked.expect("kill runs").success());
        self.process.wait().expect("it ends").success()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
}

/// The command of the main workspace: where `MEMVAULT` says, else in the same target directory as this test.
fn memvault() -> PathBuf {
    if let Some(path) = std::env::var_os("MEMVAULT") {
        return path.into();
    }
    let test = std::env::current_exe().expect("its own path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("deps/ is in it");
    let path = profile.join("memvault");
    assert!(
        path.exists(),
        "{} is missing: build memvault-server with the same target directory, or set MEMVAULT to its path",
        path.display()
    );
    path
}

/// Waits until it `is_so`.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
