//! Commands on the connection and on the node: from arguments to what has to be done.

use super::error::CommandError;
use super::number::integer;
use super::parse::{Given, Parsed};
use super::spec::takes;
use super::table::Name;
use crate::resp::{Args, Protocol};

/// A command on the connection itself, or on the node as a whole.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Session<'a> {
    /// `PING`, with what to answer if that is not `PONG`.
    Ping(Option<&'a [u8]>),
    /// `ECHO`.
    Echo(&'a [u8]),
    /// `HELLO`.
    Hello(Hello<'a>),
    /// `AUTH` of the default user, who needs no password.
    Auth,
    /// `SELECT 0`.
    Select,
    /// `CLIENT`.
    Client(Client<'a>),
    /// `INFO`: the names of sections.
    Info(Args<'a>),
    /// `CONFIG`.
    Config(Config<'a>),
    /// `CONSISTENCY`: the levels of writes and of reads from now on, by their names; `None` asks for them.
    Consistency(Option<(&'a [u8], &'a [u8])>),
    /// `COMMAND`.
    Command(Describe<'a>),
    /// `CLIENT HELP`, `CONFIG HELP` or `COMMAND HELP`: tells the subcommands of this one.
    Help(Name),
    /// `QUIT`.
    Quit,
    /// `RESET`.
    Reset,
}

/// What `HELLO` asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hello<'a> {
    /// The version of the protocol to go on with; `None` leaves it.
    pub protocol: Option<Protocol>,
    /// The name of the connection.
    pub name: Option<&'a [u8]>,
}

/// What `CLIENT` does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Client<'a> {
    /// `CLIENT ID`.
    Id,
    /// `CLIENT INFO`.
    Info,
    /// `CLIENT GETNAME`.
    Name,
    /// `CLIENT SETNAME`.
    SetName(&'a [u8]),
    /// `CLIENT SETINFO LIB-NAME`, which is kept for `CLIENT INFO`.
    SetLibrary(&'a [u8]),
    /// `CLIENT SETINFO LIB-VER`, likewise.
    SetLibraryVersion(&'a [u8]),
    /// `CLIENT NO-EVICT`, `CLIENT NO-TOUCH`: accepted, without effect.
    NoEffect,
}

/// What `CONFIG` does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Config<'a> {
    /// `CONFIG GET` of the settings that match one of these patterns.
    Get(Args<'a>),
    /// `CONFIG SET`: names and values by turns.
    Set(Args<'a>),
    /// `CONFIG RESETSTAT`: sets the counters to zero.
    ResetStatistics,
}

/// What `COMMAND` tells.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Describe<'a> {
    /// How many commands there are.
    Count,
    /// Their names.
    List(Filter<'a>),
    /// Arity, flags and key positions of these; of all if none is named.
    Info(Args<'a>),
    /// The documentation of these; of all if none is named.
    Docs(Args<'a>),
    /// The keys among the arguments of this command.
    Keys(Args<'a>),
    /// The same, and what happens to them.
    KeysAndFlags(Args<'a>),
}

/// Of which commands `COMMAND LIST` tells.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Filter<'a> {
    /// All of them.
    All,
    /// Those of a category, without its `@`.
    Category(&'a [u8]),
    /// Those whose names match this.
    Pattern(&'a [u8]),
    /// None: they would be of a module, and there are none of these.
    None,
}

/// `PING`.
pub(super) fn ping<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    if given.args.len() > 2 {
        return Err(CommandError::Arity(given.spec.name));
    }
    Ok(Session::Ping(given.args.get(1)).into())
}

/// `ECHO`.
pub(super) fn echo<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Session::Echo(given.get(1)).into())
}

/// `AUTH`.
pub(super) fn auth<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    match given.args.len() {
        2 => Err(CommandError::NoPassword),
        3 if given.get(1) == DEFAULT_USER => Ok(Session::Auth.into()),
        3 => Err(CommandError::WrongPassword),
        _ => Err(CommandError::Syntax),
    }
}

/// `SELECT`.
pub(super) fn select<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    match given.integer(1)? {
        0 => Ok(Session::Select.into()),
        number if i32::try_from(number).is_ok() => Err(CommandError::DatabaseIndex),
        _ => Err(CommandError::NotAnIndex),
    }
}

/// `INFO`.
pub(super) fn info<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Session::Info(given.args.from(1)).into())
}

/// `CONSISTENCY`.
pub(super) fn consistency<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let args = given.args;
    match (args.get(1), args.get(2), args.len()) {
        (None, ..) => Ok(Session::Consistency(None).into()),
        (Some(write), Some(read), 3) => Ok(Session::Consistency(Some((write, read))).into()),
        _ => Err(CommandError::Consistency),
    }
}

/// `QUIT`.
pub(super) fn quit<'a>(_: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Session::Quit.into())
}

/// `RESET`.
pub(super) fn reset<'a>(_: &Given<'_, 'a>) -> Parsed<'a> {
    Ok(Session::Reset.into())
}

/// The one user there is; no password is asked for.
const DEFAULT_USER: &[u8] = b"default";

/// `HELLO`.
pub(super) fn hello<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let (mut hello, args) = (Hello::default(), given.args);
    if let Some(version) = args.get(1) {
        let version = integer(version).ok_or(CommandError::VersionNotAnInteger)?;
        let protocol = Protocol::from_version(version).ok_or(CommandError::UnsupportedVersion)?;
        hello.protocol = Some(protocol);
    }
    let mut options = args.from(2).iter();
    while let Some(option) = options.next() {
        let left = options.len();
        if option.eq_ignore_ascii_case(b"auth") && left >= 2 {
            let (user, _password) = (options.next(), options.next());
            if user != Some(DEFAULT_USER) {
                return Err(CommandError::WrongPassword);
            }
        } else if option.eq_ignore_ascii_case(b"setname") && left >= 1 {
            hello.name = options.next();
            check_name(hello.name.unwrap_or(&[]))?;
        } else {
            return Err(CommandError::HelloOption(option));
        }
    }
    Ok(Session::Hello(hello).into())
}

/// The answer to `HELP` of a command that has subcommands, if that is asked.
fn help<'a>(given: &Given<'_, 'a>) -> Option<Parsed<'a>> {
    let command = given.spec.id;
    let asked = given.get(1).eq_ignore_ascii_case(b"help");
    asked.then(|| match given.args.len() {
        2 => Ok(Session::Help(command).into()),
        _ => Err(CommandError::Arity(help_of(command))),
    })
}

/// The full name of the subcommand that tells the others.
fn help_of(command: Name) -> &'static str {
    let last = subcommands(command).last();
    last.map_or("help", |part| part.name)
}

/// A subcommand of `CLIENT`, `CONFIG` or `COMMAND`.
#[derive(Clone, Copy, Debug)]
pub struct Subcommand {
    /// The command and its own name, such as `client|id`.
    pub name: &'static str,
    /// How many arguments it takes, both names included; `-n` means at least `n`.
    pub arity: i8,
    /// What follows the names, as [`Spec::arguments`](super::Spec::arguments) says it.
    pub arguments: &'static str,
    /// What it does, in half a sentence.
    pub summary: &'static str,
}

/// The subcommands of a command; none for one that has none.
#[must_use]
pub const fn subcommands(command: Name) -> &'static [Subcommand] {
    match command {
        Name::Client => &CLIENT,
        Name::Config => &CONFIG,
        Name::Command => &COMMAND,
        _ => &[],
    }
}

const fn part(
    name: &'static str,
    arity: i8,
    arguments: &'static str,
    summary: &'static str,
) -> Subcommand {
    Subcommand {
        name,
        arity,
        arguments,
        summary,
    }
}

static CLIENT: [Subcommand; 8] = [
    part("client|id", 2, "", "Gives the number of the connection"),
    part("client|info", 2, "", "Tells of the connection"),
    part("client|getname", 2, "", "Gives the name of the connection"),
    part("client|setname", 3, "name", "Names the connection"),
    part(
        "client|setinfo",
        4,
        "LIB-NAME|LIB-VER value",
        "Names the library that the client uses",
    ),
    part(
        "client|no-evict",
        3,
        "ON|OFF",
        "Is accepted, without effect",
    ),
    part(
        "client|no-touch",
        3,
        "ON|OFF",
        "Is accepted, without effect",
    ),
    part("client|help", 2, "", "Prints this help"),
];

static CONFIG: [Subcommand; 4] = [
    part("config|get", -3, "pattern [pattern ...]", "Shows settings"),
    part(
        "config|set",
        -4,
        "setting value [setting value ...]",
        "Changes settings",
    ),
    part("config|resetstat", 2, "", "Sets the counters to zero"),
    part("config|help", 2, "", "Prints this help"),
];

static COMMAND: [Subcommand; 7] = [
    part("command|count", 2, "", "Counts the commands there are"),
    part(
        "command|list",
        -2,
        "[FILTERBY MODULE|ACLCAT|PATTERN value]",
        "Lists the commands there are",
    ),
    part(
        "command|info",
        -2,
        "[name ...]",
        "Tells arity, flags and keys of commands",
    ),
    part("command|docs", -2, "[name ...]", "Describes commands"),
    part(
        "command|getkeys",
        -4,
        "command [argument ...]",
        "Tells which of the arguments are keys",
    ),
    part(
        "command|getkeysandflags",
        -4,
        "command [argument ...]",
        "Tells which of the arguments are keys, and what happens to them",
    ),
    part("command|help", 2, "", "Prints this help"),
];

/// Finds a subcommand by its name and checks how many arguments it has; `-n` means at least `n`.
fn subcommand<'a>(
    args: &Args<'a>,
    command: &'static str,
    table: &'static [Subcommand],
) -> Result<usize, CommandError<'a>> {
    let name = args.get(1).unwrap_or(&[]);
    let of = |full: &'static str| full.split_once('|').map_or(full, |(_, own)| own);
    let found = table
        .iter()
        .position(|part| of(part.name).as_bytes().eq_ignore_ascii_case(name))
        .ok_or(CommandError::UnknownSubcommand { command, name })?;
    if !takes(table[found].arity, args.len()) {
        return Err(CommandError::Arity(table[found].name));
    }
    Ok(found)
}

/// `CLIENT`.
pub(super) fn client<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    if let Some(help) = help(given) {
        return help;
    }
    let third = given.get(2);
    let client = match subcommand(given.args, "CLIENT", &CLIENT)? {
        0 => Client::Id,
        1 => Client::Info,
        2 => Client::Name,
        3 => {
            check_name(third)?;
            Client::SetName(third)
        }
        4 => client_info(third, given.get(3))?,
        _ if third.eq_ignore_ascii_case(b"on") || third.eq_ignore_ascii_case(b"off") => {
            Client::NoEffect
        }
        _ => return Err(CommandError::Syntax),
    };
    Ok(Session::Client(client).into())
}

fn client_info<'a>(option: &'a [u8], value: &'a [u8]) -> Result<Client<'a>, CommandError<'a>> {
    if option.eq_ignore_ascii_case(b"lib-name") {
        check_word(value, "lib-name", CommandError::ClientInfo("lib-name"))?;
        Ok(Client::SetLibrary(value))
    } else if option.eq_ignore_ascii_case(b"lib-ver") {
        check_word(value, "lib-ver", CommandError::ClientInfo("lib-ver"))?;
        Ok(Client::SetLibraryVersion(value))
    } else {
        Err(CommandError::UnknownClientInfo(option))
    }
}

fn check_name<'a>(name: &[u8]) -> Result<(), CommandError<'a>> {
    check_word(name, "Client names", CommandError::ClientName)
}

/// Names of clients appear in lists, one a line, fields with blanks between.
fn check_word<'a>(
    word: &[u8],
    what: &'static str,
    error: CommandError<'a>,
) -> Result<(), CommandError<'a>> {
    let limit = LONGEST_WORD;
    if !word.iter().all(u8::is_ascii_graphic) {
        Err(error)
    } else if word.len() > limit {
        Err(CommandError::WordTooLong { what, limit })
    } else {
        Ok(())
    }
}

/// Most bytes of a name that a connection keeps.
const LONGEST_WORD: usize = 1024;

/// `CONFIG`.
pub(super) fn config<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    if let Some(help) = help(given) {
        return help;
    }
    let args = given.args;
    let config = match subcommand(args, "CONFIG", &CONFIG)? {
        0 => Config::Get(args.from(2)),
        1 if !args.len().is_multiple_of(2) => return Err(CommandError::Syntax),
        1 => Config::Set(args.from(2)),
        _ => Config::ResetStatistics,
    };
    Ok(Session::Config(config).into())
}

/// `COMMAND`.
pub(super) fn command<'a>(given: &Given<'_, 'a>) -> Parsed<'a> {
    let args = given.args;
    if args.len() < 2 {
        return Ok(Session::Command(Describe::Info(args.from(1))).into());
    }
    if let Some(help) = help(given) {
        return help;
    }
    let describe = match subcommand(args, "COMMAND", &COMMAND)? {
        0 => Describe::Count,
        1 => Describe::List(filter(&args.from(2))?),
        2 => Describe::Info(args.from(2)),
        3 => Describe::Docs(args.from(2)),
        4 => Describe::Keys(args.from(2)),
        _ => Describe::KeysAndFlags(args.from(2)),
    };
    Ok(Session::Command(describe).into())
}

/// What follows `COMMAND LIST`.
fn filter<'a>(args: &Args<'a>) -> Result<Filter<'a>, CommandError<'a>> {
    let word = |at| args.get(at).unwrap_or(&[]);
    let is = |expected: &str| word(1).eq_ignore_ascii_case(expected.as_bytes());
    match args.len() {
        0 => Ok(Filter::All),
        3 if !word(0).eq_ignore_ascii_case(b"filterby") => Err(CommandError::Syntax),
        3 if is("module") => Ok(Filter::None),
        3 if is("aclcat") => Ok(Filter::Category(word(2))),
        3 if is("pattern") => Ok(Filter::Pattern(word(2))),
        _ => Err(CommandError::Syntax),
    }
}
