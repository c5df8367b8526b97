//! Arguments that outlive the bytes they came in.

use alloc::vec::Vec;

use crate::resp::{Args, Span};

/// The arguments of a command, copied so that another thread can carry it out. Two allocations.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// Appends an argument.
    pub fn push(&mut self, arg: &[u8]) {
        // Arguments come from one command, and a command is limited to what a span can hold.
        self.spans.push(Span {
            start: self.bytes.len() as u32,
            len: arg.len() as u32,
        });
        self.bytes.extend_from_slice(arg);
    }

    /// The arguments, to be parsed again.
    #[must_use]
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }
}

impl From<&Args<'_>> for OwnedArgs {
    fn from(args: &Args<'_>) -> Self {
        let mut owned = Self {
            bytes: Vec::with_capacity(args.iter().map(<[u8]>::len).sum()),
            spans: Vec::with_capacity(args.len()),
        };
        for arg in args.iter() {
            owned.push(arg);
        }
        owned
    }
}
