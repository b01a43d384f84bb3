"""Fits of one chi(k), or of several together, by the engine of this package or by Larch.

The objective, N_idp, R factor and the scaling of errors are those of feffit (docs/decisions/). Parameters taken over from another
fit (s02 of a foil) are fixed; their errors are propagated by the derivatives at the minimum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..choices import PATH_VALUES
from ..errors import FitError
from ..expressions import Expression
from ..records import OK, Array, Chi
from . import assemble
from .engine import kernel_numpy, objective, result
from .engine.minimise import solve, status_of
from .engine.program import Program, compile_model, run, start_values
from .engine.result import Backend
from .engine.spread import full
from .equation import path_wave
from .model import Model, Parameter, PathModel, Restraint
from .restraints import bound
from .result import FitResult

Engine = Literal["xasuite", "larch"]
# step of feffit's k grid in 1/A; data on another grid are interpolated to it, as in feffit
K_STEP = 0.05
_MIN_POINTS = 10
ESTIMATED = "estimated from chi(R) at 15-30 A, per k weight"


@dataclass(frozen=True, eq=False)
class Problem:
    """The problem of a fit, in the form that the minimiser needs: one or several data sets with parameters and paths.

    `model` has the copies of `each` parameters, and the paths of all sets with labels "set/path"; `owner` is the set of each path.
    One per set are: `goals` (objectives), `k` and `chi` (nk,), `noise` (n weights,), `noise_from` (its origin in words) and `larch_noise`
    (the noise for Larch). `data` (1, nr) and `weights` (1, n weights) are those of all sets together.
    """

    model: Model
    labels: tuple[str, ...]
    owner: tuple[int, ...]
    program: Program
    work: kernel_numpy.Work
    goals: tuple[objective.Objective, ...]
    k: tuple[Array, ...]
    chi: tuple[Array, ...]
    noise: tuple[Array, ...]
    noise_from: tuple[str, ...]
    larch_noise: tuple[Sequence[Any] | None, ...]
    data: Array
    weights: Array

    @property
    def per_set(self) -> list[tuple[Array, Array, list[PathModel]]]:
        """k (nk,), chi (nk,) and the paths of each data set, for feffit."""
        return [
            (k, chi, [p for p, owner in zip(self.model.paths, self.owner, strict=True) if owner == i])
            for i, (k, chi) in enumerate(zip(self.k, self.chi, strict=True))
        ]

    def size(self, x: Array) -> float:
        """The weighted sum of squares of the data, without the background refined at the varied x (nv,), if there is one."""
        return sum(self.size_of(i, x) for i in range(len(self.goals)))

    def size_of(self, i: int, x: Array) -> float:
        """The same sum of one data set."""
        plain = self.goals[i].plain or self.goals[i]
        bare = plain.reduce(self.chi[i][None])[0]
        if plain.spline is not None:
            bare = bare - plain.spline @ self.background(i, x)
        return float(self.weights_of(i)[plain.weight_of_row] @ bare**2)

    def weights_of(self, i: int) -> Array:
        """The weights (n weights,) of one data set."""
        first = sum(g.n_weights for g in self.goals[:i])
        return self.weights[0, first : first + self.goals[i].n_weights]

    def background(self, i: int, x: Array) -> Array:
        """The coefficients of the background of one data set at the varied x (nv,)."""
        plain = self.goals[i].plain or self.goals[i]
        values, _ = run(self.program, full(self.program, x[None]))
        model = np.zeros(plain.k.size)
        for j, owner in enumerate(self.owner):
            if owner == i:
                model += path_wave(self.work.tables, j, plain.k, values[:, j])[0].imag[0]
        left = plain.reduce(self.chi[i][None])[0] - plain.model_matrix @ model
        return plain.coefficients(left, self.weights_of(i))


@dataclass(frozen=True, eq=False)
class Minimum:
    """The end point of a minimiser: varied x (nv,), their scaled covariance (nv, nv), dx/d(carried) (nv, nc), and statistics."""

    x: Array
    covar: Array
    response: Array
    chi2: float
    chi2_reduced: float
    rfactor: float
    step: float
    nfev: int
    success: bool
    message: str


def fit_chi(
    model: Model,
    chi: Chi | Sequence[Chi],
    *,
    epsilon_k: float | None = None,
    start: Mapping[str, float] | None = None,
    engine: Engine = "xasuite",
    backend: Backend = "numpy",
) -> FitResult:
    """Fit a model to one chi(k), or to several at once with shared parameters.

    Parameters
    ----------
    model : Model
        Parameters, paths and ranges. With several data sets, a path with `data` belongs to that set only. A parameter
        with `each`, or with an expression of variables, becomes one parameter per set, named name__0, name__1 ... A name
        that is not a parameter is one of the `variables` of each chi(k), such as T.
    chi : Chi or sequence of Chi
        chi (nk,) on k in 1/A; several are fitted together.
    epsilon_k : float, optional
        Standard deviation of chi(k); by default that of the data (`chi_err`), else it is estimated from |chi(R)| at 15-30 A.
    start : mapping, optional
        Starting values by parameter name; by default those of the model.
    engine : "xasuite" or "larch"
        The minimiser: that of this package, or Larch's feffit with a tolerance of 1e-12.
    backend : "numpy" or "numba"
        Code of this package's minimiser. "numba" is forty times faster, but loading it takes half a second, and half
        a minute the first time on a machine. The results agree to rounding.

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
    problem = make_problem(model, sets, epsilon_k)
    if engine == "larch":
        found = _by_larch(problem, start)
    else:
        found = _minimum(problem, solve(problem.work, problem.data, problem.weights, start, 1, backend))
    return assemble.fit_result(model, sets, problem, found, engine)


def _minimum(problem: Problem, solution: kernel_numpy.Solution) -> Minimum:
    free = problem.work.points - problem.program.n_varied
    chisq = float(solution.chisq[0])
    chi2 = chisq / problem.work.per_point
    restraints = float(problem.work.restraints_chisq(solution.x)[0])
    status = status_of(solution)[0]
    return Minimum(
        x=solution.x[0],
        covar=solution.covar[0] * (chisq / free),
        response=solution.carried[0],
        chi2=chi2,
        chi2_reduced=chi2 / free,
        rfactor=(chisq - restraints) / problem.size(solution.x[0]),
        step=float(solution.step[0]),
        nfev=int(solution.evaluations[0]),
        success=status == OK,
        message=result.REASONS[status] or "at a minimum",
    )


def _by_larch(problem: Problem, start: Mapping[str, float] | None) -> Minimum:
    """The minimum by Larch: its values, covariance and statistics; derivatives at these values are computed here."""
    from .._larch import fitting as larch

    per_set = problem.per_set
    program, nv = problem.program, problem.program.n_varied
    x = start_values(program, start)
    begin = dict(zip(program.names[:nv], x.tolist(), strict=False))
    params = [replace(p, value=begin.get(p.name, p.value)) for p in problem.model.params]
    out = larch.fit(params, per_set, problem.model.range, problem.larch_noise, program.restraints)
    x[:nv] = [out.values[n] for n in program.names[:nv]]
    here = _minimum(problem, kernel_numpy.at(problem.work, problem.data, problem.weights, x[None]))
    return replace(
        here,
        covar=np.full_like(here.covar, np.nan) if out.covar is None else out.covar[:nv, :nv],
        **assemble.statistics(out),
    )


def make_problem(model: Model, sets: Sequence[Chi], epsilon_k: float | None) -> Problem:
    """The problem that `fit_chi` minimises. Raises as `fit_chi`."""
    labels = _labels(sets)
    params, per_set, restraints = _expand(model, labels, _variables(model, sets, labels))
    grids = [on_grid(c, label) for c, label in zip(sets, labels, strict=True)]
    errors = [
        None if c.chi_err is None or epsilon_k is not None else np.interp(k, c.k, c.chi_err)
        for c, (k, _) in zip(sets, grids, strict=True)
    ]
    goals = [objective.build(k, model.range, e) for (k, _), e in zip(grids, errors, strict=True)]
    paths, owner = [], []
    for i, (label, group) in enumerate(zip(labels, per_set, strict=True)):
        if not group:
            raise FitError("the model holds no path" + (f" for {label}" if len(labels) > 1 else ""))
        if len({p.label for p in group}) != len(group):
            raise FitError("two paths have one label; give each its own")
        paths += [replace(p, label=f"{label}/{p.label}") for p in group]
        owner += [i] * len(group)
    flat = Model(tuple(params), tuple(paths), model.range, restraints)
    if not flat.varied:
        raise FitError("no parameter is varied: give one of them a guess")
    program = compile_model(flat, sum(g.n_idp - g.n_background for g in goals))
    noise = [
        goal.noise_of(chi[None], epsilon_k)[0] if e is None else goal.mean_noise(e)
        for goal, (_, chi), e in zip(goals, grids, errors, strict=True)
    ]
    known = [epsilon_k is not None or e is not None for e in errors]
    weights = [goal.weights(n[None], k)[0] for goal, n, k in zip(goals, noise, known, strict=True)]
    goals = [(goal.plain or goal).projected(w) for goal, w in zip(goals, weights, strict=True)]
    in_k = model.range.space == "k"
    return Problem(
        model=flat,
        labels=tuple(labels),
        owner=tuple(owner),
        program=program,
        work=kernel_numpy.make_work(flat, program, goals, owner),
        goals=tuple(goals),
        k=tuple(k for k, _ in grids),
        chi=tuple(chi for _, chi in grids),
        noise=tuple(noise),
        noise_from=tuple(
            "of each k, with the data" if e is not None else "given" if k else ESTIMATED
            for e, k in zip(errors, known, strict=True)
        ),
        larch_noise=tuple(
            None if not k else [e] * goal.n_weights if e is not None and in_k else list(n)
            for e, k, n, goal in zip(errors, known, noise, goals, strict=True)
        ),
        data=np.hstack([goal.reduce(chi[None]) for goal, (_, chi) in zip(goals, grids, strict=True)]),
        weights=np.hstack(weights)[None],
    )


def _labels(sets: Sequence[Chi]) -> list[str]:
    labels = [c.label or f"data {i + 1}" for i, c in enumerate(sets)]
    if len(set(labels)) != len(labels):
        raise FitError(f"two data sets have one label: {', '.join(labels)}; give each its own")
    return labels


def on_grid(chi: Chi, label: str) -> tuple[Array, Array]:
    """k (nk,) from 0 in steps of `K_STEP` and chi on it, interpolated linearly if the data are on another grid."""
    if chi.chi.ndim != 1:
        raise FitError(f"{label}: fit_chi takes single spectra; a stack goes to exafs.engine.fit_stack")
    if chi.k.size != chi.chi.size or chi.k.size < _MIN_POINTS:
        raise FitError(
            f"{label}: chi(k) has {chi.chi.size} points on {chi.k.size} k values; a fit needs {_MIN_POINTS} or more"
        )
    if not (np.isfinite(chi.k).all() and np.isfinite(chi.chi).all()):
        raise FitError(f"{label}: chi(k) holds NaN or inf; clean mu(E) before the background is removed")
    grid = K_STEP * np.arange(int(1.01 + chi.k[-1] / K_STEP), dtype=float)
    if grid.size == chi.k.size and np.allclose(grid, chi.k, rtol=0, atol=1e-9):
        return grid, np.asarray(chi.chi, float)
    return grid, np.interp(grid, chi.k, chi.chi)


Numbers = Mapping[str, float]


def _variables(model: Model, sets: Sequence[Chi], labels: Sequence[str]) -> list[Numbers]:
    """The numbers of each data set for names that are not parameters. Raises FitError if one is missing."""
    out: list[Numbers] = []
    for chi, label in zip(sets, labels, strict=True):
        missing = [n for n in model.of(label).open_names if n not in chi.variables]
        if missing:
            raise FitError(
                f"{label}: {missing[0]!r} is neither a parameter nor one of the row's variables "
                f"({', '.join(chi.variables) or 'it has none'})"
            )
        out.append({n: float(chi.variables[n]) for n in model.of(label).open_names})
        for name, value in out[-1].items():
            if not math.isfinite(value):
                raise FitError(f"{label}: its variable {name} is {value:g}")
    return out


def _expand(
    model: Model, labels: Sequence[str], numbers: Sequence[Numbers]
) -> tuple[list[Parameter], list[list[PathModel]], tuple[Restraint, ...]]:
    """Parameters, paths of each set and restraints, with one copy per set of `each` parameters and of all that depends on these or on variables."""
    if len(labels) == 1:
        own = model.of(labels[0]).given(numbers[0])
        return list(own.params), [list(own.paths)], _restraints(own, [own.paths], set(), [{}])
    per_set = [list(model.of(label).given(n).paths) for label, n in zip(labels, numbers, strict=True)]
    variables = frozenset(model.open_names)
    each = {p.name for p in model.params if p.each or (p.expr is not None and p.expr.names & variables)}
    while more := {p.name for p in model.params if p.expr is not None and p.expr.names & each} - each:
        each |= more
    params = [p for p in model.params if p.name not in each]
    for i, label in enumerate(labels):
        names = {n: f"{n}__{i}" for n in each}
        for p in (p for p in model.params if p.name in each):
            expr = None if p.expr is None else renamed(p.expr.given(numbers[i]), names)
            params.append(replace(p, name=names[p.name], expr=expr, origin=p.origin or label))
        for j, path in enumerate(per_set[i]):
            changed: dict[str, Any] = {v: renamed(getattr(path, v), names) for v in PATH_VALUES}
            per_set[i][j] = replace(path, **changed)
    return params, per_set, _restraints(model, per_set, each, numbers)


def _restraints(
    model: Model,
    per_set: Sequence[Sequence[PathModel]],
    each: Collection[str],
    numbers: Sequence[Numbers],
) -> tuple[Restraint, ...]:
    """The restraints for the paths and parameters of each data set; equal ones are counted once.

    A path that belongs to another data set only is taken from that set.
    """
    made: dict[Any, Restraint] = {}
    for restraint in model.restraints:
        for i, paths in enumerate(per_set):
            others = [p for group in per_set for p in group if p.data]
            labels = {p.label for p in paths}
            seen = [*paths, *(p for p in others if p.label in restraint.labels - labels)]
            if restraint.labels and not restraint.labels & labels:
                continue
            here = replace(restraint, that=restraint.that.given(numbers[i]))
            one = bound(here, seen, {n: f"{n}__{i}" for n in each})
            made.setdefault((one.that.program, one.value, one.within), one)
    return tuple(made.values())


def renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with new names for some of its parameters."""
    program = tuple((op, names.get(a, a) if op == "name" else a) for op, a in expression.program)
    text = re.sub(r"[A-Za-z_]\w*", lambda word: names.get(word[0], word[0]), expression.text)
    return Expression(text, frozenset(names.get(n, n) for n in expression.names), program)
