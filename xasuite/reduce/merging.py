"""Scans of one sample averaged, with the standard deviation that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from .._larch import checks
from ..choices import Align
from ..errors import DataError, ReductionError
from ..notices import warn
from ..records import Array, Normalized, Scan, Series, Source, Spectrum, Step, name_of
from .edge import find_e0
from .energy import align as align_to
from .stacks import checked

On = Literal["mu", "norm"]
UNALIGNED = 0.5  # eV; a larger spread of E0 broadens the edge of the merged scan


def merge(
    spectra: Sequence[Spectrum | Scan] | Spectrum | Series,
    *,
    align: Align = "none",
    weights: Sequence[float] | Literal["mu_err"] | None = None,
    energy: Array | None = None,
    on: On = "mu",
    label: str = "",
) -> Spectrum:
    """The weighted mean of scans, with its standard deviation in mu_err (n,).

    mu_err is the standard deviation of the mean: the weighted scatter of the scans about it (N - 1), over the root
    of the effective number of scans (sum w)^2 / sum w^2, which is in the last Step. A mu_err of the scans is used
    for weights only, because the scatter already contains it.

    Parameters
    ----------
    spectra : sequence of Spectrum or Scan or Spectrum or Series
        Two or more spectra or scans, a stack (..., n), or a Series (its ok rows).
    align : str
        "reference", "mu" or "auto" first align the scans to the energy scale of the first one (see `align`);
        "none" uses their energies as they are.
    weights : sequence of float or str, optional
        One number per scan, or "mu_err" for the inverse variance of each point; by default all are equal.
    energy : array, optional
        Common grid (m,) in eV within all scans; by default the energies of the first scan that all scans cover.
        Scans on other energies are interpolated (cubic).
    on : str
        "mu", or "norm" for scans of different thickness or gain (Normalized only).
    label : str
        Label of the result.

    Returns
    -------
    Spectrum
        On the common grid; a note names the merged scans, the last Step holds the weights.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    ReductionError
        Fewer than two scans, scans of different edges, unusable weights, or no edge.

    Warns
    -----
    XasuiteWarning
        When the E0 of the scans differ by more than 0.5 eV.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> merged = xs.merge([spectrum, spectrum, spectrum])
    >>> merged.mu_err is not None
    True
    """
    scans = _scans(spectra)
    shifts = [0.0] * len(scans)
    if align != "none":
        moved = [align_to(s, scans[0], use=align) for s in scans[1:]]
        scans, shifts = [scans[0], *(m.spectrum for m in moved)], [0.0, *(float(m.shift) for m in moved)]
    if on not in ("mu", "norm"):
        raise ReductionError(f"on = {on!r} is not one of mu, norm")
    if on == "norm" and not all(isinstance(s, Normalized) for s in scans):
        raise ReductionError('merge on = "norm" needs normalised spectra; normalize them first')
    _same_edge(scans)
    grid = _grid(scans, energy)
    values = np.stack([_on_grid(s, s.norm if on == "norm" else s.mu, grid) for s in scans])  # type: ignore[attr-defined]
    w = _weights(scans, weights, grid)
    w = w / w.sum(axis=0)
    mean = (w * values).sum(axis=0)
    effective = 1 / (w**2).sum(axis=0)
    # the weighted mean square about the weighted mean is too small by the factor 1 - sum w^2
    scatter2 = (w * (values - mean) ** 2).sum(axis=0) / (1 - (w**2).sum(axis=0))
    _warn_unaligned(scans)
    settings = {
        "n": len(scans), "labels": tuple(name_of(s) for s in scans), "on": on, "align": align, "shifts": tuple(shifts),
        "weights": "equal" if weights is None else weights if isinstance(weights, str) else tuple(map(float, weights)),
        "effective": float(effective.mean()), "sources": tuple(str(s.source) for s in scans),
    }  # fmt: skip
    first = scans[0]
    return Spectrum(
        energy=grid,
        mu=mean,
        mu_err=np.sqrt(scatter2 / effective),
        reference=_reference(scans, w, grid),
        element=first.element,
        edge=first.edge,
        label=label or f"merge of {len(scans)}",
        notes=(
            *dict.fromkeys(note for s in scans for note in s.notes),
            f"merged {len(scans)} scans, {name_of(first)} to {name_of(scans[-1])}",
        ),
        meta=first.meta,
        source=first.source if len({s.source.path for s in scans}) == 1 else Source(),
        history=(*first.history, Step("merge", settings)),
    )


def _scans(spectra: Sequence[Spectrum | Scan] | Spectrum | Series) -> list[Spectrum]:
    if isinstance(spectra, Series):
        found = [spectra.row(int(i)) for i in np.flatnonzero(spectra.ok)]
    else:
        stacks = [spectra] if isinstance(spectra, Spectrum) else spectra
        found = [row for s in stacks for row in (s.mu() if isinstance(s, Scan) else s).rows()]
    if len(found) < 2:
        raise ReductionError(f"a merge needs two spectra or more, found {len(found)}: one has no scatter")
    return found


def _same_edge(scans: list[Spectrum]) -> None:
    edges = {(s.element, s.edge) for s in scans if s.element}
    if len(edges) > 1:
        shown = ", ".join(sorted(f"{element} {edge}" for element, edge in edges))
        raise ReductionError(f"scans of different edges cannot be merged: {shown}")


def _grid(scans: list[Spectrum], energy: Array | None) -> Array:
    for s in scans:
        checked(s)
    low, high = max(s.energy[0] for s in scans), min(s.energy[-1] for s in scans)
    if energy is not None:
        grid = checks.axis(np.asarray(energy, float), "energy", "merge")
        checks.inside(grid, low, high, "the grid", "merge", "eV")
        return grid
    first = scans[0].energy
    grid = first[(first >= low) & (first <= high)]
    if grid.size < checks.MIN_POINTS:
        raise DataError(f"the {len(scans)} scans share {grid.size} points only ({low:g} to {high:g} eV)")
    return grid


def _on_grid(scan: Spectrum, values: Array, grid: Array, order: int = 3) -> Array:
    from scipy.interpolate import make_interp_spline

    if scan.energy.shape == grid.shape and np.array_equal(scan.energy, grid):
        return values
    return make_interp_spline(scan.energy, values, k=order)(grid)


def _reference(scans: list[Spectrum], w: Array, grid: Array) -> Array | None:
    """The weighted mean of the references, if every scan has one."""
    found = [s.reference for s in scans]
    if any(r is None or not np.isfinite(r).all() for r in found):
        return None
    on_grid = [_on_grid(s, r, grid) for s, r in zip(scans, found, strict=True) if r is not None]
    return (w * np.stack(on_grid)).sum(axis=0)


def _weights(scans: list[Spectrum], weights: Sequence[float] | str | None, grid: Array) -> Array:
    """Weights (scans, n or 1). Raises ReductionError."""
    if weights is None:
        return np.ones((len(scans), 1))
    if isinstance(weights, str):
        if weights != "mu_err":
            raise ReductionError(f'weights = {weights!r}: give numbers, or "mu_err"')
        missing = [name_of(s) for s in scans if s.mu_err is None or not (s.mu_err > 0).all()]
        if missing:
            raise ReductionError(f"weights by mu_err: {missing[0]} has no mu_err above zero")
        return np.stack([_on_grid(s, s.mu_err, grid, order=1) for s in scans]) ** -2.0  # type: ignore[arg-type]
    w = np.asarray(weights, float)
    if w.shape != (len(scans),) or not np.isfinite(w).all() or (w < 0).any() or np.count_nonzero(w) < 2:
        raise ReductionError(f"weights must be {len(scans)} numbers, none negative, at least two above zero")
    return w[:, None]


def _warn_unaligned(scans: list[Spectrum]) -> None:
    e0s = [float(find_e0(s)) for s in scans]
    if np.ptp(e0s) > UNALIGNED:
        warn(
            f"E0 of the {len(scans)} merged scans spans {np.ptp(e0s):.2f} eV; align them before merging",
        )
