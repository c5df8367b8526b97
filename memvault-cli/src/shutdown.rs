//! When a process that would go on has to end.

use std::io::{self, Read};
use std::process;
use std::thread;

use async_signal::{Signal, Signals};
use futures_lite::StreamExt;
use smol::channel::{self, Receiver, Sender};

use crate::error::Error;
use crate::logging;

/// What SIGHUP does, which the system sends when the terminal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnHangUp {
    /// It is a reason to end.
    End,
    /// It is noted in the log. A user whose terminal is gone need not have meant the server to end, and one who
    /// sends the signal to have settings read again has none to read.
    GoOn,
}

/// Begins to watch for SIGINT and SIGTERM, and with `with_stdin` for the end of standard input.
///
/// The reason arrives in the channel. A second signal ends the process at once.
pub(crate) fn watch(
    with_stdin: bool,
    on_hang_up: OnHangUp,
) -> Result<Receiver<&'static str>, Error> {
    let (sender, receiver) = channel::unbounded();
    let signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])
        .map_err(|error| Error::failed(format_args!("cannot watch for signals: {error}")))?;
    let by_signal = sender.clone();
    thread::spawn(move || smol::block_on(watch_signals(signals, on_hang_up, &by_signal)));
    if with_stdin {
        thread::spawn(move || {
            drain(&mut io::stdin().lock());
            // Nobody waits any more if the server has ended meanwhile.
            let _ = sender.try_send("standard input closed");
        });
    }
    Ok(receiver)
}

async fn watch_signals(mut signals: Signals, on_hang_up: OnHangUp, sender: &Sender<&'static str>) {
    let mut is_first = true;
    while let Some(signal) = signals.next().await {
        if on_hang_up == OnHangUp::GoOn && matches!(signal, Ok(Signal::Hup)) {
            log::info!(
                signal = "SIGHUP",
                hint = "the server goes on: SIGTERM ends it, and its settings are changed by CONFIG SET or a new start";
                "signal-ignored"
            );
            continue;
        }
        if !is_first {
            log::warn!("stopping-at-once");
            logging::finish();
            process::exit(1);
        }
        is_first = false;
        let reason = match signal {
            Ok(Signal::Int) => "SIGINT",
            Ok(Signal::Hup) => "SIGHUP",
            _ => "SIGTERM",
        };
        // As above.
        let _ = sender.try_send(reason);
    }
}

/// Reads to the end, or to an error that will not go away.
fn drain(input: &mut impl Read) {
    let mut chunk = [0; 256];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
