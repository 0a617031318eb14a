#!/usr/bin/env bash
# Applies examples/minimal-claim.yaml in a namespace of its own, and verifies what it becomes: four
# manifests within the limit, each as `eds render` shows it, image, port, labels, size, environment, probes
# and scaling as the claim says; then deletes the claim, and verifies that nothing of it is left.
#
#   platform/04-apis/tests/test-minimal-deployment.sh
#   platform/04-apis/tests/test-minimal-deployment.sh --timeout 300 --ready
#                                                any options of `eds verify deployment`
#   KUBECONFIG=... platform/...                  on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# Works from any directory. The namespace goes on every exit; evidence is kept on failure. Exit 0: all
# is as it should be; 1: something is not; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify deployment "$root/platform/04-apis/examples/minimal-claim.yaml" "$@"
