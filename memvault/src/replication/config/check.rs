//! Whether the settings of a node fit together: looked at when a node is made, as nothing would say later why it
//! misbehaves.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Config, ConfigError, Role, WEIGHTS};
use crate::time::Duration;

impl Config {
    /// Whether a node can be made of this.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(in crate::replication) fn check(&self) -> Result<(), ConfigError> {
        if self.members.is_empty() {
            return Err(ConfigError::NoMembers);
        }
        if self.replicas == 0 || self.replicas > Self::MAX_REPLICAS {
            return Err(ConfigError::Replicas(self.replicas));
        }
        if Self::bad_weights(self.members.iter()) {
            return Err(ConfigError::BadMember(WEIGHTS.into()));
        }
        self.check_order_of_times()?;
        self.check_positive()?;
        if self.plain_redis {
            self.check_plain()?;
        }
        Ok(())
    }

    /// Each of these is longer than the one before it, or what it is for cannot come about.
    fn check_order_of_times(&self) -> Result<(), ConfigError> {
        let silence = [
            ("heartbeat", self.heartbeat),
            ("suspect_after", self.suspect_after),
            ("down_after", self.down_after),
        ];
        check_ascending(&silence)?;
        for part in [
            ("read_attempt", self.read_attempt),
            ("write_attempt", self.write_attempt),
            ("max_wait", self.max_wait),
        ] {
            check_ascending(&[part, ("op_deadline", self.op_deadline)])?;
        }
        let longest = self.op_deadline.max(self.down_after);
        if longest > MAX_TIME {
            return Err(wrong(
                "op_deadline or down_after",
                format!("{longest:?}"),
                format!("at most {MAX_TIME:?}"),
            ));
        }
        Ok(())
    }

    fn check_positive(&self) -> Result<(), ConfigError> {
        let counts = [
            ("ping_rate", self.ping_rate),
            ("fetch_rate", self.fetch_rate),
            ("max_requests", self.max_requests as u64),
            ("max_in_flight", self.max_in_flight as u64),
            ("max_in_flight_bytes", self.max_in_flight_bytes as u64),
            ("max_waiting", self.max_waiting as u64),
            ("max_waiting_bytes", self.max_waiting_bytes as u64),
            ("max_versions", self.max_versions as u64),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(wrong(name, "0".to_string(), "at least 1".to_string()));
        }
        if self.max_tombstones > 100 {
            let value = format!("{} %", self.max_tombstones);
            return Err(wrong("max_tombstones", value, "at most 100 %".to_string()));
        }
        Ok(())
    }

    fn check_plain(&self) -> Result<(), ConfigError> {
        if let Role::Member(id) = &self.role {
            return Err(ConfigError::PlainMember(id.clone()));
        }
        if self.is_seed_list {
            return Err(ConfigError::PlainSeeds);
        }
        let levels = [self.write_level, self.read_level];
        let refused = levels.into_iter().find(|level| level.needs_versions());
        refused.map_or(Ok(()), |level| Err(ConfigError::PlainLevel(level)))
    }
}

/// Far above what makes sense, and far below what would overflow anywhere, or not fit into a greeting.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether each time is longer than the one before it, and the first longer than nothing.
fn check_ascending(times: &[(&'static str, Duration)]) -> Result<(), ConfigError> {
    let mut before = ("0", Duration::ZERO);
    for &(name, time) in times {
        if time <= before.1 {
            let expected = match before.0 {
                "0" => "more than 0".to_string(),
                other => format!("more than {other}, which is {:?}", before.1),
            };
            return Err(wrong(name, format!("{time:?}"), expected));
        }
        before = (name, time);
    }
    Ok(())
}

const fn wrong(name: &'static str, value: String, expected: String) -> ConfigError {
    ConfigError::Setting {
        name,
        value,
        expected,
    }
}
