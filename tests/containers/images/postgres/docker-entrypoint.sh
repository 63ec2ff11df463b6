#!/bin/bash
# Makes the cluster of POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD the first time, then is the server.
set -Eeuo pipefail

if [[ "$(id -u)" == 0 ]]; then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
if [[ "$1" == postgres && ! -s "$PGDATA/PG_VERSION" ]]; then
  initdb --pgdata="$PGDATA" --username="$user" --pwfile=<(printf '%s' "${POSTGRES_PASSWORD:?}") \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 \
    --locale=C --no-instructions > /dev/null
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  # Nobody from outside sees the server that makes the database.
  pg_ctl --pgdata="$PGDATA" --wait --silent -o "-c listen_addresses= -c unix_socket_directories=/tmp" start > /dev/null
  if [[ "$database" != postgres ]]; then createdb --username="$user" "$database"; fi
  pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop > /dev/null
fi
if [[ "$1" == postgres && " $* " == *ssl=on* ]]; then
  PATH=/usr/lib/postgresql-with-tls/bin:$PATH
fi
if [[ "$1" == postgres ]]; then
  set -- "$@" -c listen_addresses=* -c unix_socket_directories=/tmp
fi
exec "$@"
