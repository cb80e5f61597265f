# SPDX-License-Identifier: MIT
"""Plots as SVG: axes, lines, points with whiskers, labels that do not overlap, and bars. Standard library only.

Colours are classes of one style sheet, STYLE, light and dark by the reader's preference; a picture of its own carries
it, a page has it once.
"""

import math
import statistics
from dataclasses import dataclass, field
from html import escape

LIGHT = ("#2563b8", "#c2570c", "#1f7a4d", "#7a3fb0", "#b4233a", "#0b7a8a", "#7a6a00", "#b02f86")
DARK = ("#6ea8fe", "#f7a35c", "#5fc48f", "#c08cf5", "#f27d8d", "#4fc3d4", "#d3c04a", "#f08ac9")
COLORS = len(LIGHT)


def _colors(colors, paper, ink, muted, grid, axis):
    rules = [f".plot .paper{{fill:{paper}}}", f".plot text{{fill:{ink}}}", f".plot .muted{{fill:{muted}}}",
             f".plot .grid{{stroke:{grid}}}", f".plot .axis{{stroke:{axis}}}", f".plot .roof{{stroke:{ink}}}",
             f".plot .halo{{stroke:{paper}}}", f".plot .hollow{{fill:{paper}}}"]
    for i, color in enumerate(colors):
        rules.append(f".plot .f{i}{{fill:{color}}}.plot .l{i}{{stroke:{color}}}")
    return "".join(rules)


FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
STYLE = (f".plot text{{font:12px {FONT}}}"
         ".plot .title{font-weight:600;font-size:14px}.plot .small{font-size:11px}.plot .strong{font-weight:600}"
         ".plot line,.plot path{fill:none}.plot .grid{stroke-width:1}.plot .roof{stroke-width:1.5}"
         ".plot .curve{stroke-width:2;stroke-linejoin:round}.plot .dashed{stroke-dasharray:5 4}"
         ".plot .whisker{stroke-width:1.2}.plot .halo{stroke-width:3.5;stroke-linejoin:round;paint-order:stroke}"
         ".plot .thin{opacity:.45}"
         + _colors(LIGHT, "#ffffff", "#1b2430", "#5b6675", "#e4e8ed", "#8792a1")
         + "@media(prefers-color-scheme:dark){"
         + _colors(DARK, "#161b22", "#e6ebf1", "#9da8b7", "#2b333d", "#6d7886") + "}")


def text_width(text, size=12):
    """About how wide a text is, in pixels: an upper bound for common sans-serif fonts."""
    wide, narrow = "mwMW%@", "iljtfr.,:;/|()[]' "
    return size * sum(0.9 if c in wide else 0.36 if c in narrow else 0.68 if c.isupper() else 0.6 for c in text)


def number(value, digits=3):
    """`value` in few digits, without an exponent where it can be: 0.034, 1.2, 34, 5,600, 1.2M."""
    if value == 0:
        return "0"
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= scale:
            return f"{value / scale:.{digits}g}{unit}"
    if abs(value) >= 10 ** digits or abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass
class Axis:
    """From `low` to `high`, which are rounded out to ticks where they are not `exact`."""
    label: str
    low: float
    high: float
    log: bool = True
    exact: bool = False
    ticks: list = field(default_factory=list)
    ticks_at_most: int = 8

    def __post_init__(self):
        if not (math.isfinite(self.low) and math.isfinite(self.high)) or (self.log and self.low <= 0):
            raise ValueError(f"axis {self.label}: from {self.low} to {self.high}")
        if self.high <= self.low:
            self.high = self.low * 2 if self.log else self.low + 1
        if self.log:
            self._log_ticks()
        else:
            self._linear_ticks()

    def _log_ticks(self):
        exact_low, exact_high = self.low, self.high
        if not self.exact:
            steps = (1, 2, 5, 10)
            decade = 10.0 ** math.floor(math.log10(self.low))
            self.low = max(decade * s for s in steps if decade * s <= exact_low * 1.0001)
            decade = 10.0 ** math.floor(math.log10(self.high))
            self.high = min(decade * s for s in steps if decade * s >= exact_high * 0.9999)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for steps in ((1, 2, 5), (1, 3), (1,)):
            self.ticks = [s * 10.0 ** d for d in range(first, last + 1) for s in steps]
            self.ticks = [t for t in self.ticks if self.low * 0.999 <= t <= self.high * 1.001]
            if len(self.ticks) <= self.ticks_at_most:
                return
        self.ticks = self.ticks[::math.ceil(len(self.ticks) / self.ticks_at_most)]

    def _linear_ticks(self):
        span = (self.high - self.low) / max(2, self.ticks_at_most - 2)
        decade = 10.0 ** math.floor(math.log10(span))
        step = next(decade * s for s in (1, 2, 5, 10) if decade * s >= span * 0.999)
        if not self.exact:
            self.high = math.ceil(self.high / step - 1e-9) * step
            self.low = math.floor(self.low / step + 1e-9) * step
        self.ticks = [self.low + i * step for i in range(int((self.high - self.low) / step + 1.001))]

    def at(self, value):
        """Where a value is between low (0) and high (1)."""
        if self.log:
            return math.log(max(value, 1e-300) / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


class Picture:
    """A list of SVG elements with a size."""

    def __init__(self, width, height):
        self.width, self.height, self.elements = width, height, []

    def add(self, element):
        self.elements.append(element)

    def text(self, x, y, text, anchor="start", css="", rotate=None, halo=False):
        turn = f' transform="rotate({rotate} {x:.1f} {y:.1f})"' if rotate is not None else ""
        classes = f"{css} halo".strip() if halo else css
        css = f' class="{classes}"' if classes else ""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}{turn}>{escape(text)}</text>')

    def segment(self, x1, y1, x2, y2, css):
        self.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>')

    def mark(self, x, y, color, hollow=False, shape="circle", radius=4.0, title=""):
        css = f"hollow l{color}" if hollow else f"f{color}"
        width = ' stroke-width="1.8"' if hollow else ""
        tip = f"<title>{escape(title)}</title>" if title else ""
        if shape == "circle":
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{css}"{width}>{tip}</circle>')
        else:
            r = radius * 1.25
            at = f"{x:.1f},{y - r:.1f} {x + r:.1f},{y:.1f} {x:.1f},{y + r:.1f} {x - r:.1f},{y:.1f}"
            self.add(f'<polygon points="{at}" class="{css}"{width}>{tip}</polygon>')

    def legend(self, x, y, entries, width):
        """Entries (text, color, kind of mark) in lines of at most `width`; the height they take."""
        left, top = x, y
        for text, color, kind in entries:
            needed = 20 + text_width(text) + 14
            if left > x and left + needed > x + width:
                left, top = x, top + 18
            if kind == "line":
                self.segment(left, top - 4, left + 14, top - 4, f"l{color} curve")
            elif kind == "dashed":
                self.segment(left, top - 4, left + 14, top - 4, f"l{color} curve dashed")
            elif kind == "bar":
                self.add(f'<rect x="{left:.1f}" y="{top - 9:.1f}" width="12" height="9" rx="2" class="f{color}"/>')
            else:
                self.mark(left + 6, top - 4, color, hollow=kind != "point",
                          shape="diamond" if kind == "diamond" else "circle")
            self.text(left + 19, top, text)
            left += needed
        return top - y + 18

    def svg(self, title, alone=False, footer=""):
        """The picture; `alone`: as a file of its own, with the style, a paper and a line below."""
        margin = 14 if alone else 0
        w, h = round(self.width + 2 * margin), round(self.height + 2 * margin) + (18 if footer else 0)
        below = f'<text x="0" y="{self.height + 16:.0f}" class="small muted">{escape(footer)}</text>' if footer else ""
        style = (f'<style>{STYLE}</style><rect x="-{margin}" y="-{margin}" width="{w}" height="{h}" class="paper"/>'
                 if alone else "")
        size = f' width="{w}" height="{h}"' if alone else ""
        return (f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img"{size} '
                f'viewBox="-{margin} -{margin} {w} {h}"><title>{escape(title)}</title>{style}'
                + "".join(self.elements) + below + "</svg>")


def grid(pictures, columns, gap=24):
    """Pictures side by side, row by row."""
    rows = [pictures[i:i + columns] for i in range(0, len(pictures), columns)]
    width = max(p.width for p in pictures) * columns + gap * (columns - 1)
    whole = Picture(width, sum(max(p.height for p in row) for row in rows) + gap * (len(rows) - 1))
    top = 0
    for row in rows:
        left = 0
        for p in row:
            whole.add(f'<g transform="translate({left:.0f} {top:.0f})">' + "".join(p.elements) + "</g>")
            left += p.width + gap
        top += max(p.height for p in row) + gap
    return whole


class Plot(Picture):
    """Axes, and what is drawn in them. Labels are placed last, by `place_labels`, where there is room. `top` is room
    for a legend between the title and the axes."""

    def __init__(self, x, y, width=860, height=520, title="", top=0, right=24):
        super().__init__(width, height)
        self.x, self.y = x, y
        tick_width = max(text_width(number(t)) for t in y.ticks)
        self.left, self.top = tick_width + 40, top + (36 if title else 14)
        self.right, self.bottom = width - right, height - 46
        self.taken, self.wanted = [], []
        if title:
            self.text(self.left, 18, title, css="title")
        self._axes()

    def _axes(self):
        for t in self.x.ticks:
            px = self.px(t)
            self.segment(px, self.top, px, self.bottom, "grid")
            self.text(px, self.bottom + 17, number(t), "middle", "muted")
        for t in self.y.ticks:
            py = self.py(t)
            self.segment(self.left, py, self.right, py, "grid")
            self.text(self.left - 8, py + 4, number(t), "end", "muted")
        self.segment(self.left, self.bottom, self.right, self.bottom, "axis")
        self.segment(self.left, self.top, self.left, self.bottom, "axis")
        self.text((self.left + self.right) / 2, self.bottom + 37, self.x.label, "middle")
        self.text(14, (self.top + self.bottom) / 2, self.y.label, "middle", rotate=-90)

    def px(self, value):
        return self.left + self.x.at(value) * (self.right - self.left)

    def py(self, value):
        return self.bottom - self.y.at(value) * (self.bottom - self.top)

    def line(self, points, css):
        at = [(self.px(x), self.py(y)) for x, y in points]
        self.add(f'<path d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in at)}" class="{css}"/>')
        for (x1, y1), (x2, y2) in zip(at, at[1:]):  # labels keep off the line
            steps = max(1, int(math.hypot(x2 - x1, y2 - y1) / 8))
            for s in range(steps + 1):
                x, y = x1 + (x2 - x1) * s / steps, y1 + (y2 - y1) * s / steps
                self.taken.append((x - 2, y - 2, x + 2, y + 2, 0.3))

    def point(self, x, y, color, low=None, high=None, hollow=False, title="", radius=4.0):
        """A point with a whisker from `low` to `high` of y."""
        px, py = self.px(x), self.py(y)
        if low is not None and high > low:
            self.segment(px, self.py(low), px, self.py(high), f"l{color} whisker thin")
        self.mark(px, py, color, hollow, radius=radius, title=title)
        self.taken.append((px - radius, py - radius, px + radius, py + radius, 1))

    def label(self, points, text, color):
        """Asks for a label beside any of these points, the first where there is room."""
        self.wanted.append(([(self.px(x), self.py(y)) for x, y in points], text, color))

    def place_labels(self):
        """Writes the labels that have room beside their points; the (text, color) of those that have none."""
        left_out, size = [], 11
        sides = ((1, 0, "start"), (-1, 0, "end"), (0, -1, "middle"), (0, 1, "middle"), (1, -1, "start"),
                 (1, 1, "start"), (-1, -1, "end"), (-1, 1, "end"))
        for points, text, color in self.wanted:
            w, h = text_width(text, size), size + 1
            best = None
            for reach in (8, 14, 22, 32):
                for px, py in points:
                    for dx, dy, anchor in sides:
                        diagonal = 0.75 if dx and dy else 1
                        x, y = px + dx * reach * diagonal, py + dy * (reach + 3) * diagonal + 4
                        x1 = x if anchor == "start" else x - w if anchor == "end" else x - w / 2
                        box = (x1 - 1, y - h + 2, x1 + w + 1, y + 3)
                        if not (self.left + 2 < box[0] and box[2] < self.right - 2 and self.top < box[1]
                                and box[3] < self.bottom):
                            continue
                        cost = reach / 100 + sum(t[4] for t in self.taken if t[0] < box[2] and box[0] < t[2]
                                                 and t[1] < box[3] and box[1] < t[3])
                        if best is None or cost < best[0]:
                            best = (cost, x, y, anchor, box, reach, px, py)
                if best is not None and best[0] < 0.3:
                    break
            if best is None or best[0] >= 1:
                left_out.append((text, color))
                continue
            _, x, y, anchor, box, reach, px, py = best
            if reach > 14:
                edge = min(max(px, box[0]), box[2]), min(max(py, box[1] + 2), box[3] - 2)
                self.segment(px, py, *edge, f"l{color} thin")
            self.text(x, y, text, anchor, f"small f{color}", halo=True)
            self.taken.append((*box, 1))
        return left_out


@dataclass
class Bar:
    """One row of a bar plot: a (low, middle, high) or None for each series, and a mark beside them; or, where the plot is
    one of dots, a list of numbers for each series."""
    label: str
    note: str
    values: list
    group: str = ""
    marks: list = field(default_factory=list)


def bars(rows, axis, series, title="", anchor=1.0, format_value=lambda v: f"{number(v)}×", width=860, mark_name="",
         references=(), dots=False):
    """Horizontal bars from `anchor` on, with whiskers from the lowest to the highest value; a heading for each group.
    `series` are the names of the values of a row, `references` (value, text) are lines across. With `dots` a row is the
    dots of both its series on one line, and their geometric mean."""
    thick = 17 if dots else 13 if len(series) == 1 else 10
    row_height = thick if dots else len(series) * thick + 9
    label_width = max(text_width(r.label) + text_width(r.note, 11) + (8 if r.note else 0) for r in rows) + 12
    value_width = 74
    groups = []
    for r in rows:
        if r.group not in groups:
            groups.append(r.group)
    legend = [(name, i, ("point", "hollow")[i] if dots else "bar") for i, name in enumerate(series)]
    if len(series) == 1:
        legend = []
    if mark_name:
        legend.append((mark_name, 0, "diamond"))
    # wide labels get a wider picture, not narrower bars
    width = max(width, label_width + value_width + 380)
    p = Picture(width, 0)
    left, right, top = label_width, width - value_width, 10
    if title:
        p.text(0, top + 8, title, css="title")
        top += 24
    if legend:
        top += p.legend(0, top + 10, legend, width) + 6
    at = lambda v: left + min(max(axis.at(v), 0), 1) * (right - left)
    body, y = [], top + 20 + (14 if references else 0)
    first = y - 4
    for group in groups:
        if group:
            body.append(lambda y=y, group=group: p.text(0, y + 13, group, css="strong"))
            y += 24
        for r in (r for r in rows if r.group == group):
            body.append(lambda y=y, r=r: _dot_row(p, r, y + thick / 2, at, format_value, left) if dots else
                        _bar_row(p, r, y, thick, at, anchor, format_value, left, len(series)))
            y += row_height
        y += 6
    bottom = y
    for t in axis.ticks:
        p.segment(at(t), first, at(t), bottom, "grid")
        p.text(at(t), bottom + 16, number(t), "middle", "muted")
    for value, text in references:
        p.segment(at(value), first, at(value), bottom, "axis dashed")
        p.text(at(value), first - 5, text, "middle", "muted small")
    p.segment(at(anchor), first, at(anchor), bottom, "axis")
    for draw in body:
        draw()
    p.text((left + right) / 2, bottom + 36, axis.label, "middle")
    p.height = bottom + 46
    return p


def _row_label(p, r, y, left):
    note = text_width(r.note, 11) + 8 if r.note else 0
    p.text(left - 10 - note, y, r.label, "end")
    if r.note:
        p.text(left - 10, y, r.note, "end", "muted small")


def _dot_row(p, r, y, at, format_value, left):
    _row_label(p, r, y + 4, left)
    every = [v for values in r.values for v in values]
    p.segment(at(min(every)), y, at(max(every)), y, "grid")
    for i, values in enumerate(r.values):
        for v in values:
            p.mark(at(v), y, i, hollow=i == 1, radius=3.2, title=f"{r.label} {r.note}: {format_value(v)}")
    p.text(at(max(every)) + 9, y + 4, format_value(statistics.geometric_mean(every)), css="small", halo=True)


def _bar_row(p, r, y, thick, at, anchor, format_value, left, count):
    _row_label(p, r, y + count * thick / 2 + 4, left)
    for i, value in enumerate(r.values):
        if value is None:
            continue
        low, mid, high = value
        top = y + i * thick
        x1, x2 = sorted((at(anchor), at(mid)))
        tip = f"{r.label} {r.note}: {format_value(mid)} ({format_value(low)} to {format_value(high)})"
        p.add(f'<rect x="{x1:.1f}" y="{top + 1:.1f}" width="{max(x2 - x1, 1):.1f}" height="{thick - 2}" rx="2" '
              f'class="f{i}"><title>{escape(tip)}</title></rect>')
        center, end = top + thick / 2, max(at(high), x2)
        if high > low:
            p.segment(at(low), center, at(high), center, "roof")
            for x in (at(low), at(high)):
                p.segment(x, center - 3, x, center + 3, "roof")
        mark = r.marks[i] if i < len(r.marks) else None
        if mark is not None:
            p.mark(at(mark), center, i, hollow=True, shape="diamond", radius=3.6,
                   title=f"{r.label} {r.note}: {format_value(mark)}")
            end = max(end, at(mark) + 5)
        p.text(end + 6, center + 4, format_value(mid), css="small", halo=True)
