#!/usr/bin/env bash
# Runs a command beside a real kube-apiserver and its etcd, on loopback, with nothing else: no node, no
# controllers, no root. Both end, and their data goes, when the command ends, however it does.
#
#   scripts/api-server.sh COMMAND...
#
# The command finds API_SERVER (URL), API_SERVER_CA (file) and JUDGE_TOKEN (an administrator's bearer
# token) in its environment. The programs are the testbed's parts; testbed/build-parts etcd kubernetes
# builds them where they are not (minutes). Namespaces need not exist: NamespaceLifecycle is off.
# Exit: the command's own; 2: the server did not start.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -gt 0 ] || {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}
{ read -r etcd && read -r kubernetes; } < <("$root/testbed/build-parts" etcd kubernetes) || exit 2
work=$(mktemp -d)
pids=()
finish() {
  # The API server first: it would wait for its etcd.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

read -r client peer port < <(python3 -c '
import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))')
token=$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')
(umask 077 && echo "$token,judge,judge,system:masters" >"$work/tokens")
openssl genrsa -out "$work/sa.key" 2048 2>/dev/null

"$etcd/etcd" --data-dir="$work/etcd" --unsafe-no-fsync --log-level=error \
  --listen-client-urls="http://127.0.0.1:$client" --advertise-client-urls="http://127.0.0.1:$client" \
  --listen-peer-urls="http://127.0.0.1:$peer" --initial-advertise-peer-urls="http://127.0.0.1:$peer" \
  --initial-cluster="default=http://127.0.0.1:$peer" >"$work/etcd.log" 2>&1 &
pids+=($!)
"$kubernetes/kube-apiserver" --etcd-servers="http://127.0.0.1:$client" --cert-dir="$work" \
  --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$port" \
  --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24 --authorization-mode=RBAC \
  --token-auth-file="$work/tokens" --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file="$work/sa.key" --service-account-signing-key-file="$work/sa.key" \
  --allow-privileged --disable-admission-plugins=NamespaceLifecycle,ServiceAccount >"$work/kube-apiserver.log" 2>&1 &
pids+=($!)

for ((tenths = 0; ; tenths += 5)); do
  if [ -e "$work/apiserver.crt" ] && [ "$(curl -fsS -m 5 --cacert "$work/apiserver.crt" \
    -H "Authorization: Bearer $token" "https://127.0.0.1:$port/readyz" 2>/dev/null)" = ok ]; then break; fi
  if ! kill -0 "${pids[1]}" 2>/dev/null || [ "$tenths" -ge 1200 ]; then
    echo 'api-server: it did not become ready:' >&2
    tail -n 5 "$work/etcd.log" "$work/kube-apiserver.log" >&2
    exit 2
  fi
  sleep 0.5
done
status=0
API_SERVER=https://127.0.0.1:$port API_SERVER_CA=$work/apiserver.crt JUDGE_TOKEN=$token "$@" || status=$?
exit "$status"
