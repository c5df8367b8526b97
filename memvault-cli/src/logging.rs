//! The log: one line for each event on standard error, with its time.

use std::io::Write;

use env_logger::fmt::Formatter;
use log::{LevelFilter, Record};

use crate::args::{Cli, Command};

/// Starts logging.
pub(crate) fn start(cli: &Cli) {
    let level = cli.log_level.unwrap_or_else(|| usual_level(&cli.command));
    env_logger::Builder::new()
        .filter_level(level)
        // The libraries below log what only their authors understand.
        .filter_module("polling", level.min(LevelFilter::Warn))
        .filter_module("async_io", level.min(LevelFilter::Warn))
        .filter_module("rustyline", level.min(LevelFilter::Warn))
        .format(write)
        .init();
}

/// Servers tell what happens to them; a question is answered without comment.
const fn usual_level(command: &Command) -> LevelFilter {
    match command {
        Command::Serve(_) | Command::Gateway(_) => LevelFilter::Info,
        Command::Up(_) | Command::Demo(_) => LevelFilter::Off,
        _ => LevelFilter::Error,
    }
}

/// `2026-11-24T09:30:00.123Z INFO  text`; line ends within the text are escaped.
fn write(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let level = record.level();
    let style = out.default_level_style(level);
    let text = record.args().to_string();
    let text = text.replace('\r', "\\r").replace('\n', "\\n");
    writeln!(
        out,
        "{} {style}{level:<5}{style:#} {text}",
        out.timestamp_millis()
    )
}
