//! A proxy for each way between two processes, in this process: for machines that let nobody touch their
//! network. Bytes are never lost for good, as with TCP, but come as late as the faults want; so does the
//! news that the other side is gone.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use smol::Timer;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use super::{CLIENTS, MEMBERS, Network, Wire, id};
use crate::support::{command, free_ports};

/// The proxies of one cluster.
pub(crate) struct Proxies {
    ports: Vec<u16>,
    /// Where each process finds each member.
    proxies: Vec<Vec<SocketAddr>>,
    wires: Wires,
    tasks: Vec<smol::Task<()>>,
}

/// The state of each way, from the first to the second.
type Wires = Arc<Mutex<Vec<Vec<Wire>>>>;

const PROCESSES: usize = CLIENTS + 1;

impl Proxies {
    pub(crate) fn new() -> Self {
        let wires: Wires = Arc::new(Mutex::new(vec![vec![Wire::Open; PROCESSES]; PROCESSES]));
        let base = free_ports(PROCESSES as u16);
        let ports: Vec<u16> = (base..base + PROCESSES as u16).collect();
        let (mut proxies, mut tasks) = (Vec::new(), Vec::new());
        for from in 0..PROCESSES {
            let mut addresses = Vec::new();
            for (to, port) in ports.iter().enumerate().take(MEMBERS) {
                let listener = smol::block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
                let listener = listener.expect("there are free ports");
                addresses.push(listener.local_addr().expect("it is bound"));
                let link = Link {
                    from,
                    to,
                    wires: Arc::clone(&wires),
                };
                tasks.push(smol::spawn(accept(listener, *port, link)));
            }
            proxies.push(addresses);
        }
        Self {
            ports,
            proxies,
            wires,
            tasks,
        }
    }
}

impl Network for Proxies {
    fn list(&self, process: usize) -> Vec<String> {
        let addresses = self.proxies[process].iter().enumerate();
        addresses
            .map(|(member, address)| format!("{}={address}", id(member)))
            .collect()
    }

    fn address(&self, process: usize) -> (String, u16) {
        ("127.0.0.1".to_owned(), self.ports[process])
    }

    fn command(&self, _process: usize, args: &[&str]) -> Command {
        command(args)
    }

    fn set(&self, wires: &[(usize, usize)], wire: Wire) {
        let mut state = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        for (from, to) in wires {
            state[*from][*to] = wire;
        }
    }
}

/// The connections that one process opens to one member.
#[derive(Clone)]
struct Link {
    from: usize,
    to: usize,
    wires: Wires,
}

impl Link {
    fn back(&self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            wires: Arc::clone(&self.wires),
        }
    }

    fn wire(&self) -> Wire {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)[self.from][self.to]
    }

    /// Waits until what is under way may arrive.
    async fn pass(&self) {
        match self.wire() {
            Wire::Slow { delay, jitter } => {
                let extra = jitter.mul_f64(2.0 * fastrand::f64());
                sleep(delay.saturating_sub(jitter) + extra).await;
            }
            // What is lost is sent again after the shortest time-out of Linux.
            Wire::Lossy { percent } if fastrand::u8(..100) < percent => {
                sleep(Duration::from_millis(200)).await;
            }
            _ => {}
        }
        while self.wire() == Wire::Cut {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn sleep(time: Duration) {
    Timer::after(time).await;
}

async fn accept(listener: TcpListener, port: u16, link: Link) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No more file descriptors, for instance: others end.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        smol::spawn(connect(stream, port, link.clone())).detach();
    }
}

async fn connect(near: TcpStream, port: u16, link: Link) {
    let back = link.back();
    link.pass().await;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    back.pass().await;
    let Ok(far) = far else { return };
    for stream in [&near, &far] {
        // Without it the proxy would only be slower.
        let _ = stream.set_nodelay(true);
    }
    let there = smol::spawn(carry(near.clone(), far.clone(), link));
    carry(far, near, back).await;
    there.await;
}

/// Carries bytes one way, and at last the news that there will be no more.
async fn carry(mut from: TcpStream, mut to: TcpStream, link: Link) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        link.pass().await;
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            // A dead process has closed both ways.
            let _ = to.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.tasks.clear();
    }
}
