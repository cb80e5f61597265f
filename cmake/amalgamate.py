#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes weft as one header, for programs that want to copy a single file: headers of weft with all that they include of
weft, each once, where it is first included. Eigen, xsimd and fmt stay includes.

    python3 cmake/amalgamate.py                                          weft/weft.hpp, as weft_single.hpp
    python3 cmake/amalgamate.py --with weft/so3.hpp weft/potential.hpp   these as well
    python3 cmake/amalgamate.py --all --output everything.hpp            all of weft/*.hpp
"""
import argparse
import pathlib
import re
import shlex
import sys

LICENSE = re.compile(r"(// SPDX-License-Identifier: .+|/\* SPDX-License-Identifier: .+ \*/)")
DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)")
VERSION = re.compile(r"#define WEFT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)")


class Amalgamation:
    def __init__(self, folder):
        self.folder = folder
        self.lines = []
        self.inlined = set()

    def add(self, header):
        """Appends `header`, unless it is there already."""
        if header in self.inlined:
            return
        self.inlined.add(header)
        path = self.folder / header
        if not path.is_file():
            sys.exit(f"amalgamate.py: there is no {path}")
        self.append(f"// {header}")
        conditions = 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            directive = DIRECTIVE.fullmatch(line)
            name, argument = directive.groups() if directive else ("", "")
            conditions += {"if": 1, "ifdef": 1, "ifndef": 1, "endif": -1}.get(name, 0)
            if name == "include" and re.match(r"[\"<]weft\b|\"", argument):
                # Inlined under a condition, it would be missing where a later include of it does not have that one.
                if conditions or not (argument.startswith("<") and argument.endswith(">")):
                    sys.exit(f"amalgamate.py: {path}:{number}: must be #include <weft/...>, outside of any #if: {line}")
                self.add(argument[1:-1])
            elif not (LICENSE.fullmatch(line) or (name == "pragma" and argument == "once")):
                self.append(line)
        if conditions:
            sys.exit(f"amalgamate.py: {path}: an #if without its #endif")

    def append(self, line):
        if line or self.lines[-1:] != [""]:
            self.lines.append(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--with", nargs="+", default=[], dest="headers", metavar="HEADER",
                        help="headers beside weft/weft.hpp, as they are included")
    parser.add_argument("--all", action="store_true", help="all of weft/*.hpp")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("weft_single.hpp"), metavar="FILE")
    arguments = parser.parse_args()

    folder = pathlib.Path(__file__).resolve().parent.parent / "include"
    headers = ["weft/weft.hpp", *arguments.headers]
    if arguments.all:
        headers += sorted(f"weft/{path.name}" for path in (folder / "weft").glob("*.hpp"))
    amalgamation = Amalgamation(folder)
    for header in headers:
        amalgamation.add(header)

    version = ".".join(VERSION.findall((folder / "weft/version.hpp").read_text(encoding="utf-8")))
    options = "".join(f" {option}" for option in ["--all"] * arguments.all +
                      ["--with"] * bool(arguments.headers) + [shlex.quote(header) for header in arguments.headers])
    begin = f"""// SPDX-License-Identifier: MIT
#pragma once

// weft {version} in one header: {len(amalgamation.inlined)} headers put together by cmake/amalgamate.py{options}
// A program includes either this file or <weft/...>. It needs the headers of Eigen, xsimd and fmt:
//     g++ -std=c++20 -O2 -march=native -fopenmp -DFMT_HEADER_ONLY -I/usr/include/eigen3 program.cpp

"""
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(begin + "\n".join(amalgamation.lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
