//! What a datagram is: four bytes that say whose it is, one that says what it is, and the content.

use foca::{Codec, Member, PostcardCodec};

use super::Identity;

/// The most bytes of a datagram: fits into one packet on every usual network.
pub(super) const MAX_DATAGRAM: usize = 1400;
/// Bytes before the content.
pub(super) const HEAD: usize = MAGIC.len() + 1;

/// The last byte is the version of the format.
const MAGIC: [u8; 4] = *b"MVD\x01";
const GOSSIP: u8 = 0;
const ASK: u8 = 1;
const ANSWER: u8 = 2;

/// A datagram, understood.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    /// For foca.
    Gossip(&'a [u8]),
    /// Who are you? I am this one.
    Ask(Identity),
    /// I am this one, and your id is known to me as this.
    Answer(Identity, Option<Identity>),
}

/// Why a datagram is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    TooLong,
    Foreign,
    Malformed,
}

pub(super) const MALFORMED: &str = "it is malformed";

impl FrameError {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "it is longer than 1400 bytes",
            Self::Foreign => "it is not of this protocol, or of another version of it",
            Self::Malformed => MALFORMED,
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads a datagram.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(FrameError::TooLong);
        }
        let content = bytes.strip_prefix(&MAGIC).ok_or(FrameError::Foreign)?;
        let (kind, mut content) = content.split_first().ok_or(FrameError::Malformed)?;
        let frame = match *kind {
            GOSSIP => return Ok(Self::Gossip(content)),
            ASK => Self::Ask(take_identity(&mut content)?),
            ANSWER => {
                let from = take_identity(&mut content)?;
                let known = (!content.is_empty()).then(|| take_identity(&mut content));
                Self::Answer(from, known.transpose()?)
            }
            _ => return Err(FrameError::Malformed),
        };
        if content.is_empty() {
            Ok(frame)
        } else {
            Err(FrameError::Malformed)
        }
    }

    /// The bytes to send.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        match self {
            Self::Gossip(content) => {
                bytes.push(GOSSIP);
                bytes.extend_from_slice(content);
            }
            Self::Ask(from) => {
                bytes.push(ASK);
                put_identity(&mut bytes, from);
            }
            Self::Answer(from, known) => {
                bytes.push(ANSWER);
                put_identity(&mut bytes, from);
                if let Some(known) = known {
                    put_identity(&mut bytes, known);
                }
            }
        }
        bytes
    }
}

fn take_identity(bytes: &mut &[u8]) -> Result<Identity, FrameError> {
    let member = PostcardCodec.decode_member(bytes);
    let member: Member<Identity> = member.map_err(|_| FrameError::Malformed)?;
    Ok(member.id().clone())
}

fn put_identity(bytes: &mut Vec<u8>, identity: &Identity) {
    // A Vec takes everything, and an identity has nothing that the codec does not know.
    let written = PostcardCodec.encode_member(&Member::alive(identity.clone()), bytes);
    debug_assert!(written.is_ok(), "{written:?}");
}
