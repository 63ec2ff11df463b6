#!/bin/sh
# `server` runs everything in one process, with the real image's defaults; any other word is a command of weed.
set -eu
if [ "$1" = server ]; then
  shift
  exec /usr/bin/weed -logtostderr=true server -dir=/data -volume.max=0 -master.volumeSizeLimitMB=1024 "$@"
fi
exec /usr/bin/weed -logtostderr=true "$@"
