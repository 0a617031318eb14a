//! `spec.health`, from a container's probes, its ports and the Service.

use kube_object::object::Fields;
use serde_json::{Map, Value, json};

use super::Platform;
use super::pods::holds_secret;
use kube_object::secrets::secret_value;

/// What the platform's own liveness check waits for before it first asks.
const FIRST_LOOK: i64 = 10;

/// What `spec.health` says, and what a person should know about it.
#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) fields: Map<String, Value>,
    pub(super) comment: Option<String>,
    /// Whether the comment says what is only assumed.
    pub(super) guess: bool,
}

/// A check over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Http<'a> {
    port: i64,
    path: &'a str,
}

/// Returns what a probe asks over plain HTTP.
fn http<'a>(container: &'a Value, probe: &str) -> Option<Http<'a>> {
    let get = container.at(&format!("/{probe}/httpGet")).filter(|get| get.is_object())?;
    if get.text("/scheme").eq_ignore_ascii_case("https") || !get.text("/host").is_empty() {
        return None;
    }
    let port = number(container, get.get("port")?)?;
    let path = get.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
    Some(Http { port, path: without_secret(path.unwrap_or("/")) })
}

/// Leaves out a path's query if there is a secret in it, and the path if there is one left.
fn without_secret(path: &str) -> &str {
    let holds = |path: &&str| secret_value(path).is_none();
    let bare = path.split('?').next().unwrap_or_default();
    [path, bare].into_iter().find(holds).unwrap_or("/")
}

/// Resolves a port that the container names.
fn number(container: &Value, port: &Value) -> Option<i64> {
    let Some(name) = port.as_str() else { return port.as_i64() };
    let mut ports = container.list("/ports");
    let named = ports.find(|port| port.text("/name") == name);
    named.and_then(|port| port.integer("/containerPort")).or_else(|| name.parse().ok())
}

/// Returns the command that a probe runs; a secret in it does not belong in a claim, and Kubernetes
/// puts no variables in its place.
fn command(container: &Value, probe: &str) -> Option<Value> {
    let command = container.at(&format!("/{probe}/exec/command")).filter(|c| c.is_array());
    command.filter(|command| !holds_secret(command)).cloned()
}

/// Reports whether a port is for something other than the worker's HTTP server.
fn is_other(name: &str, protocol: &str) -> bool {
    const OTHER: [&str; 7] = ["metrics", "prom", "grpc", "debug", "pprof", "admin", "tcp"];
    OTHER.iter().any(|other| name.contains(other)) || !matches!(protocol, "" | "TCP")
}

/// Returns the port that others call the worker by, where no probe names one.
fn served(container: &Value, service: Option<&Value>) -> Option<i64> {
    let ports = service.into_iter().flat_map(|service| service.list("/spec/ports"));
    let mut ports = ports.filter(|port| !is_other(port.text("/name"), port.text("/protocol")));
    let called = ports.find_map(|port| {
        let target = port.get("targetPort").or_else(|| port.get("port"))?;
        number(container, target)
    });
    let mut own = container.list("/ports").filter(|port| {
        let name = port.text("/name");
        !is_other(name, port.text("/protocol"))
            && (name.contains("http") || name.contains("health") || name == "web")
            || port.integer("/containerPort") == Some(8080)
    });
    called.or_else(|| own.next()?.integer("/containerPort"))
}

/// Reads the probes. Their figures are the platform's.
pub(super) fn of(container: &Value, service: Option<&Value>, platform: &Platform<'_>) -> Health {
    let [live, ready, start] =
        ["livenessProbe", "readinessProbe", "startupProbe"].map(|probe| http(container, probe));
    let mut health = Health::default();
    let asked = live.or(ready).or(start);
    let commands = ["livenessProbe", "readinessProbe"].map(|probe| command(container, probe));
    let probed = ["livenessProbe", "readinessProbe", "startupProbe"]
        .iter()
        .any(|probe| container.get(*probe).is_some_and(Value::is_object));
    if let Some(asked) = asked {
        over_http(&mut health, container, [live, ready, start], asked);
    } else if let Some(port) = served(container, service).filter(|_| !probed) {
        if port != 8080 {
            health.fields.insert("port".to_owned(), json!(port));
        }
        health.guess = true;
        health.comment = Some(format!(
            "guess: the manifests have no probes, and the platform asks /health and /ready on port \
                {port}: write the paths that answer there, or http: false"
        ));
    } else {
        health.fields.insert("http".to_owned(), json!(false));
        for (key, command) in ["livenessCommand", "readinessCommand"].into_iter().zip(commands) {
            let command = command.map(|command| (key.to_owned(), command));
            health.fields.extend(command.filter(|(key, command)| {
                platform.takes("health", &json!({"http": false, key.clone(): command.clone()}))
            }));
        }
        if health.fields.len() == 1 {
            let why = match probed {
                true => {
                    "the manifest's probes ask neither over HTTP nor by a command that a claim \
                        takes"
                }
                false => "nothing in the manifests asks the worker over HTTP",
            };
            health.comment = Some(why.to_owned());
        }
        let commands = ["livenessProbe", "readinessProbe"]
            .map(|probe| container.at(&format!("/{probe}/exec/command")));
        if commands.into_iter().flatten().any(holds_secret) {
            let why = "a probe's command holds a secret as plain text, and is not here: Kubernetes \
                resolves no variable in it, so let the command read it itself";
            health.comment = Some(why.to_owned());
        }
    }
    if let Some(seconds) = startup(container) {
        let most = platform
            .api
            .definition
            .schema()
            .integer("/properties/spec/properties/health/properties/startupSeconds/maximum");
        let mut with = health.fields.clone();
        with.insert("startupSeconds".to_owned(), json!(seconds.min(most.unwrap_or(seconds))));
        if platform.takes("health", &Value::Object(with.clone())) {
            health.fields = with;
        }
    }
    health
}

/// Says port and paths where they are not the platform's.
fn over_http(
    health: &mut Health,
    container: &Value,
    probes: [Option<Http<'_>>; 3],
    asked: Http<'_>,
) {
    let [live, ready, start] = probes;
    let same = |probe: &&Http<'_>| probe.port == asked.port;
    let ready_path = ready.as_ref().filter(same).map(|probe| probe.path);
    let live_path = live.as_ref().filter(same).map(|probe| probe.path);
    let start_path = start.as_ref().filter(same).map(|probe| probe.path);
    // What answers for sure is better than a path that nobody has ever asked.
    let liveness = live_path.or(start_path).or(ready_path).unwrap_or(asked.path);
    let readiness = ready_path.or(live_path).or(start_path).unwrap_or(asked.path);
    for (key, differs, value) in [
        ("port", asked.port != 8080, json!(asked.port)),
        ("livenessPath", liveness != "/health", json!(liveness)),
        ("readinessPath", readiness != "/ready", json!(readiness)),
    ] {
        if differs {
            health.fields.insert(key.to_owned(), value);
        }
    }
    let missing = match (live, ready) {
        (None, Some(_)) if start.is_none() => Some("liveness"),
        (Some(_), None) => Some("readiness"),
        _ => None,
    };
    if let Some(missing) = missing {
        health.guess = true;
        health.comment = Some(format!(
            "guess: the manifest has no {missing} check over HTTP, and the platform makes one of \
                the path that it does ask: see that this suits"
        ));
    }
    let hid = ["livenessProbe", "readinessProbe", "startupProbe"]
        .iter()
        .any(|probe| secret_value(container.text(&format!("/{probe}/httpGet/path"))).is_some());
    if hid {
        health.guess = true;
        health.comment = Some(
            "guess: a path that was asked holds a secret as plain text, and is here without it: \
                let the worker answer this one"
                .to_owned(),
        );
    }
    if let (Some(live), Some(ready)) = (live, ready)
        && live.port != ready.port
    {
        health.guess = true;
        health.comment = Some(format!(
            "guess: readiness was asked on port {}, and a claim has one port for both: see that {} \
                answers there",
            ready.port, readiness
        ));
    }
}

/// Returns how long the container may take to start: by its startup probe or, without one, by a
/// liveness probe that begins later than the platform's.
fn startup(container: &Value) -> Option<i64> {
    let waits = |probe: &Value| {
        let figure = |key: &str, default: i64| {
            probe.get(key).and_then(Value::as_i64).filter(|n| *n > 0).unwrap_or(default)
        };
        let (looks, period) = (figure("failureThreshold", 3), figure("periodSeconds", 10));
        let first = figure("initialDelaySeconds", 0);
        // The platform's own first look is at once, so it has one more than fit.
        let own = (period, figure("timeoutSeconds", 1), first) == (5, 5, 0);
        (looks - i64::from(own)).saturating_mul(period).saturating_add(first)
    };
    let probe = |name: &str| container.get(name).filter(|probe| probe.is_object());
    let late = |probe: &&Value| probe.integer("/initialDelaySeconds").unwrap_or(0) > FIRST_LOOK;
    probe("startupProbe").or_else(|| probe("livenessProbe").filter(late)).map(waits)
}
