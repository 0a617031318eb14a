//! How long to wait before another attempt.

use std::time::Duration;

/// Returns the wait before attempt `attempt + 1`, counting from 1: `base`, doubled for each further
/// attempt, but at most `max`.
pub(crate) fn exponential(base: Duration, max: Duration, attempt: u32) -> Duration {
    let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    base.saturating_mul(factor.max(1)).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum() {
        let (base, max) = (Duration::from_secs(1), Duration::from_secs(60));
        for (attempt, seconds) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60), (u32::MAX, 60)]
        {
            assert_eq!(exponential(base, max, attempt), Duration::from_secs(seconds), "{attempt}");
        }
    }
}
