//! Discovery beside a member's driver: its UDP socket, and what is made of its news.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use futures_lite::FutureExt;
use memvault::replication::Role;

use super::connect::resolve;
use super::{Discover, DiscoverError, Driver, WeakDriver};
use crate::clock::{Clock, wall};
use crate::discovery::{Discovery, Identity, News};

/// What runs beside a driver.
struct Finder {
    driver: WeakDriver,
    clock: Clock,
    socket: Async<UdpSocket>,
    discovery: Discovery,
    seeds: Vec<String>,
    resolve_at: Instant,
    /// The member list to which everything found was told last.
    epoch: Option<u64>,
}

/// Names of seeds are resolved this often while nobody answers.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
/// Longer than any datagram of discovery, so that those which are too long can be told.
const BUFFER: usize = 2048;

impl Driver {
    /// Discovers members through `socket` from now on, if the node is a member itself. A [`Server`](crate::server::Server)
    /// does so by itself if [`Settings::discover`](super::Settings::discover) is there.
    ///
    /// # Errors
    /// See [`DiscoverError`].
    pub fn discover(&self, discover: Discover, socket: UdpSocket) -> Result<(), DiscoverError> {
        let Role::Member(id) = self.inspect(|node| node.config().role.clone()) else {
            return Ok(());
        };
        // Grows from start to start; two starts within a millisecond differ by chance.
        let incarnation = wall().as_millis() << 16 | u64::from(fastrand::u16(..));
        let me =
            Identity::new(id, discover.address, incarnation).map_err(DiscoverError::Identity)?;
        let socket = Async::new(socket).map_err(DiscoverError::Socket)?;
        let clock = self.0.clock;
        let seed = fastrand::u64(..);
        let finder = Finder {
            driver: self.downgrade(),
            clock,
            socket,
            discovery: Discovery::new(me, Vec::new(), seed, clock.now().instant),
            seeds: discover.seeds,
            resolve_at: Instant::now(),
            epoch: None,
        };
        if let Some(task) = self.spawn(finder.run()) {
            task.detach();
        }
        Ok(())
    }

    /// Tells the node where a member was found.
    fn found(&self, member: &Identity) {
        let now = self.0.clock.now();
        let address = member.address.to_string();
        self.0
            .node
            .borrow_mut()
            .handle_found(now, &member.id, &address);
        self.drive(now);
    }
}

impl Finder {
    /// Goes on until the driver is gone.
    async fn run(mut self) {
        let mut buffer = [0; BUFFER];
        loop {
            if self.discovery.is_alone() && self.resolve_at <= Instant::now() {
                self.resolve().await;
            }
            let now = self.clock.now().instant;
            if self.discovery.poll_timeout() <= now {
                self.discovery.handle_timeout(now);
            }
            let Some(driver) = self.driver.upgrade() else {
                return;
            };
            self.tell(&driver);
            drop(driver);
            self.send().await;
            self.take_input(&mut buffer).await;
        }
    }

    /// Waits for a datagram, or until something is due.
    async fn take_input(&mut self, buffer: &mut [u8]) {
        let timer = match self.clock.to_std(self.discovery.poll_timeout()) {
            Some(due) => Timer::at(due),
            None => Timer::never(),
        };
        let received = async { Some(self.socket.recv_from(buffer).await) };
        let due = async {
            timer.await;
            None
        };
        match received.or(due).await {
            Some(Ok((length, from))) => {
                let now = self.clock.now().instant;
                let bytes = buffer.get(..length).unwrap_or_default();
                self.discovery.handle_datagram(now, from, bytes);
            }
            // Of a datagram that could not be delivered; gossip repeats what matters.
            Some(Err(error)) => log::debug!(error:%; "discovery-receive-failed"),
            None => {}
        }
    }

    async fn send(&mut self) {
        while let Some((to, bytes)) = self.discovery.poll_datagram() {
            if let Err(error) = self.socket.send_to(&bytes, to).await {
                log::debug!(to:%, error:%; "discovery-send-failed");
            }
        }
    }

    async fn resolve(&mut self) {
        let mut found = Vec::new();
        for seed in &self.seeds {
            match resolve(seed).await {
                Ok(addresses) => found.extend(addresses),
                Err(error) => log::warn!(seed, error:%, flag = "--discover"; "discovery-bad-seed"),
            }
        }
        self.discovery.set_seeds(found);
        self.resolve_at = Instant::now() + RESOLVE_EVERY;
    }

    /// Tells the node what is new; everything, if it has another member list than before.
    fn tell(&mut self, driver: &Driver) {
        let epoch = driver.inspect(|node| node.membership().epoch);
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            driver.found(self.discovery.identity());
            self.discovery
                .members()
                .for_each(|member| driver.found(member));
        }
        while let Some(news) = self.discovery.poll_news() {
            if let News::Found(member) | News::Restarted(member) = &news {
                driver.found(member);
            }
            report(&news);
        }
    }
}

/// Writes news into the log.
fn report(news: &News) {
    match news {
        News::Found(Identity { id, address, .. }) => {
            log::info!(node = id, address:%; "discovery-found");
        }
        News::Restarted(Identity { id, address, .. }) => {
            log::info!(node = id, address:%; "discovery-restarted");
        }
        News::Gone(Identity { id, address, .. }) => {
            log::info!(node = id, address:%; "discovery-gone");
        }
        News::Alone => {
            log::warn!(hint = "no other member answers; asking the seeds"; "discovery-alone");
        }
        News::NoAnswer { asked } => log::warn!(
            asked = words(asked),
            hint = "asking on. Is one of --discover running, and lets a firewall UDP pass on the port of the members?";
            "discovery-no-answer"
        ),
        News::Junk {
            from,
            reason,
            total,
        } => {
            log::warn!(from:%, reason:%, total:%, hint = "told once a minute"; "discovery-ignored")
        }
        News::TooMany => log::warn!(
            hint = "more members were told of than there can be, so all were forgotten: keep strangers away from the \
             members' UDP port";
            "discovery-too-many"
        ),
    }
}

fn words(addresses: &[SocketAddr]) -> String {
    let words: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    words.join(", ")
}
