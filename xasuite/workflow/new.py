"""A first spec from data and a crystal: paths that matter, k range from the noise, R range from the paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import CrystalError, DataError
from ..feff.crystal import Crystal, load_crystal
from ..feff.search import find_paths
from ..specs.load import LoadedSpec, parse_spec
from .draft import RADIUS, Amplitude, Sketch, beside, write
from .ranges import Measured, k_range, matter, r_range

METAL = 2.3  # A; nearest distances above are a metal's, for which a larger rbkg does no harm


@dataclass(frozen=True, eq=False)
class Draft:
    """A spec's text, its check, and what was decided, a sentence each."""

    text: str
    loaded: LoadedSpec
    decisions: tuple[str, ...]


def new_spec(
    files: Sequence[str | Path],
    *,
    crystal: str,
    target: str | Path = "new.toml",
    absorber: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
    foil: bool | None = None,
    amplitude: Amplitude | None = None,
    rmax: float | None = None,
    radius: float = RADIUS,
) -> Draft:
    """A commented spec that passes `check_spec` and fits sensibly.

    Parameters
    ----------
    files: data, one row each; all of one element and edge.
    crystal: what load_crystal takes.
    target: where the spec is to lie; data are named relative to it where they lie beside or below.
    absorber, edge, mu: found from the data where left out.
    foil: N of the crystal and S02 free; left out, whether the crystal is the absorber's metal.
    amplitude: S02 of a sample that is no foil.
    rmax: shells out to this distance (A) instead of the first group alone.
    radius: half the longest path, A.

    Returns
    -------
    Draft. Raises ReadError, DataError, CrystalError, FeffError, SpecError.
    """
    if not files:
        raise DataError("a spec needs a data file; name one")
    target = Path(target)
    local = target.parent / crystal
    first = _element(str(files[0]), absorber, edge, mu)
    structure = _structure(str(local) if local.is_file() else crystal, first[0], given=absorber is not None)
    paths = find_paths(structure, absorber=first[0], edge=first[1], radius=radius)
    chosen = matter(paths, rmax)
    if foil is None:
        foil = structure.elements == (first[0],)
    rbkg, weight = (1.0, 2) if chosen[0].reff > METAL else (0.8, 3)
    rows = [_measure(str(f), first, mu, rbkg, weight) for f in files]
    amplitude = amplitude or Amplitude()
    k, kweight, why_k = k_range(rows, None if foil else amplitude.foil)
    r, others = r_range(chosen, paths, k, kweight)
    r = (max(r[0], rbkg), r[1])
    sketch = Sketch(
        files=[beside(str(f), target) for f in files], rows=rows, crystal=crystal, chosen=chosen, foil=foil,
        amplitude=amplitude, rbkg=rbkg, bkg_kweight=weight, k=k, kweight=kweight, r=r, why_k=why_k, others=others,
        mu=mu, radius=radius, target=target, sites=len(structure.sites(first[0])),
    )  # fmt: skip
    text = write(sketch)
    return Draft(text, parse_spec(text, target), tuple(sketch.decisions))


def _structure(crystal: str, absorber: str, *, given: bool) -> Crystal:
    """The crystal, which must hold the absorber."""
    structure = load_crystal(crystal)
    if absorber not in structure.elements:
        why = "which --absorber names" if given else "which the data are of"
        raise CrystalError(
            f"{structure.name} holds {', '.join(structure.elements)} and no {absorber}, {why}; name "
            "the right crystal, or put the absorber on a site of it with absorber = in the spec"
        )
    return structure


def _element(file: str, absorber: str | None, edge: str | None, mu: str | None) -> tuple[str, str]:
    from .. import io

    scan = io.read(file, element=absorber, edge=edge, mu=mu)
    if not scan.element:
        raise DataError(f"{file}: no edge was found in it; name the absorber with --absorber")
    return scan.element, scan.edge or "K"


def _measure(file: str, of: tuple[str, str], mu: str | None, rbkg: float, weight: int) -> Measured:
    """What the range depends on: where chi(k) ends and where its signal does."""
    from .. import io, reduce

    scan = io.read(file, element=of[0], edge=of[1], mu=mu)
    spectrum = replace(scan.mu(), element=of[0], edge=of[1])
    norm = reduce.normalize(spectrum)
    chi = reduce.background(norm, rbkg=rbkg, kweight=weight)
    others = reduce.other_edges(norm)
    end, stop = (others[0].k, str(others[0])) if others else (float(chi.k[-1]), "")
    label = Path(file.partition("::")[0]).name.split(".")[0]
    label = file.partition("::")[2] or label
    epsilon = float(np.asarray(chi.epsilon_k)) if chi.epsilon_k is not None else math.nan
    return Measured(file, label, *of, end, float(reduce.usable_k(chi)), epsilon, stop)
