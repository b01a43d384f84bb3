"""A first spec from data and a crystal: the shells to fit, k range from the noise, R range from the paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CrystalError, DataError, SpecError
from ..exafs.result import FitResult, Value
from ..feff.crystal import Crystal, load_crystal
from ..feff.search import find_paths
from ..specs.load import Loaded, load_spec, parse_spec
from ..specs.schema import FORMAT, Spec
from ..specs.toml import Key
from ..specs.write import to_toml
from . import draft
from .draft import RADIUS, Amplitude, beside
from .given import Given, Input, inputs, reduction
from .ranges import Measured, k_range, r_range, shells_to_fit

METAL = 2.3  # A; a longer nearest distance is that of a metal, where a larger rbkg does no harm


@dataclass(frozen=True, eq=False)
class Draft:
    """The text of a new spec, the spec loaded from it, and a sentence for each decision."""

    text: str
    loaded: Loaded[Spec]
    decisions: tuple[str, ...]


def make_spec(
    data: Given | Sequence[Given],
    *,
    crystal: str,
    shells: int | None = None,
    k: tuple[float, float] | None = None,
    r: tuple[float, float] | None = None,
    kweight: int | Sequence[int] | None = None,
    s02: Any = None,
    foil: bool | None = None,
    absorber: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
    rmax: float | None = None,
    radius: float = RADIUS,
    title: str = "",
    **tables: Any,
) -> Spec:
    """A spec from data and a crystal, without a file.

    Parameters
    ----------
    data : str, Path, Scan, Spectrum, Normalized, Chi, or several
        One row for each. The settings that a record was reduced with become [reduce].
    crystal : str
        What `load_crystal` takes.
    shells : int, optional
        How many shells to fit, nearest first; left out, those that overlap with the first, or all up to `rmax` (A).
    k, r : (low, high), optional
        Ranges in 1/A and A (not corrected for phase); left out, from the noise and from the paths.
    kweight : int or several, optional
        k weights of the fit; left out, 2, or the foil's.
    s02 : float, (value, error), ufloat, Value, result or path of a foil's fit, optional
        S02 of a sample; its error goes into every N. Left out, 0.85(10), which is a guess.
    foil : bool, optional
        N of the crystal and S02 free; left out, whether the crystal is the absorber's metal and no `s02` is given.
    absorber, edge, mu : str, optional
        Found from the data where left out.
    rmax : float, optional
        Shells up to this distance (A) are fitted.
    radius : float
        Half the longest path, A.
    title : str, optional
        Printed over the table.
    **tables
        Changes by table, as `Spec.replace` takes them: ``reduce={"rbkg": 1.0}``, ``params={"ss_1": {"max": 0.02}}``.

    Returns
    -------
    Spec
        What `xasuite.fit` takes; `to_toml()` gives the file.

    Raises
    ------
    ReadError, DataError, CrystalError, FeffError, SpecError
        Each names the file, the record or the key.

    Examples
    --------
    >>> import xasuite as xs
    >>> paths = [p for p in xs.find_paths("Cu", absorber="Cu") if p.nleg == 2]
    >>> made = xs.simulate.spectrum([xs.simulate.TruthPath(p, n=p.degen, sigma2=8e-3) for p in paths], element="Cu", noise=3e-4)
    >>> spec = xs.spec(made.spectrum, crystal="Cu", k=(3, 12), r=(1.4, 3.0))
    >>> spec.fit.k, spec.path[0].label, spec.params["s02"].guess
    ((3.0, 12.0), 'Cu-Cu', 0.8)
    """
    rows = inputs(data, element=absorber, edge=edge, mu=mu)
    plan = _plan(
        rows, crystal, Path("spec.toml"), absorber, edge, shells=shells, rmax=rmax, radius=radius, foil=foil, k=k, r=r,
        amplitude=_amplitude(s02),
    )  # fmt: skip
    changes = dict(tables)
    if kweight is not None:
        changes["fit"] = {"kweight": kweight, **dict(changes.get("fit", {}))}
    spec = Spec.made(plan.tables | ({"title": title} if title else {})).replace(**changes)
    return spec.holding({row.data["label"]: row for row in rows if row.held or row.chi is not None})


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
) -> Draft:
    """The text of a spec for the file `target`, with comments; the arguments are those of `make_spec`.

    Data in its folder or below are named relative to it. Raises ReadError, DataError, CrystalError, FeffError,
    SpecError.
    """
    target = Path(target)
    rows = inputs(list(files), element=absorber, edge=edge, mu=mu)
    for row, file in zip(rows, files, strict=True):
        row.data["file"] = beside(str(file), target)
    plan = _plan(
        rows, crystal, target, absorber, edge, amplitude=amplitude or Amplitude(), foil=foil, rmax=rmax
    )
    text = to_toml(plan.tables, plan.comments)
    return Draft(text, parse_spec(text, target), tuple(plan.decisions))


@dataclass(frozen=True, eq=False)
class _Plan:
    tables: dict[str, Any]
    comments: dict[Key, str]
    decisions: list[str]


def _plan(
    rows: list[Input],
    crystal: str,
    target: Path,
    absorber: str | None,
    edge: str | None,
    *,
    amplitude: Amplitude,
    foil: bool | None,
    radius: float = RADIUS,
    rmax: float | None,
    shells: int | None = None,
    k: tuple[float, float] | None = None,
    r: tuple[float, float] | None = None,
) -> _Plan:
    first, edge = rows[0].data["label"], edge or rows[0].spectrum.edge or "K"
    element = absorber or rows[0].spectrum.element
    if not element:
        raise DataError(f"{first}: no edge was found in it; name the absorber with --absorber")
    local = target.parent / crystal
    structure = _structure(str(local) if local.is_file() else crystal, element, given=absorber is not None)
    found = find_paths(structure, absorber=element, edge=edge, radius=radius)
    chosen = shells_to_fit(found, rmax, shells)
    if foil is None:
        foil = structure.elements == (element,) and amplitude == Amplitude()
    rbkg, weight = (1.0, 2) if chosen[0].reff > METAL else (0.8, 3)
    reduce = {"rbkg": rbkg, "bkg_kweight": weight} | reduction(rows)
    measured = [_measure(row, element, edge, reduce) for row in rows]
    of_foil, why_k, why_r = None if foil else amplitude.foil, "as given", "as given"
    if k is None:
        k, kweight, why_k = k_range(measured, of_foil)
    else:
        kweight = load_spec(of_foil).spec.fit.kweight[-1] if of_foil else 2
    if r is None:
        (low, high), why_r = r_range(chosen, found, k, kweight)
        r = (max(low, float(reduce["rbkg"])), high)
    fit, of_fit = draft.ranges(k, kweight, r, why_k, why_r)
    params, of_params = draft.parameters(element, chosen, foil, amplitude, target)
    shared: dict[str, Any] = {"crystal": beside(crystal, target) if Path(crystal).is_file() else crystal}
    shared |= {"radius": radius} if radius != RADIUS else {}
    paths, of_paths = draft.paths(element, chosen, foil, shared)
    tables = {
        "xasuite": FORMAT,
        "title": f"{first}: {element} {edge} edge, {_count(chosen)} of {Path(crystal).stem}",
        "data": [row.data for row in rows],
        "sample": {"element": element, "edge": edge},
        "reduce": reduce,
        "fit": fit,
        "params": params,
        "path": paths,
    }
    names = ", ".join(f"{element}-{s.element} at {s.reff:.3f} A ({s.n:g} atoms)" for s in chosen)
    decisions = [
        f"{element} {edge} edge; fitted: {names}",
        f"k = {k[0]:g} to {k[1]:g} 1/A: {why_k}",
        f"R = {r[0]:g} to {r[1]:g} A: {why_r}",
        "N is the crystal's and S02 free (a foil)" if foil else f"N is free and S02 {amplitude.text}",
        *_on_one_site(structure, element, Path(crystal).stem),
    ]
    return _Plan(tables, _comments(measured) | of_fit | of_params | of_paths, decisions)


def _count(chosen: Sequence[Any]) -> str:
    return "first shell" if len(chosen) == 1 else f"{len(chosen)} shells"


def _comments(measured: Sequence[Measured]) -> dict[Key, str]:
    """Comments on the data and on their reduction."""
    rows: dict[Key, str] = {
        ("data", i): f"noise of chi(k) {m.epsilon:.1e}, usable to k = {m.usable:.1f} 1/A"
        for i, m in enumerate(measured)
    }
    return rows | {
        ("reduce",): "E0 and the pre- and post-edge ranges are found; e0 = ..., pre_range = [...] set them",
        ("reduce", "rbkg"): "A; the background takes what lies below: keep it under the first shell",
    }


def _on_one_site(structure: Crystal, element: str, name: str) -> list[str]:
    """A sentence where the crystal has the absorber on several sites, of which the spec holds one."""
    sites = len(structure.sites(element))
    said = (
        f"{name} has {element} on {sites} different sites and the spec holds one of them: "
        "its N, or a foil's S02, is not the sample's"
    )
    return [said] if sites > 1 else []


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


def _measure(row: Input, element: str, edge: str, settings: Mapping[str, Any]) -> Measured:
    """What the k range depends on: the end of chi(k) or the next edge, and the k up to which the signal exceeds the noise."""
    from .. import reduce

    norm = reduce.normalize(replace(row.spectrum, element=element, edge=edge), e0=row.data.get("e0"))
    chi = row.chi or reduce.background(norm, rbkg=settings["rbkg"], kweight=settings["bkg_kweight"])
    others = reduce.other_edges(norm)
    end, stop = (others[0].k, str(others[0])) if others else (float(chi.k[-1]), "")
    epsilon = float(np.asarray(chi.epsilon_k)) if chi.epsilon_k is not None else math.nan
    return Measured(row.data["label"], end, float(reduce.usable_k(chi)), epsilon, stop)


def _amplitude(s02: Any) -> Amplitude:
    """S02 from a number, a number with its error, or a foil: its spec's file, or its result. Raises SpecError."""
    if s02 is None:
        return Amplitude()
    if isinstance(s02, str | Path):
        return Amplitude(foil=Path(s02))
    if (loaded := getattr(s02, "loaded", None)) is not None:  # a spec's result
        if loaded.path.is_file():
            return Amplitude(foil=loaded.path)
        s02 = s02.rows[0]
    if isinstance(s02, FitResult):
        name = str(s02.model.paths[0].s02.text)
        s02 = next((p.value for p in s02.parameters if p.name == name), s02.paths[0].s02)
    if isinstance(s02, Value):
        return Amplitude(value=s02.value, stderr=s02.stderr)
    if hasattr(s02, "nominal_value"):
        return Amplitude(value=float(s02.nominal_value), stderr=float(s02.std_dev))
    try:
        value, stderr = s02 if isinstance(s02, Sequence) else (s02, 0.0)
        return Amplitude(value=float(value), stderr=float(stderr))
    except (TypeError, ValueError):
        raise SpecError(f"s02 = {s02!r} is no number, no (value, error) and no foil's fit") from None
