#!/bin/bash
# One of two nodes of PostgreSQL (deploy/compose/cluster.yml). POSTGRES_PEER is the other's name.
# At its start it follows the other when that is the primary; else it goes on as what it was. While it is the primary it
# looks at the other once a second: commits wait for a standby that follows (POSTGRES_SYNCHRONOUS=yes), and for none that
# does not; and it ends when the other was promoted meanwhile, to come back as its standby. Nobody is promoted by this
# script: that is the operator's word (docs/reliability.md).
set -Eeuo pipefail

user=${POSTGRES_USER:-postgres}
export PGPASSWORD=$POSTGRES_PASSWORD PGCONNECT_TIMEOUT=2
# Seconds without a standby that follows, behind wal_sender_timeout, before commits no longer wait for it.
patience=2

ask() { # HOST STATEMENT
  timeout 3 psql --no-psqlrc --tuples-only --no-align --host "$1" --username "$user" --dbname postgres --command "$2" 2> /dev/null
}

say() { echo "$(date --utc '+%F %T UTC') autos: $*"; }

is_primary() { [[ "$(ask "$1" 'SELECT pg_is_in_recovery()')" == f ]]; }

as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }

# The number of promotions in the history of a primary.
timeline() {
  local found
  found=$(ask "$1" "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) WHERE NOT pg_is_in_recovery()") || return 1
  [[ -n "$found" ]] && echo $((16#$found))
}

copy_of_the_primary() {
  say "copying $POSTGRES_PEER"
  mkdir -p "$PGDATA"
  find "$PGDATA" -mindepth 1 -delete
  chown -R postgres:postgres "$(dirname "$PGDATA")"
  chmod 700 "$PGDATA"
  as_postgres pg_basebackup --host "$POSTGRES_PEER" --username "$user" --pgdata "$PGDATA" --write-recovery-conf \
    --wal-method stream --checkpoint fast
}

let_commits_wait_for() { # a standby's name, or ''
  ask localhost "ALTER SYSTEM SET synchronous_standby_names = '$1'" > /dev/null || return 0
  ask localhost "SELECT pg_reload_conf()" > /dev/null || return 0
  if [[ -n "$1" ]]; then say "commits wait for the standby"; else say "commits wait for no standby: there is none"; fi
}

watch() {
  local followed=no last=0 found mine other
  while sleep 1; do
    if ! is_primary localhost; then followed=no; continue; fi
    if mine=$(timeline localhost) && other=$(timeline "$POSTGRES_PEER") && ((other > mine)); then
      say "$POSTGRES_PEER was promoted: this node ends, to follow it"
      kill -QUIT 1
      return
    fi
    [[ "${POSTGRES_SYNCHRONOUS:-yes}" == yes ]] || continue
    found=$(ask localhost "SELECT count(*) || '/' || current_setting('synchronous_standby_names') FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'walreceiver'") || continue
    if [[ "${found%%/*}" -gt 0 ]]; then
      followed=yes last=$SECONDS
      if [[ "${found#*/}" == "" ]]; then let_commits_wait_for walreceiver; fi
    elif [[ "${found#*/}" != "" && ("$followed" == no || $((SECONDS - last)) -ge "$patience") ]]; then
      let_commits_wait_for ''
    fi
  done
}

if [[ ! -s "$PGDATA/PG_VERSION" && "${POSTGRES_BEGINS_AS:-primary}" == standby ]]; then
  until is_primary "$POSTGRES_PEER"; do sleep 1; done
fi
if is_primary "$POSTGRES_PEER" && [[ ! -e "$PGDATA/standby.signal" ]]; then
  copy_of_the_primary
fi
watch &
exec docker-entrypoint.sh "$@"
