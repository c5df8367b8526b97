//! How much memory this process may have: the limit of its container or, without one, the machine's memory.
//!
//! ```text
//! /proc/self/cgroup   0::/a/b           --> /sys/fs/cgroup/{a/b,a,.}/memory.max                     (version 2)
//!                     4:memory:/a/b     --> /sys/fs/cgroup/memory/{a/b,a,.}/memory.limit_in_bytes   (version 1)
//! /proc/meminfo       MemTotal
//! ```
//! Place: what `--max-memory` and `--max-clients-memory` take a share of. Read once, at the start.
//! Limits: knows Linux; elsewhere there is no answer. Swap does not count.

use std::fs;
use std::path::Path;

/// Bytes of memory that this process may have at most, as far as the system tells: the least of the limits of its
/// control groups and the machine's memory.
#[must_use]
pub fn memory_limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

/// A quarter of [`memory_limit`]: what clients, and what links of others, may take unless told otherwise.
pub(crate) fn quarter_of_memory() -> usize {
    let limit = memory_limit().and_then(|limit| usize::try_from(limit).ok());
    // Where the system does not tell, a machine of today.
    limit.map_or(1 << 30, |limit| limit / 4)
}

/// Bytes of memory of the machine, whatever part of it this process may have.
#[must_use]
pub fn machine_memory() -> Option<u64> {
    total_below(Path::new("/"))
}

/// [`memory_limit`] of a system whose files are in the folder `root`.
fn limit_below(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| limit_of_group(root, line));
    limits.chain(total_below(root)).min()
}

fn total_below(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let mut lines = text.lines();
    let rest = lines.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The least limit of a control group and of those around it, by a line of `/proc/self/cgroup`.
fn limit_of_group(root: &Path, line: &str) -> Option<u64> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (mounts, file): (&[&str], _) = if controllers.is_empty() {
        // On its own, or beside version 1.
        (&["sys/fs/cgroup", "sys/fs/cgroup/unified"], "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        (&["sys/fs/cgroup/memory"], "memory.limit_in_bytes")
    } else {
        return None;
    };
    let mounts = mounts.iter().map(|mount| root.join(mount));
    mounts
        .filter_map(|mount| least_up_to(&mount, path, file))
        .min()
}

/// The least number in the files of this name from the folder `path` below `mount` up to `mount`.
///
/// In a container, the path may be the one outside: what there is no file for is passed over, and `mount` itself is the
/// container's group.
fn least_up_to(mount: &Path, path: &str, file: &str) -> Option<u64> {
    let path = Path::new(path.trim_start_matches('/'));
    let folders = path.ancestors().map(|folder| mount.join(folder));
    folders
        .filter_map(|folder| fs::read_to_string(folder.join(file)).ok())
        // "max", if there is no limit.
        .filter_map(|text| text.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:        8000 kB\nMemFree: 7 kB\n");

    /// A system of these files.
    struct System(PathBuf);

    impl System {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let name = format!("memvault-memory-limit-{}-{name}", std::process::id());
            let root = std::env::temp_dir().join(name);
            for (path, text) in files {
                let path = root.join(path);
                let folder = path.parent().expect("a file is in a folder");
                fs::create_dir_all(folder).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            Self(root)
        }

        fn limit(&self) -> Option<u64> {
            limit_below(&self.0)
        }
    }

    impl Drop for System {
        fn drop(&mut self) {
            // Left over at worst, in the system's own place for such.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn without_a_container_it_is_the_machines() {
        let bare = System::new("bare", &[MACHINE]);
        assert_eq!(bare.limit(), Some(8000 << 10));
        let free = [
            MACHINE,
            ("proc/self/cgroup", "0::/user\n"),
            ("sys/fs/cgroup/user/memory.max", "max\n"),
        ];
        assert_eq!(System::new("free", &free).limit(), Some(8000 << 10));
        assert_eq!(System::new("nothing", &[]).limit(), None);
    }

    #[test]
    fn the_least_of_the_groups_around_holds_in_version_2() {
        let system = System::new(
            "two",
            &[
                MACHINE,
                ("proc/self/cgroup", "0::/pods/one\n"),
                ("sys/fs/cgroup/pods/one/memory.max", "max\n"),
                ("sys/fs/cgroup/pods/memory.max", "4096000\n"),
            ],
        );
        assert_eq!(system.limit(), Some(4_096_000));
        let inside = [
            MACHINE,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "65536\n"),
        ];
        assert_eq!(System::new("two-inside", &inside).limit(), Some(65536));
    }

    #[test]
    fn a_container_of_version_1_is_known_by_its_mount() {
        let system = System::new(
            "one",
            &[
                MACHINE,
                (
                    "proc/self/cgroup",
                    "9:name=systemd:/docker/ab\n4:cpu,memory:/docker/ab\n0::/docker/ab\n",
                ),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217\n"),
            ],
        );
        assert_eq!(system.limit(), Some(134_217));
        let unlimited = [
            MACHINE,
            ("proc/self/cgroup", "4:memory:/\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        let system = System::new("one-free", &unlimited);
        assert_eq!(system.limit(), Some(8000 << 10));
    }
}
