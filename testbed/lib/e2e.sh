# shellcheck shell=bash
# Sourced by each of testbed/proofs: carries the proof of that name out, by the program `e2e`, inside the
# node's network.
#
# E2E, EDS   use these binaries instead of building them
# shellcheck source=testbed/lib/load.sh
. "$(dirname "${BASH_SOURCE[0]}")/load.sh"

build_proofs
export KUBECONFIG=$ADMIN_CONF PAUSE_IMAGE
case " $* " in *' -h '* | *' --help '*) exec "$E2E" "$(basename "$0")" "$@" ;; esac
need_node
# What eds reads without asking the cluster is of the form that the cluster has.
if kc get "xrd/$NAMESPACED_XRD" >/dev/null 2>&1; then export EDS_FORM=namespaced; fi
exec nsenter --net="/var/run/netns/$NETNS" -- "$E2E" "$(basename "$0")" "$@"
