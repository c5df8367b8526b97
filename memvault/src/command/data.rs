//! Commands on keys: from arguments to what has to be done.

use super::edit::Edit;
use super::error::CommandError;
use super::expiry::{Condition, ExpireCondition, Expiry};
use super::membership::Membership;
use super::number::integer;
use super::options::{expire_condition, expiry, get_expire, set_options};
use super::table::{Name, Spec};
use crate::resp::Args;
use crate::time::Timestamp;

/// What a command is parsed against.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The present, for expiries that are given as a time to live.
    pub now: Timestamp,
    /// Longest key that can be set, in bytes.
    pub max_key_len: usize,
    /// Longest value that a command may make of a present one, in bytes.
    pub max_value_len: usize,
}

/// A command on keys.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// `GET`: the value of a key.
    Get(&'a [u8]),
    /// `MGET`: the values of these keys.
    GetMany(Args<'a>),
    /// `SET` and its kin.
    Set(Set<'a>),
    /// `MSET`: keys and values by turns.
    SetMany(Args<'a>),
    /// `GETDEL`: the value of a key, which is deleted.
    GetDelete(&'a [u8]),
    /// `GETEX` with an option: the value of a key, whose expiry is changed.
    GetExpire {
        /// The key.
        key: &'a [u8],
        /// When it expires; `None` for never. A time in the past deletes it.
        at: Option<Timestamp>,
    },
    /// `GETRANGE`, `SUBSTR`: part of a value, both ends included; negative numbers count from its end.
    GetRange {
        /// The key.
        key: &'a [u8],
        /// The first byte.
        start: i64,
        /// The last byte.
        end: i64,
    },
    /// `INCR`, `APPEND`, `SETRANGE` and their kin: makes a new value of the present one; the expiry stays.
    Edit {
        /// The key.
        key: &'a [u8],
        /// What becomes of the value.
        edit: Edit<&'a [u8]>,
        /// Longest value that may come of it, in bytes.
        max_len: usize,
    },
    /// `DEL`, `UNLINK`: deletes these keys and counts those that were there.
    Delete(Args<'a>),
    /// `EXISTS`: counts those of these keys that are there.
    Exists(Args<'a>),
    /// `TTL`, `PTTL`, `EXPIRETIME`, `PEXPIRETIME`: when a key expires.
    Expiry {
        /// The key.
        key: &'a [u8],
        /// How the reply says when.
        form: ExpiryForm,
    },
    /// `EXPIRE` and its kin: sets a key's expiry.
    Expire {
        /// The key.
        key: &'a [u8],
        /// When it expires; a time in the past deletes it.
        at: Timestamp,
        /// On which present expiry this depends.
        condition: ExpireCondition,
    },
    /// `PERSIST`: removes a key's expiry.
    Persist(&'a [u8]),
    /// `TYPE`: whether a key has a value.
    Type(&'a [u8]),
    /// `STRLEN`: the length of a value.
    Length(&'a [u8]),
    /// `DBSIZE`: counts the keys.
    Count,
    /// `FLUSHALL`, `FLUSHDB`: deletes all keys.
    Flush,
    /// `MEMVAULT.CLUSTER`: the members of the cluster.
    Membership(Membership<'a>),
}

/// What `SET` and its kin do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its new value.
    pub value: &'a [u8],
    /// When it expires.
    pub expiry: Expiry,
    /// Whether the key must be there or must not.
    pub condition: Condition,
    /// How the reply says what was done.
    pub reply: SetReply,
}

/// How the reply of a [`Set`] says what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetReply {
    /// OK, or null if the condition did not hold (`SET`).
    #[default]
    Done,
    /// The former value in either case (`SET ... GET`, `GETSET`).
    Former,
    /// 1, or 0 if the condition did not hold (`SETNX`).
    Flag,
}

/// How a reply says when a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryForm {
    /// In milliseconds, not in seconds.
    pub millis: bool,
    /// As a Unix time, not as the time that is left.
    pub absolute: bool,
}

impl<'a> Data<'a> {
    /// Parses the arguments of a command of the table; `None` if it is not one on keys.
    ///
    /// # Errors
    /// If options contradict each other, a number is none, or a key that would be set is too long.
    #[inline]
    pub fn parse(
        spec: &'static Spec,
        args: &Args<'a>,
        context: &Context,
    ) -> Result<Option<Self>, CommandError<'a>> {
        let key = args.get(1).unwrap_or(&[]);
        Ok(Some(match spec.id {
            Name::Get => Self::Get(key),
            Name::Set => {
                let value = args.get(2).unwrap_or(&[]);
                check_key(key, context)?;
                let set = Set {
                    key,
                    value,
                    expiry: Expiry::None,
                    condition: Condition::Always,
                    reply: SetReply::Done,
                };
                Self::Set(if args.len() == 3 {
                    set
                } else {
                    set_options(set, args, context)?
                })
            }
            Name::MGet => Self::GetMany(args.from(1)),
            Name::Del | Name::Unlink => Self::Delete(args.from(1)),
            Name::Exists => Self::Exists(args.from(1)),
            Name::MSet => Self::SetMany(pairs(spec, args, context)?),
            _ => return Self::parse_rarer(spec, args, key, context),
        }))
    }

    fn parse_rarer(
        spec: &'static Spec,
        args: &Args<'a>,
        key: &'a [u8],
        context: &Context,
    ) -> Result<Option<Self>, CommandError<'a>> {
        let form = |millis, absolute| Self::Expiry {
            key,
            form: ExpiryForm { millis, absolute },
        };
        Ok(Some(match spec.id {
            Name::Ttl => form(false, false),
            Name::PTtl => form(true, false),
            Name::ExpireTime => form(false, true),
            Name::PExpireTime => form(true, true),
            Name::Expire | Name::PExpire | Name::ExpireAt | Name::PExpireAt => {
                let condition = expire_condition(&args.from(3))?;
                let at = expire_at(spec, args, context)?;
                Self::Expire { key, at, condition }
            }
            Name::Persist => Self::Persist(key),
            Name::Type => Self::Type(key),
            Name::StrLen => Self::Length(key),
            Name::GetDel => Self::GetDelete(key),
            Name::GetEx => get_expire(args, context)?,
            Name::GetRange | Name::SubStr => {
                let (start, end) = (number(args, 2)?, number(args, 3)?);
                Self::GetRange { key, start, end }
            }
            Name::Incr
            | Name::Decr
            | Name::IncrBy
            | Name::DecrBy
            | Name::Append
            | Name::SetRange => {
                check_key(key, context)?;
                let edit = edit(spec, args)?;
                let max_len = context.max_value_len;
                Self::Edit { key, edit, max_len }
            }
            Name::GetSet | Name::SetNx | Name::SetEx | Name::PSetEx => {
                Self::Set(set_variant(spec, args, context)?)
            }
            Name::DbSize => Self::Count,
            Name::FlushAll | Name::FlushDb => flush(args)?,
            Name::MemVaultCluster => Self::Membership(Membership::parse(args)?),
            _ => return Ok(None),
        }))
    }

    /// The keys, in the order of the arguments; none for a command on all keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (one, many, step) = match *self {
            Self::Get(key)
            | Self::GetDelete(key)
            | Self::Expiry { key, .. }
            | Self::Expire { key, .. }
            | Self::GetExpire { key, .. }
            | Self::GetRange { key, .. }
            | Self::Edit { key, .. }
            | Self::Persist(key)
            | Self::Type(key)
            | Self::Length(key)
            | Self::Set(Set { key, .. }) => (Some(key), Args::new(&[], &[]), 1),
            Self::GetMany(keys) | Self::Delete(keys) | Self::Exists(keys) => (None, keys, 1),
            Self::SetMany(pairs) => (None, pairs, 2),
            Self::Count | Self::Flush | Self::Membership(_) => (None, Args::new(&[], &[]), 1),
        };
        one.into_iter().chain(many.iter().step_by(step))
    }

    /// Whether it leaves all keys as they are.
    #[must_use]
    pub const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Get(_)
                | Self::GetMany(_)
                | Self::GetRange { .. }
                | Self::Exists(_)
                | Self::Expiry { .. }
                | Self::Type(_)
                | Self::Length(_)
                | Self::Count
        )
    }

    /// Whether what it writes depends on nothing that is there.
    #[must_use]
    pub fn is_blind_write(&self) -> bool {
        match self {
            Self::Set(set) => {
                set.condition == Condition::Always
                    && set.expiry != Expiry::Keep
                    && set.reply == SetReply::Done
            }
            Self::SetMany(_) | Self::Delete(_) => true,
            _ => false,
        }
    }
}

fn number<'a>(args: &Args<'a>, at: usize) -> Result<i64, CommandError<'a>> {
    integer(args.get(at).unwrap_or(&[])).ok_or(CommandError::NotAnInteger)
}

fn edit<'a>(spec: &'static Spec, args: &Args<'a>) -> Result<Edit<&'a [u8]>, CommandError<'a>> {
    let argument = |at| args.get(at).unwrap_or(&[]);
    Ok(match spec.id {
        Name::Incr => Edit::Add(1),
        Name::Decr => Edit::Add(-1),
        Name::IncrBy => Edit::Add(number(args, 2)?),
        Name::DecrBy => Edit::Add(
            number(args, 2)?
                .checked_neg()
                .ok_or(CommandError::DecrementOverflow)?,
        ),
        Name::Append => Edit::Append(argument(2)),
        _ => {
            let offset = number(args, 2)?;
            Edit::Overwrite {
                offset: usize::try_from(offset).map_err(|_| CommandError::NegativeOffset)?,
                bytes: argument(3),
            }
        }
    })
}

fn check_key<'a>(key: &[u8], context: &Context) -> Result<(), CommandError<'a>> {
    let (len, limit) = (key.len(), context.max_key_len);
    if len > limit {
        return Err(CommandError::KeyTooLong { len, limit });
    }
    Ok(())
}

fn pairs<'a>(
    spec: &'static Spec,
    args: &Args<'a>,
    context: &Context,
) -> Result<Args<'a>, CommandError<'a>> {
    let pairs = args.from(1);
    if !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Arity(spec.name));
    }
    for key in pairs.iter().step_by(2) {
        check_key(key, context)?;
    }
    Ok(pairs)
}

fn set_variant<'a>(
    spec: &'static Spec,
    args: &Args<'a>,
    context: &Context,
) -> Result<Set<'a>, CommandError<'a>> {
    let argument = |at| args.get(at).unwrap_or(&[]);
    let mut set = Set {
        key: argument(1),
        value: argument(2),
        expiry: Expiry::None,
        condition: Condition::Always,
        reply: SetReply::Done,
    };
    check_key(set.key, context)?;
    match spec.id {
        Name::GetSet => set.reply = SetReply::Former,
        Name::SetNx => {
            set.condition = Condition::IfAbsent;
            set.reply = SetReply::Flag;
        }
        _ => {
            set.value = argument(3);
            let millis = spec.id == Name::PSetEx;
            let form = ExpiryForm {
                millis,
                absolute: false,
            };
            set.expiry = Expiry::At(expiry(argument(2), form, spec.name, context)?);
        }
    }
    Ok(set)
}

/// When the key of an `EXPIRE` expires; times before 1970 count as 1970.
fn expire_at<'a>(
    spec: &'static Spec,
    args: &Args<'a>,
    context: &Context,
) -> Result<Timestamp, CommandError<'a>> {
    let number = integer(args.get(2).unwrap_or(&[])).ok_or(CommandError::NotAnInteger)?;
    let seconds = matches!(spec.id, Name::Expire | Name::ExpireAt);
    let relative = matches!(spec.id, Name::Expire | Name::PExpire);
    let millis = if seconds {
        number.checked_mul(1000)
    } else {
        Some(number)
    };
    let millis = match millis {
        Some(millis) if relative => millis.checked_add_unsigned(context.now.as_millis()),
        millis => millis,
    };
    let millis = millis.ok_or(CommandError::InvalidExpiry(spec.name))?;
    Ok(Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)))
}

fn flush<'a>(args: &Args<'a>) -> Result<Data<'a>, CommandError<'a>> {
    let is_mode =
        |mode: &[u8]| mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async");
    match args.get(1) {
        None => Ok(Data::Flush),
        Some(mode) if args.len() == 2 && is_mode(mode) => Ok(Data::Flush),
        Some(_) => Err(CommandError::Syntax),
    }
}
