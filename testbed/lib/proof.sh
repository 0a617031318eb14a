# shellcheck shell=bash
# What the proofs share: a namespace of their own, a claim in it, what the claim
# says, and evidence when it does not say what it should.
#
# A proof calls `begin NAME`, then steps. `must SECONDS WHAT COMMAND...` waits
# for a command to succeed and ends the proof with evidence when it does not.
# shellcheck source=testbed/lib/load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"

CLAIMS=eventdrivenservices.platform.bizmatters.io
COMPOSITES=xeventdrivenservices.platform.bizmatters.io
# shellcheck disable=SC2034 # read by the proofs
OBJECTS=objects.kubernetes.crossplane.io

# begin NAME: namespace, stream and consumer, which are gone again at the end.
begin() {
  need_node
  kc get crd "$CLAIMS" >/dev/null 2>&1 || die "the API is not installed: run testbed/up"
  RUN_ID=$(date +%H%M%S)-$$
  NAMESPACE=eds-$1-$RUN_ID
  STREAM=$(tr '[:lower:]-' '[:upper:]_' <<<"$NAMESPACE")
  SUBJECT=$NAMESPACE
  EVIDENCE=$(mktemp -d "${TMPDIR:-/tmp}/$NAMESPACE.XXXXXX")
  trap finish EXIT
  trap 'exit 130' INT TERM
  kc create namespace "$NAMESPACE" >/dev/null
  kc label namespace "$NAMESPACE" app.kubernetes.io/managed-by=eds pod-security.kubernetes.io/enforce=restricted >/dev/null
  stream_with_consumer "$STREAM" "$SUBJECT" worker
  PASSED=0
}

finish() {
  local status=$?
  trap - EXIT INT TERM
  [ "$(type -t put_back)" != function ] || put_back || true
  if [ $status != 0 ]; then
    collect >"$EVIDENCE/evidence.txt" 2>&1 || true
    head -n 60 "$EVIDENCE/evidence.txt" >&2
    echo "all of the evidence is kept in $EVIDENCE" >&2
  else
    rm -rf "$EVIDENCE"
    say "$PASSED steps, all as promised"
  fi
  kc -n "$NAMESPACE" delete "$CLAIMS" --all --wait=true --timeout=90s >/dev/null 2>&1 || true
  kc delete namespace "$NAMESPACE" --wait=false >/dev/null 2>&1 || true
  delete_stream "$STREAM"
  exit $status
}

collect() {
  echo "--- claims"
  kc -n "$NAMESPACE" get "$CLAIMS" -o yaml
  echo "--- composites"
  kc get "$COMPOSITES" -l "crossplane.io/claim-namespace=$NAMESPACE" -o yaml
  echo "--- in $NAMESPACE"
  kc -n "$NAMESPACE" get serviceaccounts,deployments,services,scaledobjects.keda.sh,hpa,pods -o wide
  kc -n "$NAMESPACE" get scaledobjects.keda.sh -o json | jq -c '.items[].status.conditions'
  evidence "$NAMESPACE"
  EDS_LOG_LINES=15 "$TESTBED_DIR/logs" crossplane 2>&1
  EDS_LOG_LINES=8 "$TESTBED_DIR/logs" function-event 2>&1
  EDS_LOG_LINES=8 "$TESTBED_DIR/logs" provider-kubernetes 2>&1
  EDS_LOG_LINES=15 "$TESTBED_DIR/logs" keda-operator 2>&1
}

failed() {
  printf '%sfailed:%s %s\n' "$RED" "$PLAIN" "$*" >&2
  exit 1
}

# passed SENTENCE: one promise was kept.
passed() {
  PASSED=$((PASSED + 1))
  printf '%sok%s   %s\n' "$GREEN" "$PLAIN" "$*"
}

# must SECONDS WHAT COMMAND...: EDS_PROOF_PATIENCE times as long on a machine that is busy with other work.
must() {
  local limit=$(($1 * ${EDS_PROOF_PATIENCE:-1}))
  wait_for "$limit" "${@:2}" || failed "not within $limit s: $2"
}

# The worker image of every proof; `use_worker FILE` puts a static binary there.
WORKER_IMAGE=registry.example.com/proofs/worker:1.0.0
use_worker() { image_to_registry "$WORKER_IMAGE" /agent-executor "$1=/agent-executor"; }

# use_eds: what `eds` below runs; built unless EDS names it.
use_eds() {
  # shellcheck disable=SC2034 # scripts/eds.sh reads it
  local root=$REPO_DIR
  # shellcheck source=scripts/eds.sh
  . "$REPO_DIR/scripts/eds.sh"
}
# eds STATUS TEXT ARGUMENT...: it ends with this status, and prints the text.
eds() {
  local status=0 expect=$1 text=$2
  shift 2
  in_node env KUBECONFIG="$ADMIN_CONF" "$EDS" "$@" >"$EVIDENCE/eds.out" 2>&1 || status=$?
  if [ $status != "$expect" ] || ! grep -qF -- "$text" "$EVIDENCE/eds.out"; then
    cat "$EVIDENCE/eds.out" >&2
    failed "eds $1 $2 ended with $status instead of $expect, or did not say: $text"
  fi
  passed "eds $1 $2: $(grep -F -m 1 -- "$text" "$EVIDENCE/eds.out" | sed 's/^ *//')"
}

# eds_soon SECONDS STATUS TEXT ARGUMENT...: the same of a command that only looks, and may look before
# KEDA, the autoscaler or a kubelet has.
eds_soon() {
  must "$1" "eds $4 $5 to end with $2 and say: $3" looked "${@:2}"
  passed "eds $4 $5: $(grep -F -m 1 -- "$3" "$EVIDENCE/eds.out" | sed 's/^ *//')"
}
looked() {
  local status=0 expect=$1 text=$2
  shift 2
  in_node env KUBECONFIG="$ADMIN_CONF" "$EDS" "$@" >"$EVIDENCE/eds.out" 2>&1 || status=$?
  [ $status = "$expect" ] && grep -qF -- "$text" "$EVIDENCE/eds.out"
}

# claim NAME [JQ-PATCH]: a claim for the worker, changed by a jq expression.
claim() {
  jq -n --arg name "$1" --arg ns "$NAMESPACE" --arg image "$WORKER_IMAGE" --arg stream "$STREAM" '
        {apiVersion: "platform.bizmatters.io/v1alpha1", kind: "EventDrivenService",
         metadata: {name: $name, namespace: $ns},
         spec: {image: $image, size: "small", nats: {stream: $stream, consumer: "worker"},
                scaling: {pollingInterval: 5, cooldownPeriod: 10}}}' | jq "${2:-.}"
}
apply_claim() { claim "$@" | kc apply -f - >/dev/null || failed "the API server refuses the claim $1"; }
# An unpublished claim must be gone before its name is used again.
end_claim() { kc -n "$NAMESPACE" delete "$CLAIMS" "$1" --timeout=90s >/dev/null || failed "the claim $1 was not deleted within 90 s"; }

claim_json() { kc -n "$NAMESPACE" get "$CLAIMS" "$1" -o json; }
# condition NAME TYPE STATUS [REASON]
condition() {
  claim_json "$1" | jq -e --arg t "$2" --arg s "$3" --arg r "${4:-}" \
    '.status.conditions[]? | select(.type == $t and .status == $s and ($r == "" or .reason == $r))'
}
ready() { condition "$1" Ready True; }
# says NAME REASON TEXT: the claim is not Ready, for this reason, and its sentence holds the text.
says() {
  claim_json "$1" | jq -e --arg r "$2" --arg t "$3" '
        ([.status.conditions[]? | select(.type == "Ready" and .status == "False")] | length == 1) and
        ([.status.conditions[]? | select(.type == "WorkerAvailable" and .status == "False" and ($r == "" or .reason == $r))] | length == 1) and
        (.status.message // "" | contains($t))'
}
message() { claim_json "$1" | jq -r '.status.message // ""'; }
deployment() { kc -n "$NAMESPACE" get deployment "$1" -o json; }
available() { deployment "$1" | jq -e '(.status.availableReplicas // 0) >= (.spec.replicas // 1) and .spec.replicas > 0 and .status.observedGeneration == .metadata.generation and .status.updatedReplicas == .spec.replicas and .status.replicas == .spec.replicas'; }
replicas() { deployment "$1" | jq -r '.spec.replicas'; }
replicas_are() { [ "$(replicas "$1")" = "$2" ]; }

# becomes_ready NAME SECONDS: pods available, then Ready within 15 s of that.
becomes_ready() {
  must "${2:-120}" "the pods of $1 to be available" available "$1"
  local at
  at=$(date +%s)
  must 15 "the claim $1 to be Ready after its pods are available" ready "$1"
  passed "$1 is Ready, $(($(date +%s) - at)) s after its pods were available"
}

# publish N: N messages into the proof's stream, each of which the reference worker works on for ten
# minutes: longer than a proof needs the lag, also on a busy machine.
publish() {
  local i
  for i in $(seq "$1"); do nats_ok "$SUBJECT" "{\"task\":\"message $i\",\"work_ms\":600000}" || failed "NATS does not take a message"; done
}
purge() { nats_ok "\$JS.API.STREAM.PURGE.$STREAM" ''; }
