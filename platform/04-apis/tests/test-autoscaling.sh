#!/usr/bin/env bash
# Deploys the reference worker by a claim, publishes 50 messages at once, records lag, replicas and ready
# replicas every second, and verifies that the replicas go up from 1 to several and follow the depth, that
# every message is processed once in effect, and that they go down to minReplicas again. Writes
# report.json and plot.svg.
#
#   platform/04-apis/tests/test-autoscaling.sh
#   platform/04-apis/tests/test-autoscaling.sh --messages 5000 --concurrency 5 --work-ms 500 --report DIR
#                                                any options of `eds verify autoscaling`
#   platform/04-apis/tests/test-autoscaling.sh --min-replicas 0
#   KUBECONFIG=... platform/...                  on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# Works from any directory. Namespace, stream and consumer go on every exit; evidence is kept on failure.
# Exit 0: all is as it should be; 1: something is not; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify autoscaling "$@"
