//! Real nodes in this process, over real sockets: each is a thread with a driver and a listener.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use memvault::replication::{Body, Config, Member, Message, NodeState, Outbox, Role};
use memvault::resp::{CommandDecoder, Limits};
use memvault::time::Timestamp;
use memvault::version::Version;
use memvault_net::client::{Builder, Client};
use memvault_net::driver::{Driver, Settings};

/// A generous limit for things that must happen in the end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Members of one cluster, some of which may be down.
pub(crate) struct Cluster {
    pub(crate) addresses: Vec<String>,
    pub(crate) members: Vec<Option<Node>>,
    replicas: usize,
    warm_max: Duration,
}

/// A running member.
pub(crate) struct Node {
    stop: async_channel::Sender<()>,
    freeze: async_channel::Sender<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Starts `count` members.
    pub(crate) fn start(count: usize, replicas: usize) -> Self {
        let listeners: Vec<TcpListener> = (0..count).map(|_| listener()).collect();
        let addresses = listeners.iter().map(address).collect();
        Self::start_some(addresses, listeners, replicas, Duration::from_secs(10))
    }

    /// Starts `count` members that serve soon even if they do not find each other.
    pub(crate) fn start_impatient(count: usize, replicas: usize) -> Self {
        let listeners: Vec<TcpListener> = (0..count).map(|_| listener()).collect();
        let addresses = listeners.iter().map(address).collect();
        Self::start_some(addresses, listeners, replicas, Duration::from_secs(2))
    }

    /// Starts members that listen here, of a cluster that has these addresses.
    pub(crate) fn start_some(
        addresses: Vec<String>,
        listeners: Vec<TcpListener>,
        replicas: usize,
        warm_max: Duration,
    ) -> Self {
        let start = |listener| Some(Node::start(&addresses, replicas, warm_max, listener));
        let members = listeners.into_iter().map(start).collect();
        Self {
            addresses,
            members,
            replicas,
            warm_max,
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        Client::builder()
            .cluster(self.addresses.clone())
            .replicas(self.replicas)
            .ready_timeout(PATIENCE)
            .reconnect_max(Duration::from_millis(200))
    }

    pub(crate) fn client(&self) -> Client {
        block_on(self.builder().connect()).expect("the cluster comes up")
    }

    /// Ends a member as a crash would: its data is gone, its sockets are closed.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member] = None;
    }

    /// Starts a member anew, empty, at its old address.
    pub(crate) fn restart(&mut self, member: usize) {
        let deadline = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(&self.addresses[member]) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            thread::sleep(Duration::from_millis(10));
        };
        self.members[member] = Some(Node::start(
            &self.addresses,
            self.replicas,
            self.warm_max,
            listener,
        ));
    }

    /// Stops a member without closing its sockets, until the returned guard is dropped.
    pub(crate) fn freeze(&self, member: usize) -> mpsc::Sender<()> {
        let (thaw, frozen) = mpsc::channel();
        let node = self.members[member].as_ref().expect("it runs");
        node.freeze.try_send(frozen).expect("it runs");
        thaw
    }
}

impl Node {
    fn start(
        addresses: &[String],
        replicas: usize,
        warm_max: Duration,
        listener: TcpListener,
    ) -> Self {
        let (stop, stopped) = async_channel::bounded(1);
        let (freeze, freezes) = async_channel::bounded(1);
        let members = addresses.iter().map(Member::new).collect();
        let mut config = Config::new(members, Role::Member(address(&listener)));
        config.replicas = replicas;
        config.warm_max = warm_max;
        config.reconnect_max = Duration::from_millis(200);
        let thread = thread::spawn(move || serve(listener, config, &stopped, freezes));
        Self {
            stop,
            freeze,
            thread: Some(thread),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.close();
        if let Some(thread) = self.thread.take() {
            let result = thread.join();
            assert!(result.is_ok() || thread::panicking(), "a member panicked");
        }
    }
}

fn serve(
    listener: TcpListener,
    config: Config,
    stopped: &async_channel::Receiver<()>,
    freezes: async_channel::Receiver<mpsc::Receiver<()>>,
) {
    let executor = Rc::new(LocalExecutor::new());
    let driver = Driver::new(&executor, Settings::new(config)).expect("the settings agree");
    let accepting = executor.spawn(async move {
        let listener = async_net::TcpListener::try_from(listener).expect("a listener");
        while let Ok((stream, _)) = listener.accept().await {
            driver.accept_peer(stream, Vec::new());
        }
    });
    let freezing = executor.spawn(async move {
        while let Ok(frozen) = freezes.recv().await {
            let _thawed = frozen.recv();
        }
    });
    let _ended = async_io::block_on(executor.run(stopped.recv()));
    drop((accepting, freezing));
}

/// A listener on a free port.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

pub(crate) fn address(listener: &TcpListener) -> String {
    local(listener).to_string()
}

fn local(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("it is bound")
}

/// An address at which nobody listens.
pub(crate) fn dead_address() -> String {
    address(&listener())
}

/// A node that greets as a member should, and then does what `then` does with the connection.
pub(crate) fn impostor(listener: TcpListener, then: impl Fn(TcpStream) + Send + 'static) {
    impostor_ahead(listener, 0, then);
}

/// The same with a clock that is ahead by so many milliseconds.
pub(crate) fn impostor_ahead(
    listener: TcpListener,
    ahead_ms: u64,
    then: impl Fn(TcpStream) + Send + 'static,
) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if greet(&mut stream, ahead_ms).is_some() {
                then(stream);
            }
        }
    });
}

/// Sends a message whole.
pub(crate) fn send(stream: &mut TcpStream, message: &Message) -> std::io::Result<()> {
    let (mut outbox, mut bytes) = (Outbox::default(), Vec::new());
    outbox.push(message);
    outbox.fill(&mut bytes, usize::MAX);
    stream.write_all(&bytes)
}

/// That this node serves, at this time.
pub(crate) fn pong(wall: Timestamp) -> Body {
    Body::Pong {
        incarnation: 1,
        state: NodeState::Serving,
        hlc: 0,
        pending: None,
        wall,
        flushed: Version::ZERO,
        start_floor: Version::ZERO,
    }
}

/// Reads a greeting and answers that this node serves.
fn greet(stream: &mut TcpStream, ahead_ms: u64) -> Option<()> {
    let mut decoder = CommandDecoder::new(Limits::default());
    let mut bytes = Vec::new();
    let hello = loop {
        if let Some(decoded) = decoder.decode(&bytes).ok()? {
            break Message::decode(decoded.args).ok()?;
        }
        let mut buffer = [0; 1024];
        let read = stream.read(&mut buffer).ok()?;
        bytes.extend_from_slice(buffer.get(..read).filter(|read| !read.is_empty())?);
    };
    let answer = Message {
        id: hello.id,
        epoch: hello.epoch,
        body: pong(Timestamp::from_millis(wall().as_millis() + ahead_ms)),
    };
    send(stream, &answer).ok()
}

/// The present time.
pub(crate) fn wall() -> Timestamp {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).expect("not that late"))
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures_lite::future::block_on(future)
}

/// Asks until `is_so`, for as long as patience lasts.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
