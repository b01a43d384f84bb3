"""Pre-edge line, post-edge polynomial, edge step, normalised and flattened mu."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .._larch import checks
from ..errors import RangeError, ReductionError, XasuiteWarning
from ..records import Array, Normalized, Spectrum, Step, name_of
from .edge import find_e0
from .stacks import checked, per_row, plain, recast, takes_series

Range = tuple[float, float]
Method = Literal["polynomial", "mback"]
MAX_NNORM = 5
# An edge smaller than this many standard deviations of the pre-edge about its line is no edge
EDGE_ABOVE_NOISE = 3.0
_ROWS = 512  # looked at together


@dataclass(frozen=True)
class Ranges:
    """Where the lines are fitted, in eV from E0, and the order of the post-edge polynomial."""

    pre: Range
    norm: Range
    nnorm: int


@takes_series
def normalize(
    spectrum: Spectrum,
    *,
    e0: float | Array | None = None,
    pre: Range | None = None,
    norm: Range | None = None,
    nnorm: int | None = None,
    method: Method = "polynomial",
) -> Normalized:
    """A spectrum with E0, edge step, pre- and post-edge lines, normalised and flattened mu.

    Parameters
    ----------
    spectrum : mu (..., n) on energy (n,) in eV.
    e0 : eV, one number or one a row (...); found by `find_e0` when left out.
    pre, norm : ranges in eV from e0 of the pre-edge line and the post-edge polynomial; left out, as Larch
        chooses them from the range of the data. The ranges used are in the last Step of the history.
    nnorm : order of the post-edge polynomial (0-5); left out 2, or 1 for a range below 300 eV, 0 below 30 eV.
    method : "polynomial", or "mback": the step from a match to the tabulated f'' (Weng et al. 2005).

    Raises DataError, RangeError (E0 outside the scan, empty ranges), ReductionError (no edge, mu upside down).
    norm = (mu - pre_edge) / edge_step; flat is norm with the post-edge's slope and curvature taken off above
    E0. docs/decisions/normalisation.md.
    """
    energy, _ = checked(spectrum)
    what, lead = name_of(spectrum), spectrum.lead
    if method not in ("polynomial", "mback"):
        raise ReductionError(f"method = {method!r} is not one of polynomial, mback")
    found = e0 is None
    e0s = find_e0(spectrum) if e0 is None else per_row(e0, lead, "e0", what)
    checks.inside(e0s, energy[1], energy[-2], "E0", what, "eV")
    per_e0 = {e: ranges(energy, e, pre, norm, nnorm, what) for e in map(float, np.unique(e0s))}
    chosen = [per_e0[float(e)] for e in np.ravel(e0s)]
    parts: dict[str, Array] = {}
    if not lead:
        parts = _single(spectrum, float(e0s), chosen[0], method)
    else:
        parts = _stack(spectrum, e0s, chosen, method)
    _check_edge(energy, spectrum.mu, parts, e0s, chosen, what)
    settings = {"e0": plain(parts["e0"]), "e0_found": found, "method": method, **_shown(chosen)}
    return recast(Normalized, spectrum, **parts, history=(*spectrum.history, Step("normalize", settings)))


def ranges(
    energy: Array,
    e0: float,
    pre: Range | None = None,
    norm: Range | None = None,
    nnorm: int | None = None,
    what: str = "spectrum",
) -> Ranges:
    """The ranges that will be used: those asked for, cut to the data, and Larch's rules for the rest.

    Larch: pre from the second point (rounded to 5 eV) to half of that; norm from the smaller of 25 eV and a
    fifteenth of the data above E0 to their end. Raises RangeError when a range holds fewer than three points.
    """
    low, high = energy[0] - e0, energy[-1] - e0
    if pre is None:
        digits = 5.0 if np.argmin(np.abs(energy - e0)) > 20 else 2.0
        start = digits * round((energy[1] - e0) / digits)
        pre = (max(start, low), 0.5 * max(start, low))
    else:
        pre = _cut(checks.ordered(pre, "pre", what, "eV"), low, high, "pre", what)
    if norm is None:
        end = min(5.0 * round(high / 5.0), high)
        norm = (min(25, 5.0 * round(end / 15.0), end - 2), end)
    else:
        norm = _cut(checks.ordered(norm, "norm", what, "eV"), low, high, "norm", what)
    for name, (a, b), least in (("pre", pre, 3), ("norm", norm, 3)):
        points = np.count_nonzero((energy - e0 >= a) & (energy - e0 <= b))
        if points < least:
            raise RangeError(
                f"{what}: {name} = ({a:g}, {b:g}) eV from E0 {e0:g} holds {points} points, fewer than {least}; "
                f"the scan spans ({low:.1f}, {high:.1f}) eV"
            )
    if nnorm is None:
        span = norm[1] - norm[0]
        nnorm = 0 if span < 30 else 1 if span < 300 else 2
    elif not (isinstance(nnorm, (int, np.integer)) and 0 <= nnorm <= MAX_NNORM):
        raise RangeError(f"{what}: nnorm = {nnorm!r} is not a whole number from 0 to {MAX_NNORM}")
    return Ranges((float(pre[0]), float(pre[1])), (float(norm[0]), float(norm[1])), int(nnorm))


def _cut(pair: Range, low: float, high: float, name: str, what: str) -> Range:
    """A range cut to the data, with a warning: the recorded range is the one used."""
    cut = (max(pair[0], low), min(pair[1], high))
    if cut[1] <= cut[0]:
        raise RangeError(
            f"{what}: {name} = ({pair[0]:g}, {pair[1]:g}) eV lies outside the scan, ({low:.1f}, {high:.1f}) eV"
        )
    if cut != pair:
        warnings.warn(
            f"{what}: {name} = ({pair[0]:g}, {pair[1]:g}) eV reaches beyond the scan; used ({cut[0]:.1f}, {cut[1]:.1f})",
            XasuiteWarning,
            stacklevel=5,
        )
    return cut


def _single(spectrum: Spectrum, e0: float, r: Ranges, method: Method) -> dict[str, Any]:
    from .._larch import reduction

    what = name_of(spectrum)
    settings: dict[str, Any] = {"e0": e0, "pre": r.pre, "norm": r.norm, "nnorm": r.nnorm, "what": what}
    if method == "polynomial":
        out = reduction.pre_edge(spectrum.energy, spectrum.mu, **settings)
    else:
        out = reduction.mback_norm(
            spectrum.energy, spectrum.mu, z=_atomic_number(spectrum), edge=spectrum.edge or "K", **settings
        )
        out["flat"] = _flatten(spectrum.energy, out)
    return {k: out[k] for k in ("e0", "edge_step", "pre_edge", "post_edge", "norm", "flat")}


def _flatten(energy: Array, out: dict[str, Any]) -> Array:
    """norm less the post-edge's departure from its own value at E0, above E0 (as Larch's pre_edge does)."""
    at = int(np.argmin(np.abs(energy - out["e0"])))
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


def _stack(spectrum: Spectrum, e0s: Array, chosen: list[Ranges], method: Method) -> dict[str, Array]:
    """Rows that share their ranges go through the batch together; MBACK goes row by row through Larch."""
    lead, n = spectrum.lead, spectrum.energy.size
    mu, e0_flat = spectrum.mu.reshape(-1, n), np.ravel(e0s)
    names = ("e0", "edge_step", "pre_edge", "post_edge", "norm", "flat")
    out = {k: np.empty(len(mu)) if k in names[:2] else np.empty((len(mu), n)) for k in names}
    kinds = list(dict.fromkeys(chosen))
    if len(kinds) == 1:
        out = _group(spectrum, mu, slice(None), e0_flat, kinds[0], method)
        return {k: v.reshape(lead + v.shape[1:]) for k, v in out.items()}
    for r in kinds:
        at = np.array([i for i, c in enumerate(chosen) if c == r])
        for name, value in _group(spectrum, mu, at, e0_flat, r, method).items():
            out[name][at] = value
    return {k: v.reshape(lead + v.shape[1:]) for k, v in out.items()}


def _group(spectrum: Spectrum, mu: Array, at: Any, e0s: Array, r: Ranges, method: Method) -> dict[str, Array]:
    names = ("e0", "edge_step", "pre_edge", "post_edge", "norm", "flat")
    flat = recast(Spectrum, spectrum, mu=mu[at], mu_err=None, reference=None)
    if method == "polynomial":
        from .batch import normalize_stack

        done = normalize_stack(flat, e0=e0s[at], pre=r.pre, norm=r.norm, nnorm=r.nnorm)
        return {k: np.asarray(getattr(done, k)) for k in names}
    singles = [_single(flat.take(i), float(e0s[j]), r, method) for i, j in enumerate(np.arange(len(mu))[at])]
    return {k: np.stack([np.asarray(s[k]) for s in singles]) for k in names}


def _check_edge(
    energy: Array, mu: Array, parts: dict[str, Any], e0s: Array, chosen: list[Ranges], what: str
) -> None:
    """Raises ReductionError when the step is negative (upside down) or drowns in the pre-edge's noise."""
    n, stacked = energy.size, mu.ndim > 1
    steps, rows, flat_e0 = np.ravel(parts["edge_step"]), mu.reshape(-1, n), np.ravel(e0s)
    pres = np.reshape(parts["pre_edge"], (-1, n))
    posts = np.reshape(parts["post_edge"], (-1, n))
    noise = np.empty(steps.size)
    low, high = (flat_e0 + np.array([r.pre[end] for r in chosen]) for end in (0, 1))
    here = np.clip(np.searchsorted(energy, flat_e0), 1, n - 1)
    here = here - (flat_e0 - energy[here - 1] <= energy[here] - flat_e0)  # the nearest point
    # of all pre-edges only the points that any of them holds
    below = slice(*np.searchsorted(energy, [low.min(), high.max() + 1e-9]))
    for i in range(0, steps.size, _ROWS):
        at = slice(i, i + _ROWS)
        inside = (energy[below] >= low[at, None]) & (energy[below] <= high[at, None])
        off = np.where(inside, rows[at, below] - pres[at, below], 0.0)
        count = inside.sum(axis=1)
        noise[at] = np.sqrt(np.maximum((off**2).sum(axis=1) / count - (off.sum(axis=1) / count) ** 2, 0.0))
    # the step itself may have lost its sign
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


def _shown(chosen: list[Ranges]) -> dict[str, Any]:
    """The ranges for the history: one set where all rows share it, one a row otherwise."""
    if len(set(chosen)) == 1:
        return {"pre": chosen[0].pre, "norm": chosen[0].norm, "nnorm": chosen[0].nnorm}
    return {name: tuple(getattr(r, name) for r in chosen) for name in ("pre", "norm", "nnorm")}
