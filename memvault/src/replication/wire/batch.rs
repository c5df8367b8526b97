//! Several small messages in one: what is said to a member at a time goes in one message.
//!
//! ```text
//! *2 | NODE.BATCH | one message after the other, as they are by themselves
//! ```

use alloc::vec::Vec;

use super::WireError;
use crate::resp::encode;

/// What stands before the length of a batch.
const HEAD: &[u8] = b"*2\r\n$10\r\nNODE.BATCH\r\n$";
/// Digits of that length, at most.
const MAX_DIGITS: usize = 9;

/// Appends a batch of the messages that `bytes` are. O(length).
pub(in crate::replication) fn write_batch(out: &mut Vec<u8>, bytes: &[u8]) {
    encode::array(out, 2);
    encode::bulk(out, b"NODE.BATCH");
    encode::bulk(out, bytes);
}

/// How far a batch has come in on a link.
#[derive(Clone, Copy, Debug)]
pub(in crate::replication) struct Batch {
    /// Bytes of its messages that have yet to come; `None` outside of a batch.
    left: Option<usize>,
}

impl Batch {
    /// None has begun.
    pub(in crate::replication) const NONE: Self = Self { left: None };

    /// Takes what belongs to the batch itself, its beginning or its end, if that stands first in `bytes`. Returns its
    /// length, or 0 if a message stands there; `None` if more bytes are needed to tell.
    ///
    /// # Errors
    /// If it is neither.
    pub(in crate::replication) fn take_frame(
        &mut self,
        bytes: &[u8],
    ) -> Result<Option<usize>, WireError> {
        match self.left {
            Some(0) if bytes.len() < encode::CRLF.len() => Ok(None),
            Some(0) if bytes.starts_with(encode::CRLF) => {
                self.left = None;
                Ok(Some(encode::CRLF.len()))
            }
            Some(0) => Err(WireError::Malformed),
            Some(_) => Ok(Some(0)),
            None => self.begin(bytes),
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        let Some(rest) = bytes.strip_prefix(HEAD) else {
            let may_come = !bytes.is_empty() && HEAD.starts_with(bytes);
            return Ok((!may_come).then_some(0));
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits > MAX_DIGITS {
            return Err(WireError::Malformed);
        }
        let (digits, end) = rest.split_at(digits);
        if end.len() < encode::CRLF.len() {
            return Ok(None);
        }
        let number = digits
            .iter()
            .fold(0, |sum, digit| 10 * sum + usize::from(*digit - b'0'));
        if !end.starts_with(encode::CRLF) || number == 0 {
            return Err(WireError::Malformed);
        }
        self.left = Some(number);
        Ok(Some(HEAD.len() + digits.len() + encode::CRLF.len()))
    }

    /// Bytes that the next message may have at most, if it is one of a batch.
    pub(in crate::replication) const fn left(&self) -> Option<usize> {
        self.left
    }

    /// A message of so many bytes came.
    ///
    /// # Errors
    /// If it reaches beyond the batch.
    pub(in crate::replication) fn take_message(&mut self, len: usize) -> Result<(), WireError> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(len).ok_or(WireError::Malformed)?;
        }
        Ok(())
    }
}
