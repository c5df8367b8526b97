use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A socket of a reactor, and the other end.
fn pair(reactor: &Rc<Reactor>) -> (EpollStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let other =
        TcpStream::connect(listener.local_addr().expect("it is bound")).expect("it listens");
    let (stream, _) = listener.accept().expect("a connection");
    let stream = async_net::TcpStream::try_from(stream).expect("a socket");
    (reactor.adopt(stream).expect("a socket"), other)
}

fn run<T: 'static>(reactor: &Rc<Reactor>, work: impl Future<Output = T> + 'static) -> T {
    let executor = LocalExecutor::new();
    let task = executor.spawn(work);
    reactor.block_on(&executor, task).expect("it waits")
}

#[test]
fn bytes_go_both_ways_also_more_than_the_system_buffers() {
    let reactor = Rc::new(Reactor::new().expect("a reactor"));
    let (mut stream, mut other) = pair(&reactor);
    let echo = thread::spawn(move || {
        let mut bytes = Vec::new();
        other.read_to_end(&mut bytes).expect("all of it");
        other.write_all(&bytes).expect("it is open");
    });
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let found = run(&reactor, async move {
        stream.write_all(&sent).await.expect("it is open");
        stream.close().await.expect("it is open");
        let mut found = Vec::new();
        stream.read_to_end(&mut found).await.expect("the echo");
        found
    });
    assert!(found == expected);
    echo.join().expect("no panic");
}

#[test]
fn the_end_is_noticed_when_it_comes_together_with_data() {
    let reactor = Rc::new(Reactor::new().expect("a reactor"));
    for _ in 0..100 {
        let (mut stream, mut other) = pair(&reactor);
        let found = run(&reactor, async move {
            // The first try finds nothing, so that the next is after an edge.
            let nothing = futures_lite::future::poll_once(stream.read(&mut [0; 64])).await;
            assert!(nothing.is_none());
            other.write_all(b"last words").expect("it is open");
            drop(other);
            let mut found = [0; 64];
            let read = stream.read(&mut found).await.expect("the words");
            let end = stream.read(&mut [0; 64]).await.expect("the end");
            (found[..read].to_vec(), end)
        });
        assert_eq!(found, (b"last words".to_vec(), 0));
    }
}

#[test]
fn wakers_on_other_threads_are_never_missed() {
    let reactor = Rc::new(Reactor::new().expect("a reactor"));
    let (sender, numbers) = async_channel::bounded(1);
    let (answer, answers) = mpsc::channel();
    let partner = thread::spawn(move || {
        for number in 0..20_000_u32 {
            sender.send_blocking(number).expect("it listens");
            assert_eq!(answers.recv(), Ok(number));
        }
    });
    let count = run(&reactor, async move {
        let mut count = 0;
        while let Ok(number) = numbers.recv().await {
            answer.send(number).expect("it listens");
            count += 1;
        }
        count
    });
    assert_eq!(count, 20_000);
    partner.join().expect("no panic");
}

#[test]
fn a_socket_that_is_gone_is_forgotten() {
    let reactor = Rc::new(Reactor::new().expect("a reactor"));
    let (stream, _other) = pair(&reactor);
    assert_eq!(reactor.sockets.borrow().len(), 1);
    drop(stream);
    assert_eq!(reactor.sockets.borrow().len(), 0);
}
