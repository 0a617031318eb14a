#!/usr/bin/env bash
# Checks the Composition in the cluster: it exists, is for the XRD, in Pipeline mode, its functions are
# healthy, and its resource templates make the four kinds. Lists the templates. Changes nothing.
#
#   platform/04-apis/tests/verify-composition.sh           every Composition of the API
#   platform/04-apis/tests/verify-composition.sh NAME      that one; any options of `eds verify composition`
#   KUBECONFIG=... platform/...                            on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                           with that binary instead of building the workspace's
#
# Works from any directory. Exit 0: all is well; 1: something is not; 2: it could not be looked at.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify composition "$@"
