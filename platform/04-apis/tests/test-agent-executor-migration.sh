#!/usr/bin/env bash
# Compares the manifests of agent-executor that were written by hand (tests/fixtures/direct) with what
# examples/agent-executor-claim.yaml becomes, field by field: image, resources, environment, the Secrets of database,
# cache and LLM keys, init container, probes, Service, and KEDA with the nats-headless endpoint. Prints what is the
# same, and each difference with the reason for it.
#
#   platform/04-apis/tests/test-agent-executor-migration.sh
#   platform/04-apis/tests/test-agent-executor-migration.sh --output json    any options of `eds diff`
#   platform/04-apis/tests/test-agent-executor-migration.sh --apply          then also applies the claim, in a namespace
#                                                of its own of the cluster that KUBECONFIG names (the testbed:
#                                                testbed/exec ...), and verifies that what runs is what was compared
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# Works from any directory. Exit 0: every difference has its reason; 1: one has none, or what runs is something else;
# 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"

options=(--output markdown)
apply=false
for option in "$@"; do
  case $option in
    --apply) apply=true ;;
    *) options+=("$option") ;;
  esac
done

claim=$root/platform/04-apis/examples/agent-executor-claim.yaml
direct=${DIRECT:-$root/platform/04-apis/tests/fixtures/direct}
"$EDS" diff "$claim" --against "$direct" --explained "${options[@]}"
if "$apply"; then
  exec "$EDS" verify deployment "$claim"
fi
