"""Spectra as rows of one matrix on one energy grid, for LCF, PCA, MCR-ALS and isosbestic points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ComponentError
from ..records import Array, Normalized, Series
from .positions import noise_of

ARRAYS = ("norm", "flat")


@dataclass(frozen=True, eq=False)
class Matrix:
    """Rows (m, n) on `energy` (n,) eV, their labels, the noise of a point of each row (m,), element and edge."""

    energy: Array
    rows: Array
    labels: tuple[str, ...]
    noise: Array
    element: str = ""
    edge: str = ""


def matrix(
    records: Normalized | Series | Sequence[Normalized],
    *,
    energy_range: tuple[float, float] | None = None,
    grid: Array | None = None,
    array: str = "norm",
) -> Matrix:
    """Normalised spectra as a matrix; several records are interpolated onto the grid of the first.

    Parameters
    ----------
    records : a Normalized (..., n), a Series of it (rows that are not "ok" are left out), or several
    energy_range : range in eV to keep, absolute
    grid : energies (n,) in eV to interpolate onto
    array : "norm" or "flat"

    Raises ComponentError when the range holds fewer than five points or reaches beyond a spectrum.
    """
    if array not in ARRAYS:
        raise ComponentError(f"array = {array!r} is unknown; choose norm or flat")
    parts = _parts(records, array)
    if not parts:
        raise ComponentError("there is no spectrum to work on")
    e = parts[0][0] if grid is None else np.asarray(grid, float)
    low, high = (float(e[0]), float(e[-1])) if energy_range is None else energy_range
    whole = e
    e = e[(e >= low) & (e <= high)]
    if e.size < 5:
        raise ComponentError(
            f"{low:g} to {high:g} eV holds {e.size} points of {parts[0][2]}, which runs from {whole[0]:.1f} to "
            f"{whole[-1]:.1f} eV; choose a wider range, in eV and not from E0"
        )
    for x, _, label, _ in parts:
        if x[0] > e[0] + 1e-6 or x[-1] < e[-1] - 1e-6:
            raise ComponentError(
                f"{label} runs from {x[0]:.1f} to {x[-1]:.1f} eV and does not cover {e[0]:.1f} to "
                f"{e[-1]:.1f} eV; choose a narrower range"
            )
    first = records.data if isinstance(records, Series) else records
    one = first if isinstance(first, Normalized) else first[0]
    rows = np.array([np.interp(e, x, y) for x, y, _, _ in parts])
    _, _, labels, noise = zip(*parts, strict=True)
    return Matrix(e, rows, labels, np.array(noise), one.element, one.edge)


def _parts(
    records: Normalized | Series | Sequence[Normalized], array: str
) -> list[tuple[Array, Array, str, float]]:
    if isinstance(records, Series):
        good, table = records.take(records.ok), records.table
        names = good.table["label"] if "label" in table else np.flatnonzero(records.ok)
        return _rows(good.data, array, [str(x) for x in names])
    if isinstance(records, Normalized):
        flat = np.atleast_2d(getattr(records, array)).shape[0]
        name = records.label or str(records.source)
        return _rows(records, array, [name] if flat == 1 else [f"{name} {i + 1}" for i in range(flat)])
    return [p for r in records for p in _parts(r, array)]


def _rows(record: Normalized, array: str, labels: list[str]) -> list[tuple[Array, Array, str, float]]:
    values = np.asarray(getattr(record, array)).reshape(-1, record.energy.size)
    e0 = np.broadcast_to(np.asarray(record.e0), record.norm.shape[:-1]).reshape(-1)
    noise = noise_of(record.energy, values, e0 - 15.0)
    return [(record.energy, y, n, float(s)) for y, n, s in zip(values, labels, noise, strict=True)]


def independent_points(m: Matrix) -> float:
    """Number of independent points: the energy range over the core-hole width, at most the number of points.

    Points closer than the core-hole width (xraydb; Keski-Rahkonen & Krause) are not independent: a test that counted
    every point would call the smallest misfit significant.
    """
    width = 1.0
    if m.element and m.edge:
        import xraydb

        try:
            width = float(xraydb.core_width(m.element, m.edge) or 1.0)
        except ValueError:
            width = 1.0
    return float(min(m.energy.size, max((m.energy[-1] - m.energy[0]) / width, 3.0)))
