//! The terminal while `top` runs: keys come in, screens go out, and it is left as it was found.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::poll::Poller;
use super::sample::Sample;
use super::screen::{self, View};
use super::state::State;
use super::table::Column;
use crate::error::{Error, OK, Outcome};
use crate::shutdown::{self, OnHangUp};

/// Shows what is going on until the person at the terminal has seen enough.
pub(super) fn watch(interval: Duration, poller: Poller) -> Outcome {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Error::usage(
            "top needs a terminal for its screen and its keys: use --once for one table, --json for one document",
        ));
    }
    let told_to_end = shutdown::watch(false, OnHangUp::End)?;
    // A panic gives the terminal back, too, before it says what it has to say.
    let mut terminal = ratatui::try_init()
        .map_err(|error| Error::failed(format_args!("the terminal cannot be used: {error}")))?;
    let samples = start(poller, interval);
    let mut watching = Watching {
        state: State::default(),
        view: View {
            interval,
            ..View::default()
        },
    };
    let result = watching.run(&mut terminal, &samples, || !told_to_end.is_empty());
    ratatui::restore();
    result.map_err(|error| Error::failed(format_args!("top cannot go on: {error}")))?;
    Ok(OK)
}

/// Asks the nodes again and again, on a thread of its own: a silent node does not hold up the keys.
fn start(mut poller: Poller, interval: Duration) -> Receiver<Sample> {
    let (sender, samples) = mpsc::channel();
    thread::spawn(move || {
        while sender.send(poller.sample()).is_ok() {
            thread::sleep(interval);
        }
    });
    samples
}

struct Watching {
    state: State,
    view: View,
}

impl Watching {
    fn run(
        &mut self,
        terminal: &mut DefaultTerminal,
        samples: &Receiver<Sample>,
        is_over: impl Fn() -> bool,
    ) -> io::Result<()> {
        let mut is_stale = true;
        while !is_over() {
            match samples.try_recv() {
                Ok(sample) => {
                    self.state.take(&sample);
                    is_stale = true;
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    return Err(io::Error::other("nobody asks the nodes any more"));
                }
            }
            if is_stale {
                terminal.draw(|frame| screen::draw(frame, &self.state, &self.view))?;
                is_stale = false;
            }
            if event::poll(LOOK)? {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => {
                        if self.view.press(key, self.state.rows().len()) {
                            return Ok(());
                        }
                        is_stale = true;
                    }
                    Event::Resize(..) => is_stale = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl View {
    /// Does what a key stands for; returns whether that is the end.
    pub(super) fn press(&mut self, key: KeyEvent, nodes: usize) -> bool {
        let last = nodes.saturating_sub(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('q') => return true,
            KeyCode::Esc if !self.shows_help => return true,
            KeyCode::Esc => self.shows_help = false,
            KeyCode::Char('?' | 'h') => self.shows_help = !self.shows_help,
            KeyCode::Left | KeyCode::Char('<') => self.sort_by(-1),
            KeyCode::Right | KeyCode::Char('>') => self.sort_by(1),
            KeyCode::Char('r') => self.is_descending = !self.is_descending,
            KeyCode::Up | KeyCode::Char('k') => self.line = self.line.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.line = (self.line + 1).min(last),
            KeyCode::Home => self.line = 0,
            KeyCode::End => self.line = last,
            _ => {}
        }
        false
    }

    /// Sorts by the column so many further to the right: numbers from the largest on, as that is what one looks for.
    fn sort_by(&mut self, step: isize) {
        let all = Column::ALL;
        let now = all.iter().position(|column| *column == self.sort);
        let next = now
            .unwrap_or(0)
            .saturating_add_signed(step)
            .min(all.len() - 1);
        self.sort = all[next];
        self.is_descending = self.sort.is_number();
    }
}

/// Longest time until a new sample is shown.
const LOOK: Duration = Duration::from_millis(100);
