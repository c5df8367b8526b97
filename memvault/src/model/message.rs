//! Messages as bytes: any message survives the way through [`Message::encode`] and [`Message::decode`], and
//! any bytes are either a message that survives it too or an error.

use alloc::string::String;
use alloc::vec::Vec;

use crate::replication::{
    Ballot, Body, Bytes, Change, Entry, Hello, LockReply, Member, Membership, Message, NodeState,
    OfferKind, OfferReply, Prepare, Progress, PullReply, PulledEntry, ReadReply, Refusal,
    WireError, Write, WriteReply,
};
use crate::resp::{Args, Span};
use crate::slot::{SLOTS, Slot};
use crate::time::Timestamp;
use crate::version::Version;

/// Builds a message of every kind from `program` and sends it through bytes; then takes `program` itself
/// for the parts of a message.
///
/// # Panics
///
/// Panics if a message comes out different, or one comes out that nobody sends.
pub fn run(program: &[u8]) {
    let mut source = Source(program);
    for kind in 0..KINDS {
        survives(&Message {
            id: source.u64(),
            epoch: source.u64(),
            body: source.body(kind),
        });
    }
    for name in NAMES {
        if let Ok(message) = decode_parts(name.as_bytes(), program) {
            survives(&message);
        }
    }
}

fn survives(message: &Message) {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    let spans = spans_of(&bytes);
    let decoded = Message::decode(Args::new(&bytes, &spans));
    match message.body.flaw() {
        None => assert_eq!(decoded.as_ref(), Ok(message)),
        Some(flaw) => assert_eq!(decoded, Err(WireError::Flaw(flaw))),
    }
}

/// The bulk strings of one RESP array, found without the decoder under test elsewhere.
fn spans_of(bytes: &[u8]) -> Vec<Span> {
    let number = |at: usize| {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold((0, at + 2), |(sum, end), digit| {
            (sum * 10 + usize::from(digit - b'0'), end + 1)
        })
    };
    assert_eq!(bytes[0], b'*');
    let (count, mut at) = number(1);
    let mut spans = Vec::new();
    for _ in 0..count {
        assert_eq!(bytes[at], b'$');
        let (len, start) = number(at + 1);
        spans.push(Span {
            start: u32::try_from(start).unwrap(),
            len: u32::try_from(len).unwrap(),
        });
        at = start + len + 2;
    }
    assert_eq!(at, bytes.len(), "nothing follows the array");
    spans
}

/// A message of this name whose header and further parts are cut from `program`.
fn decode_parts(name: &[u8], program: &[u8]) -> Result<Message, WireError> {
    let mut source = Source(program);
    let mut bytes = name.to_vec();
    let mut spans = Vec::new();
    spans.push(span(0, name.len()));
    for _ in 0..source.u8() % 5 {
        let len = usize::from(source.u8() % 80);
        let start = bytes.len();
        bytes.extend((0..len).map(|_| source.u8()));
        spans.push(span(start, len));
    }
    Message::decode(Args::new(&bytes, &spans))
}

fn span(start: usize, len: usize) -> Span {
    Span {
        start: start as u32,
        len: len as u32,
    }
}

const KINDS: u8 = 22;
const NAMES: [&str; 23] = [
    "NODE.TOUCH",
    "NODE.LOCK",
    "NODE.LOCKED",
    "NODE.UNLOCK",
    "NODE.HELLO",
    "NODE.REJECTED",
    "NODE.PING",
    "NODE.PONG",
    "NODE.WRITE",
    "NODE.WROTE",
    "NODE.OFFER",
    "NODE.OFFERED",
    "NODE.READ",
    "NODE.HELD",
    "NODE.PULL",
    "NODE.PULLED",
    "NODE.FLUSH",
    "NODE.FLUSHED",
    "NODE.MEMBERSHIP",
    "NODE.WRONGEPOCH",
    "NODE.PROPOSE",
    "NODE.VOTED",
    "PING",
];

/// Values drawn from bytes; zeros after their end.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    fn bytes(&mut self) -> Bytes {
        let len = self.u8() % 40;
        (0..len).map(|_| self.u8()).collect::<Vec<_>>().into()
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn version(&mut self) -> Version {
        Version::new(self.u64(), self.u32())
    }

    fn prepare(&mut self) -> Prepare {
        let prepare = match self.flag() {
            true => Prepare::Update,
            false => Prepare::Fill,
        };
        prepare(self.version())
    }

    fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| some(self))
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.u8() % 5).map(|_| one(self)).collect()
    }

    fn entry(&mut self) -> Entry {
        Entry {
            version: self.version(),
            value: self.option(Self::bytes),
            expire_at: self.option(|source| Timestamp::from_millis(source.u64())),
        }
    }

    fn state(&mut self) -> NodeState {
        match self.u8() % 4 {
            0 => NodeState::Warming,
            1 => NodeState::CatchingUp,
            2 => NodeState::Serving,
            _ => NodeState::Leaving,
        }
    }

    fn hello(&mut self) -> Hello {
        Hello {
            node_id: self.text(),
            incarnation: self.u32(),
            digest: self.u64(),
            replicas: self.u8(),
            is_member: self.flag(),
            protocol: self.u8(),
            virtual_nodes: self.u32(),
            op_deadline_ms: self.u32(),
            callee: self.text(),
        }
    }

    fn pong(&mut self) -> Body {
        Body::Pong {
            incarnation: self.u32(),
            state: self.state(),
            hlc: self.u64(),
            pending: self.option(|source| Progress {
                entries: source.u64(),
                permille: source.u32() as u16,
            }),
            wall: Timestamp::from_millis(self.u64()),
            flushed: self.version(),
            start_floor: self.version(),
        }
    }

    fn body(&mut self, kind: u8) -> Body {
        match kind {
            0 => Body::Hello(self.hello()),
            1 => Body::Rejected(self.text()),
            2 => Body::Ping,
            3 => self.pong(),
            4 => Body::Write(Write {
                key: self.bytes(),
                entry: self.entry(),
                need: self.u8(),
                next_need: self.u8(),
                first: self.flag(),
                is_fill: self.flag(),
                deadline: Timestamp::from_millis(self.u64()),
            }),
            5 => Body::Wrote(self.write_reply()),
            6 => Body::Offer {
                key: self.bytes(),
                entry: self.entry(),
                kind: self.offer_kind(),
            },
            7 => Body::Offered(self.offer_reply()),
            8 => Body::Read {
                key: self.bytes(),
                promise: self.option(Self::prepare),
            },
            9 => Body::Held(self.read_reply()),
            10 => Body::Pull {
                cursor: self.u32(),
                since: self.u64(),
                pending: self.flag(),
            },
            11 => Body::Pulled(self.pull_reply()),
            12 => Body::Flush {
                version: self.version(),
            },
            13..=16 => self.agreement(kind),
            17 => Body::Lock { key: self.bytes() },
            18 => Body::Locked(match self.u8() % 3 {
                0 => LockReply::Granted,
                1 => LockReply::Queued,
                _ => LockReply::Loading,
            }),
            19 => Body::Unlock { key: self.bytes() },
            20 => Body::Touch {
                keys: self.list(Self::bytes),
            },
            21 => Body::Count,
            22 => Body::Counted { keys: self.u64() },
            _ => Body::Flushed,
        }
    }

    fn agreement(&mut self, kind: u8) -> Body {
        match kind {
            13 => Body::Membership(self.membership()),
            14 => Body::WrongEpoch,
            15 => Body::Propose {
                number: self.u64(),
                membership: self.option(Self::membership),
            },
            _ => Body::Voted {
                is_yes: self.flag(),
                before: self.option(|source| Ballot {
                    number: source.u64(),
                    membership: source.membership(),
                }),
            },
        }
    }

    fn membership(&mut self) -> Membership {
        Membership {
            epoch: self.u64(),
            members: self.list(Self::member),
            replicas: self.u8(),
            change: self.option(|source| match source.flag() {
                false => Change::Leaving(source.text()),
                true => Change::Joining {
                    member: source.member(),
                    incarnation: source.u32(),
                },
            }),
        }
    }

    fn member(&mut self) -> Member {
        Member {
            id: self.text(),
            weight: self.u32(),
            address: self.text(),
        }
    }

    fn offer_kind(&mut self) -> OfferKind {
        match self.u8() % 4 {
            3 => OfferKind::Fill,
            0 => OfferKind::Write,
            1 => OfferKind::Fence,
            _ => OfferKind::Repair,
        }
    }

    fn write_reply(&mut self) -> WriteReply {
        match self.u8() % 9 {
            8 => WriteReply::Undecided {
                current: self.version(),
            },
            0 => WriteReply::Done {
                existed: self.flag(),
            },
            1 => WriteReply::Stale {
                current: self.version(),
                untouched: self.flag(),
            },
            2 => WriteReply::Loading,
            3 => WriteReply::WrongNode,
            4 => WriteReply::Unreachable,
            5 => WriteReply::Expired,
            6 => WriteReply::Skew,
            _ => WriteReply::TooLarge,
        }
    }

    fn offer_reply(&mut self) -> OfferReply {
        match self.u8() % 3 {
            0 => OfferReply::Silent,
            1 => OfferReply::Ack {
                counted: self.flag(),
            },
            _ => OfferReply::Nack {
                current: self.version(),
                held: self.flag(),
                counted: self.flag(),
                refusal: match self.u8() % 4 {
                    0 => Refusal::Stale,
                    1 => Refusal::Skew,
                    2 => Refusal::Promised,
                    _ => Refusal::TooLarge,
                },
            },
        }
    }

    fn read_reply(&mut self) -> ReadReply {
        match self.u8() % 4 {
            0 => return ReadReply::Loading,
            1 => return ReadReply::Pending,
            2 => {
                return ReadReply::Overtaken {
                    current: self.version(),
                };
            }
            _ => {}
        }
        ReadReply::Holds {
            entry: self.option(Self::entry),
            unconfirmed: self.flag(),
            floor: self.version(),
            behind: self.flag(),
        }
    }

    fn pull_reply(&mut self) -> PullReply {
        if self.u8().is_multiple_of(8) {
            return PullReply::Loading;
        }
        PullReply::Chunk {
            entries: self.list(|source| PulledEntry {
                key: source.bytes(),
                entry: source.entry(),
                unconfirmed: source.flag(),
            }),
            looked_at: self.u32(),
            total: self.u32(),
            next: self.option(Self::u32),
            floors: self.list(|source| {
                let slot = Slot::new(source.u32() as u16 % SLOTS).unwrap_or_default();
                (slot, source.version())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use crate::rng::Rng;

    quickcheck! {
        fn any_message_survives_and_any_bytes_are_safe(program: Vec<u8>) -> bool {
            super::run(&program);
            true
        }
    }

    #[test]
    fn long_programs_reach_every_variant() {
        let mut rng = Rng::new(1);
        for _ in 0..500 {
            let program: Vec<u8> = (0..600).map(|_| rng.next_u64() as u8).collect();
            super::run(&program);
        }
    }
}
