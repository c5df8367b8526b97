//! Draws a [`State`]: headline, charts, the table of nodes, events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, Cell, Clear, Paragraph, RenderDirection, Row as TableRow, Sparkline, Table, TableState,
};

use super::plain;
use super::state::{Condition, Row, State};
use super::table::{Column, percent, rate};
use crate::output::wrap;

/// What the person at the terminal has chosen.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) sort: Column,
    /// Whether the largest comes first.
    pub(super) is_descending: bool,
    /// The node that is marked, by its line.
    pub(super) line: usize,
    pub(super) shows_help: bool,
    pub(super) interval: Duration,
}

/// Lines of the charts, their titles included.
const CHARTS: u16 = 4;
/// Lines of events, their title included.
const EVENTS: u16 = 6;
/// Nodes that are shown before there is room for anything else.
const TABLE: u16 = 6;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, view: &View) {
    let area = frame.area();
    let rows = sorted(state, view);
    let nodes = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let table = (nodes.saturating_add(1)).clamp(3, TABLE + 1);
    let mut sums = String::new();
    wrap(&mut sums, "", &plain::sums(state, &rows), area.width.into());
    let wanted = u16::try_from(sums.lines().count()).unwrap_or(u16::MAX);
    // What does not fit into one line of sums never takes the room of the first nodes.
    let sum_lines = wanted.clamp(1, 1 + area.height.saturating_sub(3 + table));
    // Around: headline, sums, keys.
    let mut left = area.height.saturating_sub(2 + sum_lines + table);
    let mut grant = |wanted: u16| {
        let granted = if left >= wanted { wanted } else { 0 };
        left -= granted;
        granted
    };
    let charts = grant(CHARTS);
    let events = grant(EVENTS);
    let [head, below, charts, table, events, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(sum_lines),
        Constraint::Length(charts),
        Constraint::Min(0),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_headline(frame, head, state, &rows);
    frame.render_widget(Paragraph::new(sums), below);
    draw_charts(frame, charts, state);
    draw_table(frame, table, &rows, view);
    draw_events(frame, events, state);
    draw_keys(frame, keys, view);
    if view.shows_help {
        draw_help(frame, area);
    }
}

/// The nodes in the order in which they are shown.
pub(super) fn sorted(state: &State, view: &View) -> Vec<Row> {
    let mut rows = state.rows();
    if view.is_descending && view.sort == Column::Node {
        rows.reverse();
    }
    // Nodes that are equal stay in the order of the member list.
    rows.sort_by(|one, other| match view.is_descending {
        true => view.sort.compare(other, one),
        false => view.sort.compare(one, other),
    });
    rows
}

fn draw_headline(frame: &mut Frame<'_>, area: Rect, state: &State, rows: &[Row]) {
    let clock = state.wall.map(clock).unwrap_or_default();
    let [left, right] = Layout::horizontal([Constraint::Min(0), Constraint::Length(9)]).areas(area);
    let any_down = rows
        .iter()
        .any(|row| matches!(row.condition, Condition::Down(_)));
    let colour = if any_down { Color::Red } else { Color::Green };
    let text = match state.wall {
        Some(_) => plain::headline(state, rows),
        None => "is asked...".to_owned(),
    };
    let line = Line::from(vec![
        Span::styled("MemVault ", Modifier::BOLD),
        Span::styled(text, colour),
        Span::raw(match plain::latencies(rows) {
            text if text.is_empty() => text,
            text => format!("  {text}"),
        }),
    ]);
    frame.render_widget(line, left);
    frame.render_widget(Line::from(clock).alignment(Alignment::Right), right);
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let halves = [
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ];
    let [operations, _, hits] = Layout::horizontal(halves).areas(area);
    let most = state.points.iter().map(|point| point.operations);
    let most = most.fold(0.0, f64::max);
    let newest_first = || state.points.iter().rev();
    let title = format!("ops/s, at most {}", rate(most));
    let data = newest_first().map(|point| Some(point.operations.round() as u64));
    draw_chart(
        frame,
        operations,
        title,
        data,
        (most as u64).max(1),
        Color::Cyan,
    );
    let last = newest_first().find_map(|point| point.hit_ratio);
    let title = format!(
        "hit ratio, last {}",
        last.map_or_else(|| "-".to_owned(), percent)
    );
    let data = newest_first().map(|point| Some((point.hit_ratio? * 1000.0).round() as u64));
    draw_chart(frame, hits, title, data, 1000, Color::Green);
}

fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    title: String,
    newest_first: impl Iterator<Item = Option<u64>>,
    most: u64,
    colour: Color,
) {
    let block = Block::new().title(Span::styled(title, Modifier::DIM));
    let data: Vec<Option<u64>> = newest_first.take(area.width.into()).collect();
    let chart = Sparkline::default()
        .block(block)
        .direction(RenderDirection::RightToLeft)
        .data(data)
        .max(most)
        .style(colour);
    frame.render_widget(chart, area);
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, rows: &[Row], view: &View) {
    let columns = Column::fitting(area.width);
    let title = |column: &Column| {
        let mark = match (view.sort == *column, view.is_descending) {
            (false, _) => "",
            (true, false) => "^",
            (true, true) => "v",
        };
        cell(format!("{mark}{}", column.title()), *column)
    };
    let head = TableRow::new(columns.iter().map(title)).style(Modifier::REVERSED);
    let lines = rows.iter().map(|row| {
        let cells = columns.iter().map(|column| match column {
            Column::State => cell(column.text(row), *column).style(colour(&row.condition)),
            _ => cell(column.text(row), *column),
        });
        TableRow::new(cells)
    });
    let widths = columns.iter().map(|column| match column {
        Column::Node => Constraint::Min(column.width()),
        _ => Constraint::Length(column.width()),
    });
    let table = Table::new(lines, widths)
        .header(head)
        .column_spacing(1)
        .row_highlight_style(Modifier::BOLD);
    let mut state = TableState::default().with_selected(view.line);
    frame.render_stateful_widget(table, area, &mut state);
}

fn cell(text: String, column: Column) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if column.is_number() {
        line.alignment(Alignment::Right)
    } else {
        line
    })
}

const fn colour(condition: &Condition) -> Style {
    Style::new().fg(match condition {
        Condition::Up => Color::Green,
        Condition::Partly(_) | Condition::Unreached { .. } => Color::Yellow,
        Condition::Down(_) => Color::Red,
    })
}

fn draw_events(frame: &mut Frame<'_>, area: Rect, state: &State) {
    if area.height == 0 {
        return;
    }
    let most = usize::from(area.height.saturating_sub(1));
    let lines = state.events.iter().rev().take(most).map(|event| {
        let colour = if event.is_bad {
            Color::Red
        } else {
            Color::Reset
        };
        Line::from(vec![
            Span::styled(format!("{} ", clock(event.at)), Modifier::DIM),
            Span::styled(format!("{} {}", event.node, event.text), colour),
        ])
    });
    let mut lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        lines.push(Line::styled("nothing has changed so far", Modifier::DIM));
    }
    let block = Block::new().title(Span::styled("events, the last one first", Modifier::DIM));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let text = format!(
        "q quit  ? help  <> sort: {}  r reverse  every {:?}",
        view.sort.title(),
        view.interval
    );
    frame.render_widget(Line::styled(text, Modifier::DIM), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let text = [
        "left, right  sort by the column before or after",
        "r            turn the order round",
        "up, down     move through the nodes",
        "? or h       close this",
        "q or Esc     quit",
        "",
        "ops/s   what a node did with its own entries",
        "hits    reads that found a value",
        "leads   its part of the ring",
        "p50 p99 how long its answers took; ~ our ping",
    ];
    let (width, height) = (52.min(area.width), 12.min(area.height));
    let window = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let block = Block::bordered().title("help");
    frame.render_widget(Clear, window);
    frame.render_widget(
        Paragraph::new(text.map(Line::from).to_vec()).block(block),
        window,
    );
}

/// The time of day, UTC: `12:34:56Z`.
fn clock(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}Z", seconds % 60)
}
