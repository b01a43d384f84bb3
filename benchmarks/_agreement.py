"""Fits of measured foils by the engine and by Larch at tight tolerance: over windows, k weights and ranges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from xasuite.exafs.audits import Difference, compare
from xasuite.exafs.engine import fit_stack
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse
from xasuite.feff import find_paths, load_crystal
from xasuite.records import Chi, Spectrum
from xasuite.reduce import background, normalize

# what issue 6 asks for: standard errors, relative, relative
PARAMETERS, ERRORS, RFACTOR = 1e-3, 1e-3, 1e-6


@dataclass(frozen=True)
class Foil:
    """Measured scans of one metal: files, E0 (eV), the crystal, N of the shell, its R range (A), start of sigma2."""

    element: str
    files: tuple[str, ...]
    e0: float
    crystal: str
    r: tuple[float, float]
    sigma2: float
    shells: int


FOILS = (
    Foil("Cu", ("published/Cu/cu_10k.xmu", "published/Cu/cu_50k.xmu", "published/Cu/cu_150k.xmu",
                "published/Cu/cu_rt01.xmu", "foils/Cu_foil_QAS.dat"), 8979.0, "Cu", (1.4, 3.0), 0.006, 1),
    Foil("Co", ("foils/Co_foil_QAS.dat", "foils/Co_foil_APS13ID.xdi"), 7709.0, "Co_hcp", (1.6, 2.9), 0.006, 2),
    Foil("Fe", ("foils/Fe_foil_QAS.dat", "foils/Fe_foil_APS.xdi"), 7112.0, "Fe", (1.4, 3.0), 0.006, 2),
)  # fmt: skip
WINDOWS = (("hanning", 1.0), ("kaiser", 4.0), ("parzen", 2.0), ("welch", 1.0))
KWEIGHTS = ((1,), (2,), (3,), (1, 2, 3))
SPACES = ("r", "q")
K_RANGES = ((3.0, 11.0), (3.5, 12.0))


def data_folder() -> Path | None:
    """The folder of measured spectra, XASUITE_DATA."""
    value = os.environ.get("XASUITE_DATA")
    return Path(value) if value and Path(value).is_dir() else None


def chis(foil: Foil, root: Path) -> Iterator[Chi]:
    """chi(k) of each file of a foil, as a stack of one."""
    from xasuite.io import read

    for file in foil.files:
        s = read(root / file).mu()
        one = Spectrum(energy=s.energy, mu=s.mu[None], label=Path(file).stem)
        yield background(normalize(one, e0=foil.e0), rbkg=1.0, kweight=2, k=(0, 12.6))


def model(foil: Foil, ranges: FitRange) -> Model:
    """The first shells with one amplitude, one E0, one expansion and one sigma2."""
    found = find_paths(load_crystal(foil.crystal), absorber=foil.element, edge="K", radius=4.0)
    paths = tuple(p for p in found if p.nleg == 2)[: foil.shells]
    params = (
        Parameter("amp", 0.8), Parameter("enot", 3.0), Parameter("alpha"), Parameter("ss", foil.sigma2, min=0, max=0.05)
    )  # fmt: skip
    return Model(
        params,
        tuple(
            PathModel(
                f"{foil.element} {i}", p, parse(p.degen), parse("amp"), parse("enot"), parse(f"alpha * {p.reff}"), parse("ss")
            )
            for i, p in enumerate(paths)
        ),
        ranges,
    )  # fmt: skip


def cases(root: Path, *, every: int = 1) -> Iterator[tuple[str, list[Difference]]]:
    """Each comparison with its name; `every` n-th of them, for a quick look."""
    wanted = list(
        product(range(len(WINDOWS)), range(len(KWEIGHTS)), range(len(SPACES)), range(len(K_RANGES)))
    )
    at = 0
    for foil in FOILS:
        for chi in chis(foil, root):
            for w, kw, space, k in wanted:
                # q space and the second k range once a window: they change less than the weights
                if (space == 1 and kw != 1) or (k == 1 and kw == 3):
                    continue
                at += 1
                if at % every:
                    continue
                window, dk = WINDOWS[w]
                ranges = FitRange(K_RANGES[k], foil.r, KWEIGHTS[kw], SPACES[space], window, dk)
                m = model(foil, ranges)
                fit = fit_stack(m, chi)
                name = f"{chi.label} {window} k^{KWEIGHTS[kw]} {SPACES[space]} {K_RANGES[k]}"
                yield name, compare(m, chi, fit, np.flatnonzero(fit.ok))
