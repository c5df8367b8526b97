//! Members and a gateway, as processes on this machine.

use crate::process::{Process, free_ports};
use crate::redis::{Redis, ok};
use crate::support::eventually;

/// A cluster whose members can be killed and started again.
pub(crate) struct Cluster {
    /// The list of members, as `--cluster` takes it.
    pub(crate) list: String,
    pub(crate) members: Vec<Process>,
    pub(crate) gateway: Process,
    /// The admin port of the gateway, if it has one.
    pub(crate) admin: Option<u16>,
}

impl Cluster {
    /// Starts `count` members and a gateway, and waits until all of them serve.
    pub(crate) fn start(count: usize) -> Self {
        Self::start_with(count, None)
    }

    /// The same, with an admin port of the gateway.
    pub(crate) fn start_with_admin(count: usize) -> Self {
        Self::start_with(count, free_ports(1).pop())
    }

    fn start_with(count: usize, admin: Option<u16>) -> Self {
        let ports = free_ports(count + 1);
        let (gateway, ports) = ports.split_last().expect("a cluster has members");
        let list: Vec<_> = ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let list = list.join(",");
        let members_list = list.as_str();
        // All at once: a member waits for those that it cannot reach before it serves.
        let members = std::thread::scope(|scope| {
            let starting: Vec<_> = ports
                .iter()
                .map(|&port| scope.spawn(move || start_member(members_list, port)))
                .collect();
            let started = starting.into_iter().map(|thread| thread.join());
            started
                .collect::<Result<Vec<_>, _>>()
                .expect("members start")
        });
        let address = admin.map(|port| format!("127.0.0.1:{port}"));
        let mut arguments = vec!["gateway", "--cluster", &list];
        if let Some(address) = &address {
            arguments.extend(["--admin", address]);
        }
        let gateway = Process::start(&arguments, *gateway);
        let cluster = Self {
            list,
            members,
            gateway,
            admin,
        };
        for number in 0..count {
            cluster.wait_until_serving(number);
        }
        let mut redis = Redis::connect(cluster.gateway.port).expect("the gateway runs");
        eventually("the gateway serves", || {
            redis.ask(&["SET", "probe", "x"]) == ok()
        });
        cluster
    }

    /// Starts a killed member again, with nothing in memory.
    pub(crate) fn restart(&mut self, number: usize) {
        let port = self.members[number].port;
        self.members[number] = start_member(&self.list, port);
    }

    /// Waits until a member has all it has to have and answers for it.
    pub(crate) fn wait_until_serving(&self, number: usize) {
        let port = self.members[number].port;
        eventually("the member serves", || {
            // One that stood still closes the connections of that time, so each question has its own.
            let mut redis = Redis::connect(port).expect("the member runs");
            redis.info("node_state").as_deref() == Some("serving")
        });
    }
}

fn start_member(list: &str, port: u16) -> Process {
    Process::start(&["serve", "--cluster", list], port)
}
