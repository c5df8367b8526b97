//! What the operating system tells of this process; nothing where there is no `/proc`.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

/// Processor time in seconds: of the system for this process, and of its own.
pub(super) fn cpu() -> Option<(f64, f64)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = times(&text)?;
    let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
    Some((seconds(ticks.0), seconds(ticks.1)))
}

/// Memory that the process has from the system at present, and most that it had at a time, in bytes.
pub(super) fn resident() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    Some((
        kilobytes(&text, "VmRSS:")? << 10,
        kilobytes(&text, "VmHWM:")? << 10,
    ))
}

/// Bytes of memory that the process has at present and that no file stands behind. Cheap: one short line.
pub(super) fn anonymous() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages(&text)? * page_size())
}

/// Name and release of the system, as `uname` gives them.
pub(super) fn system() -> String {
    let read = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    let words: Vec<_> = ["ostype", "osrelease"]
        .map(read)
        .into_iter()
        .flatten()
        .collect();
    let words: Vec<_> = words.iter().map(|word| word.trim()).collect();
    match words[..] {
        [name, release] => format!("{name} {release} {}", std::env::consts::ARCH),
        _ => format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// System and user time of `/proc/self/stat`, in ticks.
fn times(stat: &str) -> Option<(u64, u64)> {
    // The name of the program stands in brackets and may have anything in it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user = fields.next()?.parse().ok()?;
    Some((fields.next()?.parse().ok()?, user))
}

/// Resident pages without those of files, of `/proc/self/statm`.
fn pages(statm: &str) -> Option<usize> {
    let mut fields = statm.split_ascii_whitespace().skip(1);
    let resident: usize = fields.next()?.parse().ok()?;
    let of_files: usize = fields.next()?.parse().ok()?;
    Some(resident.saturating_sub(of_files))
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let mut lines = status.lines();
    let rest = lines.find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_any_name() {
        let stat = "17 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 130 0 0 20";
        assert_eq!(times(stat), Some((130, 250)));
        assert_eq!(times("17 (a"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1024));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
        assert_eq!(pages("900 300 120 40 0 200 0"), Some(180));
        assert_eq!(pages("900"), None);
    }
}
