# SPDX-License-Identifier: MIT
"""One table of peer time / weft time, both measured in the same run on the same machine.

    python3 -m venv peers && peers/bin/pip install torch torch_geometric e3nn sphericart
    peers/bin/python bench/peers/ratios.py build --filter '^spmm' --threads 1 2

Looks under the build folder for Google Benchmark programs: executables whose own name, or whose folder, is `bench`,
starts with `bench_` or ends with `_bench`. They get their number of threads from the environment variable WEFT_THREADS.
An entry called spmm/20000x300000x64 there (a suffix like /threads:1 or /real_time is allowed) is joined with the peers
of that name in peers.py. Every round runs the C++ entry, then its peers; the table shows the medians over the rounds.

Where both sides have probes of their results (see peers.py and bench/roofline.hpp) they must agree: `differ` is by how
much they do not, in parts of the norm of the result. `of peak` is weft's share of the multiply-add peak that its
process measured.

torch's times depend on how the C library hands out memory (see peers.py), so each peer is shown, and its bar judged,
with both settings. The bars of the epochs include dropout; gcn_epoch_without_dropout says what is left without it.

Exit status: 0 if every bar that was measured is met, 1 if one is missed or a program failed, 2 if nothing was compared.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "report"))

import measure

try:
    import peers
except ImportError as missing:
    peers, why_no_peers = None, missing

# (names, peer, least ratio)
BARS = [
    (r"spmm/", "torch index_add", 15.0),
    (r"spmm/", "torch sparse.mm", 2.5),
    (r"(gcn|gat)_epoch/", "torch_geometric", 8.0),
    (r"(gat|gatv2|transformer|pna|sage_max)_backward/", "torch_geometric", 10.0),
    (r"gine_backward/", "torch_geometric", 8.0),
    (r"(rgcn|hgt|edge_conv)_backward/", "torch_geometric", 5.0),
    (r"neighbor_sampling/", "torch_geometric", 3.0),
    (r"attention(_backward)?/h8_n1024_d64", "torch sdpa", 1.3),
    (r"attention_causal/h8_n1024_d64", "torch sdpa", 1.8),
    (r"attention/h8_n1024_d16", "torch sdpa", 2.0),
    (r"attention/h8_n1024_d64", "torch naive", 4.0),
    (r"attention/h8_n1024_d16", "torch naive", 5.0),
    (r"evo_norm_(b0|s0)/", "torch", 4.0),
    (r"evo_norm_(b0|s0)_backward/", "torch", 3.0),
    (r"group_norm_silu/", "torch", 2.5),
    (r"layer_norm/", "torch", 1.5),
    (r"spherical_harmonics(_fused)?(_backward)?/", "e3nn scripted", 40.0),
    (r"spherical_harmonics(_backward)?/", "sphericart", 1.5),
    (r"convolution/l", "e3nn scripted", 80.0),
    (r"convolution_backward/l", "e3nn scripted", 70.0),
    (r"radial_convolution/", "e3nn scripted", 20.0),
    (r"so3_linear/", "e3nn scripted", 4.0),
    (r"fully_connected_tensor_product(_backward)?/", "e3nn scripted", 10.0),
    (r"symmetric_contraction(_force|_backward)?/", "mace dense scripted", 400.0),
    (r"gate(_backward)?/", "e3nn scripted", 10.0),
    (r"s2_activation(_backward)?/", "e3nn", 8.0),
    (r"gaunt_product/", "torch grid", 10.0),
    (r"gaunt_product/", "torch einsum", 10.0),
    (r"gaunt_product/", "e3nn scripted", 10.0),
]
# (names, least share of the multiply-add peak)
SHARES = [
    (r"convolution/l[012]", 0.45),
    (r"so3_linear/c128", 0.7),
]
TOLERANCE = 1e-4  # of the norm of a result, between probes of both sides


def bar(name, peer):
    return next((least for names, which, least in BARS if which == peer and re.match(names, name)), None)


def difference(name, peer, ours, theirs):
    """The largest difference of the probes of two results, in parts of their norms; None where there are none.
    RuntimeError if it is above TOLERANCE: then the two did not compute the same."""
    if not ours or not theirs:
        return None
    if len(ours) != len(theirs):
        raise RuntimeError(f"{name}: weft has {len(ours)} results, {peer} {len(theirs)}")
    pairs = [(a, b, their[1]) for our, their in zip(ours, theirs) for a, b in zip(our, their)]
    found = [abs(a - b) / norm for a, b, norm in pairs]
    if not all(d <= TOLERANCE for d in found):  # not so for NaN
        raise RuntimeError(f"{name}: weft and {peer} computed different numbers: {ours}, {theirs}")
    return max(found)


def is_bench_name(name):
    return name == "bench" or name.startswith("bench_") or name.endswith("_bench")


def programs(build):
    """The benchmark executables under `build`."""
    found = []
    for folder, _, files in os.walk(build):
        for file in files:
            path = Path(folder) / file
            named = is_bench_name(path.stem) or is_bench_name(path.parent.name)
            if named and path.suffix in ("", ".exe") and os.access(path, os.X_OK):
                found.append(path)
    return sorted(found)


def listed(program):
    """Full names of the entries of a Google Benchmark program; none, with a word to say so, if it is not one."""
    try:
        run = subprocess.run([program, "--benchmark_list_tests=true"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as failure:
        print(f"not a benchmark program: {program}: {failure}", file=sys.stderr)
        return []
    if run.returncode:
        print(f"not a benchmark program: {program}: exit status {run.returncode}", file=sys.stderr)
        return []
    return [line for line in run.stdout.splitlines() if line]


def suffix_threads(full):
    """The number in /threads:N at the end of a name, or None."""
    suffix = measure.SUFFIX.search(full)
    found = suffix and re.search(r"/threads:(\d+)", suffix.group())
    return int(found.group(1)) if found else None


def time_weft(program, full, threads, seconds):
    """Real time of one call, in seconds, the share of the multiply-add peak or None, and the probes of the results."""
    exact = "^" + re.sub(r"([.\[{()*+?^$|\\])", r"\\\1", full) + "$"
    command = [program, f"--benchmark_filter={exact}", "--benchmark_format=json", f"--benchmark_min_time={seconds}"]
    run = subprocess.run(command, capture_output=True, text=True,
                         env={**os.environ, "WEFT_THREADS": str(threads), "WEFT_PROBES": "1"})
    if run.returncode:
        raise RuntimeError(f"{full}: {program} ended with status {run.returncode}: {run.stderr.strip()[-300:]}")
    entries = [e for e in json.loads(run.stdout)["benchmarks"] if e.get("run_type", "iteration") == "iteration"]
    if not entries or entries[0].get("error_occurred"):
        raise RuntimeError(f"{full}: {entries[0].get('error_message') if entries else 'no result'}")
    time = statistics.median(measure.seconds(e) for e in entries)
    first = entries[0]
    found = [(first[f"probe{i}"], first[f"norm{i}"]) for i in range(len(first)) if f"probe{i}" in first]
    return time, first.get("of_peak"), found


def compare(name, program, full, cases, threads, options):
    """Rows (name, peer, allocator, threads, peer time, weft time, share of the peak, difference, ratio of each round) of
    one entry."""
    weft, shares, peer, differences = [], [], {}, {}
    for _ in range(options.rounds):
        time, share, probes = time_weft(program, full, threads, options.seconds)
        weft.append(time)
        shares.append(share)
        for case in cases:
            for allocator in options.allocator:
                found = peers.entry(case, threads, allocator, options.seconds)
                peer.setdefault((case.peer, allocator), []).append(found["median"])
                differences[case.peer] = difference(name, case.peer, probes, found["probes"])
    ours, share = statistics.median(weft), None if None in shares else statistics.median(shares)
    return [(name, *which, threads, statistics.median(times), ours, share, differences[which[0]],
             [theirs / own for theirs, own in zip(times, weft)]) for which, times in peer.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="build folder that holds the benchmark executables")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--filter", default="", help="regular expression searched in the names")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="least time per entry and round")
    parser.add_argument("--allocator", nargs="+", choices=["default", "recycling"], default=["default", "recycling"],
                        help="how torch gets its memory, see peers.py")
    parser.add_argument("--json", metavar="OUT", help="also write the rows to this file")
    options = parser.parse_args()

    problems = []
    found = programs(options.build)
    if not found:
        problems.append(f"not found: a benchmark executable under {options.build}")
    if peers is None:
        problems.append(f"not found: torch ({why_no_peers}); run this with the Python of an environment that has it")
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    if peers.torch_geometric is None:
        print("not found: torch_geometric; its peers are left out", file=sys.stderr)

    ours = {}
    for program in found:
        for full in listed(program):
            ours.setdefault(measure.SUFFIX.sub("", full), []).append((program, full))
    theirs = {}
    for case in peers.cases():
        theirs.setdefault(case.name, []).append(case)
    names = [name for name in theirs if name in ours and re.search(options.filter, name)]

    source = peers.inputs.cora().source
    print(f"{peers.versions()}; peers' epochs on: {source}; {options.rounds} rounds")
    heads = f"{'threads':>7} {'peer s':>11} {'weft s':>11} {'ratio':>8} {'differ':>8} {'of peak':>8}  bar"
    print(f"{'entry':41} {'peer':23} {'allocator':10} {heads}")
    rows, failures, missed = [], [], 0
    for name in names:
        for threads in options.threads:
            fitting = [at for at in ours[name] if suffix_threads(at[1]) in (None, threads)]
            if not fitting:
                failures.append(f"{name}: no entry for {threads} threads")
                continue
            try:
                compared = compare(name, *fitting[0], theirs[name], threads, options)
            except RuntimeError as failure:
                failures.append(str(failure))
                continue
            rows += compared
            for _, peer, allocator, _, peer_time, weft_time, share, differ, _ in compared:
                ratio = peer_time / weft_time
                asked = [("", ratio, bar(name, peer))]
                asked += [("of peak ", share, least) for names, least in SHARES if re.match(names, name)]
                verdicts = [f"{what}>= {least:g} {'met' if found >= least else 'MISSED'}"
                            for what, found, least in asked if least is not None]
                missed += any("MISSED" in verdict for verdict in verdicts)
                times = f"{threads:7} {peer_time:11.3e} {weft_time:11.3e} {ratio:8.2f}"
                shown = [f"{'-' if number is None else format(number, style):>8}"
                         for number, style in [(differ, ".0e"), (share, ".2f")]]
                row = f"{name:41} {peer:23} {allocator:10} {times} {' '.join(shown)}  {', '.join(verdicts)}"
                print(row, flush=True)

    for name in sorted(n for n in theirs if n not in ours and re.search(options.filter, n)):
        print(f"not found: no C++ benchmark is called {name}", file=sys.stderr)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    if options.json:
        keys = ("name", "peer", "allocator", "threads", "peer_seconds", "weft_seconds", "of_peak", "difference",
                "ratios")
        table = {"context": f"{peers.versions()}; {source}", "rows": [dict(zip(keys, row)) for row in rows]}
        Path(options.json).write_text(json.dumps(table, indent=1))
    if not rows:
        print("nothing could be compared", file=sys.stderr)
        return 2
    return 1 if missed or failures else 0


if __name__ == "__main__":
    sys.exit(main())
