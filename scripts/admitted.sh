#!/usr/bin/env bash
# Is whatever a claim becomes admitted by a real kube-apiserver that enforces Pod Security restricted?
#
#   scripts/admitted.sh
#   COUNT=2000 SEED=7 scripts/admitted.sh
#   EDS=path/to/eds scripts/...      with that binary instead of building the workspace's
#
# tools/judge/admitted.py says what is generated and asked. Needs Python 3 and the testbed's etcd and
# kubernetes parts. Exit 0: everything is admitted; 1: not so; 2: it could not be tried.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -n "${API_SERVER:-}" ] || exec "$root/scripts/api-server.sh" "$0"
. "$root/scripts/eds.sh"
api=$root/platform/04-apis
python=$("$root/scripts/tools.sh" python) || exit 2
PYTHONDONTWRITEBYTECODE=1 "$python" "$root/tools/judge/admitted.py" "$EDS" "${SEED:-1}" "${COUNT:-300}" \
  "$api"/examples/*.yaml "$api"/tests/fixtures/valid/full.yaml
