# SPDX-License-Identifier: MIT
"""Measures the benchmarks of a build folder and writes a page to look at.

    bench/weft-bench --quick                                   a first look, in minutes
    bench/weft-bench --only '^so3_|^attention_' --threads 1,2    some kernels
    bench/weft-bench --peers peers/bin/python                  beside PyTorch, PyTorch Geometric, e3nn
    bench/weft-bench --from report.json --pictures docs/pictures

The page needs no network and no script. The numbers are written beside it as JSON, from which --from makes the page
again and which --baseline compares a later run with.
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cost
import machine
import measure
import page
from measure import Failure

FORMAT = 1


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def thread_counts(text):
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if counts[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: numbers of threads, such as 1,2")
    return counts


def read_report(path):
    """A report of an earlier run. Failure if the file is none."""
    try:
        report = json.loads(Path(path).read_text())
    except OSError as problem:
        raise Failure(f"{path}: {problem.strerror}") from None
    except ValueError as problem:
        raise Failure(f"{path} is no JSON: {problem}") from None
    if not isinstance(report, dict) or report.get("weft-bench") != FORMAT:
        raise Failure(f"{path} is no report of weft-bench")
    for key, kind in (("machine", dict), ("options", dict), ("entries", list), ("rates", list), ("peers", dict)):
        if not isinstance(report.get(key), kind):
            raise Failure(f"{path} has no {key}")
    for number, e in enumerate(report["entries"]):
        missing = {"program", "kernel", "size", "threads", "seconds"} - set(e if isinstance(e, dict) else ())
        if missing:
            raise Failure(f"{path}: entry {number} has no {min(missing)}")
        if not e["seconds"] or not all(isinstance(s, (int, float)) and s > 0 for s in e["seconds"]):
            raise Failure(f"{path}: entry {number}, {e['kernel']}, has a time that is not positive")
    if not report["entries"]:
        raise Failure(f"{path} has no entries")
    return report


def with_peers(report, o, chosen):
    """Measures the peers of the benchmarks that were chosen, into a report."""
    if missing := measure.peers_missing(o.peers):
        say(missing)
        report["peers"] = {"rows": [], "note": missing}
        return
    found = measure.peers(o.peers, o.build, chosen, o.threads, o.quick, max(least_seconds(o), 0.05), say)
    report["failures"] = report.get("failures", []) + found.pop("failures")
    report["peers"] = found


def least_seconds(o):
    return o.seconds or (0.01 if o.quick else 0.1)


def measured(o):
    """A report of what the options ask for."""
    seconds, repetitions = least_seconds(o), o.repetitions or (3 if o.quick else 7)
    measure.peers_missing(o.peers)  # a path that is none ends it before anything is measured
    about = machine.describe(o.build)
    chosen = measure.select(o.build, o.only, o.sizes)  # bad options end it before anything is measured
    say(f"{sum(len(full) for _, _, full in chosen)} benchmarks of {len(chosen)} programs")
    rates = measure.rates(o.build, o.threads, repetitions, say)
    entries, failures = measure.kernels(chosen, o.threads, repetitions, seconds, say)
    if not entries:
        raise Failure("nothing was measured: " + "; ".join(failures))
    report = {"weft-bench": FORMAT, "machine": about,
              "options": {"quick": o.quick, "seconds": seconds, "repetitions": repetitions, "only": o.only,
                          "sizes": o.sizes},
              "entries": entries, "rates": rates, "failures": failures}
    with_peers(report, o, chosen)
    if not o.no_cost:
        report["includes"] = cost.includes(o.build, 2 if o.quick else 5, say)
        report["binaries"] = cost.binaries(o.build, say)
    about["load"].append(round(os.getloadavg()[0], 2))
    return report


def write(path, text):
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Failure(f"{path}: {problem.strerror}") from None
    say(f"wrote {path}")


def arguments(given):
    p = argparse.ArgumentParser(prog="weft-bench", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", type=Path, default=Path("build/release"), help="build folder (default build/release)")
    p.add_argument("--list", action="store_true", help="show the chosen benchmarks and end")
    p.add_argument("--only", default="", metavar="REGEX", help="of floor_program/kernel/size, searched")
    p.add_argument("--sizes", default="", metavar="REGEX", help="of the size, what comes after the kernel's first /")
    p.add_argument("--threads", type=thread_counts, default=None, metavar="1,2", help="default 1 and all processors")
    p.add_argument("--quick", action="store_true", help="few and short repetitions, peers once")
    p.add_argument("--repetitions", type=int, help="of each benchmark (default 7, quick 3)")
    p.add_argument("--seconds", type=float, help="least time of a repetition (default 0.1, quick 0.01)")
    p.add_argument("--peers", metavar="PYTHON", help="interpreter with torch, to measure other libraries beside")
    p.add_argument("--no-cost", action="store_true", help="leave out compile time and sizes of programs")
    p.add_argument("--baseline", metavar="JSON", help="report of an older run to compare with")
    p.add_argument("--from", dest="source", metavar="JSON", help="make the page of this report, and measure nothing (but the peers, with --peers)")
    p.add_argument("--output", metavar="HTML", help="the page (default report.html in the build folder)")
    p.add_argument("--json", metavar="JSON", help="the numbers (default beside the page)")
    p.add_argument("--pictures", metavar="FOLDER", help="also write each plot as an SVG file there")
    o = p.parse_args(given)
    for name in ("repetitions", "seconds"):
        if (value := getattr(o, name)) is not None and value <= 0:
            p.error(f"argument --{name}: {value}: must be positive")
    if o.threads is None:
        o.threads = sorted({1, os.cpu_count() or 1})
    o.output = Path(o.output or o.build / "report.html")
    return o


def main(given=None):
    o = arguments(given)
    try:
        if o.list:
            for name, _, full in measure.select(o.build, o.only, o.sizes):
                for f in full:
                    print(f"{name}/{'/'.join(part for part in measure.split(f) if part)}")
            return 0
        baseline = read_report(o.baseline) if o.baseline else None
        report = read_report(o.source) if o.source else measured(o)
        if o.source and o.peers is not None:
            with_peers(report, o, measure.select(o.build, o.only, o.sizes))
        if baseline:
            report["baseline"] = {**{k: baseline["machine"][k] for k in ("date", "commit", "processor")},
                                  "entries": baseline["entries"]}
        if not o.source or o.peers is not None or o.json:
            write(o.json or o.output.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
        write(o.output, page.html(report))
        if o.pictures:
            below = page.footer(report)
            for name, (picture, title) in page.pictures(report).items():
                write(Path(o.pictures) / f"{name}.svg", picture.svg(title, alone=True, footer=below) + "\n")
        for failure in report.get("failures", []):
            say(f"failed: {failure}")
        return 1 if report.get("failures") else 0
    except Failure as failure:
        say(f"weft-bench: {failure}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
