//! What `up` says of its processes on standard error: sentences, or lines of a log in JSON.

use log::{info, warn};

use super::program;
use crate::local::Plan;
use crate::logging::{self, LogFormat};
use crate::output::Style;
use crate::process::Process;

/// All processes are being told to end.
pub(super) fn stopping(format: LogFormat) {
    match format {
        LogFormat::Text => logging::note("Stopping all nodes..."),
        LogFormat::Json => info!("stopping"),
    }
}

/// All processes have ended, as they were told.
pub(super) fn stopped(format: LogFormat) {
    match format {
        LogFormat::Text => logging::note("Stopped."),
        LogFormat::Json => info!("stopped"),
    }
}

/// All processes have ended by themselves.
pub(super) fn all_ended(format: LogFormat) {
    match format {
        LogFormat::Text => logging::note("All nodes have ended."),
        LogFormat::Json => warn!("all-ended"),
    }
}

/// A process has ended by itself; says how, and how to bring it back.
pub(super) fn ended(plan: &Plan, process: &Process, how: &str) {
    let (name, pid) = (&process.name, process.pid());
    let again = command_to_restart(plan, process);
    match plan.log.format {
        LogFormat::Text => {
            let style = Style::of_stderr();
            let headline = style.red(format_args!("{name} (pid {pid}) has ended: {how}"));
            logging::note(match again {
                Some(again) => {
                    format!("{headline}. The others serve its keys. To bring it back:\n  {again}")
                }
                None => format!("{headline}. The members still serve Redis clients."),
            });
        }
        LogFormat::Json => warn!(process = name, pid, reason = how, again; "process-ended"),
    }
}

/// The command line that starts a node again; `None` for the gateway.
fn command_to_restart(plan: &Plan, process: &Process) -> Option<String> {
    let port = process.name.strip_prefix("node ")?;
    let mut ports = plan.ports.iter();
    let number = ports.position(|candidate| candidate.to_string() == port)?;
    let replicas = match plan.replicas {
        3 => String::new(),
        replicas => format!(" --replicas {replicas}"),
    };
    let memory = plan.max_memory;
    let memory = memory.map_or_else(String::new, |bytes| format!(" --max-memory {bytes}"));
    let admin = plan.admin_of(number + 1);
    let admin = admin.map_or_else(String::new, |admin| format!(" --admin {admin}"));
    Some(format!(
        "{} serve --port {} --cluster {}{replicas}{memory}{admin}",
        program(),
        plan.ports[number],
        plan.list()
    ))
}
