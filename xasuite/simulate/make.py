"""mu(E) of known truth, one spectrum or a series of thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..constants import KTOE
from ..errors import DataError
from ..records import OK, Array, Series, Shown, Source, Spectrum, frozen_array
from . import atomic
from . import noise as noise_
from .atomic import Setup
from .truth import TruthPath, chi_of_energy, chi_of_k, rows_of

_BLOCK = 1000


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of a simulated spectrum: paths, e0 and edge step () or (m,), noise, and chi (..., nk) on k (nk,).

    `sigma_mu` is the standard deviation of white noise in mu, `glitches` the indices of the bad points of each row.
    """

    paths: tuple[TruthPath, ...]
    e0: Array
    edge_step: Array
    k: Array
    chi: Array
    setup: Setup
    seeds: tuple[int, ...]
    epsilon_k: Array | None = None
    sigma_mu: Array | None = None
    counts: Array | None = None
    glitches: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Simulated(Shown):
    """A Spectrum or a Series of spectra, and its truth."""

    spectrum: Any
    truth: Truth


def spectrum(
    paths: Sequence[TruthPath],
    *,
    element: str,
    edge: str = "K",
    noise: float | None = None,
    counts: float | None = None,
    seed: int = 0,
    e0: float | None = None,
    edge_step: float = 1.0,
    kmax: float = 14.0,
    energy: ArrayLike | None = None,
    setup: Setup | None = None,
    label: str = "simulated",
) -> Simulated:
    """mu(E) of the paths given, with background, edge and noise.

    Parameters
    ----------
    paths : sequence of TruthPath
        Every path of the truth.
    element, edge : str
        The absorber.
    noise : float, optional
        Gaussian noise that is white in mu, by its standard deviation epsilon_k in chi(k).
    counts : float, optional
        Photons before the sample at each energy, for Poisson noise instead of `noise`.
    seed : int
        Seed of noise and glitches; the same seed gives the same spectrum.
    e0 : float, optional
        Energy of k = 0 in eV; by default the tabulated edge.
    edge_step : float
        Edge step that `normalize` finds.
    kmax : float
        End of the scan, 1/A.
    energy : array, shape (n,), optional
        Energies in eV; by default `scan_grid` to `kmax`.
    setup : Setup, optional
        Sample and beamline.
    label : str
        Name of the spectrum.

    Returns
    -------
    Simulated
        Its spectrum is a Spectrum whose mu_err is the noise; its truth holds the values it was made from.

    Raises
    ------
    DataError
        No path, both kinds of noise, or energies that do not cover the edge.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> first = xs.simulate.shell(paths, "Cu", n=12, r=2.55, sigma2=0.008)
    >>> made = xs.simulate.spectrum(first, element="Cu", noise=3e-4)
    >>> made.spectrum.element
    'Cu'
    """
    if rows_of(paths, edge_step, (setup or Setup()).drift) is not None:
        raise DataError("the truth has values for several rows; simulate.series makes them")
    made = _make(paths, element, edge, noise, counts, (seed,), e0, edge_step, kmax, energy, setup, label)
    return replace(made, spectrum=made.spectrum.take(0))


def series(
    paths: Sequence[TruthPath],
    *,
    element: str,
    edge: str = "K",
    rows: int | None = None,
    table: Mapping[str, Sequence[Any]] | Any = None,
    noise: float | Array | None = None,
    counts: float | Array | None = None,
    seed: int | Sequence[int] = 0,
    e0: float | Array | None = None,
    edge_step: float | Array = 1.0,
    kmax: float = 14.0,
    energy: ArrayLike | None = None,
    setup: Setup | None = None,
    label: str = "simulated",
) -> Simulated:
    """A Series of mu(E) whose values change from row to row: any of the paths' values, E0, edge step, noise or drift.

    Parameters
    ----------
    paths : sequence of TruthPath
        Every path of the truth; each value a number or one per row (m,).
    element, edge : str
        The absorber.
    rows : int, optional
        m, where no other value has rows.
    table : mapping, optional
        Columns (m,) of the series' table (time in s, ...).
    noise, counts : float or array, shape (m,), optional
        As for `spectrum`.
    seed : int or sequence of int
        Row i has seed + i, or the i-th of several seeds, and equals `spectrum` with its values and seed.
    e0, edge_step : float or array, shape (m,)
        As for `spectrum`.
    kmax : float
        End of the scan, 1/A.
    energy : array, shape (n,), optional
        Energies in eV.
    setup : Setup, optional
        Sample and beamline.
    label : str
        Name of the series.

    Returns
    -------
    Simulated
        Its spectrum is a Series of one Spectrum (m, n).

    Raises
    ------
    DataError
        Values of different lengths.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> grows = xs.simulate.shell(paths, "Cu", n=np.array([4.0, 8.0, 12.0]), r=2.55, sigma2=0.008)
    >>> len(xs.simulate.series(grows, element="Cu", noise=1e-3).spectrum)
    3
    """
    import pandas as pd

    setup = setup or Setup()
    seeds = None if isinstance(seed, int) else tuple(int(s) for s in seed)
    beside = pd.DataFrame(table) if table is not None else None
    lengths = (None if x is None else len(x) for x in (beside, seeds))
    of_values = rows_of(paths, e0, edge_step, noise, counts, setup.drift)
    sizes = {int(s) for s in (rows, *lengths, of_values) if s is not None}
    if len(sizes) != 1:
        raise DataError(
            f"a series of {', '.join(map(str, sorted(sizes)))} rows at once; values, table, rows and seeds must agree"
            if sizes
            else "a series needs its number of rows: rows=, a table, or values that are arrays"
        )
    m = sizes.pop()
    chosen = tuple(range(seed, seed + m)) if isinstance(seed, int) else seeds
    assert chosen is not None
    made = _make(paths, element, edge, noise, counts, chosen, e0, edge_step, kmax, energy, setup, label)
    if beside is None:
        beside = pd.DataFrame(index=range(m))
    if "label" not in beside:
        beside = beside.assign(label=[f"{label} {i}" for i in range(m)])
    return replace(made, spectrum=Series(made.spectrum, beside, (OK,) * m, ("",) * m, label=label))


def _make(
    paths: Sequence[TruthPath],
    element: str,
    edge: str,
    noise: float | Array | None,
    counts: float | Array | None,
    seeds: tuple[int, ...],
    e0: float | Array | None,
    edge_step: float | Array,
    kmax: float,
    energy: ArrayLike | None,
    setup: Setup | None,
    label: str,
) -> Simulated:
    """A stack (m, n): mu without noise, then noise and glitches of each row from its own seed."""
    setup = setup or Setup()
    paths = tuple(paths)
    if noise is not None and counts is not None:
        raise DataError("noise is stated as epsilon_k or in counts, not both")
    m = len(seeds)
    nominal, _ = atomic.tabulated_edge(element, edge)
    edge_at = np.broadcast_to(np.asarray(nominal if e0 is None else e0, float), (m,))
    step = np.broadcast_to(np.asarray(edge_step, float), (m,))
    if not np.all(step > 0):
        raise DataError("the edge step of a simulation must be positive")
    grid = atomic.scan_grid(float(edge_at[0]), kmax) if energy is None else np.asarray(energy, float)
    _check_grid(grid, edge_at)
    mu = _clean(paths, grid, edge_at, step, element, edge, setup)
    generators = [np.random.default_rng(s) for s in seeds]
    mu, mu_err, spread = _noisy(mu, grid, edge_at, step, noise, counts, generators)
    where: tuple[tuple[int, ...], ...] = ()
    if setup.glitches:
        off, where = noise_.glitches((m, grid.size), step, setup.glitches, generators)
        mu = mu + off
    k = noise_.KSTEP * np.arange(
        int(np.sqrt((grid[-1] - edge_at.max()) / KTOE) / noise_.KSTEP) + 1, dtype=float
    )
    truth = Truth(
        paths=paths,
        e0=frozen_array(edge_at if e0 is not None and np.ndim(e0) else edge_at[0]),
        edge_step=frozen_array(step if np.ndim(edge_step) else step[0]),
        k=frozen_array(k),
        chi=frozen_array(chi_of_k(paths, k)),
        setup=setup,
        seeds=seeds,
        epsilon_k=None if noise is None else frozen_array(noise),
        sigma_mu=None if spread is None else frozen_array(spread),
        counts=None if counts is None else frozen_array(counts),
        glitches=where,
    )
    record = Spectrum(
        energy=grid,
        mu=mu,
        mu_err=mu_err,
        element=element,
        edge=edge,
        label=label,
        notes=("simulated",),
        source=Source(path="simulated", format="simulated"),
    )
    return Simulated(record, truth)


def _check_grid(grid: Array, e0: Array) -> None:
    if grid.ndim != 1 or grid.size < 50 or not np.all(np.diff(grid) > 0):
        raise DataError("the energies of a simulation must be one ascending row of at least 50 points")
    if not (grid[0] < e0.min() - 30 and grid[-1] > e0.max() + 40):
        raise DataError(
            f"the energies of the simulation, {grid[0]:.0f} to {grid[-1]:.0f} eV, do not span the edge at {e0[0]:.0f} eV "
            "by 30 eV below and 40 eV above"
        )


def _clean(
    paths: tuple[TruthPath, ...], grid: Array, e0: Array, step: Array, element: str, edge: str, setup: Setup
) -> Array:
    """mu (m, n) without noise, computed in blocks of rows to limit memory."""
    drift = np.broadcast_to(setup.drift, e0.shape)
    made = []
    for i in range(0, e0.size, _BLOCK):
        b = slice(i, i + _BLOCK)
        own = tuple(p.take(b) for p in paths)
        mu = _block(own, grid, e0[b], step[b], element, edge, replace(setup, drift=drift[b]))
        made.append(np.broadcast_to(mu, (e0[b].size, grid.size)))
    return np.concatenate(made) if len(made) > 1 else made[0]


def _block(
    paths: tuple[TruthPath, ...], grid: Array, e0: Array, step: Array, element: str, edge: str, setup: Setup
) -> Array:
    # The whole spectrum moves with e0 and with the drift of the recorded energy.
    shift = (e0 - e0[0]) + setup.drift
    same = bool(np.all(shift == shift[0]))
    moved = e0[0] + (shift[:1] if same else shift)
    base, factor = atomic.background(grid, moved, element, edge, setup)
    chi = chi_of_energy(paths, grid - e0[0], shift[0] if same else shift, setup.resolution, setup.onset)
    chi = np.atleast_2d(chi)
    if setup.relative_to == "atomic":
        return np.asarray(step[:, None] * (base + factor * chi))
    # The step is linear in mu while e0 and the ranges stand: with step(base)/scale + step(chi) = 1 normalize finds it.
    plain, both = (_step(mu, grid, moved, element, edge, setup) for mu in (base, base + chi))
    scale = (plain / (1 - (both - plain)))[:, None]
    return np.asarray(step[:, None] * (base / scale + chi))


def _step(mu: Array, grid: Array, e0: Array, element: str, edge: str, setup: Setup) -> Array:
    from ..reduce import normalize

    stack = Spectrum(energy=grid, mu=mu, element=element, edge=edge, label="simulated")
    return np.asarray(normalize(stack, e0=np.broadcast_to(e0, (len(mu),)), **setup.normalization).edge_step)


def _noisy(
    mu: Array,
    grid: Array,
    e0: Array,
    step: Array,
    noise: float | Array | None,
    counts: float | Array | None,
    generators: list[np.random.Generator],
) -> tuple[Array, Array | None, Array | None]:
    """mu with noise, its standard deviation (m, n), and that of white noise as stated."""
    m = len(generators)
    if counts is not None:
        return *noise_.counted(mu, np.broadcast_to(counts, (m,)), generators), None
    if noise is None or not np.any(noise):
        return mu, None, None
    sigma = np.broadcast_to(noise_.sigma_mu(noise, grid, float(e0[0]), step), (m,))
    drawn = np.stack([g.standard_normal(grid.size) for g in generators])
    err = np.broadcast_to(sigma[:, None], mu.shape)
    return mu + sigma[:, None] * drawn, err, sigma if np.ndim(noise) or np.ptp(step) else sigma[0]
