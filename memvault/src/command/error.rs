//! Why a command is refused, in the words of Redis: every error text of a command that a client can see.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::edit::EditError;
use super::too_large::TooLarge;
use crate::resp::Args;

/// Why a command was not carried out. The client's fault; nothing was done.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CommandError<'a> {
    /// There is no such command.
    Unknown(Args<'a>),
    /// `MEMVAULT.CLUSTER` has no such subcommand.
    UnknownChange(&'a [u8]),
    /// The command has no such part.
    UnknownSubcommand {
        /// The command, in upper case.
        command: &'static str,
        /// What was asked for.
        name: &'a [u8],
    },
    /// The command is for a cluster, and this node is alone.
    NotInCluster,
    /// Too many arguments, or too few.
    Arity(&'static str),
    /// `COMMAND GETKEYS` of a command that there is not.
    NoSuchCommand,
    /// The same of one with too many arguments, or too few.
    ArityOfOther,
    /// The same of one that has no keys.
    NoKeys,
    /// An option that does not exist, or not beside the others.
    Syntax,
    /// A number was expected.
    NotAnInteger,
    /// A number beyond 32 bits where an index was expected.
    NotAnIndex,
    /// The value is not what the command needs, or would become too long.
    Edit(EditError),
    /// The number to subtract has no opposite.
    DecrementOverflow,
    /// An offset below 0.
    NegativeOffset,
    /// An expiry that is no time, or too far away.
    InvalidExpiry(&'static str),
    /// `EXPIRE` and its kin have no such option.
    UnsupportedOption(&'a [u8]),
    /// `NX` beside `XX`, `GT` or `LT`.
    NxWithOthers,
    /// `GT` beside `LT`.
    GtWithLt,
    /// A key above [`max_key_len`](super::Context::max_key_len).
    KeyTooLong {
        /// Its length in bytes.
        len: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The entry does not fit into the memory of the store.
    TooLarge(TooLarge),
    /// The reply would be too long.
    ReplyTooLong {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// There is one database, 0.
    DatabaseIndex,
    /// The version of the protocol is no number.
    VersionNotAnInteger,
    /// There is no such version of the protocol.
    UnsupportedVersion,
    /// `HELLO` has no such option.
    HelloOption(&'a [u8]),
    /// A name with a blank, a line break or a control character in it.
    ClientName,
    /// The same for what `CLIENT SETINFO` sets.
    ClientInfo(&'static str),
    /// A name that a connection keeps, of a client or of its library, is too long.
    WordTooLong {
        /// What is named.
        what: &'static str,
        /// Most bytes of it.
        limit: usize,
    },
    /// `CLIENT SETINFO` knows no such thing.
    UnknownClientInfo(&'a [u8]),
    /// A password was given where none is asked for.
    NoPassword,
    /// `CONSISTENCY` takes two levels.
    Consistency,
    /// There are no levels to choose from.
    NoLevels,
    /// User or password is wrong.
    WrongPassword,
    /// There is no such setting.
    UnknownSetting(&'a [u8]),
    /// A setting cannot take the value.
    Setting {
        /// The setting.
        name: &'a [u8],
        /// Why not.
        reason: SettingError,
    },
}

/// Why a setting was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingError {
    /// There is no such setting.
    Unknown,
    /// It is fixed when the process starts.
    Immutable,
    /// It takes a number of bytes, such as `100mb`.
    NotMemory,
    /// It takes a whole number that is not negative.
    NotANumber,
    /// It is named twice.
    Duplicate,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "there is no such setting",
            Self::Immutable => "can't set immutable config",
            Self::NotMemory => "argument must be a memory value",
            Self::NotANumber => "argument couldn't be parsed into an integer",
            Self::Duplicate => "duplicate parameter",
        })
    }
}

impl core::error::Error for SettingError {}

impl CommandError<'_> {
    /// Appends the error as a reply.
    #[cold]
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'-');
        let start = out.len();
        self.write(out);
        for byte in out.iter_mut().skip(start) {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Unknown(args) => unknown(args, out),
            Self::NotInCluster => {
                out.extend_from_slice(
                    b"ERR this node is not a member of a cluster: it was started alone",
                );
            }
            Self::UnknownChange(name) => {
                let after = "': MEMVAULT.CLUSTER has STATUS, ADD and REMOVE";
                quoted(out, "ERR unknown subcommand '", name, after);
            }
            Self::UnknownSubcommand { command, name } => {
                out.extend_from_slice(b"ERR unknown subcommand '");
                out.extend_from_slice(shown(name, MOST_SHOWN));
                format(out, format_args!("'. Try {command} HELP."));
            }
            Self::UnsupportedOption(option) => {
                out.extend_from_slice(b"ERR Unsupported option ");
                out.extend_from_slice(shown(option, usize::MAX));
            }
            Self::HelloOption(option) => {
                quoted(out, "ERR Syntax error in HELLO option '", option, "'")
            }
            Self::UnknownClientInfo(option) => {
                quoted(out, "ERR Unrecognized option '", option, "'");
            }
            Self::UnknownSetting(name) => {
                let before = "ERR Unknown option or number of arguments for CONFIG SET - '";
                quoted(out, before, name, "'");
            }
            Self::Setting { name, reason } => {
                let before = "ERR CONFIG SET failed (possibly related to argument '";
                quoted(out, before, name, "') - ");
                format(out, format_args!("{reason}"));
            }
            Self::TooLarge(reason) => too_large(reason, out),
            ref other => out.extend_from_slice(other.fixed(&mut String::new()).as_bytes()),
        }
    }

    /// The texts that repeat nothing of what the client sent.
    fn fixed<'b>(&self, made: &'b mut String) -> &'b str {
        use fmt::Write;
        let written = match *self {
            Self::Arity(name) => write!(made, "ERR wrong number of arguments for '{name}' command"),
            Self::InvalidExpiry(name) => {
                write!(made, "ERR invalid expire time in '{name}' command")
            }
            Self::KeyTooLong { len, limit } => {
                write!(
                    made,
                    "ERR key of {len} bytes: the limit is {limit} bytes (max-key)"
                )
            }
            Self::ReplyTooLong { limit } => {
                write!(
                    made,
                    "ERR the reply is too long: the limit is {limit} bytes (max-command)"
                )
            }
            Self::ClientInfo(name) => {
                write!(
                    made,
                    "ERR {name} cannot contain spaces, newlines or special characters."
                )
            }
            Self::WordTooLong { what, limit } => {
                write!(made, "ERR {what} cannot be longer than {limit} bytes.")
            }
            Self::Edit(reason) => write!(made, "ERR {reason}"),
            _ => return self.constant(),
        };
        // A String takes whatever is written to it.
        debug_assert!(written.is_ok());
        made
    }

    const fn constant(&self) -> &'static str {
        match self {
            Self::NoSuchCommand => "ERR Invalid command specified",
            Self::ArityOfOther => "ERR Invalid number of arguments specified for command",
            Self::NoKeys => "ERR The command has no key arguments",
            Self::NotAnInteger => "ERR value is not an integer or out of range",
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::NegativeOffset => "ERR offset is out of range",
            Self::NotAnIndex => {
                "ERR value is out of range, value must between -2147483648 and 2147483647"
            }
            Self::NxWithOthers => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Self::GtWithLt => "ERR GT and LT options at the same time are not compatible",
            Self::DatabaseIndex => "ERR DB index is out of range",
            Self::VersionNotAnInteger => "ERR Protocol version is not an integer or out of range",
            Self::UnsupportedVersion => "NOPROTO unsupported protocol version",
            Self::ClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
            Self::Consistency => {
                "ERR expected CONSISTENCY <write> <read>, each of them auto, one, quorum or all; without \
                 arguments it tells the present ones"
            }
            Self::NoLevels => {
                "ERR this node is alone and holds the only copy of every key: levels are for the members of a \
                 cluster and its gateways"
            }
            Self::NoPassword => {
                "ERR AUTH <password> called without any password configured for the default user. Are \
                 you sure your configuration is correct?"
            }
            Self::WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
            _ => "ERR syntax error",
        }
    }
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl core::error::Error for CommandError<'_> {}

/// Bytes of an unknown name, and of the arguments after it, that an error repeats.
const MOST_SHOWN: usize = 128;

fn unknown(args: Args<'_>, out: &mut Vec<u8>) {
    let mut args = args.iter();
    out.extend_from_slice(b"ERR unknown command '");
    out.extend_from_slice(shown(args.next().unwrap_or(&[]), MOST_SHOWN));
    out.extend_from_slice(b"', with args beginning with: ");
    let start = out.len();
    for arg in args {
        let said = out.len() - start;
        if said >= MOST_SHOWN {
            break;
        }
        out.push(b'\'');
        out.extend_from_slice(shown(arg, MOST_SHOWN - said));
        out.extend_from_slice(b"' ");
    }
}

/// What an error repeats of `bytes`: at most `most` of them, and nothing from the first NUL on.
fn shown(bytes: &[u8], most: usize) -> &[u8] {
    let end = bytes.iter().take(most).position(|&byte| byte == 0);
    &bytes[..end.unwrap_or_else(|| bytes.len().min(most))]
}

fn quoted(out: &mut Vec<u8>, before: &str, bytes: &[u8], after: &str) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(shown(bytes, usize::MAX));
    out.extend_from_slice(after.as_bytes());
}

fn too_large(reason: TooLarge, out: &mut Vec<u8>) {
    let setting = match reason {
        TooLarge::Bytes { .. } => "max-memory",
        TooLarge::Key { .. } => "max-key",
        TooLarge::Entries => "max-entries",
    };
    format(out, format_args!("OOM {reason} ({setting})"));
}

fn format(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    use alloc::string::ToString;
    out.extend_from_slice(text.to_string().as_bytes());
}
