#!/bin/sh
# Starts the supervisor of a lab as the second process of a PID namespace whose end takes the whole lab with it.
#   start.sh LABDIRECTORY IMAGE NODE MAIN
# Run by: unshare --fork --pid --mount --kill-child sh start.sh …
set -eu
lab=$1 image=$2 node=$3 main=$4
mount --make-rprivate /
# The host's numbers of processes are told to those who ask from outside.
mkdir -p "$lab/hostproc"
mount --bind /proc "$lab/hostproc"
mount -t proc -o nosuid,nodev,noexec proc /proc
# Tools of the image run by chroot when the host lacks them; only this mount namespace sees this.
mount --bind /proc "$image/proc"
exec "$image/usr/bin/tini-static" -- "$node" "$main" "$lab/lab.json"
