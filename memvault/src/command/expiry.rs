//! What commands that set keys or expiries depend on.

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
