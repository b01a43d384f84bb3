"""How a parameter may depend on time: shared, smooth, linear or first-order between end members."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from ..engine.result import BatchFit

# splines of a smooth trend: enough for any curve that a penalty would let pass
_MOST_SPLINES = 40
_DEGREE = 3
# a ridge for splines that no row reaches, relative to the data's information
_RIDGE = 1e-10


class Trend(ABC):
    """A trend of `names` with `size` parameters theta: values (m, nn), slopes (m, nn, size), penalty (size, size)."""

    names: tuple[str, ...]
    size: int

    @abstractmethod
    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """theta from each row's own fit."""

    @abstractmethod
    def values(self, theta: Array) -> Array:
        """The parameters at all times."""

    @abstractmethod
    def slopes(self, theta: Array) -> Array:
        """Their derivatives by theta."""

    def penalty(self) -> Array:
        """The matrix P of the term theta' P theta added to chi-square; zero unless a trend has one."""
        return np.zeros((self.size, self.size))

    def labels(self) -> tuple[str, ...]:
        """Names of theta's numbers, where they mean something by themselves."""
        return ()


def _column(fit: BatchFit, name: str, used: NDArray[np.bool_]) -> tuple[Array, Array]:
    """A parameter's own values in the rows used, and the inverse square of their errors."""
    return fit.values[name][used], 1 / fit.stderr_fit[name][used] ** 2


class Shared(Trend):
    """One value for all rows."""

    def __init__(self, name: str) -> None:
        self.names: tuple[str, ...] = (name,)
        self.size = 1
        self._m = 0

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """The weighted mean."""
        self._m = len(used)
        value, weight = _column(fit, self.names[0], used)
        return np.array([np.sum(weight * value) / np.sum(weight)])

    def values(self, theta: Array) -> Array:
        """(m, 1)."""
        return np.full((self._m, 1), theta[0])

    def slopes(self, theta: Array) -> Array:
        """(m, 1, 1)."""
        return np.ones((self._m, 1, 1))

    def labels(self) -> tuple[str, ...]:
        """The parameter's own name."""
        return self.names


class Smooth(Trend):
    """A cubic spline along time with a penalty on its coefficients' second differences."""

    def __init__(self, name: str, t: Array, strength: float | None) -> None:
        from scipy.interpolate import BSpline

        self.names: tuple[str, ...] = (name,)
        self.strength = strength
        pieces = int(min(_MOST_SPLINES, max(4, len(t) // 2)))
        span = max(t[-1] - t[0], 1e-12)
        knots = t[0] + span / pieces * np.arange(-_DEGREE, pieces + _DEGREE + 1)
        inside = np.clip(t, knots[_DEGREE], knots[-_DEGREE - 1])
        self.basis = np.asarray(BSpline.design_matrix(inside, knots, _DEGREE).todense())
        self.size = self.basis.shape[1]
        rough = np.diff(np.eye(self.size), n=2, axis=0)
        self._rough = rough.T @ rough
        # the penalty is measured in the data's information, so that its strength has no unit
        self._unit = 1.0

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """A weighted fit of the spline to the rows' own values."""
        value, weight = _column(fit, self.names[0], used)
        self._unit = float(np.sum(weight)) / self.size
        b = self.basis[used]
        left = b.T @ (weight[:, None] * b) + self._unit * (
            (1.0 if self.strength is None else self.strength) * self._rough + _RIDGE * np.eye(self.size)
        )
        return np.linalg.solve(left, b.T @ (weight * value))

    def values(self, theta: Array) -> Array:
        """(m, 1)."""
        return (self.basis @ theta)[:, None]

    def slopes(self, theta: Array) -> Array:
        """(m, 1, size)."""
        return self.basis[:, None, :]

    def penalty(self) -> Array:
        """The strength times second differences."""
        return self._unit * ((self.strength or 0.0) * self._rough + _RIDGE * np.eye(self.size))

    def choose(self, weight: Array, value: Array, used: NDArray[np.bool_], strengths: Array) -> Array:
        """theta at the strength with the smallest error of prediction, leaving out each row in turn.

        `weight` (m,) is each row's information on the parameter, the inverse square of its error. Leave-one-out needs no refits: the error of a
        left-out row is its residual over one minus its leverage. A strength given at the start is kept.
        """
        b = self.basis[used]
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


class Linear(Trend):
    """From a value at the first spectrum to one at the last, in proportion to time."""

    def __init__(self, names: tuple[str, ...], t: Array) -> None:
        self.names, self.size = tuple(names), 2 * len(names)
        self._x = (t - t[0]) / max(t[-1] - t[0], 1e-12)

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """Straight lines through the rows' own values."""
        return np.concatenate([_ends(fit, name, used, self._x) for name in self.names])

    def values(self, theta: Array) -> Array:
        """(m, nn)."""
        return self._between(theta, self._x)

    def slopes(self, theta: Array) -> Array:
        """(m, nn, 2 nn)."""
        return self._by_ends(self._x)

    def _between(self, theta: Array, x: Array) -> Array:
        """Values (m, nn) between the end members, x (m,) running from 0 to 1."""
        ends = theta[: 2 * len(self.names)].reshape(-1, 2)
        return np.asarray(ends[:, 0] + (ends[:, 1] - ends[:, 0]) * x[:, None])

    def _by_ends(self, x: Array) -> Array:
        """Derivatives (m, nn, size) of the values by the end members; 0 for what follows these in theta."""
        out = np.zeros((len(x), len(self.names), self.size))
        for i in range(len(self.names)):
            out[:, i, 2 * i], out[:, i, 2 * i + 1] = 1 - x, x
        return out

    def labels(self) -> tuple[str, ...]:
        """name.start, name.end."""
        return tuple(f"{n}.{end}" for n in self.names for end in ("start", "end"))


def _ends(fit: BatchFit, name: str, used: NDArray[np.bool_], x: Array) -> Array:
    """The two end members that fit a parameter's own values best, x running from 0 to 1."""
    value, weight = _column(fit, name, used)
    a = np.stack([1 - x[used], x[used]], axis=1)
    root = np.sqrt(weight)
    return np.asarray(np.linalg.lstsq(a * root[:, None], value * root, rcond=None)[0], float)


class FirstOrder(Linear):
    """Two-state kinetics: x = 1 - exp(-rate (t - t0)) after t0, shared by all names."""

    def __init__(
        self, names: tuple[str, ...], t: Array, rate: float | None, t0: float | None, fit_t0: bool
    ) -> None:
        self.names, self._t, self._fit_t0 = tuple(names), t, fit_t0
        self._rate = rate if rate is not None else 3 / max(t[-1] - t[0], 1e-12)
        self._t0 = t[0] if t0 is None else t0
        self.size = 2 * len(names) + 1 + int(fit_t0)

    def _progress(self, rate: float, t0: float) -> tuple[Array, Array, Array]:
        """x and its derivatives by rate and t0."""
        late = np.maximum(self._t - t0, 0.0)
        left = np.exp(-rate * late)
        return 1 - left, late * left, np.where(self._t > t0, -rate * left, 0.0)

    def _clock(self, theta: Array) -> tuple[float, float]:
        at = 2 * len(self.names)
        return float(theta[at]), float(theta[at + 1]) if self._fit_t0 else self._t0

    def start(self, fit: BatchFit, used: NDArray[np.bool_]) -> Array:
        """The rate (and t0) from a search, the end members by least squares at each."""

        def misfit(rate: float, t0: float) -> float:
            x = self._progress(rate, t0)[0]
            total = 0.0
            for name in self.names:
                value, weight = _column(fit, name, used)
                first, last = _ends(fit, name, used, x)
                total += float(np.sum(weight * (value - first - (last - first) * x[used]) ** 2))
            return total

        span = max(self._t[-1] - self._t[0], 1e-12)
        starts = self._t[0] + span * np.linspace(0, 0.6, 31) if self._fit_t0 else [self._t0]
        rates = np.unique([self._rate, *np.geomspace(0.3, 100, 41) / span])
        rate, t0 = min(((r, s) for r in rates for s in starts), key=lambda p: misfit(*p))
        x = self._progress(rate, t0)[0]
        ends = [_ends(fit, name, used, x) for name in self.names]
        return np.concatenate([*ends, [rate], [t0] if self._fit_t0 else []])

    def values(self, theta: Array) -> Array:
        """(m, nn)."""
        return self._between(theta, self._progress(*self._clock(theta))[0])

    def slopes(self, theta: Array) -> Array:
        """(m, nn, size)."""
        x, by_rate, by_t0 = self._progress(*self._clock(theta))
        out, at = self._by_ends(x), 2 * len(self.names)
        change = theta[1:at:2] - theta[:at:2]
        out[:, :, at] = by_rate[:, None] * change
        if self._fit_t0:
            out[:, :, at + 1] = by_t0[:, None] * change
        return out

    def labels(self) -> tuple[str, ...]:
        """name.start, name.end, rate, and t0 when it is fitted."""
        return (*super().labels(), "rate", "t0")[: self.size]
