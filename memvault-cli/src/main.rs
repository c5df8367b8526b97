//! The `memvault` command: parse, dispatch, exit code.
#![forbid(unsafe_code)]

mod allocator;
mod args;
mod bench;
mod cluster;
mod demo;
mod error;
mod link;
mod local;
mod logging;
mod output;
mod process;
mod query;
mod ring;
mod serve;
mod shell;
mod shutdown;
mod sim;
mod size_class;
mod top;
mod up;

use std::process::ExitCode;

use args::{Cli, Command};
use error::Outcome;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = args::parse();
    logging::start(&cli);
    args::environment::tell_ignored();
    let code = match dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            logging::tell_failure(&cli, &error);
            ExitCode::from(error.code())
        }
    };
    logging::finish();
    code
}

fn dispatch(cli: &Cli) -> Outcome {
    match &cli.command {
        Command::Up(args) => up::run(args, cli.log()),
        Command::Serve(args) => {
            allocator::give_back_at_once();
            serve::serve(args)
        }
        Command::Gateway(args) => {
            allocator::give_back_at_once();
            serve::gateway(args)
        }
        Command::Demo(args) => demo::run(args, cli.log()),
        Command::Get(args) => query::get(args),
        Command::Set(args) => query::set(args),
        Command::Del(args) => query::del(args),
        Command::Ping(args) => query::ping(args),
        Command::Ring(args) => ring::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Top(args) => top::run(args),
        Command::Shell(args) => shell::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Sim(args) => sim::run(args),
    }
}
