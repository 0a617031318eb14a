#!/usr/bin/env bash
# Verifies KEDA's configuration for a claim: the headless monitoring endpoint, account, stream and
# consumer, lagThreshold, replica counts; asks NATS what KEDA asks it, and says what KEDA sees. Without a
# claim, applies the minimal example in a namespace of its own, which goes again on every exit.
#
#   platform/04-apis/tests/verify-keda-config.sh
#   platform/04-apis/tests/verify-keda-config.sh NAMESPACE/NAME | CLAIM.yaml
#                                                any options of `eds verify keda`
#   KUBECONFIG=... platform/...                  on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# The account is $G, not $SYS: NATS refuses JetStream on its system account, so a trigger on $SYS finds no
# consumer and never scales. A claim that names $SYS is explained.
#
# Works from any directory. Exit 0: all is as it should be; 1: something is not; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify keda "$@"
