//! What the system does with sockets by default and a server cannot leave so.

use std::io;
use std::time::Duration;

use rustix::fd::AsFd;
use rustix::net;
use rustix::net::sockopt;

/// Callers that may wait for a listener to accept them. The system cuts it down to a limit of its own
/// (`net.core.somaxconn` on Linux). With the 128 that `std` asks for, those of a burst that find no place try again only
/// after a second.
pub const BACKLOG: i32 = 1024;

/// How long a link to another node may be silent before the system asks whether its other end is still there.
pub(crate) const LINK_KEEPALIVE: Duration = Duration::from_secs(300);

/// Lets [`BACKLOG`] callers wait at a socket that listens already.
///
/// # Errors
/// If the system refuses: the socket does not listen.
pub fn lengthen_backlog(listener: impl AsFd) -> io::Result<()> {
    Ok(net::listen(listener, BACKLOG)?)
}

/// Has the system ask, after so long a silence and then three times at a third of it, whether the other end is still
/// there, and break the connection if nobody answers. Less than a second is taken for one.
///
/// # Errors
/// If the system refuses: it is no TCP socket.
pub fn keep_alive(socket: impl AsFd, silence: Duration) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, true)?;
    // Elsewhere the system decides, mostly for two hours.
    #[cfg(target_os = "linux")]
    {
        // The most that Linux takes.
        const LONGEST: Duration = Duration::from_secs(32_767);
        const SECOND: Duration = Duration::from_secs(1);
        let silence = silence.clamp(SECOND, LONGEST);
        sockopt::set_tcp_keepidle(&socket, silence)?;
        sockopt::set_tcp_keepintvl(&socket, (silence / 3).max(SECOND))?;
        sockopt::set_tcp_keepcnt(&socket, 3)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = silence;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_system_asks_after_a_silence_of_the_length_that_was_said() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stream = TcpStream::connect(listener.local_addr().expect("it is bound"));
        let stream = stream.expect("it listens");
        for (said, asks, repeats) in [(300_000, 300, 100), (1, 1, 1), (u64::MAX, 32_767, 10_923)] {
            keep_alive(&stream, Duration::from_millis(said)).expect("a socket");
            assert!(sockopt::socket_keepalive(&stream).expect("an option"));
            let seconds = |time: Duration| time.as_secs();
            let idle = sockopt::tcp_keepidle(&stream).expect("an option");
            let between = sockopt::tcp_keepintvl(&stream).expect("an option");
            assert_eq!((seconds(idle), seconds(between)), (asks, repeats));
        }
    }

    #[test]
    fn many_may_wait_before_anybody_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        lengthen_backlog(&listener).expect("it listens");
        let calls: Vec<_> = (0..400)
            .map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(900)))
            .collect();
        assert!(calls.iter().all(Result::is_ok), "{:?}", calls.last());
    }
}
