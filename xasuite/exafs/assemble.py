"""From Larch's numbers to the frozen records of a fit: parameters with their state, paths, curves, warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from .._larch import fitting as larch
from ..records import Chi
from .model import Parameter, PathModel
from .result import STRONG_CORRELATION, FittedData, FittedParameter, FittedPath, Value

# a bound is reached when the value lies within this share of the standard error, or of the bound's own size
_AT_BOUND = 1e-3
QUANTITIES = ("n", "s02", "e0", "deltar", "sigma2", "third", "fourth")

Key = tuple[str, str]  # ("", parameter) or ("data label/path label", quantity)


def fitted_parameter(p: Parameter, value: Value, out: larch.FitOutput) -> FittedParameter:
    """A parameter after the fit, with what makes its error doubtful."""
    kind = (
        "expression" if p.expr is not None else "varied" if p.vary else "inherited" if p.stderr else "fixed"
    )
    state = ""
    if kind == "varied":
        size = max(value.parts.get("fit", 0.0), 1e-12)
        if math.isfinite(p.min) and value.value - p.min <= max(_AT_BOUND * size, 1e-8 * max(1, abs(p.min))):
            state = "at min"
        elif math.isfinite(p.max) and p.max - value.value <= max(_AT_BOUND * size, 1e-8 * max(1, abs(p.max))):
            state = "at max"
        elif value.value == p.value:
            state = "not moved"
        elif "fit" not in value.parts:
            state = "no error"
    if kind in {"fixed", "inherited"}:
        value = Value.of(value.value, {p.name: p.stderr})
    return FittedParameter(p.name, value, kind, p.min, p.max, p.expr.text if p.expr else "", p.origin, state)


def fitted_path(
    p: PathModel,
    label: str,
    values: Mapping[Key, Value],
    states: Mapping[str, str],
    params: Sequence[Parameter],
) -> FittedPath:
    """A path after the fit; `states` marks the quantities that hang on a doubtful parameter."""
    v = {q: values[f"{label}/{p.label}", q] for q in QUANTITIES}
    r = replace(v["deltar"], value=p.feff.reff + v["deltar"].value)
    moving = {q.name for q in params if q.vary or q.expr is not None}
    fixed = tuple(q for q in QUANTITIES if not (getattr(p, q).names & moving))
    marked = {}
    for q in QUANTITIES:
        for name in getattr(p, q).names & states.keys():
            marked["r" if q == "deltar" else q] = states[name]
    return FittedPath(
        p.label,
        label,
        p.feff.index,
        p.feff.reff,
        p.feff.degen,
        p.feff.scatterers,
        v["n"],
        v["s02"],
        r,
        v["deltar"],
        v["sigma2"],
        v["e0"],
        v["third"],
        v["fourth"],
        tuple("r" if q == "deltar" else q for q in fixed),
        marked,
    )


def fitted_data(
    chi: Chi, label: str, out: larch.DataOutput, paths: Sequence[PathModel], given: bool
) -> FittedData:
    """A data set's curves and statistics."""
    return FittedData(
        label=label,
        k=out.k,
        data=out.data,
        fit=out.fit,
        paths={p.label: c for p, c in zip(paths, out.paths, strict=True)},
        epsilon_k=out.epsilon_k,
        epsilon_r=out.epsilon_r,
        noise="given" if given else "estimated from chi(R) at 15-30 A, per k weight",
        rfactor=out.rfactor,
        n_idp=out.n_idp,
        element=chi.element,
        edge=chi.edge,
        e0=float(chi.e0),
        edge_step=float(chi.edge_step),
        source=chi.source,
        history=chi.history,
        notes=chi.notes,
    )


def correlations(out: larch.FitOutput) -> dict[tuple[str, str], float]:
    """Correlations of every pair of varied parameters."""
    if out.covar is None:
        return {}
    sigma = np.sqrt(np.diag(out.covar))
    found = {}
    for i, a in enumerate(out.names):
        for j in range(i + 1, len(out.names)):
            if sigma[i] > 0 and sigma[j] > 0:
                found[a, out.names[j]] = float(out.covar[i, j] / sigma[i] / sigma[j])
    return found


def warnings(parameters: Sequence[FittedParameter], out: larch.FitOutput) -> list[str]:
    """What a reader must know before using the numbers, one sentence each."""
    said = []
    for p in parameters:
        if p.state in {"at min", "at max"}:
            bound = p.min if p.state == "at min" else p.max
            said.append(
                f"{p.name} ended at its bound {bound:g}: its error, and those tied to it, mean nothing"
            )
        elif p.state == "not moved":
            said.append(f"{p.name} never moved from its start {p.value.value:g}: the data do not feel it")
        elif p.state == "no error":
            said.append(f"{p.name} has no standard error: the data do not determine it")
    for (a, b), c in correlations(out).items():
        if abs(c) >= STRONG_CORRELATION:
            said.append(f"{a} and {b} are correlated by {c:+.2f}: the data hardly tell them apart")
    if not out.success:
        said.append(f"the fit did not converge: {out.message}")
    return said
