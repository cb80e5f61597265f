#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: coverage_table.py <what llvm-cov export wrote>

The share of lines and of branches that ran, per floor and for the parsers of files, and the parsers' branches that
were not taken both ways. A region or branch of a template counts once, for all its instantiations together; conditions
that are decided while compiling (`if constexpr`, `while (true)`) are no branches, nor are those of comparisons that the
compiler wrote, and what stands in a branch that no instantiation has is not compiled, so it is not counted.
"""
import collections
import json
import pathlib
import re
import sys

PARSERS = re.compile(
    r"(io/(any_tensor|dataset_reader|dtype|edge_list|elements|extxyz_reader|graph_dataset|hetero_dataset|json|"
    r"mapped_file|matrix_market|node_dataset|npy|npz|safetensors|text|zip)|so3/irreps|potential/(model_config|"
    r"mace_options|nequip_options|options_for|known_elements|load_mace|load_nequip|checkpoint))\.hpp$")
CODE = 0  # the kind of a region that is code

# (header, condition) -> why no test takes it both ways. Not counted.
EXCUSED = {
    ("io/edge_list.hpp", "static_cast<index>(names_.names().size()) == limit"): "takes a file of 2^31 names",
    ("io/mapped_file.hpp", "code"): "the file would have to vanish between two system calls",
    ("io/mapped_file.hpp", "::fstat(descriptor, &status) == 0"): "fstat of what is open does not fail",
    ("io/mapped_file.hpp", "status.st_size > 0"): "the file would have to be cut between two system calls",
    ("io/mapped_file.hpp", "known"): "as the two before",
    ("io/mapped_file.hpp", "size < SIZE_MAX - 2 * page"): "no such file where addresses have 64 bits",
    ("io/mapped_file.hpp", "memory != MAP_FAILED"): "the address space would have to be full",
}


def merge(functions):
    """(file -> (branch range -> [times true, times false]), file -> (line -> count))."""
    branches = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    for function in functions:
        names = function["filenames"]
        for first, column, last, end, true, false, file, *_ in function["branches"]:
            taken = branches[names[file]][first, column, last, end]
            taken[0] += true
            taken[1] += false
        # A line has the count of the innermost region that begins on it or covers it.
        here = collections.defaultdict(dict)
        for first, column, last, end, count, file, _, kind in sorted(
                function["regions"], key=lambda r: (r[0], r[1], -r[2], -r[3])):
            if kind != CODE:
                continue
            for line in range(first, last + 1):
                here[file][line] = max(count, here[file].get(line, 0)) if line == first else count
        for file, counts in here.items():
            for line, count in counts.items():
                lines[names[file]][line] = max(lines[names[file]][line], count)
    return branches, lines


def is_no_branch(text, key):
    first, column, last, end = key
    before = text[first - 1][:column - 1]
    if "= default;" in text[first - 1]:
        return True
    # What a switch does with a number that is no value of its enumeration; -Wswitch sees that all are there.
    if before.endswith("switch (") and re.match(r"\s*case \w+::", text[first]):
        return True
    if re.search(r"if constexpr \([^;]*$", before) or re.search(r"if constexpr \([^{;]*$", text[first - 2] + before):
        return True
    return first == last and text[first - 1][column - 1:end - 1] in ("true", "false")


def share(part, whole):
    return f"{part:6} of {whole:6}  {100 * part / whole if whole else 100:6.2f} %"


def main():
    functions = json.load(open(sys.argv[1]))["data"][0]["functions"]
    branches, lines = merge(functions)
    totals = collections.defaultdict(lambda: [0, 0, 0, 0])
    parsers = collections.defaultdict(lambda: [0, 0, 0, 0])
    missed, excused = [], 0
    for file in sorted(lines):
        if "/include/weft/" not in file and not file.startswith("include/weft/"):
            continue
        text = pathlib.Path(file).read_text().splitlines()
        header = file.split("include/weft/")[1]
        count = [0, 0, 0, 0]
        for line, times in lines[file].items():
            if text[line - 1].strip() in ("", "}", "};"):
                continue
            count[0] += times > 0
            count[1] += 1
        for key, taken in sorted(branches[file].items()):
            first, column, last, end = key
            condition = text[first - 1][column - 1:end - 1 if last == first else None].strip()
            if is_no_branch(text, key):
                continue
            if (header, condition) in EXCUSED:
                excused += min(taken) == 0
                continue
            count[2] += (taken[0] > 0) + (taken[1] > 0)
            count[3] += 2
            if min(taken) == 0 and PARSERS.match(header):
                never = "never reached" if max(taken) == 0 else "never false" if taken[1] == 0 else "never true"
                missed.append(f"{file}:{first}:{column}: {never}: {condition}")
        floor = header.split("/")[0].removesuffix(".hpp")
        totals[floor] = [a + b for a, b in zip(totals[floor], count)]
        if PARSERS.match(header):
            parsers[header] = count
    print(f"{'':28} {'lines':27} branches")
    for group in (totals, parsers):
        for name, count in sorted(group.items()):
            print(f"{name:28} {share(*count[:2])}  {share(*count[2:])}")
        print()
    whole = [sum(c) for c in zip(*parsers.values())] or [0, 0, 0, 0]
    print(f"{'all parsers':28} {share(*whole[:2])}  {share(*whole[2:])}")
    print(f"{excused} branches are not counted that no test can take (EXCUSED in coverage_table.py)\n")
    print("\n".join(missed))


main()
