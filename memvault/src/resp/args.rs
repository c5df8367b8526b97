//! The arguments of a command, in place.

/// The arguments of one command, borrowed from the bytes they were decoded from. The first is the name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

/// Where one argument lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl<'a> Args<'a> {
    /// The arguments that lie in `bytes` where `spans` says. A span outside of `bytes` is no argument.
    #[must_use]
    pub const fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many arguments there are, the name included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `position`; 0 is the name.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(position)?;
        let start = span.start as usize;
        self.bytes.get(start..start.checked_add(span.len as usize)?)
    }

    /// The arguments from `position` on.
    #[must_use]
    pub fn from(&self, position: usize) -> Self {
        let spans = self.spans.get(position..).unwrap_or(&[]);
        Self { spans, ..*self }
    }

    /// The arguments from `start` to before `end`; none if there are not so many.
    #[must_use]
    pub fn range(&self, start: usize, end: usize) -> Self {
        let spans = self.spans.get(start..end).unwrap_or(&[]);
        Self { spans, ..*self }
    }

    /// Bytes of all arguments together. O(arguments).
    pub(crate) fn bytes(&self) -> usize {
        let lens = self.spans.iter().map(|span| span.len as usize);
        lens.fold(0, usize::saturating_add)
    }

    /// Where each lies.
    pub(crate) const fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// Whether they lie in `input`, from its beginning on.
    pub(crate) fn lie_in(&self, input: &[u8]) -> bool {
        core::ptr::eq(self.bytes.as_ptr(), input.as_ptr())
    }

    /// The arguments in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let args = *self;
        (0..args.len()).map(move |position| args.get(position).unwrap_or(&[]))
    }
}
