#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles and runs the C++ of documents: every block ```cpp of the given Markdown files.

usage: snippets.py COMPILER FLAGS_FILE FOLDER_FOR_PROGRAMS FILE.md...

A block with `int main(` is a program. The others of a page become one program, each a function in a namespace of its own
that uses namespace weft; what a reader need not see stands in a comment before the block, which Markdown does not show:

    <!-- snippet: const auto x = random({3, 4}); -->

What the comment includes is included first; `random({3, 4})` is a Tensor<float, 2> of normal numbers. What stands behind a
line `then:` of the comment comes after the block: `expect(a, b)` throws unless numbers are equal, to 1e-5 of their size.
Words before the colon say more:
    global      the block stands at namespace scope (classes with templates in them)
    continues   goes on where the block before it ended, with its names
    compile     is checked by the compiler, and not run (reads a file that is not there)
    skip        is not compiled, for the reason after the colon; listed
"""
import pathlib
import re
import subprocess
import sys
import time

BLOCK = re.compile(r"(?:<!--\s*snippet(?P<words>(?:\s+\w+)*)\s*:(?P<before>(?:(?!-->).)*)-->\s*\n)?"
                   r"^```cpp\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
WORDS = {"global", "continues", "compile", "skip"}
HELPER = """
template <std::size_t N>
weft::Tensor<float, int(N)> random(const weft::index (&extents)[N]) {
    static weft::Generator generator{0};
    weft::Extents<int(N)> shape;
    for (std::size_t a = 0; a < N; ++a) shape[a] = extents[a];
    auto x = weft::Tensor<float, int(N)>::empty(shape);
    weft::fill_normal(generator, x.mutable_data(), x.size());
    return x;
}
inline void expect(double a, double b) {
    if (!(std::abs(a - b) <= 1e-5 * (1 + std::abs(b)))) throw weft::error("expect", "{} is not {}", a, b);
}
"""
INCLUDE = re.compile(r"^[ \t]*#include [^\n]*$", re.MULTILINE)


class Snippet:
    def __init__(self, path, text, match):
        self.place = f"{path}:{text.count(chr(10), 0, match.start('code'))}"
        self.line = text.count("\n", 0, match.start("code")) + 1
        self.before_line = text.count("\n", 0, match.start()) + 1
        self.path = path
        self.words = set((match["words"] or "").split())
        self.before, _, self.then = (match["before"] or "").partition("\nthen:\n")
        self.code = match["code"]
        if self.words - WORDS:
            raise SystemExit(f"{self.place}: unknown words: {', '.join(sorted(self.words - WORDS))}")

    def includes(self):
        return INCLUDE.findall(self.before) + INCLUDE.findall(self.code)

    def body(self):
        """The lines keep their numbers, so that the compiler names those of the document."""
        return "".join(f'#line {line} "{self.path}"\n{INCLUDE.sub("", text)}\n'
                       for line, text in ((self.before_line, self.before), (self.line, self.code),
                                          (self.before_line, self.then)))


def read(path):
    text = path.read_text(encoding="utf-8")
    snippets = [Snippet(path, text, match) for match in BLOCK.finditer(text)]
    if len(snippets) != len(re.findall(r"^[ \t]*```cpp", text, re.MULTILINE)):
        raise SystemExit(f"{path}: a block ```cpp that does not end, or is indented")
    return snippets


def function_unit(snippets):
    """One program that calls every snippet and says which throw."""
    includes = ["#include <weft/weft.hpp>", "#include <cstdio>", "#include <exception>"]
    blocks, calls = [], []  # of text and what closes it
    for snippet in snippets:
        includes += [line.strip() for line in snippet.includes()]
        if "continues" in snippet.words:
            if not blocks or "global" in snippet.words or blocks[-1][1] != "}\n}\n":
                raise SystemExit(f"{snippet.place}: nothing to continue")
            blocks[-1][0] += snippet.body()
            continue
        name = f"snippet_{snippet.line}"
        opening = f"namespace {name} {{\nusing namespace weft;\n"
        if "global" in snippet.words:
            blocks.append([opening + snippet.body(), "}\n"])
            continue
        blocks.append([f"{opening}void run() {{\n{snippet.body()}", "}\n}\n"])
        calls.append(f'{{{name}::run, "{snippet.place}"}},\n')
    return ("\n".join(dict.fromkeys(includes)) + HELPER + "".join(text + end for text, end in blocks) +
            f"""int main() {{
    struct {{ void (*run)(); const char* place; }} const all[] = {{{"".join(calls)}{{nullptr, nullptr}}}};
    int failures = 0;
    for (const auto& [run, place] : all) {{
        try {{
            if (run) run();
        }} catch (const std::exception& e) {{
            std::fprintf(stderr, "%s: throws: %s\\n", place, e.what());
            ++failures;
        }}
    }}
    return failures;
}}
""")


def main():
    if len(sys.argv) < 5:
        raise SystemExit(__doc__)
    compiler, flags, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    # An unused variable is what an example is made of.
    options = [f"@{flags}", "-O0", "-g0", "-Wall", "-Wextra", "-Wno-unused", "-Wno-comment", "-Werror"]
    failed, total, skipped = 0, 0, []
    for path in map(pathlib.Path, sys.argv[4:]):
        snippets = read(path)
        total += len(snippets)
        skipped += [s for s in snippets if "skip" in s.words]
        snippets = [s for s in snippets if "skip" not in s.words]
        programs = [s for s in snippets if re.search(r"^int main\(", s.code, re.MULTILINE)]
        parts = {True: [], False: []}  # what runs, and what is only checked
        runs = True
        for snippet in snippets:
            if snippet not in programs:
                runs = runs if "continues" in snippet.words else "compile" not in snippet.words
                parts[runs].append(snippet)
        units = [(f"{path.stem}_{s.line}", f"{s.before}\n#line {s.line} \"{s.path}\"\n{s.code}",
                  "compile" not in s.words) for s in programs]
        units += [(path.stem if runs else f"{path.stem}_checked", function_unit(part), runs)
                  for runs, part in parts.items() if part]
        for name, code, run in units:
            start = time.time()
            source, program = folder / f"{name}.cpp", folder / name
            source.write_text(code, encoding="utf-8")
            target = ["-o", str(program)] if run else ["-fsyntax-only"]
            status = subprocess.run([compiler, *options, str(source), *target]).returncode
            compiled = time.time()
            if status == 0 and run:
                status = subprocess.run([str(program.resolve())], cwd=folder, stdout=subprocess.DEVNULL).returncode
            failed += status != 0
            print(f"{'FAILED ' if status else ''}{name}: compiled in {compiled - start:.0f} s, "
                  f"ran {time.time() - compiled:.1f} s", flush=True)
    for snippet in skipped:
        print(f"{snippet.place}: skipped: {snippet.before}")
    print(f"{total} snippets, {len(skipped)} skipped, {failed} programs failed")
    if total == 0:
        raise SystemExit("there is no snippet to compile")
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
