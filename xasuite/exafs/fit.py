"""Fits of one or several chi(k) by Larch's feffit, with the errors of inherited parameters carried through.

The objective, N_idp, R factor and the scaling of errors are Larch's (docs/decisions/). A parameter taken over
from another fit (a foil's s02) is held at its value, and the fit is repeated with it moved by plus and minus its
own standard error: half the change of every result is that result's share of the error (linear propagation
by refitting), added in quadrature to the fit's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._larch import fitting as larch
from ..errors import FitError
from ..expressions import Expression
from ..records import Chi
from . import assemble
from .assemble import QUANTITIES, Key
from .model import FitRange, Model, Parameter, PathModel
from .result import FitResult, Value


def fit_chi(
    model: Model,
    chi: Chi | Sequence[Chi],
    *,
    epsilon_k: float | None = None,
    start: Mapping[str, float] | None = None,
    tolerance: float = larch.DEFAULT_TOLERANCE,
    propagate: bool = True,
) -> FitResult:
    """Fit a model to one chi(k), or to several at once with shared parameters.

    Parameters
    ----------
    model : Model
        Parameters, paths and ranges. With several data sets a path with `data` belongs to that one only, and
        a parameter with `each` becomes one per data set, named name@label.
    chi : Chi or sequence of Chi
        chi (nk,) on k in 1/A; several are fitted together.
    epsilon_k : float, optional
        Standard deviation of chi(k); left out, it is estimated from |chi(R)| at 15-30 A.
    start : mapping, optional
        Starting values by parameter name in place of the model's.
    tolerance : float
        feffit's gtol, ftol and xtol.
    propagate : bool
        Whether to carry the standard errors of inherited parameters into the results.

    Returns
    -------
    FitResult

    Raises
    ------
    FitError
        No path, an unused variable, more variables than independent points.
    RangeError
        A k range beyond the data.
    """
    sets = [chi] if isinstance(chi, Chi) else list(chi)
    labels = _labels(sets)
    params, per_set = _expand(model, labels)
    data = [_data_input(c, paths, model.range, epsilon_k) for c, paths in zip(sets, per_set, strict=True)]
    if start:
        params = [replace(p, value=_inside(start[p.name], p)) if p.name in start else p for p in params]
    out = larch.fit([_variable(p) for p in params], data, tolerance=tolerance)
    shares = _shares(params, per_set, labels, data, out, tolerance) if propagate else {}
    return _result(model, sets, labels, params, per_set, out, shares)


def _result(
    model: Model,
    sets: Sequence[Chi],
    labels: list[str],
    params: list[Parameter],
    per_set: list[list[PathModel]],
    out: larch.FitOutput,
    shares: Mapping[Key, Mapping[str, float]],
) -> FitResult:
    """Larch's numbers as a FitResult, errors of everything propagated from the covariance."""
    best = _evaluate(params, per_set, labels, out.values)
    errors = _fit_errors(params, per_set, labels, out)
    values = {
        key: Value.of(best[key], {"fit": errors.get(key, math.nan), **shares.get(key, {})}) for key in best
    }
    parameters = tuple(assemble.fitted_parameter(p, values["", p.name], out) for p in params)
    states = {p.name: p.state for p in parameters if p.state}
    paths = tuple(
        assemble.fitted_path(p, label, values, states, params)
        for label, group in zip(labels, per_set, strict=True)
        for p in group
    )
    return FitResult(
        label=labels[0] if len(labels) == 1 else " + ".join(labels),
        model=model,
        data=tuple(
            assemble.fitted_data(c, label, d, group, out.epsilon_given)
            for c, label, d, group in zip(sets, labels, out.data, per_set, strict=True)
        ),
        parameters=parameters,
        paths=paths,
        correlations=assemble.correlations(out),
        n_idp=out.n_idp,
        n_varys=len(out.names),
        n_data=out.n_data,
        nfev=out.nfev,
        chi2=out.chi2,
        chi2_reduced=out.chi2_reduced,
        rfactor=out.rfactor,
        success=out.success,
        message=out.message,
        warnings=tuple(assemble.warnings(parameters, out)),
    )


def _labels(sets: Sequence[Chi]) -> list[str]:
    labels = [c.label or f"data {i + 1}" for i, c in enumerate(sets)]
    if len(set(labels)) != len(labels):
        raise FitError(f"two data sets have one label: {', '.join(labels)}; name them apart")
    for c, label in zip(sets, labels, strict=True):
        if c.chi.ndim != 1:
            raise FitError(f"{label}: fit_chi takes single spectra; a stack goes to exafs.engine.fit_stack")
    return labels


def _expand(model: Model, labels: Sequence[str]) -> tuple[list[Parameter], list[list[PathModel]]]:
    """One copy a data set of each parameter marked `each`, and of what depends on it."""
    per_set: list[list[PathModel]] = [[p for p in model.paths if p.data in ("", label)] for label in labels]
    each = {p.name for p in model.params if p.each}
    if not each or len(labels) == 1:
        return list(model.params), per_set
    while True:
        more = {p.name for p in model.params if p.expr is not None and p.expr.names & each} - each
        if not more:
            break
        each |= more
    params = [p for p in model.params if p.name not in each]
    for i, label in enumerate(labels):
        names = {n: f"{n}__{i}" for n in each}
        for p in model.params:
            if p.name in each:
                expr = None if p.expr is None else rename(p.expr, names)
                params.append(replace(p, name=names[p.name], expr=expr, origin=p.origin or label))
        per_set[i] = [_renamed(path, names) for path in per_set[i]]
    return params, per_set


def _renamed(path: PathModel, names: Mapping[str, str]) -> PathModel:
    changed: dict[str, Any] = {v: rename(getattr(path, v), names) for v in QUANTITIES}
    return replace(path, **changed)


def rename(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with some of its names replaced."""
    if not expression.names & names.keys():
        return expression
    program = tuple((op, names.get(a, a) if op == "name" else a) for op, a in expression.program)
    changed = Expression(expression.text, frozenset(names.get(n, n) for n in expression.names), program)
    return replace(changed, text=larch.python_text(changed))


def _inside(value: float, p: Parameter) -> float:
    return float(min(max(value, p.min), p.max))


def _variable(p: Parameter) -> larch.Variable:
    return larch.Variable(p.name, p.value, p.vary and p.expr is None, p.min, p.max, p.expr)


def _product(a: Expression, b: Expression) -> Expression:
    return Expression(f"({a.text})*({b.text})", a.names | b.names, (*a.program, *b.program, ("mul", None)))


def _data_input(
    chi: Chi, paths: Sequence[PathModel], ranges: FitRange, epsilon_k: float | None
) -> larch.DataInput:
    inputs = tuple(
        larch.PathInput(
            p.label, p.feff.text, _product(p.n, p.s02), p.e0, p.deltar, p.sigma2, p.third, p.fourth
        )
        for p in paths
    )
    return larch.DataInput(
        chi.k,
        chi.chi,
        epsilon_k,
        inputs,
        ranges.k,
        ranges.r,
        ranges.kweight,
        ranges.space,
        ranges.window,
        ranges.dk,
        ranges.dk2,
        ranges.dr,
        ranges.rwindow,
    )


def _evaluate(
    params: Sequence[Parameter],
    per_set: Sequence[Sequence[PathModel]],
    labels: Sequence[str],
    values: Mapping[str, float],
) -> dict[Key, float]:
    """Every parameter's and every path quantity's value."""
    everything = Model(tuple(params), (), FitRange((0, 1), (0, 1))).evaluate(values)
    out: dict[Key, float] = {("", name): float(v) for name, v in everything.items()}
    for label, paths in zip(labels, per_set, strict=True):
        for p in paths:
            for q in QUANTITIES:
                out[f"{label}/{p.label}", q] = float(getattr(p, q)(everything))
    return out


def _fit_errors(
    params: Sequence[Parameter],
    per_set: Sequence[Sequence[PathModel]],
    labels: Sequence[str],
    out: larch.FitOutput,
) -> dict[Key, float]:
    """Standard errors of everything from the scaled covariance, by numerical first derivatives."""
    if out.covar is None:
        return {}
    best = _evaluate(params, per_set, labels, out.values)
    sigma = np.sqrt(np.diag(out.covar))
    gradients: dict[Key, list[float]] = {key: [] for key in best}
    for name, s in zip(out.names, sigma, strict=True):
        step = 1e-4 * s if s > 0 else 1e-9
        up = _evaluate(params, per_set, labels, {**out.values, name: out.values[name] + step})
        down = _evaluate(params, per_set, labels, {**out.values, name: out.values[name] - step})
        for key in best:
            gradients[key].append((up[key] - down[key]) / (2 * step))
    errors = {}
    for key, gradient in gradients.items():
        g = np.array(gradient)
        if g.any():
            errors[key] = float(np.sqrt(g @ out.covar @ g))
    return errors


def _shares(
    params: list[Parameter],
    per_set: Sequence[Sequence[PathModel]],
    labels: Sequence[str],
    data: Sequence[larch.DataInput],
    out: larch.FitOutput,
    tolerance: float,
) -> dict[Key, dict[str, float]]:
    """What the error of each inherited parameter adds to everything: refits at plus and minus it."""
    shares: dict[Key, dict[str, float]] = {}
    for i, p in enumerate(params):
        if p.expr is not None or p.vary or not p.stderr > 0:
            continue
        ends = []
        for sign in (1, -1):
            moved = [
                replace(q, value=_inside(out.values.get(q.name, q.value), q)) if q.vary else q for q in params
            ]
            moved[i] = replace(p, value=p.value + sign * p.stderr)
            again = larch.fit([_variable(q) for q in moved], data, tolerance=tolerance)
            ends.append(_evaluate(moved, per_set, labels, again.values))
        for key in ends[0]:
            share = abs(ends[0][key] - ends[1][key]) / 2
            if share > 0:
                shares.setdefault(key, {})[p.name] = share
    return shares


def chi_records(result: FitResult) -> dict[str, Any]:
    """Data, fit and each path of the first data set as Chi records, for transforms and wavelets."""
    d = result.data[0]
    curves = {"data": d.data, "fit": d.fit, **d.paths}
    return {
        name: Chi(k=d.k, chi=c, e0=d.e0, edge_step=d.edge_step, element=d.element, edge=d.edge, label=name)
        for name, c in curves.items()
    }
