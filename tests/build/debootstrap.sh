#!/bin/sh
# SPDX-License-Identifier: MIT
# usage (as root): sh tests/build/debootstrap.sh [suite...]
# Proves the two commands on a bare Debian: for each suite (bookworm and trixie unless said otherwise) a fresh minimal
# system in a folder, the committed state of this repository cloned into it, then `demo`, `test`, and both once more (the
# tests only listed) to see that nothing is installed or compiled twice. The mirror and the proxy are those of this
# machine's apt.
set -eu
cd "$(dirname "$0")/../.."
if [ $# -eq 0 ]; then set -- bookworm trixie; fi
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | head -n 1)

in_system() { # <root> <command>
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec env -u TMPDIR chroot "$0" /bin/sh -c "$1"' "$1" "$2"
}
timed() { # <name> <command>...
    name=$1
    start=$(date +%s)
    shift
    "$@" >"$log" 2>&1 || { tail -n 50 "$log"; echo "$suite: $name failed, all of it: $log"; exit 1; }
    echo "$suite: $name: $(($(date +%s) - start)) s"
}

for suite in "$@"; do
    root=${TMPDIR:-/tmp}/debootstrap-$suite
    log=$root.log
    rm -rf "$root"
    timed "bare system" debootstrap --variant=minbase "$suite" "$root" "$mirror"
    apt-config dump Acquire::http Acquire::https >"$root/etc/apt/apt.conf.d/90machine"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    git clone -q . "$root/root/weft"
    for command in demo test; do
        timed "$command" in_system "$root" "cd /root/weft && sh cmake/run.sh $command"
    done
    for command in demo "test -N"; do
        timed "$command again" in_system "$root" "cd /root/weft && sh cmake/run.sh $command"
        if grep -qE 'run.sh: installing|Building CXX' "$log"; then
            echo "$suite: $command again installed or compiled something"
            exit 1
        fi
    done
done
