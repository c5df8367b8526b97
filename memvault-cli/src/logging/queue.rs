//! Lines on their way to standard error.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that wait for a thread to write them: who logs never waits for the reader of the log.
///
/// Limits: `max_bytes`, beside the lines that are being written, at most [`BATCH`] or one line. What finds no room is
/// counted and dropped.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// There is something to write, or to be done at another time than before.
    has_news: Condvar,
    /// Something was written.
    has_written: Condvar,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    is_writing: bool,
    /// Lines that found no room, and were not told of yet.
    dropped: u64,
}

impl Queue {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            has_news: Condvar::new(),
            has_written: Condvar::new(),
            max_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Lines are as good after a panic as before.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line, or counts it as dropped. O(length); never waits for the reader.
    pub(super) fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > self.max_bytes {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_vec());
        self.has_news.notify_one();
    }

    /// How many lines were dropped since the last time, if there is room to tell of them.
    pub(super) fn take_dropped(&self) -> Option<u64> {
        let mut waiting = self.lock();
        let has_room = waiting.bytes + ROOM_TO_TELL <= self.max_bytes;
        (has_room && waiting.dropped > 0).then(|| std::mem::take(&mut waiting.dropped))
    }

    /// Has the writing thread look what is due.
    pub(super) fn wake(&self) {
        self.has_news.notify_one();
    }

    /// Waits until there are lines or `until` has come, and gives some to the writing thread.
    pub(super) fn next(&self, until: Option<Instant>) -> Vec<u8> {
        let mut waiting = self.lock();
        waiting.is_writing = false;
        self.has_written.notify_all();
        if waiting.lines.is_empty() {
            waiting = match until {
                None => self
                    .has_news
                    .wait(waiting)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    let waited = self.has_news.wait_timeout(waiting, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let mut batch = Vec::new();
        while let Some(line) = waiting.lines.front()
            && (batch.is_empty() || batch.len() + line.len() <= BATCH)
        {
            batch.extend_from_slice(line);
            waiting.bytes -= line.len();
            waiting.lines.pop_front();
        }
        waiting.is_writing = !batch.is_empty();
        batch
    }

    /// Waits until all is written, but not for longer than this.
    pub(super) fn drain(&self, patience: Duration) {
        let waiting = self.lock();
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        // Whether it was in time changes nothing.
        let _ = self
            .has_written
            .wait_timeout_while(waiting, patience, is_busy);
    }
}

/// Writes bytes to `out`; what cannot be written is lost.
pub(super) fn write(out: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Someone who shares it wants no waiting.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            // The reader is gone.
            Err(_) => return,
        }
    }
}

/// Most bytes that are written at once, unless one line is longer.
const BATCH: usize = 64 << 10;
/// Longer than the line that tells how many were dropped.
const ROOM_TO_TELL: usize = 256;
/// Pause before a reader that takes nothing is tried again.
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_in_their_order_and_what_finds_no_room_is_counted() {
        let queue = Queue::new(1000);
        for number in 0..10 {
            queue.push(format!("{number}{}\n", "x".repeat(98)).as_bytes());
        }
        queue.push(b"one more\n");
        queue.push(b"and another\n");
        assert_eq!(queue.take_dropped(), None, "there is no room to tell of it");
        let batch = queue.next(None);
        assert_eq!(batch.len(), 1000);
        let lines = batch.split(|byte| *byte == b'\n');
        let firsts: Vec<u8> = lines.filter_map(|line| line.first().copied()).collect();
        assert_eq!(firsts, b"0123456789");
        assert_eq!(queue.take_dropped(), Some(2));
        assert_eq!(queue.take_dropped(), None);
    }

    #[test]
    fn a_long_line_is_written_by_itself_and_the_end_waits_for_it_for_so_long() {
        let queue = Queue::new(1 << 20);
        queue.push(&[b'a'; 100_000]);
        queue.push(&[b'b'; 10]);
        assert_eq!(queue.next(None).len(), 100_000);
        // Nobody goes on writing.
        queue.drain(Duration::from_millis(20));
        assert_eq!(queue.next(None).len(), 10);
        assert!(queue.next(Some(Instant::now())).is_empty());
        queue.drain(Duration::from_secs(3600));
    }
}
