//! Who the members are: the list, and which of them it names for each slot.

pub(super) mod list;
pub(super) mod placement;
pub(super) mod preference;
