#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: tests/coverage.sh [<floor> | fuzz | <floor>/<thing>]...
#        for example: tests/coverage.sh io fuzz so3/irreps
# Which lines and branches of the headers these tests run: a table per floor, one of what reads files, and the branches
# of these that are not taken both ways; each line in build/coverage/html. Without arguments: the tests of all that
# reads files. `fuzz` replays the corpora. Compiles with clang++-19 (or CXX) one file at a time, anew each time, so
# choose: a floor of templates takes many minutes. A branch counts for all instantiations of its template together, and
# the edges that compilers make for exceptions are none (both are llvm-cov's sense of the word).
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- io fuzz so3/irreps potential/mace_options potential/nequip_options potential/load_mace \
    potential/options_for potential/checkpoint
compiler=${CXX:-clang++-19}
version=$("$compiler" -dumpversion)
tools=$(dirname "$("$compiler" -print-prog-name=llvm-cov)")
[ -x "$tools/llvm-cov" ] || { echo "coverage.sh: no llvm-cov beside $compiler $version"; exit 1; }
folder=build/coverage
rm -rf "$folder"
mkdir -p "$folder"

compile() { # <source> <object>
    echo "compiling $1"
    "$compiler" -std=c++20 -O1 -march=native -w -fprofile-instr-generate -fcoverage-mapping -Iinclude -Itests \
        -isystem "${EIGEN_INCLUDE:-/usr/include/eigen3}" -DWEFT_TEST_FOLDER="\"$PWD/tests\"" -c "$1" -o "$2"
}
link() { # <program> <objects>...
    local program=$1
    shift
    "$compiler" -fprofile-instr-generate "$@" -o "$program" -lfmt
    programs+=("$program")
}

programs=()
compile tests/main.cpp "$folder/main.o"
for what in "$@"; do
    name=${what//\//-}
    export LLVM_PROFILE_FILE="$folder/$name-%m.profraw"
    if [ "$what" = fuzz ]; then
        compile tests/fuzz/replay.cpp "$folder/replay.o"
        for source in tests/fuzz/*_fuzz.cpp; do
            target=$(basename "$source" _fuzz.cpp)
            compile "$source" "$folder/fuzz-$target.o"
            link "$folder/fuzz-$target" "$folder/fuzz-$target.o" "$folder/replay.o"
            "$folder/fuzz-$target" "tests/fuzz/corpus/$target" > "$folder/fuzz-$target.log"
        done
        continue
    fi
    case "$what" in
    */*) sources=("tests/${what}_test.cpp") ;;
    *) sources=("tests/$what/"*_test.cpp) ;;
    esac
    objects=()
    for source in "${sources[@]}"; do
        object="$folder/$name-$(basename "$source" .cpp).o"
        compile "$source" "$object"
        objects+=("$object")
    done
    link "$folder/$name" "${objects[@]}" "$folder/main.o"
    "$folder/$name" | tail -n 3
done

"$tools/llvm-profdata" merge -sparse "$folder"/*.profraw -o "$folder/all.profdata"
arguments=("${programs[0]}")
for program in "${programs[@]:1}"; do arguments+=(-object "$program"); done
arguments+=(-instr-profile "$folder/all.profdata")
"$tools/llvm-cov" export "${arguments[@]}" > "$folder/coverage.json"
"$tools/llvm-cov" show "${arguments[@]}" -format=html -output-dir="$folder/html" -show-branches=count \
    -show-instantiations=false -ignore-filename-regex='/usr/|/tests/' 2> /dev/null
python3 tests/coverage_table.py "$folder/coverage.json"
echo "each line: $folder/html/index.html"
