//! Commands of clients: a table of what there is, and a parser from arguments to what has to be done.
//!
//! ```text
//! Args --lookup(name)--> Spec --takes(len)--> parse --> Data: on keys,  Session: on connection and node
//!                        table                           |
//!                                                        +--> Update::decide, Read::reply: what it means for one key
//! ```
//!
//! Place: between [`resp`](crate::resp), which knows no command, and [`store`](crate::store), which knows
//! no bytes of the wire. Error texts are those of Redis 7 and stand in one place, [`CommandError`].
//! Cost: linear in the arguments; a parsed command borrows them and allocates nothing.

mod data;
mod edit;
mod error;
mod expire;
mod expiry;
mod glob;
mod long_double;
mod membership;
mod names;
mod number;
mod options;
mod owned;
mod parse;
mod read;
mod reply;
mod scatter;
mod session;
mod set;
mod spec;
mod table;
mod too_large;
mod update;

pub use data::{Context, Data};
pub use edit::{Edit, EditError, Edited};
pub use error::{CommandError, SettingError};
pub use expiry::{Condition, ExpireCondition, Expiry, ExpiryForm};
pub use membership::MembershipCommand;
pub use names::lookup;
pub use owned::OwnedArgs;
pub use parse::Given;
pub use read::{Read, Sees};
pub use reply::{Reply, ReplyKind};
pub(crate) use scatter::number as number_of_reply;
pub use scatter::{Gather, Part, Placement, place};
pub use session::{Client, Config, Describe, Filter, Hello, Session, Subcommand, subcommands};
pub use set::{Set, SetReply};
pub use spec::{Access, Categories, Flags, Group, KeyPositions, Spec};
pub use table::{Name, all};
pub use too_large::TooLarge;
pub use update::{Change, Decision, NewValue, Present, ReplyValue, Update, Words};

pub(crate) use glob::matches;
pub(crate) use number::{memory, memory_share};

use crate::resp::Args;

/// A parsed command.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// On keys: for an [`Engine`](crate::connection::Engine).
    Data(Data<'a>),
    /// On the connection or on the node: for a [`Connection`](crate::connection::Connection).
    Session(Session<'a>),
}

/// What a parser gives back.
pub type Parsed<'a> = Result<Command<'a>, CommandError<'a>>;

impl<'a> Command<'a> {
    /// Parses the arguments of a command, of which the first is its name.
    ///
    /// # Errors
    /// If there is no such command, or its arguments are wrong.
    ///
    /// # Examples
    /// ```
    /// use memvault::command::{Command, Context, Data};
    /// use memvault::resp::{CommandDecoder, Limits};
    /// use memvault::time::Timestamp;
    ///
    /// let mut decoder = CommandDecoder::new(Limits::default());
    /// let context = Context { now: Timestamp::from_millis(0), max_key_len: 1024, max_value_len: 4096 };
    /// let decoded = decoder.decode(b"get greeting\r\n")?.expect("a whole line");
    /// let command = Command::parse(&decoded.args, &context).expect("a correct command");
    /// assert!(matches!(command, Command::Data(Data::Get(b"greeting"))));
    /// # Ok::<(), memvault::resp::DecodeError>(())
    /// ```
    #[inline]
    pub fn parse(args: &Args<'a>, context: &Context) -> Result<Self, CommandError<'a>> {
        Self::parse_as(Self::spec(args)?, args, context)
    }

    /// Finds the command that these arguments are for, and whose number of them is right.
    ///
    /// # Errors
    /// If there is no such command, or it takes fewer or more arguments.
    #[inline]
    pub fn spec(args: &Args<'a>) -> Result<&'static Spec, CommandError<'a>> {
        let name = args.get(0).unwrap_or(&[]);
        let spec = lookup(name).ok_or(CommandError::Unknown(*args))?;
        if !spec.takes(args.len()) {
            return Err(CommandError::Arity(spec.name));
        }
        Ok(spec)
    }

    /// Parses the arguments of the command that [`spec`](Self::spec) has found for them.
    ///
    /// # Errors
    /// If the arguments are wrong.
    #[inline]
    pub fn parse_as(
        spec: &'static Spec,
        args: &Args<'a>,
        context: &Context,
    ) -> Result<Self, CommandError<'a>> {
        match (spec.id, args.len()) {
            (Name::Get, _) => Ok(Data::Get(args.get(1).unwrap_or(&[])).into()),
            (Name::Set, 3) => {
                let (key, value) = (args.get(1).unwrap_or(&[]), args.get(2).unwrap_or(&[]));
                context.check_key(key)?;
                let expire_at = None;
                Ok(Data::Set {
                    key,
                    value,
                    expire_at,
                }
                .into())
            }
            _ => (spec.parse)(&Given {
                spec,
                args,
                context,
            }),
        }
    }
}
