//! What a connection knows of its client, and the commands on that.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::describe::{describe, help};
use super::engine::Engine;
use super::{info, settings};
use crate::command::{Client, CommandError, Config, Hello, Session};
use crate::consistency::{Level, Levels};
use crate::resp::{Protocol, encode};
use crate::time::Timestamp;

/// Whose connection it is, and what was agreed with it.
#[derive(Debug)]
pub(super) struct Peer {
    id: u64,
    address: Box<str>,
    pub(super) protocol: Protocol,
    /// What `CONSISTENCY` chose.
    pub(super) levels: Option<Levels>,
    name: Option<Box<[u8]>>,
    library: Option<Box<[u8]>>,
    library_version: Option<Box<[u8]>>,
    /// When its first bytes came.
    pub(super) since: Option<Timestamp>,
}

/// What waits on a connection while a command is executed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waiting {
    /// Bytes that have come, of this command and of those behind it.
    pub(super) input: usize,
    /// Bytes of replies that can be written.
    pub(super) output: usize,
    /// Bytes of replies behind one that is not there yet.
    pub(super) held: usize,
}

impl Peer {
    pub(super) fn new(id: u64, address: &str) -> Self {
        Self {
            id,
            address: address.into(),
            protocol: Protocol::Resp2,
            levels: None,
            name: None,
            library: None,
            library_version: None,
            since: None,
        }
    }

    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Where it connects from.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn name(&self) -> &[u8] {
        self.name.as_deref().unwrap_or(&[])
    }

    /// Carries out a command and appends its reply. Returns whether the connection ends with it.
    pub(super) fn execute<E: Engine>(
        &mut self,
        now: Timestamp,
        engine: &mut E,
        command: &Session<'_>,
        (waiting, out): (Waiting, &mut Vec<u8>),
    ) -> bool {
        let protocol = self.protocol;
        match command {
            Session::Ping(None) => encode::simple(out, b"PONG"),
            Session::Ping(Some(text)) | Session::Echo(text) => encode::bulk(out, text),
            Session::Select | Session::Auth => encode::ok(out),
            Session::Hello(hello) => self.hello(hello, out),
            Session::Client(Client::Info) => {
                let text = self.line(now, waiting);
                encode::verbatim(out, protocol, *b"txt", text.as_bytes());
            }
            Session::Client(client) => self.client(client, out),
            Session::Info(names) => {
                let text = info::text(names, |section, fields| engine.info(now, section, fields));
                encode::verbatim(out, protocol, *b"txt", &text);
            }
            Session::Config(config) => configure(engine, config, (protocol, self.levels), out),
            Session::Consistency(names) => self.consistency(engine, *names, out),
            Session::Command(what) => describe(what, protocol, out),
            Session::Help(command) => help(*command, out),
            Session::Quit => encode::ok(out),
            Session::Reset => {
                self.protocol = Protocol::Resp2;
                self.levels = None;
                self.name = None;
                encode::simple(out, b"RESET");
            }
        }
        matches!(command, Session::Quit)
    }

    fn consistency<E: Engine>(
        &mut self,
        engine: &E,
        names: Option<(&[u8], &[u8])>,
        out: &mut Vec<u8>,
    ) {
        let Some(default) = engine.levels() else {
            return CommandError::NoLevels.encode(out);
        };
        let Some((write, read)) = names else {
            let Levels { write, read } = self.levels.unwrap_or(default);
            encode::map(out, self.protocol, 2);
            for word in ["write", write.name(), "read", read.name()] {
                encode::bulk(out, word.as_bytes());
            }
            return;
        };
        let (Some(write), Some(read)) = (Level::from_name(write), Level::from_name(read)) else {
            return CommandError::Consistency.encode(out);
        };
        self.levels = Some(Levels { write, read });
        encode::ok(out);
    }

    fn hello(&mut self, hello: &Hello<'_>, out: &mut Vec<u8>) {
        if let Some(name) = hello.name {
            self.name = some(name);
        }
        self.protocol = hello.protocol.unwrap_or(self.protocol);
        encode::map(out, self.protocol, 7);
        for (field, value) in [
            ("server", "memvault"),
            ("version", env!("CARGO_PKG_VERSION")),
        ] {
            encode::bulk(out, field.as_bytes());
            encode::bulk(out, value.as_bytes());
        }
        encode::bulk(out, b"proto");
        encode::integer(out, self.protocol.version());
        encode::bulk(out, b"id");
        encode::integer(out, i64::try_from(self.id).unwrap_or(i64::MAX));
        for (field, value) in [("mode", "standalone"), ("role", "master")] {
            encode::bulk(out, field.as_bytes());
            encode::bulk(out, value.as_bytes());
        }
        encode::bulk(out, b"modules");
        encode::array(out, 0);
    }

    fn client(&mut self, client: &Client<'_>, out: &mut Vec<u8>) {
        match client {
            Client::Id => {
                return encode::integer(out, i64::try_from(self.id).unwrap_or(i64::MAX));
            }
            Client::Name => {
                return match &self.name {
                    Some(name) => encode::bulk(out, name),
                    None => encode::null(out, self.protocol),
                };
            }
            Client::SetName(name) => self.name = some(name),
            Client::SetLibrary(name) => self.library = some(name),
            Client::SetLibraryVersion(version) => self.library_version = some(version),
            Client::Info | Client::NoEffect => {}
        }
        encode::ok(out);
    }
}

impl Peer {
    /// The line of `CLIENT INFO`, in the order of Redis 7. What Redis tells beside is not known here: socket, own address,
    /// free room in buffers.
    fn line(&self, now: Timestamp, waiting: Waiting) -> String {
        let text = |bytes: &Option<Box<[u8]>>| {
            bytes.as_deref().map_or_else(String::new, |bytes| {
                String::from_utf8_lossy(bytes).into_owned()
            })
        };
        let since = self.since.unwrap_or(now).as_millis();
        let age = now.as_millis().saturating_sub(since) / 1000;
        let Waiting {
            input,
            output,
            held,
        } = waiting;
        // It is asking this very moment, and there are neither subscriptions nor transactions.
        format!(
            "id={} addr={} name={} age={age} idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf={input} \
             obl={output} oll=0 omem={held} cmd=client|info user=default redir=-1 resp={} lib-name={} lib-ver={}\n",
            self.id,
            self.address,
            text(&self.name),
            self.protocol.version(),
            text(&self.library),
            text(&self.library_version)
        )
    }
}

/// An empty name is none.
fn some(name: &[u8]) -> Option<Box<[u8]>> {
    (!name.is_empty()).then(|| name.into())
}

fn configure<E: Engine>(
    engine: &mut E,
    config: &Config<'_>,
    (protocol, levels): (Protocol, Option<Levels>),
    out: &mut Vec<u8>,
) {
    match config {
        Config::Get(patterns) => {
            return settings::show(engine, patterns, (protocol, levels), out);
        }
        Config::Set(pairs) => {
            if let Err(error) = settings::change(engine, pairs) {
                return error.encode(out);
            }
        }
        Config::ResetStatistics => engine.reset_statistics(),
    }
    encode::ok(out);
}
