# shellcheck shell=bash
# What every entry point shares: where things live, how to speak, how to wait.

TESTBED_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
REPO_DIR=$(dirname "$TESTBED_DIR")
CACHE=${EDS_TESTBED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/eds-testbed}
STATE=${EDS_TESTBED_STATE:-/var/lib/eds-testbed}
RUN=$STATE/run LOG=$STATE/log PKI=$STATE/pki ETC=$STATE/etc

# The node's network. It exists only inside the namespace, so these addresses
# collide with nothing on the host; a second testbed needs only another name.
NETNS=${EDS_TESTBED_NETNS:-eds-testbed}
NODE_NAME=eds-testbed
NODE_IP=10.77.0.1
POD_CIDR=10.78.0.0/24
SERVICE_CIDR=10.79.0.0/24
API_SERVICE_IP=10.79.0.1
REGISTRY=$NODE_IP:5000
ADMIN_CONF=$ETC/admin.conf

STARTED=$(date +%s)
export TESTBED_DIR REPO_DIR CACHE STATE RUN LOG PKI ETC NETNS NODE_NAME NODE_IP POD_CIDR \
  SERVICE_CIDR API_SERVICE_IP REGISTRY ADMIN_CONF

# Colour only for a person at a terminal.
# shellcheck disable=SC2034 # read by the entry points
if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then
  GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
  GREEN='' RED='' DIM='' PLAIN=''
fi

say() { printf '%s%4ds%s %s\n' "$DIM" "$(($(date +%s) - STARTED))" "$PLAIN" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$RED" "$PLAIN" "$*" >&2; }
die() {
  printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
  exit 2
}

# wait_for SECONDS WHAT COMMAND...: polls COMMAND until it succeeds. Says what
# it waits for when that takes longer than a person's patience.
wait_for() {
  local limit=$1 what=$2 start said=0 now
  shift 2
  start=$(date +%s)
  until "$@" >/dev/null 2>&1; do
    now=$(date +%s)
    if [ $((now - start)) -ge "$limit" ]; then
      return 1
    fi
    if [ $said = 0 ] && [ $((now - start)) -ge 10 ]; then
      say "still waiting for $what (up to ${limit} s)"
      said=1
    fi
    sleep 0.3
  done
}

# in_node COMMAND...: runs in the node's network namespace. nsenter, not
# `ip netns exec`: that one remounts /sys and hides the cgroups.
in_node() { nsenter --net="/var/run/netns/$NETNS" -- "$@"; }

kc() { in_node kubectl --kubeconfig="$ADMIN_CONF" "$@"; }

# write_if_changed FILE: stdin to FILE, true if that changed it.
write_if_changed() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  if [ -f "$1" ] && cmp -s "$new" "$1"; then
    rm -f "$new"
    return 1
  fi
  mv -f "$new" "$1"
}
