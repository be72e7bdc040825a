#!/bin/sh
# Runs nginx of a gateway's pod: the container `nginx`. What it serves it is told by programs/gateway, or finds where it left it.
#   run.sh [WORKERS]
# WORKERS: default one a CPU that the container may use, at least 2 and at most 8.
# TERM and QUIT drain it: no new connections, requests that run end. Connections that stay are cut when the pod's time of grace is over.
set -eu
dir=/run/netloom-gateway
here=/opt/netloom/src/engines/nginx
workers=${1:-}

if [ -z "$workers" ]; then
  workers=$(nproc)
  # cgroup v2: `QUOTA PERIOD` in microseconds, or `max PERIOD`.
  if { read -r quota period </sys/fs/cgroup/cpu.max; } 2>/dev/null && [ "$quota" != max ]; then
    workers=$(((quota + period - 1) / period))
  fi
  [ "$workers" -ge 2 ] || workers=2
  [ "$workers" -le 8 ] || workers=8
fi

# In its pod nginx is nobody in particular; elsewhere root's nginx must read what root's programs write.
user=
[ "$(id -u)" != 0 ] || user='user root;'

mkdir -p "$dir/temp"
# Of a former container: they would keep nginx from listening.
cd "$dir"
rm -f closing nginx.pid nginx.sock aside.sock relay.sock pause-*.sock https-*.sock terminate*.sock closed.sock counts.sock

# nginx takes QUIT for "drain" and TERM for "now"; a kubelet says TERM. So it is not our own process that becomes nginx.
nginx -p "$dir/" -e stderr -c "$here/nginx.conf" -g "worker_processes $workers; $user" &
nginx=$!
trap 'kill -QUIT "$nginx" 2>/dev/null || true' TERM INT QUIT
while kill -0 "$nginx" 2>/dev/null; do
  status=0
  wait "$nginx" || status=$?
done
exit "$status"
