"""Trends of parameters along time: shared, smooth, linear, or first-order between end members."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..engine.result import BatchFit

# largest number of splines of a smooth trend; the penalty suppresses finer structure
_MOST_SPLINES = 40
_DEGREE = 3
# a small ridge for splines without data, relative to the information of the data
_RIDGE = 1e-10


class Trend:
    """A trend of the parameters `names`, each a sum of `curves` (m, nc) along time; theta has nc coefficients per name.

    `labels` are names of the elements of theta, if they have a meaning.
    """

    def __init__(self, names: tuple[str, ...], curves: Array, labels: tuple[str, ...] = ()) -> None:
        self.names, self.curves, self.labels = tuple(names), curves, labels
        self.size = len(self.names) * curves.shape[1]

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """A start for theta: weighted least squares of the values of single rows."""
        return np.concatenate([_best(self.curves, fit, name, used) for name in self.names])

    def values(self, theta: Array) -> Array:
        """The values (m, nn) of the parameters at all times."""
        return self._sums(theta, self.curves)

    def slopes(self, theta: Array) -> Array:
        """The derivatives (m, nn, size) of the values by theta."""
        return self._by_coefficients(self.curves)

    def penalty(self) -> Array:
        """The matrix P of the penalty theta' P theta, which is added to chi-square; zero for trends without penalty."""
        return np.zeros((self.size, self.size))

    def _sums(self, theta: Array, curves: Array) -> Array:
        coefficients = theta[: len(self.names) * curves.shape[1]].reshape(len(self.names), -1)
        return np.asarray(curves @ coefficients.T)

    def _by_coefficients(self, curves: Array) -> Array:
        """Derivatives (m, nn, size) by the coefficients; 0 by further elements of theta."""
        m, nc = curves.shape
        out = np.zeros((m, len(self.names), self.size))
        for i in range(len(self.names)):
            out[:, i, i * nc : (i + 1) * nc] = curves
        return out


def _column(fit: BatchFit, name: str, used: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The values of a parameter in the used rows, and the inverse squares of their errors."""
    return fit.values[name][used], 1 / fit.stderr_fit[name][used] ** 2


def _best(curves: Array, fit: BatchFit, name: str, used: NDArray[np.bool_]) -> Array:
    """The coefficients of curves (m, nc) that fit the values of a parameter best."""
    value, weight = _column(fit, name, used)
    root = np.sqrt(weight)
    return np.asarray(np.linalg.lstsq(curves[used] * root[:, None], value * root, rcond=None)[0], float)


def _between(x: Array) -> Array:
    """The curves (m, 2) of two end members, x (m,) running from 0 to 1."""
    return np.stack([1 - x, x], axis=1)


def shared(name: str, t: Array) -> Trend:
    """One value for all rows."""
    return Trend((name,), np.ones((len(t), 1)), (name,))


def linear(names: tuple[str, ...], t: Array) -> Trend:
    """Linear in time from a value at the first spectrum to a value at the last."""
    return Trend(names, _between((t - t[0]) / max(t[-1] - t[0], 1e-12)), _end_members(names))


def _end_members(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{n}.{end}" for n in names for end in ("start", "end"))


class Smooth(Trend):
    """A cubic spline along time with a penalty on the second differences of its coefficients."""

    def __init__(self, name: str, t: Array, strength: float | None) -> None:
        from scipy.interpolate import BSpline

        self.strength = strength
        pieces = int(min(_MOST_SPLINES, max(4, len(t) // 2)))
        span = max(t[-1] - t[0], 1e-12)
        knots = t[0] + span / pieces * np.arange(-_DEGREE, pieces + _DEGREE + 1)
        inside = np.clip(t, knots[_DEGREE], knots[-_DEGREE - 1])
        super().__init__((name,), np.asarray(BSpline.design_matrix(inside, knots, _DEGREE).todense()))
        rough = np.diff(np.eye(self.size), n=2, axis=0)
        self._rough = rough.T @ rough
        # the penalty is relative to the information of the data, so that its strength has no unit
        self._unit = 1.0

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """A weighted fit of the spline to the values of single rows."""
        value, weight = _column(fit, self.names[0], used)
        self._unit = float(np.sum(weight)) / self.size
        b = self.curves[used]
        left = b.T @ (weight[:, None] * b) + self._unit * (
            (1.0 if self.strength is None else self.strength) * self._rough + _RIDGE * np.eye(self.size)
        )
        return np.asarray(np.linalg.solve(left, b.T @ (weight * value)), float)

    def penalty(self) -> Array:
        """The strength times the square of second differences, with the ridge."""
        return self._unit * ((self.strength or 0.0) * self._rough + _RIDGE * np.eye(self.size))

    def choose(self, weight: Array, value: Array, used: NDArray[np.bool_], strengths: Array) -> Array:
        """theta at the strength with the smallest leave-one-out error of prediction; a given strength is kept.

        `weight` (m,) are the inverse squares of the errors of `value` (m,). No refits are needed: the error of a
        left-out row is its residual divided by one minus its leverage.
        """
        b = self.curves[used]
        bare, right = b.T @ (weight[:, None] * b), b.T @ (weight * value)
        best, theta = np.inf, np.zeros(self.size)
        tried = strengths if self.strength is None else np.array([self.strength])
        for strength in tried:
            covar = np.linalg.inv(bare + self._unit * (strength * self._rough + _RIDGE * np.eye(self.size)))
            now = covar @ right
            leverage = weight * np.einsum("ij,jk,ik->i", b, covar, b, optimize=True)
            error = float(np.sum(weight * ((value - b @ now) / np.maximum(1 - leverage, 1e-9)) ** 2))
            if error < best:
                best, theta, self.strength = error, now, float(strength)
        return theta


class FirstOrder(Trend):
    """First-order kinetics between two states: x = 1 - exp(-rate (t - t0)) after t0, the same for all names."""

    def __init__(
        self, names: tuple[str, ...], t: Array, rate: float | None, t0: float | None, fit_t0: bool
    ) -> None:
        super().__init__(names, _between(t), (*_end_members(names), "rate", *(["t0"] if fit_t0 else [])))
        self._t, self._fit_t0 = t, fit_t0
        self._rate = rate if rate is not None else 3 / max(t[-1] - t[0], 1e-12)
        self._t0 = t[0] if t0 is None else t0
        self.size = len(self.labels)

    def _progress(self, rate: float, t0: float) -> tuple[Array, Array, Array]:
        """x and its derivatives by rate and t0."""
        late = np.maximum(self._t - t0, 0.0)
        left = np.exp(-rate * late)
        return 1 - left, late * left, np.where(self._t > t0, -rate * left, 0.0)

    def _clock(self, theta: Array) -> tuple[float, float]:
        at = 2 * len(self.names)
        return float(theta[at]), float(theta[at + 1]) if self._fit_t0 else self._t0

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """The rate (and t0) by a grid search, with the end members by least squares."""

        def misfit(rate: float, t0: float) -> float:
            x = self._progress(rate, t0)[0]
            total = 0.0
            for name in self.names:
                value, weight = _column(fit, name, used)
                first, last = _best(_between(x), fit, name, used)
                total += float(np.sum(weight * (value - first - (last - first) * x[used]) ** 2))
            return total

        span = max(self._t[-1] - self._t[0], 1e-12)
        starts = self._t[0] + span * np.linspace(0, 0.6, 31) if self._fit_t0 else [self._t0]
        rates = np.unique([self._rate, *np.geomspace(0.3, 100, 41) / span])
        rate, t0 = min(((r, s) for r in rates for s in starts), key=lambda p: misfit(*p))
        x = self._progress(rate, t0)[0]
        ends = [_best(_between(x), fit, name, used) for name in self.names]
        return np.concatenate([*ends, [rate], [t0] if self._fit_t0 else []])

    def values(self, theta: Array) -> Array:
        """The values (m, nn) of the parameters at all times."""
        return self._sums(theta, _between(self._progress(*self._clock(theta))[0]))

    def slopes(self, theta: Array) -> Array:
        """The derivatives (m, nn, size) of the values by theta."""
        x, by_rate, by_t0 = self._progress(*self._clock(theta))
        out, at = self._by_coefficients(_between(x)), 2 * len(self.names)
        change = theta[1:at:2] - theta[:at:2]
        out[:, :, at] = by_rate[:, None] * change
        if self._fit_t0:
            out[:, :, at + 1] = by_t0[:, None] * change
        return out
