"""Fits of a whole series in which parameters are shared by all spectra or follow time.

The sum of the chi-square of all spectra is minimised. A parameter may be shared by all rows, vary smoothly (a spline with a penalty on
its second differences, P-splines: Eilers & Marx 1996, Stat. Sci. 11, 89), or change between two end members. All other
parameters ("loose") are free in every row and are eliminated row by row, so that the system of equations is small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import FitError
from ...records import Array, Chi, Series
from ..engine import objective
from ..engine.result import BatchFit
from ..engine.stack import fit_stack
from ..model import Model
from . import forms
from .forms import FirstOrder, Smooth, Trend
from .rows import Kept, RowsChi2

# the fit ends when no linked parameter changes by more than this part of its standard error
_SETTLED, _ITERATIONS = 1e-3, 30
# rows whose derivatives are in memory at once
_BLOCK = 4096
# a step is halved until chi-square decreases, at most to this part of it
_SHORTEST = 1e-3
# strengths of the penalty from which cross-validation chooses, relative to the information of the data
_STRENGTHS = np.geomspace(1e-4, 1e8, 37)


@dataclass(frozen=True)
class Kinetics:
    """n(t) = n_start + (n_end - n_start) x(t) for each of `names`, with one x(t) for all.

    "first-order": x = 1 - exp(-rate (t - t0)) from t0 on. `rate` (1/s) is the starting value (by default 3 over the length
    of the run) of a fitted rate; `t0` (s) is fixed, or with `fit_t0` the starting value. "linear": x rises
    from 0 at the first spectrum to 1 at the last.
    """

    names: tuple[str, ...]
    kind: Literal["first-order", "linear"] = "first-order"
    rate: float | None = None
    t0: float | None = None
    fit_t0: bool = False


@dataclass(frozen=True, eq=False)
class Timeline:
    """A series fitted as a whole.

    `values` and `stderr` give each varied parameter (m,) at `time` (m,) in s. `trend` and `trend_stderr` are the
    parameters of the trends: "name" of a shared parameter, "name.start", "name.end", "rate", "t0" of kinetics. `strength`
    is the penalty of each smooth parameter, `freedom` the effective number of parameters of its curve.
    `separate` is the fit of each row by itself. `chi2_reduced` is that of all rows `used` (m,) together.
    """

    time: Array
    names: tuple[str, ...]
    values: Mapping[str, Array]
    stderr: Mapping[str, Array]
    trend: Mapping[str, float]
    trend_stderr: Mapping[str, float]
    strength: Mapping[str, float]
    freedom: Mapping[str, float]
    separate: BatchFit
    chi2_reduced: float
    used: NDArray[np.bool_]
    converged: bool
    notes: tuple[str, ...] = field(default=())


def fit_timeline(
    model: Model,
    chi: Chi | Series | Kept,
    time: Array,
    *,
    shared: Sequence[str] = (),
    smooth: Mapping[str, float | Literal["auto"]] | None = None,
    kinetics: Kinetics | None = None,
    epsilon_k: float | Array | None = None,
    threads: int = 1,
    separate: BatchFit | None = None,
) -> Timeline:
    """Fit all spectra of a series at once, with parameters linked along time.

    Parameters
    ----------
    model, chi, epsilon_k, threads : as for fit_stack. For a series that is too long to be in memory as chi(k), chi is the
        result of `trends.rows.keep`.
    time : (m,) in s, ascending.
    shared : parameters with one value for the whole series.
    smooth : parameters that vary smoothly, with the strength of the penalty, or "auto" for the strength with the smallest
        error of prediction when each spectrum is left out in turn.
    kinetics : parameters that change between two end members.
    separate : the result of fit_stack for this model and data; by default the rows are fitted here.

    Returns
    -------
    Timeline. Rows whose own fit failed are not used; there linked parameters are predicted, others are NaN.
    Raises FitError if a name is not varied or is linked twice, or if fewer than five rows can be used.
    """
    if not isinstance(chi, Kept):
        record: Chi = chi.data if isinstance(chi, Series) else chi
        fit = separate or fit_stack(model, record, epsilon_k=epsilon_k, start="mean", threads=threads)
        chi = Kept(objective.build(record.k, model.range).reduce(np.atleast_2d(record.chi)), fit)
    fit = chi.fit
    t = np.asarray(time, float)
    if t.shape != (len(fit),) or not np.isfinite(t).all() or (np.diff(t) < 0).any():
        raise FitError(f"time must be {len(fit)} ascending numbers in s, one a spectrum")
    trends = _trends(fit, t, tuple(shared), dict(smooth or {}), kinetics)
    used = fit.ok
    if np.count_nonzero(used) < 5:
        raise FitError(f"only {np.count_nonzero(used)} rows have a fit of their own; a trend needs five")
    rows = RowsChi2(model, chi, used)
    return _Joint(rows, trends, t, fit, used).solve()


def _trends(
    fit: BatchFit, t: Array, shared: tuple[str, ...], smooth: dict[str, Any], kinetics: Kinetics | None
) -> list[Trend]:
    names = [*shared, *smooth, *(kinetics.names if kinetics else ())]
    for name in names:
        if name not in fit.names:
            raise FitError(f"{name!r} is no varied parameter; there are {', '.join(fit.names)}")
        if names.count(name) > 1:
            raise FitError(f"{name!r} is linked along time in two ways; choose one")
    if not names:
        raise FitError(
            "nothing is linked along time: name shared, smooth or kinetic parameters, or use fit_stack"
        )
    trends = [forms.shared(name, t) for name in shared]
    trends += [Smooth(name, t, None if how == "auto" else float(how)) for name, how in smooth.items()]
    if kinetics and kinetics.kind == "linear":
        trends.append(forms.linear(kinetics.names, t))
    elif kinetics:
        trends.append(FirstOrder(kinetics.names, t, kinetics.rate, kinetics.t0, kinetics.fit_t0))
    return trends


def _slices(sizes: Sequence[int]) -> list[slice]:
    """Parts of these sizes, one after the other."""
    return [slice(a, b) for a, b in pairwise([0, *accumulate(sizes)])]


class _Joint:
    """Gauss-Newton minimisation over the parameters of the trends; loose parameters are eliminated row by row."""

    def __init__(
        self, rows: RowsChi2, trends: list[Trend], t: Array, fit: BatchFit, used: NDArray[np.bool_]
    ) -> None:
        self.rows, self.t, self.fit, self.used = rows, t, fit, used
        self.linked = [fit.names.index(n) for trend in trends for n in trend.names]
        self.loose = [i for i in range(len(fit.names)) if i not in self.linked]
        # the mean over rows: the chi-square of a single row has too few degrees of freedom to be used as a weight
        self.scale = float(np.mean(fit.chi2_reduced[used])) / rows.to_chi2
        self.size = sum(trend.size for trend in trends)
        # each trend with its part of theta and its part of the linked parameters
        parts, blocks = (_slices(n) for n in ([t.size for t in trends], [len(t.names) for t in trends]))
        self.placed = list(zip(trends, parts, blocks, strict=True))

    def solve(self) -> Timeline:
        """The fit of the whole series: damped Gauss-Newton, starting from the fits of single rows."""
        x = self.fit.x[self.used].copy()
        theta = np.concatenate([trend.start(self.fit, self.used) for trend, *_ in self.placed])
        self._choose(theta, self._eliminated(*self.rows.information(x, self.scale)[:2])[0])
        x[:, self.linked] = self._values(theta)[self.used]
        state = self.rows.information(x, self.scale)
        total = state[2] + self._penalty(theta)
        for _ in range(_ITERATIONS):
            hessian, right, loose = self._system(*state[:2], theta)
            covar = np.linalg.inv(hessian)
            step, length = covar @ right, 1.0
            while True:
                new = theta + length * step
                moved = self._values(new)[self.used] - x[:, self.linked]
                trial = x.copy()
                trial[:, self.loose] += length * loose(moved / length)
                trial[:, self.linked] += moved
                state = self.rows.information(trial, self.scale)
                lower = state[2] + self._penalty(new) <= total * (1 + 1e-9)
                if lower or length < _SHORTEST:
                    break
                length /= 2
            total, theta, x = state[2] + self._penalty(new), new, trial
            if lower and (np.abs(step) < _SETTLED * np.sqrt(np.diag(covar))).all():
                return self._timeline(theta, x, True)
            if not lower:
                break
        return self._timeline(theta, x, False)

    def _choose(self, theta: Array, info: Array) -> None:
        """Choose the strength and the first curve of each smooth trend, from the information of each row on it."""
        for trend, part, block in self.placed:
            if isinstance(trend, Smooth):
                alone = 1 / np.linalg.inv(info)[:, block.start, block.start]
                value = self.fit.values[trend.names[0]][self.used]
                theta[part] = trend.choose(alone, value, self.used, _STRENGTHS)

    def _values(self, theta: Array) -> Array:
        """Linked parameters (m, nl) at all times."""
        return np.hstack([trend.values(theta[part]) for trend, part, _ in self.placed])

    def _slopes(self, theta: Array, rows: NDArray[np.intp]) -> Array:
        """Derivatives (rows, nl, size) of the linked parameters by theta, at some of the times."""
        out = np.zeros((len(rows), len(self.linked), self.size))
        for trend, part, block in self.placed:
            out[:, block, part] = trend.slopes(theta[part])[rows]
        return out

    def _blocks(self) -> Iterator[tuple[slice, Any]]:
        """Blocks of the rows used: their indices among the used rows, and among all rows."""
        where = np.flatnonzero(self.used)
        for i in range(0, len(where), _BLOCK):
            yield slice(i, i + _BLOCK), where[i : i + _BLOCK]

    def _penalty(self, theta: Array) -> float:
        return sum(float(theta[part] @ trend.penalty() @ theta[part]) for trend, part, _ in self.placed)

    def _eliminated(self, normal: Array, pull: Array) -> tuple[Array, Array]:
        """Information and pull of the linked parameters after elimination of the loose ones."""
        g, loose = self.linked, self.loose
        agg, agl = normal[:, g][:, :, g], normal[:, g][:, :, loose]
        if not loose:
            return agg, pull[:, g]
        solved = np.linalg.solve(normal[:, loose][:, :, loose], np.swapaxes(agl, 1, 2))
        return agg - agl @ solved, pull[:, g] - np.einsum("mlg,ml->mg", solved, pull[:, loose])

    def _bare(self, normal: Array, pull: Array, theta: Array) -> tuple[Array, Array]:
        """Information matrix and pull of the parameters of the trends without penalties, summed block by block."""
        hessian, vector = np.zeros((self.size, self.size)), np.zeros(self.size)
        for part, rows in self._blocks():
            info, right = self._eliminated(normal[part], pull[part])
            slopes = self._slopes(theta, rows)
            hessian += np.einsum("mgi,mgh,mhj->ij", slopes, info, slopes, optimize=True)
            vector += np.einsum("mgi,mg->i", slopes, right)
        return hessian, vector

    def _system(self, normal: Array, pull: Array, theta: Array) -> tuple[Array, Array, Any]:
        hessian, vector = self._bare(normal, pull, theta)
        for trend, part, _ in self.placed:
            vector[part] -= trend.penalty() @ theta[part]

        def loose(moved: Array) -> Array:
            if not self.loose:
                return np.zeros((len(moved), 0))
            a = normal[:, self.loose]
            b = pull[:, self.loose] - np.einsum("mlg,mg->ml", a[:, :, self.linked], moved)
            return np.linalg.solve(a[:, :, self.loose], b[..., None])[..., 0]

        return self._penalised(hessian), vector, loose

    def _penalised(self, hessian: Array) -> Array:
        """The information matrix of the data with the trends' penalties added."""
        out = hessian.copy()
        for trend, part, _ in self.placed:
            out[part, part] += trend.penalty()
        return out

    def _timeline(self, theta: Array, x: Array, converged: bool) -> Timeline:
        normal, pull, total = self.rows.information(x, self.scale)
        bare, _ = self._bare(normal, pull, theta)
        covar = np.linalg.inv(self._penalised(bare))
        # degrees of freedom of all rows: less the loose parameters of each row, less the effective number of the trends' parameters
        freedom = covar @ bare
        n_free = len(x) * (self.rows.free + self.rows.nv - len(self.loose)) - float(np.trace(freedom))
        scale = total / n_free
        values, stderr = self._along(theta, x, normal, np.asarray(covar * scale, float), scale)
        errors = np.sqrt(np.diag(covar) * scale)
        named, named_errors = {}, {}
        for trend, part, _ in self.placed:
            for label, v, e in zip(trend.labels, theta[part], errors[part], strict=False):
                named[label], named_errors[label] = float(v), float(e)
        smooth = [(s, part) for s, part, _ in self.placed if isinstance(s, Smooth)]
        return Timeline(
            time=self.t,
            names=self.fit.names,
            values=values,
            stderr=stderr,
            trend=named,
            trend_stderr=named_errors,
            strength={s.names[0]: float(s.strength or 0.0) for s, _ in smooth},
            freedom={s.names[0]: float(np.trace(freedom[p, p])) for s, p in smooth},
            separate=self.fit,
            chi2_reduced=scale * self.scale * self.rows.to_chi2,
            used=self.used,
            converged=converged,
            notes=self._notes(values),
        )

    def _along(
        self, theta: Array, x: Array, normal: Array, covar: Array, scale: float
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Value and standard error (m,) of every parameter: linked ones at all times, loose ones in the used rows."""
        m, names = len(self.t), self.fit.names
        values = {n: np.full(m, np.nan) for n in names}
        stderr = {n: np.full(m, np.nan) for n in names}
        linked = self._values(theta)
        for i in range(0, m, _BLOCK):
            rows = np.arange(i, min(i + _BLOCK, m))
            slopes = self._slopes(theta, rows)
            spread = np.einsum("mgi,ij,mgj->mg", slopes, covar, slopes, optimize=True)
            for j, at in enumerate(self.linked):
                values[names[at]][rows], stderr[names[at]][rows] = linked[rows, j], np.sqrt(spread[:, j])
        if not self.loose:
            return values, stderr
        for part, rows in self._blocks():
            own_info = normal[part][:, self.loose]
            loose = np.linalg.inv(own_info[:, :, self.loose])
            pulled = loose @ own_info[:, :, self.linked] @ self._slopes(theta, rows)
            own = np.einsum("mii->mi", loose) * scale
            own = own + np.einsum("mli,ij,mlj->ml", pulled, covar, pulled, optimize=True)
            for j, at in enumerate(self.loose):
                values[names[at]][rows], stderr[names[at]][rows] = x[part, at], np.sqrt(own[:, j])
        return values, stderr

    def _notes(self, values: Mapping[str, Array]) -> tuple[str, ...]:
        program = self.rows.work.program
        said = []
        for i, name in enumerate(self.fit.names):
            outside = (values[name] < program.lower[i]) | (values[name] > program.upper[i])
            if outside.any():
                said.append(
                    f"{name} leaves its bounds in {np.count_nonzero(outside)} rows: bounds do not hold trends"
                )
        return tuple(said)
