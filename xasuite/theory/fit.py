"""A structure fitted to a XANES: spectra computed on a grid of geometries, interpolated, with a posterior.

The error of the theory is larger than the noise, correlated along the spectrum, and of unknown size. It is integrated
out: with n independent points (the range over the resolution) and S the residual sum of squares, the posterior is
proportional to S^(-n/2). It is computed on a grid of geometries, each with the best shift and scale.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import TheoryError
from ..feff.crystal import Crystal
from ..records import Array, Spectrum, frozen_array
from .broadening import broadening_matrix
from .comparison import GAUSS, RANGE, SHIFTS, measured_grid
from .xanes import LIMITS, Progress, theory_xanes

_FINE = {1: 201, 2: 41, 3: 17}  # points per axis of the interpolated grid, by number of axes
# A parameter is not determined where its standard deviation is more than this share of the flat prior's.
_FLAT = 0.7
_SHIFT_STEP = 0.25  # eV


@dataclass(frozen=True, eq=False)
class StructureGrid:
    """Spectra mu (..., n) on energy (n,) over a grid of geometric parameters (names, axes)."""

    label: str
    names: tuple[str, ...]
    axes: tuple[Array, ...]
    energy: Array
    mu: Array
    gamma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(frozen_array(a) for a in self.axes))
        object.__setattr__(self, "energy", frozen_array(self.energy))
        object.__setattr__(self, "mu", frozen_array(self.mu))

    def at(self, **values: float) -> Array:
        """The spectrum (n,) at a geometry, interpolated. Raises TheoryError outside the grid."""
        point = []
        for name, axis in zip(self.names, self.axes, strict=True):
            value = values.get(name, float(np.mean(axis)))
            if not axis[0] - 1e-9 <= value <= axis[-1] + 1e-9:
                raise TheoryError(
                    f"{self.label}: {name} = {value:g} lies outside the computed grid, {axis[0]:g} to {axis[-1]:g}"
                )
            point.append(value)
        return _interpolate(self, np.array([point]))[0]


@dataclass(frozen=True, eq=False)
class ModelFit:
    """The posterior of one model: density on the fine axes; best value, mean, error and whether determined by name."""

    label: str
    names: tuple[str, ...]
    axes: tuple[Array, ...]
    density: Array
    best: Mapping[str, float]
    mean: Mapping[str, float]
    stderr: Mapping[str, float]
    determined: Mapping[str, bool]
    rfactor: float
    probability: float

    def marginal(self, name: str) -> tuple[Array, Array]:
        """Values and probability density of one parameter."""
        i = self.names.index(name)
        axis = self.axes[i]
        p = self.density.sum(axis=tuple(j for j in range(len(self.names)) if j != i))
        return axis, p / np.trapezoid(p, axis)


@dataclass(frozen=True)
class StructureFit:
    """The models in the order of their probability, what XANES does not determine, and the limits."""

    models: tuple[ModelFit, ...]
    n_independent: float
    sentences: tuple[str, ...]
    limits: tuple[str, ...] = LIMITS

    @property
    def best(self) -> ModelFit:
        """The most probable model."""
        return self.models[0]


def move(crystal: Crystal, atoms: Sequence[int], to: float, *, origin: int = 0) -> Crystal:
    """A cluster with some atoms moved along their bond to the distance `to` (A) from the atom `origin`.

    Raises TheoryError for a crystal, whose symmetry that would break.
    """
    from dataclasses import replace

    if crystal.lattice is not None:
        raise TheoryError(f"{crystal.name}: bonds are set in clusters; give an xyz file")
    xyz = np.array(crystal.xyz)
    for i in atoms:
        away = xyz[i] - xyz[origin]
        xyz[i] = xyz[origin] + away * to / np.linalg.norm(away)
    return replace(crystal, xyz=xyz)


def compute_grid(
    build: Callable[..., Crystal],
    axes: Mapping[str, Sequence[float]],
    *,
    absorber: str,
    label: str,
    progress: Progress | None = None,
    **settings: object,
) -> StructureGrid:
    """Spectra at every point of a grid of geometries; each is stored in the cache.

    Parameters
    ----------
    build : callable
        Makes the structure from keyword arguments named as the axes.
    axes : mapping
        Rising values (two or more) of each parameter; at most three parameters.
    absorber : str
        The absorbing element.
    label : str
        Name of the model.
    progress : callable, optional
        Called with the name of the step, steps done and steps in all.
    **settings
        As for `theory_xanes`.

    Returns
    -------
    StructureGrid
        mu (..., n) on one energy grid.

    Raises
    ------
    TheoryError
        Axes that do not rise, or too many.

    Examples
    --------
    >>> from xasuite.feff import Lattice
    >>> def copper(a):
    ...     return xs.load_crystal(Lattice("F m -3 m", a, ("Cu",), ((0, 0, 0),)))
    >>> grid = compute_grid(copper, {"a": (3.55, 3.65)}, absorber="Cu", label="fcc", radius=3.0, scf=False)
    >>> grid.mu.shape[0]
    2
    """
    if not 1 <= len(axes) <= 3 or any(len(v) < 2 or (np.diff(v) <= 0).any() for v in axes.values()):
        raise TheoryError(
            f"{label}: a grid needs one to three parameters with two or more rising values each"
        )
    names, values = tuple(axes), tuple(np.asarray(v, float) for v in axes.values())
    rows = []
    total = int(np.prod([len(v) for v in values]))
    theory = None
    for done, point in enumerate(itertools.product(*values)):
        theory = theory_xanes(build(**dict(zip(names, point, strict=True))), absorber=absorber, **settings)  # type: ignore[arg-type]
        rows.append(theory.mu)
        if progress is not None:
            progress(f"grid of {label}", done + 1, total)
    assert theory is not None
    mu = np.array(rows).reshape(*(len(v) for v in values), -1)
    return StructureGrid(label, names, values, theory.energy, mu, theory.gamma)


def fit_structure(
    grids: StructureGrid | Sequence[StructureGrid],
    measured: Spectrum,
    *,
    fit_range: tuple[float, float] = RANGE,
    gauss: float = GAUSS,
) -> StructureFit:
    """Geometry from a XANES: posterior over each grid's parameters and over the grids.

    Parameters
    ----------
    grids : StructureGrid or sequence of it
        One model or several, all equally probable beforehand, parameters uniform over their grids.
    measured : Spectrum or Normalized
        A Spectrum is normalised with the default settings.
    fit_range : tuple of float
        eV from the measured E0.
    gauss : float
        Gaussian sigma, eV.

    Returns
    -------
    StructureFit
        The models in the order of their probability, and which parameters are not determined.

    Raises
    ------
    TheoryError
        No grid, or grids of another absorber.
    RangeError
        The measured spectrum does not cover the range.

    Examples
    --------
    >>> from xasuite.feff import Lattice
    >>> def copper(a):
    ...     return xs.load_crystal(Lattice("F m -3 m", a, ("Cu",), ((0, 0, 0),)))
    >>> grid = compute_grid(copper, {"a": (3.55, 3.60, 3.65)}, absorber="Cu", label="fcc", radius=3.0, scf=False)
    >>> energy = 8979.0 + np.arange(-200.0, 300.0, 0.5)
    >>> mu = np.interp(energy - 8979.0, grid.energy, grid.mu[1])
    >>> made = xs.normalize(xs.Spectrum(energy, mu, "Cu", "K"), e0=8979.0, norm_range=(60, 290))
    >>> len(fit_structure(grid, made).models)
    1
    """
    models = [grids] if isinstance(grids, StructureGrid) else list(grids)
    if not models:
        raise TheoryError("no grid to fit; compute one with compute_grid")
    energy, data = measured_grid(measured, fit_range)
    resolution = float(np.hypot(max(g.gamma for g in models), 2.355 * gauss))
    independent = (fit_range[1] - fit_range[0]) / resolution
    results = []
    for grid in models:
        fine, points = _fine(grid)
        squares = _squares(grid, points, energy, data, gauss).reshape([len(a) for a in fine])
        results.append((grid, fine, squares))
    least = min(float(s.min()) for *_, s in results)
    weights = [(s / least) ** (-independent / 2) for *_, s in results]
    evidence = np.array([float(w.mean()) for w in weights])
    evidence /= evidence.sum()
    total = float((data**2).sum())
    found = [
        _model(g, fine, s, w, float(p), total)
        for (g, fine, s), w, p in zip(results, weights, evidence, strict=True)
    ]
    found.sort(key=lambda m: -m.probability)
    return StructureFit(tuple(found), independent, tuple(_sentences(found)))


def _fine(grid: StructureGrid) -> tuple[tuple[Array, ...], Array]:
    count = _FINE[len(grid.names)]
    axes = tuple(np.linspace(a[0], a[-1], count) for a in grid.axes)
    return axes, np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)


def _interpolate(grid: StructureGrid, points: Array) -> Array:
    from scipy.interpolate import RegularGridInterpolator

    # Cubic needs four points on every axis; between fewer, spectra are taken to change linearly.
    method = "cubic" if min(len(a) for a in grid.axes) >= 4 else "linear"
    return np.asarray(RegularGridInterpolator(grid.axes, grid.mu, method=method)(points))


def _squares(grid: StructureGrid, points: Array, energy: Array, data: Array, gauss: float) -> Array:
    """Sum of squares (m,) at each geometry, the best over shift and scale."""
    curves = _interpolate(grid, points) @ broadening_matrix(grid.energy, gauss, 0.0).T
    step = grid.energy[1] - grid.energy[0]
    best = np.full(len(points), np.inf)
    for shift in np.arange(SHIFTS[0], SHIFTS[1] + 1e-9, _SHIFT_STEP):
        at = np.clip((energy - shift - grid.energy[0]) / step, 0, len(grid.energy) - 1.001)
        i = at.astype(int)
        w = at - i
        shape = curves[:, i] * (1 - w) + curves[:, i + 1] * w
        left = (data**2).sum() - (shape @ data) ** 2 / (shape**2).sum(1)
        best = np.minimum(best, left)
    return best


def _model(
    grid: StructureGrid,
    fine: tuple[Array, ...],
    squares: Array,
    weight: Array,
    probability: float,
    total: float,
) -> ModelFit:
    p = weight / weight.sum()
    where = np.unravel_index(int(squares.argmin()), squares.shape)
    best, mean, stderr, determined = {}, {}, {}, {}
    for i, (name, axis) in enumerate(zip(grid.names, fine, strict=True)):
        marginal = p.sum(axis=tuple(j for j in range(p.ndim) if j != i))
        best[name] = float(axis[where[i]])
        mean[name] = float(marginal @ axis)
        stderr[name] = float(np.sqrt(marginal @ (axis - mean[name]) ** 2))
        determined[name] = stderr[name] < _FLAT * (axis[-1] - axis[0]) / np.sqrt(12)
    return ModelFit(
        grid.label,
        grid.names,
        fine,
        frozen_array(p),
        best,
        mean,
        stderr,
        determined,
        float(squares.min()) / total,
        probability,
    )


def _sentences(models: Sequence[ModelFit]) -> list[str]:
    """What the fit determines and what it does not, in sentences."""
    out = []
    if len(models) > 1:
        first, second = models[0], models[1]
        if first.probability >= 0.95:
            out.append(
                f"{first.label} is distinguished from {second.label}: probability {first.probability:.3f}"
            )
        else:
            out.append(
                f"XANES cannot tell {first.label} from {second.label}: probabilities {first.probability:.2f} and "
                f"{second.probability:.2f}"
            )
    for model in models:
        for name in model.names:
            low, high = model.axes[model.names.index(name)][[0, -1]]
            if model.determined[name]:
                out.append(f"{model.label}: {name} = {model.mean[name]:.3f} +- {model.stderr[name]:.3f}")
            else:
                out.append(f"{model.label}: XANES cannot tell {name} between {low:g} and {high:g}")
    return out
