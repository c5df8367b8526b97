//! The log: one line for each event on standard error, with its time, as text or as JSON.
//!
//! The message of a record of ours is the name of an event, such as `listening`; what else there is to tell are
//! the record's key-value pairs. So both forms say the same, and nothing has to be taken apart again.
//!
//! Servers never wait for the reader of their log, and what repeats is summed up: see [`patient`].

mod child;
mod floods;
mod json;
mod patient;
mod queue;
mod text;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::panic;
use std::sync::OnceLock;
use std::time::Duration;

use log::LevelFilter;

use crate::args::{Cli, Command};
use crate::error::Error;
use crate::output;

pub(crate) use child::{ChildLog, is_error};
use patient::{Limits, Patient};

/// The log of a process that goes on; none for one that answers a question.
static PATIENT: OnceLock<&Patient> = OnceLock::new();

/// How long the end of a process waits for what it has logged to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people: `2026-11-24T09:30:00.123Z INFO  up node=a state=serving`.
    #[default]
    Text,
    /// For programs: the same as an object of JSON on a line of its own.
    Json,
}

/// What of the log was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// `None` unless it was said.
    pub(crate) level: Option<LevelFilter>,
    pub(crate) format: LogFormat,
    /// Lines of one event in a while; 0 for no limit.
    pub(crate) repeats: u64,
    /// Bytes that wait for the reader.
    pub(crate) buffer: usize,
}

impl LogFormat {
    /// Reads the name, as users write it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let all = [Self::Text, Self::Json];
        let found = all.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| "expected text or json".to_owned())
    }

    /// The name, as users write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Starts logging.
pub(crate) fn start(cli: &Cli) {
    let format = cli.log_format;
    let level = cli.log_level;
    let level = level.unwrap_or_else(|| usual_level(&cli.command, format));
    let mut logger = env_logger::Builder::new();
    logger
        .filter_level(level)
        // The libraries below log what only their authors understand.
        .filter_module("polling", level.min(LevelFilter::Warn))
        .filter_module("async_io", level.min(LevelFilter::Warn))
        .filter_module("rustyline", level.min(LevelFilter::Warn));
    if cli.log_level.is_none() && starts_servers(&cli.command) {
        // The servers that it starts tell the same of each other.
        logger.filter_module("memvault_net", LevelFilter::Off);
    }
    match format {
        LogFormat::Text => logger.format(text::write),
        LogFormat::Json => logger.format(json::write),
    };
    let goes_on = matches!(
        cli.command,
        Command::Serve(_) | Command::Gateway(_) | Command::Up(_)
    );
    if !goes_on {
        logger.init();
    } else if let Err(error) = start_patient(logger, cli) {
        output::note(format_args!("nothing is logged: {error}"));
    }
    if format == LogFormat::Json && level > LevelFilter::Off {
        panic::set_hook(Box::new(log_panic));
    } else if goes_on {
        panic::set_hook(Box::new(note_panic));
    }
}

fn start_patient(logger: env_logger::Builder, cli: &Cli) -> std::io::Result<()> {
    let repeats = cli.log_repeats;
    let limits = Limits {
        buffer: cli.log_buffer,
        repeats: (repeats > 0).then_some(repeats),
    };
    let patient = Patient::start(logger, limits)?;
    let patient = *PATIENT.get_or_init(|| patient);
    log::set_max_level(patient.level());
    log::set_logger(patient).map_err(std::io::Error::other)
}

/// Writes a line to standard error: in its place within the log, and without waiting for its reader, if there is a
/// log.
pub(crate) fn note(line: impl Display) {
    match PATIENT.get() {
        Some(patient) => patient.note(&line.to_string()),
        None => output::note(line),
    }
}

/// Sees to it that all that was logged is written before the process ends, unless nobody reads it.
pub(crate) fn finish() {
    if let Some(patient) = PATIENT.get() {
        patient.finish(LAST_WORDS);
    }
}

/// Says why the command has failed, in the log where that is what programs read.
pub(crate) fn tell_failure(cli: &Cli, error: &Error) {
    let is_server = matches!(cli.command, Command::Serve(_) | Command::Gateway(_));
    let is_logged = is_server || starts_servers(&cli.command);
    if cli.log_format == LogFormat::Json && is_logged && log::log_enabled!(log::Level::Error) {
        return log::error!(error:%; "failed");
    }
    let label = output::Style::of_stderr().red("error:");
    note(format_args!("{label} {error}"));
}

/// Servers tell what happens to them; a question is answered without comment.
const fn usual_level(command: &Command, format: LogFormat) -> LevelFilter {
    match (command, format) {
        (Command::Serve(_) | Command::Gateway(_), _) => LevelFilter::Info,
        // As text what they say goes without time and level.
        (Command::Up(_) | Command::Demo(_), LogFormat::Text) => LevelFilter::Off,
        (Command::Up(_) | Command::Demo(_), LogFormat::Json) => LevelFilter::Info,
        _ => LevelFilter::Error,
    }
}

const fn starts_servers(command: &Command) -> bool {
    matches!(command, Command::Up(_) | Command::Demo(_))
}

/// A panic is an event, too.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    log::error!(
        text = text(info.payload()),
        location = info.location().map(ToString::to_string),
        thread = thread.name();
        "panic"
    );
    // The process may end with it.
    finish();
}

/// The same as text, as the standard library says it: its reader may stand still.
fn note_panic(info: &panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let text = text(info.payload());
    note(format_args!(
        "\nthread '{name}' panicked at {place}:\n{text}"
    ));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        note(format_args!("stack backtrace:\n{backtrace}"));
    }
    finish();
}

/// What a panic says: a text, unless it was started with something else.
fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(owned).unwrap_or("no text")
}

/// Whether the message of a record is the name of an event: it is in what this project logs, and not in what
/// the libraries below do.
fn is_event(record: &log::Record<'_>) -> bool {
    record.target().starts_with("memvault")
}
