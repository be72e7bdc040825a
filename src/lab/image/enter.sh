#!/bin/sh
# Furnishes the namespaces it was started in with a root file system over the node image, then becomes their PID 1.
#   enter.sh MOUNTPOINT LOWER UPPER HOSTNAME [FROM:TO:ro|rw]... -- PROGRAM ARG...
# UPPER is a directory on a real disk (holds up/ and work/), or "memory". FROM:TO:MODE are bind mounts, TO inside the root.
# Says "ready PID HOSTPID" on standard output: its number for the caller, and for the procfs at $HOST_PROC (default: the same).
# Run by unshare with new mount, pid, net, uts and ipc namespaces.
set -eu
point=$1 lower=$2 upper=$3 name=$4
shift 4
# The caller's procfs still stands here, so this is our number in the caller's PID namespace.
read -r pid _ </proc/self/stat
read -r host _ <"${HOST_PROC:-/proc}/self/stat"
mount --make-rprivate /
if [ "$upper" = memory ]; then
  mount -t tmpfs -o mode=755 netloom "$point"
  upper=$point
fi
mkdir -p "$upper/up" "$upper/work" "$upper/root"
# index and metacopy off: the upper layer outlives this mount and may be used again after a rebuilt image.
mount -t overlay -o "lowerdir=$lower,upperdir=$upper/up,workdir=$upper/work,index=off,metacopy=off" netloom "$upper/root"
cd "$upper/root"
while [ "$1" != -- ]; do
  from=${1%%:*} to=.${1#*:}
  mode=${to##*:} to=${to%:*}
  if [ -d "$from" ]; then mkdir -p "$to"; else
    mkdir -p "${to%/*}"
    : >>"$to"
  fi
  mount --bind "$from" "$to"
  [ "$mode" = rw ] || mount -o "remount,bind,$mode" "$to"
  shift
done
shift
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf 2>/dev/null || :
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o nosuid,nodev tmpfs tmp
mount -t tmpfs -o mode=755,nosuid tmpfs dev
mkdir dev/pts dev/shm dev/mqueue dev/net run/lock run/netns
mount -t devpts -o newinstance,ptmxmode=666,gid=5,mode=620 devpts dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
umask 0
mknod dev/null c 1 3
mknod dev/zero c 1 5
mknod dev/full c 1 7
mknod dev/random c 1 8
mknod dev/urandom c 1 9
mknod dev/tty c 5 0
mknod dev/kmsg c 1 11
mknod dev/net/tun c 10 200
umask 022
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
echo "$name" >etc/hostname
hostname "$name"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$name" >etc/hosts
mkdir -p .host
pivot_root . .host
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
umount -l /.host
rmdir /.host
ip link set lo up
echo "ready $pid $host"
exec "$@"
