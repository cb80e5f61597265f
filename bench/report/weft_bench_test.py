# SPDX-License-Identifier: MIT
"""Tests of weft-bench over recorded outputs; what is measured takes no part in them.

    python3 bench/report/weft_bench_test.py
"""

import contextlib
import html.parser
import io
import json
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import measure
import page
import plot
import weft_bench
from measure import Failure

RECORDED = HERE / "recorded" / "report.json"
SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Parser(html.parser.HTMLParser):
    """Tags must be closed in their order; keeps what is loaded from elsewhere, tags, text and ids."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.loaded, self.ids = [], [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href", "data", "action", "srcset") and not value.startswith("#"):
                self.loaded.append(value)
            if name == "id":
                self.ids.add(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    p = Parser()
    p.feed(text)
    p.close()
    return p


def recorded():
    return json.loads(RECORDED.read_text())


def run(*given):
    """(exit status, what was printed, what was said) of the command."""
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            status = weft_bench.main([str(g) for g in given])
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), said.getvalue()


class Folder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Page(Folder):
    def test_is_one_file_that_parses(self):
        text = page.html(recorded())
        p = parsed(text)
        self.assertEqual(p.open, [])
        self.assertEqual(p.loaded, [])
        for tag in ("script", "link", "img", "iframe"):
            self.assertNotIn(tag, p.tags)
        self.assertNotIn("url(", text)
        self.assertNotIn("@import", text)
        self.assertNotIn("nan", text.replace("nanoseconds", "").replace("Nanoseconds", "").lower().split())
        self.assertGreater(p.tags.count("svg"), 5)
        for link in ("roofline", "ratios", "twins", "scaling", "threads", "cost", "times"):
            self.assertIn(link, p.ids)

    def test_has_every_benchmark_and_ratio(self):
        report = recorded()
        text = " ".join(parsed(page.html(report)).text)
        for e in report["entries"]:
            self.assertIn(page.joined(e), text)
        for r in report["peers"]["rows"]:
            self.assertIn(r["name"], text)
            self.assertIn(r["peer"], text)
        for header in report["includes"]:
            self.assertIn("Eigen/Core" if header == "dependencies" else header, text)
        for value in (report["machine"]["processor"], report["machine"]["compiler"], report["machine"]["commit"]):
            self.assertIn(value, text)

    def test_shows_what_is_not_there(self):
        report = recorded()
        report["peers"] = {"rows": [], "note": "No peer was found: python3 has no torch."}
        report["rates"] = []
        del report["includes"], report["binaries"]
        for e in report["entries"]:  # times alone
            for key in ("bytes", "operations", "GB/s", "GFLOP/s", "of_triad", "of_peak"):
                e.pop(key, None)
        p = parsed(page.html(report))
        self.assertIn("No peer was found", " ".join(p.text))

    def test_escapes_names(self):
        report = recorded()
        report["entries"][0]["kernel"] = "a<script>b&c"
        report["peers"]["rows"][0]["peer"] = '"><script>'
        self.assertNotIn("script", parsed(page.html(report)).tags)

    def test_pictures_are_svg_of_their_own(self):
        found = page.pictures(recorded())
        self.assertLessEqual({"roofline", "bandwidth", "ratios", "twins", "scaling", "threads", "compile", "size"},
                             set(found))
        for name, (picture, title) in found.items():
            root = ElementTree.fromstring(picture.svg(title, alone=True))
            self.assertEqual(root.tag, SVG + "svg", name)
            self.assertIn("prefers-color-scheme:dark", root.find(SVG + "style").text)
            x, y, width, height = map(float, root.get("viewBox").split())
            for t in root.iter(SVG + "text"):  # nothing begins or ends outside, as far as widths are known
                wide = plot.text_width(t.text, 11)
                left = {"start": 0, "middle": wide / 2, "end": wide}[t.get("text-anchor")]
                if t.get("transform") or name.startswith("scaling"):
                    continue
                self.assertGreaterEqual(float(t.get("x")) - left, x - 1, (name, t.text))
                self.assertLessEqual(float(t.get("x")) - left + wide, x + width + 1, (name, t.text))
                self.assertLessEqual(float(t.get("y")), y + height, (name, t.text))

    def test_the_roofline_has_every_kernel(self):
        report = recorded()
        picture, _ = page.roofline(report, 1, "")
        root = ElementTree.fromstring(picture.svg("", alone=True))
        tips = [t.text for c in root.iter(SVG + "circle") for t in c.iter(SVG + "title")]
        kernels = {e["kernel"] for e in report["entries"] if e["threads"] == 1 and "operations" in e
                   and page.twin(e["kernel"]) is None}
        self.assertGreater(len(kernels), 3)
        self.assertEqual({tip.split("/")[0] for tip in tips}, kernels)

    def test_a_share_is_of_the_lower_roof(self):
        entry = {"GFLOP/s": [10.0, 5.0], "operations": 2.0, "bytes": 1.0}
        self.assertEqual(page.share(entry, (100.0, [("L1", 1000.0), ("memory", 10.0)])), (0.25, 0.375, 0.5))
        self.assertEqual(page.share(entry, (20.0, [("memory", 1000.0)])), (0.25, 0.375, 0.5))


class Plots(unittest.TestCase):
    def test_ticks_are_inside(self):
        for low, high in ((0.3, 0.4), (1, 1e9), (7, 7), (1e-5, 3e-4), (90, 110)):
            axis = plot.Axis("", low, high)
            self.assertGreaterEqual(len(axis.ticks), 2, (low, high))
            self.assertLessEqual(len(axis.ticks), axis.ticks_at_most)
            self.assertTrue(all(-1e-3 <= axis.at(t) <= 1.001 for t in axis.ticks))
            self.assertLessEqual(axis.low, low)
            self.assertGreaterEqual(axis.high, high)
        linear = plot.Axis("", 0, 873, log=False)
        self.assertEqual((linear.ticks[0], linear.ticks[-1]), (0, 1000))

    def test_a_logarithm_of_nothing_is_an_error(self):
        for low, high in ((0, 1), (-1, 1), (1, float("inf")), (float("nan"), 1)):
            with self.assertRaises(ValueError):
                plot.Axis("x", low, high)

    def test_numbers(self):
        for value, text in ((0, "0"), (0.0345, "0.0345"), (1.0, "1"), (12.345, "12.3"), (123.4, "123"), (5600, "5,600"),
                            (1.25e6, "1.25M"), (3e9, "3G")):
            self.assertEqual(plot.number(value), text)

    def test_labels_do_not_overlap(self):
        p = plot.Plot(plot.Axis("x", 1, 10), plot.Axis("y", 1, 10))
        for i in range(12):
            p.point(3, 3 + 0.01 * i, 0)
            p.label([(3, 3 + 0.01 * i)], f"kernel number {i}", 0)
        left_out = p.place_labels()
        written = 12 - len(left_out)
        boxes = p.taken[-written:]
        self.assertEqual(sum(t[4] == 1 for t in p.taken), 12 + written)
        self.assertGreater(len(boxes), 1)
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                self.assertFalse(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


class Command(Folder):
    def test_makes_page_numbers_and_pictures_of_a_report(self):
        out, numbers = self.folder / "a/report.html", self.folder / "again.json"
        status, _, said = run("--from", RECORDED, "--output", out, "--json", numbers, "--pictures", self.folder / "p")
        self.assertEqual(status, 0, said)
        self.assertEqual(json.loads(numbers.read_text()), recorded())
        self.assertEqual(out.read_text(), page.html(recorded()))
        self.assertTrue((self.folder / "p/roofline.svg").exists())

    def test_compares_with_an_older_run(self):
        old = recorded()
        for e in old["entries"]:
            e["seconds"] = [2 * s for s in e["seconds"]]
        out = self.folder / "r.html"
        numbers = self.folder / "r.json"
        older = self.write("old.json", json.dumps(old))
        status, _, said = run("--from", RECORDED, "--baseline", older, "--output", out, "--json", numbers)
        self.assertEqual(status, 0, said)
        self.assertIn("baseline", parsed(out.read_text()).ids)
        section = page.baseline_section(json.loads(numbers.read_text()))
        self.assertEqual(len(section.tables[0]), len(old["entries"]))
        self.assertEqual({row[5] for row in section.tables[0]}, {"2×"})

    def test_bad_reports(self):
        empty = recorded()
        empty["entries"] = []
        without = recorded()
        del without["machine"]
        negative = recorded()
        negative["entries"][0]["seconds"] = [-1.0]
        entry = recorded()
        del entry["entries"][1]["kernel"]
        for text, message in (("{", "is no JSON"), ("[]", "is no report of weft-bench"),
                              ('{"weft-bench": 99}', "is no report of weft-bench"),
                              (json.dumps(empty), "has no entries"),
                              (json.dumps(without), "has no machine"), (json.dumps(negative), "not positive"),
                              (json.dumps(entry), "entry 1 has no kernel")):
            status, _, said = run("--from", self.write("bad.json", text), "--output", self.folder / "x.html")
            self.assertEqual(status, 2)
            self.assertIn(message, said)
            self.assertFalse((self.folder / "x.html").exists())
        status, _, said = run("--from", self.folder / "none.json")
        self.assertEqual((status, "No such file" in said), (2, True))

    def test_bad_options(self):
        for given, message in ((["--threads", "0"], "numbers of threads"), (["--threads", "a"], "numbers of threads"),
                               (["--repetitions", "0"], "must be positive"), (["--seconds", "-1"], "must be positive"),
                               (["--build", self.folder], "no benchmark programs")):
            status, _, said = run(*given)
            self.assertEqual(status, 2)
            self.assertIn(message, said)


class Measuring(Folder):
    """With a program that writes what Google Benchmark wrote."""

    def setUp(self):
        super().setUp()
        self.build = self.folder / "build"
        self.program("bench_core_chain", (HERE / "recorded/core_chain.json").read_text())

    def program(self, name, output, status=0):
        names = sorted({b["name"] for b in json.loads(output)["benchmarks"]}) if output.startswith("{") else ["a/1"]
        path = self.write(f"build/bench/{name}", f"""#!{sys.executable}
import sys
if "--benchmark_list_tests=true" in sys.argv:
    print({chr(10).join(names)!r})
else:
    print({output!r})
    sys.exit({status})
""")
        path.chmod(0o755)

    def measure(self, *given):
        return run("--build", self.build, "--no-cost", "--threads", "1", *given)

    def test_lists(self):
        status, out, _ = run("--build", self.build, "--list", "--only", "core_chain/chain/", "--sizes", "^1024$")
        self.assertEqual((status, out), (0, "core_chain/chain/1024\n"))

    def test_keeps_every_repetition(self):
        status, _, said = self.measure()
        self.assertEqual(status, 0, said)
        report = json.loads((self.build / "report.json").read_text())
        output = json.loads((HERE / "recorded/core_chain.json").read_text())
        runs = [b for b in output["benchmarks"] if b["run_type"] == "iteration"]
        self.assertEqual(sum(len(e["seconds"]) for e in report["entries"]), len(runs))
        first = next(e for e in report["entries"] if (e["kernel"], e["size"]) == ("chain", "1024"))
        self.assertEqual(first["elements"], 1024)
        own = [b["bytes"] / b["GB/s"] * 1e-9 for b in runs if b["run_name"].startswith("chain/1024/")]
        for seconds, expected in zip(first["seconds"], own, strict=True):
            self.assertAlmostEqual(seconds / expected, 1, delta=1e-12)
        self.assertIn("report.html", said)
        self.assertEqual(parsed((self.build / "report.html").read_text()).open, [])

    def test_nothing_fits(self):
        for given, message in ((["--only", "nothing_like_it"], "no benchmark fits"),
                               (["--only", "("], "--only '(' is no"), (["--sizes", "["], "--sizes '[' is no")):
            status, _, said = self.measure(*given)
            self.assertEqual(status, 2)
            self.assertIn(message, said)

    def test_a_program_that_fails(self):
        self.program("bench_core_broken", "no JSON")
        status, _, said = self.measure()
        self.assertEqual(status, 1)
        self.assertIn("bench_core_broken wrote no JSON", said)
        self.program("bench_core_broken", "no JSON", status=3)
        status, _, said = self.measure("--only", "broken")
        self.assertEqual(status, 2)
        self.assertIn("ended with status 3", said)

    def test_a_benchmark_that_fails(self):
        error = {"name": "odd/1", "run_type": "iteration", "error_occurred": True, "error_message": "differ"}
        found, failures = measure.entries({"benchmarks": [error]}, "core_odd", 1)
        self.assertEqual((found, failures), ([], ["odd/1: differ"]))

    def test_no_peers(self):
        status, _, said = self.measure("--peers", self.folder / "no_python")
        self.assertEqual((status, "No such file" in said), (2, True))
        fake = self.write("python", "#!/bin/sh\nexit 1\n")
        fake.chmod(0o755)
        status, _, said = self.measure("--peers", fake)
        self.assertEqual(status, 0, said)
        self.assertIn("has no torch", (self.build / "report.html").read_text())

    def test_peers_of_an_older_report(self):
        row = recorded()["peers"]["rows"][0]
        fake = self.write("python", f"""#!{sys.executable}
import json, sys
if "--json" in sys.argv:
    at = sys.argv.index("--json") + 1
    open(sys.argv[at], "w").write(json.dumps({{"context": "peers of a test", "rows": [json.loads({json.dumps(row)!r})]}}))
""")
        fake.chmod(0o755)
        older = recorded()
        older["peers"] = {"rows": [], "note": "none"}
        out = self.folder / "r.html"
        status, _, said = self.measure("--from", self.write("old.json", json.dumps(older)), "--peers", fake,
                                       "--output", out)
        self.assertEqual(status, 0, said)
        report = json.loads(out.with_suffix(".json").read_text())
        self.assertEqual(report["peers"], {"rows": [row], "note": "peers of a test"})
        self.assertEqual(report["entries"], older["entries"])
        self.assertIn("peers of a test", out.read_text())

    def test_peers_that_fail_lose_nothing_else(self):
        fake = self.write("python", "#!/bin/sh\ncase $1 in -c) exit 0 ;; esac\necho broken >&2\nexit 3\n")
        fake.chmod(0o755)
        status, _, said = self.measure("--peers", fake)
        self.assertEqual(status, 1)
        self.assertIn("ended with status 3: broken", said)
        self.assertTrue(json.loads((self.build / "report.json").read_text())["entries"])


class Names(unittest.TestCase):
    def test_times(self):
        b = {"real_time": 3.0, "time_unit": "ms"}
        self.assertAlmostEqual(measure.seconds(b), 3e-3)
        self.assertAlmostEqual(measure.seconds({**b, "ns": 2.0}), 2e-9)
        self.assertAlmostEqual(measure.seconds({**b, "GB/s": 2.0, "bytes": 4e9}), 2.0)
        self.assertAlmostEqual(measure.seconds({**b, "GB/s": 2.0}), 3e-3)

    def test_split(self):
        self.assertEqual(measure.split("chain/1024/real_time"), ("chain", "1024"))
        self.assertEqual(measure.split("attention/20000x300000/8x8/real_time"), ("attention", "20000x300000/8x8"))
        self.assertEqual(measure.split("machine_multiply_add/iterations:1"), ("machine_multiply_add", ""))
        self.assertEqual(measure.split("search/1000/min_time:2.000/real_time"), ("search", "1000"))

    def test_twins(self):
        self.assertEqual(page.twin("spmm_backward_hand")[0], "spmm_backward")
        self.assertEqual(page.twin("gat_gathered_backward")[0], "gat_backward")
        self.assertEqual(page.twin("mace_unfused")[0], "mace_batch")
        self.assertEqual(page.twin("gaunt_contraction_to1_backward")[0], "gaunt_many_body_to1_backward")
        self.assertIsNone(page.twin("chain_backward"))

    def test_sizes_are_sorted_as_numbers(self):
        self.assertEqual(sorted(["10x2", "9x3", "9x20"], key=page.by_size), ["9x3", "9x20", "10x2"])


if __name__ == "__main__":
    unittest.main()
