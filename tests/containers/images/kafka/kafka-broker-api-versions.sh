#!/bin/bash
# Asks a broker which requests it knows, as far as a health check cares: kafka-broker-api-versions.sh --bootstrap-server HOST:PORT
set -euo pipefail
address=$2
exec 3<> "/dev/tcp/${address%:*}/${address##*:}"
# ApiVersions, version 0: length, key 18, version, correlation id, no client id.
printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
length=$(head -c 4 <&3 | od -An -tu1 | tr -d ' \n')
[[ -n "$length" && "$length" != 0000 ]]
echo "$address answers"
