"""A spec's fit from a cold process to the printed table, against the same fit as a Larch script, by turns.

The script reads the columns with numpy and prints the report's values alone. Like it, the spec that is compared has no error
budget (`errors = "fit"`); the same spec with its budget is timed beside the two. Byte code of all is compiled, FEFF's paths
and the crystal are in the cache.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks._measure import ROOT, Skipped, python

TURNS = 7
SPEC = ROOT / "fits" / "foils" / "cu_pymca.toml"
# the last line of the table begins with the row's name
ROW, VALUE = "Cu foil PyMca", "2.5"
SCRIPT = """
import numpy as np
from larch import Group
from larch.fitting import param, param_group
from larch.xafs import autobk, feffit, feffit_dataset, feffit_transform, feffpath, pre_edge
energy, mu = np.loadtxt({data!r}, comments="#", unpack=True)[:2]
data = Group(energy=energy, mu=mu)
pre_edge(data)
autobk(data, rbkg=1.0, kweight=2)
names = param_group(s02=param(0.9, vary=True), enot=param(1.0, vary=True), dr=param(0.0, vary=True),
                    ss=param(8e-3, vary=True, min=0))
path = feffpath({feff!r}, degen=12, s02="s02", e0="enot", deltar="dr", sigma2="ss")
transform = feffit_transform(kmin=3, kmax=15, kweight=2, dk=4, window="kaiser", rmin=1.4, rmax=3.0)
out = feffit(names, [feffit_dataset(data=Group(k=data.k, chi=data.chi), paths=[path], transform=transform)])
print("{row}", {{name: (p.value, p.stderr) for name, p in out.params.items()}}, path.reff + out.params["dr"].value)
"""

LIMIT = (
    "of some 0.3 s of processor time numpy's import takes 0.1, pydantic's and the schema 0.1, the terminal's libraries 0.06; "
    "the reduction takes 0.03 and the fit 0.01. The budget's 85 fits take 0.2 s more, most of it numpy's calls on small arrays. "
    "Larch's script spends its time on imports."
)


def seconds_to(command: Sequence[str], *words: str) -> float:
    """Seconds from a process's start to the first line that holds all the words; the rest is waited for."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if all(word in line for word in words):
                took = time.perf_counter() - start
                process.stdout.read()
                return took
    raise RuntimeError(f"{' '.join(command)} printed no line with {words}")


def run() -> dict:
    """See benchmarks/__init__.py; also "ours_seconds" and "larch_seconds"."""
    from xasuite import feff
    from xasuite.specs import load_spec
    from xasuite.workflow.resolve import example_file

    try:
        data = example_file(str(load_spec(SPEC).spec.data[0].example), "cold_fit")
    except Exception as exc:
        raise Skipped(str(exc)) from exc
    path = feff.select(feff.find_paths("Cu", absorber="Cu"), scatterer="Cu", shell=1)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "feff0001.dat").write_text(path.text)
        script = SCRIPT.format(data=data, feff=str(Path(folder) / "feff0001.dat"), row=ROW)
        plain = Path(folder) / SPEC.name
        plain.write_text(load_spec(SPEC).spec.replace(errors="fit").to_toml())
        commands = [
            *(
                python("-m", "xasuite", "fit", str(spec), "-o", folder, "--no-figures", "--no-audit")
                for spec in (plain, SPEC)
            ),
            python("-c", script),
        ]
        for command in commands:
            seconds_to(command, ROW, VALUE)
        turns = [[seconds_to(c, ROW, VALUE) for c in commands] for _ in range(TURNS)]
    mine, budget, theirs = (median(t) for t in zip(*turns, strict=True))
    return {
        "ratio": round(median(b / a for a, _, b in turns), 2),
        "ours_per_s": round(1 / mine, 2),
        "peer_per_s": round(1 / theirs, 2),
        "threads": 1,
        "ours_seconds": round(mine, 2),
        "budget_seconds": round(budget, 2),
        "larch_seconds": round(theirs, 2),
        "work": f"`xasuite fit {SPEC.relative_to(ROOT)}` from a cold process to the table in {mine:.2f} s "
        f"without its error budget, {budget:.2f} s with it",
        "peer": f"a plain Larch script in {theirs:.2f} s",
        "wanted": ">= 4",
    }
