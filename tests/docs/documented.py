#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the target `docs` made, checked: nothing public is without a comment, and Doxygen understood all comments.

usage: documented.py DOXYGEN_OUTPUT INCLUDE_FOLDER PAGE.md...

Functions, classes, enumerations, concepts, aliases and constants of namespaces all need a comment `///`. Member functions
too, but for those of the same meaning everywhere (MEANING, explained in docs/core.md). The pages, one per floor, name
every header of their floor.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

# The parts of operations, modules, containers and formatters that mean the same wherever they are.
MEANING = re.compile(r"visit|name|value|slope(_\w)?|adjoint(_\w)?|forward\w*|backward\w*|identity|combine|format|parse|"
                     r"operator(==|!=|=|\+\+|--|\*|->|[-+*/]=|\[\])|begin|end|size|empty|shape|strides|extent|rank|"
                     r"(irreps|features|channels)_(in|out)\d?|irreps_in\d|(in|out)_(features|channels)|~.*")
# Doxygen 1.9 takes the base of one class for its friend, and does not know specialisations of other namespaces.
LIMITS = re.compile(r"Internal inconsistency: scope for class|Detected potential recursive class relation|"
                    r"no uniquely matching class member found for")
SPECIALISATION = re.compile(r"^(std|fmt)::|(^|::)detail(::|$)")


def documented(element):
    return any("".join(element.find(tag).itertext()).strip() for tag in ("briefdescription", "detaileddescription")
               if element.find(tag) is not None)


def entities(folder):
    """Yields (kind, name, documented) of everything public."""
    for listed in ET.parse(folder / "xml/index.xml").getroot().findall("compound"):
        for compound in ET.parse(folder / f"xml/{listed.get('refid')}.xml").getroot().findall("compounddef"):
            kind, name = compound.get("kind"), compound.findtext("compoundname")
            if kind not in ("namespace", "class", "struct", "concept") or SPECIALISATION.search(name):
                continue
            if compound.get("prot") in ("private", "protected"):
                continue
            if kind != "namespace":
                yield "type", name, documented(compound)
            for member in compound.iter("memberdef"):
                own = member.findtext("name")
                arguments = member.findtext("argsstring") or ""
                if kind == "namespace":
                    # Not of their own: deduction guides, and specialisations of templates of constants.
                    guide = member.get("kind") == "function" and "->" in arguments
                    if own != "operator<<" and not guide and "<" not in own.replace("operator<", ""):
                        yield "function" if member.get("kind") == "function" else "other", f"{name}::{own}", \
                            documented(member)
                elif member.get("kind") == "function" and member.get("prot") == "public":
                    made = re.search(r"=\s*(default|delete)$", arguments)
                    if not made and not MEANING.fullmatch(own):
                        yield "member", f"{name}::{own}", documented(member)


def main():
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    output, include = map(pathlib.Path, sys.argv[1:3])
    problems = []
    counts = {kind: [0, 0] for kind in ("function", "type", "other", "member")}
    for kind, name, good in entities(output):
        counts[kind][not good] += 1
        if not good:
            problems.append(f"{name} has no comment")
    lines = (output / "warnings.txt").read_text().splitlines()
    problems += [line for line in lines if "warning:" in line and not LIMITS.search(line)]

    for page in map(pathlib.Path, sys.argv[3:]):
        floor = page.stem
        text = page.read_text(encoding="utf-8")
        headers = {f"weft/{floor}.hpp"} | {path.relative_to(include).as_posix()
                                           for pattern in ("*.hpp", "*.h")
                                           for path in (include / "weft" / floor).rglob(pattern)}
        named = set(re.findall(r"weft/\w+(?:/\w+)*\.hp*", text))
        problems += [f"{page.name} does not name {header}" for header in sorted(headers - named)]
        problems += [f"{page.name} names {header}, which is not there" for header in sorted(named)
                     if not (include / header).exists()]

    for kind, (good, bad) in counts.items():
        print(f"{kind}: {good} with a comment, {bad} without")
    if counts["function"][0] < 100:
        problems.append(f"only {counts['function'][0]} functions in {output}: is that weft?")
    print("\n".join(problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
