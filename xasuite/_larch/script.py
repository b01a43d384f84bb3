"""A fit as a script for Larch: text only, nothing of Larch is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fitting import path_value, python_text

HEAD = '''"""{title}

Written by xasuite from {source}. Run it with the Python that has Larch (pip install xraylarch): python {name}
"""

from pathlib import Path

import numpy as np
from larch import Group
from larch.fitting import param, param_group
from larch.xafs import autobk, feffit, feffit_dataset, feffit_report, feffit_transform, feffpath

HERE = Path(__file__).parent


def from_mu(file, e0, edge_step, **settings):
    """chi(k) by Larch's autobk of mu(E) over its edge step, so that the clamps do not depend on the sample's thickness."""
    energy, mu = np.loadtxt(HERE / file).T
    group = Group(energy=energy, mu=mu / edge_step)
    autobk(group, ek0=e0, edge_step=1.0, **settings)
    return Group(k=group.k, chi=group.chi)


def from_chi(file):
    """chi(k) of a file."""
    k, chi = np.loadtxt(HERE / file).T
    return Group(k=k, chi=chi)

'''
_VALUES = ("e0", "deltar", "sigma2", "third", "fourth", "ei")


@dataclass(frozen=True)
class ScriptFit:
    """One call of feffit: parameters, and for each data set how its chi(k) is made and its paths with their files."""

    name: str
    params: Sequence[Any]
    data: Sequence[str]
    paths: Sequence[Sequence[tuple[Any, str]]]
    ranges: Any
    epsilon_k: float | None


def script(head: Mapping[str, str], fits: Sequence[ScriptFit]) -> str:
    """The text of a script that runs every fit and prints feffit's reports; its results are in `results` by name."""
    out = [HEAD.format(**head), "results = {}\n"]
    for fit in fits:
        out.append(f"\n# {fit.name}\npars = param_group()")
        out += [f"pars.{p.name} = {_param(p)}" for p in fit.params]
        out.append(f"transform = feffit_transform({_keywords(_transform(fit.ranges))})")
        out.append("sets = []")
        for data, paths in zip(fit.data, fit.paths, strict=True):
            out.append("paths = [")
            out += [f"    {_path(p, file, number)}," for number, (p, file) in enumerate(paths)]
            out.append("]")
            # Larch makes epsilon_R of a given epsilon_k smaller than of an estimated one, by sqrt(2)
            noise = "" if fit.epsilon_k is None else f", epsilon_k={fit.epsilon_k!r} * np.sqrt(2)"
            out.append(f"sets.append(feffit_dataset(data={data}, paths=paths, transform=transform{noise}))")
        out.append(f"results[{fit.name!r}] = feffit(pars, sets, tol=1e-12)")
        out.append(f"print(feffit_report(results[{fit.name!r}]))")
    return "\n".join(out) + "\n"


def call(function: str, *given: Any, **settings: Any) -> str:
    """A call of one of the script's own functions."""
    return f"{function}({', '.join([*map(repr, given), *([_keywords(settings)] if settings else [])])})"


def _keywords(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in settings.items())


def _param(p: Any) -> str:
    if p.expr is not None:
        return f"param(expr={python_text(p.expr)!r}, name={p.name!r})"
    bounds = {k: getattr(p, k) for k in ("min", "max") if abs(getattr(p, k)) != float("inf")}
    return f"param({float(p.value)!r}, {_keywords({'vary': bool(p.vary), **bounds, 'name': p.name})})"


def _path(p: Any, file: str, number: int) -> str:
    values = {q: v for q in _VALUES if (v := path_value(getattr(p, q))) != 0.0}
    amplitude = f"({python_text(p.n)})*({python_text(p.s02)})"
    keys = {"label": f"{number} {p.label}", "degen": 1.0, "s02": amplitude, **values}
    return f"feffpath(str(HERE / {file!r}), {_keywords(keys)})"


def _transform(r: Any) -> dict[str, Any]:
    weights = list(r.kweight) if len(r.kweight) > 1 else r.kweight[0]
    return {
        "kmin": r.k[0], "kmax": r.k[1], "kweight": weights, "dk": r.dk, "dk2": r.dk if r.dk2 is None else r.dk2,
        "window": r.window, "rmin": r.r[0], "rmax": r.r[1], "dr": r.dr, "rwindow": r.rwindow, "fitspace": r.space,
    }  # fmt: skip
