//! NATS settings, wherever they are: in KEDA's trigger, in the environment under whatever name, in
//! arguments.

use kube_object::object::Fields;
use serde_json::Value;

use super::variables::{Environment, Origin, Variable, config_value, keys};
use eds_claims::rules::references;
use kube_object::secrets::{masked, user_info};

/// KEDA's trigger for JetStream.
pub(super) const TRIGGER: &str = "nats-jetstream";

/// Variables that the platform sets from `spec.nats`.
pub(super) const OWN: [&str; 3] = ["NATS_URL", "NATS_STREAM_NAME", "NATS_CONSUMER_GROUP"];

/// One setting, and what a person should know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) comment: Option<String>,
    /// Whether it is only a guess.
    pub(super) guess: bool,
}

/// What `spec.nats` says.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: Setting,
    pub(super) stream: Setting,
    pub(super) consumer: Setting,
    pub(super) account: Option<Setting>,
    pub(super) endpoint: Option<Setting>,
}

impl Setting {
    fn known(value: &str) -> Self {
        Self { value: value.to_owned(), comment: None, guess: false }
    }

    fn with(value: &str, comment: String) -> Self {
        Self { value: value.to_owned(), comment: Some(comment), guess: false }
    }

    fn guess(value: String, why: &str) -> Self {
        Self { value, comment: Some(format!("guess: {why}")), guess: true }
    }
}

/// Measures how strongly a container hints at NATS.
pub(super) fn signs<'a>(
    container: &Value,
    config: &impl Fn(&str) -> Option<&'a Value>,
    secret: &impl Fn(&str) -> Option<&'a Value>,
) -> usize {
    let speaks = |name: &str, value: &str| {
        is_server(value) || words(name).iter().any(|word| word == "NATS" || word == "JETSTREAM")
    };
    let named = container.list("/env").filter(|entry| {
        let from = entry.text("/valueFrom/configMapKeyRef/name");
        let key = entry.text("/valueFrom/configMapKeyRef/key");
        let value = config(from).and_then(|config| config_value(config, key));
        speaks(entry.text("/name"), value.unwrap_or(entry.text("/value")))
    });
    let whole = container.list("/envFrom").map(|source| {
        let data =
            config(source.text("/configMapRef/name")).and_then(|c| c.get("data")?.as_object());
        let data = data.into_iter().flatten();
        data.filter(|(key, value)| speaks(key, value.as_str().unwrap_or_default())).count()
    });
    let args = container.list("/args").chain(container.list("/command"));
    let args = args.filter_map(Value::as_str).filter(|arg| {
        let (option, value) = arg.split_once('=').unwrap_or((arg, arg));
        is_server(value) || option.starts_with('-') && speaks(&option.replace('-', "_"), "")
    });
    let secrets = container.list("/envFrom").map(|source| {
        let object = secret(source.text("/secretRef/name"));
        object
            .into_iter()
            .flat_map(|object| keys(object, &["data", "stringData"]))
            .filter(|key| speaks(key, ""))
            .count()
    });
    named.count() + secrets.sum::<usize>() + whole.sum::<usize>() + args.count()
}

fn is_server(value: &str) -> bool {
    ["nats://", "tls://", "ws://", "wss://"].iter().any(|scheme| value.starts_with(scheme))
}

/// Returns the words of a variable's name, in upper case.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_uppercase).collect()
}

/// Gathers what a claim needs to know from everything that mentions it.
pub(super) fn settings(
    name: &str,
    container: &Value,
    environment: &Environment,
    trigger: Option<&Value>,
    autoscaler: Option<&Value>,
    default_url: &str,
) -> Settings {
    // What is in place of a name, but is not one or may not be read.
    let no_name = |kind: Kind| {
        let hidden = environment.hidden.iter().find(|(variable, _)| kind.rank(variable).is_some());
        if let Some((variable, place)) = hidden {
            return Some(format!(
                "{variable} comes from {place}, which is not read here: write its value"
            ));
        }
        let all = environment
            .variables
            .iter()
            .filter(|v| kind.rank(&v.name).is_some_and(|rank| rank < 2));
        let mut all = all.filter_map(|v| Some((v.name.as_str(), v.value()?)));
        let (variable, value) = all.find(|(_, value)| !value.is_empty() && !is_name(value))?;
        Some(format!(
            "{variable} says {value}, which NATS takes for no name; this is the worker's name"
        ))
    };
    let trigger_value = |key: &str| {
        let value = trigger.and_then(|trigger| trigger.get("metadata")?.get(key));
        let value = value.and_then(Value::as_str).filter(|value| !value.is_empty());
        value.or_else(|| measured(autoscaler?, key))
    };
    let stream = choose(Kind::Stream, trigger_value("stream"), container, environment);
    let consumer = choose(Kind::Consumer, trigger_value("consumer"), container, environment);
    let authentication =
        trigger.map(|trigger| trigger.text("/authenticationRef/name")).unwrap_or_default();
    let authenticated = !authentication.is_empty();
    let url = url(container, environment, default_url);
    let over_tls = trigger_value("useHttps") == Some("true");
    let endpoint = trigger_value("natsServerMonitoringEndpoint").map(|endpoint| {
        let other = namespace_of(endpoint).zip(namespace_of(&url.value));
        let scheme = if over_tls { "https://" } else { "" };
        let said = format!("{scheme}{endpoint}");
        match other.filter(|(asked, read)| asked != read) {
            None => Setting::known(&said),
            Some(_) => Setting::with(
                &said,
                format!(
                    "the trigger asks another NATS than the worker reads, {}: see which it is",
                    url.value
                ),
            ),
        }
    });
    Settings {
        url,
        stream: stream.unwrap_or_else(|| {
            let guess = name.to_ascii_uppercase().replace(['-', '.'], "_");
            let why = no_name(Kind::Stream);
            let why = why.as_deref();
            Setting::guess(
                guess,
                why.unwrap_or(
                    "nothing in the manifests names the stream; this is the worker's name",
                ),
            )
        }),
        consumer: consumer.unwrap_or_else(|| {
            let guess = name.replace('.', "-");
            let why = no_name(Kind::Consumer);
            let why = why.as_deref();
            Setting::guess(
                guess,
                why.unwrap_or(
                    "nothing in the manifests names the consumer; this is the worker's name",
                ),
            )
        }),
        account: trigger_value("account").or(authenticated.then_some("$G")).map(|account| {
            match account.to_ascii_uppercase().as_str() {
            "$SYS" => Setting::with(
                "$G",
                "the trigger said $SYS, where NATS has no JetStream: it has never scaled anything"
                    .to_owned(),
            ),
            _ if authenticated && trigger_value("account").is_none() => Setting::guess(
                account.to_owned(),
                &format!("the trigger takes it from TriggerAuthentication {authentication}, which \
                    is not read here"),
            ),
            _ => Setting::known(account),
        }
        }),
        endpoint,
    }
}

/// Returns the namespace in a Service's name, if it has one.
fn namespace_of(server: &str) -> Option<&str> {
    let host = server.split_once("://").map_or(server, |(_, host)| host);
    let host = host.split([':', '/', ',']).next()?;
    let (before, _) =
        host.split_once(".svc").filter(|(_, after)| after.is_empty() || after.starts_with('.'))?;
    before.rsplit_once('.').map(|(_, namespace)| namespace)
}

/// Returns the stream or consumer whose lag an autoscaler measures through a custom metric.
fn measured<'a>(autoscaler: &'a Value, key: &str) -> Option<&'a str> {
    lag_metrics(autoscaler).find_map(|metric| {
        let labels = metric.object("/metric/selector/matchLabels")?;
        let names = [key.to_owned(), format!("{key}_name")];
        names.iter().find_map(|name| labels.get(name)?.as_str())
    })
}

/// Returns the external metrics of an autoscaler that mention NATS.
fn lag_metrics(autoscaler: &Value) -> impl Iterator<Item = &Value> {
    let external = autoscaler.list("/spec/metrics").filter_map(|metric| metric.get("external"));
    external.filter(|metric| {
        let words = words(metric.text("/metric/name"));
        words.iter().any(|word| word == "NATS" || word == "JETSTREAM")
    })
}

/// Returns how many waiting messages per pod a separate autoscaler aims for.
pub(super) fn lag_threshold(autoscaler: &Value) -> Option<i64> {
    lag_metrics(autoscaler).find_map(|metric| metric.text("/target/averageValue").parse().ok())
}

fn url(container: &Value, environment: &Environment, default: &str) -> Setting {
    let own = OWN[0];
    let mut servers: Vec<&Variable> = environment
        .variables
        .iter()
        .filter(|variable| variable.value().is_some_and(is_server))
        .collect();
    servers.sort_by_key(|variable| match variable.name.as_str() {
        name if name == own => 0,
        name if words(name).iter().any(|word| word == "NATS") => 1,
        _ => 2,
    });
    let arguments =
        container.list("/command").chain(container.list("/args")).filter_map(Value::as_str);
    let mut arguments = arguments.map(|arg| arg.split_once('=').map_or(arg, |(_, value)| value));
    let argument = arguments.find(|value| is_server(value));
    let found = servers
        .first()
        .map(|variable| (variable.name.as_str(), variable.value().unwrap_or_default()));
    if let Some((name, value)) = found.or(argument.map(|value| ("an argument", value))) {
        return without_credentials(name, value, environment);
    }
    if let Some(variable) = environment.get(own)
        && matches!(variable.origin, Origin::Secret { .. })
    {
        return Setting::guess(
            default.to_owned(),
            "NATS_URL came from a Secret, and the platform sets it from here: write the server \
                without user and password, and let the worker take these from variables of their \
                own",
        );
    }
    // A host without a scheme, or a host and a port.
    let by_name = |wanted: &[&str]| {
        environment.variables.iter().find_map(|variable| {
            let words = words(&variable.name);
            let last = words.last()?;
            let value = variable.value().filter(|value| !value.is_empty())?;
            let host = !value.contains([' ', '/', '$', '@']);
            (words.iter().any(|word| word == "NATS") && wanted.contains(&last.as_str()) && host)
                .then_some((variable.name.as_str(), value))
        })
    };
    if let Some((_, value)) =
        by_name(&["URL", "URLS", "SERVER", "SERVERS", "ADDRESS", "ADDR", "URI", "BROKER"])
    {
        let servers: Vec<String> =
            value.split(',').map(|server| format!("nats://{}", server.trim())).collect();
        return Setting::known(&servers.join(","));
    }
    if let Some((_, host)) = by_name(&["HOST", "HOSTNAME"]) {
        let port = by_name(&["PORT"]).map_or("4222", |(_, port)| port);
        return Setting::known(&format!("nats://{host}:{port}"));
    }
    let hidden = environment.hidden.iter().find(|(variable, _)| {
        let words = words(variable);
        words.iter().any(|word| word == "NATS")
            && words
                .last()
                .is_some_and(|last| ["URL", "URLS", "SERVER", "SERVERS"].contains(&last.as_str()))
    });
    let said = environment.get(own).and_then(Variable::value).filter(|value| !value.is_empty());
    let why = match (hidden, said) {
        (Some((variable, place)), _) => format!(
            "{variable} comes from {place}, which is not read here: write the server, without user \
                and password"
        ),
        (None, Some(value)) => {
            let value = masked(value).unwrap_or_else(|| value.to_owned());
            format!("NATS_URL says {value}, which is not a NATS server; this is the platform's")
        }
        (None, None) => {
            "nothing in the manifests names the server; this is the platform's".to_owned()
        }
    };
    Setting::guess(default.to_owned(), &why)
}

/// Removes credentials, which do not belong in a claim, unless they are variables that come from
/// Secrets or ConfigMaps: these are resolved in NATS_URL. Other variables come after it, so their
/// values are written.
fn without_credentials(name: &str, value: &str, environment: &Environment) -> Setting {
    let value = &written_out(value, environment);
    let servers: Vec<String> = value
        .split(',')
        .map(|server| match (server.split_once("://"), user_info(server)) {
            (Some((scheme, rest)), Some(user)) if !is_resolved(user, environment) => {
                format!(
                    "{scheme}://{}",
                    rest.strip_prefix(user).unwrap_or(rest).trim_start_matches('@')
                )
            }
            _ => server.trim().to_owned(),
        })
        .collect();
    let plain = servers.join(",");
    if plain == *value {
        return Setting::known(value);
    }
    let comment = format!(
        "{name} also held user and password: let the worker take them from variables of their own, \
            by secretRefs"
    );
    Setting::with(&plain, comment)
}

/// Writes the values of plain variables in place of references to them.
fn written_out(value: &str, environment: &Environment) -> String {
    let mut out = value.to_owned();
    for reference in references(value) {
        let variable = environment.get(reference).filter(|variable| !variable.is_early());
        let known = variable.and_then(Variable::value).filter(|value| !value.contains('$'));
        if let Some(known) = known {
            out = out.replace(&format!("$({reference})"), known);
        }
    }
    out
}

/// Reports whether user and password are variables that come from Secrets or ConfigMaps.
fn is_resolved(user: &str, environment: &Environment) -> bool {
    let early = |part: &str| {
        let name = part.strip_prefix("$(").and_then(|part| part.strip_suffix(')'));
        name.is_some_and(|name| match environment.get(name) {
            Some(variable) => variable.is_early(),
            None => !environment.whole.is_empty() || !environment.configs.is_empty(),
        })
    };
    match user.split_once(':') {
        Some((user, password)) => early(password) && (early(user) || !user.contains('$')),
        None => early(user),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stream,
    Consumer,
}

/// Words in names that hold something else about a stream or a consumer.
const OTHER: [&str; 28] = [
    "DLQ",
    "DEAD",
    "LETTER",
    "RESULT",
    "RESULTS",
    "OUT",
    "OUTPUT",
    "PUBLISH",
    "TARGET",
    "SINK",
    "RETRY",
    "ERROR",
    "ERRORS",
    "SUBJECT",
    "SUBJECTS",
    "URL",
    "MAX",
    "MIN",
    "SIZE",
    "TIMEOUT",
    "ENABLED",
    "REPLICAS",
    "CONCURRENCY",
    "WAIT",
    "BATCH",
    "RESPONSE",
    "POLICY",
    "INTERVAL",
];

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Consumer => "consumer",
        }
    }

    /// Returns how surely a name is this setting's: 0 is the surest.
    fn rank(self, name: &str) -> Option<usize> {
        let words = words(name);
        let has = |word: &str| words.iter().any(|known| known == word);
        if words.iter().any(|word| OTHER.contains(&word.as_str())) {
            return None;
        }
        let last = words.last().map(String::as_str).unwrap_or_default();
        let nats = has("NATS") || has("JETSTREAM") || has("JS");
        match self {
            Self::Stream => match (has("STREAM"), matches!(last, "STREAM" | "NAME")) {
                (true, true) if nats => Some(0),
                (true, true) if words.len() <= 2 => Some(1),
                (true, true) => Some(2),
                _ => None,
            },
            Self::Consumer => {
                let is_consumer = has("CONSUMER") || has("DURABLE");
                let ends = matches!(last, "CONSUMER" | "DURABLE" | "NAME" | "GROUP");
                match (is_consumer, ends) {
                    (true, true) if nats => Some(0),
                    (true, true) if words.len() <= 2 => Some(1),
                    (true, true) => Some(2),
                    _ if has("QUEUE") && last == "GROUP" => Some(3),
                    _ => None,
                }
            }
        }
    }
}

/// Reports whether NATS accepts it as a name.
fn is_name(value: &str) -> bool {
    let bad = |c: char| c <= ' ' || ".*>/\\$\u{7f}".contains(c);
    !value.is_empty()
        && !value.contains(bad)
        && value.parse::<f64>().is_err()
        && !matches!(value, "true" | "false")
}

/// Chooses between the trigger, which names what is scaled on, and the worker's own settings, which
/// name what is read.
fn choose(
    kind: Kind,
    said: Option<&str>,
    container: &Value,
    environment: &Environment,
) -> Option<Setting> {
    let mut own: Vec<(usize, String, String)> = environment
        .variables
        .iter()
        .filter_map(|variable| {
            let value = variable.value().filter(|value| is_name(value))?;
            Some((kind.rank(&variable.name)?, variable.name.clone(), value.to_owned()))
        })
        .collect();
    let args: Vec<&str> = container
        .list("/command")
        .chain(container.list("/args"))
        .filter_map(Value::as_str)
        .collect();
    for (i, arg) in args.iter().enumerate().filter(|(_, arg)| arg.starts_with('-')) {
        let (option, value) = match arg.split_once('=') {
            Some((option, value)) => (option, value),
            None => (*arg, args.get(i + 1).copied().unwrap_or_default()),
        };
        if let Some(rank) = kind.rank(option).filter(|_| is_name(value) && !value.starts_with('-'))
        {
            own.push((rank.min(1), option.to_owned(), value.to_owned()));
        }
    }
    // Of two equally sure ones, prefer the platform's own name.
    own.sort_by_key(|(rank, name, _)| (*rank, !OWN.contains(&name.as_str())));
    let what = kind.word();
    match (said, own.first()) {
        (Some(said), _) if own.iter().any(|(_, _, value)| value == said) => {
            let differs =
                own.iter().find(|(_, name, value)| OWN.contains(&name.as_str()) && value != said);
            Some(match differs {
                None => Setting::known(said),
                Some((_, name, value)) => Setting::with(
                    said,
                    format!(
                        "the worker had {name}={value}, which the platform sets to this {what}"
                    ),
                ),
            })
        }
        (Some(said), Some((rank, name, value))) if *rank <= 1 => Some(Setting::with(
            value,
            format!(
                "the trigger says {said}, but the worker's {name} says {value}: the worker reads \
                    {value}, so its lag is what should scale it"
            ),
        )),
        (Some(said), Some((_, name, value))) => Some(Setting::with(
            said,
            format!(
                "from the trigger; the worker's {name} says {value}: is that the {what} it reads?"
            ),
        )),
        (Some(said), None) => Some(Setting::known(said)),
        (None, Some((0, _, value))) => {
            let other = own.iter().find(|(rank, _, other)| *rank == 0 && other != value);
            Some(match other {
                None => Setting::known(value),
                Some((_, name, other)) => Setting::with(
                    value,
                    format!(
                        "the worker's {name} says {other}: is that another {what} that it reads?"
                    ),
                ),
            })
        }
        (None, Some((_, name, value))) => Some(Setting::guess(
            value.clone(),
            &format!("from {name}; is that the {what} it reads?"),
        )),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Namespace;
    use super::super::workers::Index;
    use super::*;

    /// Expects what is found, with `?` after a guess and `!` after what a person should look at.
    #[track_caller]
    fn check(env: &[(&str, &str)], args: &[&str], trigger: [&str; 2], expected: [&str; 3]) {
        let env: Vec<Value> =
            env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let container = json!({"env": env, "args": args});
        let index = Index::new(&[], "shop");
        let namespace = Namespace { index: &index, name: "shop", claim: "orders" };
        let environment = Environment::of(&container, &namespace, &|_| true);
        let metadata = json!({"metadata": {"stream": trigger[0], "consumer": trigger[1]}});
        let trigger = (trigger != ["", ""]).then_some(&metadata);
        let found = settings("orders", &container, &environment, trigger, None, "nats://default");
        let said = [found.url, found.stream, found.consumer].map(|setting| {
            let mark = match (setting.guess, setting.comment) {
                (true, _) => "?",
                (false, Some(_)) => "!",
                (false, None) => "",
            };
            format!("{}{mark}", setting.value)
        });
        assert_eq!(said, expected, "{env:?} {args:?}");
    }

    #[test]
    fn whatever_the_variables_are_called() {
        let none = ["", ""];
        let default = "nats://default?";
        check(&[], &[], none, [default, "ORDERS?", "orders?"]);
        check(&[], &[], ["S", "c"], [default, "S", "c"]);
        // The server, by its value and by its name.
        check(
            &[("BROKER", "nats://a:4222,nats://b:4222")],
            &[],
            ["S", "c"],
            ["nats://a:4222,nats://b:4222", "S", "c"],
        );
        check(
            &[("NATS_SERVERS", "a:4222,b:4222")],
            &[],
            ["S", "c"],
            ["nats://a:4222,nats://b:4222", "S", "c"],
        );
        check(
            &[("NATS_HOST", "a"), ("NATS_PORT", "4333")],
            &[],
            ["S", "c"],
            ["nats://a:4333", "S", "c"],
        );
        check(
            &[("X", "nats://x"), ("NATS_URL", "nats://own")],
            &[],
            ["S", "c"],
            ["nats://own", "S", "c"],
        );
        check(&[("NATS_URL", "nats://u:p@a")], &[], ["S", "c"], ["nats://a!", "S", "c"]);
        check(&[("NATS_URL", "http://a:8222")], &[], ["S", "c"], [default, "S", "c"]);
        // Stream and consumer.
        check(&[("NATS_STREAM", "S"), ("NATS_DURABLE_NAME", "c")], &[], none, [default, "S", "c"]);
        check(&[("STREAM", "S"), ("CONSUMER", "c")], &[], none, [default, "S?", "c?"]);
        check(
            &[("ORDERS_STREAM_NAME", "S"), ("QUEUE_GROUP", "c")],
            &[],
            none,
            [default, "S?", "c?"],
        );
        check(
            &[],
            &["--nats-url=nats://a", "--stream", "S", "--durable=c"],
            none,
            ["nats://a", "S?", "c?"],
        );
        // What is something else about a stream or a consumer.
        check(
            &[
                ("NATS_STREAM_REPLICAS", "3"),
                ("DLQ_STREAM", "D"),
                ("CONSUMER_TIMEOUT", "5s"),
                ("NATS_STREAM_SUBJECT", "s"),
            ],
            &[],
            none,
            [default, "ORDERS?", "orders?"],
        );
        check(
            &[("NATS_STREAM", "a.b"), ("NATS_CONSUMER", "$(POD)")],
            &[],
            none,
            [default, "ORDERS?", "orders?"],
        );
    }

    #[test]
    fn where_trigger_and_worker_disagree() {
        let default = "nats://default?";
        // The worker reads what its own variable says.
        check(&[("NATS_STREAM_NAME", "NEW")], &[], ["OLD", "c"], [default, "NEW!", "c"]);
        check(&[("NATS_CONSUMER", "new")], &[], ["S", "old"], [default, "S", "new!"]);
        // A name that says little raises a question; it is not believed.
        check(&[("ARCHIVE_STREAM_NAME", "A")], &[], ["S", "c"], [default, "S!", "c"]);
        // Any match is enough; one that the platform will set differently is reported.
        check(
            &[("NATS_CONSUMER", "c"), ("NATS_STREAM", "S")],
            &[],
            ["S", "c"],
            [default, "S", "c"],
        );
        // Two variables of one worker.
        check(
            &[("NATS_STREAM", "OTHER"), ("NATS_STREAM_NAME", "S"), ("NATS_CONSUMER_GROUP", "c")],
            &[],
            ["", ""],
            [default, "S!", "c"],
        );
        check(
            &[("NATS_CONSUMER", "c"), ("NATS_CONSUMER_GROUP", "other")],
            &[],
            ["S", "c"],
            [default, "S", "c!"],
        );
    }
}
