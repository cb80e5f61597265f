# SPDX-License-Identifier: MIT
"""The machine, the compiler and the sources that a report is of."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


def processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return first_line("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or "unknown"


def caches():
    """[{level, bytes, shared}] of the data caches of processor 0; `shared` by how many processors."""
    found = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind, level, size = ((folder / name).read_text().strip() for name in ("type", "level", "size"))
            shared = (folder / "shared_cpu_list").read_text().strip()
        except OSError:
            continue
        if kind == "Instruction":
            continue
        count = 0
        for part in shared.split(","):
            ends = part.split("-")
            count += int(ends[-1]) - int(ends[0]) + 1
        scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
        found.append({"level": int(level), "bytes": int(size[:-1]) * scale[size[-1]], "shared": count})
    return found


def vectors():
    """The widest vector instructions of this processor that there is a name for."""
    try:
        flags = set(re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())
    except (OSError, TypeError):
        return ""
    names = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"), ("sve", "SVE"), ("asimd", "NEON"),
             ("sse2", "SSE2"))
    return next((name for flag, name in names if flag in flags), "")


def cached(build, name):
    """An entry of CMake's cache, or nothing."""
    try:
        found = re.search(rf"^{name}:\w+=(.*)$", (Path(build) / "CMakeCache.txt").read_text(), re.M)
    except OSError:
        return ""
    return found[1] if found else ""


def flags(build):
    """The options that the programs of a build folder are compiled with, less paths of dependencies and warnings."""
    kind = cached(build, "CMAKE_BUILD_TYPE").upper()
    options = f"{cached(build, 'CMAKE_CXX_FLAGS')} {cached(build, f'CMAKE_CXX_FLAGS_{kind}')}".split()
    try:
        of_weft = (Path(build) / "tests/build/weft.flags").read_text().split()
    except OSError:
        of_weft = []
    every = [o for o in [*of_weft, *options] if not o.startswith(("-I", "-isystem", "-D", "-W"))]
    return " ".join(dict.fromkeys(every))


def describe(build):
    compiler = cached(build, "CMAKE_CXX_COMPILER") or "c++"
    version = re.search(r'WEFT_VERSION_MAJOR (\d+).*?WEFT_VERSION_MINOR (\d+).*?WEFT_VERSION_PATCH (\d+)',
                        (ROOT / "include/weft/version.hpp").read_text(), re.S)
    changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True,
                             cwd=ROOT).stdout if first_line("git", "rev-parse", "HEAD") else ""
    return {
        "processor": processor(),
        "vectors": vectors(),
        "processors": os.cpu_count(),
        "caches": caches(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "compiler": first_line(compiler, "--version") or compiler,
        "flags": flags(build),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "commit": first_line("git", "rev-parse", "--short=12", "HEAD") + (" with changes" if changed else ""),
        "version": ".".join(version.groups()) if version else "",
        "load": [round(os.getloadavg()[0], 2)],
    }
