#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: single_header.sh <compiler> <file of flags> <python> <folder of the sources> <weft_single.hpp>
# The single header serves README's first program as the headers do, in a program of two sources; so does the one of all
# faces, without warnings.
set -eu
compiler=$1
flags=$2
python=$3
source=$4
single=$5

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Without the headers themselves: what a single header does not hold must be missed. Warnings are not those of others.
grep -vxF -e "-I$source/include" "$flags" | sed 's|^-I|-isystem|' >single.flags
if echo '#include <weft/weft.hpp>' | "$compiler" @single.flags -fsyntax-only -x c++ - 2>/dev/null; then
    echo "the headers themselves are found without $source/include"
    exit 1
fi

mkdir headers single all
awk '/^## / { here = /In two minutes/ } here && /^```$/ { exit } program { print } here && /^```cpp$/ { program = 1 }' \
    "$source/README.md" >headers/program.cpp
if [ "$(grep -c '#include' headers/program.cpp)" -ne 1 ] || ! grep -q '^#include <weft/weft.hpp>$' headers/program.cpp; then
    echo "README.md: \"In two minutes\" must have a program that includes <weft/weft.hpp> alone"
    exit 1
fi
sed 's|<weft/weft.hpp>|<weft_single.hpp>|' headers/program.cpp >single/program.cpp
cat >other.cpp <<'END'
#include <weft_single.hpp>
float other() { return weft::Tensor<float, 0>(weft::sum<0, 1>(weft::io::karate_club().x))(); }
END
cp "$single" single/weft_single.hpp
"$python" "$source/cmake/amalgamate.py" --all --output all/weft_single.hpp

for header in single all; do
    if [ "$(grep -c SPDX-License "$header/weft_single.hpp")" -ne 1 ] || grep -q '#include <weft/' "$header/weft_single.hpp"
    then
        echo "$header/weft_single.hpp: must have one line of licence and no headers of weft"
        exit 1
    fi
done

"$compiler" @"$flags" -Og headers/program.cpp -o headers/program
"$compiler" @single.flags -Og -Isingle single/program.cpp other.cpp -o single/program
for way in headers single; do (cd "$way" && ./program | tee output); done
cmp headers/output single/output
cmp headers/karate.safetensors single/karate.safetensors

echo 'int main() {}' | cat other.cpp - >all/main.cpp
sed 's/other/another/' other.cpp >all/another.cpp
# A copied file is a header of the program, whose warnings a user may want to see.
"$compiler" @single.flags -O0 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Wno-uninitialized \
    -Wno-maybe-uninitialized -Iall all/main.cpp all/another.cpp -o all/program
./all/program
