//! What happens to the nodes, for anyone who wants to know.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use async_channel::{Receiver, Sender};
use futures_lite::Stream;
use memvault::replication::Event;

/// Something that happened to a node, and when.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterEvent {
    /// When this client noticed it.
    pub at: SystemTime,
    /// What happened.
    pub event: Event,
}

/// A stream of [`ClusterEvent`]s, from its creation to the end of the client.
///
/// A reader that falls more than [`CAPACITY`](Self::CAPACITY) events behind loses the oldest.
#[derive(Debug)]
pub struct Events(Pin<Box<Receiver<ClusterEvent>>>);

impl Events {
    /// How many events wait for their reader.
    pub const CAPACITY: usize = 1024;
}

impl Stream for Events {
    type Item = ClusterEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClusterEvent>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Everyone who reads events.
#[derive(Default)]
pub(super) struct Subscribers(Mutex<Vec<Sender<ClusterEvent>>>);

impl Subscribers {
    pub(super) fn subscribe(&self) -> Events {
        let (sender, receiver) = async_channel::bounded(Events::CAPACITY);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(sender);
        Events(Box::pin(receiver))
    }

    /// Tells everyone; forgets those who no longer listen. O(readers).
    pub(super) fn publish(&self, event: &Event) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = SystemTime::now();
        all.retain(|reader| {
            let event = event.clone();
            reader.force_send(ClusterEvent { at, event }).is_ok()
        });
    }
}
