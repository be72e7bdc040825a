#!/bin/sh
# Monitor of one container, inside the node, in a mount namespace of its own: mounts the root, so that the mount ends with it, waits for
# the container and leaves its exit code. It outlives the kubelet. What it says itself goes to monitor.log, never to the container's log.
#   monitor.sh BUNDLE LOWER EVENTS ID DISK
bundle=$1 lower=$2 events=$3 id=$4 disk=$5
exec 3>&1 4>&2 >"$bundle/monitor.log" 2>&1
# Only the disk's mounts become private: others must propagate between node and container where a volume asks for it.
mount --make-private "$disk" 2>/dev/null
finish() {
  echo "$1" >"$events/.$id"
  mv "$events/.$id" "$events/$id.exit"
}
cd "$bundle" || { finish 125; exit; }
mount -t overlay -o "lowerdir=$lower,upperdir=$bundle/upper,workdir=$bundle/work,index=off,metacopy=off,volatile" \
  netloom "$bundle/rootfs" || { finish 125; exit; }
mount --make-private "$bundle/rootfs"
crun --cgroup-manager=disabled --log="$bundle/crun.log" run --pid-file="$events/$id.pid" --bundle "$bundle" "$id" >&3 2>&4 3>&- 4>&-
finish $?
