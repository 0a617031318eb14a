# shellcheck shell=bash
# Everything an entry point may need, in order.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=testbed/lib/common.sh
. "$lib/common.sh"
# shellcheck source=testbed/lib/parts.sh
. "$lib/parts.sh"
# shellcheck source=testbed/lib/node.sh
. "$lib/node.sh"
# shellcheck source=testbed/lib/service.sh
. "$lib/service.sh"
# shellcheck source=testbed/lib/control-plane.sh
. "$lib/control-plane.sh"
# shellcheck source=testbed/lib/images.sh
. "$lib/images.sh"
# shellcheck source=testbed/lib/cluster.sh
. "$lib/cluster.sh"
# shellcheck source=testbed/lib/api.sh
. "$lib/api.sh"
# shellcheck source=testbed/lib/argocd.sh
. "$lib/argocd.sh"

# One up or down at a time. The lock ends with the process that holds it.
take_lock() {
  mkdir -p "$(dirname "$STATE")"
  exec 8>"$STATE.lock"
  flock -n 8 && return 0
  # What a killed one had started may still hold it for a moment.
  say "another testbed command is at work on $STATE: waiting up to 60 s"
  flock -w 60 8 || die "another testbed command is at work on $STATE"
}

help_of() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

need_node() {
  if ! { [ -f "$ADMIN_CONF" ] && in_node true 2>/dev/null; }; then
    die "the testbed is not up: run testbed/up"
  fi
}
