//! Inline commands, and what Redis 7.0 replies to them, byte for byte. Each group begins without keys and on a
//! connection of its own.

/// A command line without its end, and the reply.
pub type Case = (&'static str, &'static str);

/// `GET`, `SET`, `STRLEN`, `TYPE`.
pub const READ_AND_SET: &[Case] = &[
    ("GET k", "$-1\r\n"),
    ("SET k v", "+OK\r\n"),
    ("GET k", "$1\r\nv\r\n"),
    ("get k", "$1\r\nv\r\n"),
    ("GeT k", "$1\r\nv\r\n"),
    ("SET k \"\"", "+OK\r\n"),
    ("GET k", "$0\r\n\r\n"),
    (
        "GET",
        "-ERR wrong number of arguments for 'get' command\r\n",
    ),
    (
        "GET a b",
        "-ERR wrong number of arguments for 'get' command\r\n",
    ),
    (
        "SET k",
        "-ERR wrong number of arguments for 'set' command\r\n",
    ),
    (
        "SET",
        "-ERR wrong number of arguments for 'set' command\r\n",
    ),
    ("STRLEN k", ":0\r\n"),
    ("STRLEN missing", ":0\r\n"),
    (
        "STRLEN",
        "-ERR wrong number of arguments for 'strlen' command\r\n",
    ),
    ("TYPE k", "+string\r\n"),
    ("TYPE missing", "+none\r\n"),
    (
        "TYPE",
        "-ERR wrong number of arguments for 'type' command\r\n",
    ),
];

/// What `SET` can depend on, and when a value expires.
pub const SET_OPTIONS: &[Case] = &[
    ("SET k v NX", "+OK\r\n"),
    ("SET k w NX", "$-1\r\n"),
    ("GET k", "$1\r\nv\r\n"),
    ("SET k w XX", "+OK\r\n"),
    ("SET m w XX", "$-1\r\n"),
    ("SET k x NX XX", "-ERR syntax error\r\n"),
    ("SET k x XX NX", "-ERR syntax error\r\n"),
    ("SET k x nx nx", "$-1\r\n"),
    ("SET k new GET", "$1\r\nw\r\n"),
    ("SET m new GET", "$-1\r\n"),
    ("SET k n2 NX GET", "$3\r\nnew\r\n"),
    ("SET q n2 NX GET", "$-1\r\n"),
    ("SET q n3 XX GET", "$2\r\nn2\r\n"),
    ("SET z n3 XX GET", "$-1\r\n"),
    ("SET k v EX 10 PX 10", "-ERR syntax error\r\n"),
    ("SET k v EX", "-ERR syntax error\r\n"),
    (
        "SET k v EX 0",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    (
        "SET k v EX -1",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    (
        "SET k v EX abc",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "SET k v EX 1.5",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "SET k v EX 9223372036854775807",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    (
        "SET k v PX 9223372036854775807",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    (
        "SET k v EX 9223372036854775",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    ("SET k v PXAT 9223372036854775807", "+OK\r\n"),
    (
        "SET k v PXAT 0",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    (
        "SET k v EXAT 9223372036854775807",
        "-ERR invalid expire time in 'set' command\r\n",
    ),
    ("SET k v FOO", "-ERR syntax error\r\n"),
    ("SET k v EX 10 FOO", "-ERR syntax error\r\n"),
    (
        "SET k v EX FOO NX",
        "-ERR value is not an integer or out of range\r\n",
    ),
    ("SET k v KEEPTTL EX 10", "-ERR syntax error\r\n"),
    ("SET k v EX 10 KEEPTTL", "-ERR syntax error\r\n"),
    ("SET k v EX 10 EX 20", "+OK\r\n"),
    ("TTL k", ":20\r\n"),
    ("SET k w KEEPTTL", "+OK\r\n"),
    ("TTL k", ":20\r\n"),
    ("SET k w", "+OK\r\n"),
    ("TTL k", ":-1\r\n"),
    ("SET k w EX 100 NX", "$-1\r\n"),
    ("SET k w EX 100 XX", "+OK\r\n"),
    ("TTL k", ":100\r\n"),
    (
        "SET k w EX 010",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "SET k w EX +10",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "SET k w EX 99999999999999999999",
        "-ERR value is not an integer or out of range\r\n",
    ),
    ("SET k gone EXAT 1", "+OK\r\n"),
    ("GET k", "$-1\r\n"),
    ("SET k gone PXAT 1 GET", "$-1\r\n"),
];

/// Commands on several keys, or on all.
pub const SEVERAL_KEYS: &[Case] = &[
    ("MSET a 1 b 2", "+OK\r\n"),
    ("MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
    (
        "MGET",
        "-ERR wrong number of arguments for 'mget' command\r\n",
    ),
    (
        "MSET",
        "-ERR wrong number of arguments for 'mset' command\r\n",
    ),
    (
        "MSET a",
        "-ERR wrong number of arguments for 'mset' command\r\n",
    ),
    (
        "MSET a 1 b",
        "-ERR wrong number of arguments for 'mset' command\r\n",
    ),
    ("MGET a a", "*2\r\n$1\r\n1\r\n$1\r\n1\r\n"),
    ("DEL a b c", ":2\r\n"),
    ("DEL a", ":0\r\n"),
    (
        "DEL",
        "-ERR wrong number of arguments for 'del' command\r\n",
    ),
    ("UNLINK a", ":0\r\n"),
    (
        "UNLINK",
        "-ERR wrong number of arguments for 'unlink' command\r\n",
    ),
    ("EXISTS a", ":0\r\n"),
    ("SET a 1", "+OK\r\n"),
    ("EXISTS a a b", ":2\r\n"),
    (
        "EXISTS",
        "-ERR wrong number of arguments for 'exists' command\r\n",
    ),
    ("DBSIZE", ":1\r\n"),
    (
        "DBSIZE x",
        "-ERR wrong number of arguments for 'dbsize' command\r\n",
    ),
    ("FLUSHALL", "+OK\r\n"),
    ("DBSIZE", ":0\r\n"),
    ("SET a 1", "+OK\r\n"),
    ("FLUSHDB ASYNC", "+OK\r\n"),
    ("FLUSHALL SYNC", "+OK\r\n"),
    ("FLUSHALL foo", "-ERR syntax error\r\n"),
    ("FLUSHALL SYNC ASYNC", "-ERR syntax error\r\n"),
    ("DBSIZE", ":0\r\n"),
];

/// `SETNX`, `GETSET`, `SETEX`, `PSETEX`, `GETDEL`.
pub const RELATIVES_OF_SET: &[Case] = &[
    ("SETNX k 1", ":1\r\n"),
    ("SETNX k 2", ":0\r\n"),
    (
        "SETNX k",
        "-ERR wrong number of arguments for 'setnx' command\r\n",
    ),
    ("GETSET k 3", "$1\r\n1\r\n"),
    ("GETSET n 3", "$-1\r\n"),
    (
        "GETSET k",
        "-ERR wrong number of arguments for 'getset' command\r\n",
    ),
    ("SETEX k 10 v", "+OK\r\n"),
    ("TTL k", ":10\r\n"),
    (
        "SETEX k 0 v",
        "-ERR invalid expire time in 'setex' command\r\n",
    ),
    (
        "SETEX k x v",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "SETEX k 10",
        "-ERR wrong number of arguments for 'setex' command\r\n",
    ),
    ("PSETEX k 10000 v", "+OK\r\n"),
    ("TTL k", ":10\r\n"),
    (
        "PSETEX k 0 v",
        "-ERR invalid expire time in 'psetex' command\r\n",
    ),
    (
        "PSETEX k -5 v",
        "-ERR invalid expire time in 'psetex' command\r\n",
    ),
    ("GETDEL k", "$1\r\nv\r\n"),
    ("GETDEL k", "$-1\r\n"),
    (
        "GETDEL",
        "-ERR wrong number of arguments for 'getdel' command\r\n",
    ),
    ("GET k", "$-1\r\n"),
];

/// `TTL`, `EXPIRE`, `PERSIST` and their kin.
pub const EXPIRY: &[Case] = &[
    ("TTL k", ":-2\r\n"),
    ("PTTL k", ":-2\r\n"),
    ("SET k v", "+OK\r\n"),
    ("TTL k", ":-1\r\n"),
    ("PTTL k", ":-1\r\n"),
    ("EXPIRETIME k", ":-1\r\n"),
    ("PEXPIRETIME k", ":-1\r\n"),
    ("EXPIRETIME missing", ":-2\r\n"),
    ("EXPIRE k 100", ":1\r\n"),
    ("TTL k", ":100\r\n"),
    ("EXPIRE missing 100", ":0\r\n"),
    (
        "EXPIRE k",
        "-ERR wrong number of arguments for 'expire' command\r\n",
    ),
    (
        "EXPIRE k abc",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "EXPIRE k 1.5",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "EXPIRE k 9223372036854775807",
        "-ERR invalid expire time in 'expire' command\r\n",
    ),
    (
        "EXPIRE k -9223372036854775808",
        "-ERR invalid expire time in 'expire' command\r\n",
    ),
    (
        "EXPIRE k 9223372036854775",
        "-ERR invalid expire time in 'expire' command\r\n",
    ),
    (
        "PEXPIRE k 9223372036854775807",
        "-ERR invalid expire time in 'pexpire' command\r\n",
    ),
    ("PEXPIREAT k 9223372036854775807", ":1\r\n"),
    ("PEXPIRETIME k", ":9223372036854775807\r\n"),
    ("EXPIRE k 100", ":1\r\n"),
    ("EXPIRE k 50 NX", ":0\r\n"),
    ("TTL k", ":100\r\n"),
    ("EXPIRE k 50 GT", ":0\r\n"),
    ("EXPIRE k 200 GT", ":1\r\n"),
    ("TTL k", ":200\r\n"),
    ("EXPIRE k 300 LT", ":0\r\n"),
    ("EXPIRE k 100 LT", ":1\r\n"),
    ("TTL k", ":100\r\n"),
    ("EXPIRE k 120 XX", ":1\r\n"),
    ("EXPIRE k 100 XX GT", ":0\r\n"),
    ("EXPIRE k 130 XX GT", ":1\r\n"),
    ("EXPIRE k 130 XX LT", ":0\r\n"),
    ("EXPIRE k 110 XX LT", ":1\r\n"),
    ("TTL k", ":110\r\n"),
    (
        "EXPIRE k 100 NX XX",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    (
        "EXPIRE k 100 NX GT",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    (
        "EXPIRE k 100 NX LT",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    (
        "EXPIRE k 100 GT LT",
        "-ERR GT and LT options at the same time are not compatible\r\n",
    ),
    ("EXPIRE k 100 FOO", "-ERR Unsupported option FOO\r\n"),
    ("EXPIRE k abc FOO", "-ERR Unsupported option FOO\r\n"),
    ("EXPIRE k 100 NX FOO", "-ERR Unsupported option FOO\r\n"),
    (
        "EXPIRE k abc NX XX",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
    ),
    ("PERSIST k", ":1\r\n"),
    ("PERSIST k", ":0\r\n"),
    ("PERSIST missing", ":0\r\n"),
    (
        "PERSIST",
        "-ERR wrong number of arguments for 'persist' command\r\n",
    ),
    ("EXPIRE k 50 XX", ":0\r\n"),
    ("EXPIRE k 50 GT", ":0\r\n"),
    ("EXPIRE k 50 XX LT", ":0\r\n"),
    ("EXPIRE k 50 LT", ":1\r\n"),
    ("TTL k", ":50\r\n"),
    ("PERSIST k", ":1\r\n"),
    ("EXPIRE k 60 NX", ":1\r\n"),
    ("TTL k", ":60\r\n"),
    ("EXPIREAT k 4102444800", ":1\r\n"),
    ("EXPIRETIME k", ":4102444800\r\n"),
    ("PEXPIRETIME k", ":4102444800000\r\n"),
    ("PEXPIREAT k 4102444800123", ":1\r\n"),
    ("EXPIRETIME k", ":4102444800\r\n"),
    ("PEXPIRETIME k", ":4102444800123\r\n"),
    ("PEXPIREAT k 4102444800600", ":1\r\n"),
    ("EXPIRETIME k", ":4102444801\r\n"),
    ("EXPIREAT k 1", ":1\r\n"),
    ("EXISTS k", ":0\r\n"),
    ("SET k v", "+OK\r\n"),
    ("EXPIRE k 0", ":1\r\n"),
    ("EXISTS k", ":0\r\n"),
    ("SET k v", "+OK\r\n"),
    ("EXPIRE k -5", ":1\r\n"),
    ("GET k", "$-1\r\n"),
    ("SET k v", "+OK\r\n"),
    ("EXPIRE k -5 GT", ":0\r\n"),
    ("GET k", "$1\r\nv\r\n"),
    (
        "EXPIREAT k abc",
        "-ERR value is not an integer or out of range\r\n",
    ),
    (
        "EXPIREAT k",
        "-ERR wrong number of arguments for 'expireat' command\r\n",
    ),
    ("PEXPIRE k 100000", ":1\r\n"),
    ("TTL k", ":100\r\n"),
    ("PEXPIREAT k -1", ":1\r\n"),
    ("GET k", "$-1\r\n"),
    (
        "TTL",
        "-ERR wrong number of arguments for 'ttl' command\r\n",
    ),
    (
        "PTTL a b",
        "-ERR wrong number of arguments for 'pttl' command\r\n",
    ),
    (
        "EXPIRETIME",
        "-ERR wrong number of arguments for 'expiretime' command\r\n",
    ),
    (
        "PEXPIRETIME a b",
        "-ERR wrong number of arguments for 'pexpiretime' command\r\n",
    ),
];

/// Commands on the connection and on the node, and commands that do not exist.
pub const CONNECTION: &[Case] = &[
    ("PING", "+PONG\r\n"),
    ("PING hello", "$5\r\nhello\r\n"),
    (
        "PING a b",
        "-ERR wrong number of arguments for 'ping' command\r\n",
    ),
    ("ECHO hello", "$5\r\nhello\r\n"),
    (
        "ECHO",
        "-ERR wrong number of arguments for 'echo' command\r\n",
    ),
    (
        "ECHO a b",
        "-ERR wrong number of arguments for 'echo' command\r\n",
    ),
    ("SELECT 0", "+OK\r\n"),
    (
        "SELECT 1a",
        "-ERR value is not an integer or out of range\r\n",
    ),
    ("SELECT -1", "-ERR DB index is out of range\r\n"),
    ("SELECT 99999", "-ERR DB index is out of range\r\n"),
    (
        "SELECT 99999999999",
        "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
    ),
    (
        "SELECT",
        "-ERR wrong number of arguments for 'select' command\r\n",
    ),
    (
        "foo",
        "-ERR unknown command 'foo', with args beginning with: \r\n",
    ),
    (
        "foo a b",
        "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n",
    ),
    (
        "FOO 'a b' \"\"",
        "-ERR unknown command 'FOO', with args beginning with: 'a b' '' \r\n",
    ),
    (
        "\"foo\\r\\nbar\" \"x\\ny\"",
        "-ERR unknown command 'foo  bar', with args beginning with: 'x y' \r\n",
    ),
    (
        "\"nul\\x00byte\" \"a\\x00b\"",
        "-ERR unknown command 'nul', with args beginning with: 'a' \r\n",
    ),
    (
        "\"\" a",
        "-ERR unknown command '', with args beginning with: 'a' \r\n",
    ),
    (
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy z",
        "-ERR unknown command 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', with args beginning with: 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' \r\n",
    ),
    (
        "foo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bcdef g",
        "-ERR unknown command 'foo', with args beginning with: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \r\n",
    ),
    (
        "foo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb g",
        "-ERR unknown command 'foo', with args beginning with: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' 'bbbbbbbbbbbbbbbbbbbbbbbbb' \r\n",
    ),
    (
        "CLIENT",
        "-ERR wrong number of arguments for 'client' command\r\n",
    ),
    (
        "CLIENT FOO",
        "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n",
    ),
    ("CLIENT GETNAME", "$-1\r\n"),
    ("CLIENT SETNAME me", "+OK\r\n"),
    ("CLIENT GETNAME", "$2\r\nme\r\n"),
    (
        "CLIENT SETNAME \"a b\"",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    ),
    (
        "CLIENT SETNAME \"a\\nb\"",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    ),
    ("CLIENT SETNAME \"\"", "+OK\r\n"),
    ("CLIENT GETNAME", "$-1\r\n"),
    (
        "CLIENT SETNAME",
        "-ERR wrong number of arguments for 'client|setname' command\r\n",
    ),
    (
        "CLIENT GETNAME x",
        "-ERR wrong number of arguments for 'client|getname' command\r\n",
    ),
    (
        "CLIENT ID x",
        "-ERR wrong number of arguments for 'client|id' command\r\n",
    ),
    (
        "CLIENT SETNAME a b",
        "-ERR wrong number of arguments for 'client|setname' command\r\n",
    ),
    ("CLIENT NO-EVICT on", "+OK\r\n"),
    ("CLIENT NO-EVICT off", "+OK\r\n"),
    ("CLIENT NO-EVICT foo", "-ERR syntax error\r\n"),
    (
        "CLIENT NO-EVICT",
        "-ERR wrong number of arguments for 'client|no-evict' command\r\n",
    ),
    (
        "CONFIG",
        "-ERR wrong number of arguments for 'config' command\r\n",
    ),
    (
        "CONFIG FOO",
        "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n",
    ),
    (
        "CONFIG GET",
        "-ERR wrong number of arguments for 'config|get' command\r\n",
    ),
    (
        "CONFIG SET",
        "-ERR wrong number of arguments for 'config|set' command\r\n",
    ),
    (
        "CONFIG SET a",
        "-ERR wrong number of arguments for 'config|set' command\r\n",
    ),
    (
        "CONFIG SET a b",
        "-ERR Unknown option or number of arguments for CONFIG SET - 'a'\r\n",
    ),
    ("CONFIG SET a b c", "-ERR syntax error\r\n"),
    (
        "CONFIG SET maxmemory abc",
        "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value\r\n",
    ),
    (
        "CONFIG GET maxmemory",
        "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n",
    ),
    ("CONFIG SET maxmemory 1gb", "+OK\r\n"),
    (
        "CONFIG GET maxmemory",
        "*2\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n",
    ),
    ("CONFIG SET MaxMemory 0", "+OK\r\n"),
    ("CONFIG GET nosuch", "*0\r\n"),
    ("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"),
    (
        "CONFIG GET appendonly appendonly",
        "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n",
    ),
    (
        "CONFIG SET databases 5",
        "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config\r\n",
    ),
    ("CONFIG RESETSTAT", "+OK\r\n"),
    (
        "CONFIG RESETSTAT x",
        "-ERR wrong number of arguments for 'config|resetstat' command\r\n",
    ),
    (
        "COMMAND FOO",
        "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n",
    ),
    (
        "COMMAND COUNT x",
        "-ERR wrong number of arguments for 'command|count' command\r\n",
    ),
    ("COMMAND DOCS nosuch", "*0\r\n"),
    ("COMMAND LIST x", "-ERR syntax error\r\n"),
    ("INFO keyspace", "$12\r\n# Keyspace\r\n\r\n"),
];

/// `HELLO`, `AUTH`, `RESET`, `QUIT`.
pub const HANDSHAKE: &[Case] = &[
    ("HELLO 1", "-NOPROTO unsupported protocol version\r\n"),
    ("HELLO 4", "-NOPROTO unsupported protocol version\r\n"),
    (
        "HELLO abc",
        "-ERR Protocol version is not an integer or out of range\r\n",
    ),
    ("HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n"),
    (
        "HELLO 2 SETNAME",
        "-ERR Syntax error in HELLO option 'SETNAME'\r\n",
    ),
    (
        "HELLO 2 AUTH a",
        "-ERR Syntax error in HELLO option 'AUTH'\r\n",
    ),
    (
        "HELLO 2 AUTH a b",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    ),
    (
        "HELLO 2 AUTH a b SETNAME",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    ),
    (
        "HELLO 2 SETNAME \"a b\"",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    ),
    (
        "HELLO AUTH default x",
        "-ERR Protocol version is not an integer or out of range\r\n",
    ),
    (
        "AUTH",
        "-ERR wrong number of arguments for 'auth' command\r\n",
    ),
    (
        "AUTH x",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n",
    ),
    ("AUTH default x", "+OK\r\n"),
    (
        "AUTH foo x",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    ),
    ("AUTH a b c", "-ERR syntax error\r\n"),
    ("RESET", "+RESET\r\n"),
    (
        "RESET x",
        "-ERR wrong number of arguments for 'reset' command\r\n",
    ),
    ("QUIT", "+OK\r\n"),
];

/// The same after `HELLO 3`.
pub const RESP3: &[Case] = &[
    ("GET missing", "_\r\n"),
    ("MGET missing", "*1\r\n_\r\n"),
    ("SET k v GET", "_\r\n"),
    ("SET k v NX", "_\r\n"),
    ("CLIENT GETNAME", "_\r\n"),
    ("COMMAND INFO nosuch", "*1\r\n_\r\n"),
    ("COMMAND DOCS nosuch", "%0\r\n"),
];
