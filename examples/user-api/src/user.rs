//! A user, and what a body must be to become one.

use serde::{Deserialize, Serialize};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// A user without its number: the body of POST and PUT.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) email: String,
}

/// Longest name and e-mail address, in bytes.
const MAX_LEN: usize = 320;

impl Draft {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it, for anyone who sent it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let draft: Self = serde_json::from_slice(body).map_err(|error| {
            format!(
                "the body is not a user: {error}; expected {{\"name\": \"...\", \"email\": \"...\"}}"
            )
        })?;
        draft.check()?;
        Ok(draft)
    }

    fn check(&self) -> Result<(), String> {
        for (field, text) in [("name", &self.name), ("email", &self.email)] {
            if text.trim().is_empty() {
                return Err(format!("{field} is empty"));
            }
            if text.len() > MAX_LEN {
                let len = text.len();
                return Err(format!(
                    "{field} has {len} bytes; the longest allowed is {MAX_LEN}"
                ));
            }
        }
        let is_address = self.email.split_once('@').is_some_and(|(name, host)| {
            let is_part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
            is_part(name) && is_part(host) && !host.contains('@')
        });
        if is_address {
            Ok(())
        } else {
            Err(format!(
                "email {:?} is no address; expected something like ada@example.com",
                self.email
            ))
        }
    }
}

/// The number in a path.
///
/// # Errors
/// What is wrong with it, for anyone who asked.
pub(crate) fn parse_id(text: &str) -> Result<i64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|id| is_number && *id > 0);
    id.ok_or_else(|| {
        format!(
            "user id {text:?} is wrong; expected a whole number from 1 to {}",
            i64::MAX
        )
    })
}
