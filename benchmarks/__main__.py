"""Run the benchmarks that are named, or all that do not take minutes, and print what each measured in one run."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import benchmarks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
ABOUT = ("work", "peer", "wanted", "seconds_in_all")
HEAD = "| name | work | peer | ratio | wanted | ours/s | peer/s | threads | measured |"


def names() -> list[str]:
    """Every benchmark of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def usual() -> list[str]:
    """Those that run when none is named."""
    return [
        n
        for n in names()
        if not getattr(importlib.import_module(f"benchmarks.{n}"), "ONLY_WHEN_NAMED", False)
    ]


def measure(name: str) -> dict[str, Any]:
    """One benchmark's figures, with the seconds it took; {"skipped": why} where it cannot run."""
    start = time.perf_counter()
    from benchmarks._measure import Skipped as Missing

    try:
        out = importlib.import_module(f"benchmarks.{name}").run()
    except Missing as exc:
        return {"skipped": str(exc)}
    out["seconds_in_all"] = round(time.perf_counter() - start, 1)
    return out


def figures(out: dict[str, Any]) -> dict[str, Any]:
    """What was measured, without what is said about it."""
    return {k: v for k, v in out.items() if k not in ABOUT}


def _text(out: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in figures(out).items())


def line(name: str, out: dict[str, Any]) -> str:
    """One benchmark as a line for people."""
    if "skipped" in out:
        return f"{name:22s} skipped: {out['skipped']}"
    wanted = f" (wanted {out['wanted']})" if "wanted" in out else ""
    if "ratio" not in out:
        return f"{name:22s} {_text(out)}{wanted}; {out.get('work', '')}; {out['seconds_in_all']} s in all"
    return (
        f"{name:22s} {out['ratio']:7.1f} x{wanted}: {_rate(out['ours_per_s'])}/s against {_rate(out['peer_per_s'])}/s, "
        f"{out['threads']} thread; {out.get('work', '')}; peer: {out.get('peer', '')}; {out['seconds_in_all']} s in all"
    )


def machine() -> str:
    """Processor, cores, Python and the versions that the figures depend on."""
    from importlib.metadata import version

    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x), cpu)
    packages = ", ".join(f"{p} {version(p)}" for p in ("numpy", "numba", "xraylarch"))
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}"


def _round(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.1f}"


def _rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def row(name: str, out: dict[str, Any]) -> str:
    """One benchmark as a row of the page."""
    about = f"| {name} | {out.get('work', '')} | {out.get('peer', '')} |"
    today = time.strftime("%Y-%m-%d")
    if "ratio" not in out:
        return f"{about} {_text(out)} | {out.get('wanted', '')} | | | | {today} |"
    rates = f"{_rate(out['ours_per_s'])} | {_rate(out['peer_per_s'])} | {out['threads']}"
    return f"{about} **{_round(out['ratio'])}** | {out.get('wanted', '')} | {rates} | {today} |"


def page(results: dict[str, dict[str, Any]], before: str = "") -> str:
    """docs/benchmarks.md; what was not measured this time keeps its row of the page `before`."""
    held = {
        r.split("|")[1].strip(): r for r in before.splitlines() if r.startswith("| ") and r.endswith(" |")
    }
    held = {n: held[n] for n in names() if n in held}
    rows = held | {n: row(n, out) for n, out in results.items() if "skipped" not in out}
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Measured by `python -m benchmarks [NAME ...] --write` on {machine()}. Ours and the peer take turns",
            "within one run on the same machine, so that the ratio holds whatever else runs; rates are medians of the turns, per second.",
            "Where no rates are compared, the figures stand in the place of the ratio.",
            "",
            HEAD,
            "|---" * HEAD.count(" | ") + "|---|",
            *(rows[n] for n in sorted(rows)),
            "",
            *limits(),
            *_kept(before),
        ]
    )


def _kept(before: str) -> list[str]:
    """The sections of the page that were written by hand."""
    return [s for s in re.split(r"(?m)^(?=## )", before)[1:] if not s.startswith("## What limits them")]


def limits() -> list[str]:
    """What holds each benchmark back now: the `LIMIT` of its module."""
    said = {n: getattr(importlib.import_module(f"benchmarks.{n}"), "LIMIT", "") for n in names()}
    return ["## What limits them", "", *(f"- **{n}**: {text}" for n, text in said.items() if text), ""]


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--write", action="store_true", help="write the table to docs/benchmarks.md")
    options = parser.parse_args(argv)
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(names())}", file=sys.stderr)
        return 1
    warnings.simplefilter("ignore")
    results = {}
    for name in options.names or usual():
        results[name] = measure(name)
        if not options.json:
            print(line(name, results[name]), flush=True)
    if options.json:
        print(json.dumps({name: figures(out) for name, out in results.items()}))
    if options.write:
        from xasuite.files import write_text

        write_text(PAGE, page(results, PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
