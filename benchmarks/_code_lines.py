"""Code lines of the package by folder, and those that serve only what the first version could not do.

`python -m benchmarks._code_lines [FOLDER]` counts lines that hold code: no comments, docstrings or blank lines.
"""

from __future__ import annotations

import ast
import sys
import tokenize
from collections import Counter
from pathlib import Path

from ._measure import ROOT

# A module, a folder, or module:name of a function or class, by what it is for. Code that old and new capabilities share
# is not listed, nor a module that has grown because what it did before is done better.
LATER = {
    "error budgets": "exafs/budget workflow/budgets.py workflow/temperature.py _series/row_budgets.py reduce/response.py "
    "specs/schema.py:Errors workflow/paths.py:other_paths workflow/summary.py:parts_table workflow/summary.py:changes_table",
    "interactive page": "explorer cli/explore.py",
    "depositions": "deposit cli/bundle.py cli/reproduce.py:_deposition",
    "projects of other programs": "io/projects io/athena_settings.py workflow/convert.py workflow/convert_groups.py cli/convert.py",
    "scripts for Larch, Athena projects of specs": "workflow/export.py _larch/script.py cli/export.py",
    "asymmetric errors, posterior, comparison of models": "exafs/profiles.py exafs/sampling.py exafs/evidence.py "
    "workflow/posterior.py workflow/compare.py report/posterior.py cli/posterior.py cli/compare.py",
    "verdicts and the checks of a referee": "workflow/verdict.py workflow/checkxas.py _series/checks.py cli/checkxas.py",
    "coverage with drawn truths, other settings": "workflow/ensemble.py workflow/drawn.py workflow/settings.py "
    "workflow/scoreboard.py:worth workflow/scoreboard.py:held_out workflow/scoreboard.py:_in_errors_of report/reproduction.py",
    "restraints, names in expressions, [[shells]]": "exafs/restraints.py exafs/tokens.py specs/schema.py:Restraint "
    "specs/schema.py:Shells workflow/paths.py:shells_paths workflow/paths.py:_kept",
    "single paths, disorder, empirical standards": "feff/single.py feff/disorder.py exafs/empirical.py workflow/paths.py:_single",
    "modulation excitation": "reduce/modulation.py report/plots/modulation.py cli/modulation.py",
    "fluorescence corrections": "reduce/corrections.py specs/schema.py:DeadTime specs/schema.py:Elements "
    "specs/schema.py:Overabsorption",
    "reduction: Ifeffit's spline, edge step of the free atom, pixels, other edges, averages": "reduce/ifeffit_spline.py "
    "reduce/edge_step.py reduce/main_rise.py reduce/pixels.py reduce/other_edges.py reduce/averages.py "
    "specs/series.py:PixelCalibration",
    "files that grow, catalogues": "_series/growing.py _series/tiled.py _series/spool.py",
    "reading: chi(k), sweeps, own layouts, limits, a process of its own": "io/chi.py io/sweeps.py io/layouts.py io/limits.py "
    "io/isolated.py io/several.py cli/layouts.py",
    "specs made in Python": "workflow/given.py workflow/save.py workflow/new.py:make_spec workflow/new.py:_amplitude "
    "specs/toml.py:upgraded specs/toml.py:_matching",
    "search for crystals, merged scans, plots without a spec, methods in words": "feff/library.py cli/crystals.py cli/merge.py "
    "cli/plot.py report/plots/overlay.py report/methods.py",
}


def code_lines(path: Path) -> set[int]:
    """The numbers of the lines of a module that hold code."""
    text = path.read_text()
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if tokenize.tok_name[token.type] not in {
                "ENCODING", "COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER",
            }:  # fmt: skip
                lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def of_folders(lines: dict[Path, set[int]], package: Path) -> Counter[str]:
    """Lines by the package's folders; modules beside them are one."""
    found: Counter[str] = Counter()
    for path, own in lines.items():
        inside = path.relative_to(package).parts
        found[inside[0] if len(inside) > 1 else "."] += len(own)
    return found


def part(package: Path, name: str, lines: dict[Path, set[int]]) -> dict[Path, set[int]]:
    """The lines of a folder, a module, or of a function or class in one. Raises KeyError when it is not there."""
    file, _, inner = name.partition(":")
    path = package / file
    if not inner:
        found = {p: own for p, own in lines.items() if p == path or path in p.parents}
        if not found:
            raise KeyError(name)
        return found
    nodes = {n.name: n for n in ast.parse(path.read_text()).body if hasattr(n, "name")}
    node = nodes[inner]
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return {path: lines[path] & set(range(first, (node.end_lineno or 0) + 1))}


def main(package: Path) -> None:
    lines = {p: code_lines(p) for p in sorted(package.rglob("*.py"))}
    total = of_folders(lines, package)
    later: Counter[str] = Counter()
    listed = package == ROOT / "xasuite"
    for purpose, names in LATER.items() if listed else ():
        own: Counter[str] = Counter()
        for name in names.split():
            own += of_folders(part(package, name, lines), package)
        later += own
        print(f"| {purpose} | {sum(own.values())} |")
    for folder, count in [*sorted(total.items()), ("all", sum(total.values()))]:
        new = sum(later.values()) if folder == "all" else later[folder]
        print(f"| {folder} | {count} | {new} | {count - new} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "xasuite")
