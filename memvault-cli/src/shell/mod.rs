//! `shell`: commands typed by a person, or piped in.

mod assistant;
mod catalogue;
mod raw;
mod session;
mod words;

use std::env;
use std::io::{self, BufRead, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use rustix::termios::{QueueSelector, tcflush};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::args::query::Shell;
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::output::{self, Style};
use crate::query::server_address;
use assistant::Assistant;
use session::{Answer, Session};

/// Runs the subcommand.
pub(crate) fn run(args: &Shell) -> Outcome {
    let servers = match &args.target.cluster {
        Some(members) => members.0.iter().map(|node| node.address.clone()).collect(),
        None => vec![server_address(args.target.server.as_deref())?],
    };
    let session = Session::connect(servers, args.target.timeout)?;
    if io::stdin().is_terminal() {
        converse(session)
    } else {
        execute_lines(session)
    }
}

/// Reads lines from a person until Ctrl-D or `exit`.
fn converse(mut session: Session) -> Outcome {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .max_history_size(HISTORY)
        .map_err(cannot_edit)?
        .build();
    let mut editor: Editor<Assistant, FileHistory> =
        Editor::with_config(config).map_err(cannot_edit)?;
    editor.set_helper(Some(Assistant::new()));
    let history = history_file();
    if let Some(file) = &history {
        // There is none before the first time.
        let _ = editor.load_history(file);
    }
    output::line(format_args!(
        "Connected to {}. Tab completes, help lists the commands, Ctrl-D leaves.",
        session.prompt()
    ));
    'typing: loop {
        let text = match editor.readline(&format!("{}> ", session.prompt())) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) if is_no_text(&error) => {
                // What was pasted behind it is no command of its own.
                let _ = tcflush(io::stdin(), QueueSelector::IFlush);
                problem(NO_TEXT);
                continue;
            }
            Err(error) => return Err(cannot_edit(error)),
        };
        keep(&mut editor, history.as_deref());
        // What was pasted may have several lines.
        for line in text.lines() {
            match session.execute(line.as_bytes()) {
                Answer::Nothing => {}
                Answer::Leave => break 'typing,
                Answer::Text(text) => output::line(text),
                Answer::Reply(reply) => output::line(reply),
                Answer::Problem(text) => problem(&text),
            }
        }
    }
    Ok(OK)
}

/// Adds what was typed to the file, which other shells add to as well.
fn keep(editor: &mut Editor<Assistant, FileHistory>, file: Option<&Path>) {
    if let Some(file) = file
        && let Err(error) = editor.append_history(file)
    {
        problem(&format!(
            "cannot keep the history in {}: {error}",
            file.display()
        ));
    }
}

/// Whether bytes were typed that are not UTF-8.
fn is_no_text(error: &ReadlineError) -> bool {
    matches!(error, ReadlineError::Io(error) if error.kind() == ErrorKind::InvalidData)
}

const NO_TEXT: &str = "the line is not UTF-8 and was dropped: write such bytes within quotes, as \"\\xff\", or \
                       pipe them in";

/// Lines of the history that are kept.
const HISTORY: usize = 1000;

/// Executes the lines of standard input; replies are printed without decoration, as redis-cli does.
fn execute_lines(mut session: Session) -> Outcome {
    let mut code = OK;
    for line in io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| Error::failed(format_args!("standard input: {error}")))?;
        match session.execute(&line) {
            Answer::Nothing => {}
            Answer::Leave => break,
            Answer::Text(text) => output::line(text),
            Answer::Reply(reply) => {
                if reply.error_text().is_some() {
                    code = NOT_FOUND;
                }
                output::write(&raw::line(&reply));
            }
            Answer::Problem(text) => {
                code = NOT_FOUND;
                problem(&text);
            }
        }
    }
    Ok(code)
}

fn problem(text: &str) {
    let label = Style::of_stderr().red("error:");
    output::note(format_args!("{label} {text}"));
}

fn cannot_edit(error: ReadlineError) -> Error {
    Error::failed(format_args!("cannot read from the terminal: {error}"))
}

/// Where typed lines are kept; nowhere without a home directory.
fn history_file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = set("MEMVAULT_HISTORY") {
        return Some(file.into());
    }
    Some(PathBuf::from(set("HOME")?).join(".memvault_history"))
}
