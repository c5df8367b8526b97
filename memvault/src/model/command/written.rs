//! Parsed commands written out again.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::command::{
    Command, Condition, Context, Data, Edit, ExpireCondition, Expiry, Membership, OwnedArgs, Set,
    SetReply,
};
use crate::time::Timestamp;

pub(super) fn owned(words: &[Vec<u8>]) -> OwnedArgs {
    let mut args = OwnedArgs::default();
    for word in words {
        args.push(word);
    }
    args
}

/// Writes a command out, with its time as an absolute one, and parses it again.
pub(super) fn assert_survives(data: &Data<'_>, context: &Context) {
    let words = written(data);
    let args = owned(&words);
    let later = Context {
        now: Timestamp::from_millis(context.now.as_millis() + 77),
        ..*context
    };
    match Command::parse(&args.as_args(), &later) {
        Ok(Command::Data(again)) => assert_eq!(written(&again), words, "from {data:?}"),
        other => panic!("{words:?} from {data:?} gives {other:?}"),
    }
}

fn name(data: &Data<'_>) -> &'static [u8] {
    match data {
        Data::Get(_) => b"GET",
        Data::GetMany(_) => b"MGET",
        Data::Set(Set { reply, .. }) if *reply == SetReply::Flag => b"SETNX",
        Data::Set(_) => b"SET",
        Data::SetMany(_) => b"MSET",
        Data::GetDelete(_) => b"GETDEL",
        Data::Delete(_) => b"DEL",
        Data::Exists(_) => b"EXISTS",
        Data::Expiry { form, .. } => match (form.millis, form.absolute) {
            (false, false) => b"TTL",
            (true, false) => b"PTTL",
            (false, true) => b"EXPIRETIME",
            (true, true) => b"PEXPIRETIME",
        },
        Data::Expire { .. } => b"PEXPIREAT",
        Data::Persist(_) => b"PERSIST",
        Data::Type(_) => b"TYPE",
        Data::Length(_) => b"STRLEN",
        Data::GetExpire { .. } => b"GETEX",
        Data::GetRange { .. } => b"GETRANGE",
        Data::Edit { edit, .. } => match edit {
            Edit::Add(_) => b"INCRBY",
            Edit::Append(_) => b"APPEND",
            Edit::Overwrite { .. } => b"SETRANGE",
        },
        Data::Count => b"DBSIZE",
        Data::Flush => b"FLUSHALL",
        Data::Membership(_) => b"MEMVAULT.CLUSTER",
    }
}

fn written(data: &Data<'_>) -> Vec<Vec<u8>> {
    let mut words = vec![name(data).to_vec()];
    let mut add = |word: &[u8]| words.push(word.to_vec());
    match data {
        Data::SetMany(pairs) => pairs.iter().for_each(add),
        Data::Set(set) => write_set(set, add),
        Data::Expire { key, at, condition } => {
            add(key);
            add(at.as_millis().to_string().as_bytes());
            let options: &[&[u8]] = match condition {
                ExpireCondition::Always => &[],
                ExpireCondition::IfNone => &[b"NX"],
                ExpireCondition::IfSome => &[b"XX"],
                ExpireCondition::IfLater => &[b"GT"],
                ExpireCondition::IfEarlier => &[b"LT"],
                ExpireCondition::IfSomeEarlier => &[b"LT", b"XX"],
            };
            options.iter().copied().for_each(add);
        }
        Data::GetExpire { key, at } => {
            add(key);
            match at {
                Some(at) => {
                    add(b"PXAT");
                    add(at.as_millis().to_string().as_bytes());
                }
                None => add(b"PERSIST"),
            }
        }
        Data::GetRange { key, start, end } => {
            add(key);
            add(start.to_string().as_bytes());
            add(end.to_string().as_bytes());
        }
        Data::Edit { key, edit, .. } => {
            add(key);
            match edit {
                Edit::Add(amount) => add(amount.to_string().as_bytes()),
                Edit::Append(bytes) => add(bytes),
                Edit::Overwrite { offset, bytes } => {
                    add(offset.to_string().as_bytes());
                    add(bytes);
                }
            }
        }
        Data::Membership(membership) => write_membership(membership, add),
        _ => data.keys().for_each(add),
    }
    words
}

fn write_membership(membership: &Membership<'_>, mut add: impl FnMut(&[u8])) {
    match *membership {
        Membership::Status => add(b"STATUS"),
        Membership::Remove(id) => {
            add(b"REMOVE");
            add(id.as_bytes());
        }
        Membership::Add {
            id,
            address,
            weight,
        } => {
            add(b"ADD");
            add(id.as_bytes());
            add(address.as_bytes());
            add(weight.to_string().as_bytes());
        }
    }
}

fn write_set(set: &Set<'_>, mut add: impl FnMut(&[u8])) {
    add(set.key);
    add(set.value);
    if set.reply == SetReply::Flag {
        return;
    }
    match set.condition {
        Condition::Always => {}
        Condition::IfAbsent => add(b"NX"),
        Condition::IfPresent => add(b"XX"),
    }
    match set.expiry {
        Expiry::None => {}
        Expiry::Keep => add(b"KEEPTTL"),
        Expiry::At(at) => {
            add(b"PXAT");
            add(at.as_millis().to_string().as_bytes());
        }
    }
    if set.reply == SetReply::Former {
        add(b"GET");
    }
}
