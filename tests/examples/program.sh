# SPDX-License-Identifier: MIT
# Read by the scripts that run an example program, their first argument, in a folder that is removed afterwards.
set -u
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

fail() {
    echo "FAILED: $*" >&2
    cat out err >&2
    exit 1
}
run() { # <argument>...: must work
    "$program" "$@" >out 2>err || fail "$*: exit code $?"
}
refuse() { # <part of the message> <argument>...: must fail, with that on stderr
    message=$1
    shift
    "$program" "$@" >out 2>err
    code=$?
    [ $code -eq 2 ] || fail "$*: exit code $code, must be 2"
    grep -q -e "$message" err || fail "$*: no \"$message\" on stderr"
}
