"""The input of a budget: the spectra of each data set, and their chi(k) for another background and E0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from ...constants import ETOK, KTOE, ROOM
from ...cubic import interpolated
from ...feff.paths import FeffPath
from ...records import Array, Chi
from ...reduce.autobk import remove
from ...reduce.autobk_matrices import Settings
from ...reduce.corrections import Geometry, amplitude_factor, correct_overabsorption
from ...reduce.response import background_response
from ..equation import N_VALUES, VALUES, PathTables, build_tables, path_wave
from ..model import Model
from ..restraints import with_bound
from .draws import BACKGROUNDS
from .fits import Reduced, onset

# step in eV to which E0 of farther shells is rounded; this is 0.02 rad of their phase
_E0_STEP = 0.5


@dataclass(frozen=True, eq=False)
class Farther:
    """All paths of a crystal beyond the fitted shells, each with N and sigma2 (A^2).

    `label` is the outermost fitted path and `crystal_n` its N in the crystal. The amplitude of the farther shells is scaled by the
    ratio of the fitted N to `crystal_n`.
    """

    label: str
    crystal_n: float
    paths: tuple[tuple[FeffPath, float, float], ...]

    def chi(self, k: Array, share: Array, e0: Array) -> Array:
        """chi (m, nk) of m rows with amplitude `share` (m,) and E0 (m,) in eV, which is rounded."""
        at = np.round(np.asarray(e0) / _E0_STEP) * _E0_STEP
        each, which = np.unique(at, return_inverse=True)
        return _sum(self, k.tobytes(), each.tobytes())[which] * share[:, None] * onset(k)


@lru_cache(maxsize=64)
def _sum(far: Farther, k_bytes: bytes, e0_bytes: bytes) -> Array:
    """chi (m, nk) of all paths at each E0 (m,)."""
    k, e0 = np.frombuffer(k_bytes), np.frombuffer(e0_bytes)
    out = np.zeros((len(e0), k.size))
    tables = _tables(far)
    for i, (_, n, sigma2) in enumerate(far.paths):
        values = np.zeros((len(e0), N_VALUES))
        values[:, VALUES.index("amplitude")], values[:, VALUES.index("sigma2")] = n, sigma2
        values[:, VALUES.index("e0")] = e0
        out[:, 1:] += path_wave(tables, i, k[1:], values)[0].imag
    return out


@lru_cache(maxsize=32)
def _tables(far: Farther) -> PathTables:
    return build_tables([p for p, _, _ in far.paths])


@dataclass(frozen=True, eq=False)
class Absorption:
    """mu (m, n) on energy (n,) with E0 and edge step (m,); `settings` are the stated ones of autobk."""

    energy: Array
    mu: Array
    e0: Array
    edge_step: Array
    settings: Settings
    farther: Farther | None = None
    overabsorption: tuple[Geometry, str, str] | None = None  # with element and edge

    @property
    def kmax(self) -> float:
        """The end of chi(k) under every choice of E0, 1/A."""
        return k_end(float(self.energy[-1]), float(self.e0.max()))

    def reduced(self, kweight: int, rbkg: float, shift: float) -> Reduced:
        """chi by autobk, corrected for over-absorption if `overabsorption` is set."""
        e0 = self.e0 + shift
        low, high = self.settings.k or (0.0, np.inf)
        settings = replace(self.settings, kweight=kweight, rbkg=rbkg, k=(low, min(high, self.kmax)))
        k, chi, _ = remove(self.energy, self.mu, e0, self.edge_step, settings)
        response = background_response(self.energy, float(np.median(e0)), settings)
        if self.overabsorption is None:
            return Reduced(k, chi, response)
        geometry, element, edge = self.overabsorption
        corrected = correct_overabsorption(Chi(k, chi, self.e0, self.edge_step, element, edge), geometry).chi
        factor = amplitude_factor(k, geometry, element, edge)
        return Reduced(k, corrected, response * factor / factor[:, None])


@dataclass(frozen=True, eq=False)
class GivenChi:
    """chi (1, nk) from a file, on k from 0 in equal steps: the background cannot be changed, E0 can."""

    k: Array
    given: Array
    farther: Farther | None = None

    @property
    def kmax(self) -> float:
        """The end of chi(k) under every choice of E0, 1/A."""
        highest = max(shift for *_, shift in BACKGROUNDS)
        return float(np.sqrt(max(self.k[-1] ** 2 - ETOK * highest, 0.0))) - 0.05

    def reduced(self, kweight: int, rbkg: float, shift: float) -> Reduced:
        """chi with k counted from another E0."""
        k = self.k[self.k <= self.kmax]
        at = np.sqrt(np.maximum(k**2 + ETOK * shift, 0.0))
        return Reduced(k, interpolated(self.k, self.given.T, at).T, np.eye(k.size))


# where chi(k) of m spectra on one grid comes from
Source = Absorption | GivenChi


@dataclass(frozen=True, eq=False)
class Spectra:
    """The input of a budget: a source for each data set of the model, and known errors.

    `owner` (np,) is the data set of each path, by default the first. `steps` are, by cause, relative errors of all amplitudes, such as
    that of the edge step (or of its ratio to that of the foil, if a parameter is inherited). `own_step` is the independent part of the
    error of the edge step for each of several data sets. `energy_scale` is the relative error of E - E0, which data sets of the same
    `beamline` share (one number per set; by default all are of one beamline). `temperatures` (K) are those of the samples, by default
    300 K. `others` (na, np) are the paths of the model with each of several potentials, whose mean is the estimate; by default only the
    potentials of the model are used.
    """

    model: Model
    sources: tuple[Source, ...]
    owner: tuple[int, ...] = ()
    steps: Mapping[str, float] = field(default_factory=dict)
    own_step: float = 0.0
    energy_scale: float = 0.0
    beamline: tuple[int, ...] = ()
    temperatures: tuple[float, ...] = ()
    others: tuple[tuple[FeffPath, ...], ...] = ()

    def __post_init__(self) -> None:
        # restraints hold for the values of a path, not for the changed values of `model_changes`
        object.__setattr__(self, "model", with_bound(self.model))
        object.__setattr__(self, "owner", self.owner or (0,) * len(self.model.paths))
        object.__setattr__(self, "temperatures", self.temperatures or (ROOM,) * len(self.sources))

    @property
    def kmax(self) -> float:
        """The end of chi(k) of all data sets under every choice of E0, 1/A."""
        return min(s.kmax for s in self.sources)

    @property
    def farther(self) -> bool:
        """Whether any data set has farther shells."""
        return any(s.farther is not None for s in self.sources)

    def reduced(self, kweight: int, rbkg: float, shift: float) -> tuple[Reduced, ...]:
        """chi of each data set for one choice of background and E0."""
        return tuple(s.reduced(kweight, rbkg, shift) for s in self.sources)


def k_end(energy: float, e0: float) -> float:
    """The end of chi(k) of a spectrum that ends at `energy` (eV) under every choice of E0, 1/A."""
    return float(np.sqrt((energy - e0 - max(shift for *_, shift in BACKGROUNDS)) / KTOE)) - 0.05
