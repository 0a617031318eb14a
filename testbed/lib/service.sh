# shellcheck shell=bash
# The node's processes: start, stop, find what a killed run left behind.
#
# $RUN/NAME.pid holds the pid, its start time (a pid alone may be another
# process by now) and a hash of the command and its configuration.

start_time() { cut -d')' -f2- "/proc/$1/stat" 2>/dev/null | awk '{print $20}'; }

service_pid() {
  local pid start
  [ -f "$RUN/$1.pid" ] || return 1
  read -r pid start _ <"$RUN/$1.pid" || return 1
  [ -n "${start:-}" ] && [ "$(start_time "$pid")" = "$start" ] && ! gone "$pid" && echo "$pid"
}

# stop_service NAME: asks, then after 10 s does not ask.
stop_service() {
  local pid
  if pid=$(service_pid "$1"); then
    kill "$pid" 2>/dev/null || true
    if ! wait_for 10 "$1 to end" gone "$pid"; then
      kill -KILL "$pid" 2>/dev/null || true
      wait_for 5 "$1 to end" gone "$pid" || warn "$1 (pid $pid) does not end"
    fi
  fi
  rm -f "$RUN/$1.pid"
}

gone() { ! kill -0 "$1" 2>/dev/null || [ "$(awk '/^State/ {print $2}' "/proc/$1/status" 2>/dev/null)" = Z ]; }

# start_service NAME SECONDS READY-COMMAND CONFIG-FILE|- COMMAND...
# Leaves a running one alone if its command and configuration are the same.
start_service() {
  local name=$1 limit=$2 ready=$3 config=$4 hash pid
  shift 4
  hash=$({
    printf '%s\0' "$@"
    if [ "$config" != - ]; then cat "$config"; fi
  } | sha256sum | cut -c1-16)
  if pid=$(service_pid "$name"); then
    if [ "$(awk '{print $3}' "$RUN/$name.pid")" = "$hash" ] && $ready >/dev/null 2>&1; then
      return 0
    fi
    say "$name runs with other settings or does not answer: restarting it"
    stop_service "$name"
  fi
  end_strays "$name" "$1"
  [ ! -f "$LOG/$name.log" ] || mv -f "$LOG/$name.log" "$LOG/$name.log.1"
  # The lock (fd 8) is this script's, not the service's.
  setsid nsenter --net="/var/run/netns/$NETNS" -- "$@" >"$LOG/$name.log" 2>&1 </dev/null 8>&- &
  pid=$!
  echo "$pid $(start_time "$pid") $hash" >"$RUN/$name.pid"
  if ! wait_for "$limit" "$name" ready_or_dead "$pid" "$ready" || gone "$pid"; then
    printf '%s\n' "--- the end of $LOG/$name.log" >&2
    tail -n 15 "$LOG/$name.log" >&2
    if gone "$pid"; then
      rm -f "$RUN/$name.pid"
      die "$name ended as soon as it started$(hint "$name")"
    fi
    die "$name was not ready within $limit s$(hint "$name")"
  fi
  say "$name is ready"
}

ready_or_dead() { gone "$1" || $2; }

hint() {
  case $1 in
    etcd) echo "; if its data is damaged, testbed/down --wipe starts from nothing" ;;
    containerd | kubelet) echo "; testbed/down ends what an earlier run left, then try again" ;;
  esac
}

# Processes of this testbed that no pid file knows: their command names our
# state directory, and their program is the one asked for.
strays() {
  local pid program
  for pid in $(pgrep -f -- "$STATE/" || true); do
    program=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1) 2>/dev/null || continue
    [ "${program##*/}" != "$1" ] || echo "$pid"
  done
}

end_strays() {
  local name=$1 pid
  for pid in $(strays "$(basename "$2")"); do
    say "ending $name (pid $pid) that an earlier run left behind"
    kill -KILL "$pid" 2>/dev/null || true
    wait_for 5 "pid $pid to end" gone "$pid" || warn "pid $pid does not end"
  done
}
