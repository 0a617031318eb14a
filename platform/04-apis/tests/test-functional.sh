#!/usr/bin/env bash
# Deploys the reference worker by a claim, publishes messages to a stream of its own, and verifies that
# the claim turns Ready, that /health, /ready and /metrics answer through the Service, that each message
# has one result in the pods' logs and is acknowledged, and that one that fails at first comes again.
#
#   platform/04-apis/tests/test-functional.sh
#   platform/04-apis/tests/test-functional.sh --messages 100 --image registry.example.com/my-worker:1
#                                                any options of `eds verify functional`
#   platform/04-apis/tests/test-functional.sh --database postgres://user:password@host:5432/database
#                                                results become rows, exactly one of each message;
#                                                the URL is the pods'
#   platform/04-apis/tests/test-functional.sh --nats-url nats://user:password@host:4222 --account NAME \
#     --monitoring-endpoint host:8222            a NATS with accounts
#   KUBECONFIG=... platform/...                  on that cluster (the testbed: testbed/exec ...)
#   EDS=path/to/eds platform/...                 with that binary instead of building the workspace's
#
# Works from any directory. Namespace, stream and consumer go on every exit; evidence is kept on failure.
# Exit 0: all is as it should be; 1: something is not; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$root/scripts/eds.sh"
exec "$EDS" verify functional "$@"
