# SPDX-License-Identifier: MIT
"""A report as plots and one HTML page that needs nothing else: no network, no script, one file."""

import math
import re
import statistics
from dataclasses import dataclass, field
from html import escape

from measure import UNITS
from plot import COLORS, STYLE, Axis, Bar, Plot, bars, grid, number, text_width

FLOORS = ("core", "linalg", "nn", "graph", "gnn", "attention", "so3", "potential")
# Twins: the same result by other means, in the same program.
TWINS = {"_hand": ("", "a loop written by hand"), "_eigen": ("", "Eigen"),
         "_gathered": ("", "a row in memory for every edge"), "_naive": ("", "matmul, softmax, matmul"),
         "mace_unfused": ("mace_batch", "one operation after the other"),
         "gaunt_whole_filters": ("gaunt_convolution", "the product of whole filters"),
         "gaunt_contraction": ("gaunt_many_body", "the symmetric contraction")}


def table_html(heads, rows):
    # A column is of words, and so on the left, where nothing in it begins with a digit.
    words = [not any(re.match(r"[\d<]", str(row[i])) for row in rows) for i in range(len(heads))]
    cell = lambda tag, i, value: f'<{tag}{" class=words" if words[i] else ""}>{escape(str(value))}</{tag}>'
    head = "".join(cell("th", i, h) for i, h in enumerate(heads))
    body = "".join("<tr>" + "".join(cell("td", i, v) for i, v in enumerate(row)) + "</tr>" for row in rows)
    return (f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
            .replace("class=words", 'class="words"'))


@dataclass
class Section:
    """A part of the page, with its parts in order."""
    name: str
    title: str
    text: str
    pictures: dict = field(default_factory=dict)  # by name
    tables: list = field(default_factory=list)  # of rows
    body: list = field(default_factory=list)

    def show(self, name, picture, folded=""):
        """A picture; with a text `folded` it is shown when that is clicked."""
        self.pictures[name] = picture
        drawn = f'<div class="scroll">{picture.svg(f"{self.title}: {name}")}</div>'
        self.body.append(f"<details><summary>{escape(folded)}</summary>{drawn}</details>" if folded else drawn)

    def tabulate(self, summary, heads, rows):
        """A table, folded where it is long."""
        self.tables.append(rows)
        shown = " open" if len(rows) <= 14 else ""
        self.body.append(f"<details{shown}><summary>{escape(summary)}</summary>{table_html(heads, rows)}</details>")


def floor(entry):
    return entry["program"].split("_")[0]


def color(name):
    return FLOORS.index(name) if name in FLOORS else 0


def spread(values):
    """(least, median, most)."""
    return min(values), statistics.median(values), max(values)


def twin(kernel):
    """(kernel, how) where this one is a twin of a kernel, else None."""
    for part, (instead, how) in TWINS.items():
        if part in kernel:
            return kernel.replace(part, instead, 1), how
    return None


def seconds_text(value):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{number(value / scale)} {unit}"
    return f"{number(value * 1e9)} ns"


def bytes_text(value):
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= scale:
            return f"{number(value / scale)} {unit}"
    return f"{number(value)} B"


def times(value):
    return f"{number(value)}×"


def threads_text(count):
    return f"{count} thread{'s' * (count > 1)}"


def titled(title, threads):
    """A title that says the number of threads where a legend of only one would not."""
    return f"{title}, {threads_text(threads[0])}" if len(threads) == 1 else title


def joined(entry):
    return f"{entry['kernel']}/{entry['size']}" if entry["size"] else entry["kernel"]


def by_size(text):
    """A key that sorts the numbers in a text by their size."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text)]


def largest(entries):
    """Of each kernel the entry that moves most."""
    found = {}
    for e in entries:
        key = e["program"], e["kernel"]
        if key not in found or e.get("bytes", 0) > found[key].get("bytes", 0):
            found[key] = e
    return list(found.values())


def on_roofline(report, threads):
    return [e for e in report["entries"]
            if e["threads"] == threads and twin(e["kernel"]) is None and e.get("operations") and e.get("GFLOP/s")]


def share(entry, limits):
    """The share of what multiply-adds and memory allow at the entry's intensity: (least, median, most)."""
    peak, bandwidths = limits
    return spread([g / min(peak, bandwidths[-1][1] * entry["operations"] / entry["bytes"]) for g in entry["GFLOP/s"]])


def roofs(report, threads):
    """(GFLOP/s of multiply-adds, [(name, GB/s)] from the fastest cache to memory), the best that was seen in the run;
    None if nothing has them. A cache has the best triad of those that fit in it and in no smaller one, memory that of
    the largest arrays."""
    with_rates = [e for e in report["entries"] if e["threads"] == threads and e.get("of_peak") and e.get("of_triad")]
    peaks = [g / o for e in with_rates for g, o in zip(e["GFLOP/s"], e["of_peak"])]
    row = next((r for r in report["rates"] if r["threads"] == threads), None)
    if row is None or not row["multiply_add"] or not row["triad"]:
        if not peaks:
            return None
        return max(peaks), [("memory", max(g / o for e in with_rates for g, o in zip(e["GB/s"], e["of_triad"])))]
    triad = [(t["bytes"], max(t["GB/s"])) for t in row["triad"]]
    found, below = [], 0
    for cache in sorted(report["machine"]["caches"], key=lambda c: c["level"]):
        each = cache["bytes"] / min(cache["shared"], threads)
        fitting = [rate for size, rate in triad if below < size <= each]
        if fitting:
            found.append((f"L{cache['level']}", max(fitting)))
        below = each
    found.append(("memory", triad[-1][1]))
    return max(peaks + row["multiply_add"]), found


def roofline(report, threads, title, only=None, width=860, height=560):
    """Every kernel at its most demanding size under the roofs; (picture, labels that had no room)."""
    peak, bandwidths = roofs(report, threads)
    entries = [e for e in largest(on_roofline(report, threads)) if only is None or floor(e) == only]
    intensity = [e["operations"] / e["bytes"] for e in entries]
    slowest = min(rate for _, rate in bandwidths)
    x = Axis("operations per byte that must be moved", min(intensity) / 1.3, max(max(intensity), peak / slowest) * 1.6)
    low = min(min(e["GFLOP/s"]) for e in entries)
    y = Axis("GFLOP/s", low / 1.5, peak * 1.7)
    shown = [f for f in FLOORS if any(floor(e) == f for e in entries)]
    p = Plot(x, y, width, height, title, top=22)
    legend = [(f, color(f), "point") for f in shown] if only is None else [("values", color(only), "point"),
                                                                           ("with gradients", color(only), "ring")]
    p.legend(p.left, 40, legend, p.right - p.left)
    ends = []
    for name, rate in bandwidths:  # the diagonal, from the left or from the bottom, up to the peak
        x0, x1 = max(x.low, y.low / rate), min(peak / rate, x.high)
        if x1 <= x0:
            continue
        p.line([(x0, rate * x0), (x1, rate * x1)], "roof" if name == "memory" else "roof dashed")
        ends.append((name, rate, x0, x1))
    p.line([(max(x.low, peak / max(rate for _, rate in bandwidths)), peak), (x.high, peak)], "roof")
    text, level = f"multiply-adds: {number(peak)} GFLOP/s", p.py(peak) - 7
    p.text(p.right - 6, level, text, "end", "small", halo=True)
    p.taken.append((p.right - 6 - text_width(text, 11), level - 10, p.right - 6, level + 3, 1))
    for name, rate, x0, x1 in ends:
        px0, py0, px1, py1 = p.px(x0), p.py(rate * x0), p.px(x1), p.py(rate * x1)
        angle = -math.degrees(math.atan2(py0 - py1, px1 - px0))
        text, turned = f"{name}: {number(rate)} GB/s", math.radians(angle)
        ax, ay = px0 + 12 * math.cos(turned) + 6 * math.sin(turned), py0 + 12 * math.sin(turned) - 6 * math.cos(turned)
        p.text(ax, ay, text, css="small", rotate=round(angle, 1), halo=True)
        for s in range(0, int(text_width(text, 11)), 6):  # labels of points keep off this one, which is slanted
            bx, by = ax + s * math.cos(turned), ay + s * math.sin(turned)
            p.taken.append((bx - 4, by - 10, bx + 8, by + 3, 1))
    for e, i in sorted(zip(entries, intensity), key=lambda at: -share(at[0], (peak, bandwidths))[1]):
        least, middle, most = spread(e["GFLOP/s"])
        tip = (f"{joined(e)}: {number(middle)} GFLOP/s, {number(i)} operations per byte, "
               f"{share(e, (peak, bandwidths))[1]:.0%} of the roof")
        p.point(i, middle, color(floor(e)), least, most, hollow=is_gradient(e), title=tip)
        p.label([(i, middle)], e["kernel"], color(floor(e)))
    return p, p.place_labels()


def is_gradient(entry):
    """Whether a kernel computes gradients, by its name."""
    with_gradients = "_backward|_gradient|_force|_epoch|_training|^linear$|^cross_entropy$"
    return re.search(with_gradients, entry["kernel"]) is not None


def roofline_section(report):
    section = Section("roofline", "Roofline", (
        "Each kernel at the largest of its sizes: how many operations it does for each byte that it must move, and how "
        "fast. Above are the roofs, measured on this machine: no program is above the horizontal one, and none whose "
        "data lies in memory above the solid diagonal; data that still lies in a cache may be, up to the dashed one of "
        "that cache. Filled points are values, rings have gradients; bars are the slowest and the fastest repetition. "
        "A multiply-add counts as two operations and a function such as exp as one, so that kernels full of such "
        "functions are lower than what the machine does for them."))
    for count in sorted({e["threads"] for e in report["entries"]}, reverse=True):
        entries = on_roofline(report, count)
        if not entries or roofs(report, count) is None:
            continue
        name = "roofline" if not section.pictures else f"roofline_{count}"
        picture, left_out = roofline(report, count, f"Kernels under the roofs of this machine, {threads_text(count)}")
        section.show(name, picture)
        if name == "roofline":
            for f in FLOORS:
                if any(floor(e) == f for e in entries) and len({floor(e) for e in entries}) > 1:
                    own, _ = roofline(report, count, f"{f}, {threads_text(count)}", f, height=480)
                    section.show(f"roofline_{f}", own, folded=f"only {f}")
        rows = []
        for e in sorted(entries, key=lambda e: (FLOORS.index(floor(e)) if floor(e) in FLOORS else 99, joined(e))):
            least, middle, most = share(e, roofs(report, count))
            rows.append([floor(e), joined(e), number(e["operations"] / e["bytes"]),
                         number(statistics.median(e["GFLOP/s"])), number(statistics.median(e["GB/s"])),
                         f"{middle:.0%}", f"{least:.0%} – {most:.0%}"])
        section.tabulate(f"{len(rows)} measurements, {threads_text(count)}" + (
            f"; labels without room in the plot: {len(left_out)}" if left_out else ""), (
            "floor", "kernel", "operations / byte", "GFLOP/s", "GB/s", "of the roof", "least – most"), rows)
    return section


def bandwidth_section(report):
    section = Section("bandwidth", "Bandwidth", (
        "Bytes per second of the triad a = b + s c, all threads together, over the bytes that each thread goes through "
        "again and again. The steps are the caches."))
    rows = [r for r in report["rates"] if r["triad"]]
    if not rows:
        return section
    sizes = [t["bytes"] / 1024 for r in rows for t in r["triad"]]
    rates = [g for r in rows for t in r["triad"] for g in t["GB/s"]]
    p = Plot(Axis("KiB for each thread", min(sizes), max(sizes)), Axis("GB/s", min(rates), max(rates) * 1.2),
             height=360, title="Bandwidth over the size of the data", top=22)
    p.legend(p.left, 40, [(threads_text(r["threads"]), i, "line") for i, r in enumerate(rows)], p.right - p.left)
    for cache in report["machine"]["caches"]:
        kib = cache["bytes"] / 1024
        if p.x.low < kib < p.x.high:
            p.segment(p.px(kib), p.top, p.px(kib), p.bottom, "axis dashed")
            p.text(p.px(kib) - 5, p.bottom - 8, f"L{cache['level']}", "end", "muted small", halo=True)
    for i, r in enumerate(rows):
        p.line([(t["bytes"] / 1024, statistics.median(t["GB/s"])) for t in r["triad"]], f"l{i} curve")
        for t in r["triad"]:
            low, mid, high = spread(t["GB/s"])
            p.point(t["bytes"] / 1024, mid, i, low, high, radius=3,
                    title=f"{bytes_text(t['bytes'])}, {threads_text(r['threads'])}: {number(mid)} GB/s")
    section.show("bandwidth", p)
    table = [[bytes_text(t["bytes"]), r["threads"], number(statistics.median(t["GB/s"])),
              f"{number(min(t['GB/s']))} – {number(max(t['GB/s']))}"] for r in rows for t in r["triad"]]
    table += [["multiply-adds in registers", r["threads"], f"{number(statistics.median(r['multiply_add']))} GFLOP/s",
               f"{number(min(r['multiply_add']))} – {number(max(r['multiply_add']))}"] for r in rows]
    section.tabulate(f"{len(table)} rates", ("for each thread", "threads", "GB/s", "least – most"), table)
    return section


def ratio_axis(label, rows):
    values = [v for r in rows for value in r.values if value for v in value] + [m for r in rows for m in r.marks if m]
    return Axis(label, min(min(values), 0.9), max(max(values), 1.1) * 1.1, ticks_at_most=10)


def ratio_bars(rows, label, series, title, mark_name=""):
    return bars(rows, ratio_axis(label, rows), series, title, mark_name=mark_name)


def ratios_section(report):
    section = Section("ratios", "Beside other libraries", (
        "How many times as long the other library takes for the same on the same inputs, measured in turns in this "
        "run; right of 1 weft is faster. Bars are medians over the rounds, the lines on them the least and the most. "
        "PyTorch's times depend on how the C library hands out memory: bars are of memory as it comes, diamonds of a C "
        "library that was told to keep what is freed. ") + report["peers"]["note"])
    measured = report["peers"]["rows"]
    if not measured:
        return section
    threads = sorted({r["threads"] for r in measured})
    kernels = {}
    for r in measured:
        kernel = r["name"].partition("/")[0]
        forward = kernel.removesuffix("_backward")
        if r["allocator"] != "recycling":
            row = kernels.setdefault((r["peer"], forward), Bar(forward, "", [[], []], r["peer"]))
            row.values[kernel != forward].append(statistics.median(r["ratios"]))
    every = [v for row in kernels.values() for values in row.values for v in values]
    label = "time of the other library / time of weft"
    section.show("ratios", bars(
        sorted(kernels.values(), key=lambda b: (b.group, b.label)), Axis(label, min(0.5, *every), max(2, *every)),
        ["forward", "with gradients"], titled("Beside other libraries, a dot for each size and number of threads", threads),
        dots=True))
    found, table = {}, []
    for r in measured:
        kernel, _, size = r["name"].partition("/")
        b = found.setdefault((r["peer"], r["name"]), Bar(kernel, size, [None] * len(threads), r["peer"],
                                                         [None] * len(threads)))
        at = threads.index(r["threads"])
        if r["allocator"] == "recycling":
            b.marks[at] = statistics.median(r["ratios"])
        else:
            b.values[at] = spread(r["ratios"])
        table.append([r["name"], r["peer"], r["threads"], r["allocator"], seconds_text(r["peer_seconds"]),
                      seconds_text(r["weft_seconds"]), times(statistics.median(r["ratios"])),
                      f"{times(min(r['ratios']))} – {times(max(r['ratios']))}"])
    rows = sorted(found.values(), key=lambda b: (b.group, b.label, by_size(b.note)))
    mark = "memory recycled" if any(m for b in rows for m in b.marks) else ""
    section.show("ratios_by_size", ratio_bars(rows, label, [threads_text(t) for t in threads],
                                              titled("Beside other libraries", threads), mark),
                 folded="each size by itself" if len(rows) > 20 else "")
    section.tabulate(f"{len(table)} comparisons", (
        "kernel", "beside", "threads", "its memory", "its time", "weft", "ratio", "least – most"), table)
    return section


def twins_section(report):
    section = Section("twins", "Beside twins", (
        "Kernels beside other ways to the same numbers in the same program: the loop one would write by hand for just "
        "this case, Eigen, or the same without fused kernels. Right of 1 weft is faster. The lines go from the fastest "
        "of the twin beside the slowest of the kernel to the reverse."))
    threads = sorted({e["threads"] for e in report["entries"]})
    own = {(e["program"], e["kernel"], e["size"], e["threads"]): e for e in report["entries"]}
    found, table = {}, []
    for e in report["entries"]:
        if (of := twin(e["kernel"])) and (kernel := own.get((e["program"], of[0], e["size"], e["threads"]))):
            theirs, ours = spread(e["seconds"]), spread(kernel["seconds"])
            ratio = theirs[0] / ours[2], theirs[1] / ours[1], theirs[2] / ours[0]
            b = found.setdefault((of[1], e["program"], of[0], e["size"]),
                                 Bar(of[0], e["size"], [None] * len(threads), of[1]))
            b.values[threads.index(e["threads"])] = ratio
            table.append([floor(e), joined(kernel), of[1], e["threads"], seconds_text(theirs[1]), seconds_text(ours[1]),
                          times(ratio[1]), f"{times(ratio[0])} – {times(ratio[2])}"])
    if found:
        rows = sorted(found.values(), key=lambda b: (b.group, b.label, by_size(b.note)))
        section.show("twins", ratio_bars(rows, "time of the twin / time of the kernel", [
            threads_text(t) for t in threads], titled("Beside twins in the same program", threads)))
        section.tabulate(f"{len(table)} comparisons", (
            "floor", "kernel", "beside", "threads", "its time", "kernel", "ratio", "least – most"), table)
    return section


def curves_over_size(plural, unit, curves, legend=()):
    """Curves {name: [(count, least, median, most)]}, named beside them but for those in the legend (name, color);
    (picture, names that had no room)."""
    every = [at for curve in curves.values() for at in curve]
    p = Plot(Axis(plural, min(a[0] for a in every), max(a[0] for a in every) * 1.05, ticks_at_most=6),
             Axis(f"ns per {unit}", min(a[1] for a in every) / 1.3, max(a[3] for a in every) * 1.3, ticks_at_most=7),
             420, 340 + 18 * len(legend), f"Time per {unit}", top=18 * len(legend))
    for line, (name, c) in enumerate(legend):
        p.legend(p.left, 38 + 18 * line, [(name, c, "line")], p.right - p.left)
    for c, (name, curve) in enumerate(curves.items()):
        c %= COLORS
        p.line([(n, mid) for n, _, mid, _ in curve], f"l{c} curve")
        for n, low, mid, high in curve:
            p.point(n, mid, c, low, high, hollow=is_gradient({"kernel": name.split()[0]}), radius=3,
                    title=f"{name}, {number(n)} {plural}: {number(mid)} ns")
        if (name, c) not in legend:
            p.label([(n, mid) for n, _, mid, _ in reversed(curve)], name, c)
    return p, p.place_labels()


def scaling_section(report):
    section = Section("scaling", "Over the size", (
        "Nanoseconds for one element (edge, atom, ...) over how many there are, one thread: flat where the cost is "
        "linear, falling where the cost of a call is spread over more, rising where a cache no longer holds the data."))
    threads = min((e["threads"] for e in report["entries"]), default=1)
    pictures, table = [], []
    for plural in UNITS:
        unit, series = plural.removesuffix("s"), {}
        for e in report["entries"]:
            if e["threads"] == threads and plural in e and twin(e["kernel"]) is None:
                series.setdefault((e["program"], e["kernel"], e.get("series", "")), {})[e[plural]] = e
        series = {key: dict(sorted(s.items())) for key, s in series.items() if len(s) >= 3}
        if not series:
            continue
        curves = {f"{kernel} {kind}".strip(): [(n, *(1e9 * s / n for s in spread(e["seconds"]))) for n, e in s.items()]
                  for (_, kernel, kind), s in sorted(series.items())}
        picture, left_out = curves_over_size(plural, unit, curves)
        if left_out:
            picture, _ = curves_over_size(plural, unit, curves, left_out)
        pictures.append(picture)
        table += [[name, number(n), plural, number(mid), f"{number(low)} – {number(high)}"]
                  for name, curve in curves.items() for n, low, mid, high in curve]
    if pictures:
        section.show("scaling", grid(pictures, 2, 20))
        section.tabulate(f"{len(table)} measurements, {threads_text(threads)}", (
            "kernel", "how many", "of", "ns for one", "least – most"), table)
    return section


def threads_section(report):
    section = Section("threads", "Over the threads", (
        "How many times as fast a kernel is with more threads as with one, at the largest of its sizes. Results are "
        "the same to the bit."))
    counts = sorted({e["threads"] for e in report["entries"]})
    if len(counts) < 2:
        section.text += " This run had one number of threads: --threads 1,2 asks for more."
        return section
    one = {(e["program"], e["kernel"]): e for e in largest(e for e in report["entries"] if e["threads"] == counts[0])}
    rows, table = {}, []
    for at, count in enumerate(counts[1:]):
        for e in largest(e for e in report["entries"] if e["threads"] == count and twin(e["kernel"]) is None):
            base = one.get((e["program"], e["kernel"]))
            if base is None:
                continue
            slow, fast = spread(base["seconds"]), spread(e["seconds"])
            ratio = slow[0] / fast[2], slow[1] / fast[1], slow[2] / fast[0]
            b = rows.setdefault((e["program"], e["kernel"]), Bar(e["kernel"], e["size"], [None] * (len(counts) - 1),
                                                                 floor(e)))
            b.values[at] = ratio
            table.append([floor(e), joined(e), count, seconds_text(slow[1]), seconds_text(fast[1]), times(ratio[1]),
                          f"{times(ratio[0])} – {times(ratio[2])}"])
    ordered = sorted(rows.values(), key=lambda b: FLOORS.index(b.group) if b.group in FLOORS else 99)
    values = [v for b in ordered for value in b.values if value for v in value]
    low, high = min(0.8, *values), max(counts[-1] / counts[0] * 1.1, *values)
    picture = bars(ordered, Axis(f"time with {threads_text(counts[0])} / time with more", low, high), [
        threads_text(c) for c in counts[1:]], "Speed-up with threads", references=[
            (c / counts[0], f"{number(c / counts[0])}×") for c in counts[1:]])
    section.show("threads", picture, folded=f"{len(ordered)} kernels" if len(ordered) > 50 else "")
    section.tabulate(f"{len(table)} measurements", ("floor", "kernel", "threads", threads_text(counts[0]),
                                                          "with more", "ratio", "least – most"), table)
    return section


def cost_section(report):
    section = Section("cost", "Compile time and size", (
        "Processor time of a compilation that includes a header and nothing else (-fsyntax-only), beside that of what "
        "weft.hpp is built on: Eigen/Core, xsimd and fmt. And the size of programs without symbols."))
    includes = report.get("includes") or {}
    if includes:
        base = statistics.median(includes["dependencies"])
        rows = [Bar("Eigen/Core, xsimd, fmt" if name == "dependencies" else name,
                    "" if name == "dependencies" else times(statistics.median(s) / base),
                    [tuple(1e3 * v for v in spread(s))]) for name, s in includes.items()]
        rows = rows[:1] + sorted(rows[1:], key=lambda b: b.values[0][1])
        longest = max(b.values[0][2] for b in rows)
        section.show("compile", bars(
            rows, Axis("milliseconds", 0, longest, log=False), [""], "Time to compile an #include",
            anchor=0, format_value=lambda v: f"{number(v)} ms"))
        table = [[b.label, f"{number(b.values[0][1])} ms", f"{number(b.values[0][0])} – {number(b.values[0][2])} ms",
                  b.note or "1×"] for b in rows]
        section.tabulate("Headers", ("header", "processor time", "least – most", "of the dependencies"), table)
    if programs := report.get("binaries"):
        rows = [Bar(b["name"], "", [(1e-3 * (b["stripped"] or b["bytes"]),) * 3]) for b in programs]
        section.show("size", bars(
            rows, Axis("kB without symbols", 0, max(r.values[0][1] for r in rows), log=False), [""], "Size of programs",
            anchor=0, format_value=lambda v: f"{number(v)} kB"))
        table = [[b["name"], f"{number(1e-3 * b['stripped'])} kB" if b["stripped"] else "no strip",
                  f"{number(1e-3 * b['bytes'])} kB", f"{number(b['seconds'])} s" if "seconds" in b else "–"]
                 for b in programs]
        section.tabulate("Programs", ("program", "without symbols", "as linked", "time to compile at -O2"), table)
    return section


def baseline_section(report):
    old = report.get("baseline")
    if not old:
        return None
    section = Section("baseline", "Beside an older run", (
        f"How many times as long the run of {old['date']} ({old['commit'] or 'no commit'}, {old['processor']}) took; "
        "right of 1 this run is faster. The lines go from the fastest of the old beside the slowest of the new to the "
        "reverse: where they cross 1 nothing can be said."))
    if old["processor"] != report["machine"]["processor"]:
        section.text += " The two are not of the same processor."
    before = {(e["program"], e["kernel"], e["size"], e["threads"]): e for e in old["entries"]}
    threads = sorted({e["threads"] for e in report["entries"]})
    rows, table = {}, []
    for e in report["entries"]:
        if was := before.get((e["program"], e["kernel"], e["size"], e["threads"])):
            a, b = spread(was["seconds"]), spread(e["seconds"])
            ratio = a[0] / b[2], a[1] / b[1], a[2] / b[0]
            bar = rows.setdefault((e["program"], e["kernel"], e["size"]),
                                  Bar(e["kernel"], e["size"], [None] * len(threads), floor(e)))
            bar.values[threads.index(e["threads"])] = ratio
            table.append([floor(e), joined(e), e["threads"], seconds_text(a[1]), seconds_text(b[1]), times(ratio[1]),
                          f"{times(ratio[0])} – {times(ratio[2])}"])
    if not rows:
        section.text += " Nothing was measured in both."
        return section
    ordered = sorted(rows.values(), key=lambda b: (b.group, b.label, by_size(b.note)))
    section.show("baseline", ratio_bars(ordered, "time then / time now", [threads_text(t) for t in threads],
                                        titled("Beside an older run", threads)))
    section.tabulate(f"{len(table)} measurements", ("floor", "kernel", "threads", "then", "now", "ratio",
                                                          "least – most"), table)
    return section


def times_section(report):
    section = Section("times", "All times", (
        "Every benchmark that ran: the median time of a call and its range; of functions and of harmonics_block the "
        "time of an element."))
    rows = [[floor(e), joined(e), e["threads"], seconds_text(statistics.median(e["seconds"])),
             f"{seconds_text(min(e['seconds']))} – {seconds_text(max(e['seconds']))}", len(e["seconds"])]
            for e in report["entries"]]
    section.tabulate(f"{len(rows)} benchmarks", ("floor", "benchmark", "threads", "median", "least – most",
                                                       "repetitions"), rows)
    return section


def sections(report):
    every = [roofline_section(report), bandwidth_section(report), ratios_section(report), twins_section(report),
             baseline_section(report), scaling_section(report), threads_section(report), cost_section(report),
             times_section(report)]
    return [s for s in every if s]


PAGE = """
:root{color-scheme:light dark;--paper:#f5f6f8;--card:#fff;--ink:#1b2430;--muted:#5b6675;--line:#e1e5ea;--link:#2563b8}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--card:#161b22;--ink:#e6ebf1;--muted:#9da8b7;--line:#2b333d;
--link:#6ea8fe}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;font-size:16px;
font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:980px;margin:0 auto;padding:24px 16px 64px}h1{font-size:30px;margin:8px 0 4px}
h2{font-size:21px;margin:0 0 8px}p{margin:0 0 14px;max-width:72ch}.muted{color:var(--muted)}
section,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px;margin:18px 0}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:14px 0}a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.figure{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px}
.figure b{display:block;font-size:24px;line-height:1.2}.figure span{color:var(--muted);font-size:14px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0;font-size:15px}dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}.scroll{overflow-x:auto;margin:6px -6px;padding:0 6px}
.scroll>svg{display:block;width:100%;min-width:680px;height:auto}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:500}th:first-child,td:first-child,.words{text-align:left}
details{margin:12px 0}summary{cursor:pointer;color:var(--link);padding:4px 0}.warning{border-color:#c2570c}
@media(max-width:560px){main{padding:12px 8px 40px}section,.card{padding:14px 12px}h1{font-size:24px}
dl{grid-template-columns:1fr;gap:0}dt{margin-top:8px}}
@media print{section{break-inside:avoid}}
"""


def section_html(s):
    head = f'<section id="{s.name}"><h2>{escape(s.title)}</h2><p class="muted">{escape(s.text)}</p>'
    return head + "".join(s.body) + "</section>"


def figures(report):
    """What is at the head of the page: (figure, what it is)."""
    threads = max(e["threads"] for e in report["entries"])
    found = []
    if limits := roofs(report, threads):
        found.append((f"{number(limits[0])} GFLOP/s", f"multiply-adds of this machine, {threads_text(threads)}"))
        found.append((f"{number(limits[1][-1][1])} GB/s", f"memory of this machine, {threads_text(threads)}"))
    on = largest(on_roofline(report, threads))
    if on and limits:
        near = sum(share(e, limits)[1] >= 0.5 for e in on)
        found.append((f"{near} of {len(on)}", "kernels at half of the roof or above"))
    default = [statistics.median(r["ratios"]) for r in report["peers"]["rows"] if r["allocator"] != "recycling"]
    if default:
        found.append((times(statistics.geometric_mean(default)),
                      f"geometric mean of {len(default)} ratios to other libraries"))
    if includes := report.get("includes"):
        ratio = statistics.median(includes["weft/weft.hpp"]) / statistics.median(includes["dependencies"])
        found.append((times(ratio), "time to include weft.hpp, of its dependencies'"))
    return found


def machine_html(report):
    m = report["machine"]
    caches = ", ".join(f"L{c['level']} {bytes_text(c['bytes'])}" + f" shared by {c['shared']}" * (c["shared"] > 1)
                       for c in m["caches"])
    load = " before, ".join(map(str, m["load"])) + " after" * (len(m["load"]) > 1)
    rows = [("processor", f"{m['processor']}, {m['processors']} processors" + f", {m['vectors']}" * bool(m["vectors"])),
            ("caches", caches or "unknown"), ("system", m["system"]), ("compiler", m["compiler"]),
            ("options", m["flags"] or "unknown"), ("weft", f"{m['version']}, commit {m['commit'] or 'unknown'}"),
            ("date", m["date"]), ("load average", load),
            ("repetitions", f"{report['options']['repetitions']} of at least {report['options']['seconds']} s, in "
                            "random order")]
    return "<dl>" + "".join(f"<dt>{escape(a)}</dt><dd>{escape(str(b))}</dd>" for a, b in rows) + "</dl>"


def html(report):
    """The page."""
    parts = sections(report)
    m = report["machine"]
    what = f"{m['processor']}, {m['date'][:10]}, commit {m['commit'] or 'unknown'}"
    links = "".join(f'<a href="#{s.name}">{escape(s.title)}</a>' for s in parts)
    boxes = "".join(f'<div class="figure"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in figures(report))
    notes = []
    if max(m["load"]) > 0.5 and m["load"][0] > 0.3:
        notes.append(f"Other programs ran before this one began (load average {m['load'][0]}): times are too long, and "
                     "ratios noisier than on a quiet machine.")
    if report["options"].get("quick"):
        notes.append("A quick run: few and short repetitions.")
    notes += report.get("failures", [])
    warning = "".join(f'<div class="card warning">{escape(note)}</div>' for note in notes)
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"/>'
            f'<meta name="viewport" content="width=device-width,initial-scale=1"/><title>weft: benchmarks</title>'
            f"<style>{PAGE}{STYLE}</style></head><body><main><h1>weft: benchmarks</h1>"
            f'<p class="muted">{escape(what)}</p><div class="figures">{boxes}</div><nav>{links}</nav>{warning}'
            f'<div class="card">{machine_html(report)}</div>' + "".join(map(section_html, parts))
            + "</main></body></html>\n")


def footer(report):
    """What a picture by itself is of."""
    m = report["machine"]
    compiler = re.sub(r" \(.*?\)", "", m["compiler"])
    return (f"{m['processor']}, {compiler}, {m['date'][:10]}, commit {m['commit'] or 'unknown'}, load average "
            f"{max(m['load'])}")


def pictures(report):
    """{name: (picture, title)} of every plot on the page."""
    return {name: (picture, s.title) for s in sections(report) for name, picture in s.pictures.items()}
