//! The columns of the table of nodes: what stands in them, how wide they are, and which go first when there is no room.

use std::cmp::Ordering;
use std::time::Duration;

use super::state::Row;
use crate::args::size;
use crate::output::grouped;

/// A column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Column {
    #[default]
    Node,
    State,
    Share,
    Keys,
    Memory,
    Operations,
    Hits,
    Evictions,
    P50,
    P99,
}

impl Column {
    /// All of them, from left to right.
    pub(super) const ALL: [Self; 10] = [
        Self::Node,
        Self::State,
        Self::Share,
        Self::Keys,
        Self::Memory,
        Self::Operations,
        Self::Hits,
        Self::Evictions,
        Self::P50,
        Self::P99,
    ];

    /// What stands above it.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::State => "state",
            Self::Share => "leads",
            Self::Keys => "keys",
            Self::Memory => "memory",
            Self::Operations => "ops/s",
            Self::Hits => "hits",
            Self::Evictions => "evict/s",
            Self::P50 => "p50",
            Self::P99 => "p99",
        }
    }

    /// Cells that it needs; the first one takes what is left.
    pub(super) const fn width(self) -> u16 {
        match self {
            Self::Node => 14,
            Self::State => 11,
            Self::Share | Self::Hits => 6,
            Self::Keys | Self::Memory | Self::Operations => 8,
            Self::Evictions | Self::P50 | Self::P99 => 7,
        }
    }

    /// Numbers stand to the right.
    pub(super) const fn is_number(self) -> bool {
        !matches!(self, Self::Node | Self::State)
    }

    /// The columns that fit beside each other, with a blank between them.
    pub(super) fn fitting(width: u16) -> Vec<Self> {
        let mut columns = Self::ALL.to_vec();
        let needed = |columns: &[Self]| {
            let widths = columns.iter().map(|column| column.width() + 1);
            widths.sum::<u16>().saturating_sub(1)
        };
        for least in FIRST_TO_GO {
            if needed(&columns) <= width {
                break;
            }
            columns.retain(|column| *column != least);
        }
        columns
    }

    /// What stands in it for a node.
    pub(super) fn text(self, row: &Row) -> String {
        let rates = row.rates.as_ref();
        let known = match self {
            Self::Node => Some(row.id.clone()),
            Self::State => Some(row.condition.word().to_owned()),
            Self::Share => row.share.map(percent),
            Self::Keys => row.keys.map(count),
            Self::Memory => row.memory.map(size::human),
            Self::Operations => rates.map(|rates| rate(rates.operations)),
            Self::Hits => rates.and_then(|rates| rates.hit_ratio()).map(percent),
            Self::Evictions => rates.map(|rates| rate(rates.evictions)),
            Self::P50 => latency(row, 50.0),
            Self::P99 => latency(row, 99.0),
        };
        known.unwrap_or_else(|| "-".to_owned())
    }

    /// The order of two nodes by this column, the smaller one first; what is not known comes before everything.
    pub(super) fn compare(self, one: &Row, other: &Row) -> Ordering {
        let by = |read: &dyn Fn(&Row) -> Option<f64>| {
            let key = |row| read(row).unwrap_or(f64::NEG_INFINITY);
            key(one).total_cmp(&key(other))
        };
        let rate = |read: fn(&super::state::Rates) -> Option<f64>| {
            by(&move |row: &Row| row.rates.as_ref().and_then(read))
        };
        let latency =
            |percent| by(&move |row: &Row| Some(row.latency(percent).or(row.ping)?.as_secs_f64()));
        match self {
            Self::Node => Ordering::Equal,
            Self::State => one.condition.word().cmp(other.condition.word()),
            Self::Share => by(&|row| row.share),
            Self::Keys => by(&|row| Some(row.keys? as f64)),
            Self::Memory => by(&|row| Some(row.memory? as f64)),
            Self::Operations => rate(|rates| Some(rates.operations)),
            Self::Hits => rate(super::state::Rates::hit_ratio),
            Self::Evictions => rate(|rates| Some(rates.evictions)),
            Self::P50 => latency(50.0),
            Self::P99 => latency(99.0),
        }
    }
}

/// Columns in the order in which they go when there is no room.
const FIRST_TO_GO: [Column; 8] = [
    Column::Evictions,
    Column::P50,
    Column::Share,
    Column::Memory,
    Column::P99,
    Column::Hits,
    Column::Keys,
    Column::Operations,
];

/// How long answers took; with a `~` it is our own ping, as the node itself has measured nothing of late.
fn latency(row: &Row, percent: f64) -> Option<String> {
    let measured = row.latency(percent).map(time);
    measured.or_else(|| Some(format!("~{}", time(row.ping?))))
}

/// A number of things, short: `12 345`, `1.23 M`.
pub(super) fn count(number: u64) -> String {
    match number {
        ..1_000_000 => grouped(number),
        1_000_000..1_000_000_000 => format!("{:.2} M", number as f64 / 1e6),
        _ => format!("{:.2} G", number as f64 / 1e9),
    }
}

/// A number of things per second.
pub(super) fn rate(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        format!("{rate:.1}")
    } else {
        count(rate.round() as u64)
    }
}

/// `93.1%`
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.1}%", ratio * 100.0)
}

/// A short time: `180us`, `1.2ms`, `12ms`, `1.2s`.
pub(super) fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..999.5 => format!("{micros:.0}us"),
        ..9_950.0 => format!("{:.1}ms", micros / 1e3),
        ..999_500.0 => format!("{:.0}ms", micros / 1e3),
        _ => format!("{:.1}s", micros / 1e6),
    }
}
