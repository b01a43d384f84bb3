"""Pre-edge line, post-edge polynomial, edge step, normalised and flattened mu."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._larch import checks
from ..choices import METHODS, Method
from ..errors import RangeError, ReductionError
from ..records import Array, Normalized, Spectrum, Step, name_of, sealed
from .edge import find_e0
from .edge_step import MISFIT, EdgeShape, atomic_lines, atomic_ranges, edge_shape, misfit
from .lines import polynomial_lines
from .norm_ranges import Range, Ranges, ranges
from .stacks import checked, per_row, plain, recast, takes_series

# An edge step below this many standard deviations of the pre-edge about its line is not an edge
EDGE_ABOVE_NOISE = 3.0
_ROWS = 512  # rows processed together


@takes_series
def normalize(
    spectrum: Spectrum,
    *,
    e0: float | Array | None = None,
    pre_range: Range | None = None,
    norm_range: Range | None = None,
    nnorm: int | None = None,
    method: Method | None = None,
) -> Normalized:
    """A spectrum with E0, edge step, pre- and post-edge lines, normalised and flattened mu.

    norm = (mu - pre_edge) / edge_step; flat is norm without the slope and curvature of the post-edge above E0.
    `edge_step_error` gives the error of the step. See docs/decisions/normalisation.md and edge_step.md.

    Parameters
    ----------
    spectrum : Spectrum
        mu (..., n) on energy (n,) in eV.
    e0 : float or array, optional
        E0 in eV, one number or one per row (...); by default that of `find_e0`.
    pre_range : tuple of float, optional
        Range of the pre-edge in eV from e0; by default the method chooses it. The range that was used is in the
        last Step of the history.
    norm_range : tuple of float, optional
        Range of the post-edge in eV from e0; by default the method chooses it. The range that was used is in the
        last Step of the history.
    nnorm : int, optional
        Order of the post-edge polynomial (0-5); by default 2, or 1 for a range below 300 eV, 0 below 30 eV.
    method : str, optional
        "atomic": the step from the shape of the tabulated cross section (needs the element), which depends least on
        the end of the scan. "polynomial": Larch's method, with Larch's ranges unless they are given. "mback": a
        match to the tabulated f'' (Weng et al. 2005). By default "polynomial" if a range or nnorm is given, else
        "atomic"; where that is not possible, "polynomial" with a note that says why.

    Returns
    -------
    Normalized
        edge_step (...) and e0 (...), one per row; norm and flat (..., n) are 1 far above the edge.

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        E0 outside the scan, or empty ranges.
    ReductionError
        No edge, or mu upside down.

    Examples
    --------
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> norm = xs.normalize(spectrum, norm_range=(100, 800))
    >>> abs(float(norm.edge_step) - 1.0) < 0.02
    True
    """
    energy, _ = checked(spectrum)
    what, lead = name_of(spectrum), spectrum.lead
    if method not in (None, *METHODS):
        raise ReductionError(f"method = {method!r} is not one of {', '.join(METHODS)}")
    if method == "atomic" and nnorm is not None:
        raise ReductionError(
            f"{what}: nnorm belongs to the polynomial method; leave it out with method = 'atomic'"
        )
    found = e0 is None
    e0s = find_e0(spectrum) if e0 is None else per_row(e0, lead, "e0", what)
    checks.inside(e0s, energy[1], energy[-2], "E0", what, "eV")
    notes = spectrum.notes
    if method is None and (pre_range, norm_range, nnorm) == (None, None, None):
        method, why = atomic_or_not(spectrum, e0s)
        notes += (
            (f"edge step by polynomial ranges, not by the tabulated cross section: {why}",) if why else ()
        )
    method = method or "polynomial"
    shape = shape_of(spectrum) if method == "atomic" else None
    each, which = np.unique(np.ravel(e0s), return_inverse=True)
    per_e0 = {
        e: ranges(energy, e, pre_range, norm_range, nnorm, what)
        if shape is None
        else atomic_ranges(energy, e, shape, pre_range, norm_range, what)
        for e in map(float, each)
    }
    chosen = [*per_e0.values()]  # row i has chosen[which[i]]
    how: dict[str, Any] = {"method": method, "ranges_given": norm_range is not None}
    mu, flat_e0 = spectrum.mu.reshape(-1, energy.size), np.ravel(e0s)
    if shape is not None:
        lines = _atomic(energy, mu, flat_e0, per_e0, shape)
        how["misfit"] = plain(lines.pop("misfit"))
    elif method == "polynomial":
        lines = polynomial_lines(energy, mu, flat_e0, per_e0)
    else:
        lines = _mback(spectrum, mu, flat_e0, [chosen[i] for i in which])
    parts = {name: sealed(v.reshape(lead + v.shape[1:])) for name, v in lines.items()} | {"e0": e0s}
    _check_edge(energy, spectrum.mu, parts, e0s, (chosen, which), what)
    settings = {"e0": plain(parts["e0"]), "e0_found": found, **how, **_shown(chosen, which)}
    return recast(
        Normalized, spectrum, **parts, notes=notes, history=(*spectrum.history, Step("normalize", settings))
    )


def atomic_or_not(spectrum: Spectrum, e0: Array | float) -> tuple[Method, str]:
    """The default method of normalisation for a spectrum, or for a whole stack, and the reason if it is not "atomic".

    It is "polynomial" for an unknown edge, for a scan that is too short, and where the pre-edge (the median of a stack) does not
    follow the tabulated curve.
    """
    energy, mu = spectrum.energy, spectrum.mu.reshape(-1, spectrum.energy.size)
    e0s = np.broadcast_to(e0, spectrum.lead).ravel()
    try:
        shape = shape_of(spectrum)
        per_e0 = {float(e): atomic_ranges(energy, float(e), shape) for e in np.unique(e0s)}
    except (ReductionError, RangeError) as exc:
        return "polynomial", str(exc).removeprefix(f"{name_of(spectrum)}: ")
    off = float(np.median(_atomic(energy, mu, e0s, per_e0, shape)["misfit"]))
    if not off <= MISFIT:
        return "polynomial", f"the pre-edge lies {off:.1%} of the edge step off it, above {MISFIT:.1%}"
    return "atomic", ""


def _mback(spectrum: Spectrum, mu: Array, e0s: Array, chosen: list[Ranges]) -> dict[str, Array]:
    """edge_step (m,) and lines (m, n) by MBACK, row by row through Larch."""
    from .._larch.reduction import mback_norm

    energy, z, rows = spectrum.energy, _atomic_number(spectrum), []
    for row, e0, r in zip(mu, e0s, chosen, strict=True):
        out = mback_norm(
            energy, row, z=z, edge=spectrum.edge or "K", e0=float(e0), pre_range=r.pre_range,
            norm_range=r.norm_range, nnorm=r.nnorm, what=name_of(spectrum),
        )  # fmt: skip
        rows.append(out | {"flat": _flatten(energy, float(e0), out)})
    return {n: np.stack([r[n] for r in rows]) for n in ("edge_step", "pre_edge", "post_edge", "norm", "flat")}


def _flatten(energy: Array, e0: float, out: dict[str, Array]) -> Array:
    """norm, above E0 minus the difference between the post-edge and its value at E0 (as Larch's pre_edge does)."""
    at = int(np.argmin(np.abs(energy - e0)))
    departure = (out["post_edge"] - out["pre_edge"]) / out["edge_step"]
    return np.where(np.arange(energy.size) < at, out["norm"], out["norm"] - departure + departure[at])


def _atomic_number(spectrum: Spectrum) -> int:
    import xraydb

    if not spectrum.element:
        raise ReductionError(f'{name_of(spectrum)}: MBACK needs the element; read with element="Co"')
    try:
        return int(xraydb.atomic_number(spectrum.element))
    except ValueError:
        raise ReductionError(f"{name_of(spectrum)}: {spectrum.element!r} is no element") from None


def shape_of(spectrum: Spectrum) -> EdgeShape:
    """The tabulated shape of a spectrum's edge. Raises ReductionError when the element is not known."""
    if not spectrum.element:
        raise ReductionError(
            f'{name_of(spectrum)}: an edge step by tabulated cross sections needs the element; read with element="Co"'
        )
    return edge_shape(spectrum.element, (spectrum.edge or "K").upper())


def _atomic(
    energy: Array, mu: Array, e0s: Array, per_e0: dict[float, Ranges], shape: EdgeShape
) -> dict[str, Array]:
    """The lines (m, n), edge_step and misfit (m,) of the atomic method; rows with one E0 share their matrices."""
    out: dict[str, Array] = {name: np.empty(mu.shape) for name in ("pre_edge", "post_edge", "norm", "flat")}
    out |= {"edge_step": np.empty(len(mu)), "misfit": np.empty(len(mu))}
    for e0, r in per_e0.items():
        at = np.flatnonzero(e0s == e0)
        lines = atomic_lines(energy, mu[at], e0, r, shape)
        for name, value in lines.items():
            out[name][at] = value
        out["misfit"][at] = misfit(energy, lines["norm"], e0, r, shape)
    return out


def _check_edge(
    energy: Array, mu: Array, parts: dict[str, Any], e0s: Array,
    ranges_of: tuple[list[Ranges], NDArray[np.intp]], what: str,
) -> None:  # fmt: skip
    """Raises ReductionError when the step is negative (upside down) or is lost in the pre-edge's noise."""
    n, stacked = energy.size, mu.ndim > 1
    steps, rows, flat_e0 = np.ravel(parts["edge_step"]), mu.reshape(-1, n), np.ravel(e0s)
    pres = np.reshape(parts["pre_edge"], (-1, n))
    posts = np.reshape(parts["post_edge"], (-1, n))
    noise = np.empty(steps.size)
    chosen, which = ranges_of
    low, high = (flat_e0 + np.array([r.pre_range[end] for r in chosen])[which] for end in (0, 1))
    here = np.clip(np.searchsorted(energy, flat_e0), 1, n - 1)
    here = here - (flat_e0 - energy[here - 1] <= energy[here] - flat_e0)  # the nearest point
    if len(chosen) == 1:
        low, high = low[:1], high[:1]  # one for all rows
    # only the points that belong to the pre-edge of any row
    below = slice(*np.searchsorted(energy, [low.min(), high.max() + 1e-9]))
    for i in range(0, steps.size, _ROWS):
        at = slice(i, i + _ROWS)
        ends = at if low.size > 1 else slice(1)
        inside = (energy[below] >= low[ends, None]) & (energy[below] <= high[ends, None])
        off = np.where(inside, rows[at, below] - pres[at, below], 0.0)
        count = inside.sum(axis=1)
        noise[at] = np.sqrt(np.maximum((off**2).sum(axis=1) / count - (off.sum(axis=1) / count) ** 2, 0.0))
    # the step itself may be an absolute value without a sign
    each = np.arange(steps.size)
    gap = posts[each, here] - pres[each, here]
    bad = np.flatnonzero(~(gap > 0) | (steps < EDGE_ABOVE_NOISE * noise))
    if not bad.size:
        return
    i = int(bad[0])
    where = f"{what}, row {i}" if stacked else what
    if not gap[i] > 0:
        raise ReductionError(
            f"{where}: mu falls at E0 {flat_e0[i]:g} eV (by {-gap[i]:.3g}); swap the channels of the "
            "ratio, or give e0 and ranges that hold the edge"
        )
    raise ReductionError(
        f"{where}: no edge at E0 {flat_e0[i]:g} eV, the step {steps[i]:.3g} is under {EDGE_ABOVE_NOISE:g} times "
        f"the pre-edge's scatter {noise[i]:.3g}"
    )


def _shown(chosen: list[Ranges], which: NDArray[np.intp]) -> dict[str, Any]:
    """The ranges for the history: one set if all rows share it, else one per row."""
    if len(set(chosen)) == 1:
        return vars(chosen[0])
    return {name: tuple(getattr(chosen[i], name) for i in which) for name in vars(chosen[0])}
