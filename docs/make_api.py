"""docs/api.md from the docstrings of every public name: ``python docs/make_api.py``; --check says whether it is current."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent / "api.md"
# Rooms after the front, in the order of the work; each lists its own public names.
ROOMS = (
    "io", "reduce", "feff", "exafs", "exafs.wavelet_transform", "xanes", "simulate", "theory", "specs", "workflow", "_series", "report",
)  # fmt: skip
HEAD = """# API reference

Made from the docstrings by `python docs/make_api.py`; a test holds it complete. Arrays: shapes in brackets, leading axes `...` are a stack. Units: eV, A, 1/A,
A^2, s. A name of the front is called `xs.NAME` after `import xasuite as xs`.
"""


def names_of(room: str) -> dict[str, Any]:
    """The public names of a room with what they are, functions and classes only."""
    module = importlib.import_module(f"xasuite.{room}" if room else "xasuite")
    public = getattr(module, "_PUBLIC", None) or dict.fromkeys(getattr(module, "__all__", ()), "")
    found = {n: getattr(module, n) for n in public}
    return {n: v for n, v in found.items() if inspect.isclass(v) or inspect.isfunction(v)}


def everything() -> dict[str, dict[str, Any]]:
    """Every room's names, each object once: the front's first."""
    seen: set[int] = set()
    out: dict[str, dict[str, Any]] = {}
    for room in ("", *ROOMS):
        fresh = {n: v for n, v in names_of(room).items() if id(v) not in seen}
        seen |= {id(v) for v in fresh.values()}
        if fresh:
            out[room] = fresh
    return out


def entry(name: str, what: Any) -> str:
    """One name: its signature and its docstring."""
    text = inspect.cleandoc(what.__doc__ or "")
    lines = [f"### {name}", "", "```text", _signature(name, what), "```", "", "```text", text, "```", ""]
    if inspect.isclass(what):
        members = [
            (n, m)
            for n, m in vars(what).items()
            if not n.startswith("_") and _doc(m) and not inspect.isclass(m)
        ]
        lines += [f"- `{name}.{n}{_arguments(m)}`: {_doc(m).splitlines()[0].strip()}" for n, m in members]
        lines += [""] if members else []
    return "\n".join(lines)


def _doc(member: Any) -> str:
    known = isinstance(member, property | staticmethod | classmethod) or inspect.isfunction(member)
    known = known or type(member).__name__ == "cached_property"
    return (member.__doc__ or "").strip() if known else ""


def _arguments(member: Any) -> str:
    if not inspect.isfunction(member):
        return ""
    names = [p for p in inspect.signature(member).parameters if p != "self"]
    return f"({', '.join(names)})"


def _signature(name: str, what: Any) -> str:
    try:
        signature = inspect.signature(what)
    except (TypeError, ValueError):
        return name
    parts = []
    star = False
    for p in signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        parts.append(mark + p.name + ("" if p.default is p.empty else f"={_default(p.default)}"))
    returns = signature.return_annotation
    arrow = f" -> {returns}" if isinstance(returns, str) and not inspect.isclass(what) else ""
    whole = f"{name}({', '.join(parts)}){arrow}"
    return whole if len(whole) <= 110 else f"{name}(\n    " + ",\n    ".join(parts) + f",\n){arrow}"


def _default(value: Any) -> str:
    text = repr(value)
    return "..." if " at 0x" in text or text.startswith("<") or len(text) > 40 else text


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for room, names in everything().items():
        module = importlib.import_module(f"xasuite.{room}" if room else "xasuite")
        title = f"xasuite.{room}" if room else "The front: xasuite"
        parts += [f"## {title}\n", inspect.cleandoc(module.__doc__ or "").splitlines()[0] + "\n"]
        parts += [entry(n, v) for n, v in sorted(names.items(), key=lambda x: x[0].lower())]
    return "\n".join(parts).rstrip() + "\n"


def main(argv: list[str]) -> int:
    """Write the page, or with --check say by the exit code whether it is current."""
    text = page()
    if "--check" in argv:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
