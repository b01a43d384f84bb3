"""`bundle`: a result with everything that it was made from, in one archive. The specs are run from the copies before it is written."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from .._series.record import SeriesRun
from ..errors import FitError, ReadError, SpecError, WriteError
from ..feff.run import LOG, recorded
from ..io import write
from ..notices import collected
from ..records.quantities import Quantity
from ..records.table import Presented, Table
from ..report.section_fit import read_result
from ..report.sections import find_inputs
from ..specs.load import Loaded, LoadedSpec, as_loaded, load_spec, slug
from ..specs.schema import Spec
from ..workflow.fits import Progress, silent
from ..workflow.reproduce import find_specs
from ..workflow.resolve import Context
from ..workflow.run import SpecResult
from ..workflow.save import save_spec
from . import runs
from .about import XDI, About, describe
from .again import compared
from .archive import pack
from .stage import FEFF, RESULTS, Stage

Source = str | Path | Spec | LoadedSpec | SpecResult | SeriesRun


@dataclass(frozen=True)
class Bundle(Presented):
    """The deposition that `bundle` wrote: its file, its specs, and how many files and numbers it holds.

    `compared` numbers were compared with the results that the user named, and are equal. `unlicensed` are the measured rows
    without a licence, `absent` the rows whose data were not found.
    """

    path: Path
    specs: tuple[str, ...]
    files: int
    numbers: int
    compared: int
    unlicensed: tuple[str, ...]
    absent: tuple[str, ...]
    authors: tuple[str, ...]

    def summary(self) -> Table:
        """What the archive holds; notes say what is missing."""
        rows = [
            ("file", str(self.path)),
            ("size", f"{self.path.stat().st_size / 1e6:.1f} MB, {self.files} files"),
            ("specs", ", ".join(self.specs)),
            ("numbers", str(self.numbers)),
            ("equal to those of the results that were named", str(self.compared or "no result was named")),
        ]
        notes = [f"no data: {line}" for line in self.absent]
        if self.unlicensed:
            notes.append(
                f'The licence of the data is not stated: {", ".join(self.unlicensed)}. Write licence = "CC-BY-4.0", or what it '
                "is, into their [[data]], or give --licence."
            )
        if not self.authors:
            notes.append('No author is named in CITATION.cff: give --author "Family, Given".')
        return Table.of(
            "Deposition", [Quantity("what", "What"), Quantity("is", "Is")], rows, notes=tuple(notes)
        )


def bundle(
    source: Source | Sequence[Source],
    output: str | Path = "bundle.zip",
    *,
    title: str = "",
    authors: Sequence[str] = (),
    licence: str = "",
    data_root: str | Path | None = None,
    figures: bool = True,
    progress: Progress | None = None,
) -> Bundle:
    """Write a deposition: specs, data, structures, FEFF runs, tables, figures, versions, licences, checksums, RO-Crate metadata.

    The specs are run from the copies before the archive is written; where a number is not that of the result, nothing is written.

    Parameters
    ----------
    source : str, Path, Spec, Loaded, SpecResult, or a sequence of them
        Folders of results (of fit or reproduce), specs, folders of specs, or what `fit` returned.
    output : str or Path
        The archive (.zip).
    title : str
        Of the deposition; left out, the first spec's.
    authors : sequence of str
        "Family, Given" each.
    licence : str
        Of data whose spec states none: an SPDX identifier (CC-BY-4.0) or an address.
    data_root : str or Path, optional
        Where data are looked for, in addition to the specs' folders; left out, XASUITE_DATA.
    figures : bool
        Make the figures.
    progress : callable, optional
        Called with a word on each step.

    Returns
    -------
    Bundle
        What was written, and which licences, authors and data are missing.

    Raises
    ------
    ReadError, SpecError
        A file, spec or result is missing, or was changed after the fit.
    FitError
        A number of the result that a run on the copies does not give.
    WriteError
        The archive cannot be written, or the package rocrate is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from xasuite.references import fits_dir
    >>> made = xs.bundle(fits_dir() / "foils/co_foil_closure.toml", tempfile.mkdtemp() + "/foil.zip", figures=False)
    >>> made.specs
    ('foils/co_foil_closure',)
    """
    target = Path(output)
    if target.suffix.lower() != ".zip":
        raise SpecError(f"{target}: a deposition is a zip; name it {target.stem or 'bundle'}.zip")
    if importlib.util.find_spec("rocrate") is None:
        raise WriteError("xasuite bundle needs the package rocrate: pip install 'xasuite[deposit]'")
    say, context = progress or silent, Context.of(data_root)
    with tempfile.TemporaryDirectory(prefix="xasuite-deposit-") as temporary:
        folder = Path(temporary) / "stage"
        stage = Stage(folder, context)
        specs = {stage.add(loaded): prior for loaded, prior in _sources(source, Path(temporary))}
        made: dict[Path, tuple[dict[str, Any], int, int]] = {}
        with recorded() as feff:
            for path, prior in specs.items():
                if found := _run(stage, path, prior, figures, say):
                    made[path] = found
        if not made:
            raise ReadError("; ".join(stage.absent.values()) or "no row could be fitted")
        _feff(stage, feff)
        copies = {path: load_spec(path, None) for path in stage.specs.values()}
        rows = tuple(
            row
            for path, one in copies.items()
            for row in runs.rows(one, made[path][0] if path in made else {}, licence, stage.absent)
        )
        first = copies[next(iter(made))].spec.title
        about = About(target.name, title or first, tuple(authors), rows)
        say("spectra as XDI")
        for one in copies.values():
            _spectra(stage, one)
        describe(folder, about)
        pack(folder, target)
        held = sum(p.is_file() for p in folder.rglob("*"))
    return Bundle(
        target,
        tuple(copies[path].name for path in made),
        held,
        sum(numbers for _, numbers, _ in made.values()),
        sum(same for _, _, same in made.values()),
        tuple(f"{r.spec} {r.label}" for r in about.unlicensed),
        tuple(f"{k}: {v}" for k, v in stage.absent.items()),
        tuple(authors),
    )


def _sources(
    given: Source | Sequence[Source], temporary: Path
) -> Iterator[tuple[Loaded[Any], dict[str, Any] | None]]:
    """Every spec that the user named; with the numbers of its result where a result was named, else with None."""
    for one in [given] if isinstance(given, str | Path | Spec | Loaded | SpecResult | SeriesRun) else given:
        if isinstance(one, str | Path | SeriesRun):
            yield from _of_path(one.path if isinstance(one, SeriesRun) else Path(one))
            continue
        loaded = one.loaded if isinstance(one, SpecResult) else as_loaded(one, Spec)
        if loaded.spec.held or not loaded.path.is_file():
            name = slug(loaded.spec.title)
            loaded = load_spec(save_spec(loaded.spec, temporary / "python" / name / f"{name}.toml"))
        yield loaded, one.to_dict() if isinstance(one, SpecResult) else None


def _of_path(path: Path) -> Iterator[tuple[Loaded[Any], dict[str, Any] | None]]:
    if path.suffix.lower() == ".toml" or (
        path.is_dir() and not any(p.name in {"result.json", "series.h5"} for p in path.rglob("*.*"))
    ):
        if path.is_dir() and not any(path.glob("*.toml")):
            raise ReadError(
                f"{path} holds no result.json, no series.h5 and no spec; name a folder that xasuite fit, reproduce or series wrote, or a spec"
            )
        yield from ((load_spec(p, None), None) for p in find_specs([path]))
        return
    for found in find_inputs([path]):
        if found.suffix == ".h5":
            yield runs.series_behind(found)
            continue
        if found.name != "result.json":
            raise ReadError(f"{found} is no result of xasuite fit, reproduce or series and no spec")
        document = read_result(found)
        sha256 = document["provenance"]["spec_sha256"]
        yield runs.spec_behind(found, document["spec"], sha256, Spec, "fit"), document


def _run(
    stage: Stage, path: Path, prior: dict[str, Any] | None, figures: bool, say: Progress
) -> tuple[dict[str, Any], int, int] | None:
    """Run a copy of a spec and write its results: their document, how many numbers it has, how many were compared.

    None where no row has data. Raises FitError for a number that is not that of the result, `prior`.
    """
    loaded = load_spec(path, None)
    say(f"{loaded.name}: {loaded.spec.title}")
    results = stage.folder / RESULTS
    document = runs.run(loaded, stage.data, results, figures=figures)
    if document is None:
        return None
    found = list(compared(loaded.name, prior or document, document))
    if wrong := [n for n in found if not n.equal]:
        n = wrong[0]
        raise FitError(
            f"{loaded.name}: {len(wrong)} of {len(found)} numbers are not those of the result, {n.row} {n.quantity}: "
            f"{n.stated} there, {n.made or 'nothing'} from the copies; data or versions have changed: run it again"
        )
    for file in (results / loaded.name).rglob("*"):
        if file.suffix in {".json", ".csv"}:
            _inside(file, stage.folder)
    return document, len(found), len(found) if prior else 0


def _feff(stage: Stage, recorded: Mapping[str, Any]) -> None:
    """Write input and output of every run of FEFF."""
    for key, (inp, run) in recorded.items():
        place = stage.folder / FEFF / f"{run.program}_{key[:16]}"
        files.write_text(place / "feff.inp", inp)
        files.write_text(place / LOG, run.log)
        for name, content in run.files.items():
            if name != "feff.inp":
                (place / name).write_bytes(content)


def _inside(file: Path, folder: Path) -> None:
    """Name the paths in a text file from the top of the deposition, also where JSON escapes them."""
    text = file.read_text(encoding="utf-8")
    for place in (f"{folder}/", json.dumps(f"{folder}/")[1:-1]):
        text = text.replace(place, "")
    files.write_text(file, text)


def _spectra(stage: Stage, loaded: Loaded[Any]) -> None:
    """Write the spectra of a spec for other programs."""
    with collected():  # which recommended fields the source lacks, and what reading cleaned
        for name, record in runs.spectra(loaded, stage.data, stage.absent):
            written = write(stage.folder / XDI / loaded.name / name, record)
            if written.suffix == ".xdi":
                _inside(written, stage.folder)
