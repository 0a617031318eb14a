//! `spec.scaling`: numbers, the autoscaler's behavior, times of day, a fallback and a pause.

use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use super::claim::{Definition, Told};
use super::write::{Item, Tree};
use super::{Platform, nats};

/// KEDA's annotations for a pause; the one with a number counts more.
const PAUSED: [&str; 2] = ["autoscaling.keda.sh/paused-replicas", "autoscaling.keda.sh/paused"];

/// Reads a whole number, even if it is written as text.
pub(super) fn whole(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

/// Rounds a figure up to a whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a figure that is too large becomes the largest there is"
)]
fn nearest(written: &str) -> Option<i64> {
    written
        .parse::<f64>()
        .ok()
        .filter(|figure| figure.is_finite())
        .map(|figure| figure.ceil() as i64)
}

/// Writes `spec.scaling`.
pub(super) fn scaling(
    workload: &Value,
    scaler: Option<&Value>,
    autoscaler: Option<&Value>,
    trigger: Option<&Value>,
    platform: &Platform<'_>,
    told: &mut Told,
) -> Vec<Item> {
    let definition = &Definition(platform.api.definition.schema());
    let replicas = whole(workload.at("/spec/replicas")).unwrap_or(1);
    let number = |object: Option<&Value>, at: &str| whole(object.and_then(|object| object.at(at)));
    let stopped = scaler.is_none() && autoscaler.is_none() && replicas == 0;
    let (min, max, comment) = match (scaler, autoscaler) {
        // KEDA's own defaults.
        (Some(_), _) => (
            number(scaler, "/spec/minReplicaCount").unwrap_or(0),
            number(scaler, "/spec/maxReplicaCount").unwrap_or(100),
            None,
        ),
        (None, Some(_)) => (
            number(autoscaler, "/spec/minReplicas").unwrap_or(1),
            number(autoscaler, "/spec/maxReplicas").unwrap_or(replicas.max(1)),
            Some("the HorizontalPodAutoscaler's; it is the lag that scales now".to_owned()),
        ),
        (None, None) if stopped => (
            0,
            1,
            Some(
                "guess: the Deployment was stopped (replicas: 0); this starts a pod when messages \
                    wait"
                    .to_owned(),
            ),
        ),
        (None, None) => (
            replicas,
            replicas,
            Some(
                "nothing scaled the Deployment, so nothing does here; raise maxReplicas to let the \
                    lag do it"
                    .to_owned(),
            ),
        ),
    };
    if stopped {
        told.guess("spec.scaling.minReplicas", &min.to_string(), comment.as_deref());
    }
    let max = max.max(min).max(1);
    // KEDA's own defaults are 10 and 0.
    let metadata = |key: &str, default: i64| {
        let written = trigger.and_then(|trigger| trigger.get("metadata")?.get(key));
        match (written, whole(written)) {
            (None, _) => (default, None, false),
            (_, Some(value)) => (value, None, false),
            (Some(written), None) => {
                let written = written.as_str().map_or_else(|| written.to_string(), str::to_owned);
                let nearest = nearest(&written).unwrap_or(default);
                let why =
                    format!("guess: the trigger says {written}, and KEDA takes whole numbers only");
                (nearest, Some(why), true)
            }
        }
    };
    let mut items = Vec::new();
    let mut say = |key: &str, written: i64, comment: Option<String>, guess: bool| {
        let (least, most) = definition.bounds(&format!("scaling.{key}"));
        let value = written.max(least).min(most);
        let comment = match value == written {
            true => comment,
            false => {
                Some(format!("the manifests say {written}; this is the nearest that a claim takes"))
            }
        };
        let path = format!("spec.scaling.{key}");
        if value != written || guess {
            told.guess(&path, &value.to_string(), comment.as_deref());
        }
        let usual = definition.default(&format!("scaling.{key}")).and_then(Value::as_i64);
        if usual != Some(value) || comment.is_some() {
            items.push(Item::scalar(key, value, comment));
        }
    };
    say("minReplicas", min, comment, false);
    say("maxReplicas", max, None, false);
    if trigger.is_some() {
        for (key, default) in [("lagThreshold", 10), ("activationLagThreshold", 0)] {
            let (value, comment, guess) = metadata(key, default);
            say(key, value, comment, guess);
        }
    }
    if let (None, Some(threshold)) = (trigger, autoscaler.and_then(nats::lag_threshold)) {
        say(
            "lagThreshold",
            threshold,
            Some("as the HorizontalPodAutoscaler's metric of NATS had it".to_owned()),
            false,
        );
    }
    for (key, at) in
        [("pollingInterval", "/spec/pollingInterval"), ("cooldownPeriod", "/spec/cooldownPeriod")]
    {
        if let Some(value) = number(scaler, at) {
            say(key, value, None, false);
        }
    }
    let max = max.min(definition.bounds("scaling.maxReplicas").1);
    items.extend(more(scaler, autoscaler, max, platform, told));
    items
}

/// Writes what has no default: behavior, times of day, fallback, pause.
fn more(
    scaler: Option<&Value>,
    autoscaler: Option<&Value>,
    max: i64,
    platform: &Platform<'_>,
    told: &mut Told,
) -> Vec<Item> {
    let mut items = Vec::new();
    let behavior = match scaler {
        Some(scaler) => scaler.at("/spec/advanced/horizontalPodAutoscalerConfig/behavior"),
        None => autoscaler.and_then(|autoscaler| autoscaler.at("/spec/behavior")),
    };
    let behavior = behavior.map(|written| taken_behavior(written, platform)).unwrap_or_default();
    if !behavior.is_empty() {
        items.push(Item::scalar("behavior", Value::Object(behavior), None));
    }
    let Some(scaler) = scaler else { return items };
    let crons = crons(scaler, max, platform, told);
    if !crons.is_empty() {
        items.push(Item::field("cron", Tree::List(crons), None));
    }
    if let Some(fallback) = scaler.at("/spec/fallback") {
        let kept = ["failureThreshold", "replicas"].into_iter();
        let kept = kept.filter_map(|key| Some((key.to_owned(), json!(whole(fallback.get(key))?))));
        let value = Value::Object(kept.collect());
        match platform.refuses("scaling.fallback", &value) {
            None => items.push(Item::scalar("fallback", value, None)),
            Some(why) => told.notes.push(format!("fallback is not in the claim: {why}")),
        }
    }
    let [replicas, paused] = PAUSED.map(|key| scaler.annotation(key));
    let number = replicas.and_then(|text| text.parse::<i64>().ok());
    if number.is_some() || paused.is_some_and(|text| !is_off(text)) {
        items.push(Item::scalar("paused", true, None));
        told.notes.push(
            "KEDA is paused by an annotation, and will be by the claim: take spec.scaling.paused \
                out when it is to scale"
                .to_owned(),
        );
    }
    if let Some(number) = number {
        let (least, most) =
            Definition(platform.api.definition.schema()).bounds("scaling.pausedReplicas");
        items.push(Item::scalar("pausedReplicas", number.max(least).min(most), None));
    }
    items
}

/// Reports whether an annotation of KEDA's turns a pause off.
pub(super) fn is_off(text: &str) -> bool {
    ["0", "f", "F", "false", "False", "FALSE"].contains(&text)
}

/// Returns what a claim takes of an autoscaler's behavior.
fn taken_behavior(written: &Value, platform: &Platform<'_>) -> Map<String, Value> {
    let mut behavior = Map::new();
    for direction in ["scaleUp", "scaleDown"] {
        let rules = written.get(direction).and_then(Value::as_object);
        let taken = rules.into_iter().flatten().filter(|(key, value)| {
            let rule = json!({key.as_str(): (*value).clone()});
            platform.takes("scaling.behavior", &json!({direction: rule}))
        });
        let taken: Map<String, Value> =
            taken.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !taken.is_empty() {
            behavior.insert(direction.to_owned(), Value::Object(taken));
        }
    }
    behavior
}

/// Writes the entries of `spec.scaling.cron`.
fn crons(scaler: &Value, max: i64, platform: &Platform<'_>, told: &mut Told) -> Vec<Item> {
    let most = Definition(platform.api.definition.schema()).most("scaling.cron");
    let mut items = Vec::new();
    for trigger in scaler.list("/spec/triggers").filter(|t| t.text("/type") == "cron") {
        let text = |key: &str| trigger.text(&format!("/metadata/{key}"));
        let Some(wanted) = whole(trigger.at("/metadata/desiredReplicas")) else { continue };
        let replicas = wanted.min(max);
        let entry = json!({"timezone": text("timezone"), "start": text("start"),
            "end": text("end"), "replicas": replicas});
        let refused =
            platform.refuses("scaling", &json!({"maxReplicas": max, "cron": [entry.clone()]}));
        let full = (items.len() == most).then(|| format!("a claim takes at most {most}"));
        if let Some(why) = refused.or(full) {
            told.notes.push(format!(
                "the cron trigger from {} to {} is not in the claim: {why}",
                text("start"),
                text("end")
            ));
            continue;
        }
        let comment = (replicas != wanted)
            .then(|| format!("the trigger says {wanted}, but KEDA goes no higher than {max}"));
        items.push(Item::listed(Tree::Inline(entry), comment));
    }
    items
}
