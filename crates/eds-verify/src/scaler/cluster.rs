//! Several servers: does KEDA find the one that leads the consumer?
//!
//! KEDA 2.21 takes the servers from `/varz` of whichever one answers: the advertised addresses or,
//! if there are none, the hosts of the configured routes, of which it takes the first label as the
//! server's name. It asks them in that order until one says that it leads, and gives up at the first
//! that does not answer (`getNATSJetstreamMonitoringData`). Once it has found the leader it asks that
//! one alone, until it fails or no longer leads.

use kube_object::object::Fields;
use serde_json::Value;

use super::super::Check;
use super::{ScalerFacts, is_https, reads_the_lag, trigger};

/// Compares the claim's JetStream domain with that of the servers that KEDA asks.
pub(super) fn domain(facts: &ScalerFacts, answer: &Value) -> Option<Check> {
    const NAME: &str = "JetStream domain";
    let wanted = facts.claim.text("/spec/nats/domain");
    if wanted.is_empty() {
        return None;
    }
    let found = answer.text("/config/domain");
    if found == wanted {
        return Some(Check::passed(NAME, wanted));
    }
    let found = if found.is_empty() { "no domain" } else { found };
    Some(Check::failed(
        NAME,
        format!(
            "the claim's consumer is in domain {wanted}, the servers that KEDA asks are of \
                {found}: it reads another JetStream's lag, or none"
        ),
        format!("name the servers of domain {wanted} in spec.nats.monitoringEndpoint"),
    ))
}

/// Reports that no server says that it leads, and why.
pub(super) fn no_leader(facts: &ScalerFacts, consumer: &Value, servers: i64) -> Check {
    const NAME: &str = "leader";
    let name = consumer.text("/name");
    let silent: Vec<String> = facts.nodes.iter().filter_map(why_silent).collect();
    let nodes: Vec<&str> = facts.nodes.iter().map(|node| node.text("/node")).collect();
    let leader = consumer.text("/cluster/leader");
    if leader.is_empty() && consumer.get("cluster").is_some() {
        let silent = match silent.as_slice() {
            [] => String::new(),
            silent => format!("; {}", silent.join("; ")),
        };
        return Check::failed(
            NAME,
            format!("consumer {name} has no leader: most of its servers must be up{silent}"),
            "bring the servers up again: nats stream report, kubectl -n nats get pods",
        );
    }
    if !leader.is_empty() && !nodes.contains(&leader) && !nodes.is_empty() {
        return Check::failed(
            NAME,
            format!(
                "the leader of consumer {name} calls itself {leader}; KEDA knows the servers as \
                    {}, the first labels of their routes, and finds no leader",
                nodes.join(", ")
            ),
            "give each server its pod's name as server_name, and routes by the pods' names under \
             the headless Service",
        );
    }
    if silent.is_empty() {
        return Check::failed(
            NAME,
            format!("none of the {servers} servers says that it leads the consumer {name}"),
            "has the stream lost its quorum? nats stream report; and each server must be reachable \
             by its name under the headless Service",
        );
    }
    Check::failed(
        NAME,
        format!(
            "the leader of consumer {name} is {leader}, and KEDA cannot ask it: {}",
            silent.join("; ")
        ),
        "bring that server up again; if it stays away, the others choose another leader",
    )
}

fn why_silent(node: &Value) -> Option<String> {
    let why = node.text("/silent");
    (!why.is_empty()).then(|| format!("{} does not answer: {why}", node.text("/node")))
}

/// Reports servers that do not answer: KEDA gives up at the first, if that is before the leader.
pub(super) fn silent(facts: &ScalerFacts, scaled_object: &Value, leader: &str) -> Vec<Check> {
    const NAME: &str = "servers";
    let mut checks = Vec::new();
    let order: Vec<&str> = facts.nodes.iter().map(|node| node.text("/node")).collect();
    let leads = order.iter().position(|node| *node == leader).unwrap_or(order.len());
    let silent = facts.nodes.iter().enumerate();
    let silent: Vec<(usize, String)> =
        silent.filter_map(|(i, node)| Some((i, why_silent(node)?))).collect();
    let said: Vec<&str> = silent.iter().map(|(_, why)| why.as_str()).collect();
    let said = said.join("; ");
    let fix = "bring it up again; spec.scaling.fallback says how many replicas run while KEDA \
        cannot read the lag";
    match silent.first() {
        None => {}
        Some((first, _)) if *first < leads => {
            let cause = format!(
                "{said}. KEDA asks {} in this order and gives up at the first that does not \
                    answer: it finds the leader {leader} only if it knew it before",
                order.join(", ")
            );
            checks.push(match reads_the_lag(facts, scaled_object) {
                true => Check::warning(NAME, cause, fix),
                false => Check::failed(NAME, cause, fix),
            });
        }
        Some(_) => {
            let cause = format!("{said}. KEDA finds the leader {leader} before it asks that one");
            checks.push(Check::warning(NAME, cause, fix));
        }
    }
    let hosts = facts.nodes.iter().filter(|n| n.get("advertised") == Some(&Value::Bool(true)));
    let hosts: Vec<&str> = hosts.map(|node| node.text("/host")).collect();
    if !hosts.is_empty() && is_https(trigger(scaled_object)) {
        let cause = format!(
            "the servers advertise {}, and KEDA asks them by that over https: their certificates \
                must name it",
            hosts.join(", ")
        );
        let fix = "set cluster.no_advertise: true in NATS's configuration: KEDA then asks by the \
            names under the headless Service";
        checks.push(Check::warning("advertised addresses", cause, fix));
    }
    checks
}
