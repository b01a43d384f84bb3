"""`reproduce_bundle`: a deposition run again from its own files, and each number compared with the stated one."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import FeffError, ReadError, XasuiteError
from ..feff import cache
from ..feff.run import PROGRAMS, adopt, recorded
from ..records.quantities import Quantity
from ..records.table import Entry, Presented, Table, plain
from ..report.section_fit import read_result
from ..specs.load import load_spec
from ..workflow.fits import Progress, silent
from ..workflow.reproduce import Reproduction, reproduce_specs
from ..workflow.run import SpecResult
from . import runs
from .archive import unpack
from .stage import DATA, FEFF, RESULTS, SPECS

# Standard errors: what Larch's audit allows too
ALLOWED = 0.01
# Of numbers without an error, whose last digit may be rounded either way
_ROUNDING = 1e-6
_TABLES = ("table", "changes_table", "variants_table")


@dataclass(frozen=True)
class Number:
    """A printed number of a deposition and the one made again; `difference` in standard errors, nan where it has no error."""

    spec: str
    row: str
    quantity: str
    stated: str
    made: str
    difference: float
    equal: bool


@dataclass(frozen=True, eq=False)
class Remade(Presented):
    """A deposition made again: every number with the stated one, and the scores of published tables.

    `feff_again` counts the runs of FEFF whose input the deposition does not hold, so that they were made here. `versions` names
    the packages that have another version here.
    """

    name: str
    numbers: tuple[Number, ...]
    reproduction: Reproduction
    feff_again: int = 0
    versions: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every number equals the stated one."""
        return all(n.equal for n in self.numbers) and not self.reproduction.failed

    @property
    def good(self) -> bool:
        """Whether every number equals the stated one, and every published cell is within."""
        return self.equal and self.reproduction.good

    def summary(self) -> Table:
        """One row per spec, with how many numbers are equal and the largest difference; what differs stands below."""
        rows = []
        for spec in dict.fromkeys(n.spec for n in self.numbers):
            own = [n for n in self.numbers if n.spec == spec]
            largest = max((n.difference for n in own if math.isfinite(n.difference)), default=math.nan)
            said = f"{largest:.1g}" if math.isfinite(largest) else "-"
            rows.append((spec, len(own), sum(n.equal for n in own), said))
        notes = [
            f"differs: {n.spec} {n.row}, {n.quantity}: {n.stated or 'nothing'} in the deposition, {n.made or 'nothing'} made again"
            for n in self.numbers
            if not n.equal
        ]
        notes += [f"failed: {k}: {v}" for k, v in self.reproduction.failed.items()]
        notes += [f"no data: {k}: {v}" for k, v in self.reproduction.missing.items()]
        if self.feff_again:
            notes.append(f"{self.feff_again} runs of FEFF were made again: their input is another one here.")
        if self.versions:
            notes.append(f"Versions differ: {'; '.join(self.versions)}.")
        heads = ("spec", "numbers", "equal", "largest difference / error")
        verdict = "every number equals" if self.equal else "NOT every number equals"
        title = f"{self.name} made again: {verdict} that of the deposition"
        return Table.of(title, [Quantity(h, h.capitalize()) for h in heads], rows, notes=tuple(notes))

    def to_dict(self) -> dict[str, Any]:
        """Numbers and the reproduction as plain data (docs/guide/json.md)."""
        return {
            "bundle": self.name,
            "equal": self.equal,
            "numbers": plain([asdict(n) for n in self.numbers]),
            "feff_again": self.feff_again,
            "versions": list(self.versions),
            "reproduction": self.reproduction.to_dict(),
        }


def reproduce_bundle(
    path: str | Path,
    *,
    folder: str | Path | None = None,
    keep: Callable[[SpecResult], None] | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> Remade:
    """Run a deposition's specs on its own data and FEFF paths, and compare every number with the stated one.

    Needs no network, and no file but the archive; the user's cache is neither read nor written.

    Parameters
    ----------
    path : str or Path
        What `bundle` wrote (.zip).
    folder : str or Path, optional
        Where it is unpacked, a new or empty folder that stays; left out, a temporary one.
    keep : callable, optional
        Called with each result of a fit as it is made.
    output : str or Path, optional
        Folder of the results of series and calibrations; left out, none are kept.
    progress : callable, optional
        Called with a word on each step.

    Returns
    -------
    Remade
        Every number, and whether it is equal: printed alike, or value and error within 0.01 standard errors.

    Raises
    ------
    ReadError
        The archive is damaged, was changed, or is no deposition.

    Examples
    --------
    >>> from xasuite.errors import ReadError
    >>> from xasuite.deposit import reproduce_bundle
    >>> try:
    ...     reproduce_bundle("no_such.zip")
    ... except ReadError as exc:
    ...     print(exc)
    no_such.zip: there is no such file
    """
    where = unpack(path, folder)
    try:
        return remake(where, Path(path).name, keep=keep, output=output, progress=progress)
    finally:
        if folder is None:
            shutil.rmtree(where, ignore_errors=True)


def remake(
    where: Path,
    name: str,
    *,
    keep: Callable[[SpecResult], None] | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
) -> Remade:
    """`reproduce_bundle` of a folder that is unpacked. Raises ReadError where it holds no result."""
    results = where / RESULTS
    fits = {spec_of(p, where): read_result(p) for p in sorted(results.rglob("result.json"))}
    beside = {
        spec_of(p, where): json.loads(p.read_text(encoding="utf-8"))
        for p in sorted(results.rglob(runs.NUMBERS))
    }
    if not fits and not beside:
        raise ReadError(
            f"{name} holds no {RESULTS}/.../result.json, so it is no deposition of xasuite bundle"
        )
    made: dict[Path, dict[str, Any]] = {}
    failed: dict[str, str] = {}

    def kept(result: SpecResult) -> None:
        made[result.loaded.path] = result.to_dict()
        if keep:
            keep(result)

    with (
        tempfile.TemporaryDirectory(prefix="xasuite-cache-") as private,
        cache.using(Path(private)),
        recorded() as feff,
    ):
        _adopt(where)
        data = where / DATA
        data.mkdir(exist_ok=True)  # so that data are looked for nowhere else
        say = progress or silent
        done = Reproduction((), (), (), (), {})
        if fits:
            done = reproduce_specs(list(fits), data_root=data, studies=False, keep=kept, progress=say)
        for path in beside:
            loaded = load_spec(path, None)
            say(f"{loaded.name}: {loaded.spec.title}")
            try:
                folder = Path(output) if output is not None else Path(private) / "again"
                made[path] = runs.run(loaded, data, folder, figures=False) or {}
            except XasuiteError as exc:
                failed[loaded.name] = str(exc)
    done = replace(done, failed={**done.failed, **failed})
    # of a fit that failed nothing was made; of a series that failed the sentence is enough
    pairs = [
        (f"{path.parent.name}/{path.stem}", document, made.get(path, {}))
        for path, document in {**fits, **beside}.items()
        if path in fits or path in made
    ]
    numbers = [number for pair in pairs for number in compared(*pair)]
    versions = dict.fromkeys(line for _, document, one in pairs for line in _versions(document, one))
    again = sum(not run.cached for _, run in feff.values())
    return Remade(name, tuple(numbers), done, again, tuple(versions))


def _versions(stated: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each package whose version differs from that of the deposition."""
    for name, here in made.get("provenance", {}).get("versions", {}).items():
        there = stated["provenance"]["versions"].get(name)
        if there != here:
            yield f"{name} {there} there, {here} here"


def spec_of(result: Path, where: Path) -> Path:
    """The spec of a result.json of a deposition."""
    folder = result.parent.relative_to(where / RESULTS)
    return where / SPECS / folder.parent / f"{folder.name}.toml"


def _adopt(where: Path) -> None:
    """Put the deposition's FEFF runs where FEFF's output is looked for."""
    for inp in sorted((where / FEFF).glob("*/feff.inp")):
        program = inp.parent.name.partition("_")[0]
        if program not in PROGRAMS:
            raise ReadError(
                f"{FEFF}/{inp.parent.name}: there is no program {program}; get the deposition again"
            )
        kept = {p.name: p.read_bytes() for p in inp.parent.iterdir() if p.name != inp.name}
        try:
            adopt(inp.read_text(encoding="utf-8"), program, kept)
        except FeffError:
            continue  # without the program the run itself says what is missing


def compared(spec: str, stated: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[Number]:
    """Every number of a result's tables with the one made again."""
    there, here = (document.get("tables", document) for document in (stated, made))
    for name in there if "tables" in stated else _TABLES:
        if not there.get(name):
            continue
        old = Table.from_dict(there[name])
        new = Table.from_dict(here[name]) if here.get(name) else Table(old.title, old.columns)
        rows = dict(_named(new))
        heads = {c.key: i for i, c in enumerate(new.columns)}
        for (label, nth), row in _named(old):
            other = rows.get((label, nth), ())
            for cell, column in zip(row, old.columns, strict=True):
                at = heads.get(column.key, len(other))
                if not (cell is None or isinstance(cell, str)):
                    yield _number(spec, label, column, cell, other[at] if at < len(other) else None)


def _named(table: Table) -> Iterator[tuple[tuple[str, int], tuple[Any, ...]]]:
    """Every row with its label (its texts), and a running number among rows of the same label."""
    seen: dict[str, int] = {}
    for row in table.rows:
        label = " ".join(c for c in row if isinstance(c, str) and c)
        seen[label] = seen.get(label, 0) + 1
        yield (label, seen[label]), row


def _number(spec: str, label: str, of: Quantity, stated: Any, made: Any) -> Number:
    a, b = (
        x if isinstance(x, Entry) else Entry(float(x)) if isinstance(x, int | float) else None
        for x in (stated, made)
    )
    assert a is not None
    if b is None:
        return Number(spec, label, of.head, a.text(of), "", math.nan, False)
    difference = abs(b.value - a.value) / a.stderr if a.stderr > 0 else math.nan
    if a.text(of) == b.text(of):
        equal = True
    elif a.stderr > 0:
        moved = [abs(getattr(b, n) - getattr(a, n)) / a.stderr for n in ("value", "stderr", "plus", "minus")]
        equal = a.state == b.state and all(not m > ALLOWED for m in moved) and math.isfinite(b.stderr)
    else:
        equal = math.isclose(a.value, b.value, rel_tol=_ROUNDING)
    return Number(spec, label, of.head, a.text(of), b.text(of), difference, equal)
