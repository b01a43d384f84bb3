"""Tables of spectra with random truths, which `ensemble` and other programs fit without knowing them.

One table has a spectrum for every simulated row of a spec, and one of each foil that a parameter comes from. Its truth
depends on its number and seed only, so that tables can be made in any order, and again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..choices import Potentials
from ..errors import SpecError
from ..records import Spectrum
from ..simulate.truth import TruthPath
from ..specs.load import LoadedSpec
from .paths import program_of
from .resolve import ancestor
from .simulated import named_truth, stated_values

FOIL_NOISE = 3e-4
# the potentials of the truths, in turn
PROGRAMS: tuple[Potentials, ...] = ("feff6l", "feff8l scf")
# how far the truths are drawn about the published row, and each farther path about the crystal
N_SPREAD, R_SPREAD, SIGMA2_FACTORS, E0_SPREAD = 0.15, 0.02, (0.8, 1.25), 3.0
FOIL_R_SPREAD = 0.005
WHITE_LINE = ((0.2, 0.8), (2.0, 6.0), (4.0, 8.0))  # height in edge steps, eV from E0, width in eV

Truth = dict[str, dict[str, float]]  # by path label: n, r (A), sigma2 (A^2)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One table: spectrum and truth of each row; for each inherited parameter the foil's spec, its spectrum and the name there."""

    number: int
    noise: float
    potentials: Potentials
    rows: Mapping[int, tuple[Spectrum, Truth]]
    foils: Mapping[str, tuple[LoadedSpec, Spectrum, str]]


@dataclass(frozen=True, eq=False)
class Source:
    """A spec from which tables are drawn."""

    loaded: LoadedSpec
    foils: Mapping[str, tuple[LoadedSpec, str]]

    @classmethod
    def of(cls, loaded: LoadedSpec) -> Source:
        """Raises SpecError for a spec, or a foil, that is not simulated: it has no truth."""
        if not loaded.spec.simulated:
            raise SpecError(
                f"{loaded.path.name}: no [[data]] row is simulated, so there is no truth to compare with"
            )
        foils = {}
        for name, p in loaded.spec.taken_over.items():
            foil = ancestor(loaded, name, p)
            if foil.spec.data[0].simulate is None:
                raise SpecError(
                    f"{loaded.at('params', name)}: [params]: {name} comes from {foil.path.name}, whose data are measured; "
                    "an ensemble needs a foil of known truth: take a simulated one, or give the value"
                )
            foils[name] = (foil, p.param or "")
        return cls(loaded, foils)

    def table(self, number: int, noise: float, seed: int) -> Drawn:
        """The table of that number. Programs take turns, and every second pair of tables has white lines."""
        program = PROGRAMS[number % len(PROGRAMS)]
        white = number // len(PROGRAMS) % 2 == 1
        named = zlib.crc32(self.loaded.name.encode())  # specs of one seed have truths of their own
        rng = np.random.default_rng([seed, named, number, round(noise * 1e6)])
        rows = {
            i: _simulated(self.loaded, i, program, white, rng, noise, R_SPREAD, N_SPREAD)
            for i in self.loaded.spec.simulated
        }
        foils = {
            name: (foil, _simulated(foil, 0, program, white, rng, FOIL_NOISE, FOIL_R_SPREAD, 0.0)[0], param)
            for name, (foil, param) in self.foils.items()
        }
        return Drawn(number, noise, program, rows, foils)


def _simulated(
    loaded: LoadedSpec, index: int, potentials: Potentials, white: bool, rng: np.random.Generator, noise: float,
    r_spread: float, n_spread: float,
) -> tuple[Spectrum, Truth]:  # fmt: skip
    """One row with a random truth. Paths of one published shell change together; in a foil (n_spread 0) all shells do."""
    from .. import simulate
    from ..simulate.atomic import Setup

    how = loaded.spec.simulate
    assert how is not None
    changed = {"simulate": how.model_copy(update=program_of(potentials))}
    other = replace(loaded, spec=loaded.spec.model_copy(update=changed))
    e0 = rng.uniform(-E0_SPREAD, E0_SPREAD)
    low, high = (math.log(x) for x in SIGMA2_FACTORS)
    shells: dict[str, tuple[float, float, float]] = {}
    paths: list[TruthPath] = []
    for name, path in named_truth(other, index):
        moved = shells.get(name) or (
            rng.uniform(1 - N_SPREAD, 1 + N_SPREAD) if n_spread or not name else 1.0,
            rng.uniform(-r_spread, r_spread),
            math.exp(rng.uniform(low, high)),
        )
        if name:
            shells[name] = moved = moved if n_spread else next(iter(shells.values()), moved)
        n, r, sigma2 = moved
        paths.append(
            replace(path, n=path.n * n, deltar=path.deltar + r, sigma2=path.sigma2 * sigma2, e0=path.e0 + e0)
        )
    truth = {}
    for name, v in stated_values(loaded, index).items():
        if name in shells:
            n, r, sigma2 = shells[name]
            truth[name] = {"n": v["n"] * n, "r": v["r"] + r, "sigma2": v["sigma2"] * sigma2}
    element, edge = loaded.spec.absorber(index)
    line_of: Any = tuple(float(rng.uniform(*x)) for x in WHITE_LINE)
    made = simulate.spectrum(
        paths, element=element, edge=edge, noise=noise, seed=int(rng.integers(0, 2**31)), edge_step=how.edge_step,
        kmax=how.kmax, setup=Setup(white_line=line_of if white else None), label=loaded.spec.data[index].label,
    )  # fmt: skip
    return made.spectrum, truth
