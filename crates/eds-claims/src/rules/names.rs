//! What people call the fields of a claim, and what they look for in vain: names from Kubernetes
//! (Deployments, pods, HPAs), KEDA, NATS, and charts and public compositions for the same job.
//!
//! One table, read by [`unknown`](super::unknown). A field spelled almost like ours, or that we
//! have at another level, needs no row here.

/// What to say about a field that the API does not have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Advice {
    /// The API has it under this name: a path without entry numbers.
    Called(&'static str),
    /// The API has something else: why the field is missing, and what to do.
    Instead(&'static str, &'static str),
    /// The same, for what people write in place of these fields next to it.
    InPlaceOf(&'static [&'static str], &'static str, &'static str),
    /// A variable taken from elsewhere.
    ValueFrom,
    /// The same, if the Secret or its keys are already named.
    SecretFrom,
}

use Advice::{Called, InPlaceOf, Instead, SecretFrom, ValueFrom};

/// Where the field is (list entries as `[]`), what it is called there, and what to say.
type Row = (&'static str, &'static [&'static str], Advice);

const CREDENTIALS: Advice = Instead(
    "credentials of NATS are given as variables from a Secret, and the worker reads them",
    "write spec.secretRefs: [{name: SECRET, env: [{secretKey: KEY, envName: VARIABLE}]}]; a file \
        of credentials cannot be mounted",
);
const CONSUMERS_OWN: Advice = Instead(
    "this is a setting of the consumer or stream in NATS, and a claim does not make these",
    "set it where the consumer is made (nats consumer add, or NACK's Consumer); here only name \
        stream and consumer",
);
const PLACEMENT: Advice = Instead(
    "a claim cannot say on which nodes its pods run",
    "leave it out; the platform's engineers place pods",
);
const VOLUMES: Advice = Instead(
    "a claim cannot mount volumes or files",
    "give configuration by spec.env, and secrets by spec.secretRefs, as variables",
);
const PROBES: Advice = Instead(
    "the probes are always the same: /health (liveness) and /ready (readiness) on port 8080",
    "let the worker answer on these paths, and leave this out",
);
const PORTS: Advice = Instead(
    "container and Service always use port 8080, by the name http",
    "let the worker listen on port 8080, and leave this out",
);
const POD: Advice = Instead(
    "this is a Deployment's: a claim describes its one container by image, size, env and \
        secretRefs, and the pod is made of that",
    "move image, env and secrets to spec, and leave the rest out",
);
const FIXED: Advice = Instead(
    "this is the same for all services: pods pass Pod Security restricted, and roll out one by one",
    "leave it out",
);
/// The sizes, and what each provides.
pub(super) const SIZES: &str = "choose size: small (250m-1000m CPU, 512Mi-2Gi memory), medium \
    (500m-2000m, 1Gi-4Gi) or large (1000m-4000m, 2Gi-8Gi); other figures cannot be said";
const FIGURES: Advice = Instead("CPU and memory come with spec.size", SIZES);
/// If there is a number, `forms::replicas` fills it in.
const REPLICAS: Advice = Instead(
    "KEDA decides how many pods run, between two bounds",
    "write spec.scaling: {minReplicas: 1, maxReplicas: 10}; the same number twice is a fixed \
        number of pods",
);
const MADE_TOP: Advice = InPlaceOf(
    &["nats"],
    "KEDA's trigger is made from spec.nats and spec.scaling",
    "stream and consumer stand under spec.nats, and the messages for each pod are \
     spec.scaling.lagThreshold; leave the rest out",
);
const MADE: Advice = Instead(
    "KEDA's trigger is made from spec.nats and spec.scaling",
    "stream and consumer stand under spec.nats, and the messages for each pod are \
     spec.scaling.lagThreshold; leave the rest out",
);
const HPA: Advice = Instead(
    "a claim cannot say this of its scaling: it has minReplicas, maxReplicas, lagThreshold, \
     activationLagThreshold, pollingInterval and cooldownPeriod",
    "leave it out",
);
const MAIN_COMMAND: Advice = Instead(
    "the worker always runs its image's own entry point",
    "set ENTRYPOINT and CMD in the image; only spec.initContainer has command and args",
);
const CONFIG_MAPS: Advice = Instead(
    "a claim cannot read ConfigMaps",
    "write the values into spec.env, or put them into a Secret and name it under spec.secretRefs",
);
const POD_METADATA: Advice = Instead(
    "labels and annotations of the claim stand in metadata; those of its pods cannot be set",
    "move them to metadata, or leave them out",
);
const SAME_AS_MAIN: Advice = Instead(
    "the init container has the image, environment and resources of the worker; only command and \
        args are its own",
    "leave it out; what it needs goes to spec.image, spec.env or spec.secretRefs",
);
const SUBJECT_TOP: Advice = InPlaceOf(
    &["nats"],
    "a claim names a stream and a consumer; which subjects they hold is their own setting in NATS",
    "leave this out, and set the consumer's filter subject in NATS",
);
const SUBJECT: Advice = InPlaceOf(
    &["stream", "consumer"],
    "a claim names a stream and a consumer; which subjects they hold is their own setting in NATS",
    "leave this out, and set the consumer's filter subject in NATS",
);
const TAG: Advice = InPlaceOf(
    &["image"],
    "registry, name and tag are one text",
    "write spec.image: REGISTRY/NAME:TAG",
);
/// A Secret's values, where only its name is allowed.
pub(super) const SECRET_VALUES: Advice = InPlaceOf(
    &["env"],
    "a claim names a Secret that exists, and cannot hold its values",
    "make the Secret beside the claim, and name its keys: spec.secretRefs: [{name: SECRET, env: \
        [{secretKey: KEY, envName: VARIABLE}]}]",
);
const WHOLE_SECRET: Advice = Instead(
    "whole Secrets are named under spec.secretRefs",
    "write spec.secretRefs: [{name: SECRET, envFrom: true}]",
);
const TLS: Advice = Instead(
    "a claim cannot give certificates to the worker as files",
    "write tls:// in spec.nats.url, which trusts the authorities of the image; a certificate can \
        be a variable, by spec.secretRefs",
);

/// The table.
pub(super) const ROWS: &[Row] = &[
    ("spec", &["resources", "limits", "requests", "cpu", "memory", "resourcesPreset"], FIGURES),
    ("spec", &["replicas", "replicaCount", "instances"], REPLICAS),
    ("spec", &["minReplicaCount", "minInstances", "minScale"], Called("spec.scaling.minReplicas")),
    ("spec", &["maxReplicaCount", "maxInstances", "maxScale"], Called("spec.scaling.maxReplicas")),
    (
        "spec",
        &["autoscaling", "autoscaler", "scale", "keda", "hpa", "scaledObject"],
        Called("spec.scaling"),
    ),
    (
        "spec",
        &["ports", "port", "containerPort", "containerPorts", "service", "ingress", "targetPort"],
        PORTS,
    ),
    (
        "spec",
        &[
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "probes",
            "health",
            "healthCheck",
            "healthcheck",
        ],
        PROBES,
    ),
    (
        "spec",
        &["volumes", "volumeMounts", "files", "persistence", "extraVolumes", "mounts"],
        VOLUMES,
    ),
    ("spec", &["configMapRefs", "configMapRef", "configMaps", "configMap", "config"], CONFIG_MAPS),
    (
        "spec",
        &["serviceAccountName", "serviceAccount", "serviceAccountRef"],
        Instead(
            "each service has a ServiceAccount of its own, with the claim's name and without a \
                token",
            "leave it out; a role is bound to the ServiceAccount of the claim's name",
        ),
    ),
    ("spec", &["command", "args", "entrypoint", "cmd"], MAIN_COMMAND),
    (
        "spec",
        &[
            "nodeSelector",
            "tolerations",
            "affinity",
            "topologySpreadConstraints",
            "priorityClassName",
            "schedulerName",
            "runtimeClassName",
            "nodeName",
            "placement",
            "hostNetwork",
        ],
        PLACEMENT,
    ),
    (
        "spec",
        &["labels", "annotations", "podLabels", "podAnnotations", "podMetadata"],
        POD_METADATA,
    ),
    ("spec", &["triggers", "trigger"], MADE_TOP),
    ("spec", &["scaleTargetRef", "metrics"], HPA),
    ("spec", &["containers", "container", "template", "podTemplate", "pod", "podSpec"], POD),
    (
        "spec",
        &[
            "selector",
            "strategy",
            "restartPolicy",
            "securityContext",
            "podSecurityContext",
            "containerSecurityContext",
            "revisionHistoryLimit",
            "minReadySeconds",
            "progressDeadlineSeconds",
            "lifecycle",
            "dnsPolicy",
            "rollout",
            "updateStrategy",
            "automountServiceAccountToken",
        ],
        FIXED,
    ),
    (
        "spec",
        &["imagePullPolicy", "pullPolicy"],
        Instead(
            "it follows from the image: Always with the tag latest or none, else IfNotPresent",
            "leave it out",
        ),
    ),
    (
        "spec",
        &["initContainers", "init", "migration", "initCommand"],
        Instead(
            "there is one init container, which runs the same image",
            "write spec.initContainer: {command: [...], args: [...]}",
        ),
    ),
    ("spec", &["envFrom"], WHOLE_SECRET),
    (
        "spec",
        &["secrets", "secret", "envSecrets", "secretEnv", "secretsRef", "secretRef"],
        Called("spec.secretRefs"),
    ),
    ("spec", &["environment", "envVars", "variables", "vars", "extraEnv"], Called("spec.env")),
    (
        "spec",
        &["pullSecrets", "pullSecret", "imagePullSecret", "registrySecret"],
        Called("spec.imagePullSecrets"),
    ),
    (
        "spec",
        &["tag", "imageTag", "repository", "registry", "imageRepository", "version", "appVersion"],
        TAG,
    ),
    ("spec", &["name"], Called("metadata.name")),
    ("spec", &["namespace"], Called("metadata.namespace")),
    ("", &["meta", "metaData", "objectMeta", "meta-data"], Called("metadata")),
    ("", &["specification", "specs"], Called("spec")),
    (
        "spec",
        &["natsUrl", "natsURL", "natsServer", "natsServers", "url", "broker"],
        Called("spec.nats.url"),
    ),
    ("spec", &["natsStream", "streamName"], Called("spec.nats.stream")),
    (
        "spec",
        &["natsConsumer", "consumerName", "durable", "durableName"],
        Called("spec.nats.consumer"),
    ),
    ("spec", &["natsServerMonitoringEndpoint"], Called("spec.nats.monitoringEndpoint")),
    ("spec", &["jetstream", "messaging", "queue", "source", "eventSource"], Called("spec.nats")),
    ("spec", &["subject", "subjects", "topic", "topics"], SUBJECT_TOP),
    (
        "spec",
        &[
            "retries",
            "retry",
            "maxRetries",
            "deadLetter",
            "deadLetterQueue",
            "dlq",
            "backoff",
            "ackWait",
            "maxDeliver",
        ],
        Instead(
            "how often a message is delivered again, and what becomes of it then, is a setting of \
                the consumer in NATS",
            "set max deliver and ack wait where the consumer is made; what else the worker does is \
                told to it in spec.env",
        ),
    ),
    (
        "spec",
        &["timeout", "concurrency", "parallelism", "batchSize", "prefetch", "workers"],
        Instead(
            "the platform does not know how the worker handles its messages",
            "tell it to the worker in spec.env",
        ),
    ),
    (
        "spec",
        &["kafka", "rabbitmq", "rabbitMQ", "sqs", "pubsub", "redis", "bootstrapServers"],
        InPlaceOf(
            &["nats"],
            "these services read NATS JetStream, and nothing else",
            "write spec.nats: {stream: STREAM, consumer: CONSUMER}",
        ),
    ),
    ("spec", &["advanced", "fallback", "behavior"], HPA),
    ("spec", &["status"], Instead("the platform writes the status, beside spec", "leave it out")),
    (
        "spec",
        &[
            "build",
            "container_name",
            "depends_on",
            "dependsOn",
            "deploy",
            "expose",
            "links",
            "networks",
            "restart",
            "working_dir",
            "workingDir",
            "stdin",
            "tty",
            "user",
        ],
        Instead(
            "pods are the same for all services, and one does not wait for another",
            "leave it out; a worker tries again until what it needs answers",
        ),
    ),
    (
        "spec",
        &["env_file", "envFile", "dotenv"],
        Instead(
            "a claim reads no files of variables",
            "write the values into spec.env, or put them into a Secret and name it under \
                spec.secretRefs",
        ),
    ),
    (
        "spec",
        &["externalSecrets", "externalSecret", "vault", "sealedSecret", "sealedSecrets"],
        Instead(
            "a claim names Secrets that exist, and makes none",
            "let that tool make a Secret beside the claim, and name it under spec.secretRefs",
        ),
    ),
    ("spec", &["secretKeyRef", "secretEnvFrom", "envFromSecret", "envFromSecrets"], WHOLE_SECRET),
    (
        "spec",
        &["fullnameOverride", "nameOverride", "hostname", "global", "releaseName"],
        Instead("the service has the claim's name, metadata.name", "leave it out"),
    ),
    (
        "spec",
        &["serviceMonitor", "podMonitor", "prometheus", "monitoring", "dashboard", "alerts"],
        Instead("a claim sets up no monitoring", "leave it out, or write it beside the claim"),
    ),
    (
        "spec",
        &["parameters", "forProvider", "values", "settings", "options"],
        Instead(
            "the fields of a claim stand right below spec",
            "remove this line, and the indentation of those below it",
        ),
    ),
    (
        "spec",
        &[
            "providerConfigRef",
            "deletionPolicy",
            "managementPolicies",
            "managementPolicy",
            "publishConnectionDetailsTo",
        ],
        Instead("this is said of managed resources, in the platform's Composition", "leave it out"),
    ),
    (
        "spec",
        &["t-shirtSize", "tshirtSize", "tier", "plan", "flavor", "profile"],
        Called("spec.size"),
    ),
    (
        "spec",
        &[
            "gracePeriod",
            "gracePeriodSeconds",
            "terminationGracePeriod",
            "shutdownTimeout",
            "stopTimeout",
        ],
        Called("spec.terminationGracePeriodSeconds"),
    ),
    (
        "spec",
        &["pdb", "podDisruptionBudget", "disruptionBudget"],
        Instead(
            "a claim makes no PodDisruptionBudget",
            "leave it out, or write one beside the claim",
        ),
    ),
    (
        "spec",
        &["suspend", "paused", "pause", "schedule", "cron"],
        Instead(
            "a claim cannot be paused or scaled by the clock",
            "leave it out; minReplicas: 0 lets the service sleep while no message waits",
        ),
    ),
    ("spec.nats", &["streamName", "jetstream", "streamRef", "name"], Called("spec.nats.stream")),
    (
        "spec.nats",
        &[
            "consumerName",
            "durable",
            "durableName",
            "durableConsumer",
            "consumerGroup",
            "queueGroup",
            "group",
            "queue",
        ],
        Called("spec.nats.consumer"),
    ),
    (
        "spec.nats",
        &[
            "natsServerMonitoringEndpoint",
            "monitoringUrl",
            "monitoringURL",
            "monitoring",
            "monitor",
            "monitorEndpoint",
            "monitorUrl",
            "monitoringHost",
        ],
        Called("spec.nats.monitoringEndpoint"),
    ),
    (
        "spec.nats",
        &[
            "server",
            "servers",
            "address",
            "addresses",
            "endpoint",
            "host",
            "natsUrl",
            "natsURL",
            "urls",
        ],
        Called("spec.nats.url"),
    ),
    ("spec.nats", &["accountId", "accountID", "accountName"], Called("spec.nats.account")),
    (
        "spec.nats",
        &[
            "creds",
            "credentials",
            "credentialsSecret",
            "credsSecret",
            "credentialsRef",
            "credsFile",
            "user",
            "username",
            "password",
            "token",
            "nkey",
            "auth",
            "jwt",
            "seed",
            "secretRef",
            "authentication",
        ],
        CREDENTIALS,
    ),
    ("spec.nats", &["tls", "ca", "cert", "key", "caSecret", "tlsSecret"], TLS),
    (
        "spec.nats",
        &["useHttps", "useHTTPS"],
        Instead("KEDA asks the monitoring endpoint over http", "leave it out"),
    ),
    ("spec.nats", &["subject", "subjects", "filterSubject", "filterSubjects"], SUBJECT),
    (
        "spec.nats",
        &[
            "ackWait",
            "maxDeliver",
            "maxAckPending",
            "deliverPolicy",
            "ackPolicy",
            "retention",
            "maxAge",
            "create",
            "domain",
            "replayPolicy",
            "batchSize",
            "deliverSubject",
            "deliverGroup",
            "backoff",
            "maxBatch",
            "deadLetter",
            "retries",
        ],
        CONSUMERS_OWN,
    ),
    ("spec.nats", &["maxReplicas", "minReplicas"], Called("spec.scaling")),
    (
        "spec.nats",
        &[
            "port",
            "clientPort",
            "ports",
            "cluster",
            "clusterName",
            "namespace",
            "service",
            "release",
        ],
        Instead(
            "where NATS is, is said by its URL alone",
            "write url: nats://SERVICE.NAMESPACE.svc:PORT, or leave it out for the platform's NATS",
        ),
    ),
    (
        "spec.nats",
        &["enabled", "enable", "type", "version", "image"],
        Instead("each service reads NATS JetStream, and the platform runs it", "leave it out"),
    ),
    (
        "spec.scaling",
        &[
            "minReplicaCount",
            "min",
            "minimum",
            "minPods",
            "minInstances",
            "minScale",
            "idleReplicaCount",
        ],
        Called("spec.scaling.minReplicas"),
    ),
    (
        "spec.scaling",
        &["maxReplicaCount", "max", "maximum", "maxPods", "maxInstances", "maxScale"],
        Called("spec.scaling.maxReplicas"),
    ),
    ("spec.scaling", &["replicas", "replicaCount"], REPLICAS),
    (
        "spec.scaling",
        &[
            "threshold",
            "lag",
            "targetLag",
            "target",
            "targetValue",
            "messagesPerReplica",
            "queueLength",
            "value",
        ],
        Called("spec.scaling.lagThreshold"),
    ),
    (
        "spec.scaling",
        &["activationThreshold", "activation", "activationValue", "activationLag"],
        Called("spec.scaling.activationLagThreshold"),
    ),
    (
        "spec.scaling",
        &["interval", "pollInterval", "pollingIntervalSeconds", "polling"],
        Called("spec.scaling.pollingInterval"),
    ),
    (
        "spec.scaling",
        &["cooldown", "cooldownSeconds", "cooldownPeriodSeconds", "coolDown"],
        Called("spec.scaling.cooldownPeriod"),
    ),
    ("spec.scaling", &["triggers", "trigger"], MADE),
    (
        "spec.scaling",
        &[
            "behavior",
            "metrics",
            "scaleTargetRef",
            "advanced",
            "fallback",
            "enabled",
            "cpu",
            "memory",
            "targetCPUUtilizationPercentage",
            "targetMemoryUtilizationPercentage",
            "scaleUp",
            "scaleDown",
            "stabilizationWindowSeconds",
            "paused",
            "cron",
            "type",
            "strategy",
            "policy",
            "mode",
            "name",
            "initialCooldownPeriod",
            "restoreToOriginalReplicaCount",
        ],
        HPA,
    ),
    (
        "spec.secretRefs[]",
        &["secretName", "secret", "secretRef", "ref"],
        Called("spec.secretRefs[].name"),
    ),
    (
        "spec.secretRefs[]",
        &["valueFrom", "secretKeyRef", "key", "secretKey", "envName"],
        SecretFrom,
    ),
    ("spec.secretRefs[]", &["stringData", "value", "values"], SECRET_VALUES),
    (
        "spec.secretRefs[]",
        &["keys", "items", "data", "vars", "variables", "environment", "mapping"],
        Called("spec.secretRefs[].env"),
    ),
    (
        "spec.secretRefs[]",
        &["all", "whole", "asEnv", "envFromSecret"],
        Called("spec.secretRefs[].envFrom"),
    ),
    (
        "spec.secretRefs[]",
        &["optional"],
        Instead("a secret that is named is always required", "leave it out"),
    ),
    (
        "spec.secretRefs[]",
        &["prefix"],
        Instead(
            "keys of a whole Secret keep their names",
            "list the keys under env, each with the envName that it shall have",
        ),
    ),
    (
        "spec.secretRefs[]",
        &["namespace"],
        Instead("a claim reads Secrets of its own namespace only", "leave it out"),
    ),
    ("spec.secretRefs[]", &["mountPath", "path", "volume", "subPath", "mountAs"], VOLUMES),
    (
        "spec.secretRefs[].env[]",
        &["key", "secret", "from", "source"],
        Called("spec.secretRefs[].env[].secretKey"),
    ),
    (
        "spec.secretRefs[].env[]",
        &["name", "env", "variable", "envVar", "as", "to", "target"],
        Called("spec.secretRefs[].env[].envName"),
    ),
    ("spec.secretRefs[].env[]", &["valueFrom", "secretKeyRef"], SecretFrom),
    (
        "spec.secretRefs[].env[]",
        &["optional"],
        Instead("a key that is named is always required", "leave it out"),
    ),
    (
        "spec.secretRefs[].env[]",
        &["value"],
        Instead(
            "the value comes from the Secret",
            "leave it out; a plain variable stands in spec.env, as {name, value}",
        ),
    ),
    (
        "spec.env[]",
        &["valueFrom", "secretKeyRef", "secretRef", "configMapKeyRef", "fieldRef"],
        ValueFrom,
    ),
    ("spec.env[]", &["key", "envName", "variable", "var", "env"], Called("spec.env[].name")),
    ("spec.env[]", &["val", "default", "content", "data"], Called("spec.env[].value")),
    ("spec.env[]", &["secretKey"], SecretFrom),
    (
        "spec.imagePullSecrets[]",
        &["secretName", "secret", "ref"],
        Called("spec.imagePullSecrets[].name"),
    ),
    (
        "spec.imagePullSecrets[]",
        &["namespace"],
        Instead("a claim reads Secrets of its own namespace only", "leave it out"),
    ),
    (
        "spec.imagePullSecrets[]",
        &[
            "dockerconfigjson",
            ".dockerconfigjson",
            "username",
            "password",
            "server",
            "registry",
            "auths",
            "data",
        ],
        Instead(
            "an entry names a Secret that exists, and cannot hold its values",
            "make it with kubectl create secret docker-registry, and write its name alone",
        ),
    ),
    (
        "metadata",
        &["clusterName", "initializers"],
        Instead("Kubernetes has it no more", "leave it out"),
    ),
    (
        "spec.initContainer",
        &[
            "image",
            "env",
            "envFrom",
            "name",
            "resources",
            "volumeMounts",
            "securityContext",
            "secretRefs",
            "imagePullPolicy",
            "workingDir",
            "restartPolicy",
            "lifecycle",
            "ports",
            "volumes",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ],
        SAME_AS_MAIN,
    ),
    (
        "spec.initContainer",
        &["cmd", "run", "script", "entrypoint", "commands"],
        Called("spec.initContainer.command"),
    ),
    ("spec.initContainer", &["arguments", "arg"], Called("spec.initContainer.args")),
    (
        "",
        &["template", "data", "stringData", "roleRef", "subjects", "webhooks"],
        Instead(
            "a claim has apiVersion, kind, metadata and spec",
            "move what it says into spec, or remove it",
        ),
    ),
];

/// What a Deployment or a pod has besides its containers, pasted along with them.
pub(super) const DEPLOYMENT: [&str; 36] = [
    "replicas",
    "selector",
    "strategy",
    "minReadySeconds",
    "revisionHistoryLimit",
    "progressDeadlineSeconds",
    "paused",
    "template",
    "containers",
    "container",
    "podTemplate",
    "pod",
    "podSpec",
    "initContainers",
    "volumes",
    "restartPolicy",
    "activeDeadlineSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "hostNetwork",
    "securityContext",
    "affinity",
    "schedulerName",
    "tolerations",
    "priorityClassName",
    "runtimeClassName",
    "topologySpreadConstraints",
    "resources",
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "volumeMounts",
];
/// Those that hold the containers.
pub(super) const PODS: [&str; 6] =
    ["template", "podTemplate", "podSpec", "pod", "containers", "container"];

#[cfg(test)]
mod tests {
    use kube_object::object::Fields;
    use kube_schema::yaml;

    use super::*;

    /// A row for a field that the API has would never be read: it explains a name to nobody.
    #[test]
    fn no_row_names_a_field_that_the_api_has() {
        let xrd =
            include_str!("../../../../platform/04-apis/definitions/xeventdrivenservices.yaml");
        let xrd = yaml::parse(xrd).documents.remove(0).to_json();
        let whole = xrd.at("/spec/versions/0/schema/openAPIV3Schema").unwrap();
        let mut checked = 0;
        for (level, names, _) in ROWS {
            let mut schema = Some(whole);
            for step in level.split('.').filter(|step| !step.is_empty()) {
                let field = format!("/properties/{}", step.trim_end_matches("[]"));
                schema = schema.and_then(|schema| schema.at(&field));
                if step.ends_with("[]") {
                    schema = schema.and_then(|schema| schema.at("/items"));
                }
            }
            let Some(fields) = schema.and_then(|schema| schema.object("/properties")) else {
                continue;
            };
            for name in *names {
                assert!(!fields.contains_key(*name), "{level}.{name} is a field of the API");
                checked += 1;
            }
        }
        assert!(checked > 100, "only {checked} names were looked up");
    }
}
