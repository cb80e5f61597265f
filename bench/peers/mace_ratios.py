# SPDX-License-Identifier: MIT
"""MACE in Python and here: the same model and structures, one after the other in one run.

    mace/bin/python bench/peers/mace_ratios.py build/bench/bench_potential_mace --xyz acac.xyz --threads 1 2

(see mace_potential.py for the environment). Makes models of 32 and 128 channels (lmax 3, correlation 3, two layers, radial
networks of 64) with MACE's random weights, a periodic cell of 500 atoms, and takes molecules from --xyz. Rounds take
turns; medians. MACE is timed with the C library's memory as it comes and recycled (see peers.py). Energies and forces of
both must agree. The list of neighbors is in our times, not in MACE's.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# our entry, MACE's options, least ratio
ROWS = [("mace", [], {"cell": 25, "molecule": 20}), ("mace_tables", [], {"cell": 40}), ("mace_training", ["--training"], {"batch": 15})]


def peer(*arguments):
    done = subprocess.run([sys.executable, str(HERE / "mace_potential.py"), *map(str, arguments)], text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def ours(program, model, system, threads, name):
    environment = dict(os.environ, WEFT_MACE_MODEL=str(model), WEFT_MACE_XYZ=str(system), WEFT_THREADS=str(threads))
    done = subprocess.run([program, f"--benchmark_filter=^{name}/", "--benchmark_format=json", "--benchmark_min_time=0.5"],
                          text=True, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)["benchmarks"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--xyz", required=True, help="molecules, extxyz: the first alone, ten as a batch")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--allocators", nargs="+", default=["default", "recycling"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        peer("cell", folder / "cell.xyz", "--atoms", 500)
        lines = Path(options.xyz).read_text().splitlines(keepends=True)
        size = int(lines[0]) + 2
        (folder / "molecule.xyz").write_text("".join(lines[:size]))
        (folder / "batch.xyz").write_text("".join(lines[:10 * size]))
        print(f"{'':38}{'ours ms':>10}" + "".join(f"{'MACE ' + a + ' ms':>22}{'ratio':>8}" for a in options.allocators))
        for channels in options.channels:
            model = folder / f"c{channels}.safetensors"
            peer("make", model, "--hidden-irreps", f"{channels}x0e+{channels}x1o", "--max-ell", 3)
            for threads in options.threads:
                for name, extra, bars in ROWS:
                    for system, least in bars.items():
                        times, theirs = [], {a: [] for a in options.allocators}
                        for _ in range(options.rounds):
                            times.append(ours(options.program, model, folder / f"{system}.xyz", threads, name)["real_time"])
                            for a in options.allocators:
                                frames = ["--frames", 10] if system == "batch" else []
                                theirs[a].append(peer("time", model, folder / f"{system}.xyz", "--threads", threads,
                                                      "--allocator", a, "--repeats", 3, *frames, *extra)[0]["median_ms"])
                        own = statistics.median(times)
                        line = f"{name} c{channels} {system} threads {threads}"
                        row = "".join(f"{statistics.median(t):22.1f}{statistics.median(t) / own:8.1f}" for t in theirs.values())
                        print(f"{line:38}{own:10.2f}{row}   asked {least}", flush=True)


if __name__ == "__main__":
    main()
