"""How far the theory of XANES carries: measured standards against their own structures and against wrong ones.

Shift and scale alone are fitted, the monochromator's Gaussian is 2 eV for all. R of the right structure
stands beside that of the bare atom and of wrong structures. Label: **theory** against **measured**.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReadError, TheoryError, XasuiteWarning
from ..feff.crystal import Lattice

if TYPE_CHECKING:
    import pandas as pd

    from ..feff.crystal import Crystal
    from ..model import Normalized
    from ..theory.comparison import Comparison, Difference, Ranked
    from ..theory.fit import StructureGrid
    from ..theory.xanes import TheoryXanes

# Hematite: the cell of powder card JCPDS 33-0664.
HEMATITE = Lattice(
    "R-3c",
    5.0356,
    ("Fe", "O"),
    ((0.0, 0.0, 0.35534), (0.3056, 0.0, 0.25)),
    c=13.7489,
    gamma=120.0,
    name="Fe2O3",
)
SCF_RADIUS = 4.0  # A
# A^2, what EXAFS finds for first shells of metals and oxides at room temperature (Cu foil 0.0087, Co foil 0.0065).
ROOM_SIGMA2 = 0.008
# R of CoO and NiO against their own measured spectra: what the theory itself gets wrong.
THEORY_ERROR = 0.006

Said = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Standard:
    """A measured standard: its structure, file below the data's root, and what it must not be taken for.

    `nohole`: metals screen the core hole, oxides do not (docs/decisions/xanes_theory.md). `wanted` is the
    correlation that the feasibility study reached and that must hold.
    """

    name: str
    structure: str | Lattice
    absorber: str
    file: str
    nohole: bool = False
    wrong: tuple[str, ...] = ()
    wanted: float | None = None
    radius: float = 6.5


STANDARDS: tuple[Standard, ...] = (
    Standard("Cu", "Cu", "Cu", "foils/Cu_foil_QAS.dat", True, (), 0.99, 7.0),
    Standard("Ni", "Ni", "Ni", "foils/Ni_foil_QAS.dat", True, ("NiO",), 0.99, 7.0),
    Standard("Fe", "Fe", "Fe", "foils/Fe_foil_QAS.dat", True, ("FeO",), 0.99, 7.0),
    Standard("Co", "Co_hcp", "Co", "foils/Co_foil_QAS.dat", True, ("CoO",), 0.99),
    Standard("CoO", "CoO", "Co", "standards/Co_oxides.prj::CoO", False, ("Co",), 0.95),
    Standard("NiO", "NiO", "Ni", "standards/Ni_oxide.prj::NiO", False, ("Ni",), 0.95),
    Standard("FeO", "FeO", "Fe", "standards/Fe_xdi/FeO_rt_01.xdi", False, ("Fe2O3", "Fe")),
    Standard("Fe2O3", HEMATITE, "Fe", "standards/Fe_xdi/Fe2O3_rt_01.xdi", False, ("FeO", "Fe"), None, 5.5),
    Standard("MnO", "MnO", "Mn", "standards/Mn_oxides.prj::MnO", False, ("MnO2",)),
    # The same structures beside powders measured over the edge only; the phase of the second is not stated.
    Standard("MnO powder", "MnO", "Mn", "standards/Mn_xdi/MnO_rt_01.xdi", False, ("MnO2",)),
    Standard("MnO2", "MnO2", "Mn", "standards/Mn_oxides.prj::Pyrolusite", False, ("MnO",)),
    Standard("MnO2 powder", "MnO2", "Mn", "standards/Mn_xdi/MnO2_rt_01.xdi", False, ("MnO",)),
    Standard("RuO2", "RuO2", "Ru", "standards/RuO2.prj", False, ("Ru",)),
)
# Structures that serve only as wrong ones.
_OTHERS = {"Ru": Standard("Ru", "Ru_hcp", "Ru", "", True)}


@dataclass(frozen=True)
class Row:
    """One standard: the comparison with its own structure, atoms at rest and with a room's disorder, and the
    ranking with the wrong ones."""

    standard: Standard
    comparison: Comparison
    disordered: Comparison
    ranked: tuple[Ranked, ...]

    @property
    def wrong_ratio(self) -> float:
        """R of the best wrong structure over R of the right one (NaN without a wrong one)."""
        mine = self.comparison.rfactor
        others = [r.comparison.rfactor for r in self.ranked if r.comparison.label != self.comparison.label]
        return min(others) / mine if others else float("nan")


@dataclass(frozen=True)
class TheoryTable:
    """Rows, one a standard, and the limits that hold for all."""

    rows: tuple[Row, ...]
    limits: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """One row a standard: R, R of the bare atom, correlation, shift, peaks, R of the wrong structures."""
        import pandas as pd

        return pd.DataFrame([_record(r) for r in self.rows])


def _record(row: Row) -> dict[str, Any]:
    c = row.comparison
    wrong = [r for r in row.ranked if r.comparison.label != c.label]
    return {
        "standard": row.standard.name,
        "core hole": "no" if row.standard.nohole else "yes",
        "R": round(c.rfactor, 5),
        "R bare atom": round(c.rfactor_atom, 5),
        "correlation": round(c.correlation, 4),
        f"R at {ROOM_SIGMA2:g} A^2": round(row.disordered.rfactor, 5),
        "shift (eV)": round(c.values["shift"], 2),
        "scale": round(c.values["scale"], 3),
        "peaks theory (eV)": " ".join(f"{p:.1f}" for p in c.peaks_theory),
        "peaks measured (eV)": " ".join(f"{p:.1f}" for p in c.peaks_data),
        "wrong structures": ", ".join(
            f"{r.comparison.label} {r.comparison.rfactor:.5f} (x {r.comparison.rfactor / c.rfactor:.1f})"
            for r in wrong
        ),
        "wanted correlation": row.standard.wanted,
    }


def standard(name: str) -> Standard:
    """The standard of that name. Raises TheoryError naming those there are."""
    for s in (*STANDARDS, *_OTHERS.values()):
        if s.name == name:
            return s
    raise TheoryError(f"no standard {name!r}; there are {', '.join(s.name for s in STANDARDS)}")


def measured(data_root: Path, s: Standard) -> Normalized:
    """A standard's measured spectrum, normalised. Raises ReadError."""
    from ..io import read
    from ..reduce import normalize

    path, _, group = s.file.partition("::")
    if not (data_root / path).is_file():
        raise ReadError(
            f"{data_root / path} is missing: XASUITE_DATA must name the folder of measured standards"
        )
    with warnings.catch_warnings():
        # What reading cleaned is noted on the record; the table is not the place to repeat it.
        warnings.simplefilter("ignore", XasuiteWarning)
        return normalize(read(f"{data_root / path}{'::' + group if group else ''}").mu())


def computed(s: Standard, *, progress: Said | None = None, **settings: Any) -> TheoryXanes:
    """The theory of a standard with the settings of the table (self-consistent: up to two minutes, once)."""
    from dataclasses import replace

    from ..theory.xanes import theory_xanes

    used: dict[str, Any] = {"radius": s.radius, "nohole": s.nohole, "scf_radius": SCF_RADIUS, **settings}
    theory = theory_xanes(s.structure, absorber=s.absorber, progress=progress, **used)
    return replace(theory, label=s.name)


def theory_table(
    data_root: Path,
    names: Sequence[str] | None = None,
    *,
    progress: Said | None = None,
    **settings: Any,
) -> TheoryTable:
    """The table of measured standards: right structure, bare atom, wrong structures.

    Parameters
    ----------
    data_root: folder of measured standards (XASUITE_DATA).
    names: some of STANDARDS; all by default.
    settings: as for theory_xanes, in place of the table's own.

    Raises ReadError, TheoryError, FeffError.
    """
    from ..theory.comparison import compare, rank
    from ..theory.xanes import LIMITS

    rows = []
    for s in STANDARDS if names is None else [standard(n) for n in names]:
        data = measured(data_root, s)
        own = computed(s, progress=progress, **settings)
        others = [computed(standard(w), progress=progress, **settings) for w in s.wrong]
        warm = computed(s, progress=progress, **{**settings, "sigma2": ROOM_SIGMA2})
        rows.append(Row(s, compare(own, data), compare(warm, data), rank([own, *others], data)))
    return TheoryTable(tuple(rows), LIMITS)


# Fig. 2g of Pei et al. 2024: the low-coordinated diatomic site against others.
SITES = ("L-Co1Mn1-NC", "Co1Mn1-NC", "Co1-NC")
SITE_LABELS = {"L-Co1Mn1-NC": "CoN$_3$-MnN$_3$", "Co1Mn1-NC": "CoN$_4$, MnN$_4$ apart", "Co1-NC": "CoN$_4$"}


@dataclass(frozen=True)
class SiteStudy:
    """Spectra of candidate sites and how far each lies from the first, with the noise that would hide it."""

    spectra: tuple[TheoryXanes, ...]
    differences: tuple[Difference, ...]
    limits: tuple[str, ...]

    @property
    def verdict(self) -> tuple[str, ...]:
        """What each difference is worth: against noise alone, and against the theory's own error."""
        out = []
        for d in self.differences:
            hidden = "below" if d.rfactor < THEORY_ERROR else "above"
            out.append(
                f"{d.first} from {d.second}: told at three standard deviations while the noise of a point every "
                f"0.5 eV stays under {d.noise:.3f} of the edge jump; their R of {d.rfactor:.4f} lies {hidden} the "
                f"{THEORY_ERROR:g} by which this theory misses measured oxides"
            )
        return tuple(out)


def site_study(
    absorber: str = "Co",
    *,
    names: Sequence[str] = SITES,
    gauss: float = 1.0,
    radius: float = 5.0,
    progress: Said | None = None,
    **settings: Any,
) -> SiteStudy:
    """The computed K edges of CoN3-MnN3 and CoN4 and at what noise they are told apart.

    Parameters
    ----------
    gauss: monochromator's Gaussian sigma in eV for the comparison.

    Raises CrystalError, FeffError, TheoryError.
    """
    from ..theory.comparison import difference
    from ..theory.xanes import LIMITS, theory_xanes

    used: dict[str, Any] = {"radius": radius, "scf_radius": SCF_RADIUS, **settings}
    spectra = tuple(theory_xanes(n, absorber=absorber, progress=progress, **used) for n in names)
    differences = tuple(difference(spectra[0], other, gauss=gauss) for other in spectra[1:])
    return SiteStudy(spectra, differences, LIMITS)


# Grids of the fit of a site: metal-nitrogen and metal-metal distances in A.
BOND_GRID = (1.80, 1.86, 1.92, 1.98, 2.04)
METAL_GRID = (2.30, 2.42, 2.54, 2.66)
_BONDED = 2.2  # A: nitrogen nearer than this is bound to the metal


def site_cluster(name: str, absorber: str = "Co", *, r_n: float, r_metal: float | None = None) -> Crystal:
    """A shipped cluster with the absorber's nitrogens at r_n A and, where given, the other metal at r_metal A.

    Raises CrystalError, TheoryError.
    """
    import numpy as np

    from ..feff.crystal import load_crystal
    from ..theory.fit import move

    crystal = load_crystal(name)
    if absorber not in crystal.symbols:
        raise TheoryError(f"{name} has no {absorber}; it has {', '.join(crystal.elements)}")
    centre = crystal.symbols.index(absorber)
    far = np.linalg.norm(crystal.xyz - crystal.xyz[centre], axis=1)
    bound = [i for i, s in enumerate(crystal.symbols) if s == "N" and far[i] < _BONDED]
    crystal = move(crystal, bound, r_n, origin=centre)
    if r_metal is None:
        return crystal
    other = [i for i, s in enumerate(crystal.symbols) if s in ("Co", "Mn") and i != centre]
    if not other:
        raise TheoryError(f"{name} has no second metal whose distance could be set")
    return move(crystal, other[:1], r_metal, origin=centre)


def site_grids(
    absorber: str = "Co",
    *,
    bonds: Sequence[float] = BOND_GRID,
    metals: Sequence[float] = METAL_GRID,
    progress: Said | None = None,
    **settings: Any,
) -> tuple[StructureGrid, StructureGrid]:
    """Spectra of CoN3-MnN3 over r(M-N) and r(M-M), and of CoN4 over r(M-N): N = 3 or 4 as two models.

    By default with overlapped potentials, as differences along a grid need, not absolute shapes; ``scf=True``
    takes minutes a point. Raises what theory_xanes raises.
    """
    from ..theory.fit import compute_grid

    used: dict[str, Any] = {"radius": 5.0, "scf": False, **settings}
    low = compute_grid(
        lambda r_n, r_metal: site_cluster(SITES[0], absorber, r_n=r_n, r_metal=r_metal),
        {"r_n": bonds, "r_metal": metals},
        absorber=absorber,
        label=f"{absorber}N3-metal",
        progress=progress,
        **used,
    )
    single = compute_grid(
        lambda r_n: site_cluster(f"{absorber}1-NC", absorber, r_n=r_n),
        {"r_n": bonds},
        absorber=absorber,
        label=f"{absorber}N4",
        progress=progress,
        **used,
    )
    return low, single
