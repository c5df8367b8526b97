//! Expiries: how commands give them, what they depend on, and how replies tell them.

use crate::time::Timestamp;

/// When a value that is being set expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    #[default]
    None,
    /// When the present value would (`KEEPTTL`).
    Keep,
    /// At this time (`EX`, `PX`, `EXAT`, `PXAT`).
    At(Timestamp),
}

/// Whether a key may be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// In any case.
    #[default]
    Always,
    /// Only if it is not there (`NX`).
    IfAbsent,
    /// Only if it is there (`XX`).
    IfPresent,
}

/// On which present expiry `EXPIRE` and its kin depend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpireCondition {
    /// On none.
    #[default]
    Always,
    /// The key must have no expiry (`NX`).
    IfNone,
    /// The key must have one (`XX`).
    IfSome,
    /// The new one must be later (`GT`); no expiry is the latest of all.
    IfLater,
    /// The new one must be earlier (`LT`); no expiry is the latest of all.
    IfEarlier,
    /// The key must have one, and the new one must be earlier (`XX LT`).
    IfSomeEarlier,
}

impl ExpireCondition {
    /// Whether an expiry `present` may be replaced by `new`.
    #[must_use]
    pub fn allows(self, present: Option<Timestamp>, new: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::IfNone => present.is_none(),
            Self::IfSome => present.is_some(),
            Self::IfLater => present.is_some_and(|present| new > present),
            Self::IfEarlier => present.is_none_or(|present| new < present),
            Self::IfSomeEarlier => present.is_some_and(|present| new < present),
        }
    }
}

impl ExpireCondition {
    /// The options that say so.
    pub(super) const fn words(self) -> &'static [&'static [u8]] {
        match self {
            Self::Always => &[],
            Self::IfNone => &[b"NX"],
            Self::IfSome => &[b"XX"],
            Self::IfLater => &[b"GT"],
            Self::IfEarlier => &[b"LT"],
            Self::IfSomeEarlier => &[b"XX", b"LT"],
        }
    }
}

/// How a command says when a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryForm {
    /// In milliseconds, not in seconds.
    pub millis: bool,
    /// As a Unix time, not as the time that is left.
    pub absolute: bool,
}

impl ExpiryForm {
    /// The number in a reply: `expiry` is `None` if there is no such key, `Some(None)` if it never expires.
    #[must_use]
    pub fn number(self, now: Timestamp, expiry: Option<Option<Timestamp>>) -> i64 {
        let at = match expiry {
            None => return NO_SUCH_KEY,
            Some(None) => return NEVER,
            Some(Some(at)) => at,
        };
        let millis = if self.absolute {
            at.as_millis()
        } else {
            at.as_millis().saturating_sub(now.as_millis())
        };
        let number = if self.millis {
            millis
        } else {
            // To the nearest second, as Redis rounds.
            millis.saturating_add(500) / 1000
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}

const NO_SUCH_KEY: i64 = -2;
const NEVER: i64 = -1;
