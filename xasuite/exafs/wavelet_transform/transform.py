"""Wavelet transforms of one chi(k) or a stack, of a long series in chunks, and their differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from ...errors import DataError, RangeError
from ...records import Array, Chi, Series, Wavelet
from ...records.source import after
from ...reduce.window import window_name
from ..fourier_transform import NFFT, check_k, k_window
from .bank import Kernel, build
from .cauchy import Cauchy
from .morlet import Morlet

KINDS = ("morlet", "cauchy")
# Results with more bytes are refused; a series is transformed in chunks (iter_wavelet).
MEMORY = 2**31
# Values (rows x R x k) of one chunk: 24 MB, which the allocator reuses for the next chunk.
_CHUNK_VALUES = 1_500_000


def mother(kind: str, *, eta: float, sigma: float, order: int) -> Kernel:
    """The mother wavelet of that name. Raises DataError for another name, or settings that give no resolution in R."""
    if kind == "morlet":
        return Morlet(float(eta), float(sigma))
    if kind == "cauchy":
        return Cauchy(order)
    raise DataError(f"no wavelet {kind!r}; choose one of {', '.join(KINDS)}")


def r_axis(kstep: float, r: tuple[float, float], dr: float | None, nr: int | None) -> Array:
    """R (nr,) in A: by default the points of |chi(R)| within `r`, else in steps of `dr`, or `nr` points from end to end.

    Raises RangeError if `r` is empty, DataError if both dr and nr are given.
    """
    lower, upper = float(r[0]), float(r[1])
    if not 0 <= lower < upper:
        raise RangeError(f"the R range {lower:g} to {upper:g} A is empty or below 0; give (lower, upper)")
    if upper > np.pi / (4 * kstep):
        raise RangeError(
            f"R up to {upper:g} A needs a finer k grid than {kstep:g} 1/A; lower it to {np.pi / (4 * kstep):.3g} A"
        )
    if dr is not None and nr is not None:
        raise DataError(f"dr = {dr:g} and nr = {nr} both set the R axis; give one of them")
    if nr is not None:
        return np.linspace(lower, upper, int(nr))
    step = float(np.pi / (kstep * NFFT)) if dr is None else float(dr)
    if not 0 < step <= upper - lower:
        raise RangeError(f"R from {lower:g} to {upper:g} A in steps of {step:g} A leaves no axis")
    # A tolerance, so that an end that is a grid point is kept in spite of rounding
    first, last = int(np.ceil(lower / step - 1e-9)), int(np.floor(upper / step + 1e-9))
    return step * np.arange(first, last + 1, dtype=float)


def _complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `wavelet`, completed with the defaults of its signature. Raises TypeError for an unknown name."""
    known: dict[str, Any] = dict(wavelet.__kwdefaults__ or {})
    if unknown := sorted(given.keys() - known.keys()):
        raise TypeError(f"wavelet has no setting {', '.join(unknown)}; it has {', '.join(known)}")
    return known | dict(given)


class _Plan:
    """The parts of a transform that do not depend on the spectrum."""

    def __init__(self, chi: Chi, given: Mapping[str, Any]) -> None:
        s = SimpleNamespace(**_complete(given))
        kstep = check_k(chi, (0.0, float(chi.k[-1])) if s.k is None else s.k)
        kernel = mother(s.kind, eta=s.eta, sigma=s.sigma, order=s.order)
        self.kind, self.kweight, self.k = s.kind, s.kweight, chi.k
        self.r = r_axis(kstep, s.r, s.dr, s.nr)
        self.window = np.ones(chi.k.size) if s.k is None else k_window(chi.k, s.k, dk=s.dk, window=s.window)
        self.scaling = s.scaling or kernel.default_scaling
        self.bank = build(kernel, round(kstep, 9), chi.k.size, self.r, self.scaling)
        other = {"order"} if s.kind == "morlet" else {"eta", "sigma"}
        self.settings: dict[str, Any] = {n: v for n, v in vars(s).items() if n not in other} | {
            "k": None if s.k is None else (float(s.k[0]), float(s.k[1])), "window": window_name(s.window),
            "r": (float(s.r[0]), float(s.r[1])), "scaling": self.scaling,
        }  # fmt: skip

    def __call__(self, chi: Chi) -> Wavelet:
        """The transform of a chi on the k grid of the plan."""
        chik = chi.chi * chi.k**self.kweight * self.window
        flat = chik.reshape(-1, chik.shape[-1])
        wt = self.bank(flat).reshape(*chik.shape[:-1], self.r.size, self.k.size)
        # Read-only, so that the record does not copy this large array
        wt.flags.writeable = False
        facts = after(chi, "wavelet", self.settings)
        return Wavelet(k=chi.k, r=self.r, wt=wt, kind=self.kind, kweight=self.kweight, chik=chik, **facts)


@overload
def wavelet(chi: Chi, **settings: Any) -> Wavelet: ...
@overload
def wavelet(chi: Series, **settings: Any) -> Series: ...
def wavelet(  # type: ignore[misc]
    chi: Chi | Series,
    *,
    kind: str = "morlet",
    k: tuple[float, float] | None = None,
    kweight: float = 2,
    window: str = "hanning",
    dk: float = 1.0,
    r: tuple[float, float] = (0.0, 6.0),
    dr: float | None = None,
    nr: int | None = None,
    eta: float = 10.0,
    sigma: float = 1.0,
    order: int = 200,
    scaling: str | None = None,
) -> Wavelet | Series:
    """The wavelet transform W(k, R) of chi(k).

    Parameters
    ----------
    chi : Chi or Series
        Chi with chi (..., nk) on k from 0 in equal steps, or a Series of it.
    kind : str
        "morlet" or "cauchy".
    k : tuple of float, optional
        Range in 1/A of the window; by default all data without a window.
    kweight : float
        Power of k by which chi is multiplied.
    window : str
        Kind of the window in k.
    dk : float
        Width of the window's tapers, 1/A.
    r : tuple of float
        Range in A, not corrected for phase, on the scale of |chi(R)|: a wave sin(2kR) lies at R.
    dr : float, optional
        Step in R, A; by default that of |chi(R)|.
    nr : int, optional
        Number of points in R, instead of `dr`.
    eta : float
        Frequency of the Morlet wavelet; its resolution in R is R / (eta sigma).
    sigma : float
        Width of the Gaussian of the Morlet wavelet.
    order : int
        Order of the Cauchy wavelet; its resolution in R is R / sqrt(order).
    scaling : str, optional
        "energy" (the double integral of |W|^2 is the integral of |chi(R)|^2; default of Morlet), "amplitude"
        (a wave of amplitude 1 gives 1) or "larch" (default of Cauchy).

    Returns
    -------
    Wavelet or Series
        Wavelet with wt (..., nr, nk), complex, and `chik`, the weighted, windowed chi; or a Series of it. Rows
        with NaN give NaN.

    Raises
    ------
    RangeError
        Ranges that are empty or exceed the data.
    DataError
        Unusable grids, unknown names, or a stack whose result would need more than 2 GB (use `iter_wavelet`).

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> xs.wavelet(chi, k=(3, 12), r=(1, 4)).wt.ndim
    2
    """
    settings: dict[str, Any] = {
        "kind": kind, "k": k, "kweight": kweight, "window": window, "dk": dk, "r": r, "dr": dr, "nr": nr,
        "eta": eta, "sigma": sigma, "order": order, "scaling": scaling,
    }  # fmt: skip
    if isinstance(chi, Series):
        return replace(chi, data=wavelet(chi.data, **settings))
    plan = _Plan(chi, settings)
    rows = int(np.prod(chi.chi.shape[:-1]))
    if rows * plan.r.size * chi.k.size * 16 > MEMORY:
        raise DataError(
            f"{chi.label}: the wavelets of {rows} spectra would take "
            f"{rows * plan.r.size * chi.k.size * 16 / 2**30:.1f} GB; take them in chunks with iter_wavelet"
        )
    return plan(chi)


def iter_wavelet(
    chi: Chi | Series, *, rows: int | None = None, **settings: Any
) -> Iterator[tuple[slice, Wavelet]]:
    """Wavelet transforms of a long stack in chunks, so that the memory does not grow with its length.

    Parameters
    ----------
    chi : Chi or Series
        Chi with chi (m, nk), or a Series of it.
    rows : int, optional
        Spectra per chunk; by default as many as need 24 MB.
    **settings
        Settings of `wavelet`.

    Yields
    ------
    Iterator[tuple[slice, Wavelet]]
        The slice of the rows, and the Wavelet with wt (rows, nr, nk).

    Raises
    ------
    DataError
        Data that are not finite, not ascending, or of the wrong shape.
    RangeError
        As `wavelet` does.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.exafs.wavelet_transform import iter_wavelet
    >>> stack = xs.Chi(k=k, chi=np.vstack([chi.chi, chi.chi]), e0=np.full(2, 8979.0), edge_step=np.ones(2))
    >>> len(list(iter_wavelet(stack, rows=1, r=(1, 4))))
    2
    """
    data: Chi = chi.data if isinstance(chi, Series) else chi
    if data.chi.ndim != 2:
        raise DataError(f"{data.label}: chunks need chi of shape (m, nk), this has {data.chi.shape}")
    plan = _Plan(data, settings)
    step = rows or max(1, _CHUNK_VALUES // (plan.r.size * data.k.size))
    for start in range(0, data.chi.shape[0], step):
        part = slice(start, min(start + step, data.chi.shape[0]))
        yield part, plan(data.take(part))


def wavelets(chis: Sequence[Chi], **settings: Any) -> tuple[Wavelet, ...]:
    """The wavelet transforms of several chi(k) with the same settings, such as data, fit and paths, or several samples.

    Parameters
    ----------
    chis : sequence of Chi
        Several chi(k), each on its own k grid.
    **settings
        Settings of `wavelet`.

    Returns
    -------
    tuple of Wavelet
        One for each chi(k), in their order, each on the k grid of its chi(k).

    Raises
    ------
    DataError
        The list is empty; also what `wavelet` raises.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.exafs.wavelet_transform import wavelets
    >>> len(wavelets([chi, chi], r=(1, 4)))
    2
    """
    if not chis:
        raise DataError("no chi(k) given to transform; give at least one Chi record")
    return tuple(wavelet(chi, **settings) for chi in chis)


def difference(a: Wavelet, b: Wavelet) -> Wavelet:
    """The complex difference of two wavelet transforms, which is the transform of chi_a - chi_b where both have data.

    Its magnitude is not the difference of the magnitudes: two lobes of equal height at different distances do not cancel.

    Parameters
    ----------
    a : Wavelet
        The first transform.
    b : Wavelet
        The transform that is subtracted.

    Returns
    -------
    Wavelet
        On the grid of `a`; its label names both.

    Raises
    ------
    DataError
        R axes, kind, weight or normalisation differ.

    Examples
    --------
    >>> k = np.arange(0.0, 16.0, 0.05)
    >>> chi = xs.Chi(k=k, chi=np.sin(5.0 * k) * np.exp(-0.016 * k**2), e0=8979.0, edge_step=1.0)
    >>> from xasuite.exafs.wavelet_transform import difference
    >>> w = xs.wavelet(chi, r=(1, 4))
    >>> float(difference(w, w).magnitude.max())
    0.0
    """
    settings = [dict(w.history[-1].settings) if w.history else {} for w in (a, b)]
    for name in ("kind", "kweight", "scaling", "eta", "sigma", "order"):
        one, two = settings[0].get(name), settings[1].get(name)
        if one != two:
            raise DataError(f"{a.label} and {b.label} differ in {name} ({one} and {two}); use one for both")
    n = min(a.k.size, b.k.size)
    if a.r.shape != b.r.shape or not np.allclose(a.r, b.r) or not np.allclose(a.k[:n], b.k[:n]):
        raise DataError(f"{a.label} and {b.label} lie on different k or R grids; transform both on one")
    return replace(
        a, k=a.k[:n], wt=a.wt[..., :n] - b.wt[..., :n], chik=a.chik[..., :n] - b.chik[..., :n],
        label=f"{a.label} − {b.label}",
    )  # fmt: skip
