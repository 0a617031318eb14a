# shellcheck shell=bash
# Debian's PostgreSQL as one more process of the node's network. It syncs to disk, so that a restart is
# worth something.

PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
PG_DATA=$STATE/postgres

# postgres_start: an empty database with a user of its own; DATABASE is its URL.
postgres_start() {
  [ -x "$PG_BIN/initdb" ] || die "PostgreSQL is not installed: apt-get install postgresql"
  local password
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  postgres_stop
  mkdir -p "$PG_DATA"
  printf '%s\n' "$password" >"$PG_DATA/password"
  chown -R nobody:nogroup "$PG_DATA"
  pg initdb --pgdata="$PG_DATA/data" --pwfile="$PG_DATA/password" --username=worker --auth=scram-sha-256 \
    --encoding=UTF8 --locale=C >"$LOG/postgres.log" 2>&1 || die "initdb failed; see $LOG/postgres.log"
  echo "host all all all scram-sha-256" >>"$PG_DATA/data/pg_hba.conf"
  pg_ctl start
  DATABASE=postgres://worker:$password@$NODE_IP:5432/postgres
  export DATABASE
}

postgres_stop() {
  # What a killed run left may name a process that is gone.
  local pid
  pid=$(sed -n 1p "$PG_DATA/data/postmaster.pid" 2>/dev/null) || pid=
  [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null || pg_ctl stop --mode=immediate
  rm -rf "$PG_DATA"
}

# It refuses to run as root.
pg() { in_node env --chdir=/ setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$PG_BIN/$1" "${@:2}"; }
pg_ctl() {
  pg pg_ctl "$@" --silent --wait --pgdata="$PG_DATA/data" --log="$PG_DATA/log" \
    --options="-c listen_addresses=$NODE_IP -c unix_socket_directories= -c shared_buffers=16MB" \
    >"$LOG/postgres.log" 2>&1 </dev/null || {
    tail -n 10 "$LOG/postgres.log" "$PG_DATA/log" >&2
    die "PostgreSQL: pg_ctl $1 failed"
  }
}
