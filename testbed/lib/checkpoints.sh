# shellcheck shell=bash
# The plan's checkpoints (its task 25): every script of the plan in sequence, against a cluster that is up.
# Each is one row: the plan's tasks, what was verified, how it ended, seconds.

CHECKPOINTS=()

# checkpoint TASKS WHAT NAME COMMAND...: the command runs as `run NAME` does; its last tally is shown.
checkpoint() {
  local tasks=$1 what=$2 name=$3 start ended=passed tally
  start=$(date +%s)
  shift 3
  run "$name" "$@"
  [ "$STATUS" = 0 ] || ended="**failed**"
  local tallies='[0-9]+ (checks: [0-9]+ passed, [0-9]+ failed|steps, all as promised|passed[,;] [0-9]+ failed)'
  tally=$(grep -oE "$tallies" "$LOG/test/$name.log" | tail -n 1 || true)
  CHECKPOINTS+=("$(jq -nc --arg tasks "$tasks" --arg what "$what" --arg ended "$ended" --arg tally "$tally" \
    --argjson seconds "$(($(date +%s) - start))" '
    {tasks: $tasks, what: $what, result: ($ended + if $tally == "" then "" else ": " + $tally end),
     seconds: $seconds}')")
}

# not_run TASKS WHAT WHY: loudly, and a row of its own.
not_run() {
  warn "NOT RUN: task $1, $2: $3"
  CHECKPOINTS+=("$(jq -nc --arg tasks "$1" --arg what "$2" --arg why "$3" '
    {tasks: $tasks, what: $what, result: ("NOT RUN: " + $why), seconds: 0}')")
}

# run_checkpoints WORKER: all of them, in the plan's order.
run_checkpoints() {
  local tests=$REPO_DIR/platform/04-apis/tests
  checkpoint 0 "the prerequisites: NATS with JetStream, KEDA, Crossplane, provider-kubernetes" \
    prerequisites "$TESTBED_DIR/exec" "$EDS" doctor
  if [[ " ${EDS_TESTBED_WITHOUT:-} " == *" argocd "* ]]; then
    not_run 1 "Argo CD installs the layer" "EDS_TESTBED_WITHOUT leaves it out"
  elif part_built argocd; then
    checkpoint 1 "Argo CD installs the layer and keeps it so, sync wave 1, prune and self-heal" \
      argocd "$TESTBED_DIR/proofs/argocd" "$1"
  else
    not_run 1 "Argo CD installs the layer" "testbed/build-parts argocd builds that part"
  fi
  checkpoint "2, 4, 24.1" "the published schema is what the XRD says" \
    publish-schema "$REPO_DIR/scripts/publish-schema.sh" --check
  checkpoint "5, 6" "every example is a valid claim" \
    validate-claim "$REPO_DIR/scripts/validate-claim.sh" "$REPO_DIR"/platform/04-apis/examples/*.yaml
  checkpoint "8, 9" "checkpoint 1: the schema's test suite, valid and invalid claims" \
    schema-validation "$tests/schema-validation.test.sh"
  checkpoint "3, 10, 11" "checkpoint 2: the Composition and its four templates" \
    verify-composition "$TESTBED_DIR/exec" "$tests/verify-composition.sh"
  checkpoint "12, 13" "checkpoint 3: the minimal claim becomes four resources" \
    minimal "$TESTBED_DIR/exec" "$tests/test-minimal-deployment.sh" --ready
  checkpoint "14, 15" "checkpoint 4: the full claim: sizes, Secrets, init container, pull secrets" \
    full "$TESTBED_DIR/exec" "$tests/test-full-deployment.sh"
  checkpoint "16, 17" "checkpoint 5: what KEDA is told, and what it sees" \
    keda "$TESTBED_DIR/exec" "$tests/verify-keda-config.sh"
  checkpoint "18, 19" "checkpoint 6: agent-executor's own manifests, field by field" \
    agent-executor-migration "$TESTBED_DIR/exec" "$tests/test-agent-executor-migration.sh" --apply
  checkpoint 19 "checkpoint 6: the migration itself under load, and back" migration "$TESTBED_DIR/proofs/migration" "$1"
  checkpoint "20, 21" "checkpoint 7: messages are processed, /health and /ready answer" \
    functional "$TESTBED_DIR/exec" "$tests/test-functional.sh"
  checkpoint "22, 23" "checkpoint 8: 50 messages scale up and down again" \
    autoscaling "$TESTBED_DIR/exec" "$tests/test-autoscaling.sh"
  checkpoint 24 "the workflow validates a pull request's claims" \
    workflow cargo test --manifest-path "$REPO_DIR/Cargo.toml" --locked --workspace --test workflow
  checkpoint "7, 7.1" "every command and example of the documentation works" \
    readme cargo test --manifest-path "$REPO_DIR/Cargo.toml" --locked --workspace --test readme
}

# print_checkpoints: the table, as Markdown.
print_checkpoints() {
  printf '%s\n' "${CHECKPOINTS[@]}" | jq -rs '
        "| task | verified | result | seconds |", "|---|---|---|---|",
        (.[] | "| \(.tasks) | \(.what) | \(.result) | \(.seconds) |")'
}

# record_checkpoints FILE: with the date and the versions of what they ran on.
record_checkpoints() {
  local crossplane kubernetes
  crossplane=$(awk '$1 == "crossplane" {print $2}' "$TESTBED_DIR/parts/tools.pins")
  kubernetes=$(kc version -o json | jq -r .serverVersion.gitVersion)
  printf '%s\n' "${CHECKPOINTS[@]}" | jq -s --arg date "$(date -u +%F)" \
    --arg commit "$(git -C "$REPO_DIR" rev-parse --short HEAD)" --arg kubernetes "$kubernetes" \
    --arg crossplane "$crossplane" --arg keda "$(part_version keda)" --arg nats "$(part_version nats)" \
    '{date: $date, commit: $commit,
      versions: {Kubernetes: $kubernetes, Crossplane: $crossplane, KEDA: $keda, "nats-server": $nats},
      checkpoints: .}' >"$1"
}
