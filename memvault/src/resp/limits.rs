//! How much a peer may send before it is refused.

/// Limits of one [`CommandDecoder`](super::CommandDecoder) or [`ReplyDecoder`](super::ReplyDecoder).
///
/// A length that the peer claims is compared with its limit before anything is done with it, and memory is
/// taken for bytes that have come, never for bytes that were announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of an inline command with its line end, and of a line within a reply. Default 64 KiB.
    /// In errors `max-inline`.
    pub max_inline_len: usize,
    /// Most arguments of a command, its name included; most elements of a reply, those within elements
    /// counted too. Default 1 Mi (1 048 576). In errors `max-arguments`.
    ///
    /// While a command is decoded, each argument takes 8 bytes, at most twice that when the list grows.
    pub max_arguments: usize,
    /// Most bytes of one argument, and so of a value; most bytes of one bulk string of a reply. Default
    /// 64 MiB. In errors `max-value`.
    pub max_bulk_len: usize,
    /// Most bytes of a key. Default 64 KiB. In errors `max-key`. A decoder does not know which argument is a
    /// key: who parses commands checks this one. Pointless above [`max_bulk_len`](Self::max_bulk_len).
    pub max_key_len: usize,
    /// Most bytes of a command as a whole, or of a reply as a whole, headers included. Default 1 GiB; more
    /// than `u32::MAX` counts as `u32::MAX`. In errors `max-command`. Should leave room for several arguments of
    /// [`max_bulk_len`](Self::max_bulk_len).
    pub max_command_len: usize,
    /// Most levels of arrays, maps, sets, pushes and attributes within each other in a reply. Default 128;
    /// more than 1024 counts as 1024. Commands have no levels, so a server needs no setting for it.
    pub max_depth: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        max_inline_len: 64 << 10,
        max_arguments: 1 << 20,
        max_bulk_len: 64 << 20,
        max_key_len: 64 << 10,
        max_command_len: 1 << 30,
        max_depth: 128,
    };

    /// [`max_command_len`](Self::max_command_len), such that every offset fits a [`Span`](super::Span).
    pub(super) const fn command_len(&self) -> usize {
        const MOST: usize = u32::MAX as usize;
        if self.max_command_len < MOST {
            self.max_command_len
        } else {
            MOST
        }
    }

    /// [`max_depth`](Self::max_depth), such that a [`Reply`](super::Reply) can be dropped on any stack.
    pub(super) const fn depth(&self) -> usize {
        const MOST: usize = 1024;
        if self.max_depth < MOST {
            self.max_depth
        } else {
            MOST
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
