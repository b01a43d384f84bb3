"""Run the benchmarks that are named, or all, and print each as a ratio measured in one run."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import benchmarks

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
KEYS = ("ratio", "ours_per_s", "peer_per_s", "threads")


def names() -> list[str]:
    """Every benchmark of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


def measure(name: str) -> dict[str, Any]:
    """One benchmark's figures, with the seconds it took; {"skipped": why} where it cannot run."""
    start = time.perf_counter()
    from benchmarks._measure import Skipped as Missing

    try:
        out = importlib.import_module(f"benchmarks.{name}").run()
    except Missing as exc:
        return {"skipped": str(exc)}
    out["seconds"] = round(time.perf_counter() - start, 1)
    return out


def line(name: str, out: dict[str, Any]) -> str:
    """One benchmark as a line for people."""
    if "skipped" in out:
        return f"{name:22s} skipped: {out['skipped']}"
    if "ratio" not in out:
        said = ", ".join(f"{k} {v}" for k, v in out.items() if k not in ("work", "peer", "wanted"))
        return f"{name:22s} {said}"
    wanted = f" (wanted {out['wanted']})" if "wanted" in out else ""
    return (
        f"{name:22s} {out['ratio']:7.1f} x{wanted}: {out['ours_per_s']:.0f}/s against {out['peer_per_s']:.1f}/s, "
        f"{out['threads']} thread; {out.get('work', '')}; peer: {out.get('peer', '')}; {out['seconds']} s in all"
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


def page(results: dict[str, dict[str, Any]]) -> str:
    """docs/benchmarks.md."""
    rows = []
    for name, out in results.items():
        if "ratio" in out:
            figures = f"**{_round(out['ratio'])}** | {out.get('wanted', '')} | {out['ours_per_s']:.0f} | {out['peer_per_s']:.1f} | {out['threads']}"
        else:
            text = out.get("skipped") or ", ".join(f"{k} {v}" for k, v in out.items() if k not in ("work", "peer", "wanted", "seconds"))  # fmt: skip
            figures = f"{text} | {out.get('wanted', '')} | | | "
        rows.append(f"| {name} | {out.get('work', '')} | {out.get('peer', '')} | {figures} |")
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Measured {time.strftime('%Y-%m-%d')} by `python -m benchmarks --write` on {machine()}. Ours and the peer take",
            "turns within one run on the same machine, so that the ratio holds whatever else runs; rates are medians of the turns, per second.",
            "",
            "| name | work | peer | ratio | wanted | ours/s | peer/s | threads |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


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
    for name in options.names or names():
        results[name] = measure(name)
        if not options.json:
            print(line(name, results[name]), flush=True)
    if options.json:
        print(json.dumps({n: {k: v for k, v in r.items() if k not in ("work", "peer", "wanted", "seconds")} for n, r in results.items()}))  # fmt: skip
    if options.write:
        from xasuite.files import write_text

        write_text(PAGE, page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
