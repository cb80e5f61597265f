# SPDX-License-Identifier: MIT
"""What it costs to compile a program that uses weft, and how large it gets."""

import re
import resource
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from machine import ROOT, cached
from measure import Failure

DEPENDENCIES = "#include <Eigen/Core>\n#include <xsimd/xsimd.hpp>\n#include <fmt/format.h>\n"


def compiler(build):
    """The compiler of a build folder and the options of a program that uses weft, as tests/build writes them."""
    file = Path(build) / "tests/build/weft.flags"
    if not file.exists():
        raise Failure(f"{file} is not there: a build folder with WEFT_BUILD_TESTS has it; --no-cost leaves this out")
    return [cached(build, "CMAKE_CXX_COMPILER") or "c++", f"@{file}"]


def processor_seconds(command):
    """Processor time of a command, the compiler's own children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise Failure(f"{shlex.join(command)}: {done.stderr.strip()[:400]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def headers():
    """The headers of floors, which include all of theirs, and weft.hpp and fwd.hpp."""
    return [f"weft/{p.name}" for p in sorted((ROOT / "include/weft").glob("*.hpp")) if p.name != "version.hpp"]


def includes(build, repeats, say):
    """{what is included: processor seconds of each repeat}, the dependencies first; in turns."""
    command = [*compiler(build), "-fsyntax-only"]
    units = {"dependencies": DEPENDENCIES} | {h: f"#include <{h}>\n" for h in headers()}
    found = {name: [] for name in units}
    say(f"compile time of {len(units)} headers, {repeats} times")
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(repeats):
            for name, text in units.items():
                source = Path(folder) / "unit.cpp"
                source.write_text(text)
                found[name].append(processor_seconds([*command, str(source)]))
    return found


def readme_program():
    """The first program of README.md."""
    found = re.search(r"```cpp\n(.*?int main\(\).*?)```", (ROOT / "README.md").read_text(), re.S)
    if not found:
        raise Failure("README.md has no program with a main function")
    return found[1]


def stripped_bytes(program, folder):
    """The size of a program without symbols; None where there is no strip."""
    if shutil.which("strip") is None:
        return None
    copy = Path(folder) / "stripped"
    subprocess.run(["strip", "-o", str(copy), str(program)], check=True)
    return copy.stat().st_size


def binaries(build, say):
    """[{name, seconds, bytes, stripped}]: the program of README.md compiled at -O2, and the examples that are built."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "readme.cpp", Path(folder) / "readme"
        source.write_text("// the program in README.md\n" + readme_program())
        say("compile time and size of the program in README.md")
        base = compiler(build)
        seconds = processor_seconds([*base, "-O2", "-DNDEBUG", str(source), "-o", str(program)])
        rows.append({"name": "the program in README.md", "seconds": seconds, "bytes": program.stat().st_size,
                     "stripped": stripped_bytes(program, folder)})
        for example in sorted((Path(build) / "examples").glob("*")):
            if example.is_file() and example.stat().st_mode & 0o111 and not example.suffix:
                rows.append({"name": f"examples/{example.name}", "bytes": example.stat().st_size,
                             "stripped": stripped_bytes(example, folder)})
    return rows
