//! Servers to load: five members with a gateway, or a node alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use super::wire::Wire;
use crate::cluster::{Cluster, Starter, free_ports};

const MEMBERS: u16 = 5;

/// Five members and a gateway, each with an admin port.
pub(super) struct Rig<'a> {
    pub(super) cluster: Cluster<'a>,
    gateway: Child,
    gateway_port: u16,
    admin: u16,
}

impl<'a> Rig<'a> {
    pub(super) fn start(starter: &'a Starter) -> Self {
        let admin = free_ports(MEMBERS + 1);
        let cluster = Cluster::start_with(starter, MEMBERS, Some(admin));
        let gateway_port = free_ports(1);
        let (list, port) = (cluster.addresses.join(","), gateway_port.to_string());
        let own_admin = format!("127.0.0.1:{}", admin + MEMBERS);
        let args = [
            "gateway",
            "--cluster",
            &list,
            "--port",
            &port,
            "--admin",
            &own_admin,
        ];
        let gateway = starter.start(&args);
        wait_until_it_serves(gateway_port);
        Self {
            cluster,
            gateway,
            gateway_port,
            admin,
        }
    }

    pub(super) const fn gateway(&self) -> u16 {
        self.gateway_port
    }

    pub(super) fn gateway_pid(&self) -> u32 {
        self.gateway.id()
    }

    pub(super) fn member(&self, number: usize) -> u16 {
        let (_, port) = self.cluster.addresses[number]
            .rsplit_once(':')
            .expect("it has a port");
        port.parse().expect("it is a number")
    }

    /// The gateway and all members.
    pub(super) fn ports(&self) -> Vec<u16> {
        let members = (0..usize::from(MEMBERS)).map(|number| self.member(number));
        std::iter::once(self.gateway_port).chain(members).collect()
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        let members = (0..usize::from(MEMBERS)).map(|number| self.cluster.pid(number));
        std::iter::once(self.gateway.id()).chain(members).collect()
    }

    /// How often any of them has taken another one for dead because it was silent.
    pub(super) fn ejections(&self) -> u64 {
        (self.admin..=self.admin + MEMBERS).map(ejections).sum()
    }
}

impl Drop for Rig<'_> {
    fn drop(&mut self) {
        end(&mut self.gateway);
    }
}

/// A server that knows no other.
pub(super) struct Alone {
    process: Child,
    pub(super) port: u16,
}

impl Alone {
    pub(super) fn start(starter: &Starter, flags: &[&str]) -> Self {
        let port = free_ports(1);
        let text = port.to_string();
        let args = [&["serve", "--port", &text], flags].concat();
        let process = starter.start(&args);
        wait_until_it_serves(port);
        Self { process, port }
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub(super) fn lives(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    // It may have ended already.
    let _ = process.kill();
    let _ = process.wait();
}

pub(super) fn wait_until_it_serves(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let serves = || Wire::connect(port).is_ok_and(|mut wire| wire.ask(&[b"EXISTS", b"x"]).is_ok());
    while !serves() {
        assert!(
            Instant::now() < deadline,
            "the server on port {port} does not serve"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the admin port on `port` counts; nothing if it does not answer, as after a kill.
fn ejections(port: u16) -> u64 {
    let text = get_metrics(port).unwrap_or_default();
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with("memvault_events_total{event=\"ejected\"}"));
    let count = line.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    count.map_or(0, |count| count as u64)
}

fn get_metrics(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let head =
        format!("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
