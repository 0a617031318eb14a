//! Counters, and how Prometheus reads them (text format 0.0.4).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// What the worker has counted since it started.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) processed: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) redelivered: AtomicU64,
    pub(crate) dead_lettered: AtomicU64,
    pub(crate) handed_back: AtomicU64,
    pub(crate) acks_unconfirmed: AtomicU64,
    pub(crate) nats_connects: AtomicU64,
    /// A setting, exported so that it can be compared with the pod's own grace period.
    pub(crate) shutdown_grace_ms: AtomicU64,
    last_success_ms: AtomicU64,
    buckets: [AtomicU64; BUCKETS.len()],
    handled: AtomicU64,
    handler_us: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// Records that a handler took `duration`, whatever the outcome.
    pub(crate) fn handled(&self, duration: Duration) {
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            if duration.as_secs_f64() <= bound {
                count(bucket);
            }
        }
        count(&self.handled);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.handler_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Records that a message was acknowledged just now.
    pub(crate) fn succeeded(&self) {
        count(&self.processed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_success_ms
            .store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Renders the text that Prometheus scrapes. `in_flight` messages are being worked on.
    pub(crate) fn render(&self, in_flight: usize, ready: bool) -> String {
        let mut text = String::with_capacity(4096);
        let mut metric = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = writeln!(text, "# HELP agent_executor_{name} {help}");
            let _ = writeln!(text, "# TYPE agent_executor_{name} {kind}");
            let _ = writeln!(text, "agent_executor_{name} {value}");
        };
        let mut counter = |name: &str, help: &str, value: &AtomicU64| {
            metric(name, "counter", help, float(value.load(Ordering::Relaxed)));
        };
        counter(
            "messages_processed_total",
            "Messages acknowledged after their effect.",
            &self.processed,
        );
        counter(
            "messages_duplicate_total",
            "Messages among them whose result was already recorded.",
            &self.duplicates,
        );
        counter("messages_failed_total", "Attempts that failed.", &self.failed);
        counter(
            "messages_redelivered_total",
            "Messages received that had been delivered before.",
            &self.redelivered,
        );
        counter(
            "messages_dead_lettered_total",
            "Messages given up and stored as dead letters.",
            &self.dead_lettered,
        );
        counter(
            "messages_handed_back_total",
            "Messages handed back at shutdown.",
            &self.handed_back,
        );
        counter(
            "acks_unconfirmed_total",
            "Acknowledgements that the server did not confirm.",
            &self.acks_unconfirmed,
        );
        counter(
            "nats_connects_total",
            "Connections made to NATS, the first one too.",
            &self.nats_connects,
        );
        metric("messages_in_flight", "gauge", "Messages being worked on.", float(in_flight as u64));
        metric("ready", "gauge", "1 if /ready answers 200.", if ready { 1.0 } else { 0.0 });
        metric(
            "last_success_timestamp_seconds",
            "gauge",
            "When a message was last acknowledged; 0 before the first.",
            float(self.last_success_ms.load(Ordering::Relaxed)) / 1e3,
        );
        metric(
            "shutdown_grace_seconds",
            "gauge",
            "How long after SIGTERM work may take to end.",
            float(self.shutdown_grace_ms.load(Ordering::Relaxed)) / 1e3,
        );
        self.histogram(&mut text);
        text
    }

    fn histogram(&self, text: &mut String) {
        const NAME: &str = "agent_executor_handler_duration_seconds";
        let _ = writeln!(text, "# HELP {NAME} How long the handler took, failures too.");
        let _ = writeln!(text, "# TYPE {NAME} histogram");
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS) {
            let value = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{NAME}_bucket{{le=\"{bound}\"}} {value}");
        }
        let count = self.handled.load(Ordering::Relaxed);
        let sum = float(self.handler_us.load(Ordering::Relaxed)) / 1e6;
        let _ = writeln!(text, "{NAME}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{NAME}_sum {sum}\n{NAME}_count {count}");
    }
}

/// Prometheus's numbers are doubles.
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_is_cumulative() {
        let metrics = Metrics::default();
        for ms in [1, 20, 20, 400_000] {
            metrics.handled(Duration::from_millis(ms));
        }
        let text = metrics.render(3, true);
        for line in [
            "agent_executor_handler_duration_seconds_bucket{le=\"0.005\"} 1",
            "agent_executor_handler_duration_seconds_bucket{le=\"0.025\"} 3",
            "agent_executor_handler_duration_seconds_bucket{le=\"300\"} 3",
            "agent_executor_handler_duration_seconds_bucket{le=\"+Inf\"} 4",
            "agent_executor_handler_duration_seconds_sum 400.041",
            "agent_executor_messages_in_flight 3",
            "agent_executor_ready 1",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }
    }
}
