"""The direction of imports (docs/architecture.md) and the cost of starting up."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "xasuite"
DECISIONS = PACKAGE.parent / "docs" / "decisions"

LEVELS = [
    {
        "records",
        "choices",
        "constants",
        "cubic",
        "edges",
        "errors",
        "hooks",
        "version",
        "expressions",
        "files",
        "lazy",
        "notices",
        "references",
        "scatter",
        "threads",
    },
    {"_larch"},
    {"io", "reduce", "feff"},
    {"exafs", "xanes", "theory"},
    {"simulate"},
    {"specs"},
    {"workflow"},
    {"_series"},
    {"report"},
    {"deposit"},
    {"explorer"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    """Rooms that a module imports anywhere (inside functions too; not for types only), with line numbers."""
    package = ["xasuite", *path.relative_to(PACKAGE).parts[:-1]]
    found = []
    tree = ast.parse(path.read_text())
    tree.body = [
        n for n in tree.body if not (isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join([*module, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "xasuite" and len(parts) > 1:
                found.append((parts[1], node.lineno))
    return found


MODULES = sorted(
    p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.stem not in {"__init__", "__main__"}
)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path: Path) -> None:
    here = LEVEL[room_of(path)]
    for room, line in imports(path):
        if room in LEVEL:
            assert LEVEL[room] <= here, f"{path}:{line} imports {room}, which lies above"


def test_larch_is_imported_by_one_folder() -> None:
    for path in MODULES:
        if room_of(path) == "_larch":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not any(n == "larch" or n.startswith("larch.") for n in names), f"{path}:{node.lineno}"


def test_start_loads_nothing_heavy() -> None:
    """Held by what is loaded, not by a clock: `python -m benchmarks startup` prints the seconds."""
    heavy = "{'larch', 'scipy', 'pandas', 'numba', 'matplotlib', 'pydantic', 'lmfit', 'h5py', 'plotly'}"
    for start in ("import xasuite", "import xasuite.cli as c; c._register('')"):
        code = f"import sys; {start}; bad = {heavy} & set(sys.modules); assert not bad, bad"
        subprocess.run([sys.executable, "-c", code], check=True)


def test_no_paper_in_the_code() -> None:
    """Papers are data: no paper's, sample's, spec's, table's or figure's name stands in the package."""
    from xasuite.references import fits_dir, references_dir
    from xasuite.specs.published import papers

    # fits/foils serves the examples of docstrings
    specs = {f.stem for f in fits_dir().glob("*/*.toml") if f.parent.name != "foils"}
    names = {f.stem for f in (references_dir() / "clusters").glob("*.xyz")}
    for name, paper in papers().items():
        names |= {name, *paper.figure} if paper.specs else set()
        names |= {s for s in paper.study if "_" in s} | {*re.findall(r"10\.\d{4}/\S+\w", paper.citation)}
        names |= {c.row for t in paper.table.values() for c in t.cell if not c.row.endswith(("min", "foil"))}
    names |= {s for s in specs if re.search(r"[_\d]", s)}  # others are words: fe, debye
    words = "|".join(re.escape(n) for n in sorted(names | {"CoN3", "MnN3", "CoN4", "Ca2CoRuO6"}))
    # tables and figures of a supplement are S and a number; S02 and the wavelet's s2 are none
    pattern = re.compile(rf"(?<!\w)(?i:{words})(?!\w)|(?<![\w.])S(?!02)\d{{1,2}}[ab]?(?!\w)|Fig\. ?\d")
    assert all(
        pattern.search(x)
        for x in ("ccro/S7", "of L-Co1Mn1-NC", "(Fig. 2g)", "time (S23)", "s7_co", "ru_2000", "ccro_co")
    )
    found = [
        f"{path}:{number}: {hit[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (hit := pattern.search(line))
    ]
    assert not found, "\n".join(found)


HEADINGS = ["Choice", "Reason", "What others do", "Effect"]


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("*.md")), ids=lambda p: p.stem)
def test_a_decision_fits_on_a_page(page: Path) -> None:
    """Four headings in one order and at most 600 words, tables included; longer records are in docs/notes/."""
    text = page.read_text(encoding="utf-8")
    headings = "|".join(HEADINGS)
    assert re.findall(rf"^\*\*({headings})\b", text, re.M) == HEADINGS
    assert len(re.findall(r"\S*\w\S*", text)) <= 600


def longest_functions() -> dict[str, int]:
    """Lines of each function of the package, its docstring not counted."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                said = ast.get_docstring(node) is not None and first.end_lineno - first.lineno + 1
                name = f"{path.relative_to(PACKAGE)}:{node.name}"
                found[name] = node.end_lineno - node.lineno + 1 - said
    return found


def test_a_function_fits_on_a_screen() -> None:
    lines = longest_functions()
    assert lines["workflow/run.py:fit"] > 5  # functions are found
    assert {name: n for name, n in lines.items() if n > 60} == {}


def test_a_module_has_fewer_than_500_lines() -> None:
    lines = {path.name: path.read_text().count("\n") for path in PACKAGE.rglob("*.py")}
    assert {name: n for name, n in lines.items() if n >= 500} == {}
