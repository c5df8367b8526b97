//! Replies counted, not kept.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::element::{Aggregate, Element, element};
use crate::resp::error::DecodeError;
use crate::resp::limits::Limits;

/// Finds where one reply after the other ends, without keeping any: for a load generator.
///
/// Allocates nothing; a reply within a reply is a number to it, so there is no limit of depth.
#[derive(Clone, Debug)]
pub struct ReplyScanner {
    limits: Limits,
    /// The first element of the present reply, if it is complete.
    first: Option<First>,
    /// Elements that are still to come.
    missing: usize,
    /// Elements that the headers so far have announced.
    elements: usize,
    /// How many bytes of the input are done with.
    position: usize,
    /// How many bytes of the line at [`position`](Self::position) are known to contain no end.
    searched: usize,
}

/// A complete reply that was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// How many bytes of the input it took; the next reply begins behind them. Never 0.
    pub consumed: usize,
    /// Whether it is an error.
    pub is_error: bool,
    /// Whether there is no value.
    pub is_null: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct First {
    is_error: bool,
    is_null: bool,
}

impl ReplyScanner {
    /// A scanner at the beginning of a stream.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            first: None,
            missing: 1,
            elements: 0,
            position: 0,
            searched: 0,
        }
    }

    /// Passes over the reply at the beginning of `input`.
    ///
    /// `None` means that it is not complete: call again with the same bytes and more behind them, and the
    /// scanner goes on where it stopped. After a reply, call again with the bytes behind it.
    ///
    /// # Errors
    ///
    /// If the bytes are no reply or pass one of the [`Limits`]; see [`DecodeError`].
    pub fn scan(&mut self, input: &[u8]) -> Result<Option<Scanned>, DecodeError> {
        let limit = self.limits.command_len();
        let window = input.get(..limit).unwrap_or(input);
        while self.missing > 0 {
            let room = limit.saturating_sub(self.position);
            let rest = window.get(self.position..).unwrap_or(&[]);
            let Some((element, rest)) = element(rest, &mut self.searched, room, &self.limits)?
            else {
                return if window.len() < input.len() {
                    Err(too_large("max_command_len", limit))
                } else {
                    Ok(None)
                };
            };
            self.count(element)?;
            self.position = window.len().saturating_sub(rest.len());
        }
        let consumed = self.position;
        let first = self.first.unwrap_or_default();
        *self = Self::new(self.limits);
        Ok(Some(Scanned {
            consumed,
            is_error: first.is_error,
            is_null: first.is_null,
        }))
    }

    fn count(&mut self, element: Element<'_>) -> Result<(), DecodeError> {
        let mut within = 0;
        if let Element::Aggregate(_, elements) = element {
            within = elements;
            self.elements = self.elements.saturating_add(elements);
            if self.elements > self.limits.max_arguments {
                return Err(too_large("max_arguments", self.limits.max_arguments));
            }
        }
        // Attributes, and what is in them, say something about the reply: it is what is missing after them.
        let is_last = self.missing == 1;
        self.missing = self.missing.saturating_sub(1).saturating_add(within);
        let is_attributes = matches!(element, Element::Aggregate(Aggregate::Attributes, _));
        if is_last && !is_attributes && self.first.is_none() {
            self.first = Some(First {
                is_error: matches!(element, Element::Error(_)),
                is_null: element == Element::Null,
            });
        }
        Ok(())
    }
}

impl Default for ReplyScanner {
    fn default() -> Self {
        Self::new(Limits::DEFAULT)
    }
}

const fn too_large(limit: &'static str, value: usize) -> DecodeError {
    DecodeError::ReplyTooLarge { limit, value }
}
