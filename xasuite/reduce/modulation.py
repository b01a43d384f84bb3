"""Modulation excitation: the response of a series to a periodic stimulus, demodulated, with its noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..errors import DataError, ReductionError
from ..records import (
    Array,
    Chi,
    ComplexArray,
    Normalized,
    Record,
    Series,
    Source,
    Spectrum,
    Step,
    axes,
    name_of,
)
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table

Drift = Literal["run", "period", "none"]
DRIFTS = {
    "run": "one straight line through the whole run",
    "period": "a straight line of its own in each period",
    "none": "none",
}
ROOM = 1.5  # a period is complete if its first and last row are at most this many row spacings from its ends
UNEVEN = 5.0  # rows do not determine a harmonic if its error is more than this many times that of evenly spaced rows
SEEN = 0.01  # largest p value with which a phase is given
STRONGEST, APART = (
    8,
    0.02,
)  # number of points in the printed table, and their smallest distance as a share of the axis


@dataclass(frozen=True, eq=False)
class Modulation(Record, Presented):
    """The response of a series to a periodic stimulus: amplitude and phase at each energy or k, and the demodulated curves.

    `axis` says what `x` (n,) is: "energy" in eV, "k" in 1/A, or "change" (known changes, with their names in `names`).
    `harmonic` (h,) are multiples of the frequency of the stimulus. `response` (h, n) is amplitude exp(i phase): its real part
    is the coefficient of a sine that starts with the period, its imaginary part that of the cosine; `periods` (h, p, n) is the same
    for each period. `amplitude` (h, n) is corrected for the bias by noise. `phase` (h, n) is in degrees, 0 in phase with
    that sine, negative for a delay. Its error is NaN where noise alone can explain the amplitude (`p_value` (h, n) above
    0.01). `demodulated` (h, a, n) are the curves at the angles `angle` (a,) in degrees. Errors are standard errors; a 95 %
    interval reaches `t95` of them to each side. `mean` (n,) is the mean over the periods, `drift_rate` (n,) the slope per s that was subtracted.
    `excess` is the scatter between periods over the scatter expected from the rows within them: above 1 if periods differ,
    below 1 if harmonics that were not fitted add to the scatter of the rows.
    """

    axis: str
    x: Array = field(metadata=axes("x"))
    harmonic: Array = field(metadata=axes("harmonic"))
    angle: Array = field(metadata=axes("angle"))
    mean: Array = field(metadata=axes("x"))
    amplitude: Array = field(metadata=axes("harmonic", "x"))
    amplitude_err: Array = field(metadata=axes("harmonic", "x"))
    phase: Array = field(metadata=axes("harmonic", "x"))
    phase_err: Array = field(metadata=axes("harmonic", "x"))
    p_value: Array = field(metadata=axes("harmonic", "x"))
    demodulated: Array = field(metadata=axes("harmonic", "angle", "x"))
    demodulated_err: Array = field(metadata=axes("harmonic", "angle", "x"))
    response: ComplexArray = field(metadata=axes("harmonic", "x", dtype=complex))
    periods: ComplexArray = field(metadata=axes("harmonic", "cycle", "x", dtype=complex))
    drift_rate: Array = field(metadata=axes("x"))
    period: float
    start: float
    drift: Drift
    dof: int
    rows_used: int
    excess: float
    names: tuple[str, ...] = ()
    array: str = "norm"
    element: str = ""
    edge: str = ""
    label: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    @property
    def t95(self) -> float:
        """Student's t of a 95 % interval: the interval is t95 standard errors to each side."""
        from scipy.special import stdtrit

        return float(stdtrit(self.dof, 0.975))

    @property
    def delay(self) -> Array:
        """The delay (h, n) in s of the response behind the sine, from 0 to the period of the harmonic."""
        turn = self.period / self.harmonic[:, None]
        return np.asarray((-self.phase / 360.0 * turn) % turn)

    def summary(self) -> Table:
        """The strongest points of each harmonic with amplitude, phase and delay, and the facts of the analysis."""
        return _table(self, [(j, i) for j in range(self.harmonic.size) for i in self._strongest(j)])

    def points(self) -> Table:
        """Amplitude, phase and delay at every point of the axis."""
        return _table(self, list(np.ndindex(self.amplitude.shape)))

    def _strongest(self, j: int) -> list[int]:
        """The points of harmonic j with the largest significant amplitudes, at most one per peak, in the order of the axis."""
        if self.axis == "change":
            return list(range(self.x.size))
        chosen: list[int] = []
        for i in map(int, np.argsort(-self.amplitude[j], kind="stable")):
            far = all(abs(self.x[i] - self.x[o]) > APART * np.ptp(self.x) for o in chosen)
            if self.p_value[j, i] <= SEEN and far:
                chosen.append(i)
            if len(chosen) == STRONGEST:
                break
        return sorted(chosen)


def _table(m: Modulation, points: Sequence[tuple[int, int]]) -> Table:
    where = {"energy": "energy", "k": "k"}.get(m.axis, Quantity("change", "Change of"))
    columns = (
        "harmonic", where, Quantity("amplitude", "Amplitude"), Quantity("phase", "Phase", "°"),
        Quantity("delay", "Delay", "s"), "p_value",
    )  # fmt: skip
    rows = []
    for j, i in points:
        known = np.isfinite(m.phase_err[j, i])
        phase = Entry(m.phase[j, i], m.phase_err[j, i]) if known else None
        turn = m.period / m.harmonic[j] / 360.0
        delay = Entry(m.delay[j, i], m.phase_err[j, i] * turn) if known else None
        rows.append((
            int(m.harmonic[j]), m.names[i] if m.names else float(m.x[i]),
            Entry(m.amplitude[j, i], m.amplitude_err[j, i]), phase, delay, float(m.p_value[j, i]),
        ))  # fmt: skip
    n = m.periods.shape[1]
    said_of_excess = (
        f"{m.excess:.2f} times what the scatter of rows within them gives"
        if np.isfinite(m.excess)
        else "not compared with that within them: no row is left over"
    )
    facts = (
        ("Periods", f"{n} of {m.period:g} s from {m.start:g} s on, {m.rows_used} rows"),
        ("Drift taken off", DRIFTS[m.drift]),
        ("Errors", f"standard errors from {n} periods, {m.dof} degrees of freedom: 95 % lies within {m.t95:.2f} of them"),
        ("Scatter between periods", said_of_excess),
    )  # fmt: skip
    said = [
        "Phase: 0 in step with a sine that starts with the period; a delay is negative. Amplitudes are corrected for noise."
    ]
    shown = {j for j, _ in points}
    said += [f"Harmonic {h:g} is seen nowhere: no amplitude with p below {SEEN:g}." for j, h in enumerate(m.harmonic) if j not in shown]  # fmt: skip
    return Table.of(
        f"Modulation of {m.label or 'the series'}", columns, rows, notes=(*said, *m.notes), facts=facts
    )


def phase_sensitive(
    series: Series | Spectrum | Chi,
    *,
    period: float,
    time: Array | None = None,
    harmonics: Sequence[int] = (1,),
    start: float | None = None,
    skip: int = 0,
    drift: Drift = "run",
    array: str = "",
    angles: Array | None = None,
    onto: Mapping[str, Array] | None = None,
    fit_range: tuple[float, float] | None = None,
) -> Modulation:
    """The response of a series to a periodic stimulus, by phase-sensitive detection in each period.

    In each complete period y(t) = a + b t + sum over m of A_m sin(m w t + phi_m), w = 2 pi / period, is fitted by least
    squares at every energy or k. For evenly spaced rows this equals the demodulation of Baurecht and
    Fringeli, (2 / T) times the integral over T of y(t) sin(m w t + theta) dt = A_m cos(phi_m - theta). The results are means
    over the periods; their errors come from the scatter between periods. See docs/decisions/modulation.md.

    Parameters
    ----------
    series : Series or Spectrum or Chi
        Rows with times: a Series with a column time in its table (its ok rows), or a stack (m, n) with `time`.
    period : float
        Period of the stimulus, s.
    time : array, shape (m,), optional
        Times of the rows in s; by default the column time of the Series.
    harmonics : sequence of int
        Multiples of the stimulus frequency that are fitted together.
    start : float, optional
        Time in s at which a period starts and the phase is 0; by default the time of the first row.
    skip : int
        Number of complete periods at the beginning that are not used, until the system is periodic.
    drift : str
        The straight line that is subtracted: "run" one through all periods, "period" one in each period (this makes
        the error of the sine 1.6 times larger), "none".
    array : str
        Of a Normalized "norm" (the default), "flat" or "mu"; of a Spectrum "mu"; of a Chi "chi".
    angles : array, optional
        Demodulation angles in degrees; by default 0 to 345 in steps of 15.
    onto : mapping, optional
        Known changes (n,) by name, such as the difference of two standards or the derivative of chi by N. Every row is
        first fitted by them (least squares); amplitude and phase are those of each change. This adds up the
        signal of all points.
    fit_range : tuple of float, optional
        The part of the axis that is used, in eV (absolute) or 1/A.

    Returns
    -------
    Modulation
        Amplitude, phase and demodulated curves, with standard errors.

    Raises
    ------
    DataError
        Rows without times, or arrays of other lengths.
    ReductionError
        Fewer than two complete periods, too few rows per period for a harmonic, or times that do not determine it.

    References
    ----------
    Baurecht, D., Fringeli, U. P.: Rev. Sci. Instrum. 72 (2001) 3782. Urakawa, A., Buergi, T., Baiker, A.: Chem. Eng.
    Sci. 63 (2008) 4902.

    Examples
    --------
    >>> t, energy = np.arange(120.0), np.arange(8960.0, 9040.0, 1.0)
    >>> moved = 0.02 * np.sin(2 * np.pi * t / 20 - 0.5)[:, None] * np.exp(-(((energy - 8990) / 5) ** 2))
    >>> stack = xs.Spectrum(energy=energy, mu=1 + moved, element="Cu", edge="K")
    >>> found = xs.phase_sensitive(stack, period=20, time=t)
    >>> round(float(found.amplitude[0, 30]), 4), round(float(np.deg2rad(found.phase[0, 30])), 4)
    (0.02, -0.5)
    """
    wanted = _checked(period, harmonics, drift, skip)
    data, t, y = _rows(series, time, array)
    axis, x, y = _axis(data, y, fit_range)
    names: tuple[str, ...] = ()
    if onto is not None:
        axis, x, names, y = _onto(onto, x, y, data)
    begin = float(t[0] if start is None else start)
    design = _Design.of(t, begin, float(period), wanted, drift, skip, name_of(data))
    theta = np.arange(0.0, 360.0, 15.0) if angles is None else np.asarray(angles, float)
    settings = {"period": float(period), "harmonics": wanted, "start": begin, "skip": skip, "drift": drift}
    return Modulation(
        axis=axis, x=x, harmonic=np.array(wanted, float), angle=theta, period=float(period), start=begin, drift=drift,
        names=names, array=array or _arrays(data)[0], element=data.element, edge=data.edge, label=data.label,
        notes=design.notes, source=data.source, history=(*data.history, Step("phase_sensitive", settings)),
        **design.detect(y, theta),
    )  # fmt: skip


def _checked(period: float, harmonics: Sequence[int], drift: str, skip: int) -> tuple[int, ...]:
    """The harmonics in their order. Raises ReductionError."""
    if not (np.isfinite(period) and period > 0):
        raise ReductionError(f"period = {period!r} is no time above zero; give the stimulus' period in s")
    wanted = tuple(sorted({int(h) for h in harmonics}))
    if not wanted or wanted[0] < 1 or any(int(h) != h for h in harmonics):
        raise ReductionError(f"harmonics = {tuple(harmonics)} are not whole numbers from 1 on")
    if drift not in DRIFTS:
        raise ReductionError(f"drift = {drift!r} is not one of {', '.join(DRIFTS)}")
    if skip < 0:
        raise ReductionError(f"skip = {skip} periods; give 0 or more")
    return wanted


def _arrays(data: Any) -> tuple[str, ...]:
    """The arrays of a record that can be demodulated, the default first."""
    if isinstance(data, Chi):
        return ("chi",)
    return ("norm", "flat", "mu") if isinstance(data, Normalized) else ("mu",)


def _rows(series: Any, time: Array | None, array: str) -> tuple[Any, Array, Array]:
    """The record, times (m,) ascending and values (m, n) of the rows that can be used. Raises DataError."""
    data = series.data if isinstance(series, Series) else series
    if not isinstance(data, Spectrum | Chi):
        raise DataError(f"phase_sensitive takes Spectrum, Normalized or Chi, not {type(data).__name__}")
    arrays = _arrays(data)
    name, array = name_of(data), array or arrays[0]
    if array not in arrays:
        raise DataError(
            f"{name}: a {type(data).__name__} has {', '.join(arrays)} to be demodulated, not {array!r}"
        )
    values = np.asarray(getattr(data, array), float)
    if values.ndim != 2:
        raise DataError(f"{name} is not a stack of rows (m, n); a modulation is seen in a series only")
    if time is None and isinstance(series, Series) and "time" in series.table:
        time = series.table["time"].to_numpy(float)
    t = np.full(len(values), np.nan) if time is None else np.asarray(time, float)
    if t.shape != values.shape[:1]:
        raise DataError(f"{name}: {t.size} times for {len(values)} rows; give one per row")
    good = np.isfinite(t) & np.isfinite(values).all(axis=1)
    if isinstance(series, Series):
        good &= series.ok
    if not np.isfinite(t).any():
        raise DataError(
            f"{name}: the rows have no times; give time=, in s, or a Series whose table has a column time"
        )
    order = np.flatnonzero(good)[np.argsort(t[good], kind="stable")]
    if order.size < 2:
        raise DataError(f"{name}: {order.size} rows can be used; a modulation needs many")
    return data, t[order], values[order]


def _axis(data: Spectrum | Chi, y: Array, fit_range: tuple[float, float] | None) -> tuple[str, Array, Array]:
    axis = "k" if isinstance(data, Chi) else "energy"
    x = np.asarray(getattr(data, axis), float)
    if fit_range is None:
        return axis, x, y
    inside = (x >= fit_range[0]) & (x <= fit_range[1])
    if not inside.any():
        raise ReductionError(
            f"{name_of(data)}: no point from {fit_range[0]:g} to {fit_range[1]:g}; {axis} goes from {x[0]:g} to {x[-1]:g}"
        )
    return axis, x[inside], y[:, inside]


def _onto(
    onto: Mapping[str, Array], x: Array, y: Array, data: Spectrum | Chi
) -> tuple[str, Array, tuple[str, ...], Array]:
    """Rows as amounts (m, c) of known changes on the whole axis of the data. Raises DataError, ReductionError."""
    whole = np.asarray(data.k if isinstance(data, Chi) else data.energy, float)
    shapes = [np.asarray(v, float) for v in onto.values()]
    for name, shape in zip(onto, shapes, strict=True):
        if shape.shape != whole.shape or not np.isfinite(shape).all():
            raise DataError(
                f"the change {name!r} must be {whole.size} finite numbers, one at each point of {name_of(data)}"
            )
    inside = np.isin(whole, x)
    matrix = np.stack([s[inside] for s in shapes], axis=1)
    if np.linalg.matrix_rank(matrix) < len(shapes):
        raise ReductionError(
            f"the changes {', '.join(onto)} cannot be distinguished: one is a sum of the others"
        )
    return "change", np.arange(len(shapes), dtype=float), tuple(onto), y @ np.linalg.pinv(matrix).T


@dataclass(frozen=True, eq=False)
class _Design:
    """The complete periods of a series: the rows of each and its least-squares solution."""

    t: Array  # s from the mean of the rows
    phase: Array  # of the stimulus, rad
    period: float
    harmonics: tuple[int, ...]
    drift: Drift
    rows: tuple[Any, ...]
    solvers: tuple[Array, ...]  # the pseudo-inverse of each period
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, t: Array, start: float, period: float, harmonics: tuple[int, ...], drift: Drift, skip: int, name: str
    ) -> _Design:  # fmt: skip
        """The periods that can be used. Raises ReductionError when they are fewer than two."""
        gap = float(np.median(np.diff(t)))
        room = min(ROOM * gap, 0.4 * period)  # with three rows per period they are a third of it apart
        first = int(np.ceil((t[0] - room - start) / period - 1e-9)) + skip
        end = int(np.floor((t[-1] + room - start) / period + 1e-9))
        if end - first < 2:
            after = f" after the {skip} skipped" if skip else ""
            raise ReductionError(
                f"{name}: rows from {t[0]:g} to {t[-1]:g} s hold {max(end - first, 0)} complete periods of {period:g} s{after}; "
                "errors need two or more"
            )
        number = np.floor((t - start) / period + 1e-9).astype(int)
        phase = 2 * np.pi * (t - start) / period
        rows: list[Any] = []
        solvers: list[Array] = []
        refused: list[str] = []
        for p in range(first, end):
            at = np.flatnonzero(number == p)
            x = columns(phase[at], harmonics, drift == "period")
            why = _fault(x, at.size, harmonics)
            if why:
                refused.append(f"the period from {start + p * period:g} s has {at.size} rows: {why}")
                continue
            rows.append(at)
            solvers.append(np.asarray(np.linalg.pinv(x), float))
        if len(rows) < 2:
            raise ReductionError(f"{name}: {refused[0]}")
        notes = [f"{len(refused)} of {end - first} periods are left out; {refused[0]}"] if refused else []
        outside = t.size - np.count_nonzero((number >= first) & (number < end))
        if outside:
            notes.append(f"{outside} rows outside the complete periods{' or in skipped ones' if skip else ''} are not used")  # fmt: skip
        return cls(t - t.mean(), phase, period, harmonics, drift, tuple(rows), tuple(solvers), tuple(notes))

    def detect(self, y: Array, theta: Array) -> dict[str, Any]:
        """Amplitudes, phases and errors of values (m, n), and the curves at the angles theta (a,) in degrees."""
        used = np.concatenate(self.rows)
        y, rate, slope_var = self._without_drift(y, used)
        fits = [inverse @ y[at] for inverse, at in zip(self.solvers, self.rows, strict=True)]
        leaks = [inverse @ self.t[at] for inverse, at in zip(self.solvers, self.rows, strict=True)]
        if self.drift == "period":
            rate = np.mean([f[1] for f in fits], axis=0) * 2 * np.pi / self.period
        p = len(fits)
        out = [self._harmonic(j, fits, leaks, slope_var, np.deg2rad(theta)) for j in range(len(self.harmonics))]  # fmt: skip
        found = {n: np.stack([o[n] for o in out]) for n in out[0] if n != "variance"}
        between, within = np.mean([o["variance"] for o in out], axis=0), self._within(y, fits)
        ratio = between[within > 0] / within[within > 0]
        return found | {
            "mean": np.mean([y[at].mean(axis=0) for at in self.rows], axis=0), "drift_rate": rate,
            "dof": 2 * (p - 1), "rows_used": used.size, "excess": float(np.sqrt(ratio.mean())) if ratio.size else np.nan,
        }  # fmt: skip

    def _without_drift(self, y: Array, used: Any) -> tuple[Array, Array, float]:
        """Values without the slope of the run, that slope per second (n,), and its variance for rows with noise of 1."""
        if self.drift != "run":
            return y, np.zeros(y.shape[1]), 0.0
        x = columns(self.phase[used], self.harmonics, True)
        inverse = np.linalg.pinv(x)
        scale = 2 * np.pi / self.period
        rate = inverse[1] @ y[used] * scale
        return y - np.outer(self.t, rate), rate, float(inverse[1] @ inverse[1]) * scale**2

    def _harmonic(
        self, j: int, fits: list[Array], leaks: list[Array], slope_var: float, theta: Array
    ) -> dict[str, Any]:
        """The results of harmonic j. `shape` (2, 2) is the covariance of the mean for noise of 1; the scatter gives the noise."""
        from scipy.special import fdtrc

        at = slice(1 + (self.drift == "period") + 2 * j, 3 + (self.drift == "period") + 2 * j)
        z = np.stack([f[at] for f in fits])  # (p, 2, n): sine and cosine
        one = np.mean([s[at] @ s[at].T for s in self.solvers], axis=0)
        leak = np.mean([k[at] for k in leaks], axis=0)
        shape = one / len(fits) + slope_var * np.outer(leak, leak)
        mean = z.mean(axis=0)
        off = z - mean
        variance = np.einsum("pan,ab,pbn->n", off, np.linalg.inv(one), off) / (2 * (len(fits) - 1))
        sd = np.sqrt(variance)
        size, phi = np.hypot(*mean), np.arctan2(mean[1], mean[0])
        along = sd * _length(shape, phi)
        across = sd * _length(shape, phi + np.pi / 2)
        amplitude = np.sqrt(np.maximum(size**2 - across**2, 0.0))
        tiny = np.finfo(float).tiny
        f = np.einsum("an,ab,bn->n", mean, np.linalg.inv(shape), mean) / (2 * np.maximum(variance, tiny))
        p_value = fdtrc(2, 2 * (len(fits) - 1), f)
        with np.errstate(divide="ignore", invalid="ignore"):
            phase_err = np.where((p_value <= SEEN) & (amplitude > 0), np.rad2deg(across / amplitude), np.nan)
        return {
            "amplitude": amplitude, "amplitude_err": along, "phase": np.rad2deg(phi), "phase_err": phase_err,
            "p_value": p_value, "response": mean[0] + 1j * mean[1], "periods": z[:, 0] + 1j * z[:, 1],
            "demodulated": np.outer(np.cos(theta), mean[0]) + np.outer(np.sin(theta), mean[1]),
            "demodulated_err": np.outer(_length(shape, theta), sd), "variance": variance,
        }  # fmt: skip

    def _within(self, y: Array, fits: list[Array]) -> Array:
        """The variance (n,) of a row about the fit of its period; 0 where no degree of freedom is left.

        The sum of squares is divided by two less than the degrees of freedom, so that the mean ratio to it is 1 for noise alone.
        """
        squares, free = np.zeros(y.shape[1]), 0
        for at, f in zip(self.rows, fits, strict=True):
            x = columns(self.phase[at], self.harmonics, self.drift == "period")
            squares += ((y[at] - x @ f) ** 2).sum(axis=0)
            free += at.size - x.shape[1]
        return squares / (free - 2) if free > 2 else 0 * squares


def columns(phase: Array, harmonics: Sequence[int], slope: bool) -> Array:
    """The design matrix (rows, columns): 1, the time if a slope is fitted, then sine and cosine of each harmonic."""
    parts = [np.ones(phase.size)]
    parts += [phase - phase.sum() / max(phase.size, 1)] if slope else []
    parts += [f(h * phase) for h in harmonics for f in (np.sin, np.cos)]
    return np.stack(parts, axis=1)


def _length(shape: Array, angle: Array) -> Array:
    """The standard error along directions (n,) of a vector whose covariance is `shape` (2, 2)."""
    u = np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(np.sqrt(np.einsum("an,ab,bn->n", u, shape, u)))


def _fault(x: Array, n: int, harmonics: tuple[int, ...]) -> str:
    """Why the rows of a period do not determine its harmonics, "" where they do."""
    top = harmonics[-1]
    if n <= 2 * top or n < x.shape[1]:
        need = max(2 * top + 1, x.shape[1])
        return f"harmonic {top} needs {need} or more, with fewer it cannot be told from another harmonic; take faster scans or lower harmonics"
    if np.linalg.matrix_rank(x) == x.shape[1]:
        own = slice(x.shape[1] - 2 * len(harmonics), None)
        covariance = np.linalg.inv(x.T @ x)[own, own]
        if np.sqrt(np.linalg.eigvalsh(covariance)[-1] * n / 2) <= UNEVEN:
            return ""
    return (
        "their times lie so unevenly in the period that they do not determine "
        f"harmonic{'s' if len(harmonics) > 1 else ''} {', '.join(map(str, harmonics))}; check the period and the missing rows"
    )
