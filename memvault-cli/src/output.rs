//! What goes to standard output: text with colours on a terminal, or JSON.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process;

use rustix::termios::{Winsize, tcgetwinsize};
use serde::Serialize;

/// Colours, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Colours if standard output is a terminal that can show them and `NO_COLOR` is not set.
    pub(crate) fn of_stdout() -> Self {
        Self {
            colour: io::stdout().is_terminal() && colours_wanted(),
        }
    }

    /// The same for standard error.
    pub(crate) fn of_stderr() -> Self {
        Self {
            colour: io::stderr().is_terminal() && colours_wanted(),
        }
    }

    /// Whether there are colours.
    pub(crate) const fn has_colours(self) -> bool {
        self.colour
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { colour: false }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    pub(crate) fn red(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    pub(crate) fn green(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// One of six colours, the same for the same number: tells nodes apart.
    pub(crate) fn of_number(self, number: usize, text: impl Display) -> String {
        let code = ["36", "32", "33", "35", "34", "31"][number % 6];
        self.paint(code, text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }
}

/// Columns of the terminal, else `COLUMNS` if that is set; `None` if nobody looks, or nobody knows.
pub(crate) fn columns() -> Option<usize> {
    let of = |size: rustix::io::Result<Winsize>| size.ok().map(|size| usize::from(size.ws_col));
    let terminal = of(tcgetwinsize(io::stdout())).filter(|columns| *columns > 0);
    let variable = || env::var("COLUMNS").ok()?.parse().ok();
    terminal.or_else(variable)
}

fn colours_wanted() -> bool {
    let unset = |name| env::var_os(name).is_none_or(|value| value.is_empty());
    unset("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Writes to standard output; ends the process quietly if nobody reads any more.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
        Err(error) => {
            // Nothing else can be done with what could not be written.
            let _ = writeln!(io::stderr(), "error: cannot write the output: {error}");
            process::exit(1);
        }
        Ok(()) => {}
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: impl Display) {
    write(format!("{text}\n").as_bytes());
}

/// Writes a line to standard error: what a person should know and a program need not read.
pub(crate) fn note(text: impl Display) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes a value as one line of JSON.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(text) => line(text),
        Err(error) => note(format_args!("error: cannot write JSON: {error}")),
    }
}

/// A number with a blank between thousands: `1 234 567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Appends a text in lines of at most so many columns, broken at blanks; escapes of colours take no column.
pub(crate) fn wrap(text: &mut String, indent: &str, part: &str, columns: usize) {
    let mut column = 0;
    for word in part.split(' ') {
        let len = visible(word);
        if column == 0 || column + 1 + len > columns {
            text.push_str(if column == 0 { "" } else { "\n" });
            text.push_str(indent);
            column = indent.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += len;
    }
    text.push('\n');
}

/// Columns that a text takes.
pub(crate) fn visible(text: &str) -> usize {
    let mut is_escape = false;
    let is_seen = |letter: &char| {
        is_escape |= *letter == '\x1b';
        let is_seen = !is_escape;
        is_escape &= *letter != 'm';
        is_seen
    };
    text.chars().filter(is_seen).count()
}

/// A horizontal bar of `width` cells, filled to `fraction` (0 to 1) in steps of an eighth of a cell.
pub(crate) fn bar(fraction: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (fraction.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let text = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
    format!("{text:<width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_bar_fills_in_eighths_and_keeps_its_width() {
        assert_eq!(bar(0.0, 4), "    ");
        assert_eq!(bar(0.5, 4), "██  ");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar(1.0 / 32.0, 4), "▏   ");
    }

    #[test]
    fn lines_break_at_blanks_and_colours_take_no_room() {
        let mut text = String::new();
        let red = Style { colour: true }.red("red");
        wrap(&mut text, "  ", &format!("a {red} thing or two"), 9);
        assert_eq!(text, format!("  a {red}\n  thing\n  or two\n"));
    }

    #[test]
    fn plain_text_has_no_escapes() {
        assert_eq!(Style::plain().red("x"), "x");
        assert_eq!(Style { colour: true }.red("x"), "\x1b[31mx\x1b[0m");
    }
}
