#!/bin/sh
# Runs main.ts: the container `gateway`. When it is killed it is started again here: with a container that ends the whole pod would not be
# ready, although nginx goes on. One that ends early, again and again, is the
# kubelet's, who starts it ever later.
#   run.sh FLAGS
set -u
child=
ending=
early=0
trap 'ending=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' TERM INT
while :; do
  began=$(date +%s)
  node --max-semi-space-size=1 --max-old-space-size=256 /opt/netloom/src/programs/gateway/main.ts "$@" &
  child=$!
  status=0
  while kill -0 "$child" 2>/dev/null; do
    status=0
    wait "$child" || status=$?
  done
  [ -z "$ending" ] || exit "$status"
  if [ $(($(date +%s) - began)) -ge 10 ]; then early=0; else early=$((early + 1)); fi
  [ "$early" -lt 4 ] || exit "$status"
  echo "main.ts ended ($status) and is started again" >&2
done
