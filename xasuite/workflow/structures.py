"""Tests of computed XANES: measured standards against right and wrong structures, and structures against each other.

A study is a [study.NAME] table of references/published. In a study of standards only shift and scale are fitted; R of the
right structure is printed with R of the bare atom and of wrong structures. Label: **theory**.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError, TheoryError, nearest
from ..notices import collected
from ..specs.studies import Grid, MeasuredStandard, StandardsStudy, StructuresStudy

if TYPE_CHECKING:
    import pandas as pd

    from ..feff.crystal import Crystal
    from ..records import Normalized
    from ..theory.comparison import Comparison, Difference
    from ..theory.fit import StructureGrid
    from ..theory.xanes import TheoryXanes

Said = Callable[[str, int, int], None]


@dataclass(frozen=True)
class StructureStudy:
    """Spectra of candidate structures, how far each lies from the first, and the noise that would hide the difference."""

    study: StructuresStudy
    spectra: tuple[TheoryXanes, ...]
    differences: tuple[Difference, ...]
    limits: tuple[str, ...]

    @property
    def verdict(self) -> tuple[str, ...]:
        """Whether each difference is significant: against noise alone, and against the theory's own error."""
        miss = self.study.theory_error
        return tuple(
            f"{d.first} from {d.second}: distinguished at three standard deviations while the noise of a point every "
            f"0.5 eV stays under {d.noise:.3f} of the edge jump; their R of {d.rfactor:.4f} lies "
            f"{'below' if d.rfactor < miss else 'above'} the {miss:g} by which this theory misses measured oxides"
            for d in self.differences
        )


def compare_structures(
    study: StructuresStudy, *, gauss: float = 1.0, progress: Said | None = None, **settings: Any
) -> StructureStudy:
    """Compute the spectra of a study's structures, and the noise up to which the first is distinguished from the others.

    Parameters
    ----------
    gauss : monochromator's Gaussian sigma in eV for the comparison.
    settings : as for theory_xanes, in place of the study's own.

    Raises CrystalError, FeffError, TheoryError.
    """
    from ..theory.comparison import difference
    from ..theory.xanes import LIMITS, theory_xanes

    used = {"radius": study.radius, "scf_radius": study.scf_radius, **settings}
    spectra = tuple(
        theory_xanes(n, absorber=study.absorber, progress=progress, **used) for n in study.structures
    )
    differences = tuple(difference(spectra[0], other, gauss=gauss) for other in spectra[1:])
    return StructureStudy(study, spectra, differences, LIMITS)


def moved_cluster(grid: Grid, absorber: str, **distances: float) -> Crystal:
    """A grid's cluster with the bonds of the absorber that `distances` (A) names set. Raises CrystalError, TheoryError."""
    from ..feff.crystal import load_crystal
    from ..theory.fit import move

    crystal = load_crystal(grid.structure)
    if absorber not in crystal.symbols:
        raise TheoryError(f"{grid.structure} has no {absorber}; it has {', '.join(crystal.elements)}")
    centre = crystal.symbols.index(absorber)
    far = np.linalg.norm(crystal.xyz - crystal.xyz[centre], axis=1)
    for name, distance in distances.items():
        bond = grid.bond[name]
        atoms = [
            i
            for i, s in enumerate(crystal.symbols)
            if s == bond.scatterer and far[i] < bond.within and i != centre
        ]
        if not atoms:
            raise TheoryError(
                f"{grid.structure} has no {bond.scatterer} within {bond.within:g} A to move ({name})"
            )
        crystal = move(crystal, atoms, distance, origin=centre)
    return crystal


def study_grids(
    study: StructuresStudy, *, progress: Said | None = None, **settings: Any
) -> tuple[StructureGrid, ...]:
    """Spectra of a study's candidates over their bond lengths, for a fit to a measured spectrum.

    Potentials are self-consistent at every point (some ten seconds each, once); ``scf=False`` overlaps atoms,
    which moves spectra by ten times what a bond does (docs/decisions/xanes_theory.md).
    Raises what theory_xanes raises.
    """
    from ..theory.fit import compute_grid

    used: dict[str, Any] = {"radius": study.radius, "scf_radius": study.scf_radius, **settings}
    return tuple(
        compute_grid(
            lambda grid=grid, **at: moved_cluster(grid, study.absorber, **at),
            {name: bond.values for name, bond in grid.bond.items()},
            absorber=study.absorber,
            label=grid.label,
            progress=progress,
            **used,
        )
        for grid in study.grid
    )


@dataclass(frozen=True)
class Control:
    """A wrong structure compared with a standard's spectrum.

    `free` has the shift fitted, so that shape alone decides. `placed` has the shift that the structure takes on its
    own measured standard (None where there is none): the edge's position counts too. `apart` is R between the two
    *measured* spectra, shift and scale fitted: a theory that misses by more cannot tell them by shape.
    """

    name: str
    free: Comparison
    placed: Comparison | None
    apart: float | None


@dataclass(frozen=True)
class Row:
    """One standard: its own structure with the displacement of room temperature and without thermal motion, and the wrong ones.

    `again` names other measurements of the same structure and how far (R) they lie from this one.
    """

    standard: MeasuredStandard
    comparison: Comparison
    at_rest: Comparison
    controls: tuple[Control, ...]
    again: tuple[tuple[str, float], ...] = ()

    def record(self) -> dict[str, Any]:
        """The row of the table."""
        c, mine = self.comparison, self.comparison.rfactor
        wrong = []
        for x in self.controls:
            placed = "" if x.placed is None else f", placed x {x.placed.rfactor / mine:.1f}"
            wrong.append(f"{x.name} {x.free.rfactor:.4f} (x {x.free.rfactor / mine:.1f}{placed})")
        apart = [*self.again, *((x.name, x.apart) for x in self.controls if x.apart is not None)]
        return {
            "standard": self.standard.name,
            "core hole": "no" if self.standard.nohole else "yes",
            "R": round(mine, 5),
            "R bare atom": round(c.rfactor_atom, 5),
            "correlation": round(c.correlation, 4),
            "R at rest": round(self.at_rest.rfactor, 5),
            "correlation at rest": round(self.at_rest.correlation, 4),
            "shift (eV)": round(c.values["shift"], 2),
            "scale": round(c.values["scale"], 3),
            "peaks theory (eV)": " ".join(f"{p:.1f}" for p in c.peaks_theory),
            "peaks measured (eV)": " ".join(f"{p:.1f}" for p in c.peaks_data),
            "wrong structures": ", ".join(wrong),
            "measured apart": ", ".join(f"{name} {value:.4f}" for name, value in apart),
            "wanted correlation": self.standard.wanted,
        }

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every wrong structure that the shape of the spectrum alone does not exclude."""
        from ..theory.comparison import EXCLUDED

        out, mine = [], self.comparison.rfactor
        for c in self.controls:
            if c.free.rfactor >= EXCLUDED * mine:
                continue
            said = f"{self.standard.name} data do not exclude {c.name} by shape: R {c.free.rfactor:.4f} against {mine:.4f}"
            if c.apart is not None:
                said += f"; the two measured spectra themselves lie only {c.apart:.4f} apart"
            if c.placed is not None:
                ratio = c.placed.rfactor / mine
                said += f"; with {c.name} where its own standard puts it, R is {c.placed.rfactor:.4f} (x {ratio:.1f})"
            out.append(said)
        return tuple(out)


@dataclass(frozen=True)
class TheoryTable:
    """Rows, one a standard, and the limits that hold for all."""

    rows: tuple[Row, ...]
    limits: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """One row a standard: R, R of the bare atom, correlation, shift, peaks, R of the wrong structures."""
        import pandas as pd

        return pd.DataFrame([r.record() for r in self.rows])

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the table cannot decide."""
        return tuple(s for row in self.rows for s in row.sentences)


def standard(study: StandardsStudy, name: str) -> MeasuredStandard:
    """The standard of that name. Raises TheoryError naming those there are."""
    known = {s.name: s for s in study.standard}
    if name not in known:
        raise TheoryError(f"no standard {name!r}{nearest(name, known)}")
    return known[name]


def measured(data_root: Path, s: MeasuredStandard) -> Normalized:
    """A standard's measured spectrum, normalised. Raises ReadError."""
    from ..io import read
    from ..reduce import normalize

    path, _, group = s.file.partition("::")
    if not (data_root / path).is_file():
        raise ReadError(
            f"{data_root / path} is missing: XASUITE_DATA must name the folder of measured standards"
        )
    with collected():
        # What reading cleaned is noted on the record; the table is not the place to repeat it.
        return normalize(read(f"{data_root / path}{'::' + group if group else ''}").mu(), method="polynomial")


def computed(s: MeasuredStandard, *, progress: Said | None = None, **settings: Any) -> TheoryXanes:
    """The theory of a standard (self-consistent: up to two minutes, once)."""
    from ..theory.xanes import theory_xanes

    used: dict[str, Any] = {"radius": s.radius, "nohole": s.nohole, **settings}
    return replace(theory_xanes(s.structure, absorber=s.absorber, progress=progress, **used), label=s.name)


def theory_table(
    study: StandardsStudy,
    data_root: Path,
    names: Sequence[str] | None = None,
    *,
    progress: Said | None = None,
    **settings: Any,
) -> TheoryTable:
    """The table of measured standards: right structure, bare atom, wrong structures.

    Parameters
    ----------
    data_root : folder of measured standards (XASUITE_DATA).
    names : some of the study's standards; all by default.
    settings : as for theory_xanes, in place of the study's own.

    Raises ReadError, TheoryError, FeffError.
    """
    from ..theory.comparison import compare, measured_apart
    from ..theory.xanes import LIMITS

    used = {"sigma2": study.sigma2, "scf_radius": study.scf_radius, **settings}
    with_data = [s for s in study.standard if s.file]
    rows = []
    for s in with_data if names is None else [standard(study, n) for n in names]:
        data = measured(data_root, s)
        own = compare(computed(s, progress=progress, **used), data)
        rest = compare(computed(s, progress=progress, **{**used, "sigma2": 0.0}), data)
        controls = tuple(_control(data_root, data, standard(study, w), used, progress) for w in s.wrong)
        again = tuple(
            (other.name, measured_apart(data, measured(data_root, other)))
            for other in with_data
            if other.structure == s.structure and other is not s
        )
        rows.append(Row(s, own, rest, controls, again))
    return TheoryTable(tuple(rows), LIMITS)


def _control(
    data_root: Path, data: Normalized, wrong: MeasuredStandard, used: dict[str, Any], progress: Said | None
) -> Control:
    """A wrong structure fitted to a standard's spectrum, with the shift free and with the shift fixed."""
    from ..theory.comparison import compare, measured_apart

    theory = computed(wrong, progress=progress, **used)
    free = compare(theory, data)
    if not wrong.file:
        return Control(wrong.name, free, None, None)
    proper = measured(data_root, wrong)
    level = float(proper.e0) + compare(theory, proper).values["shift"]
    placed = compare(theory, data, shift=level - float(data.e0))
    return Control(wrong.name, free, placed, measured_apart(data, proper))
