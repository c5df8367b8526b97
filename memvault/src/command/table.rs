//! The commands there are, one line each: look-up, arity, `COMMAND` and the documentation read this table.
//!
//! Cost: a look-up compares one or two machine words and allocates nothing.

use core::fmt;

/// A command of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is named as the command it stands for")]
pub enum Name {
    Append,
    Auth,
    Client,
    Command,
    Config,
    Consistency,
    DbSize,
    Decr,
    DecrBy,
    Del,
    Echo,
    Exists,
    Expire,
    ExpireAt,
    ExpireTime,
    FlushAll,
    FlushDb,
    Get,
    GetDel,
    GetEx,
    GetRange,
    GetSet,
    Hello,
    Incr,
    IncrBy,
    Info,
    MemVaultCluster,
    MGet,
    MSet,
    Persist,
    PExpire,
    PExpireAt,
    PExpireTime,
    Ping,
    PSetEx,
    PTtl,
    Quit,
    Reset,
    Select,
    Set,
    SetEx,
    SetNx,
    SetRange,
    StrLen,
    SubStr,
    Ttl,
    Type,
    Unlink,
}

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
    /// Which arguments are keys.
    pub keys: KeyPositions,
    /// The chapter it belongs to.
    pub group: Group,
    /// The release of Redis that had it first; of MemVault, for one that Redis does not have.
    pub since: &'static str,
    /// What it does, in half a sentence.
    pub summary: &'static str,
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
}

/// Properties of a command; the union of some of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// It changes keys.
    pub const WRITE: Self = Self(1);
    /// It reads keys only.
    pub const READONLY: Self = Self(1 << 1);
    /// It may need more memory.
    pub const DENYOOM: Self = Self(1 << 2);
    /// It is for operators.
    pub const ADMIN: Self = Self(1 << 3);
    /// It is answered while data is being loaded.
    pub const LOADING: Self = Self(1 << 4);
    /// It is answered by a node that is behind.
    pub const STALE: Self = Self(1 << 5);
    /// It takes constant time.
    pub const FAST: Self = Self(1 << 6);
    /// It is answered before the client has given a password.
    pub const NO_AUTH: Self = Self(1 << 7);

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

    /// The names of these, as `COMMAND` gives them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [&str; 8] = [
            "write", "readonly", "denyoom", "admin", "loading", "stale", "fast", "no_auth",
        ];
        (0..)
            .zip(NAMES)
            .filter(move |(bit, _)| self.0 >> bit & 1 != 0)
            .map(|(_, name)| name)
    }
}

/// The chapters of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let arity = self.arity as isize;
        if arity >= 0 {
            arguments as isize == arity
        } else {
            arguments as isize >= -arity
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All commands, in the order of their names.
#[must_use]
pub const fn all() -> &'static [Spec] {
    &TABLE
}

/// Finds a command by its name, in any case.
///
/// ```
/// use memvault::command::{Name, lookup};
///
/// assert_eq!(lookup(b"GeT").map(|spec| spec.id), Some(Name::Get));
/// assert!(lookup(b"gets").is_none());
/// ```
#[must_use]
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Spec> {
    let words = Words::of(name)?;
    let position = SLOTS[words.slot()];
    let spec = TABLE.get(usize::from(position))?;
    (WORDS[usize::from(position)] == words).then_some(spec)
}

impl Name {
    /// What the table says of it.
    #[must_use]
    #[inline]
    pub const fn spec(self) -> &'static Spec {
        &TABLE[self as usize]
    }
}

/// A name of at most 16 bytes as two words, its first and its last half, which may overlap; letters in lower
/// case. Only letters become letters by setting [`LOWER`], so that no other name is taken for one of the table's.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Words {
    first: u64,
    last: u64,
    len: usize,
}

const LOWER: u64 = 0x2020_2020_2020_2020;

impl Words {
    #[inline]
    const fn of(name: &[u8]) -> Option<Self> {
        let len = name.len();
        let (first, last) = if len > 16 {
            return None;
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (
                u32::from_le_bytes(*first) as u64,
                u32::from_le_bytes(*last) as u64,
            )
        } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            (
                u16::from_le_bytes(*first) as u64,
                u16::from_le_bytes(*last) as u64,
            )
        } else {
            return None;
        };
        Some(Self {
            first: first | LOWER,
            last: last | LOWER,
            len,
        })
    }

    /// Where to look for the name among the [`SLOTS`].
    #[inline]
    const fn slot(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(32) ^ self.len as u64;
        (mixed.wrapping_mul(MULTIPLIER) >> (64 - SLOT_BITS)) as usize
    }
}

/// Found by trial: no two names of the table share a slot. A new command that does not compile needs another.
const MULTIPLIER: u64 = 0x019d_235e_ab86_4b71;
const SLOT_BITS: u32 = 7;

/// The position of the command in the table, by the slot of its name; beyond the table if there is none.
static SLOTS: [u8; 1 << SLOT_BITS] = {
    let (mut slots, mut at) = ([u8::MAX; 1 << SLOT_BITS], 0);
    while at < TABLE.len() {
        let slot = WORDS[at].slot();
        assert!(
            slots[slot] == u8::MAX,
            "two commands share a slot: choose another MULTIPLIER"
        );
        slots[slot] = at as u8;
        at += 1;
    }
    slots
};

static WORDS: [Words; TABLE.len()] = {
    let (mut words, mut at) = (
        [Words {
            first: 0,
            last: 0,
            len: 0,
        }; TABLE.len()],
        0,
    );
    while at < TABLE.len() {
        match Words::of(TABLE[at].name.as_bytes()) {
            Some(found) => words[at] = found,
            None => panic!("names have 2 to 16 bytes"),
        }
        at += 1;
    }
    words
};

const NO_KEYS: KeyPositions = positions(0, 0, 0);
const ONE_KEY: KeyPositions = positions(1, 1, 1);
const ALL_KEYS: KeyPositions = positions(1, -1, 1);

const fn positions(first: i8, last: i8, step: i8) -> KeyPositions {
    KeyPositions { first, last, step }
}

const READ: Flags = Flags::READONLY.and(Flags::FAST);
const WRITE: Flags = Flags::WRITE.and(Flags::FAST);
const STORE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const ANY_TIME: Flags = Flags::LOADING.and(Flags::STALE);
const GREETING: Flags = ANY_TIME.and(Flags::FAST).and(Flags::NO_AUTH);

macro_rules! table {
    ($($id:ident $name:literal $arity:literal $arguments:literal $flags:expr, $keys:expr, $group:ident $since:literal $summary:literal;)*) => {
        static TABLE: [Spec; [$($name),*].len()] = [$(Spec {
            id: Name::$id,
            name: $name,
            arity: $arity,
            arguments: $arguments,
            flags: $flags,
            keys: $keys,
            group: Group::$group,
            since: $since,
            summary: $summary,
        }),*];
    };
}

table! {
    Append "append" 3 "key value" STORE.and(Flags::FAST), ONE_KEY, String "2.0.0" "Appends to a key's value and gives its length";
    Auth "auth" -2 "[user] password" GREETING, NO_KEYS, Connection "1.0.0" "Gives a password";
    Client "client" -2 "subcommand [argument ...]" ANY_TIME, NO_KEYS, Connection "2.4.0" "Names the connection, or tells of it";
    Command "command" -1 "[subcommand [name ...]]" ANY_TIME, NO_KEYS, Server "2.8.13" "Tells of the commands there are";
    Config "config" -2 "subcommand [argument ...]" ANY_TIME.and(Flags::ADMIN), NO_KEYS, Server "2.0.0" "Reads or changes settings";
    Consistency "consistency" -1 "[write read]" Flags::FAST.and(ANY_TIME), NO_KEYS, Connection "0.1.0" "Chooses how many replicas the requests of the connection wait for";
    DbSize "dbsize" 1 "" READ, NO_KEYS, Server "1.0.0" "Counts the keys";
    Decr "decr" 2 "key" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Takes 1 from the number that a key holds";
    DecrBy "decrby" 3 "key number" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Takes a number from the one that a key holds";
    Del "del" -2 "key [key ...]" Flags::WRITE, ALL_KEYS, Generic "1.0.0" "Deletes keys";
    Echo "echo" 2 "text" Flags::FAST.and(ANY_TIME), NO_KEYS, Connection "1.0.0" "Gives back its argument";
    Exists "exists" -2 "key [key ...]" READ, ALL_KEYS, Generic "1.0.0" "Counts those keys that are there";
    Expire "expire" -3 "key seconds [NX|XX|GT|LT]" WRITE, ONE_KEY, Generic "1.0.0" "Sets a key's time to live in seconds";
    ExpireAt "expireat" -3 "key unix-seconds [NX|XX|GT|LT]" WRITE, ONE_KEY, Generic "1.2.0" "Sets a key's expiry as a Unix time in seconds";
    ExpireTime "expiretime" 2 "key" READ, ONE_KEY, Generic "7.0.0" "Gives a key's expiry as a Unix time in seconds";
    FlushAll "flushall" -1 "[ASYNC|SYNC]" Flags::WRITE, NO_KEYS, Server "1.0.0" "Deletes all keys";
    FlushDb "flushdb" -1 "[ASYNC|SYNC]" Flags::WRITE, NO_KEYS, Server "1.0.0" "Deletes all keys";
    Get "get" 2 "key" READ, ONE_KEY, String "1.0.0" "Gives a key's value";
    GetDel "getdel" 2 "key" WRITE, ONE_KEY, String "6.2.0" "Gives a key's value and deletes the key";
    GetEx "getex" -2 "key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]" WRITE, ONE_KEY, String "6.2.0" "Gives a key's value and changes its expiry";
    GetRange "getrange" 4 "key first last" Flags::READONLY, ONE_KEY, String "2.4.0" "Gives part of a key's value";
    GetSet "getset" 3 "key value" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Sets a key and gives its former value";
    Hello "hello" -1 "[2|3] [AUTH user password] [SETNAME name]" GREETING, NO_KEYS, Connection "6.0.0" "Chooses the version of the protocol";
    Incr "incr" 2 "key" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Adds 1 to the number that a key holds";
    IncrBy "incrby" 3 "key number" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Adds a number to the one that a key holds";
    Info "info" -1 "[section ...]" ANY_TIME, NO_KEYS, Server "1.0.0" "Tells of the node: its state and its counters";
    MemVaultCluster "memvault.cluster" -2 "subcommand [argument ...]" Flags::ADMIN, NO_KEYS, Server "0.1.0" "Shows and changes the members of the cluster";
    MGet "mget" -2 "key [key ...]" READ, ALL_KEYS, String "1.0.0" "Gives the values of several keys";
    MSet "mset" -3 "key value [key value ...]" STORE, positions(1, -1, 2), String "1.0.1" "Sets several keys";
    Persist "persist" 2 "key" WRITE, ONE_KEY, Generic "2.2.0" "Removes a key's expiry";
    PExpire "pexpire" -3 "key milliseconds [NX|XX|GT|LT]" WRITE, ONE_KEY, Generic "2.6.0" "Sets a key's time to live in milliseconds";
    PExpireAt "pexpireat" -3 "key unix-milliseconds [NX|XX|GT|LT]" WRITE, ONE_KEY, Generic "2.6.0" "Sets a key's expiry as a Unix time in milliseconds";
    PExpireTime "pexpiretime" 2 "key" READ, ONE_KEY, Generic "7.0.0" "Gives a key's expiry as a Unix time in milliseconds";
    Ping "ping" -1 "[text]" Flags::FAST.and(ANY_TIME), NO_KEYS, Connection "1.0.0" "Asks for a sign of life";
    PSetEx "psetex" 4 "key milliseconds value" STORE, ONE_KEY, String "2.6.0" "Sets a key with a time to live in milliseconds";
    PTtl "pttl" 2 "key" READ, ONE_KEY, Generic "2.6.0" "Gives a key's time to live in milliseconds";
    Quit "quit" -1 "" GREETING, NO_KEYS, Connection "1.0.0" "Closes the connection";
    Reset "reset" 1 "" GREETING, NO_KEYS, Connection "6.2.0" "Makes the connection as it was at first";
    Select "select" 2 "0" Flags::FAST.and(ANY_TIME), NO_KEYS, Connection "1.0.0" "Chooses the database: there is one, 0";
    Set "set" -3 "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]" STORE, ONE_KEY, String "1.0.0" "Sets a key, with conditions and an expiry if wanted";
    SetEx "setex" 4 "key seconds value" STORE, ONE_KEY, String "2.0.0" "Sets a key with a time to live in seconds";
    SetNx "setnx" 3 "key value" STORE.and(Flags::FAST), ONE_KEY, String "1.0.0" "Sets a key that is not there";
    SetRange "setrange" 4 "key offset value" STORE, ONE_KEY, String "2.2.0" "Writes over part of a key's value";
    StrLen "strlen" 2 "key" READ, ONE_KEY, String "2.2.0" "Gives the length of a key's value in bytes";
    SubStr "substr" 4 "key first last" Flags::READONLY, ONE_KEY, String "1.0.0" "Gives part of a key's value";
    Ttl "ttl" 2 "key" READ, ONE_KEY, Generic "1.0.0" "Gives a key's time to live in seconds";
    Type "type" 2 "key" READ, ONE_KEY, Generic "1.0.0" "Gives the type of a key's value: string, or none";
    Unlink "unlink" -2 "key [key ...]" WRITE, ALL_KEYS, Generic "4.0.0" "Deletes keys";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_under_its_name_and_in_its_place() {
        for (position, spec) in all().iter().enumerate() {
            assert_eq!(spec.id as usize, position, "{spec}");
            assert_eq!(spec.id.spec().name, spec.name);
            for name in [
                spec.name.to_ascii_lowercase(),
                spec.name.to_ascii_uppercase(),
            ] {
                assert_eq!(lookup(name.as_bytes()).map(|found| found.id), Some(spec.id));
            }
        }
        assert!(all().is_sorted_by_key(|spec| spec.name));
    }

    #[test]
    fn what_only_resembles_a_name_is_not_found() {
        for name in [
            "",
            "g",
            "ge",
            "gett",
            "get ",
            "\u{7}et",
            "get\0",
            "s\u{5}t",
            "ttL\0",
            "expiretim",
            "expiretimes",
            "pexpireaa",
            "node.hello",
            "\0\0\0",
            "ECHO\0\0\0\0",
        ] {
            assert!(lookup(name.as_bytes()).is_none(), "{name:?}");
        }
    }

    #[test]
    fn arity_is_exact_or_a_minimum() {
        let get = Name::Get.spec();
        assert!(get.takes(2) && !get.takes(1) && !get.takes(3));
        let del = Name::Del.spec();
        assert!(del.takes(2) && del.takes(500) && !del.takes(1));
    }
}
