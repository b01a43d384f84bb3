"""How far the theory of XANES carries: measured standards against their own structures and against wrong ones.

Shift and scale alone are fitted, the monochromator's Gaussian is 2 eV and the mean square displacement that of a
room for all. R of the right structure stands beside that of the bare atom and of wrong structures.
Label: **theory** against **measured**.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReadError, TheoryError, XasuiteWarning
from ..feff.crystal import Lattice

if TYPE_CHECKING:
    import pandas as pd

    from ..records import Normalized
    from ..theory.comparison import Comparison
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
    # Another sample at another beamline: how far two measurements of one compound lie apart.
    Standard("FeO 2nd", "FeO", "Fe", "standards/Fe_oxides.prj::FeO", False, ("Fe2O3",)),
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
class Control:
    """A wrong structure beside a standard's spectrum.

    `free` has the shift fitted, so that shape alone speaks. `placed` has the shift that the structure takes on its
    own measured standard (None where there is none): the edge's position speaks too. `apart` is R between the two
    *measured* spectra, shift and scale fitted: a theory that misses by more cannot tell them by shape.
    """

    name: str
    free: Comparison
    placed: Comparison | None
    apart: float | None


@dataclass(frozen=True)
class Row:
    """One standard: its own structure with a room's displacement and with atoms at rest, and the wrong ones.

    `again` names other measurements of the same structure and how far (R) they lie from this one.
    """

    standard: Standard
    comparison: Comparison
    at_rest: Comparison
    controls: tuple[Control, ...]
    again: tuple[tuple[str, float], ...] = ()

    @property
    def wrong_ratio(self) -> float:
        """R of the best wrong structure, shift fitted, over R of the right one (NaN without a wrong one)."""
        return min((c.free.rfactor for c in self.controls), default=float("nan")) / self.comparison.rfactor

    @property
    def placed_ratio(self) -> float:
        """The same with wrong structures placed by their own standards (NaN where none can be)."""
        placed = [c.placed.rfactor for c in self.controls if c.placed is not None]
        return min(placed, default=float("nan")) / self.comparison.rfactor


@dataclass(frozen=True)
class TheoryTable:
    """Rows, one a standard, and the limits that hold for all."""

    rows: tuple[Row, ...]
    limits: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """One row a standard: R, R of the bare atom, correlation, shift, peaks, R of the wrong structures."""
        import pandas as pd

        return pd.DataFrame([_record(r) for r in self.rows])

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the table does not tell: every wrong structure that shape alone leaves possible."""
        from ..theory.comparison import TOLD

        out = []
        for row in self.rows:
            mine = row.comparison.rfactor
            for c in row.controls:
                if c.free.rfactor >= TOLD * mine:
                    continue
                said = f"{row.standard.name} data do not exclude {c.name} by shape: R {c.free.rfactor:.4f} against {mine:.4f}"
                if c.apart is not None:
                    said += f"; the two measured spectra themselves lie only {c.apart:.4f} apart"
                if c.placed is not None:
                    said += (
                        f"; with {c.name} where its own standard puts it, R is {c.placed.rfactor:.4f} "
                        f"(x {c.placed.rfactor / mine:.1f})"
                    )
                out.append(said)
        return tuple(out)


def _control(control: Control, mine: float) -> str:
    said = f"{control.name} {control.free.rfactor:.4f} (x {control.free.rfactor / mine:.1f}"
    if control.placed is not None:
        said += f", placed x {control.placed.rfactor / mine:.1f}"
    return said + ")"


def _record(row: Row) -> dict[str, Any]:
    c = row.comparison
    apart = [*row.again, *((x.name, x.apart) for x in row.controls if x.apart is not None)]
    return {
        "standard": row.standard.name,
        "core hole": "no" if row.standard.nohole else "yes",
        "R": round(c.rfactor, 5),
        "R bare atom": round(c.rfactor_atom, 5),
        "correlation": round(c.correlation, 4),
        "R at rest": round(row.at_rest.rfactor, 5),
        "correlation at rest": round(row.at_rest.correlation, 4),
        "shift (eV)": round(c.values["shift"], 2),
        "scale": round(c.values["scale"], 3),
        "peaks theory (eV)": " ".join(f"{p:.1f}" for p in c.peaks_theory),
        "peaks measured (eV)": " ".join(f"{p:.1f}" for p in c.peaks_data),
        "wrong structures": ", ".join(_control(x, c.rfactor) for x in row.controls),
        "measured apart": ", ".join(f"{name} {value:.4f}" for name, value in apart),
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
    from ..theory.comparison import compare, measured_apart
    from ..theory.xanes import LIMITS

    used = {"sigma2": ROOM_SIGMA2, **settings}
    rows = []
    for s in STANDARDS if names is None else [standard(n) for n in names]:
        data = measured(data_root, s)
        own = compare(computed(s, progress=progress, **used), data)
        rest = compare(computed(s, progress=progress, **{**used, "sigma2": 0.0}), data)
        controls = tuple(_controlled(data_root, data, standard(w), used, progress) for w in s.wrong)
        again = tuple(
            (other.name, measured_apart(data, measured(data_root, other)))
            for other in STANDARDS
            if other.structure == s.structure and other is not s
        )
        rows.append(Row(s, own, rest, controls, again))
    return TheoryTable(tuple(rows), LIMITS)


def _controlled(
    data_root: Path, data: Normalized, wrong: Standard, used: dict[str, Any], progress: Said | None
) -> Control:
    """A wrong structure on a standard's spectrum, by shape and in its place."""
    from ..theory.comparison import compare, measured_apart

    theory = computed(wrong, progress=progress, **used)
    free = compare(theory, data)
    if not wrong.file:
        return Control(wrong.name, free, None, None)
    proper = measured(data_root, wrong)
    level = float(proper.e0) + compare(theory, proper).values["shift"]
    placed = compare(theory, data, shift=level - float(data.e0))
    return Control(wrong.name, free, placed, measured_apart(data, proper))
