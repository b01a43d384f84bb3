"""Where wavelet lobes lie in k: a published ordering of scatterers, judged with errors and by noise.

Statement 4 about Co-Mn diatomic sites (references/published/comn.toml) orders lobes by k: metal-nitrogen below
metal-metal of the pair below metal-metal of the foil, at both edges, and Co-Mn below Mn-Co. Each sample is a closure
spectrum: mu(E) of FEFF's paths of an idealised cluster with noise in mu, normalised, its background removed.
docs/decisions/lobe_order.md has what came out.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CrystalError, XasuiteWarning
from ..exafs.wavelet_transform import Lobe
from ..exafs.wavelet_transform.lobes import maxima, spread, track
from ..records import Array, Chi, Wavelet

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from ..simulate import TruthPath

RADIUS = 5.0  # A, the longest half path length taken into the sum
S02 = 0.8
# Mean square relative displacements, A^2: near nitrogen, other light atoms, the pair, multiple scattering. Usual
# room-temperature values for M-N-C catalysts; with the foils' the lobes lie where the measured foils' do (0.02 1/A).
SIGMA2 = {"N": 0.006, "light": 0.008, "pair": 0.007, "multiple": 0.010, "Co foil": 0.0065, "Mn foil": 0.009}
FIRST_SHELL = 2.2  # A: nitrogen up to here is bound to the metal
NOISE = 3e-4  # epsilon_k of a good transmission scan, as in the other closure studies
NOISES = tuple(float(f"{v:.1e}") for v in np.geomspace(1e-4, 6.4e-3, 7))
# An order counts as seen while this share of the resamples shows it.
SURE = 0.95
# The settings that a reader may have used: the paper states none.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "k^3, Morlet 14": {"kweight": 3, "eta": 14.0},
    "k^3, Morlet 10": {"kweight": 3, "eta": 10.0},
    "k^2, Morlet 14": {"kweight": 2, "eta": 14.0},
    "k^2, Morlet 10": {"kweight": 2, "eta": 10.0},
    "k^3, Cauchy 200": {"kweight": 3, "kind": "cauchy"},
}
COMMON: Mapping[str, Any] = {"k": (3.0, 12.0), "dk": 1.0, "r": (0.8, 3.6)}


@dataclass(frozen=True)
class Site:
    """One lobe that the statement names: structure, absorber, where in R it is looked for, foil or not."""

    name: str
    structure: str
    absorber: str
    r: tuple[float, float]
    pair: str = ""
    foil: str = ""


# The models of the pair, and where in R its lobe is looked for: bent as the published peak in |chi(R)| needs (Co-Mn 2.88 A),
# and planar as the microscope's distance is usually read (2.50 A); docs/decisions/clusters.md.
STRUCTURES: Mapping[str, tuple[float, float]] = {
    "L-Co1Mn1-NC": (2.2, 2.9),
    "L-Co1Mn1-NC_planar": (1.75, 2.5),
}
# The pair's structure and range are filled in from STRUCTURES.
SITES: tuple[Site, ...] = (
    Site("Co-N", "Co1-NC", "Co", (1.1, 1.7)),
    Site("Co-Mn", "", "Co", (0.0, 0.0), pair="Mn"),
    Site("Co-Co foil", "Co_hcp", "Co", (1.75, 2.7), foil="Co foil"),
    Site("Mn-N", "Mn1-NC", "Mn", (1.1, 1.7)),
    Site("Mn-Co", "", "Mn", (0.0, 0.0), pair="Co"),
    Site("Mn-Mn foil", "Mn", "Mn", (1.9, 2.9), foil="Mn foil"),
)
ORDERS: tuple[tuple[str, str], ...] = (
    ("Co-N", "Co-Mn"),
    ("Co-Mn", "Co-Co foil"),
    ("Co-Mn", "Mn-Co"),
    ("Mn-N", "Mn-Co"),
    ("Mn-Co", "Mn-Mn foil"),
)


@dataclass(frozen=True)
class Order:
    """One part of the statement: k of `lower` is below k of `upper`.

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
class Claim4:
    """The statement under one set of wavelet settings; `lobes` maps a site's name to its lobe, None where absent."""

    settings: str
    structure: str
    isolated: bool
    noise: float
    seeds: int
    lobes: Mapping[str, Lobe | None]
    orders: tuple[Order, ...]

    @property
    def holds(self) -> bool:
        """Whether every part holds at the stated noise."""
        return all(o.holds for o in self.orders)

    @property
    def dies(self) -> float:
        """The noise epsilon_k at which the first part dies."""
        return min(o.dies for o in self.orders)

    @property
    def verdict(self) -> str:
        """One sentence with the numbers."""
        paths = "the metal-metal path alone" if self.isolated else "all paths"
        what = f"{self.structure}, {paths}"
        failed = [o for o in self.orders if not o.holds]
        if not failed:
            return f"{self.settings}, {what}: holds at noise {self.noise:g}, dies at {_noise_text(self.dies)}"
        parts = ", ".join(f"{o.lower} < {o.upper} ({_difference_text(o)})" for o in failed)
        return f"{self.settings}, {what}: does not hold as stated at noise {self.noise:g}: {parts}"

    def table(self) -> pd.DataFrame:
        """A row a part: difference in k with error, share of resamples, noise at which it dies."""
        import pandas as pd

        return pd.DataFrame(
            {
                "settings": self.settings, "structure": self.structure, "paths": "pair alone" if self.isolated else "all",
                "order": f"{o.lower} < {o.upper}", "dk (1/A)": o.difference, "dk_err": o.error,
                "share": o.share, "dies at epsilon_k": o.dies,
            }
            for o in self.orders
        )  # fmt: skip


def site_paths(site: Site, *, pair_sigma2: float = SIGMA2["pair"]) -> tuple[TruthPath, ...]:
    """The truth of a site: all of FEFF's paths up to RADIUS with their values. Raises CrystalError, FeffError."""
    from .. import feff
    from ..simulate import TruthPath

    with warnings.catch_warnings():
        # alpha-Mn has four sites; its first, the default, is as good as any for a lobe's place in k
        warnings.simplefilter("ignore", XasuiteWarning)
        found = feff.find_paths(site.structure, absorber=site.absorber, radius=RADIUS)
    return tuple(
        TruthPath(p, n=p.degen, s02=S02, sigma2=_sigma2(site, p, pair_sigma2), label="-".join(p.scatterers))
        for p in found
    )


def site_chi(
    site: Site,
    *,
    isolated: bool = False,
    pair_sigma2: float = SIGMA2["pair"],
    noise: ArrayLike = 0.0,
    seeds: Sequence[int] = (0,),
) -> Chi:
    """chi(k) of a site as measured: mu(E) of all its paths simulated, normalised, background removed.

    Parameters
    ----------
    isolated : the chi(k) of every path but the pair's own is subtracted then, as known: what a perfect fit leaves,
        with the noise and with what the background took.
    pair_sigma2 : of the pair's path, A^2.
    noise, seeds : epsilon_k and seed of each row.

    Returns Chi, chi (m, nk). Raises CrystalError, FeffError and what simulation and reduction raise.
    """
    from ..simulate.truth import chi_of_k
    from .through import simulated_chi

    paths = site_paths(site, pair_sigma2=pair_sigma2)
    chi = simulated_chi(paths, element=site.absorber, noise=noise, seeds=seeds, label=site.name)
    others = [p for p in paths if isolated and site.pair and p.feff.scatterers != (site.pair,)]
    left = chi.chi - chi_of_k(others, chi.k)
    return Chi(k=chi.k, chi=left, e0=chi.e0, edge_step=chi.edge_step, element=site.absorber, edge="K",
               label=site.name, meta={"kind": "closure"}, history=chi.history)  # fmt: skip


def _sigma2(site: Site, path: Any, pair: float) -> float:
    if site.foil:
        return SIGMA2[site.foil]
    if path.nleg > 2:
        return SIGMA2["multiple"]
    if path.scatterers == (site.pair,):
        return pair
    near = path.scatterers == ("N",) and path.reff < FIRST_SHELL
    return SIGMA2["N" if near else "light"]


def claim4(
    *,
    settings: str = "k^3, Morlet 14",
    structure: str = "L-Co1Mn1-NC",
    isolated: bool = True,
    pair_sigma2: float = SIGMA2["pair"],
    noise: float = NOISE,
    seeds: int = 100,
    noises: Sequence[float] = NOISES,
    seed: int = 4,
) -> Claim4:
    """Statement 4 as numbers: the lobes' k with errors, each order with the noise at which it dies.

    Parameters
    ----------
    settings : a name in SETTINGS, the k weight and wavelet.
    structure : a name in STRUCTURES, the model of the pair.
    isolated : the other paths subtracted after the reduction, as a perfect fit would; False: all paths, in
        which carbon at the same distance moves the lobe by up to 1.5 1/A, up or down with the model.
    pair_sigma2 : sigma2 of the pair's path, A^2: it moves the lobe in k as much as the choice of element does.
    noise : epsilon_k at which the errors are given; put in as noise of mu(E).
    seeds : resamples at each noise; sites are paired at random, their noises are independent.
    noises : levels of epsilon_k searched for the one at which an order dies.
    seed : of numpy's generator.

    Returns
    -------
    Claim4. Raises what FEFF and `wavelet` raise.
    """
    from ..exafs.wavelet_transform import wavelet

    chosen = {**COMMON, **SETTINGS[settings]}
    lobes: dict[str, Lobe | None] = {}
    drawn: dict[str, dict[float, Array]] = {}
    levels = sorted({float(noise), *map(float, noises)})
    rows = np.concatenate([[0.0], np.repeat(levels, seeds)])
    for number, site in enumerate(sites(structure)):
        drawn_from = np.random.SeedSequence([seed, number]).generate_state(seeds)
        chi = site_chi(
            site,
            isolated=isolated,
            pair_sigma2=pair_sigma2,
            noise=rows,
            seeds=[0, *np.tile(drawn_from, len(levels)).tolist()],
        )
        found = maxima(wavelet(chi.take(0), **chosen), r=site.r, threshold=0.3)
        lobes[site.name] = found[0] if found else None
        values = _followed(chi.take(slice(1, None)), found, chosen).reshape(len(levels), seeds, -1)
        drawn[site.name] = dict(zip(levels, values, strict=True))
    lobes = {name: _with_errors(lobe, drawn[name][float(noise)]) for name, lobe in lobes.items()}
    orders = tuple(_order(a, b, lobes, drawn, float(noise)) for a, b in ORDERS)
    return Claim4(settings, structure, isolated, float(noise), seeds, lobes, orders)


def claim4_all(**options: Any) -> tuple[Claim4, ...]:
    """`claim4` for every model of the pair under every one of SETTINGS, with all paths and with the pair's alone."""
    return tuple(
        claim4(settings=s, structure=pair, isolated=i, **options)
        for pair in STRUCTURES for i in (True, False) for s in SETTINGS
    )  # fmt: skip


def sites(structure: str = "L-Co1Mn1-NC") -> tuple[Site, ...]:
    """SITES with the pair's model filled in. Raises CrystalError for a model that is none of STRUCTURES."""
    if structure not in STRUCTURES:
        raise CrystalError(f"no model {structure!r} of the pair; choose one of {', '.join(STRUCTURES)}")
    return tuple(replace(s, structure=structure, r=STRUCTURES[structure]) if s.pair else s for s in SITES)


def _followed(noisy: Chi, found: Sequence[Lobe], settings: Mapping[str, Any]) -> Array:
    """Values (m, 5) of the first lobe in noisy copies; NaN where it is lost."""
    if not found:
        return np.full((len(noisy.chi), 5), np.nan)
    # Only R about the lobe is transformed: more is not looked at
    near = {**settings, "r": (max(0.3, found[0].r - 0.7), found[0].r + 0.7)}
    return track(noisy, found[:1], **near)[:, 0]


def _with_errors(lobe: Lobe | None, values: Array) -> Lobe | None:
    if lobe is None:
        return None
    kept = values[np.isfinite(values[:, 0])]
    errors = tuple(spread(kept[:, i]) for i in range(5))
    return replace(lobe, errors=errors, found=len(kept) / len(values))


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
    """The noise, between levels on a logarithmic scale, at which the share falls below SURE."""
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


def claim4_wavelets(
    settings: str = "k^3, Morlet 14", structure: str = "L-Co1Mn1-NC", *, isolated: bool = False
) -> tuple[Wavelet, ...]:
    """The six maps of the statement, without noise, for a figure in which each has its own scale."""
    from ..exafs.wavelet_transform import wavelets

    chis = [site_chi(s, isolated=isolated).take(0) for s in sites(structure)]
    return wavelets(chis, **{**COMMON, **SETTINGS[settings]})


def _noise_text(noise: float) -> str:
    return f"more than {max(NOISES):.0e}" if not np.isfinite(noise) else f"{noise:.1e}"


def _difference_text(order: Order) -> str:
    if not np.isfinite(order.difference):
        return "no such lobe"
    return f"dk {order.difference:+.2f} ± {order.error:.2f} 1/A, {order.share:.0%} of resamples"
