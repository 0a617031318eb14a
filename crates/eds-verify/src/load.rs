//! Is every published message processed, with one effect, and do the replicas follow?

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Check, Report, Rows};

/// A line that the reference worker prints for a processed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The pod that printed it.
    pub pod: String,
    /// The message's id.
    pub id: String,
    /// Which delivery it was, from 1.
    pub delivery: u64,
    /// Whether the effect was made now; otherwise it existed already.
    pub new: bool,
}

impl Line {
    /// Reads a line of a pod's log. Returns `None` for any other line.
    #[must_use]
    pub fn parse(pod: &str, line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        if value.get("event")?.as_str()? != "processed" {
            return None;
        }
        Some(Self {
            pod: pod.to_owned(),
            id: value.get("id")?.as_str()?.to_owned(),
            delivery: value.get("delivery")?.as_u64()?,
            new: value.get("new")?.as_bool()?,
        })
    }
}

/// A sample at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Seconds since the messages were published; negative before that.
    pub seconds: f64,
    /// Unacknowledged messages: what KEDA scales by (`num_pending + num_ack_pending`).
    pub lag: u64,
    /// The Deployment's replicas.
    pub replicas: u64,
    /// Replicas that are ready.
    pub ready: u64,
    /// Whether the claim says that it is Ready.
    pub claim_ready: bool,
}

/// Everything that a run under load recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadFacts {
    /// Ids of the published messages.
    pub published: Vec<String>,
    /// What the pods printed.
    pub lines: Vec<Line>,
    /// The samples, about one a second, in order.
    pub samples: Vec<Sample>,
    /// The claim's lower bound.
    pub min_replicas: u64,
    /// The claim's upper bound.
    pub max_replicas: u64,
    /// Messages per replica that KEDA aims for.
    pub lag_threshold: u64,
    /// When everything was acknowledged.
    pub drained: Option<f64>,
    /// When the replicas were back at the minimum.
    pub settled: Option<f64>,
    /// Whether a database keeps the results, so that a redelivery has no effect.
    pub idempotent: bool,
    /// What the database holds, or why that is unknown.
    pub rows: Option<Result<Rows, String>>,
}

impl LoadFacts {
    /// Returns the most replicas at any time.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.samples.iter().map(|sample| sample.replicas).max().unwrap_or(0)
    }

    /// Returns the replicas that KEDA and the autoscaler want for this lag.
    #[must_use]
    pub fn wanted(&self, lag: u64) -> u64 {
        lag.div_ceil(self.lag_threshold.max(1))
            .clamp(self.min_replicas, self.max_replicas.max(self.min_replicas))
    }

    /// Adds the checks of scaling, for a run that was meant to scale.
    pub fn scaling(&self, report: &mut Report) {
        let peak = self.peak();
        let deepest = self.samples.iter().map(|sample| sample.lag).max().unwrap_or(0);
        let wanted = self.wanted(deepest);
        let mut checks = Vec::new();
        let first =
            self.samples.iter().find(|s| s.seconds >= 0.0 && s.replicas > self.min_replicas);
        checks.push(match first {
            Some(first) if peak >= 2 => Check::passed(
                "scales up",
                format!(
                    "from {} to {peak} replicas, the first after {:.0} s",
                    self.min_replicas, first.seconds
                ),
            ),
            _ => Check::failed(
                "scales up",
                format!("{peak} replicas at most, with {deepest} messages waiting"),
                "eds verify keda says what KEDA sees",
            ),
        });
        checks.push(if peak > wanted {
            Check::failed(
                "follows the depth",
                format!("{peak} replicas, but {deepest} messages ask for {wanted}"),
                "look at the HorizontalPodAutoscaler: something else scales, too",
            )
        } else if peak * 2 < wanted {
            Check::failed(
                "follows the depth",
                format!("{peak} replicas, but {deepest} messages ask for {wanted}"),
                "is there room for more pods? kubectl get pods says Pending where there is none",
            )
        } else {
            Check::passed(
                "follows the depth",
                format!(
                    "{deepest} messages at most, which ask for {wanted} replicas of {}",
                    self.max_replicas
                ),
            )
        });
        let ready = self.samples.iter().map(|sample| sample.ready).max().unwrap_or(0);
        checks.push(if ready >= 2 {
            Check::passed("pods become ready", format!("{ready} at once"))
        } else {
            Check::failed(
                "pods become ready",
                format!("{ready} at most"),
                "kubectl describe pods says why",
            )
        });
        checks.push(match (self.settled, self.drained) {
            (Some(settled), Some(drained)) => Check::passed(
                "scales down",
                format!(
                    "to {} replicas, {:.0} s after the last message",
                    self.min_replicas,
                    settled - drained
                ),
            ),
            _ => Check::failed(
                "scales down",
                format!("not to {} replicas in time", self.min_replicas),
                "the autoscaler's stabilization window is 300 s by default: --timeout gives it \
                    longer",
            ),
        });
        let unready = self.samples.iter().filter(|sample| !sample.claim_ready).count();
        checks.push(if unready == 0 {
            Check::passed("claim stays Ready", format!("in all {} samples", self.samples.len()))
        } else {
            Check::warning(
                "claim stays Ready",
                format!("not in {unready} of {} samples", self.samples.len()),
                "eds doctor says why a claim is not Ready",
            )
        });
        report.add("Scaling", checks);
    }

    /// Adds the checks of the messages.
    pub fn messages(&self, report: &mut Report) {
        let mut effects: BTreeMap<&str, u64> =
            self.published.iter().map(|id| (id.as_str(), 0)).collect();
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        let mut strangers = 0_u64;
        for line in &self.lines {
            *seen.entry(&line.id).or_default() += 1;
            match effects.get_mut(line.id.as_str()) {
                Some(effects) => *effects += u64::from(line.new),
                None => strangers += 1,
            }
        }
        let total = self.published.len();
        let missing: Vec<&str> =
            effects.keys().copied().filter(|id| !seen.contains_key(id)).collect();
        let twice: Vec<&str> = effects.iter().filter(|(_, n)| **n > 1).map(|(id, _)| *id).collect();
        let mut checks = vec![match self.drained {
            Some(drained) => Check::passed(
                "all acknowledged",
                format!("{total} messages in {drained:.0} s, {:.1} a second", rate(total, drained)),
            ),
            None => {
                let left = self.samples.last().map_or(0, |sample| sample.lag);
                Check::failed(
                    "all acknowledged",
                    format!("{left} of {total} are not"),
                    "the pods' logs are evidence",
                )
            }
        }];
        checks.push(if missing.is_empty() {
            Check::passed("none lost", format!("a result of each of {total} messages"))
        } else {
            let cause = format!("no result of {}: {}", missing.len(), first_few(&missing));
            Check::failed("none lost", cause, "the pods' logs are evidence")
        });
        checks.push(if twice.is_empty() {
            let again = self.lines.iter().filter(|line| !line.new).count();
            Check::passed(
                "once in effect",
                match (self.idempotent, again) {
                    (_, 0) => "no message has two results".to_owned(),
                    (_, again) => format!(
                        "no message has two results; {again} deliveries met one that was there"
                    ),
                },
            )
        } else {
            let cause = format!("{} have more than one result: {}", twice.len(), first_few(&twice));
            let fix = if self.idempotent {
                "the message id is the key of the results; is the table another's?"
            } else {
                "without a database a message that is delivered again is processed again: give \
                    --database"
            };
            Check::failed("once in effect", cause, fix)
        });
        if self.idempotent {
            checks.push(self.a_row_each());
        }
        if strangers > 0 {
            checks.push(Check::failed(
                "no other messages",
                format!("{strangers} results of messages that were not published here"),
                "does somebody else publish to this stream?",
            ));
        }
        let pods: std::collections::BTreeSet<&str> =
            self.lines.iter().map(|line| line.pod.as_str()).collect();
        let again = self.lines.iter().filter(|line| line.delivery > 1).count();
        checks.push(Check::passed(
            "shared by",
            format!("{} pods; {again} results came of a later delivery", pods.len()),
        ));
        report.add("Messages", checks);
    }

    /// Checks the database's rows, beside what the logs say.
    fn a_row_each(&self) -> Check {
        const NAME: &str = "a row each";
        match &self.rows {
            Some(Ok(rows)) => rows.check(NAME, self.published.len() as u64),
            Some(Err(cause)) => {
                Check::failed(NAME, cause.as_str(), "can the pods reach the database?")
            }
            None => Check::skipped(NAME, "the database was not asked"),
        }
    }

    /// Returns what was measured, and every sample, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let samples: Vec<Value> = self
            .samples
            .iter()
            .map(|s| {
                json!({"seconds": (s.seconds * 10.0).round() / 10.0, "lag": s.lag,
                    "replicas": s.replicas, "readyReplicas": s.ready, "claimReady": s.claim_ready})
            })
            .collect();
        json!({
            "messages": self.published.len(),
            "results": self.lines.len(),
            "minReplicas": self.min_replicas, "maxReplicas": self.max_replicas,
            "lagThreshold": self.lag_threshold, "peakReplicas": self.peak(),
            "drainedSeconds": self.drained, "settledSeconds": self.settled,
            "rows": self.rows.as_ref().and_then(|rows| rows.as_ref().ok()).map(Rows::json),
            "samples": samples,
        })
    }
}

fn rate(count: usize, seconds: f64) -> f64 {
    count as f64 / seconds.max(0.1)
}

fn first_few(ids: &[&str]) -> String {
    let mut text = ids.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if ids.len() > 5 {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    fn line(id: &str, new: bool) -> Line {
        Line { pod: "p".into(), id: id.into(), delivery: 1, new }
    }

    fn facts(lines: Vec<Line>, replicas: &[u64]) -> LoadFacts {
        let sample = |(i, replicas): (usize, &u64)| Sample {
            seconds: f64::from(u32::try_from(i).unwrap()),
            lag: if i == 1 { 50 } else { 0 },
            replicas: *replicas,
            ready: *replicas,
            claim_ready: true,
        };
        LoadFacts {
            published: vec!["a".into(), "b".into()],
            lines,
            samples: replicas.iter().enumerate().map(sample).collect(),
            min_replicas: 1,
            max_replicas: 10,
            lag_threshold: 5,
            drained: Some(5.0),
            settled: Some(9.0),
            idempotent: true,
            rows: Some(Ok(Rows {
                rows: 2,
                messages: 2,
                sequences: 2,
                first: 1,
                last: 2,
                deliveries: 1,
            })),
        }
    }

    #[track_caller]
    fn check(facts: &LoadFacts, failed: &[&str]) {
        let mut report = Report::default();
        facts.scaling(&mut report);
        facts.messages(&mut report);
        let found: Vec<_> = report
            .checks()
            .filter(|c| c.status == Status::Failed)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(found, failed);
    }

    #[test]
    fn what_counts_as_lost_and_twice() {
        let good = || vec![line("a", true), line("b", true), line("b", false)];
        check(&facts(good(), &[1, 8, 1]), &[]);
        check(&facts(vec![line("a", true)], &[1, 8, 1]), &["none lost"]);
        check(
            &facts(vec![line("a", true), line("b", true), line("b", true)], &[1, 8, 1]),
            &["once in effect"],
        );
        let strange = vec![line("a", true), line("b", true), line("c", true)];
        check(&facts(strange, &[1, 8, 1]), &["no other messages"]);
        check(
            &LoadFacts { drained: None, ..facts(good(), &[1, 8]) },
            &["scales down", "all acknowledged"],
        );
        let rows = |rows| LoadFacts { rows, ..facts(good(), &[1, 8, 1]) };
        let one = Rows { rows: 1, messages: 1, sequences: 1, first: 1, last: 1, deliveries: 1 };
        check(&rows(Some(Ok(one))), &["a row each"]);
        check(&rows(Some(Err("no answer".into()))), &["a row each"]);
        check(&LoadFacts { idempotent: false, ..rows(None) }, &[]);
        // A result may first be seen by the delivery after a killed pod's.
        check(&facts(vec![line("a", false), line("b", true)], &[1, 8, 1]), &[]);
    }

    #[test]
    fn what_counts_as_scaling() {
        let good = || vec![line("a", true), line("b", true)];
        check(&facts(good(), &[1, 1, 1]), &["scales up", "follows the depth", "pods become ready"]);
        check(&facts(good(), &[1, 3, 1]), &["follows the depth"]);
        check(&facts(good(), &[1, 11, 1]), &["follows the depth"]);
        check(&LoadFacts { settled: None, ..facts(good(), &[1, 10, 1]) }, &["scales down"]);
    }

    #[test]
    fn lines_of_the_log() {
        let text = r#"{"event":"processed","id":"S-1","delivery":2,"new":true,"task":null}"#;
        let expect = Line { pod: "p".into(), id: "S-1".into(), delivery: 2, new: true };
        assert_eq!(Line::parse("p", text), Some(expect));
        for other in ["", "starting", r#"{"level":"INFO"}"#, r#"{"event":"processed"}"#] {
            assert_eq!(Line::parse("p", other), None, "{other}");
        }
    }
}
