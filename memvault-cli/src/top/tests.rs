//! From samples to what is shown, without a network and without a terminal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memvault_net::driver::Latency;
use memvault_net::server::NodeStats;

use super::plain;
use super::sample::{Answer, Membership, NodeSample, Sample};
use super::state::{Condition, Row, State, Total};
use super::table::{Column, count, rate, time};
use crate::output::Style;

/// What a node tells that has done so many operations, half of them hits, so many milliseconds each.
fn told(uptime_seconds: u64, operations: u64, millis: u64) -> NodeStats {
    let mut latency = Latency::default();
    for _ in 0..operations {
        latency.record(Duration::from_millis(millis));
    }
    let mut told = NodeStats::default();
    told.uptime_seconds = uptime_seconds;
    told.operations = operations;
    told.hits = operations / 2;
    told.misses = operations - operations / 2;
    told.keys = 10;
    told.memory_used = 1 << 20;
    told.memory_limit = Some(4 << 20);
    told.answer_latency = latency;
    told
}

fn node(id: &str, answer: Result<(&str, NodeStats), &str>) -> NodeSample {
    let answer = answer.map(|(state, told)| Answer {
        ping: Duration::from_micros(300),
        state: state.to_owned(),
        told,
    });
    NodeSample {
        id: id.to_owned(),
        address: format!("{id}:6379"),
        answer: answer.map_err(str::to_owned),
        seen: None,
    }
}

/// A sample of these nodes of one cluster, so many seconds after the start.
fn sample(seconds: u64, nodes: Vec<NodeSample>) -> Sample {
    let at = Duration::from_secs(seconds);
    Sample {
        at,
        wall: wall(seconds),
        cluster: Some(Membership {
            epoch: 1,
            replicas: 2,
            change: String::new(),
            placed: nodes.iter().map(|node| (node.id.clone(), 1)).collect(),
        }),
        nodes,
    }
}

fn wall(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(86_400 * 20_000 + seconds)
}

/// Three nodes, the second of which dies and comes back.
fn story() -> Vec<Sample> {
    let serving = |id, uptime, operations| node(id, Ok(("serving", told(uptime, operations, 3))));
    let dead = || node("b", Err("connection refused"));
    vec![
        sample(
            0,
            vec![serving("a", 5, 0), serving("b", 5, 0), serving("c", 5, 0)],
        ),
        sample(
            2,
            vec![
                serving("a", 7, 100),
                serving("b", 7, 20),
                serving("c", 7, 0),
            ],
        ),
        sample(4, vec![serving("a", 9, 200), dead(), serving("c", 9, 0)]),
        sample(6, vec![serving("a", 11, 300), dead(), serving("c", 11, 0)]),
        sample(
            8,
            vec![
                serving("a", 13, 400),
                node("b", Ok(("warming", told(0, 3, 1)))),
                serving("c", 13, 0),
            ],
        ),
        sample(
            10,
            vec![
                serving("a", 15, 500),
                serving("b", 2, 13),
                serving("c", 15, 0),
            ],
        ),
    ]
}

/// The state after so many of the samples.
fn after(samples: usize) -> State {
    let mut state = State::default();
    story()
        .iter()
        .take(samples)
        .for_each(|sample| state.take(sample));
    state
}

fn row(state: &State, id: &str) -> Row {
    let mut rows = state.rows().into_iter();
    rows.find(|row| row.id == id).expect("it is known")
}

#[test]
fn rates_are_those_between_two_samples_of_one_process() {
    assert!(row(&after(1), "a").rates.is_none());
    let state = after(2);
    let rates = row(&state, "a").rates.expect("two samples");
    assert_eq!((rates.operations, rates.hit_ratio()), (50.0, Some(0.5)));
    assert_eq!(
        row(&state, "a").latency(99.0),
        Some(Duration::from_millis(3))
    );
    // Nothing was done, so there is nothing to divide, and nothing was measured.
    let idle = row(&state, "c");
    assert_eq!(idle.rates.as_ref().map(|rates| rates.operations), Some(0.0));
    assert_eq!(
        idle.rates.as_ref().and_then(|rates| rates.hit_ratio()),
        None
    );
    assert_eq!(idle.latency(50.0), None);
    assert_eq!(Column::P50.text(&idle), "~300us");
    // Down, and started anew: what came before does not count.
    assert!(row(&after(3), "b").rates.is_none());
    assert!(row(&after(5), "b").rates.is_none());
    let rates = row(&after(6), "b")
        .rates
        .expect("two samples of the new process");
    assert_eq!(rates.operations, 5.0);
}

#[test]
fn a_node_that_restarts_between_two_samples_has_no_rates() {
    let mut state = after(2);
    state.take(&sample(4, vec![node("a", Ok(("serving", told(1, 5, 1))))]));
    assert!(row(&state, "a").rates.is_none());
}

#[test]
fn what_changes_is_an_event() {
    let state = after(6);
    let events: Vec<_> = state
        .events
        .iter()
        .map(|event| (event.at, &*event.node, &*event.text, event.is_bad))
        .collect();
    assert_eq!(
        events,
        [
            (wall(4), "b", "went down: connection refused", true),
            (wall(8), "b", "came back, warming", false),
            (wall(10), "b", "serves again", false),
        ]
    );
    let mut state = after(2);
    let serving = |id| node(id, Ok(("serving", told(20, 0, 1))));
    state.take(&sample(4, vec![serving("a"), serving("c"), serving("d")]));
    let texts: Vec<_> = state
        .events
        .iter()
        .map(|event| (&*event.node, &*event.text))
        .collect();
    assert_eq!(
        texts,
        [("d", "is a member now"), ("b", "is no member any more")]
    );
}

#[test]
fn sums_are_of_those_that_answer() {
    let rows = after(4).rows();
    let total = Total::of(&rows);
    assert_eq!((total.up, total.partly, total.down), (2, 0, 1));
    assert_eq!(
        (total.keys, total.memory, total.memory_limit),
        (20, 2 << 20, Some(8 << 20))
    );
    assert_eq!((total.operations, total.hit_ratio()), (50.0, Some(0.5)));
    assert_eq!(
        after(5).rows()[1].condition,
        Condition::Partly("warming".to_owned())
    );
    // One without a limit: all together have none.
    let mut state = State::default();
    let mut limitless = told(1, 0, 1);
    limitless.memory_limit = None;
    let nodes = vec![
        node("a", Ok(("up", limitless))),
        node("b", Ok(("up", told(1, 0, 1)))),
    ];
    state.take(&sample(0, nodes));
    assert_eq!(Total::of(&state.rows()).memory_limit, None);
    assert_eq!(Total::of(&[]).memory_limit, None);
}

#[test]
fn shares_are_those_of_the_ring() {
    let rows = after(1).rows();
    let sum: f64 = rows.iter().filter_map(|row| row.share).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    // Redis alone: there is no ring.
    let mut state = State::default();
    let alone = Sample {
        cluster: None,
        ..sample(0, vec![node("a", Ok(("up", told(1, 0, 1))))])
    };
    state.take(&alone);
    assert_eq!(state.rows()[0].share, None);
}

#[test]
fn history_does_not_grow_without_end() {
    let mut state = State::default();
    for seconds in 0..3000 {
        let answer = match seconds % 2 {
            0 => Ok(("serving", told(seconds, seconds, 1))),
            _ => Err("silence"),
        };
        state.take(&sample(seconds, vec![node("a", answer)]));
    }
    assert_eq!((state.points.len(), state.events.len()), (512, 100));
}

#[test]
fn one_table_is_plain_text() {
    let text = plain::text(&after(4), Style::plain(), None);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "3 nodes: 2 up, 1 down; 2 replicas per key");
    assert_eq!(
        lines[1],
        "50 ops/s, hits 50.0%, 20 copies of keys, 2.0 MiB of 8.0 MiB, 0 evictions/s"
    );
    assert_eq!(
        lines[3],
        "node  state  leads  keys   memory  ops/s   hits  evict/s     p50     p99"
    );
    assert!(lines[5].starts_with("b     down"), "{text}");
    assert_eq!(lines[6], "  connection refused");
    let document = plain::document(&after(4));
    assert_eq!(document["nodes"][1]["state"], "down");
    assert_eq!(document["nodes"][1]["reason"], "connection refused");
    assert_eq!(document["nodes"][0]["operations_per_second"], 50.0);
    assert_eq!(document["nodes"][0]["p50_us"], 3000);
    assert_eq!(
        (&document["total"]["down"], &document["replicas"]),
        (&1.into(), &2.into())
    );
}

#[test]
fn one_table_fits_the_terminal() {
    for width in [60, 80, 100] {
        let text = plain::text(&after(4), Style::plain(), Some(width));
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(text.contains("ops/s"), "{text}");
    }
}

#[test]
fn a_node_that_only_others_reach_is_not_down() {
    let mut state = State::default();
    let hidden = |id| NodeSample {
        seen: Some("serving".to_owned()),
        ..node(id, Err("unknown host"))
    };
    state.take(&sample(0, vec![hidden("a"), hidden("b")]));
    let total = Total::of(&state.rows());
    assert_eq!((total.up, total.down, total.unreached), (0, 0, 2));
    let text = plain::text(&state, Style::plain(), None);
    assert!(text.starts_with("2 nodes: 0 up, 2 not reached from here; 2 replicas"));
    assert!(text.contains("serving, as others say; not reached from here: unknown host"));
    assert!(!text.contains("0 keys"), "{text}");
    // Others have lost it, too.
    state.take(&sample(
        2,
        vec![hidden("a"), node("b", Err("unknown host"))],
    ));
    assert_eq!(Total::of(&state.rows()).down, 1);
    let event = state.events.back().expect("something has changed");
    assert_eq!(event.text, "went down: unknown host");
}

#[test]
fn columns_go_where_there_is_no_room() {
    assert_eq!(Column::fitting(100), Column::ALL);
    for width in [20, 40, 60, 80] {
        let columns = Column::fitting(width);
        assert_eq!(columns[..2], [Column::Node, Column::State]);
        let needed: u16 = columns.iter().map(|column| column.width() + 1).sum();
        assert!(
            needed <= width + 1 || columns.len() == 2,
            "{width}: {columns:?}"
        );
    }
    let narrow = Column::fitting(60);
    for column in [Column::Operations, Column::Hits, Column::Keys, Column::P99] {
        assert!(narrow.contains(&column), "{narrow:?}");
    }
}

#[test]
fn numbers_are_short() {
    assert_eq!(
        [999_999, 1_234_567, 5_000_000_000].map(count),
        ["999 999", "1.23 M", "5.00 G"]
    );
    assert_eq!([0.0, 0.04, 9.9, 10.0].map(rate), ["0", "0.0", "9.9", "10"]);
    let times = [0, 999, 1_000, 9_940, 12_000, 999_400, 1_200_000];
    let times = times.map(|micros| time(Duration::from_micros(micros)));
    assert_eq!(
        times,
        ["0us", "999us", "1.0ms", "9.9ms", "12ms", "999ms", "1.2s"]
    );
}

#[cfg(feature = "tui")]
mod drawn {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use ratatui::style::Color;

    use super::super::screen::{View, draw, sorted};
    use super::*;

    fn terminal(state: &State, view: &View, (width, height): (u16, u16)) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a buffer");
        terminal
            .draw(|frame| draw(frame, state, view))
            .expect("a buffer");
        terminal
    }

    fn lines(state: &State, view: &View, size: (u16, u16)) -> Vec<String> {
        let terminal = terminal(state, view, size);
        let buffer = terminal.backend().buffer();
        let cells: Vec<_> = buffer.content().iter().map(|cell| cell.symbol()).collect();
        let lines = cells.chunks(size.0.into());
        lines
            .map(|line| line.concat().trim_end().to_owned())
            .collect()
    }

    #[test]
    fn a_usual_terminal_shows_all_of_it() {
        let lines = lines(&after(6), &View::default(), (80, 24));
        assert!(lines[0].starts_with("MemVault 3 nodes: 3 up; 2 replicas per key  p50 3.0ms"));
        assert!(lines[0].ends_with("00:00:10Z"), "{}", lines[0]);
        assert!(
            lines[2].starts_with("ops/s, at most 60") && lines[2].contains("hit ratio, last 50.0%")
        );
        assert!(lines[5].contains('█'), "{lines:#?}");
        assert!(
            lines[6].starts_with("^node") && lines[6].ends_with("p99"),
            "{}",
            lines[6]
        );
        assert!(
            lines[7].starts_with("a ") && lines[8].starts_with("b "),
            "{lines:#?}"
        );
        assert!(lines[17].starts_with("events"), "{lines:#?}");
        assert_eq!(lines[18], "00:00:10Z b serves again");
        assert_eq!(lines[20], "00:00:04Z b went down: connection refused");
        assert!(lines[23].starts_with("q quit"), "{lines:#?}");
    }

    #[test]
    fn before_the_first_answer_nothing_is_claimed() {
        let lines = lines(&State::default(), &View::default(), (80, 24));
        assert_eq!(lines[0], "MemVault is asked...");
    }

    #[test]
    fn any_size_is_drawn_and_nodes_come_first() {
        let state = after(6);
        for width in [1, 9, 20, 60, 200] {
            for height in [1, 2, 5, 8, 60] {
                lines(&state, &View::default(), (width, height));
            }
        }
        let lines = lines(&state, &View::default(), (60, 8));
        for (line, id) in lines[4..7].iter().zip(["a ", "b ", "c "]) {
            assert!(line.starts_with(id), "{lines:#?}");
        }
        assert!(
            !lines.iter().any(|line| line.contains("events")),
            "{lines:#?}"
        );
    }

    #[test]
    fn the_sums_are_whole_on_a_narrow_terminal() {
        let lines = lines(&after(6), &View::default(), (60, 24));
        let sums = lines[1..3].join(" ");
        assert_eq!(
            sums,
            plain::sums(&after(6), &sorted(&after(6), &View::default()))
        );
        assert!(
            sums.len() > 60 && lines[3].starts_with("ops/s, at most"),
            "{lines:#?}"
        );
    }

    #[test]
    fn a_node_that_is_down_is_red() {
        let terminal = terminal(&after(4), &View::default(), (80, 24));
        let buffer = terminal.backend().buffer();
        let of_line = |y| {
            let state = (0..80).find(|x| buffer[(*x, y)].symbol() == "d");
            state.map(|x| buffer[(x, y)].fg)
        };
        assert_eq!(of_line(8), Some(Color::Red));
    }

    fn press(view: &mut View, code: KeyCode) -> bool {
        view.press(KeyEvent::new(code, KeyModifiers::NONE), 3)
    }

    fn order(state: &State, view: &View) -> String {
        sorted(state, view).into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn keys_sort_move_help_and_end() {
        let (state, mut view) = (after(6), View::default());
        assert_eq!(order(&state, &view), "abc");
        press(&mut view, KeyCode::Char('r'));
        assert_eq!(order(&state, &view), "cba");
        while view.sort != Column::Operations {
            press(&mut view, KeyCode::Right);
        }
        assert_eq!(order(&state, &view), "abc");
        press(&mut view, KeyCode::Char('r'));
        assert_eq!(order(&state, &view), "cba");
        while view.sort != Column::Keys {
            press(&mut view, KeyCode::Left);
        }
        assert_eq!(
            order(&state, &view),
            "abc",
            "those that are equal stay in their order"
        );

        for _ in 0..5 {
            press(&mut view, KeyCode::Down);
        }
        assert_eq!(view.line, 2);
        press(&mut view, KeyCode::Up);
        assert_eq!(view.line, 1);

        assert!(!press(&mut view, KeyCode::Char('?')));
        assert!(
            lines(&state, &view, (80, 24))
                .iter()
                .any(|line| line.contains("turn the order"))
        );
        assert!(!press(&mut view, KeyCode::Esc), "it closes the help first");
        assert!(press(&mut view, KeyCode::Esc) && press(&mut view, KeyCode::Char('q')));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(view.press(interrupt, 3));
    }
}
