//! What an operator would like to know, as a name and fields: the program that writes it down chooses the form.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::wire::message::NodeState;

/// Something that an operator would like to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A member can be reached.
    Up {
        /// The member's id.
        node: String,
        /// What it can be used for.
        state: NodeState,
    },
    /// A member cannot be reached any more: its replicas take over.
    Down {
        /// The member's id.
        node: String,
        /// How it was noticed.
        reason: DownReason,
    },
    /// A member is silent and no longer chosen.
    Ejected {
        /// The member's id.
        node: String,
    },
    /// A member that was down or ejected is used again.
    Rejoined {
        /// The member's id.
        node: String,
    },
    /// A member changed its state.
    StateChanged {
        /// The member's id; this node's own included.
        node: String,
        /// The new state.
        state: NodeState,
    },
    /// This node started to serve without having heard enough peers: keys may be misses.
    DegradedStart {
        /// Entries that only a read at level ONE or AUTO will return.
        unconfirmed: u64,
    },
    /// Fewer members live than a key has replicas.
    FewNodes {
        /// Members in view.
        live: usize,
        /// Replicas wanted per key.
        replicas: usize,
    },
    /// Writes were acknowledged by fewer replicas than a quorum, for lack of live ones.
    DegradedWrites,
    /// This node goes by another member list from now on.
    MembersChanged {
        /// The list's epoch.
        epoch: u64,
        /// Its members, by id, separated by commas.
        members: String,
        /// The change under way, such as `joining=d`; empty if there is none.
        change: String,
    },
    /// A member is reached elsewhere than before.
    Moved {
        /// The member's id.
        node: String,
        /// Where it is reached now.
        address: String,
    },
    /// A member has another list of the same epoch, or one that cannot be: it is ignored.
    BadMemberList {
        /// The sender's id, if known.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A member goes by other rules and is not talked to.
    Rejected {
        /// The member's id.
        node: String,
        /// What differs.
        reason: String,
    },
    /// Two processes have one id.
    SameId {
        /// The id.
        node: String,
        /// Whether it is this node's own, and the other process was there first: this one has to end.
        must_end: bool,
    },
    /// A clock is wrong: a version came from too far in the future.
    ClockSkew {
        /// The member's id, if known.
        node: String,
    },
    /// This process stood still for so long that others may have taken over.
    Paused {
        /// For how long, in milliseconds.
        millis: u64,
    },
}

/// How a node noticed that a member is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// The connection was refused, reset or closed.
    Disconnected,
    /// Nothing was heard for `down_after`.
    Silent,
}

impl Event {
    /// The event's name, which its text begins with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Up { .. } => "up",
            Self::Down { .. } => "down",
            Self::Ejected { .. } => "ejected",
            Self::Rejoined { .. } => "rejoined",
            Self::StateChanged { .. } => "state",
            Self::DegradedStart { .. } => "degraded-start",
            Self::FewNodes { .. } => "few-nodes",
            Self::DegradedWrites => "degraded-writes",
            Self::MembersChanged { .. } => "members",
            Self::Moved { .. } => "moved",
            Self::BadMemberList { .. } => "bad-member-list",
            Self::Rejected { .. } => "rejected",
            Self::SameId { .. } => "same-id",
            Self::ClockSkew { .. } => "clock-skew",
            Self::Paused { .. } => "paused",
        }
    }

    /// What else there is to tell, in the order in which the event's text has it.
    #[must_use]
    pub fn fields(&self) -> Vec<Field<'_>> {
        let mut fields = Vec::new();
        if let Some(node) = self.node() {
            fields.push(Field::new("node", node));
        }
        match self {
            Self::Up { state, .. } | Self::StateChanged { state, .. } => {
                fields.push(Field::new("state", state.name()));
            }
            Self::Down { reason, .. } => fields.push(Field::new("reason", reason.name())),
            Self::DegradedStart { unconfirmed } => {
                fields.push(Field::new("unconfirmed", *unconfirmed));
            }
            Self::FewNodes { live, replicas } => {
                fields.push(Field::new("live", *live as u64));
                fields.push(Field::new("replicas", *replicas as u64));
            }
            Self::MembersChanged {
                epoch,
                members,
                change,
            } => {
                fields.push(Field::new("epoch", *epoch));
                fields.push(Field::new("members", members.as_str()));
                fields.extend(
                    change
                        .split_once('=')
                        .map(|(name, id)| Field::new(name, id)),
                );
            }
            Self::Moved { address, .. } => fields.push(Field::new("address", address.as_str())),
            Self::BadMemberList { reason, .. } | Self::Rejected { reason, .. } => {
                fields.push(Field::new("reason", reason.as_str()));
            }
            Self::SameId { must_end, .. } => {
                fields.push(Field::new("must_end", *must_end));
                fields.push(Field::new("reason", SAME_ID));
            }
            Self::Paused { millis } => fields.push(Field::new("millis", *millis)),
            Self::Ejected { .. }
            | Self::Rejoined { .. }
            | Self::DegradedWrites
            | Self::ClockSkew { .. } => {}
        }
        fields
    }

    /// The member that it is about, by its id.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Up { node, .. }
            | Self::Down { node, .. }
            | Self::Ejected { node }
            | Self::Rejoined { node }
            | Self::StateChanged { node, .. }
            | Self::Moved { node, .. }
            | Self::BadMemberList { node, .. }
            | Self::Rejected { node, .. }
            | Self::SameId { node, .. }
            | Self::ClockSkew { node } => Some(node),
            Self::DegradedStart { .. }
            | Self::FewNodes { .. }
            | Self::DegradedWrites
            | Self::MembersChanged { .. }
            | Self::Paused { .. } => None,
        }
    }
}

/// What to do about it stands in it, as the one who sees the event can do something.
const SAME_ID: &str =
    "two processes have this id: stop one of them, or give it an id of its own (node-id)";

/// The name, and the fields behind it: `down node=a reason=silent`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.fields()
            .iter()
            .try_for_each(|field| write!(f, " {field}"))
    }
}

/// One thing that there is to tell about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// What it is.
    pub name: &'a str,
    /// How it is.
    pub value: FieldValue<'a>,
}

/// The value of a [`Field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// An id, a name, a sentence.
    Text(&'a str),
    /// A count, or an amount in the unit that the field's name tells.
    Number(u64),
    /// Whether it is so.
    Flag(bool),
}

impl<'a> Field<'a> {
    fn new(name: &'a str, value: impl Into<FieldValue<'a>>) -> Self {
        Self {
            name,
            value: value.into(),
        }
    }
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for FieldValue<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for FieldValue<'_> {
    fn from(is_so: bool) -> Self {
        Self::Flag(is_so)
    }
}

/// `name=value`.
impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// One word, or a text in quotes, with escapes as in Rust: it never breaks a line or looks like another field.
impl fmt::Display for FieldValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if is_word(text) => f.write_str(text),
            Self::Text(text) => {
                f.write_char('"')?;
                for letter in text.chars() {
                    match letter {
                        '"' | '\\' => write!(f, "\\{letter}")?,
                        letter if letter.is_control() => write!(f, "{}", letter.escape_default())?,
                        letter => f.write_char(letter)?,
                    }
                }
                f.write_char('"')
            }
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(is_so) => write!(f, "{is_so}"),
        }
    }
}

/// Whether a text can stand without quotes.
fn is_word(text: &str) -> bool {
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '"';
    !text.is_empty() && !text.contains(is_odd)
}

impl DownReason {
    /// The reason in messages to people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Silent => "silent",
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn the_text_is_the_name_and_the_fields() {
        let members = |change: &str| Event::MembersChanged {
            epoch: 3,
            members: "a,b".into(),
            change: change.into(),
        };
        let node = || String::from("127.0.0.1:7001");
        for (event, text) in [
            (members(""), "members epoch=3 members=a,b"),
            (
                members("joining=d"),
                "members epoch=3 members=a,b joining=d",
            ),
            (Event::DegradedWrites, "degraded-writes"),
            (
                Event::Down {
                    node: node(),
                    reason: DownReason::Silent,
                },
                "down node=127.0.0.1:7001 reason=silent",
            ),
            (
                Event::Rejected {
                    node: node(),
                    reason: "it has 1 replica".into(),
                },
                "rejected node=127.0.0.1:7001 reason=\"it has 1 replica\"",
            ),
            (Event::Paused { millis: 700 }, "paused millis=700"),
        ] {
            assert_eq!(event.to_string(), text);
        }
    }

    #[test]
    fn a_text_never_breaks_a_line_or_looks_like_a_field() {
        for (text, written) in [
            ("word", "word"),
            ("a=b,c", "a=b,c"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a\nlevel=x", r#""a\nlevel=x""#),
            ("say \"hi\" \\", r#""say \"hi\" \\""#),
            ("\u{1b}[31m", r#""\u{1b}[31m""#),
        ] {
            assert_eq!(FieldValue::Text(text).to_string(), written);
        }
    }
}
