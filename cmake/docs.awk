# SPDX-License-Identifier: MIT
# What Doxygen reads in place of a header: without the inline namespaces, whose macros it takes for names of namespaces,
# and with the comment that introduces the header (before the first #include or namespace) as that of the file. Lines
# behind that keep their numbers.
{
    gsub(/::inline WEFT_[A-Z_]+/, "")
    line[NR] = $0
}
END {
    for (first = 1; first <= NR && line[first] !~ /^(\/\/\/|namespace |#define )/; ++first);
    for (last = first; last <= NR && line[last] ~ /^\/\/\//; ++last);
    introduces = line[1] ~ /^\/\// && last > first && line[last] ~ /^($|#include |namespace )/
    print line[1] ~ /^\/\/ SPDX/ ? "/// @file" : line[1]
    if (introduces)
        for (i = first; i < last; ++i) print line[i]
    for (i = 2; i <= NR; ++i)
        if (!introduces || i < first || i >= last) print line[i]
}
