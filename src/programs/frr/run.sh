#!/bin/sh
# Runs FRR's daemons of a node as long as there is a configuration for them, whatever happens to the datapath that writes it.
#   run.sh [DIRECTORY]
# DIRECTORY (default /run/netloom/frr) holds bgpd.conf, bfdd.conf and zebra.conf: while they are there the daemons run, and are started
# again when they end; when they go, so do the daemons. Their vty sockets and PID files are there, too. What they say is our output.
# Routes that BGP taught stay in the kernel while zebra is away (-r) and are swept when it did not learn them again (-K).
# mgmtd holds zebra's settings, and reads them in /etc/frr; without it zebra tries to reach it a hundred times a second.
set -u
dir=${1:-/run/netloom/frr}
lib=/usr/lib/frr
graceful=60
mkdir -p "$dir" /run/frr /etc/frr
# A neighbor behind other routers is reached by the default route.
printf '%s nht resolve-via-default\n' ip ipv6 >/etc/frr/zebra.conf
# Of a former container: its numbers are others' now.
rm -f "$dir"/*.pid
chown frr:frr "$dir" /run/frr /etc/frr/zebra.conf
chmod 750 "$dir"

is_wanted() {
  case $1 in
    mgmtd) [ -e "$dir/zebra.conf" ] ;;
    *) [ -e "$dir/$1.conf" ] ;;
  esac
}

# Sets $pid.
runs() {
  pid=
  [ -e "$dir/$1.pid" ] && read -r pid <"$dir/$1.pid"
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

start() {
  daemon=$1
  rm -f "$dir/$daemon.vty"
  case $daemon in
    mgmtd) set -- ;;
    zebra) set -- -f "$dir/zebra.conf" -z "$dir/zserv.api" -r -K "$graceful" ;;
    *) set -- -f "$dir/$daemon.conf" -z "$dir/zserv.api" ;;
  esac
  [ "$daemon" = mgmtd ] || chown frr:frr "$dir/$daemon.conf"
  "$lib/$daemon" -u frr -g frr -i "$dir/$daemon.pid" --vty_socket "$dir" -P 0 --log stdout --log-level errors "$@" </dev/null &
  # It is there once it has written its number; one that can't start is tried again.
  tries=0
  while ! runs "$daemon" && [ $tries -lt 20 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
}

end() {
  if runs "$1"; then
    kill "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
  fi
  rm -f "$dir/$1.pid" "$dir/$1.vty"
}

end_all() {
  for name in bgpd bfdd zebra mgmtd; do end "$name"; done
  exit 0
}

trap end_all TERM INT
while :; do
  for name in mgmtd zebra bfdd bgpd; do
    is_wanted "$name" && ! runs "$name" && start "$name"
  done
  for name in bgpd bfdd zebra mgmtd; do
    is_wanted "$name" || [ ! -e "$dir/$name.pid" ] || end "$name"
  done
  # Also collects daemons that ended: they are our children.
  sleep 1 &
  wait $!
done
