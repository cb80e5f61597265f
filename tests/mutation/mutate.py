#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests see it when a header is wrong?

Changes one place of a kernel's source at a time (an operator, a constant, a bound, an index, a sign, a statement that
adds up), compiles the tests which cover that header against the changed copy, and runs them: a mutant that no test
notices has survived. Prints the share that was killed and the survivors. The sources themselves are never touched.

    tests/mutation/mutate.py --count 100 --seed 1
    tests/mutation/mutate.py --count 20 --only core/softmax.hpp --only nn
    tests/mutation/mutate.py --at nn/sgd.hpp:33
    tests/mutation/mutate.py --list --only core/softmax.hpp

A mutant that does not compile is none; one that takes too long, or crashes, is killed. Survivors that compute the same
are listed in equivalent.txt, each with its reason, and are not counted.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include" / "weft"

# Header (a regular expression below include/weft) -> the test files which cover it, cheap ones first. The first entry
# that matches is taken; `*` stands for the name of the header. Headers without an entry are not mutated.
COVERED_BY = [
    (r"core/ops/(add|assign|ceil|clamp|compare|divide|floor|logical|maximum|minimum|multiply|multiply_add|round|sign|"
     r"subtract|where)\.hpp", "core/elementwise grad/elementwise"),
    (r"core/ops/prelu\.hpp", "core/elementwise grad/elementwise nn/activation"),
    (r"core/ops/.*", "core/accuracy core/elementwise grad/elementwise"),
    (r"core/math.*", "core/accuracy core/elementwise grad/elementwise"),
    (r"core/(row_operation|softmax)\.hpp", "core/softmax grad/rows"),
    (r"core/reduce\.hpp", "core/reduce grad/rows"),
    (r"core/(moments|moment_sums|staged|derived_values)\.hpp", "core/moments core/standardize"),
    (r"core/(combine|dual|half|bfloat16|philox|random|parallel_for|transpose_block|views|standardize)\.hpp", "core/*"),
    (r"linalg/(matmul|product|product_tile)\.hpp", "linalg/matmul linalg/affine"),
    (r"linalg/(segment_matmul|affine|lanczos)\.hpp", "linalg/*"),
    (r"linalg/(solve|qr|svd|eigh)\.hpp", "linalg/factorization"),
    (r"graph/edge_.*|graph/(row_sum|complex_sum)\.hpp", "graph/edge_expression grad/rows"),
    (r"graph/(cell|atom_bins|neighbor_.*|half_list|pair_vector)\.hpp", "graph/neighbor_list graph/neighbor_sampler"),
    (r"graph/verlet_list\.hpp", "graph/verlet_list"),
    (r"graph/(batch|graph|hypergraph|relation_groups)\.hpp", "graph/*"),
    (r"graph/(csr|coalesce|self_loops|subgraph|normalize|edge_order)\.hpp", "graph/transforms graph/graph"),
    (r"grad/.*", "grad/* grad/backward grad/var"),
    (r"nn/loss\.hpp", "nn/loss"),
    (r"nn/(adam|sgd|optimizer|schedule|reduce_lr_on_plateau)\.hpp", "nn/optimizer"),
    (r"nn/(lstm|gru_cell|gates)\.hpp", "nn/recurrent"),
    (r"nn/(dropout|embedding|exponential_moving_average|linear|pooling|roc_auc)\.hpp", "nn/*"),
    (r"nn/(convolution|conv2d|window)\.hpp", "nn/convolution"),
    (r"nn/evo_norm_.*", "nn/evo_norm"),
    (r"attention/(attention.*|few_rows|masks|score_rules|weight_dropout)\.hpp",
     "attention/attention attention/attention_properties"),
    (r"attention/(graph_attention|rotary_embedding|multihead_attention|transformer_block)\.hpp", "attention/*"),
    (r"so3/(spherical_harmonics.*)\.hpp", "so3/spherical_harmonics"),
    (r"so3/(wigner.*)\.hpp", "so3/wigner"),
    (r"so3/convolution.*", "so3/convolution"),
    (r"so3/radial_table\.hpp", "so3/radial_table"),
    (r"so3/horner_table\.hpp", "so3/symmetric_contraction"),
    (r"so3/(activation|batch_norm|irreps|layer_norm|linear|norm|radial|symmetric_contraction|tensor_product|"
     r"fully_connected_net|density_projection|layout)\.hpp", "so3/*"),
    (r"io/(json|dtype|any_tensor)\.hpp", "io/safetensors"),
    (r"io/zip\.hpp", "io/npz"),
    (r"io/text\.hpp", "io/edge_list io/matrix_market"),
    (r"io/extxyz_.*", "io/extxyz"),
    (r"io/dataset_reader\.hpp", "io/node_dataset io/hetero_dataset"),
    (r"io/.*", "io/*"),
]

# Lines that decide how fast something is, or what compiles, and not what is computed.
NOT_BEHAVIOUR = re.compile(r"^\s*#|prefetch|\bcost\b|\bgrain\b|\bchunks?\b|static_assert|\brequires\b|\bconcept\b|"
                           r"\busing\b|reserve\(|^\s*template\b|noexcept\(|\bworthwhile\b|error\(|\boverlap|unroll|"
                           r"lanes<|inline constexpr bool is_|Accuracy accuracy")

# (pattern in code without comments and strings, replacement, name)
OPERATORS = [
    (r"(?<=[\w)\]}]) \+ (?=[\w(*!~-])", " - ", "+ to -"),
    (r"(?<=[\w)\]}]) - (?=[\w(*!~-])", " + ", "- to +"),
    (r"(?<=[\w)\]}]) \* (?=[\w(*!~-])", " / ", "* to /"),
    (r"(?<=[\w)\]}]) / (?=[\w(*!~-])", " * ", "/ to *"),
    (r" < ", " <= ", "< to <="),
    (r" <= ", " < ", "<= to <"),
    (r" > ", " >= ", "> to >="),
    (r" >= ", " > ", ">= to >"),
    (r" && ", " || ", "&& to ||"),
    (r" \|\| ", " && ", "|| to &&"),
    (r" == ", " != ", "== to !="),
    (r" != ", " == ", "!= to =="),
    (r" \+= ", " -= ", "+= to -="),
    (r" -= ", " += ", "-= to +="),
    (r" \*= ", " /= ", "*= to /="),
    (r"\bstd::min\b", "std::max", "min to max"),
    (r"\bstd::max\b", "std::min", "max to min"),
    (r"\bsmaller\(", "larger(", "min to max"),
    (r"\blarger\(", "smaller(", "max to min"),
    (r"\btrue\b", "false", "true to false"),
    (r"\bfalse\b", "true", "false to true"),
    (r"(?<![\w.'])0(?![\w.'])", "1", "0 to 1"),
    (r"(?<![\w.'])1(?![\w.'])", "0", "1 to 0"),
    (r"(?<![\w.'])2(?![\w.'])", "3", "2 to 3"),
    (r"(?<![\w.'])0\.5(?![\w.'])", "0.25", "0.5 to 0.25"),
    (r"(?<=\w)\[(\w+)\]", r"[\1 + 1]", "index + 1"),
    (r"\b(adj|dy|adjoint)(?= \* )", r"-\1", "sign of an adjoint"),
    (r"\bmultiply_add\(", "-multiply_add(", "sign of a multiply_add"),
    (r"(?<=[(=&|?] )!(?=\w)|(?<=\()!(?=\w)", "", "not dropped"),
]
ARRAY = re.compile(r"^\s*(?:static |constexpr |const )*[\w:<>]+[\w:<>,* ]* \w+\[\w+\](?:, \w+\[\w+\])*(?: = .*|\{.*)?;")
STATEMENT = re.compile(r"^(\s+)([\w.\[\]>*() +-]+ [+*-]= .*;|\w[\w.]*\.(add|store|merge|push_back)[\w<> ]*\(.*\);)\s*$")


def code_only(text):
    """The text with comments and strings blanked out, of the same length."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text, flags=re.S)


def sites(header):
    """(line number from 0, the line changed, what was done) for every place of the header."""
    text = header.read_text()
    lines, code = text.splitlines(), code_only(text).splitlines()
    found = []
    for number, (line, bare) in enumerate(zip(lines, code)):
        if not bare.strip() or NOT_BEHAVIOUR.search(bare):
            continue
        for pattern, replacement, name in OPERATORS:
            if name == "index + 1" and ARRAY.match(bare) and not bare.lstrip().startswith("return"):
                continue  # a declaration
            for match in re.finditer(pattern, bare):
                changed = line[:match.start()] + match.expand(replacement) + line[match.end():]
                found.append((number, changed, name))
        if STATEMENT.match(bare) and not bare.lstrip().startswith(("return", "for")):
            found.append((number, re.match(r"\s*", line).group() + ";", "statement dropped"))
    return found


def tests_of(name):
    for pattern, tests in COVERED_BY:
        if re.fullmatch(pattern, name):
            stem = pathlib.Path(name).stem
            paths = [ROOT / "tests" / (t.replace("*", stem) + "_test.cpp") for t in tests.split()]
            return [p for p in dict.fromkeys(paths) if p.exists()]
    return []


class Runner:
    def __init__(self, folder, compiler, flags):
        self.folder, self.compiler = folder, compiler
        self.include = folder / "include"
        shutil.copytree(ROOT / "include", self.include)
        self.flags = ["-std=c++20", *flags, "-fopenmp", f"-I{self.include}", f"-I{ROOT / 'tests'}", "-isystem",
                      os.environ.get("EIGEN_INCLUDE", "/usr/include/eigen3"),
                      f'-DWEFT_TEST_FOLDER="{ROOT / "tests"}"', "-w"]
        # What no mutant changes is parsed once.
        common = folder / "common.hpp"
        common.write_text("#include <weft_test.hpp>\n#include <xsimd/xsimd.hpp>\n#include <fmt/format.h>\n"
                          "#include <fmt/std.h>\n#include <Eigen/Core>\n#include <cmath>\n#include <vector>\n")
        self.flags += ["-include", str(common)]
        self.must([compiler, *self.flags[:-2], "-x", "c++-header", str(common), "-o", str(common) + ".gch"])
        self.main = folder / "main.o"
        self.must([compiler, *self.flags[:-2], "-c", str(ROOT / "tests" / "main.cpp"), "-o", str(self.main)])
        self.baseline = {}

    @staticmethod
    def must(command):
        subprocess.run(command, check=True, env={**os.environ, "CCACHE_DISABLE": "1"})

    def compile(self, test):
        """The program of a test file, or nothing where it does not compile."""
        program = self.folder / "program"
        done = subprocess.run([self.compiler, *self.flags, str(test), str(self.main), "-o", str(program), "-lfmt"],
                              capture_output=True, env={**os.environ, "CCACHE_DISABLE": "1"})
        return program if done.returncode == 0 else None

    def run(self, program, limit):
        """How long the program took to pass, or nothing where it did not."""
        begin = time.monotonic()
        try:
            done = subprocess.run([str(program), "--abort"], capture_output=True, timeout=limit, cwd=self.folder,
                                  env={**os.environ, "OMP_WAIT_POLICY": "passive"})
        except subprocess.TimeoutExpired:
            return None
        return time.monotonic() - begin if done.returncode == 0 else None

    def passes(self, test):
        """The time a test takes with the sources as they are."""
        if test not in self.baseline:
            program = self.compile(test)
            took = program and self.run(program, 900)
            if took is None:
                sys.exit(f"{test} does not pass as it is")
            self.baseline[test] = took
        return self.baseline[test]

    def judge(self, header, number, changed, tests):
        """killed, survived or invalid."""
        limits = [20 + 10 * self.passes(test) for test in tests]
        target = self.include / "weft" / header
        original = target.read_text()
        lines = original.splitlines()
        lines[number] = changed
        target.write_text("\n".join(lines) + "\n")
        try:
            for test, limit in zip(tests, limits):
                program = self.compile(test)
                if program is None:
                    return "invalid"
                if self.run(program, limit) is None:
                    return "killed"
            return "survived"
        finally:
            target.write_text(original)


def read_equivalent():
    known = set()
    for line in (pathlib.Path(__file__).parent / "equivalent.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            header, original, changed, _ = line.split(" ## ")
            known.add((header, original, changed))
    return known


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="how many mutants to judge (those that compile)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", default=[], help="a header or folder below include/weft; repeatable")
    parser.add_argument("--at", action="append", default=[], metavar="HEADER:LINE",
                        help="only what is changed in this line, say after a test for it was written; repeatable")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no mutant after this time")
    parser.add_argument("--list", action="store_true", help="list the places and stop")
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    parser.add_argument("--flags", default="-O1 -march=native")
    options = parser.parse_args()

    places = []
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = str(path.relative_to(INCLUDE))
        chosen = not options.only or any(header == o or header.startswith(o.rstrip("/") + "/") for o in options.only)
        if chosen and tests_of(header):
            places += [(header, *site) for site in sites(path)]
    if options.at:
        places = [p for p in places if f"{p[0]}:{p[1] + 1}" in options.at]
    if options.list:
        for header, number, changed, name in places:
            print(f"{header}:{number + 1}: {name}: {changed.strip()}")
        return print(f"{len(places)} places")
    random.Random(options.seed).shuffle(places)

    equivalent = read_equivalent()
    begin = time.monotonic()
    killed, survivors, invalid, skipped = 0, [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(pathlib.Path(folder), options.compiler, options.flags.split())
        for header, number, changed, name in places:
            if killed + len(survivors) == options.count or time.monotonic() - begin > options.seconds:
                break
            line = (INCLUDE / header).read_text().splitlines()[number]
            if (header, line.strip(), changed.strip()) in equivalent:
                skipped += 1
                continue
            verdict = runner.judge(header, number, changed, tests_of(header))
            killed += verdict == "killed"
            invalid += verdict == "invalid"
            print(f"{time.monotonic() - begin:6.0f} s  {verdict:8}  {header}:{number + 1}: {name}", flush=True)
            if verdict == "survived":
                survivors.append((header, number, name, line, changed))
                print(f"    -{line}\n    +{changed}", flush=True)
    total = killed + len(survivors)
    print(f"\n{killed} of {total} killed ({100 * killed / max(total, 1):.1f} %), {invalid} did not compile, "
          f"{skipped} known to be equivalent")
    for header, number, name, line, changed in survivors:
        print(f"\ninclude/weft/{header}:{number + 1}: {name}\n-{line}\n+{changed}")


if __name__ == "__main__":
    main()
