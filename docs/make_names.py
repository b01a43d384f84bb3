"""Writes docs/notes/names.md, the public names of the first version and of this one: python docs/make_names.py CHECKOUT

CHECKOUT is the first version's: `git worktree add CHECKOUT 90afd45`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOVED = ("specs", "workflow", "_series", "records")  # where the names of folders that are no more went

# Run in either version: each name of an `__all__` with its parameters
LIST = """
import importlib, inspect, json, sys
from pathlib import Path
found = {}
for folder in ["", *sorted(p.parent.name for p in Path(sys.argv[1], "xasuite").glob("*/__init__.py"))]:
    module = importlib.import_module("xasuite" + (folder and "." + folder))
    for name in getattr(module, "__all__", ()):
        what = getattr(module, name)
        if inspect.ismodule(what) or name.startswith("__"):
            continue
        try:
            found[f"{folder or 'xs'}.{name}"] = list(inspect.signature(what).parameters)
        except (TypeError, ValueError):
            found[f"{folder or 'xs'}.{name}"] = []
print(json.dumps(found))
"""


def names(checkout: Path) -> dict[str, list[str]]:
    """Every public name of a version with its parameters."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIST, str(checkout)],
        env=os.environ | {"PYTHONPATH": str(checkout)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def page(first: Path) -> str:
    """The note's text."""
    before, now = names(first), names(ROOT)
    place = {
        name: next((n for n in (name, *(f"{m}.{name.partition('.')[2]}" for m in MOVED)) if n in now), "")
        for name in before
    }
    moved = [f"| `{a}` | `{b}` |" for a, b in place.items() if b and a != b]
    lost = [f"`{a}`" for a, b in place.items() if not b]
    changed = []
    for a, b in place.items():
        gone = [p for p in before[a] if p not in now.get(b, before[a])]
        if gone:
            come = [p for p in now[b] if p not in before[a]]
            changed.append(
                f"| `{b}` | {', '.join(f'`{p}`' for p in gone)} | {', '.join(f'`{p}`' for p in come)} |"
            )
    new = [f"`{n}`" for n in now if n not in place.values()]
    return f"""# Public names, before and after the new layout

Written by `python docs/make_names.py CHECKOUT`. The first version (2026-11-21, 90afd45) had {len(before)} public names, this one has {len(now)}. A name is
listed where its place or its parameters changed. Names that are no more: {", ".join(lost) or "none"}.

## Moved

`xs.spec` and `xs.series` are functions now, so the folders are `specs` and `_series`; what ran specs is in `workflow`.

| before | now |
|---|---|
{chr(10).join(moved)}

## Parameters and fields that went

| name | before | now, with those that are new |
|---|---|---|
{chr(10).join(changed)}

Keys of specs that were renamed are rewritten by `xasuite check --upgrade FILE`.

## New

{", ".join(new)}.
"""


if __name__ == "__main__":
    (ROOT / "docs" / "notes" / "names.md").write_text(page(Path(sys.argv[1]).resolve()), encoding="utf-8")
