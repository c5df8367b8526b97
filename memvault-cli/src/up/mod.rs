//! `up`: a cluster on this machine, with a gateway in front, until Ctrl-C.

mod notice;

use std::env;
use std::fmt::Write;
use std::time::Duration;

use async_signal::{Signal, Signals};
use futures_lite::{StreamExt, future};
use log::LevelFilter;
use smol::Timer;

use crate::args::admin::AdminAddress;
use crate::args::environment::said;
use crate::args::local::Up;
use crate::error::{Error, NOT_FOUND, OK, Outcome};
use crate::local::{HOST, Plan, Startup, check_free};
use crate::logging::Wanted;
use crate::output::{self, Style, visible};
use crate::process::{self, Process};

/// Runs the subcommand.
pub(crate) fn run(args: &Up, log: Wanted) -> Outcome {
    let plan = plan(args, log)?;
    let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])
        .map_err(|error| Error::failed(format_args!("cannot watch for Ctrl-C: {error}")))?;
    output::line(format_args!(
        "Starting {} nodes and a gateway...",
        plan.ports.len()
    ));
    let startup = Startup::new(true, log.format);
    let mut processes = Vec::new();
    start(&plan, args.port, &startup, &mut processes)?;
    startup.finish();
    let columns = output::columns().unwrap_or(usize::MAX);
    let pids: Vec<u32> = processes.iter().map(Process::pid).collect();
    let screen = screen(&plan, args.port, &pids, (Style::of_stdout(), columns));
    output::write(screen.as_bytes());
    let outcome = smol::block_on(watch(&plan, &mut processes, &mut signals));
    startup.mute();
    notice::stopping(log.format);
    process::end_all(&mut processes);
    notice::stopped(log.format);
    outcome
}

fn plan(args: &Up, log: Wanted) -> Result<Plan, Error> {
    let base = usize::from(args.base_port);
    let last = base + args.count - 1;
    if base == 0 || args.port == 0 {
        return Err(Error::usage("--base-port and --port: expected 1 to 65535"));
    }
    let ports: Option<Vec<u16>> = (base..=last).map(|port| port.try_into().ok()).collect();
    let ports = ports.ok_or_else(|| {
        Error::usage(format_args!(
            "--base-port {base} and --count {}: the last port would be {last}, the highest is 65535",
            args.count
        ))
    })?;
    if ports.contains(&args.port) {
        return Err(Error::usage(format_args!(
            "{}: this is one of the nodes' ports, {base} to {last} (--base-port)",
            said("port", args.port)
        )));
    }
    // What is contradictory is told before what is taken by others.
    if let Some(admin) = &args.admin {
        check_admin(admin, args.count, (&ports, args.port))?;
    }
    for &port in &ports {
        let offset = usize::from(port) - base;
        check_free(HOST, port, &format!("--base-port {base} + {offset}"))?;
    }
    check_free(
        HOST,
        args.port,
        &format!("{}, the gateway", said("port", args.port)),
    )?;
    if let Some(admin) = &args.admin {
        let admins = (0..=args.count).filter_map(|offset| Some((offset, admin.plus(offset)?)));
        for (offset, AdminAddress { host, port }) in admins {
            check_free(&host, port, &format!("--admin {admin} + {offset}"))?;
        }
    }
    Ok(Plan {
        ports,
        replicas: args.replicas.replicas,
        coordination: Some(args.coordination),
        max_memory: args.max_memory,
        admin: args.admin.clone(),
        admin_flags: Some(args.admin_flags.clone()),
        log,
        node_log: log.level.unwrap_or(LevelFilter::Warn),
        gateway_log: log.level.unwrap_or(LevelFilter::Info),
    })
}

/// Checks that the gateway and all nodes can tell of themselves: one port each, from `first` on.
fn check_admin(
    first: &AdminAddress,
    count: usize,
    (nodes, gateway): (&[u16], u16),
) -> Result<(), Error> {
    for offset in 0..=count {
        let Some(AdminAddress { port, .. }) = first.plus(offset).filter(|_| first.port > 0) else {
            return Err(Error::usage(format_args!(
                "--admin {first} and --count {count}: expected a port from 1 on that is followed by {count} more, up to \
                 65535"
            )));
        };
        if nodes.contains(&port) || port == gateway {
            return Err(Error::usage(format_args!(
                "--admin {first} + {offset}: port {port} is the gateway's or a node's (--port, --base-port); choose a \
                 range of {} ports of its own",
                count + 1
            )));
        }
    }
    Ok(())
}

/// Starts nodes and gateway, and waits until the gateway reaches the nodes.
fn start(
    plan: &Plan,
    gateway: u16,
    startup: &Startup,
    processes: &mut Vec<Process>,
) -> Result<(), Error> {
    for (number, port) in plan.ports.iter().enumerate() {
        let args = plan.node_args(number);
        processes.push(startup.start(&format!("node {port}"), number, &args)?);
    }
    let args = plan.gateway_args(gateway);
    processes.push(startup.start("gateway", plan.ports.len(), &args)?);
    startup.wait_for_nodes(processes, plan)?;
    startup.wait_for_gateway(processes, gateway)
}

/// What a person reads first; the last of the processes is the gateway.
fn screen(plan: &Plan, gateway: u16, pids: &[u32], (style, columns): (Style, usize)) -> String {
    let program = program();
    let replicas = plan.replicas.min(plan.ports.len());
    let mut text = format!(
        "\n{}  {} nodes, every key on {replicas} of them\n\n",
        style.bold("MemVault is up"),
        plan.ports.len(),
    );
    let mut row = |name: &str, (port, offset): (u16, usize), pid: u32, note: &str| {
        let admin = plan.admin_of(offset);
        let admin = admin.map(|admin| format!("http://{admin}/"));
        let address = format!("{HOST}:{port}");
        let address = style.bold(format_args!("{address:<16}"));
        let pid = style.dim(format_args!("pid {pid:<8}"));
        let mut line = format!("  {name:<9}{address} {pid}");
        for part in [admin.as_deref().unwrap_or_default(), note] {
            append(&mut text, &mut line, part, columns);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    };
    if let Some(&pid) = pids.last() {
        let note = "any Redis client, for the whole cluster";
        row("gateway", (gateway, 0), pid, note);
    }
    for (number, (&port, &pid)) in plan.ports.iter().zip(pids).enumerate() {
        let node = number + 1;
        row(&format!("node {node}"), (port, node), pid, "");
    }
    let first = pids.first().copied().unwrap_or(0);
    let server = format!("--server {HOST}:{gateway}");
    let lines = [
        (format!("redis-cli -p {gateway} set greeting hello"), ""),
        (format!("{program} get greeting {server}"), ""),
        (format!("{program} shell {server}"), ""),
        (format!("{program} top {server}"), "watch all of it"),
        (format!("{program} cluster status {server}"), ""),
        (format!("kill -9 {first}"), "a node dies, no request fails"),
    ];
    let _ = writeln!(text, "\nTry it in another terminal:\n");
    for (command, note) in lines {
        let mut line = format!("  {command:<48}");
        append(&mut text, &mut line, &style.dim(note), columns);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(text, "\nCtrl-C stops all. What the nodes log follows.\n");
    text
}

/// Adds a part to a line, or begins a new one for it where it does not fit.
fn append(text: &mut String, line: &mut String, part: &str, columns: usize) {
    let is_narrow = visible(line) + 1 + visible(part) > columns;
    if is_narrow && visible(part) > 0 {
        let _ = writeln!(text, "{}", line.trim_end());
        *line = " ".repeat(10);
    }
    line.push(' ');
    line.push_str(part);
}

/// Waits for Ctrl-C; tells of children that end before.
async fn watch(plan: &Plan, processes: &mut Vec<Process>, signals: &mut Signals) -> Outcome {
    const TICK: Duration = Duration::from_millis(100);
    loop {
        let tick = async {
            Timer::after(TICK).await;
            false
        };
        if future::or(async { signals.next().await.is_some() }, tick).await {
            return Ok(OK);
        }
        let before = processes.len();
        processes.retain_mut(|process| match process.ended() {
            None => true,
            Some(status) => {
                notice::ended(plan, process, &process::describe(status));
                false
            }
        });
        if processes.is_empty() && before > 0 {
            notice::all_ended(plan.log.format);
            return Ok(NOT_FOUND);
        }
    }
}

/// How this program was called.
fn program() -> String {
    env::args().next().unwrap_or_else(|| "memvault".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::LogFormat;

    fn plan_of_21() -> Plan {
        let admin = AdminAddress {
            host: HOST.to_owned(),
            port: 9400,
        };
        Plan {
            ports: (7001..7021).collect(),
            replicas: 3,
            coordination: None,
            max_memory: None,
            admin: Some(admin),
            admin_flags: None,
            log: Wanted {
                level: None,
                format: LogFormat::Text,
                repeats: 10,
                buffer: 1 << 20,
            },
            node_log: LevelFilter::Warn,
            gateway_log: LevelFilter::Warn,
        }
    }

    #[test]
    fn nodes_and_gateway_log_as_the_flags_say() {
        let mut plan = plan_of_21();
        (plan.log.repeats, plan.log.buffer) = (3, 4096);
        for args in [plan.node_args(0), plan.gateway_args(1)] {
            let args = args.join(" ");
            for flag in ["--log-repeats 3", "--log-buffer 4096", "--log-format text"] {
                assert!(args.contains(flag), "{args}");
            }
        }
    }

    #[test]
    fn the_screen_fits_the_terminal() {
        let plan = plan_of_21();
        let pids: Vec<u32> = (4_000_000..4_000_021).collect();
        for columns in [60, 80, 100] {
            let text = screen(&plan, 6379, &pids, (Style::plain(), columns));
            let program = program();
            for line in text.lines().filter(|line| !line.contains(&program)) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
            for part in ["http://127.0.0.1:9420/", "any Redis client", "a node dies"] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
