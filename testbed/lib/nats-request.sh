#!/usr/bin/env bash
# nats-request.sh HOST PORT SUBJECT JSON: one request over NATS's text protocol, its
# answer on standard output. NATS_LOGIN=USER:PASSWORD logs in. Runs inside the node's network.
set -euo pipefail
# The address of a server that is gone would be tried for two minutes.
timeout 3 bash -c ": <>/dev/tcp/$1/$2"
exec 3<>"/dev/tcp/$1/$2"
login=
[ -z "${NATS_LOGIN:-}" ] || login=$(printf ',"user":"%s","pass":"%s"' "${NATS_LOGIN%%:*}" "${NATS_LOGIN#*:}")
printf 'CONNECT {"verbose":false,"name":"testbed"%s}\r\nSUB _INBOX.testbed 1\r\nPUB %s _INBOX.testbed %d\r\n%s\r\n' "$login" "$3" "${#4}" "$4" >&3
while IFS= read -r -t 10 line <&3; do
  case ${line%$'\r'} in
    PING) printf 'PONG\r\n' >&3 ;;
    -ERR*)
      echo "NATS: ${line%$'\r'}" >&2
      exit 1
      ;;
    MSG*)
      IFS= read -r -t 10 line <&3
      printf '%s\n' "${line%$'\r'}"
      exit 0
      ;;
  esac
done
echo "NATS gave no answer to $3 within 10 s" >&2
exit 1
