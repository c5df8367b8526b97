//! Why a subcommand failed, in the words that its user reads.

use std::fmt;

/// What is printed after `error: `, and the exit code.
#[derive(Debug)]
pub(crate) struct Error {
    text: String,
    code: u8,
}

/// What a subcommand gives: its exit code, [`OK`] or [`NOT_FOUND`], or an error.
pub(crate) type Outcome = Result<u8, Error>;

/// Done.
pub(crate) const OK: u8 = 0;
/// Done, and the answer is no: no such key, a node does not answer, a request of a demo failed.
pub(crate) const NOT_FOUND: u8 = 1;

impl Error {
    /// It could not be done: exit code 1.
    pub(crate) fn failed(text: impl fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            code: 1,
        }
    }

    /// The command line asks for something contradictory: exit code 2, as for all misspelt flags.
    pub(crate) fn usage(text: impl fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            code: 2,
        }
    }

    /// The exit code of the process.
    pub(crate) const fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
