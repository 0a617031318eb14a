#!/usr/bin/env bash
# Applies examples/full-claim.yaml in a namespace of its own, with its Secrets, and verifies what it
# becomes: sizing, secrets by key and as a whole, init container, imagePullSecrets, NATS and plain
# variables, scaling, each manifest as `eds render` shows it; then deletes the claim, and verifies that
# nothing of it is left.
#
#   platform/04-apis/tests/test-full-deployment.sh
#   platform/04-apis/tests/test-full-deployment.sh --timeout 300 --ready
#                                                any options of `eds verify deployment`
#   KUBECONFIG=... platform/...                  on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# Works from any directory. The namespace goes on every exit; evidence is kept on failure. Exit 0: all
# is as it should be; 1: something is not; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify deployment "$root/platform/04-apis/examples/full-claim.yaml" "$@"
