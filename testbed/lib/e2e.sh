# shellcheck shell=bash
# Sourced by each of testbed/proofs: carries the proof of that name out, by the program `e2e`, inside the
# node's network.
#
# E2E, EDS   use these binaries instead of building them
# shellcheck source=testbed/lib/load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"

if [ -z "${E2E:-}" ] || [ -z "${EDS:-}" ]; then
  (cd "$REPO_DIR" && cargo build --quiet --workspace --locked --bin e2e --bin eds) >&2 ||
    die "e2e or eds does not build"
  built=${CARGO_TARGET_DIR:-$REPO_DIR/target}/debug
  E2E=${E2E:-$built/e2e} EDS=${EDS:-$built/eds}
fi
# A build that runs meanwhile must not change what a proof runs.
export E2E EDS KUBECONFIG=$ADMIN_CONF PAUSE_IMAGE
case " $* " in *' -h '* | *' --help '*) exec "$E2E" "$(basename "$0")" "$@" ;; esac
need_node
exec nsenter --net="/var/run/netns/$NETNS" -- "$E2E" "$(basename "$0")" "$@"
