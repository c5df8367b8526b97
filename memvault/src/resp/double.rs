//! Doubles as text.

use core::fmt;

/// Prints a double as short as it can be read back, with an exponent where zeros would fill the line.
pub(super) struct Double(pub(super) f64);

impl fmt::Display for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if self.0.is_nan() {
            f.write_str("nan")
        } else if size == 0.0 || (1e-5..1e17).contains(&size) || size.is_infinite() {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}
