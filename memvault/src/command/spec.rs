//! [`Spec`]: what a row of the [table](super::all) says of a command, in the words of Redis.

use core::fmt;

use super::Parsed;
use super::parse::Given;
use super::table::Name;

/// What the table says of a command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which command it is.
    pub id: Name,
    /// The name in lower case.
    pub name: &'static str,
    /// How many arguments it takes, its name included; `-n` means at least `n`.
    pub arity: i8,
    /// What follows the name, for people: `[optional]`, `one|another`, `...` for more of the same. A placeholder
    /// is in lower case.
    pub arguments: &'static str,
    /// What it does to the keys, and how dear it is.
    pub flags: Flags,
    /// What else it is of, for who may use it; see [`categories`](Self::categories).
    pub areas: Categories,
    /// Which arguments are keys.
    pub keys: KeyPositions,
    /// The chapter it belongs to.
    pub group: Group,
    /// The release of Redis that had it first; of MemVault, for one that Redis does not have.
    pub since: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// What it does, in half a sentence.
    pub summary: &'static str,
    /// Reads its arguments; there are as many as the arity says.
    pub parse: for<'a> fn(&Given<'_, 'a>) -> Parsed<'a>,
}

/// Which arguments of a command are keys, as `COMMAND` reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPositions {
    /// The first key; 0 means that there is none.
    pub first: i8,
    /// The last key; -1 is the last argument.
    pub last: i8,
    /// From one key to the next.
    pub step: i8,
    /// What happens to them.
    pub access: Access,
}

impl KeyPositions {
    /// None.
    pub const NONE: Self = Self::at(0, 0, 0, Access::NONE);

    pub(super) const fn at(first: i8, last: i8, step: i8, access: Access) -> Self {
        Self {
            first,
            last,
            step,
            access,
        }
    }

    /// The positions of the keys among `len` arguments, the name included.
    pub fn of(self, len: usize) -> impl Iterator<Item = usize> {
        let first = usize::try_from(self.first).unwrap_or(0);
        let last = match usize::try_from(self.last) {
            Ok(last) => last,
            Err(_) => len.saturating_sub(usize::from(self.last.unsigned_abs())),
        };
        let step = usize::try_from(self.step).unwrap_or(1).max(1);
        let end = if first == 0 { 0 } else { last + 1 };
        (first..end.min(len)).step_by(step)
    }
}

/// A union of named bits.
macro_rules! bits {
    ($(#[$doc:meta])* $type:ident($bits:ident) { $($(#[$of:meta])* $constant:ident $name:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $type($bits);

        impl $type {
            /// None.
            pub const NONE: Self = Self(0);
            bits!(@ $type 0, $($(#[$of])* $constant)*);

            /// Both together.
            #[must_use]
            pub const fn and(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether all of `other` are among these.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The names of these, as `COMMAND` gives them and in its order.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                let named = (0..).zip([$($name),*]);
                let named = named.filter(move |(bit, _)| self.0 >> bit & 1 != 0);
                named.map(|(_, name)| name)
            }
        }
    };
    (@ $type:ident $at:expr,) => {};
    (@ $type:ident $at:expr, $(#[$of:meta])* $constant:ident $($rest:tt)*) => {
        $(#[$of])*
        pub const $constant: Self = Self(1 << ($at));
        bits!(@ $type $at + 1, $($rest)*);
    };
}

bits! {
    /// Properties of a command.
    Flags(u16) {
        /// It changes keys.
        WRITE "write"
        /// It reads keys only.
        READONLY "readonly"
        /// It may need more memory.
        DENYOOM "denyoom"
        /// It is for operators.
        ADMIN "admin"
        /// It is about the connection, which a script has not.
        NOSCRIPT "noscript"
        /// It is answered while data is being loaded.
        LOADING "loading"
        /// It is answered by a node that is behind.
        STALE "stale"
        /// It takes constant time.
        FAST "fast"
        /// It is answered before the client has given a password.
        NO_AUTH "no_auth"
        /// It is answered while a script runs.
        ALLOW_BUSY "allow_busy"
    }
}

bits! {
    /// Categories of commands, by which users are allowed some.
    Categories(u16) {
        /// Keys and their expiry, whatever their value.
        KEYSPACE "@keyspace"
        /// What reads keys.
        READ "@read"
        /// What changes keys.
        WRITE "@write"
        /// Values that are strings.
        STRING "@string"
        /// What is for operators.
        ADMIN "@admin"
        /// What takes constant time.
        FAST "@fast"
        /// What does not.
        SLOW "@slow"
        /// What can do harm, or tells what not everyone should know.
        DANGEROUS "@dangerous"
        /// The connection itself.
        CONNECTION "@connection"
    }
}

bits! {
    /// What a command does to its keys: one of the first four, and why.
    Access(u8) {
        /// The value is read, and stays.
        RO "RO"
        /// The value is read and changed.
        RW "RW"
        /// The value is replaced.
        OW "OW"
        /// The key is deleted.
        RM "RM"
        /// The client gets the value, or learns of it.
        ACCESS "access"
        /// A present value may be changed.
        UPDATE "update"
        /// Bytes are only added.
        INSERT "insert"
        /// The key may be deleted.
        DELETE "delete"
    }
}

/// The chapters of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// Values.
    String,
    /// Keys, whatever their value.
    Generic,
    /// The connection itself.
    Connection,
    /// The node.
    Server,
}

impl Group {
    /// The name that `COMMAND DOCS` gives.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Generic => "generic",
            Self::Connection => "connection",
            Self::Server => "server",
        }
    }
}

impl Spec {
    /// Whether a command of so many arguments, its name included, is complete.
    #[must_use]
    pub const fn takes(&self, arguments: usize) -> bool {
        takes(self.arity, arguments)
    }

    /// All its categories: its areas, and those that follow from its flags as in Redis.
    #[must_use]
    pub const fn categories(&self) -> Categories {
        let mut all = self.areas;
        if self.flags.contains(Flags::WRITE) {
            all = all.and(Categories::WRITE);
        }
        if self.flags.contains(Flags::READONLY) {
            all = all.and(Categories::READ);
        }
        if self.flags.contains(Flags::ADMIN) {
            all = all.and(Categories::ADMIN).and(Categories::DANGEROUS);
        }
        all.and(if self.flags.contains(Flags::FAST) {
            Categories::FAST
        } else {
            Categories::SLOW
        })
    }
}

/// Whether so many arguments are right: `arity` of them, or at least `-arity`.
pub(super) const fn takes(arity: i8, arguments: usize) -> bool {
    let arity = arity as isize;
    if arity >= 0 {
        arguments as isize == arity
    } else {
        arguments as isize >= -arity
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
