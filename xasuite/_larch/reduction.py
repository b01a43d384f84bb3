"""Larch's reduction and transforms as functions of plain arrays.

Each call makes a new Group, so that nothing is left over from the call before (Larch's `ek0` and
`epsilon_k` stick to a Group); input is checked first, what comes out is checked to be there and finite.
Options that Larch adjusts in silence (E0 outside the scan, kmax beyond it) raise instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..constants import KTOE
from ..errors import DataError, ReductionError
from ..records import Array
from . import checks, larch, quiet


def find_e0(energy: Array, mu: Array, what: str = "spectrum") -> float:
    """E0 (eV), Larch's: the maximum of the smoothed derivative. Raises DataError, ReductionError."""
    energy, mu = checks.spectrum_arrays(energy, mu, what)
    xafs = larch()
    with quiet(f"find_e0 of {what}"):
        e0 = xafs.find_e0(energy.copy(), mu.copy())
    if not np.isfinite(e0):
        raise ReductionError(f"{what}: no E0 was found; give e0")
    return float(e0)


def pre_edge(
    energy: Array,
    mu: Array,
    *,
    e0: float,
    pre: tuple[float, float] | None = None,
    norm: tuple[float, float] | None = None,
    nnorm: int | None = None,
    what: str = "spectrum",
) -> dict[str, Any]:
    """Pre-edge line and post-edge polynomial; ranges in eV from e0, None for Larch's own choice.

    Returns e0, edge_step, pre_edge, post_edge, norm, flat (n,) and the ranges used: pre, norm_range, nnorm.
    Raises DataError, RangeError (e0 outside the scan, where Larch would look for another), ReductionError.
    """
    group = _pre_edge_group(energy, mu, e0, pre, norm, nnorm, what)
    d = group.pre_edge_details
    out: dict[str, Any] = {
        k: np.asarray(getattr(group, k)) for k in ("pre_edge", "post_edge", "norm", "flat")
    }
    out |= {
        "e0": float(group.e0),
        "edge_step": _signed_step(group),
        "pre": (float(d.pre1), float(d.pre2)),
        "norm_range": (float(d.norm1), float(d.norm2)),
        "nnorm": int(d.nnorm),
    }
    return out


def mback_norm(
    energy: Array,
    mu: Array,
    *,
    z: int,
    edge: str,
    e0: float,
    pre: tuple[float, float] | None = None,
    norm: tuple[float, float] | None = None,
    nnorm: int | None = None,
    what: str = "spectrum",
) -> dict[str, Any]:
    """Normalisation by a match to the tabulated f'' (MBACK; Weng, Waldo and Penner-Hahn 2005, Larch's form).

    Returns e0, edge_step (from the scaled f''), edge_step_poly, pre_edge, post_edge, norm (n,), mback_mu (n,).
    Raises DataError, RangeError, ReductionError.
    """
    group = _pre_edge_group(energy, mu, e0, pre, norm, nnorm, what)
    d = group.pre_edge_details
    poly = _signed_step(group)
    with quiet(f"MBACK of {what}"):
        larch().mback_norm(
            group, z=z, edge=edge, e0=e0, pre1=d.pre1, pre2=d.pre2, norm1=d.norm1, norm2=d.norm2,
            nnorm=d.nnorm, nvict=0,
        )  # fmt: skip
    out: dict[str, Any] = {
        k: np.asarray(getattr(group, k)) for k in ("pre_edge", "post_edge", "norm", "mback_mu")
    }
    out |= {
        "e0": float(e0),
        "edge_step": float(group.edge_step),
        "edge_step_poly": poly,
        "pre": (float(d.pre1), float(d.pre2)),
        "norm_range": (float(d.norm1), float(d.norm2)),
        "nnorm": int(d.nnorm),
    }
    _complete(out, f"MBACK of {what}")
    return out


def autobk(
    energy: Array,
    mu: Array,
    *,
    e0: float,
    edge_step: float,
    rbkg: float = 1.0,
    kweight: int = 1,
    k: tuple[float, float] | None = None,
    dk: float = 0.1,
    window: str = "hanning",
    nclamp: int = 3,
    clamp: tuple[float, float] = (0, 1),
    kstep: float = 0.05,
    nfft: int = 2048,
    calc_uncertainties: bool = False,
    what: str = "spectrum",
) -> dict[str, Array]:
    """AUTOBK's spline (Newville et al. 1993) with Larch's defaults: k (nk,), chi (nk,), bkg (n,).

    mu is taken as it is: divide by the edge step before (and give edge_step=1) for clamps that do not depend
    on the sample's thickness. With `calc_uncertainties` also delta_chi (nk,), divided by the edge step, which
    Larch leaves out. Raises DataError, RangeError (e0 or kmax outside the data), ReductionError.
    """
    energy, mu = checks.spectrum_arrays(energy, mu, what)
    checks.inside(e0, energy[1], energy[-2], "E0", what, "eV")
    kend = float(np.sqrt((energy[-1] - e0) / KTOE))
    kmin, kmax = (0.0, None) if k is None else checks.ordered(k, "k", what, "1/A")
    if kmax is not None:
        checks.inside(kmax, 0, kend * (1 + 1e-9), "kmax", what, "1/A")
    xafs = larch()
    group = larch("larch").Group(energy=energy.copy(), mu=mu.copy())
    with quiet(f"autobk of {what}") as printed:
        xafs.autobk(
            group, ek0=float(e0), edge_step=float(edge_step), rbkg=rbkg, kweight=kweight, kmin=kmin, kmax=kmax,
            dk=dk, win=window, nclamp=nclamp, clamp_lo=clamp[0], clamp_hi=clamp[1], kstep=kstep, nfft=nfft,
            calc_uncertainties=calc_uncertainties,
        )  # fmt: skip
    if not hasattr(group, "chi"):
        raise ReductionError(f"{what}: autobk gave no chi(k); Larch printed: {printed.getvalue().strip()}")
    out = {name: np.asarray(getattr(group, name), float) for name in ("k", "chi", "bkg")}
    if calc_uncertainties and hasattr(group, "delta_chi"):
        out["delta_chi"] = np.asarray(group.delta_chi, float) / edge_step
    _complete(out, f"autobk of {what}")
    return out


def _pre_edge_group(
    energy: Array,
    mu: Array,
    e0: float,
    pre: tuple[float, float] | None,
    norm: tuple[float, float] | None,
    nnorm: int | None,
    what: str,
) -> Any:
    energy, mu = checks.spectrum_arrays(energy, mu, what)
    checks.inside(e0, energy[1], energy[-2], "E0", what, "eV")
    pre1, pre2 = (None, None) if pre is None else checks.ordered(pre, "pre", what, "eV")
    norm1, norm2 = (None, None) if norm is None else checks.ordered(norm, "norm", what, "eV")
    xafs = larch()
    group = larch("larch").Group(energy=energy.copy(), mu=mu.copy())
    with quiet(f"pre_edge of {what}"):
        xafs.pre_edge(group, e0=float(e0), pre1=pre1, pre2=pre2, norm1=norm1, norm2=norm2, nnorm=nnorm)
    missing = [k for k in ("norm", "flat", "pre_edge", "post_edge") if not hasattr(group, k)]
    if missing or group.norm.shape != energy.shape:
        raise ReductionError(
            f"{what}: Larch's pre_edge gave no {', '.join(missing) or 'norm of full length'}"
        )
    return group


def _signed_step(group: Any) -> float:
    """The edge step with its sign, which Larch drops: mu that falls at the edge has a negative one."""
    at = int(np.argmin(np.abs(group.energy - group.e0)))
    sign = np.sign(group.post_edge[at] - group.pre_edge[at])
    return float(sign * group.edge_step)


def _complete(out: dict[str, Any], what: str) -> None:
    for name, value in out.items():
        if not np.all(np.isfinite(np.asarray(value, float))):
            raise ReductionError(f"{what} gave {name} that is not finite; look at the spectrum near its ends")


def xftf(
    k: Array,
    chi: Array,
    *,
    kmin: float = 0.0,
    kmax: float | None = None,
    kweight: int = 2,
    dk: float = 1.0,
    dk2: float | None = None,
    window: str = "kaiser",
    rmax_out: float = 10.0,
    nfft: int = 2048,
    what: str = "chi",
) -> dict[str, Array]:
    """chi(k) to chi(R): r (nr,), chir (nr,) complex, window (nk,). Larch's xftf, whose keywords are checked here.

    Raises DataError, RangeError (kmax beyond the data), ReductionError.
    """
    k, chi = _chi_arrays(k, chi, what)
    kmax = float(k[-1]) if kmax is None else kmax
    checks.ordered((kmin, kmax), "k", what, "1/A")
    checks.inside(kmax, 0, float(k[-1]) + 1e-6, "kmax", what, "1/A")
    xafs = larch()
    group = larch("larch").Group(k=k.copy(), chi=chi.copy())
    with quiet(f"xftf of {what}"):
        xafs.xftf(
            group, kmin=kmin, kmax=kmax, kweight=kweight, dk=dk, dk2=dk2, window=window, rmax_out=rmax_out, nfft=nfft
        )  # fmt: skip
    return {"r": np.asarray(group.r), "chir": np.asarray(group.chir), "window": np.asarray(group.kwin)}


def xftr(
    r: Array,
    chir: Array,
    *,
    rmin: float,
    rmax: float,
    dr: float = 1.0,
    dr2: float | None = None,
    window: str = "kaiser",
    qmax_out: float = 30.0,
    nfft: int = 2048,
    what: str = "chi(R)",
) -> dict[str, Array]:
    """chi(R) back to q: q (nq,), chiq (nq,) complex, window (nr,). Raises DataError, RangeError, ReductionError."""
    r, chir = np.asarray(r, float), np.asarray(chir, complex)
    checks.axis(r, "R", what)
    checks.finite(chir, "chi(R)", what)
    checks.ordered((rmin, rmax), "r", what, "A")
    xafs = larch()
    group = larch("larch").Group(r=r.copy(), chir=chir.copy())
    with quiet(f"xftr of {what}"):
        xafs.xftr(group, rmin=rmin, rmax=rmax, dr=dr, dr2=dr2, window=window, qmax_out=qmax_out, nfft=nfft)
    return {"q": np.asarray(group.q), "chiq": np.asarray(group.chiq), "window": np.asarray(group.rwin)}


def cauchy_wavelet(
    k: Array, chi: Array, *, kweight: int = 2, rmax_out: float = 10.0, nfft: int = 2048, what: str = "chi"
) -> dict[str, Array]:
    """Larch's Cauchy wavelet (Munoz, Argoul and Farges 2003): r (nr,), wt (nr, nk) complex.

    Its resolution in R changes with rmax_out (the order of the wavelet is the number of R points): compare
    only transforms of one rmax_out. Raises DataError, ReductionError.
    """
    k, chi = _chi_arrays(k, chi, what)
    xafs = larch()
    group = larch("larch").Group(k=k.copy(), chi=chi.copy())
    with quiet(f"cauchy_wavelet of {what}"):
        xafs.cauchy_wavelet(group, kweight=kweight, rmax_out=rmax_out, nfft=nfft)
    return {"r": np.asarray(group.wcauchy_r), "wt": np.asarray(group.wcauchy)}


def estimate_noise(
    k: Array,
    chi: Array,
    *,
    rmin: float = 15.0,
    rmax: float = 30.0,
    kweight: int = 1,
    kmin: float = 0.0,
    kmax: float | None = None,
    dk: float = 4.0,
    what: str = "chi",
) -> dict[str, float]:
    """Larch's noise of chi: epsilon_k, epsilon_r and kmax_suggest. Raises DataError, RangeError, ReductionError."""
    k, chi = _chi_arrays(k, chi, what)
    kmax = float(k[-1]) if kmax is None else kmax
    checks.inside(kmax, 0, float(k[-1]) + 1e-6, "kmax", what, "1/A")
    xafs = larch()
    group = larch("larch").Group(k=k.copy(), chi=chi.copy())
    with quiet(f"estimate_noise of {what}"):
        xafs.estimate_noise(group, rmin=rmin, rmax=rmax, kweight=kweight, kmin=kmin, kmax=kmax, dk=dk)
    return {name: float(getattr(group, name)) for name in ("epsilon_k", "epsilon_r", "kmax_suggest")}


def rebin(
    energy: Array,
    mu: Array,
    *,
    e0: float,
    pre_end: float = -30.0,
    pre_step: float = 2.0,
    xanes_step: float | None = None,
    exafs_start: float = 15.0,
    kstep: float = 0.05,
    method: str = "boxcar",
    what: str = "spectrum",
) -> dict[str, Array]:
    """Larch's three-region grid and means on it: energy (m,), mu (m,), delta_mu (m,).

    Raises DataError, RangeError, ReductionError.
    """
    energy, mu = checks.spectrum_arrays(energy, mu, what)
    checks.inside(e0, energy[1], energy[-2], "E0", what, "eV")
    xafs = larch()
    group = larch("larch").Group(energy=energy.copy(), mu=mu.copy(), __name__="spectrum")
    with quiet(f"rebin_xafs of {what}"):
        xafs.rebin_xafs(
            group, e0=e0, pre2=pre_end, pre_step=pre_step, xanes_step=xanes_step, exafs1=exafs_start,
            exafs_kstep=kstep, method=method,
        )  # fmt: skip
    return {name: np.asarray(getattr(group.rebinned, name)) for name in ("energy", "mu", "delta_mu")}


def _chi_arrays(k: Array, chi: Array, what: str) -> tuple[Array, Array]:
    """k (nk,) and chi (nk,), finite and ascending. Raises DataError."""
    k, chi = checks.axis(k, "k", what), np.asarray(chi, float)
    if chi.shape != k.shape:
        raise DataError(f"{what}: chi has shape {chi.shape}, k {k.shape}; Larch takes one spectrum")
    checks.finite(chi, "chi", what)
    return k, chi
