"""One curve of each of several records on one pair of axes, new or given by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ...records import Chi, Normalized, Scan, Spectrum, Transform
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 12  # curves that a legend is written for


@dataclass(frozen=True)
class Curve:
    """A curve that records of some types have: x, y for a k weight, and the labels of both axes."""

    of: tuple[type, ...]
    x: Callable[[Any], Any]
    y: Callable[[Any, int], Any]
    xlabel: str
    ylabel: Callable[[Any, int], str]


CURVES: Mapping[str, Curve] = {
    "mu": Curve((Spectrum,), lambda s: s.energy, lambda s, w: s.mu, style.ENERGY, lambda s, w: "μ(E)"),
    "norm": Curve((Normalized,), lambda s: s.energy, lambda s, w: s.norm, style.ENERGY, lambda s, w: style.NORM),
    "flat": Curve((Normalized,), lambda s: s.energy, lambda s, w: s.flat, style.ENERGY, lambda s, w: "Flattened μ(E)"),
    "derivative": Curve(
        (Normalized,), lambda s: s.energy, lambda s, w: np.gradient(s.norm, s.energy, axis=-1), style.ENERGY,
        lambda s, w: "dμ/dE of the normalised μ(E) (1/eV)",
    ),
    "chi": Curve((Chi,), lambda c: c.k, lambda c, w: c.chi * c.k**w, style.K, lambda c, w: style.chik_label(w)),
    "chir": Curve(
        (Transform,), lambda t: t.r, lambda t, w: t.magnitude, style.R, lambda t, w: style.chir_label(t.kweight)
    ),
}  # fmt: skip
USUAL = {"Scan": "mu", "Spectrum": "mu", "Normalized": "norm", "Chi": "chi", "Transform": "chir"}


@style.style()
def plot_overlay(
    records: Iterable[Any],
    *,
    kind: str | None = None,
    ax: Axes | None = None,
    kweight: int = 2,
    offset: float = 0.0,
    xlim: tuple[float, float] | None = None,
) -> Figure:
    """One curve of each record on one pair of axes.

    Parameters
    ----------
    records : records of one kind; a stack gives one curve per row.
    kind : "mu", "norm", "flat", "derivative" (of the normalised), "chi" or "chir"; left out, the record's usual one.
    ax : matplotlib axes to draw on; left out, a new figure.
    kweight : power of k that chi(k) is multiplied with.
    offset : vertical offset from curve to curve, in the unit of the y axis.
    xlim : range of the x axis.

    Returns the Figure. Raises DataError for a kind that the records do not have.
    """
    whole = (r.mu() if isinstance(r, Scan) and kind in (None, "mu") else r for r in records)
    found = [row for record in whole for row in record.rows()]
    if not found:
        raise DataError("there is no record to plot")
    name = kind or USUAL.get(type(found[0]).__name__, "")
    if name not in CURVES:
        raise DataError(f"kind = {kind!r} is no curve; there are {', '.join(CURVES)}")
    curve = CURVES[name]
    for record in found:
        if not isinstance(record, curve.of):
            own = ", ".join(n for n, c in CURVES.items() if isinstance(record, c.of)) or "no curve to overlay"
            raise DataError(f"{record.label}: a {type(record).__name__} has no {name}; it has {own}")
    if ax is None:
        _, ax = style.panels(1, 1, style.COLUMN, 2.6)
    for i, record in enumerate(found):
        ax.plot(curve.x(record), curve.y(record, kweight) + i * offset, label=record.label or f"{i + 1}")
    ax.set(xlabel=curve.xlabel, ylabel=curve.ylabel(found[0], kweight))
    if xlim is not None:
        ax.set_xlim(*xlim)
    if 1 < len(found) <= MOST_NAMED:
        ax.legend()
    return ax.figure  # type: ignore[return-value]  # a SubFigure where the caller's axes are in one
