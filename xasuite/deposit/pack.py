"""A result with everything it was made of, in one archive that is run once before it is written."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from ..report.results import write_results
from ..report.section_fit import read_result
from ..report.sections import find_inputs
from ..specs.load import Loaded, LoadedSpec, as_loaded, load_spec, slug
from ..specs.schema import Spec
from ..workflow.audit import audit_spec
from ..workflow.fits import Progress, silent
from ..workflow.reproduce import find_specs, reproduce_specs
from ..workflow.resolve import Context, read_row
from ..workflow.run import SpecResult
from ..workflow.save import save_spec
from . import others
from .about import XDI, About, Row, describe
from .again import compared
from .archive import pack
from .stage import FEFF, RESULTS, Stage

Source = str | Path | Spec | LoadedSpec | SpecResult | SeriesRun


@dataclass(frozen=True)
class Bundle(Presented):
    """A deposition that was written: its file, the specs in it, how many files and numbers, and what it does not say.

    `compared` of the numbers were compared with the results that were named, and are equal. `unlicensed` are the measured rows without a licence, `absent` the rows whose data were not there.
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
        """What the archive holds, and below it what is missing."""
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
        What was written, and what it does not say.

    Raises
    ------
    ReadError, SpecError
        A file, spec or result that is not there or was changed since.
    FitError
        A number that the copies do not give.
    WriteError
        A place that cannot be written, or no package rocrate.

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
        sources = list(_sources(source, Path(temporary)))
        specs = {stage.add(loaded): document for loaded, document in sources}
        fits = {stage.add(one): document for one, document in sources if type(one.spec) is Spec}
        with recorded() as runs:
            results, numbers, same = _run(stage, fits, figures, say) if fits else ([], 0, 0)
            beside = [_other(stage, path, specs[path], figures, say) for path in specs if path not in fits]
        _feff(stage, runs)
        numbers += sum(n for _, n, _ in beside)
        same += sum(n for _, _, n in beside)
        made = [*(r.loaded for r in results), *(one for one, _, _ in beside)]
        rows = tuple(_rows(stage, licence, results))
        about = About(target.name, title or made[0].spec.title, tuple(authors), rows)
        say("spectra as XDI")
        _spectra(stage)
        describe(folder, about)
        pack(folder, target)
        held = sum(p.is_file() for p in folder.rglob("*"))
    return Bundle(
        target,
        tuple(one.name for one in made),
        held,
        numbers,
        same,
        tuple(f"{r.spec} {r.label}" for r in about.unlicensed),
        tuple(f"{k}: {v}" for k, v in stage.absent.items()),
        tuple(authors),
    )


def _sources(
    given: Source | Sequence[Source], temporary: Path
) -> Iterator[tuple[Loaded[Any], dict[str, Any] | None]]:
    """Every spec that is named, with the document of its result where that is what was named."""
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
            yield others.named(found)
            continue
        if found.name != "result.json":
            raise ReadError(f"{found} is no result of xasuite fit, reproduce or series and no spec")
        document = read_result(found)
        sha256 = document["provenance"]["spec_sha256"]
        yield others.spec_behind(found, document["spec"], sha256, Spec, "fit"), document


def _run(
    stage: Stage, specs: dict[Path, dict[str, Any] | None], figures: bool, say: Progress
) -> tuple[list[SpecResult], int, int]:
    """Run the copies, write their results and FEFF's files; the results, their numbers, and how many were compared.

    Raises FitError for a number that is not the result's.
    """
    results: list[SpecResult] = []
    done = reproduce_specs(list(specs), data_root=stage.data, studies=False, progress=say)
    if done.failed:
        raise FitError("; ".join(f"{k}: {v}" for k, v in done.failed.items()))
    for result in done.results:
        say(f"{result.loaded.name}: Larch repeats the fit")
        results.append(replace(result, audit=audit_spec(result)))
    if not results:
        raise ReadError("; ".join(stage.absent.values()) or "no row could be fitted")
    numbers = same = 0
    for result in results:
        document = result.to_dict()
        prior = specs[result.loaded.path]
        made, equal = _compared(result.loaded.name, prior, document)
        numbers, same = numbers + made, same + equal
        _no_layout(result)
        say(f"{result.loaded.name}: tables and figures")
        written = write_results(result, stage.folder / RESULTS, figures=figures)[0]
        _inside(written, json.dumps(f"{stage.folder}/")[1:-1])
    return results, numbers, same


def _compared(name: str, prior: dict[str, Any] | None, document: dict[str, Any]) -> tuple[int, int]:
    """How many numbers a result has, and how many were compared with one that was named. Raises FitError for one that differs."""
    found = list(compared(name, prior or document, document))
    if wrong := [n for n in found if not n.equal]:
        n = wrong[0]
        raise FitError(
            f"{name}: {len(wrong)} of {len(found)} numbers are not those of the result, {n.row} {n.quantity}: "
            f"{n.stated} there, {n.made or 'nothing'} from the copies; data or versions have changed: run it again"
        )
    return len(found), len(found) if prior else 0


def _other(
    stage: Stage, path: Path, prior: dict[str, Any] | None, figures: bool, say: Progress
) -> tuple[Loaded[Any], int, int]:
    """Run the copy of a series or of a calibration and write its results; how many numbers it has, and how many were compared."""
    loaded = load_spec(path, None)
    say(f"{loaded.name}: {loaded.spec.title}")
    folder = stage.folder / RESULTS / loaded.name
    made = others.make(loaded, stage.data, folder, figures=figures)
    for file in (*folder.rglob("*.json"), *folder.rglob("*.csv")):
        _inside(file, f"{stage.folder}/")
    return loaded, *_compared(loaded.name, prior, made.document())


def _feff(stage: Stage, runs: Mapping[str, Any]) -> None:
    """Write input and output of every run of FEFF."""
    for key, (inp, run) in runs.items():
        place = stage.folder / FEFF / f"{run.program}_{key[:16]}"
        files.write_text(place / "feff.inp", inp)
        files.write_text(place / LOG, run.log)
        for name, content in run.files.items():
            if name != "feff.inp":
                (place / name).write_bytes(content)


def _inside(file: Path, folder: str) -> None:
    """Paths in a text file named from the top of the deposition."""
    files.write_text(file, file.read_text(encoding="utf-8").replace(folder, ""))


def _no_layout(result: SpecResult) -> None:
    """Raises SpecError where a row is read by a layout of this machine."""
    for row in result.inputs.values():
        for note in (*row.chi.notes, *row.spectrum.notes):
            if note.startswith("read by the layout"):
                raise SpecError(
                    f'{result.loaded.path.name}: data "{row.label}" is {note}, which other machines do not have; '
                    "write its energy, units, i0 and mu into the spec and fit again"
                )


def _spectra(stage: Stage) -> None:
    """The spectrum of every row of every spec as XDI; chi(k), which XDI does not hold, stays as its file."""
    for path in stage.specs.values():
        loaded = load_spec(path, None)
        if type(loaded.spec) is not Spec:
            for written in others.write_spectra(loaded, stage.data, stage.folder / XDI):
                if written.suffix == ".xdi":
                    _inside(written, f"{stage.folder}/")
            continue
        for i, entry in enumerate(loaded.spec.data):
            if entry.kind == "chi" or f"{loaded.name} {entry.label}" in stage.absent:
                continue
            with collected():  # which recommended fields the source lacks, and what reading cleaned
                spectrum = read_row(loaded, i, Context(stage.data)).spectrum
                written = write(stage.folder / XDI / loaded.name / f"{slug(entry.label)}.xdi", spectrum)
            _inside(written, f"{stage.folder}/")


def _rows(stage: Stage, licence: str, results: Iterable[SpecResult]) -> Iterator[Row]:
    """Every data row of every spec in the deposition."""
    kinds = {(r.loaded.path, label): kind for r in results for label, kind in r.kinds.items()}
    for path in stage.specs.values():
        loaded = load_spec(path, None)
        if type(loaded.spec) is not Spec:
            for label, kind, source, own in others.rows_named(loaded):
                yield Row(loaded.name, label, kind, source, own or (licence if kind == "measured" else ""))
            continue
        for entry in loaded.spec.data:
            kind = kinds.get((path, entry.label), "measured" if entry.simulate is None else "closure")
            if f"{loaded.name} {entry.label}" in stage.absent:
                continue
            files_of = "simulated" if kind == "closure" else entry.file or ", ".join(entry.files)
            own = entry.licence or (licence if kind == "measured" else "")
            yield Row(loaded.name, entry.label, kind, entry.source or files_of, own)
