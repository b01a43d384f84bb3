"""The files of a deposition in a folder: specs and the specs they take values from, data, structures, published tables.

specs/FOLDER/NAME.toml, with the structures in the same folder and published tables in specs/FOLDER/published; data/... as the specs name
it. A key that names a file elsewhere on this machine is changed to name the copy.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit

from .. import files
from .._series.spool import TILED
from .._series.spool import fetched as kept
from .._series.template import asked_of
from ..errors import ReadError, SpecError, WriteError
from ..feff.cache import cache_dir
from ..feff.crystal import load_crystal
from ..io.sources import find_files
from ..io.table import unique
from ..notices import warn
from ..specs.load import Loaded, LoadedSpec, load_spec
from ..specs.published import published_file
from ..specs.schema import Data, Param
from ..specs.series import SeriesSpec
from ..specs.valence import ValenceSpec
from ..workflow.resolve import Context, ancestor, example_file, find_spec
from .standalone import copy_whole, linked

SPECS, DATA, RESULTS, FEFF = "specs", "data", "results", "feff"

Key = tuple[str | int, ...]


@dataclass
class Stage:
    """A folder that is filled; `specs` are the copies by the path of the original, `absent` the rows whose data are missing, with the reason."""

    folder: Path
    context: Context
    specs: dict[Path, Path] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True)

    @property
    def data(self) -> Path:
        """Where data files are looked for."""
        return self.folder / DATA

    def add(self, loaded: Loaded[Any]) -> Path:
        """Copy a spec with everything that it names. Raises SpecError, and ReadError where a file is not there."""
        source = loaded.path.resolve()
        if source not in self.specs:
            self.specs[source] = target = self._place(source)
            document = tomlkit.parse(loaded.text)
            if isinstance(loaded.spec, ValenceSpec):
                changes = [*self._compounds(loaded)]
            else:
                changes = [
                    *self._data(loaded),
                    *self._structures(loaded, target),
                    *self._foils(loaded, target),
                ]
                if isinstance(loaded.spec, SeriesSpec):
                    changes += self._series(loaded, target)
                self._published(loaded, target)
            for key, value in changes:
                _set(document, key, value)
            files.write_text(target, tomlkit.dumps(document))
        return self.specs[source]

    def _place(self, source: Path) -> Path:
        taken = {p.parent.name for p in self.specs.values() if p.name == source.name}
        return self.folder / SPECS / unique(source.parent.name or "spec", taken) / source.name

    # -------------------------------------------------------------------------------------------------- data

    def _data(self, loaded: LoadedSpec) -> Iterator[tuple[Key, Any]]:
        """Copy the data of every row and the FEFF files of paths; the keys that have to change."""
        for i, entry in enumerate(loaded.spec.data):
            if entry.simulate is not None:
                continue
            try:
                changes = list(self._row(loaded, i, entry))
            except ReadError as exc:
                self.absent[f"{loaded.name} {entry.label}"] = str(exc)
                continue
            yield from ((("data", i, *key), value) for key, value in changes)
        for i, path in enumerate(loaded.spec.path):
            if path.feff is not None:
                found = self.context.find(loaded, path.feff, "feff", "path", i, "feff")
                if (name := self._copy(loaded, path.feff, Path(found))) != path.feff:
                    yield ("path", i, "feff"), name

    def _row(self, loaded: LoadedSpec, index: int, entry: Data) -> Iterator[tuple[Key, Any]]:
        what = f'data "{entry.label}"'
        if entry.label in loaded.spec.held:
            raise SpecError(f"{what} is held in memory; save the spec with xs.save_spec and bundle that file")
        if entry.example is not None:
            found = Path(example_file(entry.example, f"{loaded.at('data', index)}: {what}"))
            package = entry.example.partition(":")[0]
            yield ("file",), self._copy(loaded, f"{package}/{found.name}", found)
            yield ("example",), None
        elif entry.file is not None:
            if (copied := self._one(loaded, entry.file, "data", index, "file", what=what)) != entry.file:
                yield ("file",), copied
        else:
            places = self.context.places(loaded)
            found_all = find_files(entry.files, places)
            yield ("files",), [glob.escape(self._copy(loaded, _within(p, places), p)) for p in found_all]

    def _compounds(self, loaded: Loaded[ValenceSpec]) -> Iterator[tuple[Key, Any]]:
        """Copy the files of a valence spec."""
        for table, entries in (("standard", loaded.spec.standard), ("unknown", loaded.spec.unknown)):
            for i, entry in enumerate(entries):
                if entry.files:
                    names = [self._one(loaded, n, table, i, "files") for n in entry.files]
                    yield (table, i, "files"), names
                if entry.foil is not None:
                    yield (table, i, "foil"), self._one(loaded, entry.foil, table, i, "foil")

    def _one(self, loaded: Loaded[Any], name: str, *key: str | int, what: str = "") -> str:
        """Copy a file, file::group, that a spec names; its name in the deposition."""
        file, mark, group = name.partition("::")
        found = self.context.find(loaded, name, what or str(key[-1]), *key).partition("::")[0]
        return self._copy(loaded, file, Path(found)) + mark + group

    def _series(self, loaded: Loaded[Any], target: Path) -> Iterator[tuple[Key, Any]]:
        """Copy the scans, logs, foils, references and the valence spec of a series."""
        series = loaded.spec.series
        if series.files:
            yield ("series", "files"), list(self._patterns(loaded, series.files))
        for i, log in enumerate(series.log):
            yield ("series", "log", i, "file"), self._one(loaded, log.file, "series", "log", i, "file")
        if series.calibration is not None and series.calibration.file:
            for key in ("file", "reference"):
                name = getattr(series.calibration, key)
                yield ("series", "calibration", key), self._one(loaded, name, "series", "calibration", key)
        if series.components is not None and series.components.references:
            wanted = series.components.references
            yield ("series", "components", "references"), list(self._patterns(loaded, wanted))
        if series.valence is not None:
            found = find_spec(loaded, series.valence.spec, "valence: spec", "series", "valence", "spec")
            there = self.add(load_spec(found, ValenceSpec))
            yield ("series", "valence", "spec"), f"../{there.parent.name}/{there.name}"

    def _patterns(self, loaded: Loaded[Any], patterns: Iterable[str]) -> Iterator[str]:
        """Copy every file of patterns, those of a Tiled catalogue as they were fetched; the names in the deposition."""
        places = self.context.places(loaded)
        for pattern in patterns:
            file, mark, groups = pattern.partition("::")
            wanted = [file]
            if TILED.match(pattern):
                mark = groups = ""
                wanted = kept(pattern, asked_of(loaded.spec.series), cache_dir() / "scans")
            for found in find_files(wanted, places):
                yield glob.escape(self._copy(loaded, _within(found, places), found)) + mark + groups

    def _copy(self, loaded: Loaded[Any], name: str, found: Path) -> str:
        """Copy a data file; its name in the deposition, which is the spec's own where that stays inside and is free."""
        if outside := linked(found):
            found = self._standing_alone(found, outside)
        own = name if _stays(name) else f"{loaded.path.resolve().parent.name}/{found.name}"
        for number in range(1000):
            at = PurePosixPath(own)
            name = str(at if not number else at.with_name(f"{at.stem}_{number + 1}{at.suffix}"))
            target = self.data / name
            if _copied(found, target):
                return name
        raise WriteError(f"{found}: a thousand data files have this name; rename some")

    def _standing_alone(self, found: Path, outside: list[str]) -> Path:
        """A copy of an HDF5 file with what it links to, made once."""
        made = self.folder.parent / "standing_alone" / files.sha256(found)[:16] / found.name
        if not made.exists():
            copy_whole(found, made)
            warn(f"{found.name}: {', '.join(outside[:3])} lie in other files and are written into the copy")
        return made

    # -------------------------------------------------------------------------------------------------- structures, foils

    def _structures(self, loaded: LoadedSpec, target: Path) -> Iterator[tuple[Key, Any]]:
        """Copy every crystal and cluster to the spec's folder; an AMCSD number stays, its atoms stand in feff.inp."""
        spec = loaded.spec
        named: list[tuple[Key, str | None]] = []
        for table, entries in (("path", spec.path), ("shells", spec.shells)):
            for i, entry in enumerate(entries):
                named += [((table, i, kind), getattr(entry, kind)) for kind in ("crystal", "cluster")]
        if made := spec.simulate:
            named += [(("simulate", "shell", i, "crystal"), s.crystal) for i, s in enumerate(made.shell)]
            named += [(("simulate", "rest", "crystal"), made.rest.crystal)] if made.rest else []
        for key, name in named:
            if name is None or name.lower().startswith("amcsd:"):
                continue
            local = loaded.path.parent / name
            source = Path(load_crystal(str(local) if local.is_file() else name).source.path)
            if not _copied(source, target.parent / source.name):
                raise SpecError(
                    f"{loaded.path.name}: two different structures are called {source.name}; rename one"
                )
            if source.name != name:
                yield key, source.name

    def _foils(self, loaded: LoadedSpec, target: Path) -> Iterator[tuple[Key, Any]]:
        """Copy the specs that parameters come from."""
        spec = loaded.spec
        tables: list[tuple[Key, dict[str, Param]]] = [(("params",), dict(spec.params))]
        tables += [(("variant", i, "params"), dict(v.params)) for i, v in enumerate(spec.variant)]
        for key, params in tables:
            for name, p in params.items():
                if p.from_ is None:
                    continue
                ancestor(loaded, name, p)
                there = self.add(load_spec(find_spec(loaded, p.from_, f"{name}: from", "params", name)))
                places = (target.parent / p.from_, target.parent.parent / p.from_)
                if not (_stays(p.from_) and there in places):
                    yield (*key, name, "from"), f"../{there.parent.name}/{there.name}"

    def _published(self, loaded: LoadedSpec, target: Path) -> None:
        """Copy the published table that a spec reproduces."""
        if not loaded.spec.reproduces:
            return
        name = loaded.spec.reproduces.partition("/")[0]
        own = loaded.path.parent / "published" / f"{name}.toml"
        _copied(own if own.is_file() else published_file(name), target.parent / "published" / f"{name}.toml")


def _stays(name: str) -> bool:
    """Whether a name cannot lead out of its folder, on any operating system."""
    at = PurePosixPath(name)
    return not at.is_absolute() and ".." not in at.parts and not set(name) & set('\\:*?"<>|')


def _within(found: Path, places: list[Path]) -> str:
    """A file's path relative to the first of the places that holds it; its bare name where none does."""
    inside = (found.relative_to(p) for p in places if found.is_relative_to(p))
    return next(inside, Path(found.name)).as_posix()


def _copied(source: Path, target: Path) -> bool:
    """Copy a file; False where another file of that name is there."""
    if target.exists():
        return target.is_file() and files.sha256(source) == files.sha256(target)
    if source.is_dir():
        raise SpecError(f"{source} is a folder; a deposition holds files: name them in the spec")
    with files.replacing(target) as temporary:
        shutil.copyfile(source, temporary)
    return True


def _set(document: Any, key: Key, value: Any) -> None:
    for part in key[:-1]:
        document = document[part]
    if value is None:
        del document[key[-1]]
    else:
        document[key[-1]] = value
