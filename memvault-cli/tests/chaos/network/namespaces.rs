//! A network namespace for each process, joined by a bridge: packets are dropped, late and lost for real.
//!
//! Needs Linux, root, and the commands `ip` and `nft`; delays also need the kernel's `netem`.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::{CLIENTS, GATEWAY, MEMBERS, Network, Wire, id};
use crate::support::{command, skipped};

/// The namespaces of one cluster; they go when it is dropped.
pub(crate) struct Namespaces {
    /// What the names of all begin with; at most ten letters, as interfaces have few.
    prefix: String,
    /// The middle bytes of all addresses.
    net: (u8, u8),
    has_netem: bool,
    wires: Mutex<Vec<Vec<Wire>>>,
}

/// Where members and gateway listen.
const PORT: u16 = 6379;

impl Namespaces {
    /// Makes them, or says why that is not possible.
    pub(crate) fn new() -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut network = Self {
            prefix: format!("mv{pid:x}{number:x}"),
            // 198.18.0.0/15 is set aside for tests of networks.
            net: (18 + (pid & 1) as u8, (pid >> 1) as u8),
            has_netem: false,
            wires: Mutex::new(vec![vec![Wire::Open; CLIENTS + 1]; CLIENTS + 1]),
        };
        network.build()?;
        network.has_netem = network.try_netem();
        if !network.has_netem {
            skipped("this kernel has no netem: packets are lost, but delayed by proxies only");
        }
        Ok(network)
    }

    fn build(&self) -> Result<(), String> {
        let switch = self.name("sw");
        ip(&["netns", "add", &switch])?;
        ip(&[
            "-n", &switch, "link", "add", "name", "br0", "type", "bridge",
        ])?;
        ip(&["-n", &switch, "link", "set", "br0", "up"])?;
        for process in 0..=GATEWAY {
            let (space, plug) = (self.name(&process.to_string()), format!("p{process}"));
            ip(&["netns", "add", &space])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            let pair = [
                "link", "add", "eth0", "netns", &space, "type", "veth", "peer", "name", &plug,
                "netns", &switch,
            ];
            ip(&pair)?;
            let address = format!("{}/24", self.ip(process));
            ip(&["-n", &space, "addr", "add", &address, "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
            ip(&["-n", &switch, "link", "set", &plug, "master", "br0", "up"])?;
        }
        // The clients are in this process, which stays where it is.
        let mine = self.name("c");
        ip(&[
            "link", "add", &mine, "type", "veth", "peer", "name", "pc", "netns", &switch,
        ])?;
        ip(&[
            "addr",
            "add",
            &format!("{}/24", self.ip(CLIENTS)),
            "dev",
            &mine,
        ])?;
        ip(&["link", "set", &mine, "up"])?;
        ip(&["-n", &switch, "link", "set", "pc", "master", "br0", "up"])?;
        (0..=GATEWAY).try_for_each(|process| self.nft(process, ""))
    }

    fn name(&self, what: &str) -> String {
        format!("{}{what}", self.prefix)
    }

    fn ip(&self, process: usize) -> String {
        format!("198.{}.{}.{}", self.net.0, self.net.1, process + 1)
    }

    fn try_netem(&self) -> bool {
        let space = self.name("0");
        self.tc(&space, &["add", "netem", "delay", "1ms"]).is_ok()
            && self.tc(&space, &["del"]).is_ok()
    }

    fn tc(&self, space: &str, what: &[&str]) -> Result<(), String> {
        let [verb, how @ ..] = what else {
            return Ok(());
        };
        let head = ["-n", space, "qdisc", verb, "dev", "eth0", "root"];
        run(Command::new("tc").args(head).args(how))
    }

    /// Sets the rules of one process; `rules` go into the chains `i`, for what comes in, and `o`.
    fn nft(&self, process: usize, rules: &str) -> Result<(), String> {
        let script = format!(
            "table ip chaos\ndelete table ip chaos\ntable ip chaos {{
             chain i {{ type filter hook input priority 0; }}
             chain o {{ type filter hook output priority 0; }}\n}}\n{rules}"
        );
        let mut child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.name(&process.to_string()),
                "nft",
                "-f",
                "-",
            ])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("ip netns exec: {error}"))?;
        let mut stdin = child.stdin.take().expect("it is piped");
        stdin
            .write_all(script.as_bytes())
            .map_err(|error| format!("nft: {error}"))?;
        drop(stdin);
        succeeded("nft", child.wait_with_output())
    }

    /// Puts the state of all ways from and to these processes into their rules.
    fn apply(&self, wires: &[Vec<Wire>], processes: &BTreeSet<usize>) -> Result<(), String> {
        for process in processes.range(..=GATEWAY).copied() {
            let mut rules = String::new();
            let mut delay = None;
            for other in (0..=CLIENTS).filter(|other| *other != process) {
                // A process without a namespace of its own has no rules of its own.
                let out = if other == CLIENTS {
                    wires[process][other]
                } else {
                    Wire::Open
                };
                let ip = self.ip(other);
                for (chain, field, wire) in
                    [("i", "saddr", wires[other][process]), ("o", "daddr", out)]
                {
                    let drop = match wire {
                        Wire::Cut => "drop".to_owned(),
                        Wire::Lossy { percent } => {
                            format!("numgen random mod 100 < {percent} drop")
                        }
                        Wire::Open | Wire::Slow { .. } => continue,
                    };
                    rules += &format!("add rule ip chaos {chain} ip {field} {ip} {drop}\n");
                }
                if let Wire::Slow {
                    delay: time,
                    jitter,
                } = wires[process][other]
                {
                    delay = Some((time, jitter));
                }
            }
            self.nft(process, &rules)?;
            self.slow_down(process, delay)?;
        }
        Ok(())
    }

    /// Delays all that a process sends.
    fn slow_down(&self, process: usize, delay: Option<(Duration, Duration)>) -> Result<(), String> {
        let space = self.name(&process.to_string());
        if !self.has_netem {
            return Ok(());
        }
        // There may be none to remove.
        let _ = self.tc(&space, &["del"]);
        let Some((delay, jitter)) = delay else {
            return Ok(());
        };
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        self.tc(
            &space,
            &["add", "netem", "delay", &millis(delay), &millis(jitter)],
        )
    }
}

impl Network for Namespaces {
    fn list(&self, _process: usize) -> Vec<String> {
        (0..MEMBERS)
            .map(|member| format!("{}={}:{PORT}", id(member), self.ip(member)))
            .collect()
    }

    fn address(&self, process: usize) -> (String, u16) {
        (self.ip(process), PORT)
    }

    fn command(&self, process: usize, args: &[&str]) -> Command {
        // `ip netns exec` becomes the command, so that the process id is the command's own.
        let inner = command(args);
        let mut outer = Command::new("ip");
        outer.args(["netns", "exec", &self.name(&process.to_string())]);
        outer.arg(inner.get_program()).args(inner.get_args());
        for (variable, value) in inner.get_envs() {
            match value {
                Some(value) => outer.env(variable, value),
                None => outer.env_remove(variable),
            };
        }
        outer
    }

    fn set(&self, changed: &[(usize, usize)], wire: Wire) {
        let mut wires = self
            .wires
            .lock()
            .expect("nothing panics while it is locked");
        let mut processes = BTreeSet::new();
        for (from, to) in changed {
            wires[*from][*to] = wire;
            processes.extend([*from, *to]);
        }
        self.apply(&wires, &processes)
            .expect("what worked at the start works now");
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The ends of a pair go together, and those in a namespace go with it. Some may not exist.
        let _ = ip(&["link", "del", &self.name("c")]);
        let _ = ip(&["netns", "del", &self.name("sw")]);
        for process in 0..=GATEWAY {
            let _ = ip(&["netns", "del", &self.name(&process.to_string())]);
        }
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    run(Command::new("ip").args(args))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output();
    succeeded(&format!("{command:?}"), output)
}

fn succeeded(what: &str, output: std::io::Result<std::process::Output>) -> Result<(), String> {
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what}: {}", why.trim()))
}
