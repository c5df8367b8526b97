//! What every parser of the [table](super::table) is given, and what it gives back.

use super::Command;
pub(super) use super::Parsed;
use super::data::{Context, Data};
use super::edit::Edit;
use super::error::CommandError;
use super::number::integer;
use super::read::Read;
use super::session::Session;
use super::spec::Spec;
use super::update::Update;
use crate::resp::Args;

/// A command as it came: as many arguments as its row of the table says.
#[derive(Clone, Copy, Debug)]
pub struct Given<'p, 'a> {
    /// The row of the table.
    pub spec: &'static Spec,
    /// The arguments, of which the first is the name.
    pub args: &'p Args<'a>,
    /// What it is parsed against.
    pub context: &'p Context,
}

impl<'a> Given<'_, 'a> {
    /// The argument at this position; empty if there is none.
    #[inline]
    pub(super) fn get(&self, at: usize) -> &'a [u8] {
        self.args.get(at).unwrap_or(&[])
    }

    pub(super) fn integer(&self, at: usize) -> Result<i64, CommandError<'a>> {
        integer(self.get(at)).ok_or(CommandError::NotAnInteger)
    }

    /// The first argument as a key that may be stored.
    #[inline]
    pub(super) fn new_key(&self) -> Result<&'a [u8], CommandError<'a>> {
        let key = self.get(1);
        self.context.check_key(key)?;
        Ok(key)
    }

    /// A reader of the key that is the first argument.
    pub(super) fn read(&self, read: Read) -> Parsed<'a> {
        let key = self.get(1);
        Ok(Data::Read { key, read }.into())
    }

    /// A change of the key that is the first argument, where one that is not there may be made.
    pub(super) fn update(&self, update: Update<&'a [u8]>) -> Parsed<'a> {
        let key = self.new_key()?;
        Ok(Data::Update { key, update }.into())
    }

    /// A change of the key that is the first argument, where one that is not there stays away.
    pub(super) fn update_present(&self, update: Update<&'a [u8]>) -> Parsed<'a> {
        let key = self.get(1);
        Ok(Data::Update { key, update }.into())
    }

    /// A new value of the present one.
    pub(super) fn edit(&self, edit: Edit<&'a [u8]>) -> Parsed<'a> {
        let max_len = self.context.max_value_len;
        self.update(Update::Edit { edit, max_len })
    }
}

impl<'a> From<Data<'a>> for Command<'a> {
    fn from(data: Data<'a>) -> Self {
        Self::Data(data)
    }
}

impl<'a> From<Session<'a>> for Command<'a> {
    fn from(session: Session<'a>) -> Self {
        Self::Session(session)
    }
}
