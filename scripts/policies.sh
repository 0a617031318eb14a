#!/usr/bin/env bash
# Tries the admission policies of platform/04-apis at a real kube-apiserver: several hundred requests by
# every account that matters, allowed and refused.
#
#   scripts/policies.sh
#
# The API server is one of the testbed's parts (scripts/api-server.sh). Needs Python 3.
# Exit: 0 every row as expected, 1 not so, 2 could not be tried.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec "$root/scripts/api-server.sh" python3 "$root/tools/policies/policies.py"
