//! What to do about Kubernetes' messages: from a message to the fix for its cause.
//!
//! The messages are those of Kubernetes 1.34, containerd and runc, with one table for each place
//! they come from. The first entry whose words are all in the message wins, so a more specific
//! cause is above a more general one.

/// Words in a message, and the fix. All words of one alternative must occur, in lower case.
type Table = [(&'static [&'static str], &'static str)];

fn look_up(table: &Table, message: &str, otherwise: &'static str) -> &'static str {
    let message = message.to_lowercase();
    let found = table.iter().find(|(words, _)| words.iter().any(|w| message.contains(w)));
    found.map_or(otherwise, |(_, fix)| fix)
}

/// Explains why an image cannot be pulled (`pkg/kubelet/images`, containerd's resolver).
pub(super) fn pull(message: &str) -> &'static str {
    look_up(
        &[
            (
                &["no match for platform", "no matching manifest", "no child with platform"],
                "the image is not built for the nodes' platform: build it for that (kubectl get \
                    nodes -L kubernetes.io/arch names it; docker buildx build --platform \
                    linux/amd64,…)",
            ),
            (
                &["toomanyrequests", "rate limit", "429 too many"],
                "the registry limits how often it is asked: log in with spec.imagePullSecrets, or \
                 use a mirror",
            ),
            (
                &["x509", "certificate"],
                "the node does not trust the registry's certificate: a platform engineer adds its \
                    CA to the nodes' container runtime",
            ),
            (
                &["server gave http response to https client"],
                "the registry speaks plain HTTP: a platform engineer must allow that in the nodes' \
                 container runtime, or use a registry with TLS",
            ),
            (
                &["no space left on device"],
                "the node's disk is full: a platform engineer makes room, or adds a node",
            ),
            (
                // Docker Hub says this about what does not exist, and about what is private.
                &["pull access denied", "insufficient_scope"],
                "the registry has no such image, or it is private: is spec.image spelled right? A \
                 private one needs spec.imagePullSecrets",
            ),
            (
                &[
                    "unauthorized",
                    "401",
                    "403 forbidden",
                    "denied",
                    "authorization failed",
                    "authentication required",
                    "no basic auth credentials",
                ],
                "the registry wants a login: name a Secret of type kubernetes.io/dockerconfigjson \
                    with the registry's host in spec.imagePullSecrets, and check its password",
            ),
            (
                &[
                    "no such host",
                    "i/o timeout",
                    "connection refused",
                    "connection reset",
                    "tls handshake timeout",
                    "network is unreachable",
                    "no route to host",
                    "deadline exceeded",
                    "500 internal",
                    "502 bad gateway",
                    "503 service",
                    "504 gateway",
                    "registryunavailable",
                ],
                "the nodes do not reach the registry: is its host in spec.image spelled right, is \
                    it up, and may the nodes reach it?",
            ),
            (
                &["not found", "manifest unknown", "name unknown", "404"],
                "the registry has no such image or tag: is spec.image spelled right, and pushed?",
            ),
            (
                &["invalid reference format", "couldn't parse image", "invalid image name"],
                "spec.image is not an image reference: correct it, as in \
                    registry.example.com/team/name:1.0",
            ),
        ],
        message,
        "is spec.image spelled right, and pushed? A private registry needs spec.imagePullSecrets",
    )
}

/// Explains why a pod cannot even be created (the API server's admission).
pub(super) fn creation(message: &str) -> &'static str {
    look_up(
        &[
            (
                &["exceeded quota"],
                "raise the namespace's ResourceQuota, or choose a smaller spec.size or fewer \
                 spec.scaling.maxReplicas",
            ),
            (
                &["failed quota"],
                "the namespace's ResourceQuota wants a figure that pods of this API do not have: \
                    take that resource out of the quota, or give it a default in a LimitRange",
            ),
            (
                &["insufficient quota"],
                "no ResourceQuota of the namespace covers such pods: add one",
            ),
            (
                &["limit to request ratio"],
                "the namespace's LimitRange allows less between request and limit than the four \
                    times of every spec.size: raise its maxLimitRequestRatio to 4",
            ),
            (
                &["maximum cpu usage", "maximum memory usage", "maximum ephemeral-storage usage"],
                "the namespace's LimitRange allows no container of this size: choose a smaller \
                 spec.size, or raise its max (kubectl get limitrange -o yaml)",
            ),
            (
                &["minimum cpu usage", "minimum memory usage", "minimum ephemeral-storage usage"],
                "the namespace's LimitRange wants larger containers: choose a larger spec.size, or \
                 lower its min (kubectl get limitrange -o yaml)",
            ),
            (
                &["violates podsecurity"],
                "the pods of this API pass Pod Security restricted: something changes them on \
                    their way (a mutating webhook that injects a container?), or the namespace's \
                    label wants a newer version",
            ),
            (
                &["failed calling webhook", "failed calling admission webhook"],
                "the named admission webhook does not answer, and nothing is created without it: a \
                 platform engineer brings it up again",
            ),
            (
                &["denied the request", "denied request", "admission webhook"],
                "the named admission policy or webhook refuses the pods: the message says what it \
                 wants; ask whoever owns it",
            ),
            (
                &["looking up service account"],
                "the ServiceAccount is the claim's own: who deleted it? It is made again within \
                 seconds where Crossplane runs",
            ),
            (
                &["being terminated"],
                "the namespace is being deleted: apply the claim in another one",
            ),
            (
                &["node selector conflict", "node label selector conflicts"],
                "the namespace's node selector contradicts the pods': a platform engineer changes \
                    its annotation scheduler.alpha.kubernetes.io/node-selector",
            ),
            (&["priorityclass"], "the PriorityClass that the namespace's pods get is not there"),
            (
                &["security context constraint"],
                "OpenShift's security context constraints refuse user 1000: a platform engineer \
                    lets the namespace use nonroot-v2",
            ),
        ],
        message,
        "kubectl describe replicasets; the message names who refuses the pods",
    )
}

/// Explains why no node accepts a pod (`pkg/scheduler`): a fix for each cause that the message
/// counts.
pub(super) fn scheduling(message: &str) -> String {
    const CAUSES: &[(&[&str], &str)] = &[
        (
            &["no nodes available"],
            "the cluster has no node that takes pods: a platform engineer adds one",
        ),
        (
            &["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"],
            "a node is not Ready: kubectl describe node says why",
        ),
        (
            &["disk-pressure", "memory-pressure", "pid-pressure"],
            "a node is short of disk, memory or processes: a platform engineer makes room on it",
        ),
        (
            &["were unschedulable", "node.kubernetes.io/unschedulable"],
            "a node is cordoned: kubectl uncordon it",
        ),
        (&["cpu", "memory", "ephemeral-storage"], "choose a smaller spec.size, or add a node"),
        (&["too many pods"], "a node has all the pods that it may: add a node"),
        (
            &["didn't match pod's node affinity", "didn't match node selector"],
            "no node has the labels that the pods of this namespace are sent to",
        ),
        (
            &["volume", "persistentvolumeclaim"],
            "a volume that something adds to the pods is not to be had there",
        ),
    ];
    let lower = message.to_lowercase();
    let mut fixes: Vec<String> = Vec::new();
    for taint in taints(message) {
        if !taint.contains("node.kubernetes.io/") {
            fixes.push(format!(
                "a node has the taint {taint}, which the pods do not tolerate: take it off the \
                 node (kubectl taint nodes NODE {}-), or add a node without it",
                taint.split(':').next().unwrap_or_default().trim(),
            ));
        }
    }
    for (words, fix) in CAUSES {
        let insufficient = words.contains(&"cpu");
        let is = |word: &&&str| match insufficient {
            true => lower.contains(&format!("insufficient {word}")),
            false => lower.contains(**word),
        };
        if words.iter().any(|word| is(&word)) {
            fixes.push((*fix).to_owned());
        }
    }
    match fixes.as_slice() {
        [] => "add a node that takes the pod; kubectl describe pod says more".to_owned(),
        fixes => fixes.join("; "),
    }
}

/// Returns `{key: value}` of each `untolerated taint`.
fn taints(message: &str) -> impl Iterator<Item = &str> {
    message.split("taint {").skip(1).filter_map(|rest| rest.split('}').next())
}

/// Reports whether the message is about room, and nothing else.
pub(super) fn is_about_room(message: &str) -> bool {
    ["Insufficient ", "Too many pods"].iter().any(|words| message.contains(words))
        && taints(message).next().is_none()
}

/// Explains why a container cannot be configured (`pkg/kubelet/kuberuntime`).
pub(super) fn configuration(message: &str) -> &'static str {
    look_up(
        &[
            (
                &["will run as root", "non-numeric user"],
                "the image says USER root, or a user by name: give it a numeric USER that is not 0",
            ),
            (
                &["failed to sync", "timed out waiting for the condition"],
                "the node has not read the Secret yet: look again in some seconds, and is the API \
                 server well?",
            ),
            (
                &["couldn't find key"],
                "add the key to the Secret, or correct secretKey in the claim's spec.secretRefs",
            ),
            (
                &["secret"],
                "make the Secret in the claim's namespace, or correct its name in spec.secretRefs",
            ),
            (&["configmap"], "make the ConfigMap in the claim's namespace"),
        ],
        message,
        "the message says what is missing; kubectl describe pod says more",
    )
}

/// Explains why a container cannot be started (containerd and runc), or ends at once.
pub(super) fn start(message: &str, what: &str) -> String {
    let field = if what == "init container" {
        "spec.initContainer.command"
    } else {
        "the image's entrypoint"
    };
    let fix = look_up(
        &[
            (
                &["exec format error"],
                "the program is built for another platform: build the image for the nodes' \
                    (kubectl get nodes -L kubernetes.io/arch), and a script needs its #! line",
            ),
            (
                &["permission denied"],
                "the program is there and may not be executed by user 1000: chmod 755 in the \
                    image: ",
            ),
            (
                &["no command specified", "no command or args"],
                "the image has no entrypoint: give it one",
            ),
            (
                &["oom-killed", "memory limit too low"],
                "there is not even memory to start it: choose a larger spec.size",
            ),
            (
                &["read-only file system"],
                "it writes where it may not: write to a directory that the image gives user 1000",
            ),
            (
                &["no such file or directory", "not found in $path", "not found"],
                "the command is not in the image: correct ",
            ),
            (
                &["deadline exceeded", "failed to reserve container name"],
                "the node is too busy to start it: look again in a minute; kubectl describe node",
            ),
        ],
        message,
        "the command is not in the image, or cannot be executed: correct ",
    );
    if fix.ends_with(' ') { format!("{fix}{field}") } else { fix.to_owned() }
}

/// Returns what an exit code conventionally means (shells, signals), for when the log says nothing.
pub(super) fn exit(code: i64, reason: &str) -> Option<&'static str> {
    if reason == "OOMKilled" {
        return Some(
            "choose a larger spec.size (limits: small 2Gi, medium 4Gi, large 8Gi), or let the \
                worker hold less at once",
        );
    }
    Some(match code {
        0 => {
            "a worker must not end, also where there is nothing to do: is the image's entrypoint \
                the worker, and does it wait for messages?"
        }
        126 => "its entrypoint found a program that may not be executed: chmod 755 in the image",
        127 => "its entrypoint did not find a program that it calls: the log names it",
        132 => "it uses instructions that the node's CPU does not have: build it for an older CPU",
        134 => "it ended itself (SIGABRT): the log says why",
        137 => {
            "it was killed from outside (SIGKILL): by its liveness probe, or the node had no \
                memory left: kubectl describe pod says which"
        }
        139 => {
            "it crashed (SIGSEGV): a fault of the program or of a native library, or an image for \
                another platform"
        }
        143 => {
            "it was asked to end (SIGTERM), by its liveness probe or by itself: kubectl describe \
                pod"
        }
        _ => return None,
    })
}

/// Explains a failed probe of the kubelet (`pkg/probe/http`). `message` is that of its event, from
/// which the path and the port are read; the port defaults to 8080.
pub(super) fn probe(message: &str) -> (String, &'static str) {
    let url = message.split('"').nth(1).unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = host.rsplit_once(':').map_or("8080", |(_, port)| port);
    let which = if message.starts_with("Liveness") { "/health" } else { "/ready" };
    let path = if path.is_empty() { which.to_owned() } else { format!("/{path}") };
    let lower = message.to_lowercase();
    let is = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if is(&["connection refused"]) {
        return (
            format!("nothing listens on the pod's address at {port}"),
            "listen on 0.0.0.0:8080 (all addresses), not on 127.0.0.1 and not on another port; the \
             reference worker does unless WORKER_HTTP_ADDRESS says otherwise",
        );
    }
    if let Some(code) = lower.split("statuscode: ").nth(1) {
        let code: String = code.chars().take_while(char::is_ascii_digit).collect();
        let cause = format!("{path} answers with status {code}");
        return match code.as_str() {
            "404" | "405" | "501" => {
                (cause, "the worker must answer GET /health and GET /ready on port 8080 with 200")
            }
            "401" | "403" => {
                (cause, "the kubelet has no login: answer /health and /ready without one")
            }
            _ if which == "/health" => {
                (cause, "the worker says itself that it is broken: its log says why")
            }
            _ => (cause, NOT_READY),
        };
    }
    if is(&["deadline exceeded", "client.timeout"]) {
        return (
            format!("{path} does not answer in time"),
            "answer the probes beside the work, not after it: the worker is too busy, blocked, or \
                has too little CPU (a larger spec.size)",
        );
    }
    if is(&["malformed http", "eof", "connection reset", "server gave http"]) {
        return (
            format!("what listens at {port} does not speak HTTP"),
            "serve plain HTTP on port 8080: GET /health and GET /ready with 200",
        );
    }
    if is(&["no route to host", "i/o timeout", "network is unreachable"]) {
        return (
            format!("the node does not reach the pod at {port}"),
            "does a NetworkPolicy, a firewall or the network plugin stand between node and pod?",
        );
    }
    (message.trim().to_owned(), NOT_READY)
}

/// What to do about a worker that runs but reports that it is not ready.
pub(super) const NOT_READY: &str = "the worker answers /ready once it is connected to NATS and its \
    consumer exists: its log says what it waits for";

/// Returns a cause that a log shows and the exit code does not.
pub(super) fn log(text: &str) -> Option<&'static str> {
    const TABLE: &[(&[&str], &str)] = &[
        (
            &["exec format error"],
            "the program is built for another platform: build the image for the nodes' (kubectl \
                get nodes -L kubernetes.io/arch)",
        ),
        (
            &["read-only file system", "erofs"],
            "it writes where it may not: write to a directory that the image gives user 1000",
        ),
        (
            &[
                "no such host",
                "name or service not known",
                "temporary failure in name resolution",
                "failed to lookup address",
                "getaddrinfo",
                "enotfound",
                "eai_again",
            ],
            "a host's name is not found: is it spelled right (NATS is at spec.nats.url), and does \
                the cluster's DNS run?",
        ),
        (
            &["permission denied", "eacces", "operation not permitted"],
            "it runs as user 1000 without capabilities: files and ports below 1024 that only root \
                may use are out of reach",
        ),
        (
            &["authorization violation", "permissions violation", "authentication error"],
            "NATS refuses its login: user, password or token come from a Secret of spec.secretRefs",
        ),
    ];
    let text = text.to_lowercase();
    TABLE.iter().find(|(words, _)| words.iter().any(|w| text.contains(w))).map(|(_, fix)| *fix)
}
