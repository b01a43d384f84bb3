"""Wavelet maps that the project shows: measured foils, and a perovskite's metal-metal lobe growing in (closure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError
from ..exafs.wavelet_transform import Lobes, find_lobes, wavelet, wavelets
from ..exafs.wavelet_transform.lobes import maxima, track
from ..records import Array, Chi, Wavelet

if TYPE_CHECKING:
    from ..simulate import TruthPath

FOILS: Mapping[str, str] = {e: f"foils/{e}_foil_QAS.dat" for e in ("Co", "Mn", "Fe", "Ru")}
FOIL_SETTINGS: Mapping[str, Any] = {"k": (3.0, 12.0), "kweight": 3, "r": (1.0, 4.0), "eta": 14.0}
# As published for the perovskite: k^3 at the Co edge, k of 3-11 1/A, S02 of the Co foil
CCRO_SETTINGS: Mapping[str, Any] = {"k": (3.0, 11.0), "kweight": 3, "r": (0.8, 3.6), "eta": 10.0}
CCRO_S02 = 0.77
# Beyond the published shells (A): the perovskite of s7_co.toml, and that share of ruthenium's shells of s9_co.toml
OXIDE_FROM, ALLOY_FROM, ALLOY_SHARE = 2.5, 3.2, 0.4
HOURS = (0.0, 2.0, 4.0, 8.0, 12.0, 18.0, 24.0, 30.0)
NOISE = 3e-4


def foil_chis(root: Path, elements: Sequence[str] = tuple(FOILS)) -> tuple[Chi, ...]:
    """chi(k) of the measured foils under a folder of measured spectra, by one reduction (rbkg 1, k weight 3).

    Raises ReadError for a foil that is not there or not known, and what reading and reduction raise.
    """
    from .. import io, reduce

    out = []
    for element in elements:
        if element not in FOILS:
            raise ReadError(f"no foil of {element} is known; there are {', '.join(FOILS)}")
        scan = io.read(str(root / FOILS[element]), element=element, edge="K")
        chi = reduce.background(reduce.normalize(scan.mu()), rbkg=1.0, kweight=3)
        out.append(replace(chi, label=f"{element} foil (measured)"))
    return tuple(out)


def foils(root: Path, *, resamples: int = 100) -> tuple[tuple[Wavelet, ...], tuple[Lobes, ...]]:
    """Wavelets of the measured foils and their highest lobe each, with errors from their own noise."""
    chis = foil_chis(root)
    lobes = tuple(
        find_lobes(c, resamples=resamples, within_r=(1.6, 3.0), limit=1, **FOIL_SETTINGS) for c in chis
    )
    return wavelets(chis, **FOIL_SETTINGS), lobes


@dataclass(frozen=True, eq=False)
class Growth:
    """The film of a closure series: `hours` (m,), its Wavelet (m, nr, nk), and the metal-metal lobe in time.

    `height` and `error` (m,) are |W| at the final lobe's place with its standard deviation over resamples, `share`
    (m,) the share of resamples in which a lobe stands there; `first` the first time at which 95 % show one.
    """

    hours: Array
    wavelet: Wavelet
    height: Array
    error: Array
    share: Array
    first: float


def ccro_paths(hours: Sequence[float] = HOURS) -> tuple[TruthPath, ...]:
    """Every path of the sample at the Co K edge between open circuit and 30 h, values a row an hour (m,).

    N, R and sigma2 of Co-O, and N of Co-Ru, run in straight lines from Table S7's OCP row to Table S9's Co-30 h row;
    what lies beyond those shells changes from the perovskite to ruthenium in the same measure, as the closure specs
    fits/ccro/s7_co.toml and s9_co.toml have it. **Closure**, not evidence of how the sample went. Raises CrystalError,
    FeffError, SpecError.
    """
    from .. import feff
    from ..simulate import TruthPath, rest
    from ..spec.published import table

    oxide = feff.find_paths("CCRO", absorber="Co", program="feff6l")
    alloy = feff.find_paths("Ru_hcp", absorber="Co", program="feff6l")
    oxygen, ruthenium = feff.select(oxide, scatterer="O"), feff.select(alloy, scatterer="Ru")
    before = {line.path: line for line in table("ccro/S7").lines("OCP")}["Co-O"]
    after = {line.path: line for line in table("ccro/S9").lines("Co-30 h")}
    part = np.asarray(hours, float) / 30.0

    def between(name: str) -> Array:
        start, end = getattr(before, name), getattr(after["Co-O"], name)
        return np.asarray(start + part * (end - start))

    metal = after["Co-Ru"]
    assert metal.n is not None
    assert metal.r is not None
    assert metal.sigma2 is not None
    shells = (
        TruthPath(oxygen, n=between("n"), s02=CCRO_S02, deltar=between("r") - oxygen.reff, sigma2=between("sigma2")),
        TruthPath(ruthenium, n=part * metal.n, s02=CCRO_S02, deltar=metal.r - ruthenium.reff, sigma2=metal.sigma2),
    )  # fmt: skip
    beyond = [(p, 1 - part) for p in rest(oxide, beyond=OXIDE_FROM, s02=CCRO_S02)]
    beyond += [(p, ALLOY_SHARE * part) for p in rest(alloy, beyond=ALLOY_FROM, s02=CCRO_S02)]
    return (*shells, *(replace(p, n=p.n * share) for p, share in beyond))


def ccro_growth(
    hours: Sequence[float] = HOURS, *, noise: float = NOISE, seeds: int = 60, seed: int = 9
) -> Growth:
    """The Co-Ru lobe growing in between open circuit and 30 h, in simulated scans with noise `noise` (epsilon_k).

    Every scan goes through normalisation and background. Raises what `ccro_paths` and reduction raise.
    """
    from .through import simulated_chi

    m = len(hours)
    paths = ccro_paths(hours)
    label = "Ca$_2$CoRuO$_6$, Co K, closure"
    last = simulated_chi(
        [p.take(slice(m - 1, m)) for p in paths], element="Co", noise=0.0, seeds=(0,), label=label
    )
    clean = wavelet(last.take(0), **CCRO_SETTINGS)
    lobe = maxima(clean, r=(1.9, 2.8), k=(3, 11))[0]
    i, j = int(np.argmin(np.abs(clean.r - lobe.r))), int(np.argmin(np.abs(clean.k - lobe.k)))
    # Rows by hour, a scan of each seed in turn; every scan has its own noise
    drawn = np.random.SeedSequence(seed).generate_state(m * seeds).tolist()
    spread_out = [p.take(np.repeat(np.arange(m), seeds)) for p in paths]
    scans = simulated_chi(spread_out, element="Co", noise=noise, seeds=drawn, label=label)
    height, error, share = np.empty(m), np.empty(m), np.empty(m)
    for row in range(m):
        stack = scans.take(slice(row * seeds, (row + 1) * seeds))
        values = wavelet(stack, **CCRO_SETTINGS).magnitude[:, i, j]
        height[row], error[row] = values.mean(), values.std(ddof=1)
        share[row] = np.isfinite(track(stack, [lobe], **CCRO_SETTINGS)[:, 0, 0]).mean()
    shown = np.flatnonzero(share >= 0.95)
    film = scans.take(slice(0, None, seeds))
    first = float(hours[shown[0]]) if shown.size else float("nan")
    return Growth(np.asarray(hours, float), wavelet(film, **CCRO_SETTINGS), height, error, share, first)


def write_figures(folder: Path, root: Path | None = None) -> list[Path]:
    """Write the maps of statement 4 (pair alone, all paths), the film of the growing lobe and, given the folder of
    measured spectra, the foils. Returns the files. Raises WriteError, ReadError."""
    from ..report.plots.style import save
    from ..report.plots.wavelet import plot_film, plot_wavelets
    from .lobes import claim4_wavelets

    written = []
    for name, alone in (("comn_pair", True), ("comn_all_paths", False)):
        written += save(plot_wavelets(claim4_wavelets(isolated=alone), each=True), folder / name)
    growth = ccro_growth()
    film = plot_film(growth.wavelet, labels=[f"{h:g} h" for h in growth.hours])
    written += save(film, folder / "ccro_growth")
    if root is not None:
        maps, lobes = foils(root)
        written += save(plot_wavelets(maps, lobes=lobes, each=True, columns=2), folder / "foils")
    return written
