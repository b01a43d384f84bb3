"""Code lines that the first version's capabilities need, in it and now: what one workload enters.

`git worktree add /tmp/first 90afd45; python -m benchmarks._reached /tmp/first` runs the same commands in both versions, in
a process that is traced with all its children, and counts the code lines of what was entered. It needs XASUITE_DATA.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ._code_lines import LATER, code_lines, of_folders, part
from ._measure import ROOT
from ._reached_workload import COMMANDS, NEEDED, PYTHON, RENAMED

# Written as sitecustomize.py, so that every Python that the workload starts writes down which lines it entered.
TRACER = """
import os, sys, threading
home, out, left = os.environ["REACHED_PACKAGE"], os.environ["REACHED_OUT"], {}
def inside(frame, event, arg):
    lines = left[frame.f_code]
    if event == "line" and frame.f_lineno in lines:
        lines.discard(frame.f_lineno)
        with open(out, "a") as file:
            file.write(f"{frame.f_code.co_filename}:{frame.f_lineno}\\n")
    return inside if lines else None
def enter(frame, event, arg):
    code = frame.f_code
    if not code.co_filename.startswith(home):
        return None
    if code not in left:
        left[code] = {line for _, _, line in code.co_lines() if line}
    return inside if left[code] else None
threading.settrace(enter)
sys.settrace(enter)
"""

# One process for all commands: imports are slow while they are traced.
RUNNER = f"""
import runpy, sys
from pathlib import Path
def run(commands):
    Path("python.py").write_text({PYTHON!r})
    from xasuite.cli import main
    for words in commands:
        code = 0
        try:
            if words[0] == "python":
                runpy.run_path("python.py")
            else:
                sys.argv = ["xasuite", *words]
                code = main()
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = repr(error)
        print("exit code", code, "of", *words, file=sys.stderr, flush=True)
"""


def traced(checkout: Path, first: bool, folder: Path) -> set[tuple[str, int]]:
    """The lines of a checkout's package that the workload enters; a command that fails is said."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TRACER)
    (folder / "bad.toml").write_text(
        (checkout / "fits/foils/cu_pymca.toml")
        .read_text()
        .replace("kweight = [2]", "kweigth = [2]\nwidth = 3")
    )
    environment = os.environ | {
        "PYTHONPATH": f"{folder}:{checkout}", "REACHED_PACKAGE": str(checkout / "xasuite"), "XASUITE_CACHE": str(folder / "cache"),
        "REACHED_OUT": str(folder / "lines"), "FITS": str(checkout / "fits"), "COLUMNS": "200",
    }  # fmt: skip
    lines = [
        [os.path.expandvars(w.replace("FITS", environment["FITS"])) for w in shlex.split(command)]
        for command in COMMANDS
    ]
    if first:
        lines = [[RENAMED.get(w, w) for w in line if w not in NEEDED] for line in lines]
    (folder / "all.py").write_text(RUNNER + f"if __name__ == '__main__':\n    run({lines!r})\n")
    subprocess.run([sys.executable, "all.py"], cwd=folder, env=environment, check=True)
    rows = (line.rpartition(":") for line in (folder / "lines").read_text().splitlines())
    return {(file, int(number)) for file, _, number in rows}


def entered(path: Path, executed: set[int]) -> tuple[set[int], set[int]]:
    """The code lines of a module's functions that were entered, with its other code; and of them the statements that ran.

    A function that numba compiles cannot be traced: it counts where its module was imported. A module of which no function
    was entered, though it has some, does not count.
    """
    tree, code = ast.parse(path.read_text()), code_lines(path)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    out: set[int] = set()
    ran: set[int] = set()
    reached = False
    for node in functions:
        body = set(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
        compiled = any("njit" in ast.unparse(d) for d in node.decorator_list)
        if compiled and executed:
            ran |= body
        if body & executed or (compiled and executed):
            reached = True
        else:
            out |= body | set(
                range(min([node.lineno, *(d.lineno for d in node.decorator_list)]), node.body[0].lineno)
            )
    if not executed or (functions and not reached):
        return set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            last = node.body[0].lineno - 1 if getattr(node, "body", None) else node.end_lineno or 0
            span = set(range(node.lineno, max(last, node.lineno) + 1))
            if span & executed or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                ran |= span | {d.lineno for d in getattr(node, "decorator_list", ())}
    return code - out, (code - out) & ran


def count(
    checkout: Path, executed: set[tuple[str, int]]
) -> tuple[dict[Path, set[int]], dict[Path, set[int]]]:
    """For each module the lines of functions that were entered, and of statements that ran."""
    of: dict[str, set[int]] = {}
    for file, line in executed:
        of.setdefault(file, set()).add(line)
    both = {p: entered(p, of.get(str(p), set())) for p in sorted((checkout / "xasuite").rglob("*.py"))}
    return {p: b[0] for p, b in both.items()}, {p: b[1] for p, b in both.items()}


def main(first: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="reached-"))
    columns: list[Counter[str]] = []
    for checkout in (first, ROOT):
        for lines in count(
            checkout, traced(checkout, checkout == first, folder / ("now" if checkout == ROOT else "first"))
        ):
            columns.append(of_folders(lines, checkout / "xasuite"))
            if checkout == ROOT:
                listed = [
                    part(ROOT / "xasuite", name, lines) for names in LATER.values() for name in names.split()
                ]
                columns.append(sum((of_folders(own, ROOT / "xasuite") for own in listed), Counter()))
    print(
        "| folder | functions: first version | now | of that listed | statements: first version | now | of that listed |"
    )
    order = [columns[n] for n in (0, 2, 3, 1, 4, 5)]
    for name in sorted(set().union(*order)):
        print(f"| {name} | {' | '.join(str(c[name]) for c in order)} |")
    print(f"| all | {' | '.join(str(sum(c.values())) for c in order)} |")
    print(folder, file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
