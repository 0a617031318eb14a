#!/usr/bin/env bash
# nats-load.sh HOST PORT SUBJECT MILLISECONDS JSON: publishes JSON again and again, with a pause between,
# until SIGTERM or for ten minutes at most; then prints how many messages NATS has taken from it. Runs inside
# the node's network.
set -euo pipefail
timeout 3 bash -c ": <>/dev/tcp/$1/$2"
exec 3<>"/dev/tcp/$1/$2"
printf 'CONNECT {"verbose":false,"name":"testbed-load"}\r\n' >&3
sent=0 stop=no
trap 'stop=yes' TERM
pause=$(printf '0.%03d' "$4")
end=$((SECONDS + 600))
while [ $stop = no ] && [ $SECONDS -lt $end ]; do
  printf 'PUB %s %d\r\n%s\r\n' "$3" "${#5}" "$5" >&3
  sent=$((sent + 1))
  # The pause, and the only time at which the server may say something.
  if IFS= read -r -t "$pause" line <&3; then
    case $line in
      PING*) printf 'PONG\r\n' >&3 ;;
      -ERR*)
        echo "NATS: ${line%$'\r'}" >&2
        exit 1
        ;;
    esac
  fi
done
# NATS answers in order: after this PONG it has all of them.
printf 'PING\r\n' >&3
while IFS= read -r -t 10 line <&3; do
  case $line in
    PONG*)
      echo "$sent"
      exit 0
      ;;
    PING*) printf 'PONG\r\n' >&3 ;;
  esac
done
echo "NATS gave no answer within 10 s" >&2
exit 1
