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
    "credentials of NATS are a file or variables, from a Secret",
    "write spec.nats.credentials: {secret: NAME, key: nats.creds} for a file; for user and \
        password, spec.secretRefs: [{name: SECRET, env: [{secretKey: user, envName: NATS_USER}]}] \
        and $(NATS_USER) in spec.nats.url",
);
const CONSUMERS_OWN: Advice = Instead(
    "this is a setting of the consumer or stream in NATS, which a claim makes only on request",
    "set it where the consumer is made, or, where the platform offers NACK, below \
        spec.nats.create.consumer or spec.nats.create.stream",
);
const PLACEMENT: Advice = Instead(
    "where pods run is said by spec.placement",
    "write spec.placement: {nodeSelector: {KEY: VALUE}, tolerations: [...], topologySpread: {zone: \
        soft}}; other conditions cannot be said",
);
const SPREAD: Advice = Instead(
    "pods are spread over zones and nodes",
    "write spec.placement: {topologySpread: {zone: soft, node: soft}}; hard lets pods wait instead",
);
const VOLUMES: Advice = Instead(
    "files come from Secrets and ConfigMaps, and other volumes cannot be mounted",
    "write spec.files: [{secret: NAME, mountPath: /DIRECTORY}]; for temporary files, /tmp of the \
        container is writable",
);
const PROBES: Advice = Instead(
    "how pods are asked is said by spec.health",
    "write spec.health: {port: 8080, livenessPath: /health, readinessPath: /ready}, or {http: \
        false, livenessCommand: [...]} for a worker without a server",
);
const PORTS: Advice = Instead(
    "container and Service have one port, by the name http",
    "write spec.health: {port: 8080}, or {http: false} for a worker without a server",
);
const POD: Advice = Instead(
    "this is a Deployment's: a claim describes its one container by image, size, env and \
        secretRefs, and the pod is made of that",
    "move image, env and secrets to spec, and leave the rest out",
);
const FIXED: Advice = Instead(
    "this is the same for all services, whose pods pass Pod Security restricted",
    "leave it out",
);
const ROLLOUT: Advice = Instead(
    "how pods are replaced is said by spec.rollout",
    "write spec.rollout: {maxSurge: 1, maxUnavailable: 0}; maxSurge: 0 with maxUnavailable: 100% \
        stops all pods first",
);
/// The sizes, and what each provides.
pub(super) const SIZES: &str = "choose size: small (250m-1000m CPU, 512Mi-2Gi memory), medium \
    (500m-2000m, 1Gi-4Gi) or large (1000m-4000m, 2Gi-8Gi); other figures stand under \
    spec.resources: {requests: {memory: 256Mi}}";
const FIGURES: Advice = Instead("CPU and memory come with spec.size or spec.resources", SIZES);
/// If there is a number, `forms::replicas` fills it in.
const REPLICAS: Advice = Instead(
    "KEDA decides how many pods run, between two bounds",
    "write spec.scaling: {minReplicas: 1, maxReplicas: 10}; the same number twice is a fixed \
        number of pods",
);
const MADE_TOP: Advice = InPlaceOf(
    &["nats"],
    "KEDA's trigger is made from spec.nats and spec.scaling",
    "stream and consumer stand under spec.nats, the messages for each pod are \
     spec.scaling.lagThreshold, and times of day spec.scaling.cron; leave the rest out",
);
const MADE: Advice = Instead(
    "KEDA's trigger is made from spec.nats and spec.scaling",
    "stream and consumer stand under spec.nats, the messages for each pod are \
     spec.scaling.lagThreshold, and times of day spec.scaling.cron; leave the rest out",
);
const HPA: Advice = Instead(
    "a claim cannot say this of its scaling",
    "leave it out; how fast pods are added and taken away is spec.scaling.behavior",
);
const POD_METADATA: Advice = Instead(
    "labels and annotations of the claim stand in metadata, those of its pods in spec.podMetadata",
    "move them to metadata, or below spec.podMetadata",
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
    "certificates for NATS are keys of one Secret",
    "write spec.nats.tls: {secret: NAME, ca: ca.crt, cert: tls.crt, key: tls.key}; what is not \
        needed is left out",
);
const OTHER_RESOURCES: Advice = Instead(
    "only CPU and memory can be asked for",
    "leave it out; /tmp is a part of the node's disk",
);
/// The table.
pub(super) const ROWS: &[Row] = &[
    ("spec", &["cpu", "memory", "resourcesPreset"], FIGURES),
    ("spec", &["limits"], Called("spec.resources.limits")),
    ("spec", &["requests"], Called("spec.resources.requests")),
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
        &["ports", "containerPort", "containerPorts", "service", "ingress", "targetPort"],
        PORTS,
    ),
    (
        "spec",
        &[
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "probes",
            "healthCheck",
            "healthcheck",
        ],
        PROBES,
    ),
    ("spec", &["volumes", "volumeMounts", "persistence", "extraVolumes", "mounts"], VOLUMES),
    ("spec", &["configMapRef", "configMaps", "configMap", "config"], Called("spec.configMapRefs")),
    (
        "spec",
        &["serviceAccountName", "serviceAccountRef"],
        Instead(
            "each service has a ServiceAccount of its own, with the claim's name and without a \
                token",
            "leave it out; a role is bound to the ServiceAccount of the claim's name",
        ),
    ),
    ("spec", &["entrypoint", "cmd"], Called("spec.command")),
    (
        "spec",
        &["affinity", "schedulerName", "runtimeClassName", "nodeName", "hostNetwork"],
        PLACEMENT,
    ),
    ("spec", &["topologySpreadConstraints"], SPREAD),
    ("spec", &["podLabels"], Called("spec.podMetadata.labels")),
    ("spec", &["podAnnotations"], Called("spec.podMetadata.annotations")),
    ("spec", &["labels", "annotations"], POD_METADATA),
    ("spec", &["triggers", "trigger"], MADE_TOP),
    ("spec", &["scaleTargetRef", "metrics"], HPA),
    ("spec", &["containers", "container", "template", "podTemplate", "pod", "podSpec"], POD),
    (
        "spec",
        &[
            "selector",
            "restartPolicy",
            "securityContext",
            "podSecurityContext",
            "containerSecurityContext",
            "revisionHistoryLimit",
            "minReadySeconds",
            "progressDeadlineSeconds",
            "dnsPolicy",
            "automountServiceAccountToken",
        ],
        FIXED,
    ),
    ("spec", &["strategy", "updateStrategy", "deploymentStrategy"], ROLLOUT),
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
    ("spec", &["metadata"], Called("metadata")),
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
    ("spec", &["advanced"], HPA),
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
    ("spec", &["pdb", "podDisruptionBudget"], Called("spec.disruptionBudget")),
    ("spec", &["suspend", "pause"], Called("spec.scaling.paused")),
    ("spec", &["schedule"], Called("spec.scaling.cron")),
    ("spec", &["preStop"], Called("spec.lifecycle.preStop")),
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
    ("spec.nats", &["accountName"], Called("spec.nats.account")),
    ("spec.nats", &["accountId", "accountPublicKey"], Called("spec.nats.accountID")),
    (
        "spec.nats",
        &[
            "creds",
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
    ("spec.nats", &["ca", "cert", "key", "caSecret", "tlsSecret"], TLS),
    (
        "spec.nats",
        &["useHttps", "useHTTPS", "monitoringTLS", "monitoringHttps"],
        Instead(
            "the endpoint itself says whether monitoring is served over TLS",
            "write monitoringEndpoint: https://HOST:PORT",
        ),
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
    ("spec.scaling", &["schedule", "schedules"], Called("spec.scaling.cron")),
    ("spec.scaling", &["pause", "suspend"], Called("spec.scaling.paused")),
    (
        "spec.scaling.cron[]",
        &["desiredReplicas", "minReplicas"],
        Called("spec.scaling.cron[].replicas"),
    ),
    (
        "spec.scaling",
        &[
            "metrics",
            "scaleTargetRef",
            "advanced",
            "enabled",
            "cpu",
            "memory",
            "targetCPUUtilizationPercentage",
            "targetMemoryUtilizationPercentage",
            "scaleUp",
            "scaleDown",
            "stabilizationWindowSeconds",
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
    ("spec.env[]", &["secretKeyRef", "secretRef", "configMapKeyRef"], ValueFrom),
    ("spec.env[].valueFrom", &["secretKeyRef", "configMapKeyRef"], ValueFrom),
    ("spec.env[]", &["fieldRef", "fieldPath"], Called("spec.env[].valueFrom.fieldRef")),
    ("spec.env[]", &["resourceFieldRef"], Called("spec.env[].valueFrom.resourceFieldRef")),
    (
        "spec.configMapRefs[]",
        &["configMapName", "configMap", "configMapRef", "ref"],
        Called("spec.configMapRefs[].name"),
    ),
    (
        "spec.configMapRefs[]",
        &["keys", "items", "data", "vars", "variables", "environment"],
        Called("spec.configMapRefs[].env"),
    ),
    ("spec.configMapRefs[]", &["mountPath", "path", "volume", "subPath"], VOLUMES),
    (
        "spec.configMapRefs[].env[]",
        &["key", "secretKey", "from", "source"],
        Called("spec.configMapRefs[].env[].configMapKey"),
    ),
    (
        "spec.configMapRefs[].env[]",
        &["name", "env", "variable", "as", "to"],
        Called("spec.configMapRefs[].env[].envName"),
    ),
    ("spec.files[]", &["secretName", "secretRef"], Called("spec.files[].secret")),
    ("spec.files[]", &["configMapName", "configMapRef"], Called("spec.files[].configMap")),
    ("spec.files[]", &["path", "mount", "directory", "dir"], Called("spec.files[].mountPath")),
    ("spec.files[]", &["keys"], Called("spec.files[].items")),
    (
        "spec.files[]",
        &["subPath", "emptyDir", "hostPath", "persistentVolumeClaim", "csi", "projected", "name"],
        VOLUMES,
    ),
    (
        "spec.files[]",
        &["defaultMode", "mode", "readOnly", "optional"],
        Instead("files are read-only, of mode 0440, and always required", "leave it out"),
    ),
    (
        "spec.env[].valueFrom.fieldRef",
        &["apiVersion"],
        Instead("the version is always v1", "leave it out"),
    ),
    (
        "spec.env[].valueFrom.resourceFieldRef",
        &["containerName"],
        Instead("the worker's own container is meant", "leave it out"),
    ),
    (
        "spec.env[].valueFrom",
        &["fileKeyRef"],
        Instead(
            "a variable does not come from a file",
            "let the worker read the file, or take the value from a Secret or ConfigMap",
        ),
    ),
    (
        "spec.scaling.fallback",
        &["behavior"],
        Instead(
            "KEDA's default applies, which is static: as many pods as replicas says",
            "leave it out; without spec.scaling.fallback the number stays as it is",
        ),
    ),
    (
        "spec.scaling.fallback",
        &["replicaCount", "minReplicas"],
        Called("spec.scaling.fallback.replicas"),
    ),
    (
        "spec.scaling.fallback",
        &["failures", "threshold"],
        Called("spec.scaling.fallback.failureThreshold"),
    ),
    (
        "spec.scaling.behavior.scaleUp",
        &["tolerance"],
        Instead("the autoscaler's own tolerance applies, a tenth", "leave it out"),
    ),
    (
        "spec.scaling.behavior.scaleDown",
        &["tolerance"],
        Instead("the autoscaler's own tolerance applies, a tenth", "leave it out"),
    ),
    (
        "spec.scaling.cron[]",
        &["name", "metricType", "authenticationRef", "type", "metadata"],
        Instead(
            "an entry has a timezone, start, end and replicas, and KEDA's trigger is made of them",
            "leave it out, and write timezone, start, end and replicas in the entry itself",
        ),
    ),
    ("spec.scaling.cron[]", &["timeZone", "tz", "zone"], Called("spec.scaling.cron[].timezone")),
    ("spec.scaling.cron[]", &["schedule", "from", "begin"], Called("spec.scaling.cron[].start")),
    ("spec.scaling.cron[]", &["to", "until", "stop"], Called("spec.scaling.cron[].end")),
    (
        "spec.scaling.cron[]",
        &["duration"],
        Instead("an entry says when it ends", "write end: 0 19 * * 1-5, as five fields of cron"),
    ),
    (
        "spec.disruptionBudget",
        &["unhealthyPodEvictionPolicy", "selector"],
        Instead("this is the same for all services", "leave it out"),
    ),
    (
        "spec.rollout",
        &["rollingUpdate"],
        Instead(
            "maxSurge and maxUnavailable stand right below spec.rollout",
            "remove this line, and the indentation of those below it",
        ),
    ),
    (
        "spec.rollout",
        &["type", "strategy"],
        Instead(
            "pods are always replaced bit by bit (RollingUpdate)",
            "leave it out; maxSurge: 0 with maxUnavailable: 100% stops all pods first, as Recreate \
                does",
        ),
    ),
    (
        "spec.rollout",
        &["minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit", "paused"],
        Instead("this is the same for all services", "leave it out"),
    ),
    (
        "spec.serviceAccount",
        &["name"],
        Instead(
            "each service has a ServiceAccount of its own, with the claim's name, so that no claim \
                takes another's rights",
            "leave it out; a role is bound to the ServiceAccount of the claim's name",
        ),
    ),
    (
        "spec.serviceAccount",
        &["create", "automount", "automountServiceAccountToken", "imagePullSecrets", "secrets"],
        Instead(
            "the ServiceAccount is always made, without a token in its pods",
            "leave it out; pull secrets stand under spec.imagePullSecrets",
        ),
    ),
    (
        "spec.serviceAccount",
        &["labels"],
        Instead("its labels are the platform's", "leave it out; annotations may be given"),
    ),
    (
        "spec.podMetadata",
        &["name", "namespace", "generateName", "finalizers", "ownerReferences"],
        Instead(
            "pods are named after the claim",
            "leave it out; labels and annotations may be given",
        ),
    ),
    (
        "spec.placement",
        &["affinity", "nodeAffinity", "podAffinity", "podAntiAffinity"],
        Instead(
            "where pods run is said by labels of the nodes, and by how they are spread",
            "write nodeSelector: {KEY: VALUE}, topologySpread: {node: soft}, or both; other \
                conditions cannot be said",
        ),
    ),
    (
        "spec.placement",
        &[
            "nodeName",
            "schedulerName",
            "runtimeClassName",
            "hostNetwork",
            "priority",
            "preemptionPolicy",
        ],
        Instead("this is the same for all services", "leave it out"),
    ),
    ("spec.placement", &["arch"], Called("spec.placement.architecture")),
    ("spec.placement", &["priorityClass"], Called("spec.placement.priorityClassName")),
    ("spec.placement", &["topologySpreadConstraints"], SPREAD),
    (
        "spec.placement.topologySpread",
        &[
            "maxSkew",
            "topologyKey",
            "whenUnsatisfiable",
            "labelSelector",
            "minDomains",
            "matchLabelKeys",
            "nodeAffinityPolicy",
            "nodeTaintsPolicy",
        ],
        SPREAD,
    ),
    ("spec.placement.topologySpread", &["zones"], Called("spec.placement.topologySpread.zone")),
    (
        "spec.placement.topologySpread",
        &["host", "hostname", "nodes"],
        Called("spec.placement.topologySpread.node"),
    ),
    (
        "spec.resources",
        &["claims", "resizePolicy"],
        Instead("only CPU and memory can be asked for", "leave it out"),
    ),
    (
        "spec.resources.requests",
        &["ephemeral-storage", "nvidia.com/gpu", "storage"],
        OTHER_RESOURCES,
    ),
    ("spec.resources.limits", &["ephemeral-storage", "nvidia.com/gpu", "storage"], OTHER_RESOURCES),
    (
        "spec.resources",
        &["cpu", "memory"],
        Instead(
            "a figure is a request or a limit",
            "write requests: {cpu: 100m, memory: 256Mi}, limits: {cpu: 500m, memory: 512Mi}, or \
                some of them",
        ),
    ),
    (
        "spec.health",
        &[
            "initialDelaySeconds",
            "periodSeconds",
            "timeoutSeconds",
            "failureThreshold",
            "successThreshold",
            "terminationGracePeriodSeconds",
        ],
        Instead(
            "how often pods are asked is the same for all services",
            "leave it out; how long a start may take is spec.health.startupSeconds",
        ),
    ),
    (
        "spec.health",
        &["tcpSocket", "grpc", "scheme", "httpHeaders", "host"],
        Instead(
            "pods are asked over plain HTTP, or by a command",
            "leave it out, or write http: false and livenessCommand: [...]",
        ),
    ),
    (
        "spec.lifecycle",
        &["postStart"],
        Instead(
            "only what runs before a pod is stopped can be said",
            "let the worker do it when it starts, or spec.initContainer before that",
        ),
    ),
    (
        "spec.lifecycle",
        &["stopSignal"],
        Instead("the image's own signal applies, or SIGTERM", "leave it out"),
    ),
    (
        "spec.lifecycle.preStop",
        &["httpGet", "tcpSocket"],
        Instead(
            "a pod runs a command or waits before it is stopped",
            "write exec: {command: [...]}, or sleep: {seconds: 5}",
        ),
    ),
    ("spec.lifecycle.preStop", &["command"], Called("spec.lifecycle.preStop.exec.command")),
    (
        "spec.lifecycle.preStop",
        &["seconds", "sleepSeconds"],
        Called("spec.lifecycle.preStop.sleep.seconds"),
    ),
    (
        "spec.configMapRefs[]",
        &["optional"],
        Instead("a ConfigMap that is named is always required", "leave it out"),
    ),
    (
        "spec.configMapRefs[]",
        &["prefix"],
        Instead(
            "keys of a whole ConfigMap keep their names",
            "list the keys under env, each with the envName that it shall have",
        ),
    ),
    (
        "spec.configMapRefs[].env[]",
        &["optional"],
        Instead("a key that is named is always required", "leave it out"),
    ),
    (
        "spec.files[].items[]",
        &["mode", "optional"],
        Instead("files are read-only, of mode 0440, and always required", "leave it out"),
    ),
    (
        "spec.files[].items[]",
        &["name", "secretKey", "configMapKey"],
        Called("spec.files[].items[].key"),
    ),
    ("spec.files[].items[]", &["file", "filename", "target"], Called("spec.files[].items[].path")),
    (
        "spec.nats.create.consumer",
        &["durableName", "durable", "name", "streamName"],
        Instead("the names are spec.nats.consumer and spec.nats.stream", "leave it out"),
    ),
    (
        "spec.nats.create.consumer",
        &[
            "ackPolicy",
            "deliverSubject",
            "deliverGroup",
            "replayPolicy",
            "flowControl",
            "heartbeatInterval",
        ],
        Instead(
            "the consumer is a durable pull consumer, and each message is acknowledged on its own",
            "leave it out; make the consumer yourself where it must be another",
        ),
    ),
    (
        "spec.nats.create.consumer",
        &["filterSubjects", "subject", "subjects"],
        Called("spec.nats.create.consumer.filterSubject"),
    ),
    ("spec.nats.create.stream", &["subject"], Called("spec.nats.create.stream.subjects")),
    (
        "spec.nats.create.stream",
        &["name", "streamName"],
        Instead("the name is spec.nats.stream", "leave it out"),
    ),
    (
        "spec.nats.create.stream",
        &["preventDelete", "preventUpdate", "reclaimPolicy"],
        Instead("the stream is made once, and stays when the claim is deleted", "leave it out"),
    ),
    ("spec.health", &["path", "liveness"], Called("spec.health.livenessPath")),
    ("spec.health", &["readiness"], Called("spec.health.readinessPath")),
    (
        "spec.health",
        &["livenessProbe", "readinessProbe", "startupProbe", "exec", "httpGet"],
        PROBES,
    ),
    ("spec.health", &["enabled", "disabled"], Called("spec.health.http")),
    ("spec.nats.credentials", &["name", "secretName"], Called("spec.nats.credentials.secret")),
    ("spec.nats.credentials", &["secretKey", "file"], Called("spec.nats.credentials.key")),
    ("spec.nats.tls", &["name", "secretName"], Called("spec.nats.tls.secret")),
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
