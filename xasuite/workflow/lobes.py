"""Tests of claims about wavelet lobes on closure spectra: their order in k, and a lobe that appears with time.

Each spectrum is mu(E) simulated from FEFF's paths with noise in mu, then normalised, and its background removed
(docs/decisions/lobe_order.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import SpecError
from ..exafs.wavelet_transform import Lobe, wavelet
from ..exafs.wavelet_transform.lobes import maxima, spread, track
from ..notices import collected
from ..records import Array, Chi, Wavelet
from ..specs.claims import LobeGrowth, LobeOrder, LobeSite
from ..specs.load import LoadedSpec

if TYPE_CHECKING:
    from ..simulate import TruthPath

KMAX = 14.0  # 1/A, where a usual scan ends
RBKG, BKG_KWEIGHT = 0.8, 3  # docs/decisions/background.md
NOISES = tuple(float(f"{v:.1e}") for v in np.geomspace(1e-4, 6.4e-3, 7))
SURE = 0.95  # an order counts as seen while this share of the resamples shows it
R_RANGE = (0.8, 3.6)  # A, of the maps


@dataclass(frozen=True)
class Order:
    """One part of a claimed order: k of `lower` is below k of `upper`.

    difference and error (1/A) are those of k_upper - k_lower; `share` of the resamples show the order at the
    stated noise; `dies` is the epsilon_k at which that share falls below 95 %: 0 if the noise-free spectra
    already contradict it (or have no such lobe), infinite if no noise studied is enough.
    """

    lower: str
    upper: str
    difference: float
    error: float
    share: float
    dies: float

    @property
    def holds(self) -> bool:
        """Whether at least 95 % of the resamples show the order."""
        return self.share >= SURE


@dataclass(frozen=True, eq=False)
class LobeOrders:
    """The result of a claimed order; `lobes` maps a site's name to its lobe, None where there is none."""

    check: LobeOrder
    lobes: Mapping[str, Lobe | None]
    orders: tuple[Order, ...]


@dataclass(frozen=True, eq=False)
class Growth:
    """A closure series at the times `hours` (m,), its Wavelet (m, nr, nk), and one lobe as a function of time.

    `height` and `error` (m,) are |W| at the position of the final lobe and its standard deviation over resamples. `share`
    (m,) of the resamples have a lobe there; `first` is the first time at which 95 % have one.
    """

    hours: Array
    wavelet: Wavelet
    height: Array
    error: Array
    share: Array
    first: float


def simulated_chi(
    paths: Sequence[TruthPath], *, element: str, noise: ArrayLike, seeds: Sequence[int], label: str
) -> Chi:
    """Simulate K-edge scans, normalise them and remove their background, all rows in one batch.

    Parameters
    ----------
    paths : every path of the truth, one value per number or one per row (m,).
    element : the absorber.
    noise : epsilon_k (m,) or one number, white in mu (docs/decisions/simulated_noise.md); 0 for none.
    seeds : one per row (m,): rows of one seed share their noise but for its size.

    Returns
    -------
    Chi with chi (m, nk) to KMAX. E0 is found once, on the first row without noise, as in the closure study: noise
    moves it by less than a point of the scan. Raises DataError and what reduction raises.
    """
    from .. import reduce, simulate

    clean = simulate.spectrum([p.take(0) for p in paths], element=element, kmax=KMAX, label=label)
    e0 = float(reduce.find_e0(clean.spectrum))
    levels = np.broadcast_to(np.asarray(noise, float), (len(seeds),))
    made = simulate.series(paths, element=element, noise=levels, seed=seeds, kmax=KMAX, label=label)
    return reduce.background(reduce.normalize(made.spectrum.data, e0=e0), rbkg=RBKG, kweight=BKG_KWEIGHT)


def site_paths(check: LobeOrder, site: LobeSite) -> tuple[TruthPath, ...]:
    """All of FEFF's paths of a site within the check's radius, with their true values. Raises CrystalError, FeffError, SpecError."""
    from .. import feff
    from ..simulate import TruthPath

    with collected():
        # where the element has several sites the first one is taken: a lobe's k depends little on the site
        found = feff.find_paths(site.structure, absorber=site.absorber, radius=check.radius)
    return tuple(
        TruthPath(p, n=p.degen, s02=check.s02, sigma2=_sigma2(check, site, p), label="-".join(p.scatterers))
        for p in found
    )


def _sigma2(check: LobeOrder, site: LobeSite, path: Any) -> float:
    if site.sigma2 is not None:
        return site.sigma2
    for rule in check.sigma2:
        scatterer = not rule.scatterer or path.scatterers == (rule.scatterer,)
        if scatterer and path.reff < rule.within and rule.legs[0] <= path.nleg <= rule.legs[1]:
            return rule.value
    raise SpecError(
        f"{site.name}: no rule of sigma2 fits the path {'-'.join(path.scatterers)}; add one without conditions"
    )


def site_chi(check: LobeOrder, site: LobeSite, *, noise: ArrayLike = 0.0, seeds: Sequence[int] = (0,)) -> Chi:
    """chi(k) (m, nk) of a site, simulated and reduced; only of the path to `site.alone` where it names a scatterer.

    Parameters
    ----------
    noise, seeds : epsilon_k and seed of each row.

    Raises CrystalError, FeffError and what simulation and reduction raise.
    """
    from ..simulate.truth import chi_of_k

    paths = site_paths(check, site)
    chi = simulated_chi(paths, element=site.absorber, noise=noise, seeds=seeds, label=site.name)
    others = [p for p in paths if site.alone and p.feff.scatterers != (site.alone,)]
    left = chi.chi - chi_of_k(others, chi.k)
    return Chi(k=chi.k, chi=left, e0=chi.e0, edge_step=chi.edge_step, element=site.absorber, edge="K",
               label=site.name, meta={"kind": "closure"}, history=chi.history)  # fmt: skip


def wavelet_settings(check: LobeOrder | LobeGrowth) -> dict[str, Any]:
    """The settings of `wavelet` that a check states."""
    found: dict[str, Any] = {"k": check.k, "kweight": check.kweight, "eta": check.eta, "r": R_RANGE}
    if isinstance(check, LobeOrder):
        found |= {"dk": 1.0, "kind": check.wavelet, "order": check.cauchy_order}
    return found


def lobe_order(
    check: LobeOrder, *, seeds: int = 100, noises: Sequence[float] = NOISES, seed: int = 4
) -> LobeOrders:
    """The k of each site's lobe with its error, and for each claimed order the noise at which it is lost.

    Parameters
    ----------
    check : structures, order and settings; another setting is ``check.model_copy(update={"kweight": 2})``.
    seeds : resamples at each noise; sites are paired at random, their noises are independent.
    noises : levels of epsilon_k searched for the one at which an order dies.
    seed : of numpy's generator.

    Raises what FEFF and `wavelet` raise.
    """
    settings = wavelet_settings(check)
    lobes: dict[str, Lobe | None] = {}
    drawn: dict[str, dict[float, Array]] = {}
    levels = sorted({check.noise, *map(float, noises)})
    rows = np.concatenate([[0.0], np.repeat(levels, seeds)])
    for number, site in enumerate(check.site):
        drawn_from = np.random.SeedSequence([seed, number]).generate_state(seeds)
        chi = site_chi(check, site, noise=rows, seeds=[0, *np.tile(drawn_from, len(levels)).tolist()])
        found = maxima(wavelet(chi.take(0), **settings), within_r=site.r, threshold=0.3)
        values = _followed(chi.take(slice(1, None)), found, settings).reshape(len(levels), seeds, -1)
        drawn[site.name] = dict(zip(levels, values, strict=True))
        lobes[site.name] = _with_errors(found[0], drawn[site.name][check.noise]) if found else None
    return LobeOrders(check, lobes, tuple(_order(a, b, lobes, drawn, check.noise) for a, b in check.order))


def lobe_wavelets(check: LobeOrder) -> tuple[Wavelet, ...]:
    """The wavelet map of each site of a check, without noise."""
    return tuple(wavelet(site_chi(check, s).take(0), **wavelet_settings(check)) for s in check.site)


def _followed(noisy: Chi, found: Sequence[Lobe], settings: Mapping[str, Any]) -> Array:
    """Values (m, 5) of the first lobe in noisy copies; NaN where it is lost."""
    if not found:
        return np.full((len(noisy.chi), 5), np.nan)
    # only R near the lobe is transformed, to save time
    near = {**settings, "r": (max(0.3, found[0].r - 0.7), found[0].r + 0.7)}
    return track(noisy, found[:1], **near)[:, 0]


def _with_errors(lobe: Lobe, values: Array) -> Lobe:
    kept = values[np.isfinite(values[:, 0])]
    return replace(lobe, errors=tuple(spread(kept[:, i]) for i in range(5)), found=len(kept) / len(values))


def _order(
    lower: str,
    upper: str,
    lobes: Mapping[str, Lobe | None],
    drawn: Mapping[str, Mapping[float, Array]],
    noise: float,
) -> Order:
    low, high = lobes[lower], lobes[upper]
    if low is None or high is None:
        return Order(lower, upper, float("nan"), float("nan"), 0.0, 0.0)
    shares = {
        level: float(np.mean(drawn[upper][level][:, 0] > drawn[lower][level][:, 0])) for level in drawn[lower]
    }
    error = float(np.hypot(low.error("k"), high.error("k")))
    return Order(lower, upper, high.k - low.k, error, shares[noise], _dies(shares, high.k > low.k))


def _dies(shares: Mapping[float, float], noise_free: bool) -> float:
    """The noise at which the share falls below SURE, interpolated in the logarithm of the noise."""
    if not noise_free:
        return 0.0
    before: tuple[float, float] | None = None
    for level in sorted(shares):
        if shares[level] < SURE:
            if before is None:
                return level
            part = (before[1] - SURE) / (before[1] - shares[level])
            return float(np.exp(np.log(before[0]) + part * np.log(level / before[0])))
        before = (level, shares[level])
    return float("inf")


def mixture(check: LobeGrowth, before: LoadedSpec, after: LoadedSpec) -> tuple[TruthPath, ...]:
    """The paths of two simulated rows: N (m,) of the first row falls linearly with time, N of the second rises."""
    from .simulated import truth_paths

    part = np.asarray(check.hours, float) / check.hours[-1]
    out: list[TruthPath] = []
    for loaded, row, share in ((before, check.before[1], 1 - part), (after, check.row, part)):
        entries = [i for i, d in enumerate(loaded.spec.data) if d.simulate and d.simulate.row == row]
        if not entries:
            raise SpecError(f'{loaded.path.name} simulates no row "{row}"; a lobe_growth check names it')
        out += [replace(p, n=p.n * share) for p in truth_paths(loaded, entries[0])]
    return tuple(out)


def lobe_growth(
    check: LobeGrowth, before: LoadedSpec, after: LoadedSpec, *, seeds: int = 60, seed: int = 9
) -> Growth:
    """A lobe that appears while closure spectra change linearly from one row to another.

    This is no evidence of how a real sample changed.

    Raises DataError where the last row has no such lobe, and what simulation and reduction raise.
    """
    m, settings = len(check.hours), wavelet_settings(check)
    paths, element = mixture(check, before, after), after.spec.absorber(0)[0]
    label = f"{check.row}, {element} K, closure"
    last = simulated_chi([p.take(slice(m - 1, m)) for p in paths], element=element, noise=0.0, seeds=(0,), label=label)  # fmt: skip
    clean = wavelet(last.take(0), **settings)
    found = maxima(clean, within_r=check.r, within_k=check.k)
    if not found:
        raise SpecError(
            f"{after.path.name}: {check.row} has no lobe between {check.r[0]:g} and {check.r[1]:g} A"
        )
    lobe = found[0]
    i, j = int(np.argmin(np.abs(clean.r - lobe.r))), int(np.argmin(np.abs(clean.k - lobe.k)))
    # rows are ordered by hour, then by seed; every scan has its own noise
    drawn = np.random.SeedSequence(seed).generate_state(m * seeds).tolist()
    spread_out = [p.take(np.repeat(np.arange(m), seeds)) for p in paths]
    scans = simulated_chi(spread_out, element=element, noise=check.noise, seeds=drawn, label=label)
    height, error, share = np.empty(m), np.empty(m), np.empty(m)
    for row in range(m):
        stack = scans.take(slice(row * seeds, (row + 1) * seeds))
        values = wavelet(stack, **settings).magnitude[:, i, j]
        height[row], error[row] = values.mean(), values.std(ddof=1)
        share[row] = np.isfinite(track(stack, [lobe], **settings)[:, 0, 0]).mean()
    shown = np.flatnonzero(share >= SURE)
    film = wavelet(scans.take(slice(0, None, seeds)), **settings)
    first = float(check.hours[shown[0]]) if shown.size else float("nan")
    return Growth(np.asarray(check.hours, float), film, height, error, share, first)
