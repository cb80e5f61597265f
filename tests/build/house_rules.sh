#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: house_rules.sh include/weft
# The rules of the headers that a text search can check: what a floor may include, what no header includes, sizes.
set -eu
cd "$1"

# Columns are characters, which not every awk counts.
wide=0
if LC_ALL=C.UTF-8 grep -rnE --include='*.hpp' '^.{121,}' .; then
    echo "more than 120 columns"
    wide=1
fi

find . -name '*.hpp' | sed 's|^\./||' | sort | xargs awk '
function fail(what) { print FILENAME ":" FNR ": " what; failed = 1 }
# The floor of a header below weft/: its folder; the face weft/core.hpp belongs to core.
function floor_of(path, name) {
    name = path
    sub(/\/.*/, "", name)
    sub(/\.hpp$/, "", name)
    return name
}
# Ground first; what is not listed here is a system built of the floors.
function level(floor) { return floor in levels ? levels[floor] : 8 }
BEGIN {
    levels["version"] = -1
    levels["fwd"] = 0
    levels["core"] = 1
    levels["linalg"] = levels["io"] = 2
    levels["grad"] = 3
    levels["graph"] = 4
    levels["nn"] = 5
    levels["attention"] = levels["so3"] = levels["ir"] = 6
    levels["gnn"] = 7
    levels["weft"] = 9
}
FNR == 1 {
    count++
    floor = floor_of(FILENAME)
    if ($0 != "// SPDX-License-Identifier: MIT") fail("the first line must be // SPDX-License-Identifier: MIT")
}
FNR == 2 && $0 != "#pragma once" { fail("the second line must be #pragma once") }
FNR == 601 { fail("more than 600 lines") }
/^[ \t]*using namespace/ { fail("using namespace in a header") }
/^#include <(iostream|regex|ranges|sstream|iomanip)>/ { fail($2 " is too expensive for a header") }
/^#include "/ { fail("write #include <weft/...>") }
/^#include <weft\// {
    included = $2
    gsub(/^<weft\/|>$/, "", included)
    other = floor_of(included)
    # fwd.hpp declares names; the inline namespace and the type of extents are all it may need.
    if (floor == "fwd" && included == "core/index.hpp") next
    if (other != floor && level(other) >= level(floor)) fail(floor " must not include " included)
}
END {
    print count " headers"
    if (count == 0) failed = 1
    exit failed
}'
exit $wide
