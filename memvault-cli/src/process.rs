//! Child processes: this same binary, started again as a server.
//!
//! A child never outlives its parent: it holds the reading end of a pipe whose writing end only the parent
//! has, and ends when the pipe closes, however the parent ended (see `--end-with-stdin` of `serve`).

use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A child; killed when dropped.
pub(crate) struct Process {
    /// How messages call it.
    pub(crate) name: String,
    child: Child,
    /// Closing it asks the child to end.
    lifeline: Option<ChildStdin>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts this binary with these arguments; `log` gets each line that it writes to standard error.
    ///
    /// The child has a process group of its own, so that Ctrl-C on the terminal reaches the parent alone.
    pub(crate) fn start(
        name: String,
        args: &[String],
        log: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(args)
            .arg("--end-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let lifeline = child.stdin.take();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || {
                let mut lines = BufReader::new(stderr);
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                    log(String::from_utf8_lossy(&line).trim_end());
                    line.clear();
                }
            });
        }
        Ok(Self {
            name,
            child,
            lifeline,
            status: None,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Kills it at once, with SIGKILL.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.status = Some(self.child.wait()?);
        Ok(())
    }

    /// Asks it to finish what it has begun and end.
    fn ask_to_end(&mut self) {
        self.lifeline = None;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // It may have ended this very moment; then there is nothing to kill.
            let _ = self.kill();
        }
    }
}

/// Asks all to end, and kills those that have not after five seconds.
pub(crate) fn end_all(processes: &mut Vec<Process>) {
    const PATIENCE: Duration = Duration::from_secs(5);
    processes.iter_mut().for_each(Process::ask_to_end);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline
        && processes
            .iter_mut()
            .any(|process| process.ended().is_none())
    {
        thread::sleep(Duration::from_millis(10));
    }
    processes.clear();
}

/// How a process ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(9)) => "killed by signal 9, SIGKILL".to_owned(),
        (None, Some(15)) => "killed by signal 15, SIGTERM".to_owned(),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}
