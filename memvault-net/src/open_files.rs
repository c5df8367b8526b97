//! How many files the process may have open: each connection is one of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has the system allow `wanted` open files, if fewer are, and returns how many it allows then; `None` means any
/// number.
///
/// What the system allows at first, the soft limit, is often 1024; what it may be raised to, the hard limit, is much
/// more as a rule, and a process with the right to raises that as well. It is never lowered.
#[must_use]
pub fn raise_to(wanted: u64) -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    if found.current.is_none_or(|current| current >= wanted) {
        return found.current;
    }
    let is_enough = found.maximum.is_none_or(|maximum| maximum >= wanted);
    let most = if is_enough {
        found.maximum
    } else {
        Some(wanted)
    };
    let tries = [
        Rlimit {
            current: Some(wanted),
            maximum: most,
        },
        Rlimit {
            current: found.maximum,
            maximum: found.maximum,
        },
    ];
    // Where both are refused, it stays as it is: that is told, too.
    let _ = tries
        .into_iter()
        .any(|limit| setrlimit(Resource::Nofile, limit).is_ok());
    getrlimit(Resource::Nofile).current
}

/// How many files are open now; a guess where the system does not tell.
#[must_use]
pub fn open_now() -> u64 {
    // The directory itself is open while it is read.
    let told = std::fs::read_dir("/proc/self/fd").ok();
    told.map_or(FEW, |files| files.count().saturating_sub(1) as u64)
}

/// What a process has open that has just begun.
const FEW: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_already_stays() {
        let before = getrlimit(Resource::Nofile);
        assert_eq!(raise_to(1), before.current);
        assert_eq!(getrlimit(Resource::Nofile), before);
    }

    #[test]
    fn files_are_counted() {
        let before = open_now();
        let opened: Vec<_> = (0..100)
            .map(|_| std::fs::File::open("/dev/null").expect("it is there"))
            .collect();
        // Other tests open and close some as well.
        #[cfg(target_os = "linux")]
        assert!(open_now() + 90 > before + opened.len() as u64);
        assert!(before > 0 && !opened.is_empty());
    }
}
