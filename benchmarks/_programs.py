"""Fits of a model to mu(E) by other programs with their own defaults: of a spec, they are given model and ranges of k and R."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import Skipped

# by parameter: value and error scaled by the misfit, which both programs print
Found = dict[str, tuple[float, float]]
# what Athena and Artemis set where Ifeffit's own commands have no default
_IFEFFIT = "kweight=2, dk=1, kwindow=hanning"
_BAD = (float("nan"), float("nan"))


def by_larch(model: Any, energy: Any, mu: Any, folder: Path) -> Found:
    """pre_edge, autobk and feffit without any setting but k and R: autobk k^1 and rbkg 1; fit k^2, Kaiser window, dk 4."""
    from larch import Group
    from larch.fitting import param, param_group
    from larch.xafs import autobk, feffit, feffit_dataset, feffit_transform, feffpath, pre_edge

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = Group(energy=np.array(energy), mu=np.array(mu))
        pre_edge(data)
        autobk(data)
        given = {p.name: param(p.value, vary=p.vary, min=p.min, max=p.max, name=p.name) for p in model.params}
        group = param_group(**given)
        paths = [
            feffpath(
                str(file), label=p.label, degen=1, s02=f"({p.n.text})*({p.s02.text})", e0=p.e0.text,
                deltar=p.deltar.text, sigma2=p.sigma2.text,
            )
            for p, file in zip(model.paths, written(model, folder), strict=True)
        ]  # fmt: skip
        r = model.range
        transform = feffit_transform(kmin=r.k[0], kmax=r.k[1], rmin=r.r[0], rmax=r.r[1])
        result = feffit(group, feffit_dataset(data=data, paths=paths, transform=transform))
    out = {}
    for name in given:
        found = result.params[name]
        out[name] = (float(found.value), float("nan") if found.stderr is None else float(found.stderr))
    return out


def by_ifeffit(model: Any, energy: Any, mu: Any, folder: Path) -> Found:
    """pre_edge, spline and feffit of Ifeffit through its shell; what has no default there is Athena's and Artemis'."""
    program = shutil.which("ifeffit")
    if program is None:
        raise Skipped("needs ifeffit (Debian: apt-get install ifeffit)")
    np.savetxt(folder / "data.xmu", np.column_stack([energy, mu]), header="energy xmu", fmt="%.8f")
    files, r = written(model, folder), model.range
    names = [p.name for p in model.params]
    varied = [p.name for p in model.params if p.vary]

    def own(expression: Any) -> str:  # dr1 and others are names of Ifeffit itself
        return re.sub(rf"\b({'|'.join(names)})\b", r"q_\1", expression.text)

    script = [
        "read_data(file=data.xmu, type=xmu, group=d)",
        "pre_edge(d.energy, d.xmu)",
        "spline(d.energy, d.xmu, rbkg=1.0, kweight=2)",
        *(f"{'guess' if p.vary else 'set'} q_{p.name} = {p.value!r}" for p in model.params),
        *(
            f"path({i}, file={file.name}, degen=1, s02=({own(p.n)})*({own(p.s02)}), e0={own(p.e0)}, "
            f"delr={own(p.deltar)}, sigma2={own(p.sigma2)})"
            for i, (p, file) in enumerate(zip(model.paths, files, strict=True), 1)
        ),
        f"feffit({'1-' if len(files) > 1 else ''}{len(files)}, chi=d.chi, k=d.k, kmin={r.k[0]}, kmax={r.k[1]}, {_IFEFFIT}, "
        f"rmin={r.r[0]}, rmax={r.r[1]}, fit_space=r, group=f)",
        *(f"print q_{name}, delta_q_{name}" for name in varied),
        "quit",
    ]
    said = subprocess.run(
        [program], input="\n".join(script) + "\n", cwd=folder, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    out: Found = dict.fromkeys(varied, _BAD)
    for asked, answer in pairwise(said):
        name = asked.partition("print q_")[2].partition(",")[0]
        if name in out:
            value, error = (float(x) for x in answer.split())
            out[name] = (value, error or float("nan"))  # 0 where it could not estimate errors
    return out


def written(model: Any, folder: Path) -> list[Path]:
    """FEFF's files of the paths."""
    files = [folder / f"feff{i:04d}.dat" for i in range(1, len(model.paths) + 1)]
    for p, file in zip(model.paths, files, strict=True):
        file.write_text(p.feff.text)
    return files


def cells(drawn: Any, source: Any, models: Any, scheme: str, fit: Any) -> Sequence[Any]:
    """A table of drawn truths by one program: the foil fitted first, its S02 held in the rows, its error in N in quadrature."""
    from dataclasses import replace

    from xasuite.workflow.ensemble import Cell

    held: Found = {}
    out = []
    with tempfile.TemporaryDirectory(prefix="xasuite-bench-") as name:
        folder = Path(name)
        for inherited, (_, spectrum, param) in drawn.foils.items():
            held[inherited] = fit(models.foils[inherited], spectrum.energy, spectrum.mu, folder)[param]
        for i, (spectrum, truth) in drawn.rows.items():
            label = source.loaded.spec.data[i].label
            model = models.rows.of(label)
            params = tuple(replace(p, value=held[p.name][0]) if p.name in held else p for p in model.params)
            found = held | fit(replace(model, params=params), spectrum.energy, spectrum.mu, folder)
            for path in model.paths:
                for q, true in truth.get(path.label, {}).items():
                    value, error = found[getattr(path, "deltar" if q == "r" else q).text]
                    if q == "r":
                        value += path.feff.reff
                    if q == "n" and path.s02.text in held:
                        s02, s02_error = held[path.s02.text]
                        error = float(np.hypot(error, value * s02_error / s02))
                    out.append(
                        Cell(label, path.label, q, drawn.noise, drawn.number, scheme, true, value, error)
                    )
    return out
