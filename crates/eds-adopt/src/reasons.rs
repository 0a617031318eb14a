//! Why a leaf is lost, replaced or added, and what to do: a table by kind and path.
//!
//! Paths within a Deployment's pods begin with what they belong to: `main` (the worker's
//! container), `init` (the one that becomes the claim's init container), `sidecar` and `otherinit`
//! (all others), `pod`. A pattern ending in `*` matches everything with that beginning. The first
//! match counts; a leaf without one is reported all the same.

use serde_json::Value;

/// For what nobody thought of.
pub(super) const GENERAL: (&str, &str) = (
    "what the claim becomes does not say this",
    "if the worker needs it, keep its manifests, or ask for the field",
);

pub(super) const GENERAL_LOST: (&str, Option<&str>) = (GENERAL.0, Some(GENERAL.1));

/// A variable's value that comes from elsewhere, as from a Secret in place of plain text.
pub(super) const OTHER_SOURCE: Reason = (
    "the claim gives the worker this variable from another source",
    Some(
        "see that it has the same value there: in a Secret nothing is put in the place of $(NAME)",
    ),
);

type Reason = (&'static str, Option<&'static str>);
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Kind (empty for all), pattern, what it means, what to do (empty for nothing).
const LOST: &[Row] = &[
    (
        "",
        "metadata.labels.*",
        "what the claim becomes carries the platform's labels only",
        "who selects by this label selects by app.kubernetes.io/name from now on, or by the \
            claim's own labels",
    ),
    (
        "ServiceAccount",
        "metadata.annotations.*",
        "the claim does not say this annotation of the ServiceAccount",
        "workload identity (IRSA and the like) is spec.serviceAccount.annotations",
    ),
    (
        "ServiceAccount",
        "imagePullSecrets*",
        "the pods name their own pull secrets",
        "list it under spec.imagePullSecrets",
    ),
    (
        "ServiceAccount",
        "secrets*",
        "the worker's pods mount no token of the Kubernetes API",
        "a worker that asks the Kubernetes API cannot become a claim yet",
    ),
    (
        "ScaledObject",
        "metadata.annotations.autoscaling.keda.sh/paused*",
        "the claim does not pause scaling; it pauses all of it or nothing",
        "spec.scaling.paused, while it is not to scale",
    ),
    (
        "",
        "metadata.annotations.helm.sh/*",
        "Helm does not run or order what a claim becomes",
        "what a hook did before the start is spec.initContainer's",
    ),
    (
        "",
        "metadata.annotations.argocd.argoproj.io/*",
        "Argo CD sees the claim instead",
        "write it on the claim",
    ),
    (
        "",
        "metadata.annotations.*",
        "annotations are not handed on to what the claim becomes",
        "write it on the claim where a tool reads it there",
    ),
    ("", "metadata.ownerReferences*", "the claim's composite owns what it becomes", ""),
    ("", "metadata.finalizers*", "the claim goes through Crossplane's own finalizers", ""),
    (
        "Deployment",
        "spec.strategy*",
        "pods are replaced as spec.rollout says, a quarter at a time without it",
        "spec.rollout says how many pods may be more or fewer",
    ),
    (
        "Deployment",
        "spec.revisionHistoryLimit",
        "a claim cannot say it; it only bounds how many old ReplicaSets are kept",
        "",
    ),
    ("Deployment", "spec.progressDeadlineSeconds", "a claim cannot say it", ""),
    ("Deployment", "spec.minReadySeconds", "a pod counts as available once it is ready", ""),
    ("Deployment", "spec.paused", "a claim's rollout cannot be held", ""),
    (
        "Deployment",
        "spec.selector*",
        "the claim's Deployment selects by the platform's labels, and a selector cannot be changed",
        "the Deployment is replaced, as the steps say",
    ),
    (
        "Deployment",
        "spec.template.metadata.labels.sidecar.istio.io/*",
        "the claim does not say this label: the mesh's own default holds for these pods",
        "spec.podMetadata.labels takes it",
    ),
    (
        "Deployment",
        "spec.template.metadata.labels.*",
        "the pods carry the platform's labels and those of spec.podMetadata, and this is neither",
        "NetworkPolicies, PodMonitors and dashboards that select by it must select by \
            app.kubernetes.io/name, or the claim says it",
    ),
    (
        "Deployment",
        "spec.template.metadata.annotations.prometheus.io/*",
        "the claim does not say it, so Prometheus no longer finds the pods by annotation",
        "spec.podMetadata.annotations takes it",
    ),
    (
        "Deployment",
        "spec.template.metadata.annotations.platform.bizmatters.io/secrets-version",
        "spec.rollout.restartOnSecretChange is off: the pods start again once, and no longer when \
            a Secret changes",
        "",
    ),
    (
        "Deployment",
        "spec.template.metadata.annotations.checksum/*",
        "a change of the ConfigMap or Secret no longer starts the pods again",
        "spec.rollout.restartOnSecretChange does it for Secrets; after a change of a ConfigMap: \
            kubectl rollout restart deployment",
    ),
    (
        "Deployment",
        "spec.template.metadata.annotations.*",
        "the claim does not say this annotation of the pods; what reads it (service mesh, log \
            agent, reloader) acts by its default",
        "spec.podMetadata.annotations takes what is not Kubernetes' own, or a tool's record",
    ),
    // The worker's container.
    (
        "Deployment",
        "main.command*",
        "the image's own entry point runs instead",
        "spec.command takes it",
    ),
    (
        "Deployment",
        "main.args*",
        "the image's own command runs without these arguments",
        "spec.args takes them",
    ),
    (
        "Deployment",
        "main.workingDir",
        "the image's own working directory holds",
        "make it the image's WORKDIR",
    ),
    (
        "Deployment",
        "main.env[].valueFrom.fieldRef*",
        "the worker does not get this variable",
        "spec.env takes a fieldRef of the pod's name, namespace, labels, annotations, node and \
            addresses",
    ),
    (
        "Deployment",
        "main.env[].valueFrom.resourceFieldRef*",
        "the worker does not get this variable",
        "spec.env takes a resourceFieldRef of the worker's own CPU and memory",
    ),
    (
        "Deployment",
        "main.env[].valueFrom.configMapKeyRef*",
        "the worker does not get this variable",
        "list its key under spec.configMapRefs, or write its value under spec.env",
    ),
    (
        "Deployment",
        "main.env[].*",
        "the worker does not get this variable",
        "look at the comments in the claim's spec.env",
    ),
    (
        "Deployment",
        "main.envFrom[].configMapRef.optional",
        "a claim's ConfigMaps must be there: without it the pod does not start",
        "make the ConfigMap before the claim, or take it out of the claim",
    ),
    (
        "Deployment",
        "main.envFrom[].configMapRef*",
        "the worker does not get these variables",
        "list the ConfigMap under spec.configMapRefs",
    ),
    (
        "Deployment",
        "main.envFrom[].prefix",
        "a claim has no prefix, and the keys are not known",
        "give the Secret or ConfigMap too, or list the variables",
    ),
    (
        "Deployment",
        "main.envFrom[].secretRef.optional",
        "a claim's Secrets must be there: without it the pod does not start",
        "make the Secret before the claim, or take it out of the claim",
    ),
    (
        "Deployment",
        "main.envFrom*",
        "the worker does not get these variables",
        "look at the comments in the claim",
    ),
    (
        "Deployment",
        "main.volumeMounts*",
        "the worker does not find this path: a claim mounts what spec.files lists, and what NATS \
            needs",
        "give Secrets and ConfigMaps under spec.files; for scratch space the container's /tmp is \
            writable",
    ),
    ("Deployment", "main.volumeDevices*", "a claim has no disks", "keep the manifests"),
    (
        "Deployment",
        "main.livenessProbe*",
        "the platform asks what spec.health says: GET of a path, a command where the worker has no \
            HTTP server, or nothing",
        "answer there, or let a command ask (http: false, livenessCommand)",
    ),
    (
        "Deployment",
        "main.readinessProbe*",
        "the platform asks what spec.health says: GET of a path, a command where the worker has no \
            HTTP server, or nothing",
        "answer there, or let a command ask (http: false, readinessCommand)",
    ),
    (
        "Deployment",
        "main.startupProbe*",
        "there is no startup probe: the liveness check must succeed within 40 seconds of the start",
        "spec.health.startupSeconds gives it longer",
    ),
    (
        "Deployment",
        "main.lifecycle*",
        "of this, nothing runs: a claim runs a command or sleeps before the stop (spec.lifecycle)",
        "end cleanly on SIGTERM, within spec.terminationGracePeriodSeconds",
    ),
    (
        "Deployment",
        "main.ports*",
        "the pods name one port, that of spec.health, or none",
        "other ports are reachable, but no Service names them",
    ),
    (
        "Deployment",
        "main.securityContext.readOnlyRootFilesystem",
        "the container may write to its root filesystem",
        "",
    ),
    (
        "Deployment",
        "main.securityContext.*",
        "the pods run as Pod Security restricted asks: not as root, no privileges, all \
            capabilities dropped",
        "the worker must do with that",
    ),
    (
        "Deployment",
        "main.resources.limits.*",
        "the platform limits CPU and memory only: devices and storage are not asked for",
        "keep the manifests where the worker needs them",
    ),
    (
        "Deployment",
        "main.resources.requests.*",
        "the platform asks for CPU and memory only",
        "keep the manifests where the worker needs them",
    ),
    ("Deployment", "main.resources.claims*", "a claim asks for no devices", "keep the manifests"),
    ("Deployment", "main.terminationMessage*", "a claim cannot say it", ""),
    // Init containers.
    (
        "Deployment",
        "init.env*",
        "both containers of a claim have one environment, and the worker's says it differently or \
            not at all",
        "look at the claim's spec.env and spec.secretRefs",
    ),
    (
        "Deployment",
        "init.volumeMounts*",
        "the init container does not find this path: it has the worker's files",
        "give Secrets and ConfigMaps under spec.files",
    ),
    (
        "Deployment",
        "init.*",
        "a claim says command and arguments of its init container; the rest is the worker's",
        "",
    ),
    (
        "Deployment",
        "otherinit.*",
        "a claim has one init container, of the worker's image: this one does not run",
        "do its work in the worker's image (spec.initContainer), or let the worker wait for what \
            it needs",
    ),
    (
        "Deployment",
        "sidecar.*",
        "a claim runs one container: this one does not run beside the worker",
        "let the worker do without it, or keep the manifests",
    ),
    // The pod.
    (
        "Deployment",
        "pod.volumes*",
        "a claim mounts what spec.files lists, and what NATS needs",
        "give Secrets and ConfigMaps under spec.files, or build files into the image",
    ),
    (
        "Deployment",
        "pod.nodeSelector*",
        "the claim does not ask for this label of a node",
        "spec.placement.nodeSelector takes it",
    ),
    (
        "Deployment",
        "pod.affinity*",
        "a claim chooses nodes by labels, and spreads pods over zones and nodes; the rest is the \
            scheduler's",
        "spec.placement says nodeSelector and topologySpread",
    ),
    (
        "Deployment",
        "pod.tolerations*",
        "the claim does not tolerate this taint",
        "spec.placement.tolerations takes those with a key, but the control plane's",
    ),
    (
        "Deployment",
        "pod.topologySpreadConstraints*",
        "a claim spreads its own pods evenly over zones and nodes, and says no more of it",
        "spec.placement.topologySpread is the nearest",
    ),
    (
        "Deployment",
        "pod.priorityClassName",
        "the namespace's or the cluster's default priority holds",
        "spec.placement.priorityClassName takes those that are not the system's",
    ),
    (
        "Deployment",
        "pod.runtimeClassName",
        "the node's own runtime runs the pods",
        "keep the manifests",
    ),
    (
        "Deployment",
        "pod.hostAliases*",
        "the pods know names by DNS alone",
        "make a Service (ExternalName, or with Endpoints) of that name",
    ),
    (
        "Deployment",
        "pod.hostNetwork",
        "the pods have a network of their own",
        "the worker must do without the node's",
    ),
    (
        "Deployment",
        "pod.host*",
        "the pods see nothing of their node",
        "the worker must do without it",
    ),
    (
        "Deployment",
        "pod.securityContext.fsGroup*",
        "files are the worker's group's, 1000, where a claim has any",
        "",
    ),
    (
        "Deployment",
        "pod.securityContext.*",
        "the pods run as Pod Security restricted asks",
        "the worker must do with that",
    ),
    (
        "Deployment",
        "pod.automountServiceAccountToken",
        "the pods mount no token of the Kubernetes API",
        "a worker that asks the Kubernetes API cannot become a claim yet",
    ),
    ("Deployment", "pod.dns*", "the cluster's own DNS settings hold", ""),
    (
        "Deployment",
        "pod.enableServiceLinks",
        "variables for every Service of the namespace are set",
        "none, unless the worker takes one of them for its own",
    ),
    (
        "Deployment",
        "pod.imagePullSecrets*",
        "the platform names the claim's pull secrets only",
        "list it under spec.imagePullSecrets",
    ),
    (
        "Service",
        "spec.ports*",
        "the claim's Service offers the port of spec.health, named http",
        "call it there; keep a Service of your own for other ports",
    ),
    ("Service", "spec.selector*", "the claim's Service selects by the platform's labels", ""),
    (
        "Service",
        "spec.*",
        "the claim's Service is a plain one of the cluster: ClusterIP, one port",
        "keep a Service of your own, of another name, beside the claim where something needs this",
    ),
    (
        "ScaledObject",
        "spec.triggers[].authenticationRef*",
        "KEDA asks NATS' monitoring without credentials",
        "monitoring must answer the platform without a login",
    ),
    (
        "ScaledObject",
        "spec.triggers[].metadata.useHttps",
        "KEDA asks NATS' monitoring over http, as the claim's endpoint says",
        "spec.nats.monitoringEndpoint begins with https:// where monitoring is served over TLS",
    ),
    (
        "ScaledObject",
        "spec.triggers[].*",
        "a claim scales by the lag of its consumer and by times of day (spec.scaling.cron): this \
            no longer counts",
        "choose minReplicas and maxReplicas so that these suffice",
    ),
    (
        "ScaledObject",
        "spec.fallback.behavior",
        "KEDA's behavior static holds: while it cannot read the lag, as many pods run as \
            spec.scaling.fallback.replicas says, however many ran before",
        "choose spec.scaling.fallback.replicas so that they suffice",
    ),
    (
        "ScaledObject",
        "spec.fallback*",
        "without spec.scaling.fallback the number of pods stays what it is when KEDA cannot read \
            the lag",
        "spec.scaling.fallback takes failureThreshold and replicas",
    ),
    (
        "ScaledObject",
        "spec.advanced*",
        "of this, Kubernetes' and KEDA's own defaults hold",
        "spec.scaling.behavior takes the autoscaler's behavior",
    ),
    (
        "PodDisruptionBudget",
        "spec.*",
        "the claim's PodDisruptionBudget says minAvailable or maxUnavailable, of its own pods",
        "spec.disruptionBudget takes either",
    ),
    (
        "ScaledObject",
        "spec.idleReplicaCount",
        "a claim has no idle number: below activationLagThreshold it goes to minReplicas",
        "minReplicas: 0 lets it sleep",
    ),
    ("ScaledObject", "spec.initialCooldownPeriod", "a claim does not say it", ""),
    ("ScaledObject", "spec.pollingInterval", "a claim does not say it", ""),
    ("ScaledObject", "spec.cooldownPeriod", "a claim does not say it", ""),
    (
        "ScaledObject",
        "spec.scaleTargetRef.envSourceContainerName",
        "the trigger reads no variables of the container",
        "",
    ),
];

const REPLACED: &[Row] = &[
    ("", "metadata.name", "renamed: who speaks of the old name must speak of the new one", ""),
    ("", "metadata.namespace", "the claim is in another namespace", ""),
    (
        "",
        "metadata.labels.*",
        "the platform sets this label itself",
        "who selects by the old value must select by the new one",
    ),
    ("", "apiVersion", "the platform writes this version", ""),
    (
        "ServiceAccount",
        "automountServiceAccountToken",
        "the pods mount no token of the Kubernetes API",
        "a worker that asks the Kubernetes API cannot become a claim yet",
    ),
    (
        "Deployment",
        "spec.selector*",
        "the claim's Deployment selects by the platform's labels, and a selector cannot be changed",
        "the Deployment is replaced, as the steps say",
    ),
    (
        "Deployment",
        "spec.template.metadata.labels.*",
        "the platform sets this label itself",
        "who selects by the old value must select by the new one",
    ),
    (
        "Deployment",
        "main.name",
        "the worker's container is always called main",
        "kubectl logs -c main, and log queries by container",
    ),
    ("Deployment", "init.name", "the init container is always called init", "kubectl logs -c init"),
    (
        "Deployment",
        "main.resources.*",
        "this figure is the size's: spec.resources does not say another",
        "look whether the namespace's quota bears it",
    ),
    (
        "Deployment",
        "init.resources.*",
        "the init container has the worker's figures; a pod asks for the larger of both, so it \
            costs nothing",
        "",
    ),
    ("Deployment", "init.env*", "both containers of a claim have one environment", ""),
    (
        "Deployment",
        "main.livenessProbe.httpGet*",
        "the platform asks by GET the path and port of spec.health",
        "answer there",
    ),
    (
        "Deployment",
        "main.readinessProbe.httpGet*",
        "the platform asks by GET the path and port of spec.health",
        "answer there",
    ),
    (
        "Deployment",
        "main.livenessProbe*",
        "the platform's figures: after 10 s, every 10 s, 5 s to answer, 3 failures restart the \
            container",
        "",
    ),
    (
        "Deployment",
        "main.readinessProbe*",
        "the platform's figures: after 5 s, every 5 s, 3 s to answer, 2 failures take the pod out",
        "",
    ),
    (
        "Deployment",
        "main.startupProbe*",
        "the platform's figures: it asks every 5 s, for as long as spec.health.startupSeconds says",
        "",
    ),
    (
        "Deployment",
        "main.ports[].name",
        "the worker's port is named http",
        "who calls it by name calls http",
    ),
    (
        "Deployment",
        "main.ports*",
        "the worker's port is that of spec.health, named http",
        "listen on it",
    ),
    ("Deployment", "main.volumeMounts[].name", "the platform names the volumes", ""),
    ("Deployment", "init.volumeMounts[].name", "the platform names the volumes", ""),
    (
        "Deployment",
        "main.volumeMounts*",
        "files of Secrets and ConfigMaps are read-only",
        "write elsewhere, as below /tmp",
    ),
    ("Deployment", "pod.volumes[].name", "the platform names the volumes", ""),
    ("Deployment", "pod.volumes[].secret.items*", "as spec.files lists it", ""),
    ("Deployment", "pod.volumes[].configMap.items*", "as spec.files lists it", ""),
    (
        "Deployment",
        "pod.volumes*",
        "files are readable for the worker's group, 1000, and for nobody else (0440)",
        "",
    ),
    (
        "Deployment",
        "main.command*",
        "the claim says it differently: spec.command",
        "see that the worker is started as it needs",
    ),
    (
        "Deployment",
        "main.args*",
        "the claim says it differently: spec.args",
        "see that the worker is started as it needs",
    ),
    (
        "Deployment",
        "pod.topologySpreadConstraints*",
        "a claim spreads its pods evenly: never more than one apart",
        "",
    ),
    ("Deployment", "spec.strategy*", "as spec.rollout says", ""),
    (
        "PodDisruptionBudget",
        "spec.unhealthyPodEvictionPolicy",
        "a pod that is not ready may always be evicted: it does no work",
        "",
    ),
    (
        "PodDisruptionBudget",
        "spec.selector*",
        "the claim's PodDisruptionBudget finds the pods by the platform's labels",
        "",
    ),
    (
        "Deployment",
        "main.imagePullPolicy",
        "Always for latest or no tag, else IfNotPresent",
        "give images that change a tag of their own",
    ),
    (
        "Deployment",
        "main.env[].value",
        "the claim says another value for this variable",
        "look at the comments in the claim",
    ),
    (
        "Deployment",
        "main.securityContext.*",
        "the pods run as Pod Security restricted asks",
        "the worker must do with that",
    ),
    (
        "Deployment",
        "init.securityContext.*",
        "the pods run as Pod Security restricted asks",
        "the init container must do with that",
    ),
    (
        "Deployment",
        "init.*",
        "the init container runs the worker's image with the worker's environment",
        "",
    ),
    (
        "Deployment",
        "pod.serviceAccount*",
        "the worker runs as a ServiceAccount of its own, of the claim's name",
        "rights that were given to the old one must be given to the new one",
    ),
    ("Deployment", "pod.securityContext.fsGroup", "files are the worker's group's, 1000", ""),
    (
        "Deployment",
        "pod.securityContext.runAsUser",
        "the pods run as user 1000",
        "files of the image must be readable for it",
    ),
    (
        "Deployment",
        "pod.securityContext.*",
        "the pods run as Pod Security restricted asks",
        "the worker must do with that",
    ),
    (
        "Deployment",
        "pod.terminationGracePeriodSeconds",
        "a claim takes from 1 s to a day",
        "let the worker end within the time there is",
    ),
    (
        "Service",
        "spec.ports*",
        "the claim's Service offers the port of spec.health, named http",
        "call it there",
    ),
    ("Service", "spec.selector*", "the claim's Service selects by the platform's labels", ""),
    (
        "Service",
        "spec.clusterIP*",
        "the claim's Service has an address of the cluster's; a headless one has to be made again",
        "keep a headless Service of your own, of another name, where pods are asked for by DNS",
    ),
    (
        "Service",
        "spec.type",
        "the claim's Service is reachable in the cluster only",
        "keep a Service of your own, of another name, for the outside",
    ),
    (
        "ScaledObject",
        "spec.advanced.horizontalPodAutoscalerConfig.name",
        "KEDA's HorizontalPodAutoscaler has the claim's name",
        "",
    ),
    ("ScaledObject", "spec.scaleTargetRef.name", "the claim's Deployment is scaled", ""),
    (
        "ScaledObject",
        "spec.triggers[].metadata.account",
        "$SYS has no JetStream: a trigger there finds no consumer",
        "",
    ),
    (
        "ScaledObject",
        "spec.triggers[].metadata.stream",
        "as the claim's spec.nats.stream says, with its comment",
        "see that the stream is the one that the worker reads",
    ),
    (
        "ScaledObject",
        "spec.triggers[].metadata.consumer",
        "as the claim's spec.nats.consumer says, with its comment",
        "see that the consumer is the one that the worker reads",
    ),
    (
        "ScaledObject",
        "spec.triggers[].metadata.natsServerMonitoringEndpoint",
        "KEDA asks the platform's NATS only",
        "see that the stream is there",
    ),
    ("ScaledObject", "spec.maxReplicaCount", "a claim's largest number is another", ""),
];

const ADDED: &[Row] = &[
    ("", "metadata.labels.*", "the platform's labels are on everything that a claim becomes", ""),
    ("", "apiVersion", "the claim makes this object; the manifests had none", ""),
    ("", "kind", "the claim makes this object; the manifests had none", ""),
    ("", "metadata.name", "the claim makes this object; the manifests had none", ""),
    ("", "metadata.namespace", "the claim makes this object; the manifests had none", ""),
    (
        "ServiceAccount",
        "automountServiceAccountToken",
        "the pods mount no token of the Kubernetes API",
        "a worker that asks the Kubernetes API cannot become a claim yet",
    ),
    (
        "Deployment",
        "spec.template.metadata.annotations.platform.bizmatters.io/secrets-version",
        "spec.rollout.restartOnSecretChange is on: the pods start again once, and from then on at \
            each change of a Secret that the claim names",
        "",
    ),
    ("Deployment", "spec.selector*", "the claim's Deployment selects by the platform's labels", ""),
    ("Deployment", "spec.template.metadata.labels.*", "the platform's labels are on the pods", ""),
    (
        "Deployment",
        "spec.template.spec.securityContext.runAsUser",
        "the pods run as user 1000",
        "the image must not need another user",
    ),
    (
        "Deployment",
        "spec.template.spec.securityContext*",
        "the pods run as Pod Security restricted asks",
        "the image must not run as root",
    ),
    (
        "Deployment",
        "spec.template.spec.serviceAccountName",
        "the worker runs as a ServiceAccount of its own",
        "rights that were given to another must be given to it",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].securityContext*",
        "no privileges, all capabilities dropped",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].livenessProbe*",
        "the container is restarted where this fails three times",
        "the worker must answer there, or the claim says otherwise: spec.health",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].readinessProbe*",
        "the pod counts as not ready where this fails",
        "the worker must answer there, or the claim says otherwise: spec.health",
    ),
    (
        "Deployment",
        "spec.template.spec.topologySpreadConstraints*",
        "pods are spread evenly as spec.placement says, counted by the platform's labels",
        "",
    ),
    ("Deployment", "spec.template.spec.nodeSelector*", "spec.placement asks for it", ""),
    (
        "Deployment",
        "spec.template.spec.imagePullSecrets*",
        "the pods name the pull secrets of spec.imagePullSecrets",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].startupProbe*",
        "the other checks begin when this one has succeeded: spec.health.startupSeconds",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].volumeMounts*",
        "files of the claim, read-only",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.volumes*",
        "files of the claim, for the worker's group alone (0440)",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.securityContext.fsGroup",
        "the files belong to the worker's group",
        "",
    ),
    ("Deployment", "spec.strategy*", "as spec.rollout says", ""),
    (
        "Deployment",
        "spec.template.spec.containers[].resources.limits*",
        "a pod that needs more memory is killed, more CPU is slowed down",
        "look what the worker needs at most",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].resources*",
        "the size asks for it",
        "look whether the namespace's quota bears it",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].ports*",
        "the port that probes and Service ask",
        "the worker must listen on it, or the claim says otherwise: spec.health",
    ),
    (
        "Deployment",
        "spec.template.spec.containers[].env*",
        "the platform gives the worker its NATS settings, and both containers one environment",
        "",
    ),
    (
        "Deployment",
        "spec.template.spec.initContainers*",
        "the init container has the worker's environment, figures and restrictions",
        "",
    ),
    (
        "Service",
        "spec.selector*",
        "the claim's Service finds the pods by the platform's labels",
        "",
    ),
    ("Service", "*", "the claim's Service: ClusterIP, the port of spec.health", ""),
    (
        "PodDisruptionBudget",
        "spec.unhealthyPodEvictionPolicy",
        "a pod that is not ready may always be evicted: it does no work",
        "",
    ),
    ("PodDisruptionBudget", "*", "the claim's PodDisruptionBudget: spec.disruptionBudget", ""),
    ("Consumer", "*", "the claim lets NACK look after its consumer: spec.nats.create", ""),
    ("Stream", "*", "the claim lets NACK make its stream: spec.nats.create", ""),
    (
        "ScaledObject",
        "spec.advanced.horizontalPodAutoscalerConfig.name",
        "KEDA's own name for it would be too long for long claims, so it has the claim's",
        "",
    ),
    (
        "ScaledObject",
        "*",
        "KEDA scales by the consumer's lag",
        "the stream and its consumer must be there before the claim",
    ),
];

fn find(rows: &[Row], kind: &str, place: &str) -> Option<Reason> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => place.starts_with(start),
        None => place == pattern,
    };
    let (_, _, why, todo) =
        rows.iter().find(|(of, pattern, ..)| (of.is_empty() || *of == kind) && fits(pattern))?;
    Some((why, Some(*todo).filter(|todo| !todo.is_empty())))
}

pub(crate) fn lost(kind: &str, place: &str) -> Option<Reason> {
    find(LOST, kind, place)
}

pub(crate) fn replaced(kind: &str, place: &str) -> Option<Reason> {
    find(REPLACED, kind, place)
}

pub(crate) fn added(kind: &str, place: &str) -> Option<Reason> {
    find(ADDED, kind, place)
}

/// Says why a leaf is not a person's: `kubectl get -o yaml` shows what the API server and
/// controllers wrote.
pub(crate) fn server(kind: &str, pattern: &str, value: Option<&Value>) -> Option<&'static str> {
    const METADATA: [&str; 8] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "selfLink",
        "managedFields",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    const ANNOTATIONS: [&str; 6] = [
        "kubectl.kubernetes.io/last-applied-configuration",
        "deployment.kubernetes.io/",
        "autoscaling.alpha.kubernetes.io/",
        "meta.helm.sh/",
        "pv.kubernetes.io/",
        "volume.kubernetes.io/",
    ];
    let begins = |start: &str| {
        let rest = pattern.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if begins("status") {
        return Some("its state, as it was when somebody asked");
    }
    if let Some(field) = pattern.strip_prefix("metadata.") {
        let first = field.split(['.', '[']).next().unwrap_or_default();
        if METADATA.contains(&first) {
            return Some("the API server's own record of the object");
        }
        if let Some(key) = field.strip_prefix("annotations.") {
            let known = ANNOTATIONS.iter().any(|start| key.starts_with(start));
            return known.then_some("a tool's or controller's own record");
        }
        if first == "finalizers" && value.and_then(Value::as_str) == Some("finalizer.keda.sh") {
            return Some("KEDA's own");
        }
        if field == "labels.scaledobject.keda.sh/name" {
            return Some("KEDA's own");
        }
    }
    match (kind, pattern) {
        (_, "spec.template.metadata.creationTimestamp") => {
            Some("the API server's own record of the object")
        }
        (_, "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt") => {
            Some("left by kubectl rollout restart")
        }
        ("Service", _) => {
            let address = begins("spec.clusterIP") || begins("spec.clusterIPs");
            let headless = value.and_then(Value::as_str) == Some("None");
            let chosen = begins("spec.ipFamilies") || pattern == "spec.ports[].nodePort";
            (address && !headless || chosen).then_some("the cluster's own choice")
        }
        ("ServiceAccount", _) if begins("secrets") => Some("the cluster's own token"),
        _ => None,
    }
}
