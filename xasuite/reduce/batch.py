"""Normalisation and background of stacks: the linear algebra of Larch's pre_edge and autobk, all rows at once.

With E0 fixed both are linear in mu but for one number a spectrum, the clamp's strength. Rows are grouped by E0;
each group shares its matrices (docs/decisions/engine_reduction.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import ETOK
from ..errors import RangeError
from ..records import Array, Chi, Normalized, Spectrum, Step, name_of, sealed
from .autobk_matrices import KSTEP, SplineMatrices, at_or_below, clamped, nearest, spline_matrices
from .norm_ranges import ranges
from .stacks import checked, per_row, recast

MIN_STEP = 1e-12
# rows worked on at once: what they touch stays in the processor's cache
_CHUNK = 512
_CARRIED = ("element", "edge", "label", "notes", "meta", "source")


def normalize_stack(
    spectrum: Spectrum,
    *,
    e0: float | Array | None = None,
    pre: tuple[float, float] | None = None,
    norm: tuple[float, float] | None = None,
    nnorm: int | None = None,
) -> Normalized:
    """Pre-edge line, post-edge polynomial and normalised mu of many spectra, as Larch's pre_edge gives one by one.

    Parameters
    ----------
    spectrum : mu (..., n) on energy (n,) in eV.
    e0 : eV, one number or one a row (...); left out, found for each row by `find_e0`.
    pre, norm : ranges in eV from e0; left out, as Larch chooses them for each e0.
    nnorm : order of the post-edge polynomial; left out 2, or less for short ranges.

    Returns Normalized. Raises DataError, RangeError as `normalize`.
    """
    energy, mu = checked(spectrum)
    lead = spectrum.lead
    if e0 is None:
        from .edge import find_e0

        e0 = find_e0(spectrum)
    e0s = np.ravel(per_row(e0, lead, "e0", name_of(spectrum)))
    rows = mu.reshape(-1, energy.size)
    out = _Lines.empty(*rows.shape)
    chosen = {float(e): ranges(energy, float(e), pre, norm, nnorm, name_of(spectrum)) for e in np.unique(e0s)}
    fits = [_fit_windows(energy, e, r.pre, r.norm, r.nnorm) for e, r in chosen.items()]
    which = dict(zip(chosen, fits, strict=True))
    for fit in dict.fromkeys(fits):
        at = (
            np.flatnonzero([which[float(e)] == fit for e in e0s])
            if len(set(fits)) > 1
            else np.arange(len(rows))
        )
        _normalize_group(energy, rows, at, fit, out)
    one = next(iter(chosen.values()))
    settings = {"pre": one.pre, "norm": one.norm, "nnorm": one.nnorm, "e0": tuple(map(float, chosen))}
    return recast(
        Normalized,
        spectrum,
        e0=e0s.reshape(lead),
        **out.shaped(lead),
        history=(*spectrum.history, Step("normalize_stack", settings)),
    )


@dataclass(frozen=True)
class _Windows:
    """Points of the pre-edge and post-edge fits, the orders of their polynomials, and the point nearest E0."""

    pre: tuple[int, int]
    npre: int
    post: tuple[int, int]
    nnorm: int
    at_e0: int


@dataclass(frozen=True, eq=False)
class _Lines:
    edge_step: Array
    pre_edge: Array
    post_edge: Array
    norm: Array
    flat: Array

    @classmethod
    def empty(cls, m: int, n: int) -> _Lines:
        return cls(np.empty(m), *(np.empty((m, n)) for _ in range(4)))

    def shaped(self, lead: tuple[int, ...]) -> dict[str, Array]:
        return {name: sealed(value.reshape(lead + value.shape[1:])) for name, value in self.__dict__.items()}


def _fit_windows(
    energy: Array, e0: float, pre: tuple[float, float], norm: tuple[float, float], nnorm: int
) -> _Windows:
    """Larch's choice of points, with its fallbacks for ranges of few points."""
    n = energy.size
    p1, p2 = at_or_below(energy, pre[0] + e0), nearest(energy, pre[1] + e0)
    npre = 1
    if at_or_below(energy - e0, pre[1]) - at_or_below(energy - e0, pre[0]) < 3:
        npre, p2 = 0, p2 + 1 if p2 == p1 else p2
    elif p2 - p1 < 2:
        p2 = min(n, p1 + 2)
    q1, q2 = at_or_below(energy, min(norm[0], norm[1] - 2) + e0), nearest(energy, norm[1] + e0)
    q1 = min(q1, n - 3)
    if q2 - q1 < 2:
        q1, nnorm = q1 - 2, 0
    elif q2 - q1 < 5:
        nnorm = min(1, nnorm)
    return _Windows((p1, p2), npre, (q1, q2), nnorm, nearest(energy, e0))


def _powers(energy: Array, points: tuple[int, int], order: int) -> tuple[Array, Array]:
    """Polynomials (order + 1, n) scaled to the fitted points, and the matrix that fits them there."""
    inside = energy[slice(*points)]
    middle, half = (inside[0] + inside[-1]) / 2, max((inside[-1] - inside[0]) / 2, 1e-9)
    basis = np.vander((energy - middle) / half, order + 1, increasing=True).T
    return basis, np.linalg.pinv(basis[:, slice(*points)].T)


def _normalize_group(energy: Array, mu: Array, rows: NDArray[np.intp], fit: _Windows, out: _Lines) -> None:
    below, take_below = _powers(energy, fit.pre, fit.npre)
    above, take_above = _powers(energy, fit.post, fit.nnorm)
    whole = len(rows) == len(mu)
    for i in range(0, len(rows), _CHUNK):
        at: Any = slice(i, i + _CHUNK) if whole else rows[i : i + _CHUNK]
        m = mu[at]
        pre_edge = (m[:, slice(*fit.pre)] @ take_below.T) @ below
        excess = ((m - pre_edge)[:, slice(*fit.post)] @ take_above.T) @ above
        step = np.maximum(np.abs(excess[:, fit.at_e0]), MIN_STEP)
        norm = (m - pre_edge) / step[:, None]
        out.edge_step[at], out.pre_edge[at], out.post_edge[at], out.norm[at] = (
            step, pre_edge, pre_edge + excess, norm,
        )  # fmt: skip
        excess -= excess[:, fit.at_e0, None]
        excess /= step[:, None]
        norm[:, fit.at_e0 :] -= excess[:, fit.at_e0 :]
        out.flat[at] = norm


def background_stack(
    normalized: Normalized,
    *,
    rbkg: float = 0.8,
    kweight: int = 3,
    e0: float | Array | None = None,
    k: tuple[float, float] | None = None,
    dk: float = 0.1,
    window: str = "hanning",
    clamp: tuple[float, float] = (0, 1),
    nclamp: int = 3,
    clamp_scale: Literal["edge_step", "mu"] = "edge_step",
) -> Chi:
    """chi(k) and the background of many spectra: the minimum that Larch's autobk seeks, found by linear algebra.

    Parameters are those of `background`; mu is (..., n), e0 one number or one a row. k left out means from 0 to
    the end of the data of the row with the highest e0.

    Returns Chi with chi (..., nk), bkg (..., n); epsilon_k is not set. Raises DataError, RangeError.
    """
    energy, mu = checked(normalized)
    lead, what = normalized.lead, name_of(normalized)
    e0s = np.ravel(normalized.e0 if e0 is None else per_row(e0, lead, "e0", what))
    if not ((e0s > energy[0]) & (e0s < energy[-1])).all():
        raise RangeError(f"{what}: an E0 lies outside the scan, {energy[0]:.1f} to {energy[-1]:.1f} eV")
    if k is None:
        k = (0.0, float(np.sqrt(ETOK * (energy[-1] - e0s.max()))))
    rows, steps = mu.reshape(-1, energy.size), np.ravel(normalized.edge_step)
    scale = steps if clamp_scale == "edge_step" else np.ones_like(steps)
    chi = np.empty((len(rows), int(1.01 + k[1] / KSTEP)))
    bkg = np.empty_like(rows)
    key = (
        float(rbkg),
        int(kweight),
        float(k[0]),
        float(k[1]),
        float(dk),
        window,
        *map(float, clamp),
        int(nclamp),
    )
    for value, at in _groups(e0s):
        spline = spline_matrices(energy.tobytes(), float(value), *key)
        for part in _parts(at):
            _remove(spline, rows[part], scale[part], chi, bkg, part)
            if clamp_scale == "mu":
                chi[part] /= steps[part][:, None]
    settings = {
        "rbkg": rbkg, "kweight": kweight, "e0": tuple(map(float, np.unique(e0s))), "k": k, "dk": dk, "window": window,
        "clamp": clamp, "nclamp": nclamp, "clamp_scale": clamp_scale,
    }  # fmt: skip
    return Chi(
        k=spline.k,
        chi=sealed(chi.reshape(*lead, -1)),
        e0=e0s.reshape(lead),
        edge_step=normalized.edge_step,
        energy=energy,
        mu=normalized.mu,
        bkg=sealed(bkg.reshape(mu.shape)),
        **{name: getattr(normalized, name) for name in _CARRIED},
        history=(*normalized.history, Step("background_stack", settings)),
    )


def _groups(e0s: Array) -> Iterator[tuple[float, NDArray[np.intp]]]:
    values, which = np.unique(e0s, return_inverse=True)
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(len(values) + 1))
    for i, value in enumerate(values):
        yield float(value), order[edges[i] : edges[i + 1]]


def _parts(at: NDArray[np.intp]) -> Iterator[Any]:
    """Chunks of rows, as slices where the rows follow each other: slices are not copied."""
    together = at[-1] - at[0] + 1 == len(at)
    for i in range(0, len(at), _CHUNK):
        part = at[i : i + _CHUNK]
        yield slice(int(part[0]), int(part[-1]) + 1) if together else part


def _remove(spline: SplineMatrices, mu: Array, scale: Array, chi: Array, bkg: Array, at: Any) -> None:
    """Fill chi and bkg of the rows `at`; chi in units of mu / scale."""
    inside = mu[:, slice(*spline.points)]
    raw = np.empty((len(mu), spline.k.size))
    for k_part, points, weights in spline.to_chi:
        np.matmul(inside[:, points], weights, out=raw[:, k_part])
    raw /= scale[:, None]
    out = raw @ spline.low_r
    a = out @ spline.inside
    if spline.clamp_at.size:
        rest = out - a @ spline.inside.T
        outside = np.einsum("ij,ij->i", rest, rest)
        ends = raw[:, spline.clamp_at] * spline.clamp_weight
        a = clamped(spline, a, ends, outside, out.shape[1])
    raw -= a @ spline.chi_of
    chi[at] = raw
    a *= scale[:, None]
    first, end = spline.points
    bkg[at, :first], bkg[at, end:] = mu[:, :first], mu[:, end:]
    bkg[at, first:end] = a @ spline.bkg_of
