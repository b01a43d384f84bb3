"""The scattering paths of a spec: each [[path]] is found by FEFF, each [[shells]] is expanded to its paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..choices import PATH_VALUES, Potentials
from ..errors import CrystalError, SpecError, XasuiteError
from ..exafs.model import PathModel
from ..expressions import parse
from ..feff.crystal import Crystal, load_crystal
from ..feff.paths import FeffPath, read_feff_dat
from ..feff.search import counterpart
from ..specs.load import LoadedSpec
from ..specs.schema import Path, Shells, Structure

if TYPE_CHECKING:
    from .resolve import Context


_SCF = " scf"


def path_models(loaded: LoadedSpec, context: Context) -> tuple[PathModel, ...]:
    """The paths of a spec's model, those of [[shells]] after the others."""
    own = [(table, find_path(loaded, i, context)) for i, table in enumerate(loaded.spec.path)]
    return tuple(_model(table, feff) for table, feff in (*own, *shells_paths(loaded)))


def _model(table: Path, feff: FeffPath) -> PathModel:
    values = {q: parse(v) for q in PATH_VALUES if (v := getattr(table, q)) is not None}
    return PathModel(table.label, feff, data=table.data, **{"n": parse(feff.degen), **values})


def tables(loaded: LoadedSpec) -> dict[str, Path]:
    """The [[path]] table of every path of the model by its label, with those that [[shells]] expand to."""
    return {t.label: t for t in (*loaded.spec.path, *(t for t, _ in shells_paths(loaded)))}


def find_path(loaded: LoadedSpec, index: int, context: Context) -> FeffPath:
    """The FEFF path that a [[path]] names. Raises the errors of structures and of FEFF, each with the spec's line."""
    table = loaded.spec.path[index]
    try:
        if table.feff is not None:
            return read_feff_dat(context.find(loaded, table.feff, "feff", "path", index, "feff"))
        if table.distance is not None:
            return _single(loaded, table)
        from ..feff import select

        paths = crystal_paths(loaded, table)
        return select(
            paths, scatterer=table.scatterer, legs=table.legs, shell=table.shell or 1, path=table.path
        )
    except XasuiteError as exc:
        raise type(exc)(f'{loaded.at("path", index)}: path "{table.label}": {exc}') from None


def _single(loaded: LoadedSpec, table: Path) -> FeffPath:
    """The path of one atom at a distance."""
    from ..feff import single_path

    crystal = None if table.made_up else structure(loaded, table)
    return single_path(
        str(table.scatterer), float(table.distance or 0.0), crystal=crystal, radius=table.radius, **_asked(loaded, table)
    )  # fmt: skip


def _asked(loaded: LoadedSpec, table: Structure) -> dict[str, Any]:
    """The arguments of a search for paths that [[path]] and [[shells]] share."""
    element, edge = loaded.spec.absorber_of(table.data)
    own = {key: getattr(table, key) for key in ("site", "program", "scf")}
    return {"absorber": table.absorber or element, "edge": edge, **own}


def shells_paths(loaded: LoadedSpec) -> tuple[tuple[Path, FeffPath], ...]:
    """Every path that the [[shells]] of a spec expand to, with a [[path]] table of its own.

    Raises the errors of structures and of FEFF, and CrystalError where no path is left or two have the same label, with the
    spec's line.
    """
    found: list[tuple[Path, FeffPath]] = []
    taken = {p.label for p in loaded.spec.path}
    for i, table in enumerate(loaded.spec.shells):
        try:
            for label, feff in _kept(loaded, table):
                if label in taken:
                    raise CrystalError(
                        f'two paths would be called "{label}"; give this entry a label of its own'
                    )
                taken.add(label)
                found.append((table.path(feff.index, label), feff))
        except XasuiteError as exc:
            raise type(exc)(f"{loaded.at('shells', i)}: shells {i + 1}: {exc}") from None
    return tuple(found)


def _kept(loaded: LoadedSpec, table: Shells) -> Iterator[tuple[str, FeffPath]]:
    """The paths of a [[shells]], shortest first, and their labels: atoms and half length, with FEFF's number where two would be equal."""
    every = crystal_paths(loaded, table)
    missing = [n for n in table.without if all(p.index != n for p in every)]
    if missing:
        raise CrystalError(f"without = {list(table.without)}: {every[0].origin} has no path {missing[0]}")
    near = (
        p for p in every if p.reff <= table.upto and p.nleg <= table.nleg and p.index not in table.without
    )
    kept = [p for p in near if p.relative_amplitude >= table.amplitude]
    kept.sort(key=lambda p: (p.reff, p.index))
    if not kept:
        nearest = min(every, key=lambda p: p.reff)
        raise CrystalError(
            f"{every[0].origin}: no path of {table.amplitude:g} % or more to {table.upto:g} A; the shortest is {nearest.reff:.3f} A"
        )
    names = [f"{'-'.join((p.absorber, *p.scatterers))} {p.reff:.3f}" for p in kept]
    for name, feff in zip(names, kept, strict=True):
        twice = f" #{feff.index}" if names.count(name) > 1 else ""
        yield f"{table.label} {name}{twice}".strip(), feff


def crystal_paths(loaded: LoadedSpec, table: Structure) -> tuple[FeffPath, ...]:
    """All paths of the structure that a [[path]] or [[shells]] names."""
    from ..feff import find_paths

    radius = max(table.radius, table.upto) if isinstance(table, Shells) else table.radius
    return find_paths(
        structure(loaded, table), radius=radius, polarization=table.polarization, **_asked(loaded, table)
    )


def other_paths(
    loaded: LoadedSpec, own: Mapping[str, FeffPath], potentials: Potentials
) -> dict[str, FeffPath]:
    """The paths of a spec with other potentials, by label; one that FEFF leaves out there as too weak stays as it is.

    Raises SpecError for a path from a file of FEFF: other potentials need its structure.
    """
    found = {}
    for label, table in tables(loaded).items():
        if label not in own:
            continue
        if table.feff is not None:
            raise SpecError(
                f'{loaded.path.name}: [errors] potentials: path "{label}" comes from a file of FEFF; name its crystal in the file\'s place'
            )
        other = table.model_copy(update=program_of(potentials))
        if other.distance is not None:
            found[label] = _single(loaded, other)
        else:
            found[label] = counterpart(own[label], crystal_paths(loaded, other)) or own[label]
    return found


def program_of(potentials: Potentials) -> dict[str, Any]:
    """The keys `program` and `scf` of a structure that give these potentials."""
    return {"program": potentials.removesuffix(_SCF), "scf": potentials.endswith(_SCF)}


def structure(loaded: LoadedSpec, table: Structure) -> Crystal:
    """The crystal or cluster a table names: in the spec's folder, or among the references."""
    named = f"amcsd:{table.amcsd}" if table.amcsd is not None else str(table.crystal or table.cluster)
    return crystal_of(loaded, named)


def crystal_of(loaded: LoadedSpec, name: str) -> Crystal:
    """A crystal or cluster by its name: in the spec's folder, or among the references."""
    local = loaded.path.parent / name
    return load_crystal(str(local) if local.is_file() else name)
