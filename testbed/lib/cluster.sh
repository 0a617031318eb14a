# shellcheck shell=bash
# What runs in the cluster: NATS, KEDA, Crossplane and its packages.

# apply_once NAME MANIFEST-FILE: applies it unless this cluster has it already.
# The cluster itself remembers what it was given, so a wiped one starts anew.
apply_once() {
  local hash have
  hash=$(sha256sum <"$2" | cut -c1-16)
  have=$(kc -n kube-system get configmap testbed-applied -o jsonpath="{.data.$1}" 2>/dev/null || true)
  [ "$hash" != "$have" ] || return 0
  # Definitions and namespaces must be there before what uses them, and
  # kubectl gives them no time: a second pass takes what the first could not.
  local try
  for try in 1 2 3 4 5; do
    if kc apply --server-side --force-conflicts -f "$2" >"$LOG/apply-$1.log" 2>&1; then
      kc -n kube-system create configmap testbed-applied --dry-run=client -o yaml |
        kc apply --server-side -f - >/dev/null 2>&1 || true
      kc -n kube-system patch configmap testbed-applied --type=merge -p "{\"data\":{\"$1\":\"$hash\"}}" >/dev/null
      return 0
    fi
    sleep $((try * 2))
  done
  grep -v serverside-applied "$LOG/apply-$1.log" >&2 || true
  die "the API server does not take $1; the manifests are $2"
}

# rolled_out WHAT NAMESPACE KIND/NAME SECONDS
rolled_out() {
  kc -n "$2" rollout status "$3" --timeout="$4s" >/dev/null 2>&1 && return 0
  evidence "$2"
  die "$1 ($3 in namespace $2) was not available within $4 s"
}

# evidence NAMESPACE: what a person would look at first.
evidence() {
  {
    echo "--- pods in $1"
    kc -n "$1" get pods -o wide
    echo "--- latest events in $1"
    kc -n "$1" get events --sort-by=.lastTimestamp | tail -n 12
    local pod
    for pod in $(kc -n "$1" get pods -o json | jq -r '.items[] |
        select(any(.status.conditions[]?; .type == "Ready" and .status == "True") | not) | .metadata.name'); do
      echo "--- the end of the log of $1/$pod"
      kc -n "$1" logs "$pod" --all-containers --tail=12 2>&1
    done
  } >&2 || true
}

# fill FILE: the manifest with this testbed's values.
fill() {
  sed -e "s|VOLUMES|$STATE/volumes|; s|REGISTRY/|$REGISTRY/|" "$1"
}

LEASES=(crossplane-system/crossplane-leader-election-core crossplane-system/crossplane-leader-election-rbac
  keda/operator.keda.sh)

# drop_leases: the leaders of an earlier run are dead, and did not say so. Their
# successors would otherwise wait a minute, looking ready all the while.
drop_leases() {
  local lease
  for lease in "${LEASES[@]}"; do
    kc -n "${lease%%/*}" delete lease "${lease#*/}" --ignore-not-found >/dev/null || true
  done
}

leads() { kc -n "${1%%/*}" get lease "${1#*/}" -o json | jq -e '.spec.holderIdentity != ""'; }

wait_leaders() {
  local lease
  for lease in "${LEASES[@]}"; do
    wait_for 90 "a leader for $lease" leads "$lease" || {
      evidence "${lease%%/*}"
      die "nobody leads $lease after 90 s"
    }
  done
}

apply_nats() {
  mkdir -p "$STATE/volumes/nats-0"
  chown 1000:1000 "$STATE/volumes/nats-0"
  fill "$TESTBED_DIR/manifests/nats/nats.yaml" |
    sed "s|image: nats:latest|image: nats:$(part_image_tag nats)|" >"$ETC/nats.yaml"
  apply_once nats "$ETC/nats.yaml"
}

apply_keda() {
  rm -rf "$ETC/keda"
  mkdir -p "$ETC/keda"
  cp -r "$(part_dir keda)/config" "$ETC/keda/config"
  sed "s/VERSION/$(part_image_tag keda)/" "$TESTBED_DIR/manifests/keda/kustomization.yaml" \
    >"$ETC/keda/kustomization.yaml"
  kubectl kustomize "$ETC/keda" >"$ETC/keda.yaml" || die "KEDA's manifests do not build in $ETC/keda"
  apply_once keda "$ETC/keda.yaml"
}

apply_crossplane() {
  rm -rf "$ETC/crossplane"
  mkdir -p "$ETC/crossplane"
  {
    printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: crossplane-system}\n---\n'
    cat "$CROSSPLANE_INSTALL/install.yaml"
  } >"$ETC/crossplane/install.yaml"
  cp "$TESTBED_DIR/manifests/crossplane/kustomization.yaml" "$ETC/crossplane/"
  kubectl kustomize "$ETC/crossplane" >"$ETC/crossplane.yaml" ||
    die "Crossplane's manifests do not build in $ETC/crossplane"
  apply_once crossplane "$ETC/crossplane.yaml"
}

wait_nats() {
  rolled_out NATS nats statefulset/nats 90
  say "NATS is ready, with JetStream"
}

wait_keda() {
  rolled_out "KEDA's operator" keda deployment/keda-operator 120
  rolled_out "KEDA's metrics adapter" keda deployment/keda-metrics-apiserver 120
  rolled_out "KEDA's admission webhook" keda deployment/keda-admission 120
  kc wait --for=condition=Available apiservice/v1beta1.external.metrics.k8s.io --timeout=60s >/dev/null 2>&1 || {
    kc get apiservice v1beta1.external.metrics.k8s.io >&2
    die "KEDA's metrics API is not available to the API server"
  }
  say "KEDA is ready: operator, metrics API, admission webhook"
}

wait_crossplane() {
  rolled_out Crossplane crossplane-system deployment/crossplane 120
  rolled_out "Crossplane's RBAC manager" crossplane-system deployment/crossplane-rbac-manager 120
  # The webhook configuration fails closed until the init container has run.
  kc wait --for=condition=Established --timeout=60s \
    crd/imageconfigs.pkg.crossplane.io crd/functions.pkg.crossplane.io >/dev/null ||
    die "Crossplane did not install its own definitions"
  fill "$TESTBED_DIR/manifests/packages/image-config.yaml" >"$ETC/image-config.yaml"
  apply_once image-config "$ETC/image-config.yaml"
  say "Crossplane is ready, with its RBAC manager"
}
