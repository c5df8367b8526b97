//! `bench`: a load generator for any RESP server.
//!
//! ```text
//! Workload --batch--> Connection --> server --> replies counted by Connection --> Tally --> Report
//!          keys by Zipf          one thread polls many               latencies
//! ```
//!
//! Cost: two system calls for each batch, one `poll` for all connections that are ready at a time.

mod connection;
mod report;
mod tally;
mod worker;
mod workload;
mod zipf;

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::bench::Bench;
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::link;
use crate::output::{self, Style};
use crate::query::server_address;
use report::Report;
use tally::Tally;
use worker::Run;

/// Runs the subcommand. The exit code is 1 if a reply was an error.
pub(crate) fn run(args: &Bench) -> Outcome {
    let server = server_address(args.server.as_deref())?;
    let streams = connect(args, &server)?;
    if args.data.fill {
        let (tally, _) = measure(args, &server, &streams, true)?;
        if let Some(text) = &tally.first_error {
            return Err(Error::failed(format_args!(
                "{server}: {} of {} keys were refused while filling, the first with: {text}",
                output::grouped(tally.errors),
                output::grouped(args.data.keys as u64)
            )));
        }
    }
    let (tally, took) = measure(args, &server, &streams, false)?;
    let report = Report::new(args, server, &tally, took);
    if args.json {
        output::json(&report);
    } else {
        let columns = output::columns().unwrap_or(usize::MAX);
        output::write(report.to_text(Style::of_stdout(), columns).as_bytes());
    }
    if let Some(text) = &tally.first_error {
        output::note(format_args!("first error: {text}"));
    }
    Ok(if tally.errors == 0 { OK } else { NOT_FOUND })
}

/// Opens the connections of each thread.
fn connect(args: &Bench, server: &str) -> Result<Vec<Vec<TcpStream>>, Error> {
    let load = &args.load;
    let threads = load.threads.min(load.connections);
    let addresses = link::resolve(server)
        .map_err(|error| Error::failed(format_args!("{server}: unknown host: {error}")))?;
    let mut last = None;
    for address in addresses {
        let share = |thread| (load.connections + thread) / threads;
        let all = (0..threads).map(|thread| worker::connect(address, share(thread), load.timeout));
        match all.collect::<io::Result<Vec<_>>>() {
            Ok(streams) => return Ok(streams),
            Err(error) => last = Some(error),
        }
    }
    let reason = last.map_or_else(|| "no address".to_owned(), |error| error.to_string());
    Err(Error::failed(format_args!(
        "{server}: cannot open {} connections: {reason}; is the server running, and is its limit high enough?",
        load.connections
    )))
}

/// Runs all threads once and adds up what they counted.
fn measure(
    args: &Bench,
    server: &str,
    streams: &[Vec<TcpStream>],
    fills: bool,
) -> Result<(Tally, Duration), Error> {
    let run = plan(args, fills);
    let bar = progress(args, &run);
    let began = Instant::now();
    let (tally, took, result) = thread::scope(|scope| {
        let threads: Vec<_> = streams
            .iter()
            .enumerate()
            .map(|(number, streams)| {
                let run = &run;
                scope.spawn(move || worker::work(run, number, streams))
            })
            .collect();
        let limit = args.load.duration.filter(|_| !fills);
        while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(20));
            show(&bar, &run, began.elapsed(), limit);
            if limit.is_some_and(|limit| began.elapsed() >= limit) {
                run.stop.store(true, Ordering::Relaxed);
            }
        }
        let took = began.elapsed();
        let mut tally = Tally::new();
        let mut result = Ok(());
        for thread in threads {
            let panicked = |_| (Tally::new(), Err(io::Error::other("a thread panicked")));
            let (counted, ended) = thread.join().unwrap_or_else(panicked);
            tally.add(&counted);
            result = result.and(ended);
        }
        (tally, took, result)
    });
    result.map_err(|error| lost(server, run.done.load(Ordering::Relaxed), &tally, &error))?;
    bar.finish_and_clear();
    Ok((tally, took))
}

fn plan(args: &Bench, fills: bool) -> Run {
    let by_clock = args.load.duration.is_some() && !fills;
    Run {
        data: args.data.clone(),
        pipeline: args.load.pipeline,
        timeout: args.load.timeout,
        fills,
        requests: match args.load.requests {
            _ if fills => args.data.keys as u64,
            _ if by_clock => u64::MAX / 2,
            requests => requests.unwrap_or(DEFAULT_REQUESTS) as u64,
        },
        begun: AtomicU64::new(0),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    }
}

const DEFAULT_REQUESTS: usize = 100_000;

fn lost(server: &str, done: u64, tally: &Tally, error: &io::Error) -> Error {
    let reason = match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
            "the server closed a connection".to_owned()
        }
        _ => error.to_string(),
    };
    let said = tally.first_error.as_ref();
    let said = said.map_or_else(String::new, |text| format!(" (the server said: {text})"));
    Error::failed(format_args!(
        "{server}: {reason} after {} replies{said}; the measurement is void",
        output::grouped(done)
    ))
}

/// A bar on standard error, if that is a terminal.
fn progress(args: &Bench, run: &Run) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(if run.requests > u64::MAX / 4 {
        1000
    } else {
        run.requests
    });
    // What stands beside the bar takes 50 columns.
    let width = output::columns()
        .unwrap_or(80)
        .saturating_sub(50)
        .clamp(5, 30);
    let template = format!("{{prefix:>8}} {{bar:{width}}} {{percent:>3}} %  {{wide_msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("██░"));
    }
    bar.set_prefix(if run.fills { "filling" } else { "running" });
    bar
}

fn show(bar: &ProgressBar, run: &Run, elapsed: Duration, limit: Option<Duration>) {
    let done = run.done.load(Ordering::Relaxed);
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    bar.set_position(match limit {
        Some(limit) => (elapsed.as_secs_f64() / limit.as_secs_f64() * 1000.0) as u64,
        None => done,
    });
    bar.set_message(format!(
        "{} requests, {} /s",
        output::grouped(done),
        output::grouped(rate as u64)
    ));
}
