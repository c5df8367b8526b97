//! Who the members are: the list, and which of them it names for each slot.

pub(super) mod document;
pub(super) mod placement;
pub(super) mod preference;
