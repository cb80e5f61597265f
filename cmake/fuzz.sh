#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the fuzzers of a build with WEFT_FUZZ (the preset asan), each for some seconds, as many at a time as there are
# processors, and prints a table of them:
#   bash cmake/fuzz.sh [seconds [name...]]      by default 20 seconds each, and all
# They start from tests/fuzz/corpus/<name> and from what earlier runs found, which stays in build/corpus/<name>. The log
# is build/corpus/<name>.log, an input that failed build/corpus/<name>-*: give it to the program to see it fail again.
# WEFT_FUZZ_PROGRAMS is the folder of the programs, if not build/asan/tests/fuzz; WEFT_FUZZ_JOBS how many run at a time.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-20}
if [ $# -gt 0 ]; then shift; fi
programs=${WEFT_FUZZ_PROGRAMS:-build/asan/tests/fuzz}
jobs=${WEFT_FUZZ_JOBS:-$(getconf _NPROCESSORS_ONLN)}
if [ $# -eq 0 ]; then
    # shellcheck disable=SC2046
    set -- $(find "$programs" -maxdepth 1 -name 'fuzz_*' -type f -perm -u+x | sed 's,.*/fuzz_,,' | sort)
fi
if [ $# -eq 0 ]; then echo "fuzz.sh: no fuzzers in $programs: build the preset asan" >&2; exit 2; fi

# An input may take 10 s and all of them 4 GiB; what is not enough for the last of them ends the run as a crash does.
# shellcheck disable=SC2317
fuzz_one() { # <name>
    local name=$1 corpus=build/corpus/$1 dictionary=()
    mkdir -p "$corpus"
    rm -f "$corpus.status"
    if [ -e "tests/fuzz/$name.dict" ]; then dictionary=("-dict=tests/fuzz/$name.dict"); fi
    local status=0
    OMP_WAIT_POLICY=passive "$programs/fuzz_$name" "${dictionary[@]}" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$corpus-" "$corpus" "tests/fuzz/corpus/$name" \
        >"$corpus.log" 2>&1 || status=$?
    echo "$status" >"$corpus.status"
}
export seconds programs
export -f fuzz_one
# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -r -n 1 -P "$jobs" bash -euc 'fuzz_one "$1"' fuzz

last() { # <expression of sed> <log>: the last number that it finds
    sed -nE "s/$1/\\1/p" "$2" | tail -n 1
}
failed=0
printf '%-16s %12s %8s %9s %8s  %s\n' target executions per\ s coverage inputs result
for name in "$@"; do
    log=build/corpus/$name.log
    result=good
    if [ "$(cat "build/corpus/$name.status")" -ne 0 ]; then
        failed=1
        result=$(last '.*Test unit written to (.*)' "$log")
        result="FAILED ${result:-, see $log}"
    fi
    printf '%-16s %12s %8s %9s %8s  %s\n' "$name" "$(last 'stat::number_of_executed_units: *([0-9]+)' "$log")" \
        "$(last 'stat::average_exec_per_sec: *([0-9]+)' "$log")" "$(last '.*cov: ([0-9]+).*' "$log")" \
        "$(last '.*corp: ([0-9]+).*' "$log")" "$result"
done
exit "$failed"
