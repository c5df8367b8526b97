//! Which entry of the member list this process is.

use std::net::{IpAddr, UdpSocket};

use memvault_net::driver::NodeAddress;

use crate::args::cluster::word;
use crate::args::environment::said;
use crate::error::Error;
use crate::link;

/// Finds this node in the list: by its id, else by its port and an address of this machine.
pub(super) fn own_entry<'a>(
    members: &'a [NodeAddress],
    node_id: Option<&str>,
    port: u16,
) -> Result<&'a NodeAddress, Error> {
    if let Some(id) = node_id {
        return members
            .iter()
            .find(|node| node.id == id)
            .ok_or_else(|| not_listed(&format!("has the id {id} (--node-id)"), members));
    }
    let own: Vec<_> = members.iter().filter(|node| is_own(node, port)).collect();
    match own[..] {
        [own] => Ok(own),
        [] => Err(not_listed(
            &format!(
                "has port {port} ({}) and an address of this machine",
                said("port", port)
            ),
            members,
        )),
        _ => Err(Error::usage(format_args!(
            "--cluster: several entries are this machine with port {port}: {}; say which one this is with --node-id",
            words(&own)
        ))),
    }
}

fn not_listed(what: &str, members: &[NodeAddress]) -> Error {
    let members: Vec<_> = members.iter().collect();
    Error::usage(format_args!(
        "--cluster: no entry {what}; the list has {}; add this node to it in every process, or correct --port or --node-id",
        words(&members)
    ))
}

fn words(members: &[&NodeAddress]) -> String {
    let words: Vec<_> = members.iter().map(|node| word(node)).collect();
    words.join(", ")
}

fn is_own(node: &NodeAddress, port: u16) -> bool {
    port_of(node) == Some(port)
        && link::resolve(&node.address)
            .is_ok_and(|found| found.iter().any(|address| is_local(address.ip())))
}

/// The port of an entry.
pub(super) fn port_of(node: &NodeAddress) -> Option<u16> {
    node.address.rsplit_once(':')?.1.parse().ok()
}

/// The host of an entry, without brackets.
pub(super) fn host_of(node: &NodeAddress) -> &str {
    let host = node.address.rsplit_once(':').map_or("", |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an address belongs to this machine: only then can a socket be bound to it.
fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::cluster::members;

    fn own(list: &str, node_id: Option<&str>, port: u16) -> Result<String, String> {
        let list = members(list).expect("a list");
        let own = own_entry(&list.0, node_id, port);
        own.map(|node| node.id.clone())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_is_found_by_port_and_address() {
        // 192.0.2.0/24 is set aside for documentation: never an address of this machine.
        let list = "a=192.0.2.1:7001,b=127.0.0.1:7001,c=127.0.0.1:7002";
        assert_eq!(own(list, None, 7001), Ok("b".to_owned()));
        assert_eq!(own(list, None, 7002), Ok("c".to_owned()));
        assert_eq!(own(list, Some("a"), 7009), Ok("a".to_owned()));
    }

    #[test]
    fn none_and_several_are_errors_that_list_the_entries() {
        let none = own("127.0.0.1:7001,127.0.0.1:7002", None, 7003).expect_err("none");
        assert!(none.contains("port 7003"), "{none}");
        assert!(none.contains("127.0.0.1:7001, 127.0.0.1:7002"), "{none}");
        let unknown = own("a=127.0.0.1:7001", Some("b"), 7001).expect_err("unknown id");
        assert!(unknown.contains("the id b"), "{unknown}");
        let several = own("a=127.0.0.1:7001,b=127.0.0.2:7001", None, 7001).expect_err("several");
        assert!(several.contains("several entries"), "{several}");
    }

    #[test]
    fn hosts_and_ports_of_entries() {
        let list = members("x=[::1]:70,y:80").expect("a list");
        assert_eq!(
            (host_of(&list.0[0]), port_of(&list.0[0])),
            ("::1", Some(70))
        );
        assert_eq!((host_of(&list.0[1]), port_of(&list.0[1])), ("y", Some(80)));
    }
}
