"""The smooth background mu0(E) and chi(k), by AUTOBK."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from .._larch import checks
from ..constants import KTOE
from ..errors import RangeError, ReductionError
from ..records import Array, Chi, Normalized, Series, Step, name_of
from .stacks import over_series, per_row

ClampScale = Literal["edge_step", "mu"]
WINDOWS = ("kaiser", "hanning", "parzen", "welch", "gaussian", "sine")
MIN_K = 3.0  # 1/A; below this there is no EXAFS to speak of


def background(
    normalized: Normalized | Series,
    *,
    rbkg: float = 0.8,
    kweight: int = 3,
    e0: float | Array | None = None,
    k: tuple[float, float] | None = None,
    dk: float = 0.1,
    window: str = "hanning",
    clamp: tuple[float, float] = (0, 1),
    nclamp: int = 3,
    clamp_scale: ClampScale = "edge_step",
) -> Any:
    """chi(k) and the background mu0(E), the spline that leaves least in |chi(R)| below rbkg.

    Parameters
    ----------
    normalized : what `normalize` gives, mu (..., n); or a Series of it.
    rbkg : A, the R below which chi(R) is taken for background.
    kweight : power of k in the transform that is made small; 3 with rbkg 0.8 keeps N (docs/decisions/background.md).
    e0 : eV, origin of k, one number or one a row; left out, the normalisation's.
    k : range in 1/A of the spline and the transform; left out, from 0 to the end of the data.
    dk, window : the transform's window.
    clamp, nclamp : how strongly, and over how many points, chi is drawn to 0 at its low and high end.
    clamp_scale : "edge_step" divides mu by the edge step first, so that the clamp's strength does not depend on
        the sample's thickness; "mu" is Larch's own behaviour.

    Returns Chi: k (nk,) from 0 in steps of 0.05 1/A, chi (..., nk), bkg (..., n), and epsilon_k (...), the noise
    by the usual estimate (docs/decisions/noise.md). Raises DataError, RangeError (k beyond the data, E0 outside
    the scan), ReductionError. Newville et al. 1993, Phys. Rev. B 47, 14126.
    """
    options = _Options(rbkg, kweight, k, dk, window, clamp, nclamp, clamp_scale)
    if isinstance(normalized, Series):
        return over_series(normalized, _background, (e0, options), {})
    return _background(normalized, e0, options)


@dataclass(frozen=True)
class _Options:
    rbkg: float
    kweight: int
    k: tuple[float, float] | None
    dk: float
    window: str
    clamp: tuple[float, float]
    nclamp: int
    clamp_scale: ClampScale

    def as_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _background(normalized: Normalized, e0: float | Array | None, options: _Options) -> Chi:
    if not isinstance(normalized, Normalized):
        raise ReductionError(
            f"{name_of(normalized)}: background needs E0 and the edge step; normalize the spectrum first"
        )
    what, lead = name_of(normalized), normalized.lead
    energy, _ = checks.spectrum_arrays(normalized.energy, normalized.mu, what)
    e0s = normalized.e0 if e0 is None else per_row(e0, lead, "e0", what)
    checks.inside(e0s, energy[1], energy[-2], "E0", what, "eV")
    k = _k_range(energy, e0s, options, what)
    settings = options.as_dict() | {"k": k}
    if lead:
        from .batch import background_stack

        made = background_stack(normalized, e0=e0s, **settings)
        parts = {name: np.asarray(getattr(made, name)) for name in ("k", "chi", "bkg")}
    else:
        parts = _single(normalized, float(e0s), settings)
    from .noise import noise_of

    shown = settings | {
        "e0": float(np.ravel(e0s)[0]) if np.ptp(e0s) == 0 else tuple(float(e) for e in np.ravel(e0s))
    }
    return Chi(
        k=parts["k"],
        chi=parts["chi"],
        bkg=parts["bkg"],
        e0=np.asarray(e0s),
        edge_step=normalized.edge_step,
        epsilon_k=noise_of(parts["k"], parts["chi"]),
        energy=energy,
        mu=normalized.mu,
        element=normalized.element,
        edge=normalized.edge,
        label=normalized.label,
        notes=normalized.notes,
        meta=normalized.meta,
        source=normalized.source,
        history=(*normalized.history, Step("background", shown)),
    )


def _k_range(energy: Array, e0s: Array, options: _Options, what: str) -> tuple[float, float]:
    """The k range as numbers. Raises RangeError when an option is out of bounds or k goes beyond the data."""
    end = float(np.sqrt((energy[-1] - np.max(e0s)) / KTOE))
    if end < MIN_K:
        raise RangeError(
            f"{what}: the scan ends {energy[-1] - np.max(e0s):.0f} eV above E0 (k = {end:.1f} 1/A): a XANES scan has no chi(k)"
        )
    if not 0 < options.rbkg < 5:
        raise RangeError(f"{what}: rbkg = {options.rbkg!r} A is not between 0 and 5")
    if options.kweight not in (0, 1, 2, 3):
        raise RangeError(f"{what}: kweight = {options.kweight!r} of the background is not 0, 1, 2 or 3")
    if options.window not in WINDOWS:
        raise RangeError(f"{what}: window = {options.window!r} is not one of {', '.join(WINDOWS)}")
    if options.clamp_scale not in ("edge_step", "mu"):
        raise RangeError(f"{what}: clamp_scale = {options.clamp_scale!r} is not one of edge_step, mu")
    if options.k is None:
        return 0.0, end
    low, high = checks.ordered(options.k, "k", what, "1/A")
    if low < 0 or high > end * (1 + 1e-6):
        raise RangeError(
            f"{what}: k = ({low:g}, {high:g}) 1/A is outside the data, which reach from 0 to {end:.2f} 1/A"
        )
    return low, min(high, end)


def _single(normalized: Normalized, e0: float, settings: dict[str, Any]) -> dict[str, Array]:
    from .._larch import reduction

    settings = dict(settings)
    step = float(normalized.edge_step)
    scale = step if settings.pop("clamp_scale") == "edge_step" else 1.0
    out = reduction.autobk(
        normalized.energy,
        normalized.mu / scale,
        e0=e0,
        edge_step=step / scale,
        what=name_of(normalized),
        **settings,
    )
    return {"k": out["k"], "chi": out["chi"], "bkg": out["bkg"] * scale}
