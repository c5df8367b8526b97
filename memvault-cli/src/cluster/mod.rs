//! `memvault cluster`: shows and changes the members of a running cluster.

pub(crate) mod status;

use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use memvault::resp::Reply;

use crate::args::members::{Action, Add, Ask, Cluster, Remove};
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::link::Link;
use crate::query::server_address;
use status::Status;

/// Runs the subcommand.
pub(crate) fn run(args: &Cluster) -> Outcome {
    match &args.action {
        Action::Add(args) => add(args),
        Action::Remove(args) => remove(args),
        Action::Status(args) => {
            let status = Status::of(&mut connect(&args.ask)?)?;
            status.print(args.ask.json);
            Ok(OK)
        }
    }
}

fn add(args: &Add) -> Outcome {
    let (id, weight) = (&args.node.id, args.weight.to_string());
    let words = ["ADD", id, &args.node.address, &weight];
    change(&args.ask, args.wait.wait, &words, |status| {
        status.has_member(id)
    })
}

fn remove(args: &Remove) -> Outcome {
    let words = ["REMOVE", &args.id];
    change(&args.ask, args.wait.wait, &words, |status| {
        !status.has_member(&args.id)
    })
}

/// Begins a change and, if asked to, waits for its end.
fn change(ask: &Ask, waits: bool, words: &[&str], is_done: impl Fn(&Status) -> bool) -> Outcome {
    let mut link = connect(ask)?;
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    request(&mut link, &words)?;
    let status = if waits {
        wait(&mut link)?
    } else {
        Status::of(&mut link)?
    };
    status.print(ask.json);
    Ok(if !waits || is_done(&status) {
        OK
    } else {
        NOT_FOUND
    })
}

/// Asks again and again until no change is under way and those that are left serve.
fn wait(link: &mut Link) -> Result<Status, Error> {
    let bar = ProgressBar::new(1000);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {percent:>3} %") {
        bar.set_style(style.progress_chars("██░"));
    }
    let mut done = 0;
    loop {
        let status = Status::of(link)?;
        if let Some((change, permille)) = status.progress() {
            done = 0;
            bar.set_message(change);
            bar.set_position(permille);
        } else if status.all_serve() {
            done += 1;
            if done == LOOKS {
                bar.finish_and_clear();
                return Ok(status);
            }
        } else {
            done = 0;
            bar.set_message("the others catch up");
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// One look may be of a time when members had not yet told what they do.
const LOOKS: usize = 3;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

fn connect(ask: &Ask) -> Result<Link, Error> {
    let address = server_address(ask.server.as_deref())?;
    Link::connect(&address, ask.timeout).map_err(Error::failed)
}

/// Sends `MEMVAULT.CLUSTER` with these arguments; an error reply is an error.
fn request(link: &mut Link, words: &[&[u8]]) -> Result<Reply, Error> {
    let mut command: Vec<&[u8]> = vec![b"MEMVAULT.CLUSTER"];
    command.extend(words);
    match link.request(&command).map_err(Error::failed)? {
        Reply::Error(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            let text = text.strip_prefix("ERR ").unwrap_or(&text);
            Err(Error::failed(format_args!("{}: {text}", link.address())))
        }
        reply => Ok(reply),
    }
}
