//! A plain map with a clock, and the replies it would give.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::written::{assert_survives, owned};
use crate::command::{
    Command, Condition, Context, Data, Edit, ExpireCondition, Expiry, ExpiryForm, Read, Session,
    Set, SetReply, Update,
};
use crate::time::Timestamp;

/// Keys to values and expiries in Unix milliseconds. What is past its time goes when a command names it.
#[derive(Default)]
pub(super) struct Naive(BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>);

/// What a command gives, whatever the protocol.
enum Reply {
    Ok,
    Simple(&'static str),
    Integer(i64),
    Value(Option<Vec<u8>>),
    Values(Vec<Option<Vec<u8>>>),
    Error(&'static str),
}

impl Naive {
    pub(super) fn answer(&mut self, now: Timestamp, words: &[Vec<u8>], out: &mut Vec<u8>) {
        let context = Context {
            now,
            max_key_len: 1 << 16,
            max_value_len: 64 << 20,
        };
        let args = owned(words);
        match Command::parse(&args.as_args(), &context) {
            Ok(Command::Data(data)) => {
                assert_survives(&data, &context);
                let now = now.as_millis();
                self.0.retain(|_, entry| entry.1.is_none_or(|at| at > now));
                self.execute(now, &data).write(out);
            }
            Ok(Command::Session(Session::Ping(None))) => Reply::Simple("PONG").write(out),
            Ok(Command::Session(Session::Ping(Some(text)))) => {
                Reply::Value(Some(text.to_vec())).write(out);
            }
            Ok(other) => panic!("{other:?} is not among the names"),
            Err(error) => {
                let start = out.len();
                error.encode(out);
                let line_ends = out[start..].iter().filter(|byte| b"\r\n".contains(byte));
                assert_eq!(line_ends.count(), 2, "{error} is one line");
            }
        }
    }

    fn execute(&mut self, now: u64, command: &Data<'_>) -> Reply {
        let map = &mut self.0;
        let value = |entry: Option<&(Vec<u8>, Option<u64>)>| entry.map(|(value, _)| value.clone());
        match *command {
            Data::Get(key) => Reply::Value(value(map.get(key))),
            Data::GetMany(keys) => {
                Reply::Values(keys.iter().map(|key| value(map.get(key))).collect())
            }
            Data::Set {
                key,
                value,
                expire_at,
            } => self.set(now, key, &Set::expiring(value, expire_at)),
            Data::SetMany(pairs) => {
                let pairs: Vec<_> = pairs.iter().collect();
                for pair in pairs.chunks_exact(2) {
                    map.insert(pair[0].to_vec(), (pair[1].to_vec(), None));
                }
                Reply::Ok
            }
            Data::Update { key, ref update } => self.update(now, key, update),
            Data::Read { key, read } => match read {
                Read::Value => Reply::Value(value(map.get(key))),
                Read::Range { start, end } => {
                    Reply::Value(Some(part(value(map.get(key)), start, end)))
                }
                Read::Length => Reply::Integer(value(map.get(key)).map_or(0, |v| v.len() as i64)),
                Read::Type => Reply::Simple(if map.contains_key(key) {
                    "string"
                } else {
                    "none"
                }),
                Read::Expiry(form) => Reply::Integer(expiry(now, form, map.get(key))),
            },
            Data::Delete(keys) => count(keys.iter().filter_map(|key| map.remove(key))),
            Data::Exists(keys) => count(keys.iter().filter_map(|key| map.get(key))),
            Data::Count => Reply::Integer(map.len() as i64),
            Data::Membership(_) => {
                Reply::Error("ERR this node is not a member of a cluster: it was started alone")
            }
            Data::Flush => {
                map.clear();
                Reply::Ok
            }
        }
    }

    fn update(&mut self, now: u64, key: &[u8], update: &Update<&[u8]>) -> Reply {
        match update {
            Update::Set(set) => self.set(now, key, set),
            Update::Edit { edit, .. } => self.edit(key, edit),
            Update::GetDelete => Reply::Value(self.0.remove(key).map(|(value, _)| value)),
            Update::GetExpire { at } => Reply::Value(self.get_expire(now, key, *at)),
            Update::Expire {
                at: Some(at),
                condition,
            } => Reply::Integer(self.expire(now, key, at.as_millis(), *condition).into()),
            Update::Expire { at: None, .. } => {
                let taken = self.0.get_mut(key).and_then(|(_, at)| at.take());
                Reply::Integer(taken.is_some().into())
            }
        }
    }

    fn set(&mut self, now: u64, key: &[u8], set: &Set<&[u8]>) -> Reply {
        let old = self.0.get(key).cloned();
        let holds = match set.condition {
            Condition::Always => true,
            Condition::IfAbsent => old.is_none(),
            Condition::IfPresent => old.is_some(),
        };
        let (old, old_expiry) = old.map_or((None, None), |(value, at)| (Some(value), at));
        if holds {
            let at = match set.expiry {
                Expiry::None => None,
                Expiry::Keep => old_expiry,
                Expiry::At(at) => Some(at.as_millis()),
            };
            self.0.remove(key);
            if at.is_none_or(|at| at > now) {
                self.0.insert(key.to_vec(), (set.value.to_vec(), at));
            }
        }
        match set.reply {
            SetReply::Former => Reply::Value(old),
            SetReply::Flag => Reply::Integer(holds.into()),
            SetReply::Done if holds => Reply::Ok,
            SetReply::Done => Reply::Value(None),
        }
    }

    fn get_expire(&mut self, now: u64, key: &[u8], at: Option<Timestamp>) -> Option<Vec<u8>> {
        let at = at.map(Timestamp::as_millis);
        let (value, _) = self.0.remove(key)?;
        if at.is_none_or(|at| at > now) {
            self.0.insert(key.to_vec(), (value.clone(), at));
        }
        Some(value)
    }

    fn edit(&mut self, key: &[u8], edit: &Edit<&[u8]>) -> Reply {
        let present = self.0.get(key).cloned();
        let is_new = present.is_none();
        let (mut value, at) = present.unwrap_or_default();
        match *edit {
            Edit::Add(amount) => {
                // What a number prints as is what it was read from, and nothing else is a number.
                let number = core::str::from_utf8(&value).ok().and_then(|text| {
                    let number = text.parse::<i64>().ok()?;
                    (number.to_string() == text).then_some(number)
                });
                let Some(number) = number.or_else(|| is_new.then_some(0)) else {
                    return Reply::Error("ERR value is not an integer or out of range");
                };
                let sum = i128::from(number) + i128::from(amount);
                let Ok(sum) = i64::try_from(sum) else {
                    return Reply::Error("ERR increment or decrement would overflow");
                };
                self.0
                    .insert(key.to_vec(), (sum.to_string().into_bytes(), at));
                return Reply::Integer(sum);
            }
            Edit::Append(bytes) => value.extend_from_slice(bytes),
            // redis-server is its model.
            Edit::AddFloat(_) => panic!("{edit:?} is not among the names"),
            Edit::Overwrite { bytes: b"", .. } => return Reply::Integer(value.len() as i64),
            Edit::Overwrite { offset, bytes } => {
                value.resize(value.len().max(offset + bytes.len()), 0);
                for (place, byte) in value.iter_mut().skip(offset).zip(bytes) {
                    *place = *byte;
                }
            }
        }
        let len = value.len() as i64;
        self.0.insert(key.to_vec(), (value, at));
        Reply::Integer(len)
    }

    fn expire(&mut self, now: u64, key: &[u8], at: u64, condition: ExpireCondition) -> bool {
        let Some((_, expiry)) = self.0.get_mut(key) else {
            return false;
        };
        // No expiry is the latest of all.
        let (present, endless) = (expiry.unwrap_or(u64::MAX), expiry.is_none());
        let allowed = match condition {
            ExpireCondition::Always => true,
            ExpireCondition::IfNone => endless,
            ExpireCondition::IfSome => !endless,
            ExpireCondition::IfLater => at > present,
            ExpireCondition::IfEarlier => at < present,
            ExpireCondition::IfSomeEarlier => !endless && at < present,
        };
        if allowed && at <= now {
            self.0.remove(key);
        } else if allowed {
            *expiry = Some(at);
        }
        allowed
    }
}

fn part(value: Option<Vec<u8>>, start: i64, end: i64) -> Vec<u8> {
    let value = value.unwrap_or_default();
    let len = value.len() as i128;
    let from_start = |at: i64| {
        let at = i128::from(at);
        if at < 0 { (len + at).max(0) } else { at }
    };
    let chosen = |at: &i128| (from_start(start)..=from_start(end)).contains(at);
    let all_before = start < 0 && end < 0 && start > end;
    let part = (0..len).zip(&value);
    let part = part.filter(|(at, _)| chosen(at) && !all_before);
    part.map(|(_, byte)| *byte).collect()
}

fn expiry(now: u64, form: ExpiryForm, entry: Option<&(Vec<u8>, Option<u64>)>) -> i64 {
    let scale = |millis: u64| {
        if form.millis {
            millis
        } else {
            (millis + 500) / 1000
        }
    };
    let left = |at: u64| if form.absolute { at } else { at - now };
    match entry {
        None => -2,
        Some((_, None)) => -1,
        Some((_, Some(at))) => scale(left(*at)).try_into().unwrap_or(i64::MAX),
    }
}

fn count<T>(found: impl Iterator<Item = T>) -> Reply {
    Reply::Integer(found.count() as i64)
}

impl Reply {
    fn write(&self, out: &mut Vec<u8>) {
        let line = match self {
            Self::Ok => "+OK\r\n".to_string(),
            Self::Error(text) => format!("-{text}\r\n"),
            Self::Simple(text) => format!("+{text}\r\n"),
            Self::Integer(number) => format!(":{number}\r\n"),
            Self::Value(None) => "$-1\r\n".to_string(),
            Self::Value(Some(value)) => {
                out.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
                out.extend_from_slice(value);
                "\r\n".to_string()
            }
            Self::Values(values) => {
                out.extend_from_slice(format!("*{}\r\n", values.len()).as_bytes());
                for value in values {
                    Self::Value(value.clone()).write(out);
                }
                return;
            }
        };
        out.extend_from_slice(line.as_bytes());
    }
}
