//! How much the thread of a driver works: what tells a process that was busy from one that was stopped.

use std::time::Duration;

/// The processor time of one thread, since it was last asked for.
#[derive(Default)]
pub(super) struct Effort {
    /// As the system counts it, from the start of the thread.
    counted: Option<Duration>,
}

impl Effort {
    /// The processor time of this thread since this was last called on it; nothing where the system does not tell. One
    /// system call.
    pub(super) fn since_last(&mut self) -> Duration {
        let now = thread_time();
        let before = self.counted.replace(now);
        now.saturating_sub(before.unwrap_or(now))
    }
}

#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
const fn thread_time() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn work_is_counted_and_sleep_is_not() {
        let mut effort = Effort::default();
        assert_eq!(effort.since_last(), Duration::ZERO);
        std::thread::sleep(Duration::from_millis(200));
        let slept = effort.since_last();
        let (start, mut sum) = (Instant::now(), Duration::ZERO);
        while cfg!(target_os = "linux") && sum < Duration::from_millis(100) {
            sum += effort.since_last();
            assert!(start.elapsed() < Duration::from_secs(30), "{sum:?}");
        }
        assert!(slept < Duration::from_millis(100), "{slept:?}");
    }
}
