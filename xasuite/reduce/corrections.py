"""Corrections of fluorescence data: over-absorption, dead time of the detector, weighted mean of its elements.

Each correction adds a note and keeps the relative error that it adds to an amplitude (`amplitude_err` in its Step;
`correction_error` gives their sum). See docs/decisions/fluorescence.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from ..constants import KTOE
from ..errors import ReductionError
from ..records import Array, Chi, Normalized, Scan, Spectrum, Step, name_of
from ..scatter import point_noise
from .edge import find_e0
from .edge_step import edge_shape
from .merging import merge
from .normalization import normalize
from .stacks import recast

# The strongest line of each edge's hole
LINES: Mapping[str, str] = {"K": "Ka", "L3": "La", "L2": "Lb1", "L1": "Lb3"}
EDGE_SIDE = 10.0  # eV below and above the edge where Fluo takes the cross sections
CROSS_SECTION_ERR = 0.03  # of a ratio of tabulated absorptions away from edges (Elam, Ravel and Sieber 2002)
ANGLE_ERR = 1.0  # degrees, of each angle
DEAD_TIME_ERR = 0.1  # relative error of a detector's dead time
_NEWTON = 30
_DEAD = float(np.exp(-1.0))  # largest rate times dead time that a paralysable detector shows


@dataclass(frozen=True)
class Geometry:
    """A sample and the geometry of its measurement: chemical formula, and the angles (degrees) of beam and detector to its surface.

    `thickness` is in micrometre, `density` in g/cm^3. Without them the sample is so thick that it absorbs the whole beam.
    """

    formula: str
    angle_in: float = 45.0
    angle_out: float = 45.0
    thickness: float | None = None
    density: float | None = None

    def __post_init__(self) -> None:
        for name in ("angle_in", "angle_out"):
            if not 0 < getattr(self, name) <= 90:
                raise ReductionError(f"{name} = {getattr(self, name):g} is not above 0 and up to 90 degrees")
        if (self.thickness is None) != (self.density is None):
            raise ReductionError(
                "over-absorption of a thin sample needs thickness (um) and density (g/cm^3), both"
            )

    def absorption(self, energy: Array) -> Array:
        """Total absorption (n,) at energy (n,) in eV: in cm^2/g, or in 1/cm where the density is given."""
        import xraydb

        found = xraydb.material_mu(self.formula, np.asarray(energy, float), density=self.density or 1.0)
        return np.asarray(found, float)

    def seen(self, element: str, edge: str) -> float:
        """Absorption of the fluorescence on its way out, per unit length of the beam's way in."""
        import xraydb

        line = xraydb.xray_line(element, LINES[edge]).energy
        ratio = np.sin(np.deg2rad(self.angle_in)) / np.sin(np.deg2rad(self.angle_out))
        return float(ratio * self.absorption(np.array([line]))[0])

    def own(self, element: str, edge: str, energy: Array) -> Array:
        """The part (n,) of `absorption` that comes from the absorber's edge, above that edge."""
        import xraydb

        counts = _atoms(self.formula)
        mass = sum(n * xraydb.atomic_mass(e) for e, n in counts.items())
        share = counts[element] * xraydb.atomic_mass(element) / mass
        shape = edge_shape(element, edge)
        jump, lower = shape.parts(energy - shape.e0)
        of_edge = xraydb.mu_elam(element, energy, kind="photo") * jump / (jump + lower)
        return np.asarray(share * (self.density or 1.0) * of_edge, float)


def _atoms(formula: str) -> dict[str, float]:
    """The atoms of a formula by element. Raises ReductionError for what is no formula of tabulated elements."""
    import xraydb

    try:
        xraydb.material_mu(formula, 1e4, density=1.0)  # fails for an element that the tables lack
        return dict(xraydb.chemparse(formula))
    except (ValueError, LookupError, ArithmeticError):
        raise ReductionError(f"formula = {formula!r} is no chemical formula such as Fe2O3") from None


@overload
def correct_overabsorption(data: Normalized, geometry: Geometry) -> Spectrum: ...
@overload
def correct_overabsorption(data: Chi, geometry: Geometry) -> Chi: ...
def correct_overabsorption(data: Normalized | Chi, geometry: Geometry) -> Spectrum | Chi:
    """Correct a fluorescence spectrum or chi(k) for over-absorption.

    Parameters
    ----------
    data : Normalized or Chi
        For a Normalized the XANES is corrected, for an infinitely thick sample (Haskel's FLUO, as in Larch's
        fluo_corr). For a Chi the amplitude is corrected, for a sample of any thickness (Booth and Bridges 2005).
    geometry : Geometry
        Composition, angles and thickness.

    Returns
    -------
    Spectrum or Chi
        A Spectrum must be normalised again. The last Step holds the factor for a small chi 100 eV above the
        edge and its relative error `amplitude_err`; a note says both.

    Raises
    ------
    ReductionError
        Absorber not in the formula, a thin sample for XANES, or an edge without a fluorescence line.

    Examples
    --------
    >>> from xasuite.reduce import Geometry, correct_overabsorption
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> measured = 0.05 * np.sin(5.0 * k) * np.exp(-0.016 * k**2)
    >>> chi = xs.Chi(k=k, chi=measured, e0=8979.0, edge_step=1.0, element="Cu", edge="K")
    >>> foil = Geometry("Cu", angle_in=45.0, angle_out=45.0, thickness=4.0, density=8.96)
    >>> bool(np.abs(correct_overabsorption(chi, foil).chi).max() > np.abs(measured).max())
    True
    """
    element, edge = data.element, (data.edge or "K").upper()
    if element not in _atoms(geometry.formula) or edge not in LINES:
        raise ReductionError(
            f"{name_of(data)}: over-absorption at the {element} {edge} edge of {geometry.formula}: name the sample's "
            f"formula, with the absorber, and an edge of {', '.join(LINES)}"
        )
    factor, error = _factor(geometry, element, edge)
    note = (
        f"over-absorption taken off: {geometry.formula}, {geometry.angle_in:g} degrees in, {geometry.angle_out:g} out, "
        + ("thick" if geometry.thickness is None else f"{geometry.thickness:g} um")
        + f"; amplitudes just above the edge times {factor:.3f}, with a relative error of {error:.3f}"
    )
    settings = {"geometry": geometry, "factor": factor, "amplitude_err": error}
    said: dict[str, Any] = {
        "notes": (*data.notes, note), "history": (*data.history, Step("correct_overabsorption", settings)),
    }  # fmt: skip
    if isinstance(data, Chi):
        return replace(data, chi=_booth(data, geometry, element, edge), **said)
    if geometry.thickness is not None:
        raise ReductionError(
            f"{name_of(data)}: XANES is corrected for a thick sample only; correct its chi(k)"
        )
    return recast(Spectrum, data, mu=_fluo(data, geometry, element, edge), **said)


def _fluo(data: Normalized, geometry: Geometry, element: str, edge: str) -> Array:
    """mu (..., n) corrected for the self-absorption that comes from the edge."""
    e0 = edge_shape(element, edge).e0
    below, above = geometry.absorption(np.array([e0 - EDGE_SIDE, e0 + EDGE_SIDE]))
    alpha = (geometry.seen(element, edge) + below) / (above - below)
    return data.mu * alpha / (alpha + 1 - data.norm)


@dataclass(frozen=True, eq=False)
class _Signal:
    """Fluorescence of a sample at energies (n,): the edge's absorption, all absorption, the beam's way through it."""

    own: Array
    all: Array
    way: float

    @classmethod
    def of(cls, geometry: Geometry, element: str, edge: str, energy: Array) -> _Signal:
        way = np.inf
        if geometry.thickness is not None:
            way = 1e-4 * geometry.thickness / float(np.sin(np.deg2rad(geometry.angle_in)))
        both = geometry.absorption(energy) + geometry.seen(element, edge)
        return cls(geometry.own(element, edge, energy), both, way)

    def relative(self, chi: Array) -> tuple[Array, Array]:
        """The chi (..., n) that fluorescence shows for the true `chi`, and its derivative by the true one."""
        here = self.all + self.own * chi
        lost = np.exp(-here * self.way) if np.isfinite(self.way) else np.zeros_like(here)
        whole = (1 - (np.exp(-self.all * self.way) if np.isfinite(self.way) else 0.0)) / self.all
        seen = (1 + chi) * (1 - lost) / here / whole
        way = self.way if np.isfinite(self.way) else 0.0
        slope = (
            (1 - lost) / here + (1 + chi) * self.own * (way * lost / here - (1 - lost) / here**2)
        ) / whole
        return seen - 1, slope


def _booth(data: Chi, geometry: Geometry, element: str, edge: str) -> Array:
    """The true chi (..., nk) that gives the measured fluorescence, by Newton's method."""
    signal = _Signal.of(geometry, element, edge, edge_shape(element, edge).e0 + KTOE * data.k**2)
    chi = np.array(data.chi)
    with np.errstate(all="ignore"):  # the steps diverge where no such chi exists
        for _ in range(_NEWTON):
            seen, slope = signal.relative(chi)
            step = (data.chi - seen) / slope
            chi = chi + step
            if np.nanmax(np.abs(step)) < 1e-12:  # rows of a series that failed are nan
                return chi
    raise ReductionError(
        f"{name_of(data)}: no chi(k) has this fluorescence over {geometry.formula}: the signal is larger than a "
        "sample so absorbing can give; look at the formula and the angles"
    )


def amplitude_factor(k: Array, geometry: Geometry, element: str, edge: str) -> Array:
    """The factor at k (nk,) in 1/A that corrects a small chi for over-absorption (Booth and Bridges 2005)."""
    signal = _Signal.of(geometry, element, edge, edge_shape(element, edge).e0 + KTOE * k**2)
    return np.asarray(1 / signal.relative(np.zeros_like(k))[1])


def amplitude_error(geometry: Geometry, element: str, edge: str) -> float:
    """The relative standard error of `amplitude_factor`, from the errors of angles and of tabulated absorption."""
    return _factor(geometry, element, edge)[1]


def _factor(geometry: Geometry, element: str, edge: str) -> tuple[float, float]:
    """The factor for a small chi 100 eV above the edge, and its relative error from angles and tabulated absorption."""
    energy = np.array([edge_shape(element, edge).e0 + 100.0])

    def of(g: Geometry, scale: float = 1.0) -> float:
        s = _Signal.of(g, element, edge, energy)
        return float(1 / _Signal(s.own * scale, s.all, s.way).relative(np.zeros(1))[1][0])

    here = of(geometry)
    moved = [of(geometry, 1 + CROSS_SECTION_ERR)]
    for name in ("angle_in", "angle_out"):
        angle = getattr(geometry, name)
        turn = -ANGLE_ERR if angle > 2 * ANGLE_ERR else ANGLE_ERR
        moved.append(of(replace(geometry, **{name: angle + turn})))
    return here, float(np.hypot.reduce([m / here - 1 for m in moved]))


def correct_deadtime(
    scan: Scan, channels: Sequence[str], *, rates: Sequence[str], tau: float, model: str = "paralysable"
) -> Scan:
    """The scan with fluorescence channels as a detector without dead time would have counted them.

    Parameters
    ----------
    scan : Scan
        Counts (n,) by channel.
    channels : sequence of str
        Names of the channels that are corrected.
    rates : sequence of str
        Names of the channels with the measured input count rate (1/s): one for each of `channels`, or one for all.
    tau : float
        Dead time, s.
    model : str
        "paralysable": measured = true exp(-true tau); "nonparalysable": true = measured / (1 - measured tau).

    Returns
    -------
    Scan
        The corrected scan. `meta["deadtime_err"]` is the relative error of an amplitude: the effect of 10 % of the dead
        time on the ratio of the largest to the smallest factor of the scan.

    Raises
    ------
    ChannelError
        No such channel.
    ReductionError
        A rate that a detector with this dead time cannot show.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> energy = np.arange(8800.0, 9800.0, 2.0)
    >>> mu = 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi
    >>> counts = {n: 1e5 * mu * (1 + rng.normal(0, 1e-3, mu.size)) for n in ("f1", "f2")}
    >>> scan = xs.Scan(energy, {"i0": np.full(mu.size, 1e6), "rate": 1e4 * mu, **counts}, "Cu", "K", mu_expr="f1/i0")
    >>> from xasuite.reduce import correct_deadtime
    >>> fixed = correct_deadtime(scan, ["f1"], rates=["rate"], tau=1e-6)
    >>> bool((fixed.channels["f1"] > scan.channels["f1"]).all())
    True
    """
    names = list(rates) * len(channels) if len(rates) == 1 else list(rates)
    if len(names) != len(channels):
        raise ReductionError(
            f"{name_of(scan)}: {len(channels)} channels and {len(names)} rates; give one each, or one"
        )
    changed, spread = dict(scan.channels), []
    for channel, rate in zip(channels, names, strict=True):
        busy = scan.channel(rate) * tau
        factor = _live(busy, model, f"{name_of(scan)}: {rate}")
        changed[channel] = scan.channel(channel) * factor
        spread.append(DEAD_TIME_ERR * (float(np.max(factor) / np.min(factor)) - 1))
    error = max(spread)
    note = f"dead time of {tau:g} s ({model}) taken off {', '.join(channels)}, with a relative error of {error:.3f}"
    return replace(
        scan, channels=changed, notes=(*scan.notes, note), meta={**scan.meta, "deadtime_err": error}
    )


def _live(busy: Array, model: str, what: str) -> Array:
    """The true rate over the measured rate (n,); `busy` (n,) is the measured rate times the dead time."""
    if model not in ("paralysable", "nonparalysable"):
        raise ReductionError(f"model = {model!r} is not one of paralysable, nonparalysable")
    limit = _DEAD if model == "paralysable" else 1.0
    if not ((busy >= 0) & (busy < limit)).all():
        raise ReductionError(
            f"{what}: rate times dead time reaches {np.nanmax(busy):.2f}, above the {limit:.2f} that a {model} detector "
            "shows; look at the dead time (s) and the rate (1/s)"
        )
    if model == "nonparalysable":
        return 1 / (1 - busy)
    from scipy.special import lambertw

    safe = np.maximum(busy, 1e-300)
    return np.where(busy > 0, -lambertw(-safe).real / safe, 1.0)


def merge_elements(
    scan: Scan, channels: Sequence[str], *, i0: str = "i0", weights: Sequence[float] | None = None
) -> Spectrum:
    """One spectrum from the elements of a fluorescence detector: the weighted mean of their normalised mu.

    Parameters
    ----------
    scan : Scan
        Counts (n,) by channel.
    channels : sequence of str
        The elements' channels, two or more.
    i0 : str
        The channel that each is divided by.
    weights : sequence of float, optional
        One weight per channel; by default the inverse variance of each element's normalised mu (from third
        differences above the edge), so that the weight follows the ratio of edge step to noise and not the counts.

    Returns
    -------
    Spectrum
        mu (n,) is normalised; mu_err is the standard deviation of the mean, from the scatter of the elements (see `merge`).

    Raises
    ------
    ChannelError
        No such channel.
    ReductionError
        An element of the detector without an edge.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> energy = np.arange(8800.0, 9800.0, 2.0)
    >>> mu = 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi
    >>> counts = {n: 1e5 * mu * (1 + rng.normal(0, 1e-3, mu.size)) for n in ("f1", "f2")}
    >>> scan = xs.Scan(energy, {"i0": np.full(mu.size, 1e6), "rate": 1e4 * mu, **counts}, "Cu", "K", mu_expr="f1/i0")
    >>> from xasuite.reduce import merge_elements
    >>> merge_elements(scan, ["f1", "f2"]).mu_err is not None
    True
    """
    first = scan.mu(f"{channels[0]} / {i0}")
    ratios = np.stack([scan.channel(f"{name} / {i0}") for name in channels])
    e0 = float(find_e0(replace(first, energy=scan.energy, mu=ratios.sum(axis=0))))
    elements = normalize(replace(first, energy=scan.energy, mu=ratios), e0=e0)
    if weights is None:
        noise = point_noise(elements.norm[:, scan.energy > e0])
        weights = (1 / np.maximum(noise, 1e-12) ** 2).tolist()
    merged = merge(elements, weights=weights, on="norm", label=scan.label)
    return replace(merged, notes=(*first.notes, *merged.notes))


def correction_error(data: Spectrum | Chi) -> float:
    """The relative standard error that the corrections of a record add to its amplitudes.

    Parameters
    ----------
    data : Spectrum or Chi
        A record with its history.

    Returns
    -------
    float
        0.01 is one per cent; 0 where nothing was corrected.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> from xasuite.reduce import correction_error
    >>> correction_error(spectrum)
    0.0
    """
    found = [
        float(step.settings["amplitude_err"]) for step in data.history if "amplitude_err" in step.settings
    ]
    return float(np.hypot.reduce([0.0, *found, float(data.meta.get("deadtime_err", 0.0))]))
