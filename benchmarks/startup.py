"""Seconds of `import xasuite` and of `xasuite --help`, whole processes, against `import larch`."""

from __future__ import annotations

from statistics import median

from benchmarks._measure import python, seconds_of

TURNS = 7
COMMANDS = {
    "import": python("-c", "import xasuite"),
    "help": python("-m", "xasuite", "--help"),
    "larch": python("-c", "import larch"),
}


def run() -> dict:
    """See benchmarks/__init__.py; also "import_seconds", "help_seconds" and "larch_seconds"."""
    for command in COMMANDS.values():
        seconds_of(command)
    turns = [{name: seconds_of(command)[0] for name, command in COMMANDS.items()} for _ in range(TURNS)]
    found = {name: median(turn[name] for turn in turns) for name in COMMANDS}
    return {
        "ratio": round(found["larch"] / found["help"], 2),
        "ours_per_s": round(1 / found["help"], 2),
        "peer_per_s": round(1 / found["larch"], 2),
        "threads": 1,
        **{f"{name}_seconds": round(value, 3) for name, value in found.items()},
        "work": f"`xasuite --help` in {found['help']:.2f} s, `import xasuite` in {found['import']:.2f} s",
        "peer": "`import larch`",
        "wanted": "0.6 s, 0.3 s",
    }
