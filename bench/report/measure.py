# SPDX-License-Identifier: MIT
"""Runs the benchmark programs of a build folder, and bench/peers/ratios.py, and keeps every repetition."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS = Path(__file__).resolve().parent.parent / "peers"
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
SUFFIX = re.compile(r"(/((real|process|manual)_time|(threads|min_time|min_warmup_time|iterations|repeats):[^/]+))+$")
# Counters that say how large a problem is, for times of an element over the size.
UNITS = ("elements", "multiply-adds", "edges", "points", "pairs", "atoms")
KEPT = ("bytes", "operations", *UNITS)
RATES = ("GB/s", "GFLOP/s", "of_triad", "of_peak")


class Failure(Exception):
    """What went wrong, to be shown without a trace."""


def split(full):
    """(kernel, size) of a benchmark's name: chain/1024/real_time is chain and 1024."""
    name = SUFFIX.sub("", full)
    kernel, _, size = name.partition("/")
    return kernel, size


def programs(build):
    """The benchmark programs of a build folder by their names without bench_."""
    folder = Path(build) / "bench"
    found = {p.name.removesuffix(".exe").removeprefix("bench_"): p for p in sorted(folder.glob("bench_*"))
             if p.is_file() and os.access(p, os.X_OK)}
    if not found:
        raise Failure(f"no benchmark programs bench_* in {folder}; build them by: sh cmake/run.sh bench --list, or "
                      f"cmake --build {build} --target benches")
    return found


def listed(program):
    """The full names of a program's benchmarks."""
    run = subprocess.run([program, "--benchmark_list_tests=true"], capture_output=True, text=True)
    if run.returncode:
        raise Failure(f"{program} --benchmark_list_tests ended with status {run.returncode}: "
                      f"{run.stderr.strip()[-300:]}")
    return [line for line in run.stdout.splitlines() if line]


def pattern(text, option):
    try:
        return re.compile(text)
    except re.error as problem:
        raise Failure(f"{option} {text!r} is no regular expression: {problem}") from None


def select(build, only, sizes):
    """[(program's name, path, full names)] of the benchmarks whose program/kernel/size fits `only`, and the size
    `sizes`."""
    only, sizes = pattern(only, "--only"), pattern(sizes, "--sizes")
    chosen = []
    for name, path in programs(build).items():
        if name == "core_machine":
            continue
        full = [f for f in listed(path) if only.search(f"{name}/{'/'.join(split(f))}") and sizes.search(split(f)[1])]
        if full:
            chosen.append((name, path, full))
    if not chosen:
        raise Failure(f"no benchmark fits --only {only.pattern!r} --sizes {sizes.pattern!r}; --list shows all")
    return chosen


def run(path, full, threads, repetitions, seconds):
    """The parsed output of a program for benchmarks of these full names."""
    escaped = [re.sub(r"([.\[{()*+?^$|\\])", r"\\\1", f) for f in full]
    command = [str(path), f"--benchmark_filter=^({'|'.join(escaped)})$", "--benchmark_format=json",
               f"--benchmark_repetitions={repetitions}", f"--benchmark_min_time={seconds}",
               "--benchmark_enable_random_interleaving=true"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "WEFT_THREADS": str(threads)})
    if done.returncode:
        raise Failure(f"{path.name} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    try:
        return json.loads(done.stdout)
    except ValueError as problem:
        raise Failure(f"{path.name} wrote no JSON: {problem}") from None


def seconds(b):
    """The time of a call. Some measure several things in a call, and say by a rate how long the kernel takes, or in
    nanoseconds how long an element or a point takes."""
    if b.get("GB/s") and "bytes" in b:
        return b["bytes"] / (1e9 * b["GB/s"])
    if "ns" in b:
        return 1e-9 * b["ns"]
    return b["real_time"] * SECONDS[b["time_unit"]]


def entries(output, program, threads):
    """(entries, failures) of a program's output: of each benchmark the times and rates of all its repetitions."""
    found, failures = {}, []
    for b in output["benchmarks"]:
        if b.get("run_type", "iteration") != "iteration":
            continue
        kernel, size = split(b["name"])
        if b.get("error_occurred"):
            failures.append(f"{kernel}/{size}: {b.get('error_message')}")
            continue
        e = found.setdefault((kernel, size), {"program": program, "kernel": kernel, "size": size, "threads": threads,
                                              "seconds": [], **{k: b[k] for k in KEPT if k in b}})
        if b.get("label"):
            e["series"] = b["label"]
        e["seconds"].append(seconds(b))
        for key in RATES:
            if key in b:
                e.setdefault(key, []).append(b[key])
    return list(found.values()), failures


def kernels(chosen, threads, repetitions, seconds, say):
    """(entries, failures) of what `select` chose."""
    found, failures = [], []
    for number, (name, path, full) in enumerate(chosen, 1):
        for count in threads:
            say(f"[{number}/{len(chosen)}] {name}: {len(full)} benchmarks, {count} thread{'s' * (count > 1)}", end="")
            begin = time.monotonic()
            try:
                some, failed = entries(run(path, full, count, repetitions, seconds), name, count)
                found += some
                failures += failed
            except Failure as failure:
                failures.append(str(failure))
            say(f", {time.monotonic() - begin:.0f} s")
    return found, failures


def rates(build, threads, repetitions, say):
    """What the machine can do, by bench_core_machine: for each number of threads the multiply-adds in GFLOP/s, and the
    triad in GB/s over so many bytes for each thread. Nothing where the program is not there."""
    path = programs(build).get("core_machine")
    if path is None:
        say("bench_core_machine is not built: no roofs")
        return []
    found = []
    for count in threads:
        say(f"rates of this machine, {count} thread{'s' * (count > 1)}")
        row = {"threads": count, "multiply_add": [], "triad": {}}
        for b in run(path, listed(path), count, repetitions, 0.01)["benchmarks"]:
            if b.get("run_type", "iteration") != "iteration":
                continue
            kernel, size = split(b["name"])
            if kernel == "machine_multiply_add":
                row["multiply_add"].append(b["GFLOP/s"])
            else:
                row["triad"].setdefault(int(size) * 1024, []).append(b["GB/s"])
        row["triad"] = [{"bytes": size, "GB/s": row["triad"][size]} for size in sorted(row["triad"])]
        found.append(row)
    return found


def peers_missing(python):
    """Why an interpreter cannot measure peers, or nothing where it can. Failure if it is none."""
    if python is None:
        return "No peers were measured: --peers PYTHON names an interpreter that has torch."
    try:
        has = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True)
    except OSError as problem:
        raise Failure(f"--peers {python}: {problem.strerror}") from None
    return f"No peer was found: {python} has no torch." if has.returncode else None


def peers(python, build, chosen, threads, quick, seconds, say):
    """The rows of bench/peers/ratios.py by that interpreter for the chosen benchmarks."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ratios.json"
        say("peers, by bench/peers/ratios.py")
        names = sorted({re.escape("/".join(split(f))) for _, _, full in chosen for f in full})
        command = [python, str(PEERS / "ratios.py"), str(build), "--filter", f"^({'|'.join(names)})$", "--rounds",
                   "1" if quick else "5", "--seconds", str(seconds), "--json", str(out), "--threads",
                   *map(str, threads), *(["--allocator", "default"] if quick else [])]
        done = subprocess.run(command, stdout=sys.__stderr__, stderr=subprocess.PIPE, text=True)
        if not out.exists():
            return {"rows": [], "note": "The peers could not be measured.",
                    "failures": [f"ratios.py ended with status {done.returncode}: {done.stderr.strip()[-300:]}"]}
        table = json.loads(out.read_text())
    problems = [line.removeprefix("failed: ") for line in done.stderr.splitlines() if line.startswith("failed: ")]
    note = table["context"] if table["rows"] else "None of the benchmarks that were chosen has a peer."
    return {"rows": table["rows"], "note": note, "failures": problems}
