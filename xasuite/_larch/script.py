"""A fit as the text of a Python script for Larch. Larch itself is not imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fitting import RESTRAINT, python_text, transform_settings

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
RESTRAIN = '''
def restrain(dataset, wanted):
    """Restraints as further elements of the residual, each with the weight of one independent point.

    feffit's own report takes them for data: its chi-square and standard errors are not those of the fit.
    """
    own = dataset._residual

    def residual(params, data_only=False, **more):
        found = own(params, data_only=data_only, **more)
        if data_only:
            return found
        weight = np.sqrt(len(found) / dataset.n_idp)
        off = [weight * (params[name].value - value) / within for name, value, within in wanted]
        return np.concatenate([found, off])

    dataset._residual = residual

'''
NOISE = '''
def state_noise(dataset, noise, kmin, kmax, kweights):
    """The known noise of chi(k) for each k weight; Larch makes epsilon_R of one smaller than of its estimate by sqrt(2)."""
    in_k = [np.sqrt(2) * np.array(e) for e in noise]
    powers = [2 * w + 1 for w in kweights]
    step = dataset.transform.kstep
    in_r = [np.mean(e) * np.sqrt(step * (kmax**w - kmin**w) / (2 * np.pi * w)) for e, w in zip(noise, powers)]

    def set_epsilon_k(_):
        dataset.epsilon_k, dataset.epsilon_r = (in_k, in_r) if len(in_k) > 1 else (in_k[0], in_r[0])

    dataset.data.epsilon_k = 1.0
    dataset.set_epsilon_k = set_epsilon_k

'''


@dataclass(frozen=True)
class ScriptSet:
    """A data set of a script: the call that makes its chi(k), its paths as (label, file, values), its noise as text ("" if unknown)."""

    data: str
    paths: Sequence[tuple[str, str, Mapping[str, Any]]]
    noise: str = ""


@dataclass(frozen=True)
class ScriptFit:
    """One call of feffit: parameters, data sets, ranges and restraints."""

    name: str
    params: Sequence[Any]
    sets: Sequence[ScriptSet]
    ranges: Any
    restraints: Sequence[Any] = ()


def script(head: Mapping[str, str], fits: Sequence[ScriptFit]) -> str:
    """The text of a script that runs every fit, prints the reports of feffit and keeps the results in `results` by name."""
    out = [HEAD.format(**head)]
    out += [RESTRAIN] if any(f.restraints for f in fits) else []
    out += [NOISE] if any(s.noise for f in fits for s in f.sets) else []
    out.append("results = {}\n")
    for fit in fits:
        out.append(f"\n# {fit.name}\npars = param_group()")
        out += [f"pars.{p.name} = {_param(p)}" for p in fit.params]
        names = [f"{RESTRAINT}{i}" for i, _ in enumerate(fit.restraints)]
        for name, r in zip(names, fit.restraints, strict=True):
            out.append(f"pars.{name} = param(expr={python_text(r.that)!r}, name={name!r})")
        out.append(f"transform = feffit_transform({_keywords(transform_settings(fit.ranges))})")
        out.append("sets = []")
        for number, one in enumerate(fit.sets):
            out += _set(number, one, fit.ranges)
        if names:
            wanted = [(n, r.value, r.within) for n, r in zip(names, fit.restraints, strict=True)]
            out.append(f"restrain(sets[-1], {wanted!r})")
        out.append(f"results[{fit.name!r}] = feffit(pars, sets, tol=1e-12)")
        out.append(f"print(feffit_report(results[{fit.name!r}]))")
    return "\n".join(out) + "\n"


def _set(number: int, one: ScriptSet, ranges: Any) -> list[str]:
    """The lines of a data set."""
    background = ", refine_bkg=True" if ranges.background else ""
    out = ["paths = [", *(f"    {_path(*path)}," for path in one.paths), "]"]
    out.append(f"sets.append(feffit_dataset(data={one.data}, paths=paths, transform=transform{background}))")
    if background:  # the names of the spline's coefficients
        out.append(f"sets[-1].hashkey = 'd{number:03d}'")
    if one.noise:
        k = f"{float(ranges.k[0])!r}, {float(ranges.k[1])!r}, {list(ranges.kweight)!r}"
        out.append(f"state_noise(sets[-1], {one.noise}, {k})")
    return out


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


def _path(label: str, file: str, values: Mapping[str, Any]) -> str:
    used = {q: v for q, v in values.items() if v != 0.0}
    return f"feffpath(str(HERE / {file!r}), {_keywords({'label': label, **used})})"
