//! The commands there are, one row each: look-up, parser, arity, `COMMAND`, completion and the documentation read
//! this table. A new command is a row here, a parser beside what it means, and its name in `docs/commands.md`.

use super::spec::{Access, Categories, Flags, Group, KeyPositions, Spec};
use super::{data, edit, expire, read, session, set};

const fn one(access: Access) -> KeyPositions {
    KeyPositions::at(1, 1, 1, access)
}

const fn all_behind(access: Access) -> KeyPositions {
    KeyPositions::at(1, -1, 1, access)
}

const SEES: Access = Access::RO;
const READS: Access = Access::RO.and(Access::ACCESS);
const UPDATES: Access = Access::RW.and(Access::UPDATE);
const CHANGES: Access = UPDATES.and(Access::ACCESS);
const INSERTS: Access = Access::RW.and(Access::INSERT);
const TAKES: Access = Access::RW.and(Access::ACCESS).and(Access::DELETE);
const REPLACES: Access = Access::OW.and(Access::UPDATE);
const ADDS: Access = Access::OW.and(Access::INSERT);
const REMOVES: Access = Access::RM.and(Access::DELETE);

const FAST: Flags = Flags::FAST;
const READ: Flags = Flags::READONLY.and(FAST);
const WRITE: Flags = Flags::WRITE.and(FAST);
const STORE: Flags = Flags::WRITE.and(Flags::DENYOOM);
const ANY_TIME: Flags = Flags::LOADING.and(Flags::STALE);
const GREETING: Flags = ANY_TIME
    .and(FAST)
    .and(Flags::NOSCRIPT)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY);

/// A row: name, arity, arguments and parser; flags, areas and keys; chapter, release and cost; summary.
macro_rules! table {
    ($($id:ident $name:literal $arity:literal $arguments:literal => $parse:path;
       $flags:expr, $areas:expr, $keys:expr;
       $group:ident $since:literal $complexity:literal
       $summary:literal;)*) => {
        /// A command of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each is named as the command it stands for")]
        #[non_exhaustive]
        pub enum Name {
            $($id),*
        }

        pub(super) static TABLE: [Spec; [$($name),*].len()] = [$(Spec {
            id: Name::$id,
            name: $name,
            arity: $arity,
            arguments: $arguments,
            flags: $flags,
            areas: $areas,
            keys: $keys,
            group: Group::$group,
            since: $since,
            complexity: $complexity,
            summary: $summary,
            parse: $parse,
        }),*];
    };
}

/// All commands, in the order of their names.
#[must_use]
pub const fn all() -> &'static [Spec] {
    &TABLE
}

impl Name {
    /// What the table says of it.
    #[must_use]
    #[inline]
    pub const fn spec(self) -> &'static Spec {
        &TABLE[self as usize]
    }
}

table! {
    Append "append" 3 "key value" => edit::append;
        STORE.and(FAST), Categories::STRING, one(INSERTS);
        String "2.0.0" "O(n), n being the length of the value"
        "Appends to a key's value and gives its length";
    Auth "auth" -2 "[user] password" => session::auth;
        GREETING, Categories::CONNECTION, KeyPositions::NONE;
        Connection "1.0.0" "O(1)"
        "Gives a password";
    Client "client" -2 "subcommand [argument ...]" => session::client;
        ANY_TIME, Categories::CONNECTION, KeyPositions::NONE;
        Connection "2.4.0" "O(1)"
        "Names the connection, or tells of it";
    Command "command" -1 "[subcommand [name ...]]" => session::command;
        ANY_TIME, Categories::CONNECTION, KeyPositions::NONE;
        Server "2.8.13" "O(n), n being the number of commands"
        "Tells of the commands there are";
    Config "config" -2 "subcommand [argument ...]" => session::config;
        ANY_TIME.and(Flags::ADMIN), Categories::NONE, KeyPositions::NONE;
        Server "2.0.0" "O(n), n being the number of settings"
        "Reads or changes settings";
    Consistency "consistency" -1 "[write read]" => session::consistency;
        ANY_TIME.and(FAST), Categories::CONNECTION, KeyPositions::NONE;
        Connection "0.1.0" "O(1)"
        "Chooses how many replicas the requests of the connection wait for";
    DbSize "dbsize" 1 "" => data::db_size;
        READ, Categories::KEYSPACE, KeyPositions::NONE;
        Server "1.0.0" "O(1)"
        "Counts the keys";
    Decr "decr" 2 "key" => edit::decr;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Takes 1 from the number that a key holds";
    DecrBy "decrby" 3 "key number" => edit::decr_by;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Takes a number from the one that a key holds";
    Del "del" -2 "key [key ...]" => data::del;
        Flags::WRITE, Categories::KEYSPACE, all_behind(REMOVES);
        Generic "1.0.0" "O(n), n being the number of keys"
        "Deletes keys";
    Echo "echo" 2 "text" => session::echo;
        ANY_TIME.and(FAST), Categories::CONNECTION, KeyPositions::NONE;
        Connection "1.0.0" "O(1)"
        "Gives back its argument";
    Exists "exists" -2 "key [key ...]" => data::exists;
        READ, Categories::KEYSPACE, all_behind(SEES);
        Generic "1.0.0" "O(n), n being the number of keys"
        "Counts those keys that are there";
    Expire "expire" -3 "key seconds [NX|XX|GT|LT]" => expire::expire;
        WRITE, Categories::KEYSPACE, one(UPDATES);
        Generic "1.0.0" "O(1)"
        "Sets a key's time to live in seconds";
    ExpireAt "expireat" -3 "key unix-seconds [NX|XX|GT|LT]" => expire::expire_at;
        WRITE, Categories::KEYSPACE, one(UPDATES);
        Generic "1.2.0" "O(1)"
        "Sets a key's expiry as a Unix time in seconds";
    ExpireTime "expiretime" 2 "key" => read::expire_time;
        READ, Categories::KEYSPACE, one(READS);
        Generic "7.0.0" "O(1)"
        "Gives a key's expiry as a Unix time in seconds";
    FlushAll "flushall" -1 "[ASYNC|SYNC]" => data::flush;
        Flags::WRITE, Categories::KEYSPACE.and(Categories::DANGEROUS), KeyPositions::NONE;
        Server "1.0.0" "O(1), the memory goes back in small steps"
        "Deletes all keys";
    FlushDb "flushdb" -1 "[ASYNC|SYNC]" => data::flush;
        Flags::WRITE, Categories::KEYSPACE.and(Categories::DANGEROUS), KeyPositions::NONE;
        Server "1.0.0" "O(1), the memory goes back in small steps"
        "Deletes all keys";
    Get "get" 2 "key" => read::get;
        READ, Categories::STRING, one(READS);
        String "1.0.0" "O(1)"
        "Gives a key's value";
    GetDel "getdel" 2 "key" => expire::get_del;
        WRITE, Categories::STRING, one(TAKES);
        String "6.2.0" "O(1)"
        "Gives a key's value and deletes the key";
    GetEx "getex" -2 "key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]" => expire::get_ex;
        WRITE, Categories::STRING, one(CHANGES);
        String "6.2.0" "O(1)"
        "Gives a key's value and changes its expiry";
    GetRange "getrange" 4 "key first last" => read::get_range;
        Flags::READONLY, Categories::STRING, one(READS);
        String "2.4.0" "O(n), n being the length of the part"
        "Gives part of a key's value";
    GetSet "getset" 3 "key value" => set::get_set;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Sets a key and gives its former value";
    Hello "hello" -1 "[2|3] [AUTH user password] [SETNAME name]" => session::hello;
        GREETING, Categories::CONNECTION, KeyPositions::NONE;
        Connection "6.0.0" "O(1)"
        "Chooses the version of the protocol";
    Incr "incr" 2 "key" => edit::incr;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Adds 1 to the number that a key holds";
    IncrBy "incrby" 3 "key number" => edit::incr_by;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Adds a number to the one that a key holds";
    IncrByFloat "incrbyfloat" 3 "key number" => edit::incr_by_float;
        STORE.and(FAST), Categories::STRING, one(CHANGES);
        String "2.6.0" "O(1)"
        "Adds a number with a point to the one that a key holds";
    Info "info" -1 "[section ...]" => session::info;
        ANY_TIME, Categories::DANGEROUS, KeyPositions::NONE;
        Server "1.0.0" "O(n), n being the number of fields"
        "Tells of the node: its state and its counters";
    MemVaultCluster "memvault.cluster" -2 "subcommand [argument ...]" => data::membership;
        Flags::ADMIN, Categories::NONE, KeyPositions::NONE;
        Server "0.1.0" "O(n), n being the number of members"
        "Shows and changes the members of the cluster";
    MGet "mget" -2 "key [key ...]" => data::m_get;
        READ, Categories::STRING, all_behind(READS);
        String "1.0.0" "O(n), n being the number of keys"
        "Gives the values of several keys";
    MSet "mset" -3 "key value [key value ...]" => data::m_set;
        STORE, Categories::STRING, KeyPositions::at(1, -1, 2, REPLACES);
        String "1.0.1" "O(n), n being the number of keys"
        "Sets several keys";
    Persist "persist" 2 "key" => expire::persist;
        WRITE, Categories::KEYSPACE, one(UPDATES);
        Generic "2.2.0" "O(1)"
        "Removes a key's expiry";
    PExpire "pexpire" -3 "key milliseconds [NX|XX|GT|LT]" => expire::p_expire;
        WRITE, Categories::KEYSPACE, one(UPDATES);
        Generic "2.6.0" "O(1)"
        "Sets a key's time to live in milliseconds";
    PExpireAt "pexpireat" -3 "key unix-milliseconds [NX|XX|GT|LT]" => expire::p_expire_at;
        WRITE, Categories::KEYSPACE, one(UPDATES);
        Generic "2.6.0" "O(1)"
        "Sets a key's expiry as a Unix time in milliseconds";
    PExpireTime "pexpiretime" 2 "key" => read::p_expire_time;
        READ, Categories::KEYSPACE, one(READS);
        Generic "7.0.0" "O(1)"
        "Gives a key's expiry as a Unix time in milliseconds";
    Ping "ping" -1 "[text]" => session::ping;
        ANY_TIME.and(FAST), Categories::CONNECTION, KeyPositions::NONE;
        Connection "1.0.0" "O(1)"
        "Asks for a sign of life";
    PSetEx "psetex" 4 "key milliseconds value" => set::p_set_ex;
        STORE, Categories::STRING, one(REPLACES);
        String "2.6.0" "O(1)"
        "Sets a key with a time to live in milliseconds";
    PTtl "pttl" 2 "key" => read::p_ttl;
        READ, Categories::KEYSPACE, one(READS);
        Generic "2.6.0" "O(1)"
        "Gives a key's time to live in milliseconds";
    Quit "quit" -1 "" => session::quit;
        GREETING, Categories::CONNECTION, KeyPositions::NONE;
        Connection "1.0.0" "O(1)"
        "Closes the connection";
    Reset "reset" 1 "" => session::reset;
        GREETING, Categories::CONNECTION, KeyPositions::NONE;
        Connection "6.2.0" "O(1)"
        "Makes the connection as it was at first";
    Select "select" 2 "0" => session::select;
        ANY_TIME.and(FAST), Categories::CONNECTION, KeyPositions::NONE;
        Connection "1.0.0" "O(1)"
        "Chooses the database: there is one, 0";
    Set "set" -3 "key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]" => set::set;
        STORE, Categories::STRING, one(CHANGES);
        String "1.0.0" "O(1)"
        "Sets a key, with conditions and an expiry if wanted";
    SetEx "setex" 4 "key seconds value" => set::set_ex;
        STORE, Categories::STRING, one(REPLACES);
        String "2.0.0" "O(1)"
        "Sets a key with a time to live in seconds";
    SetNx "setnx" 3 "key value" => set::set_nx;
        STORE.and(FAST), Categories::STRING, one(ADDS);
        String "1.0.0" "O(1)"
        "Sets a key that is not there";
    SetRange "setrange" 4 "key offset value" => edit::set_range;
        STORE, Categories::STRING, one(UPDATES);
        String "2.2.0" "O(n), n being the length of the value"
        "Writes over part of a key's value";
    StrLen "strlen" 2 "key" => read::str_len;
        READ, Categories::STRING, one(SEES);
        String "2.2.0" "O(1)"
        "Gives the length of a key's value in bytes";
    SubStr "substr" 4 "key first last" => read::get_range;
        Flags::READONLY, Categories::STRING, one(READS);
        String "1.0.0" "O(n), n being the length of the part"
        "Gives part of a key's value";
    Ttl "ttl" 2 "key" => read::ttl;
        READ, Categories::KEYSPACE, one(READS);
        Generic "1.0.0" "O(1)"
        "Gives a key's time to live in seconds";
    Type "type" 2 "key" => read::type_of;
        READ, Categories::KEYSPACE, one(SEES);
        Generic "1.0.0" "O(1)"
        "Gives the type of a key's value: string, or none";
    Unlink "unlink" -2 "key [key ...]" => data::del;
        WRITE, Categories::KEYSPACE, all_behind(REMOVES);
        Generic "4.0.0" "O(n), n being the number of keys"
        "Deletes keys";
}
