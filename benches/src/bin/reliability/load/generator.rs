//! A load that does not wait for answers before it asks more: open loop, or closed loop to find the capacity.
//!
//! Each request has a time at which it is meant to be sent, and its latency counts from then. Requests wait for a
//! free place on one of the connections, each of which has so many under way; one that finds none within
//! [`PATIENCE`] is given up, as the pool of a real client does. So what is under way is bounded, and what is late is
//! seen.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use memvault::resp::{Limits, ReplyScanner, encode};
use smol::{Async, LocalExecutor, Timer};

use super::wire::kind;
use crate::report::{histogram, micros};

/// Longest wait for a free connection.
const PATIENCE: Duration = Duration::from_millis(100);
/// An answer that comes later is of no use.
const IN_TIME: Duration = Duration::from_secs(1);
/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(1);
const THREADS: usize = 2;
const KEYS: usize = 10_000;
const VALUE: [u8; 100] = [b'v'; 100];

/// Whom to ask, and over how many connections.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) ports: Vec<u16>,
    pub(super) connections: usize,
    /// Requests under way on each.
    pub(super) window: usize,
}

/// A part of a load.
#[derive(Clone, Copy)]
pub(super) struct Phase {
    pub(super) time: Duration,
    /// Requests per second; `None` for as many as are answered.
    pub(super) rate: Option<f64>,
}

/// What came of a phase.
pub(super) struct Outcome {
    pub(super) time: Duration,
    /// Answers within a second, and later ones.
    pub(super) done: u64,
    pub(super) late: u64,
    /// By the first word of the error.
    pub(super) failures: BTreeMap<String, u64>,
    /// In microseconds, of what was answered without an error.
    pub(super) times: Histogram<u64>,
}

impl Outcome {
    fn new(time: Duration) -> Self {
        Self {
            time,
            done: 0,
            late: 0,
            failures: BTreeMap::new(),
            times: histogram(),
        }
    }

    pub(super) fn per_second(&self) -> f64 {
        self.done as f64 / self.time.as_secs_f64()
    }

    pub(super) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.late += other.late;
        for (kind, count) in &other.failures {
            *self.failures.entry(kind.clone()).or_default() += count;
        }
        self.times
            .add(&other.times)
            .expect("the bounds are the same");
    }

    fn fail(&mut self, why: &str) {
        *self.failures.entry(kind(why).to_owned()).or_default() += 1;
    }
}

/// Carries out the phases one after the other, on the same connections.
pub(super) fn run(load: &Load, phases: &[Phase]) -> Vec<Outcome> {
    let mut sum: Vec<_> = phases
        .iter()
        .map(|phase| Outcome::new(phase.time))
        .collect();
    std::thread::scope(|scope| {
        let one = || smol::block_on(part(load, phases));
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        for thread in threads {
            let outcomes = thread.join().expect("it does not panic");
            sum.iter_mut()
                .zip(&outcomes)
                .for_each(|(sum, one)| sum.add(one));
        }
    });
    sum
}

/// The part of one thread.
struct Part {
    window: usize,
    /// Requests that are due, by the time that they were due at.
    due: VecDeque<Instant>,
    is_closed_loop: bool,
    is_over: bool,
    present: Outcome,
}

struct Connection {
    port: u16,
    stream: Option<Rc<Async<TcpStream>>>,
    output: Vec<u8>,
    waiting: VecDeque<Instant>,
}

type Shared = Rc<RefCell<Part>>;
type Slot = Rc<RefCell<Connection>>;

async fn part(load: &Load, phases: &[Phase]) -> Vec<Outcome> {
    let part = Rc::new(RefCell::new(Part {
        window: load.window,
        due: VecDeque::new(),
        is_closed_loop: false,
        is_over: false,
        present: Outcome::new(Duration::ZERO),
    }));
    let executor = LocalExecutor::new();
    let mut slots = Vec::new();
    for number in 0..load.connections / THREADS {
        let port = load.ports[number % load.ports.len()];
        let slot = Rc::new(RefCell::new(Connection {
            port,
            stream: None,
            output: Vec::new(),
            waiting: VecDeque::new(),
        }));
        executor
            .spawn(serve(Rc::clone(&part), Rc::clone(&slot)))
            .detach();
        slots.push(slot);
    }
    executor.run(direct(&part, &slots, phases)).await
}

/// Tells the connections what is due, phase after phase.
async fn direct(part: &Shared, slots: &[Slot], phases: &[Phase]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    // All connections are there before the clock runs.
    Timer::after(Duration::from_millis(300)).await;
    for phase in phases {
        let began = Instant::now();
        part.borrow_mut().present = Outcome::new(phase.time);
        part.borrow_mut().is_closed_loop = phase.rate.is_none();
        let pause = phase
            .rate
            .map(|rate| Duration::from_secs_f64(THREADS as f64 / rate));
        let (mut next, mut first) = (began, 0);
        while began.elapsed() < phase.time {
            let now = Instant::now();
            while let Some(pause) = pause.filter(|_| next <= now) {
                part.borrow_mut().due.push_back(next);
                next += pause;
            }
            part.borrow_mut().give_up(now);
            // Another connection is the first to take each time.
            first += 1;
            for number in 0..slots.len() {
                driver(part, &slots[(first + number) % slots.len()]);
            }
            Timer::after(TICK).await;
        }
        let next_outcome = Outcome::new(Duration::ZERO);
        outcomes.push(std::mem::replace(
            &mut part.borrow_mut().present,
            next_outcome,
        ));
    }
    part.borrow_mut().is_over = true;
    outcomes
}

impl Part {
    fn give_up(&mut self, now: Instant) {
        while self.due.front().is_some_and(|due| now - *due > PATIENCE) {
            self.due.pop_front();
            self.present.fail("GAVE-UP");
        }
    }

    fn next(&mut self) -> Option<Instant> {
        if self.is_closed_loop && !self.is_over {
            return Some(Instant::now());
        }
        self.due.pop_front()
    }

    fn answered(&mut self, asked: Instant) {
        let time = asked.elapsed();
        if time <= IN_TIME {
            self.present.done += 1;
        } else {
            self.present.late += 1;
        }
        self.present.times.saturating_record(micros(time));
    }
}

/// Fills the window of a connection, and sends.
fn driver(part: &Shared, slot: &Slot) {
    let (part, slot) = (&mut *part.borrow_mut(), &mut *slot.borrow_mut());
    let Some(stream) = &slot.stream else { return };
    while slot.waiting.len() < part.window {
        let Some(due) = part.next() else { break };
        slot.waiting.push_back(due);
        let key = format!("load:{}", fastrand::usize(..KEYS));
        if fastrand::u8(..10) == 0 {
            encode::command(&mut slot.output, &[b"SET", key.as_bytes(), &VALUE]);
        } else {
            encode::command(&mut slot.output, &[b"GET", key.as_bytes()]);
        }
    }
    if !slot.output.is_empty() {
        // Whatever is wrong with it, the reader finds out.
        if let Ok(written) = stream.get_ref().write(&slot.output) {
            slot.output.drain(..written);
        }
    }
}

/// Keeps a connection open, and takes its answers.
async fn serve(part: Shared, slot: Slot) {
    loop {
        if let Err(error) = take_answers(&part, &slot).await {
            let mut slot = slot.borrow_mut();
            slot.stream = None;
            slot.output.clear();
            let lost = std::mem::take(&mut slot.waiting);
            let why = if lost.is_empty() {
                return_kind(&error)
            } else {
                "CLOSED"
            };
            for _ in 0..lost.len().max(1) {
                part.borrow_mut().present.fail(why);
            }
        }
        Timer::after(Duration::from_millis(20)).await;
    }
}

/// How a connection is called that was lost, or never there, while nothing was under way on it.
fn return_kind(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "REFUSED",
        _ => "CLOSED-IDLE",
    }
}

async fn take_answers(part: &Shared, slot: &Slot) -> io::Result<()> {
    let port = slot.borrow().port;
    let stream = Rc::new(Async::<TcpStream>::connect(([127, 0, 0, 1], port)).await?);
    stream.get_ref().set_nodelay(true)?;
    slot.borrow_mut().stream = Some(Rc::clone(&stream));
    let mut scanner = ReplyScanner::new(Limits::default());
    let (mut input, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let len = stream
            .read_with(|mut stream| stream.read(&mut chunk))
            .await?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        input.extend_from_slice(&chunk[..len]);
        let mut begin = 0;
        while let Some(scanned) = scanner.scan(&input[begin..]).map_err(io::Error::other)? {
            let reply = &input[begin..begin + scanned.consumed];
            let asked = slot.borrow_mut().waiting.pop_front();
            let mut part = part.borrow_mut();
            match asked {
                Some(_) if scanned.is_error => part.present.fail(&String::from_utf8_lossy(reply)),
                Some(asked) => part.answered(asked),
                None => part.present.fail("UNASKED"),
            }
            begin += scanned.consumed;
        }
        input.drain(..begin);
        driver(part, slot);
    }
}
