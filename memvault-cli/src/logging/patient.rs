//! [`Patient`]: a logger that never has its callers wait.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use env_logger::{Builder, Target, WriteStyle};
use log::kv::{Key, Value, VisitSource};
use log::{Level, Log, Metadata, Record};

use super::floods::{Floods, Verdict, WINDOW};
use super::queue::{Queue, write};
use crate::output::Style;

/// How much of a log there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes that may wait to be written.
    pub(super) buffer: usize,
    /// Events of one kind in ten seconds; `None` for any number.
    pub(super) repeats: Option<u64>,
}

/// Formats on the thread of the caller, as what is logged is only there; has another write, as the reader of a log may
/// stand still.
#[derive(Debug)]
pub(super) struct Patient {
    formatter: env_logger::Logger,
    queue: &'static Queue,
    floods: Mutex<Floods>,
}

/// Where the formatter writes.
struct Inlet(&'static Queue);

impl io::Write for Inlet {
    /// Takes a whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Patient {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start(mut formatter: Builder, limits: Limits) -> io::Result<&'static Self> {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new(limits.buffer)));
        let style = match Style::of_stderr().has_colours() {
            true => WriteStyle::Always,
            false => WriteStyle::Never,
        };
        formatter
            .write_style(style)
            .target(Target::Pipe(Box::new(Inlet(queue))));
        let logger: &'static Self = Box::leak(Box::new(Self {
            formatter: formatter.build(),
            queue,
            floods: Mutex::new(Floods::new(limits.repeats)),
        }));
        let writing = thread::Builder::new().name("log".to_owned());
        writing.spawn(|| logger.write_all())?;
        Ok(logger)
    }

    /// The most severe level that is logged at all.
    pub(super) fn level(&self) -> log::LevelFilter {
        self.formatter.filter()
    }

    /// Writes for ever.
    fn write_all(&self) {
        // Not by way of the handle that all threads share: it would be locked while the reader stands still.
        let own = io::stderr().as_fd().try_clone_to_owned();
        let mut out = own.map_or_else(
            |_| Box::new(io::stderr()) as Box<dyn io::Write>,
            |own| Box::new(std::fs::File::from(own)),
        );
        loop {
            let due = self.floods().due();
            let batch = self.queue.next(due);
            write(&mut out, &batch);
            self.tell_dropped();
            self.sum_up(Some(Instant::now()));
        }
    }

    /// Adds a line that is no event.
    pub(super) fn note(&self, line: &str) {
        self.tell_dropped();
        self.queue.push(format!("{line}\n").as_bytes());
    }

    /// Sums up what was held back, and waits until all is written, but not for longer than this.
    pub(super) fn finish(&self, patience: Duration) {
        self.sum_up(None);
        self.tell_dropped();
        self.queue.drain(patience);
    }

    fn floods(&self) -> MutexGuard<'_, Floods> {
        // Counts are as good after a panic as before.
        self.floods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the record is one of those that are told, and not only counted.
    fn is_told(&self, record: &Record<'_>) -> bool {
        // Anyone who wants to know what each client does is told.
        if record.level() > Level::Info {
            return true;
        }
        let text = record.args().to_string();
        let name = if super::is_event(record) {
            &text
        } else {
            record.target()
        };
        let node = record.key_values().get(Key::from_str("node"));
        let node = node.map(|node| node.to_string());
        let fields = || fields_of(record);
        let verdict = self
            .floods()
            .judge(Instant::now(), record.level(), name, node, fields);
        if verdict == Verdict::BeginToHold {
            self.queue.wake();
        }
        verdict == Verdict::Tell
    }

    fn tell_dropped(&self) {
        let Some(lines) = self.queue.take_dropped() else {
            return;
        };
        if self.level() < Level::Warn {
            // What passes through here is not logged by this process.
            let text = format!("{lines} lines are missing here: nobody read them in time\n");
            return self.queue.push(text.as_bytes());
        }
        let fields = [("lines", Value::from(lines))];
        self.tell(Level::Warn, format_args!("log-lines-dropped"), &fields);
    }

    fn sum_up(&self, now: Option<Instant>) {
        let sums = self.floods().sum_up(now);
        for sum in sums {
            let mut fields = vec![("what", Value::from(&*sum.name))];
            fields.extend(sum.node.as_deref().map(|node| ("node", node.into())));
            fields.push(("more", sum.more.into()));
            fields.push(("in_seconds", WINDOW.as_secs().into()));
            if !sum.last.is_empty() {
                fields.push(("last", Value::from(&*sum.last)));
            }
            self.tell(sum.level, format_args!("repeated"), &fields);
        }
    }

    /// Logs an event of its own.
    fn tell(&self, level: Level, name: std::fmt::Arguments<'_>, fields: &[(&str, Value<'_>)]) {
        self.formatter.log(
            &Record::builder()
                .level(level)
                .target(module_path!())
                .args(name)
                .key_values(&fields)
                .build(),
        );
    }
}

/// The fields of a record but for the node, which is told by itself.
fn fields_of(record: &Record<'_>) -> String {
    struct Fields(String);
    impl<'a> VisitSource<'a> for Fields {
        fn visit_pair(&mut self, key: Key<'a>, value: Value<'a>) -> Result<(), log::kv::Error> {
            if key.as_str() != "node" {
                let blank = if self.0.is_empty() { "" } else { " " };
                self.0 += &format!("{blank}{key}={value}");
            }
            Ok(())
        }
    }
    let mut fields = Fields(String::new());
    // What a field cannot say is left out of the sum, as it is out of a line.
    let _ = record.key_values().visit(&mut fields);
    fields.0
}

impl Log for Patient {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.formatter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.formatter.matches(record) && self.is_told(record) {
            self.tell_dropped();
            self.formatter.log(record);
        }
    }

    fn flush(&self) {}
}
