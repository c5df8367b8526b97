//! Signals that end processes unless something is done about them.

use rustix::process::Signal;

use crate::support::{Running, Server, free_ports};

#[test]
fn a_server_whose_terminal_goes_says_so_and_goes_on() {
    let mut server = Server::start(&[]);
    server.process.wait_for_handler();
    for _ in 0..2 {
        server.process.signal(Signal::HUP);
        server.process.wait_for("signal-ignored signal=SIGHUP");
    }
    assert_eq!(server.ask(&["ping"]).code, Some(0));
    server.process.signal(Signal::TERM);
    server.process.wait_for("stopping reason=SIGTERM");
    server.process.wait_for("stopped");
    assert_eq!(server.process.wait(), Some(0));
}

#[test]
fn up_ends_with_its_terminal_and_says_so() {
    let base = free_ports(3);
    let (base, gateway) = (base.to_string(), (base + 2).to_string());
    let mut up = Running::start(&[
        "up",
        "--count",
        "2",
        "--base-port",
        &base,
        "--port",
        &gateway,
    ]);
    up.wait_for("Ctrl-C stops all");
    up.signal(Signal::HUP);
    up.wait_for("Stopping all nodes");
    up.wait_for("Stopped");
    assert_eq!(up.wait(), Some(0));
}
