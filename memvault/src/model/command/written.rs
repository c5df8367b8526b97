//! Parsed commands written out again.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::command::{Command, Context, Data, MembershipCommand, OwnedArgs, Read, Set, Update};
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

fn written(data: &Data<'_>) -> Vec<Vec<u8>> {
    let plain = |name: &[u8]| {
        let keys = data.keys().map(<[u8]>::to_vec);
        core::iter::once(name.to_vec()).chain(keys).collect()
    };
    match data {
        Data::Get(_) => plain(b"GET"),
        Data::GetMany(_) => plain(b"MGET"),
        Data::Delete(_) => plain(b"DEL"),
        Data::Exists(_) => plain(b"EXISTS"),
        Data::Count => plain(b"DBSIZE"),
        Data::Flush => plain(b"FLUSHALL"),
        Data::Set {
            key,
            value,
            expire_at,
        } => of_update(key, &Update::Set(Set::expiring(*value, *expire_at))),
        Data::Update { key, update } => of_update(key, update),
        Data::SetMany(pairs) => {
            let name = core::iter::once(b"MSET".to_vec());
            name.chain(pairs.iter().map(<[u8]>::to_vec)).collect()
        }
        Data::Read { read, .. } => {
            let mut words: Vec<Vec<u8>> = plain(match read {
                Read::Value => b"GET",
                Read::Range { .. } => b"GETRANGE",
                Read::Length => b"STRLEN",
                Read::Type => b"TYPE",
                Read::Expiry(form) => match (form.millis, form.absolute) {
                    (false, false) => b"TTL",
                    (true, false) => b"PTTL",
                    (false, true) => b"EXPIRETIME",
                    (true, true) => b"PEXPIRETIME",
                },
            });
            if let Read::Range { start, end } = read {
                words.extend([start, end].map(|at| at.to_string().into_bytes()));
            }
            words
        }
        Data::Membership(membership) => {
            let mut words = vec![b"MEMVAULT.CLUSTER".to_vec()];
            write_membership(membership, |word| words.push(word.to_vec()));
            words
        }
    }
}

fn of_update(key: &[u8], update: &Update<&[u8]>) -> Vec<Vec<u8>> {
    update.words(key).iter().map(<[u8]>::to_vec).collect()
}

fn write_membership(membership: &MembershipCommand<'_>, mut add: impl FnMut(&[u8])) {
    match *membership {
        MembershipCommand::Status => add(b"STATUS"),
        MembershipCommand::Remove(id) => {
            add(b"REMOVE");
            add(id.as_bytes());
        }
        MembershipCommand::Add {
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
