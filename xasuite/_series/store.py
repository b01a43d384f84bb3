"""Parts on disk while a run goes on, and the one HDF5 file and CSV that they become.

Every part, and each of the two files, is written under a temporary name and renamed: what has its name is whole.
Nothing in the HDF5 file depends on when, by whom or in how many tries it was made, so an interrupted run that
is resumed ends with the same bytes as an undisturbed one; the wall clock is in run.json beside it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import files
from ..errors import SeriesError
from ..records import Array
from ..version import __version__
from .fitting import ENGINE
from .plan import Plan
from .work import Part, fitted_names

if TYPE_CHECKING:
    from .beside import Beside

Resume = Literal["must", "if same", "no"]
H5, CSV, PARTS, LOG, PLAN = "series.h5", "series.csv", "parts", "run.json", "plan.json"
CURVES = ("norm", "chi", "fit")


@dataclass(frozen=True)
class Folder:
    """The folder of one series' results."""

    path: Path

    @property
    def h5(self) -> Path:
        """The results."""
        return self.path / H5

    @property
    def csv(self) -> Path:
        """The table, a row a spectrum."""
        return self.path / CSV

    @property
    def parts(self) -> Path:
        """Where chunks lie until all are there."""
        return self.path / PARTS

    def part(self, chunk: int) -> Path:
        """The file of one chunk."""
        return self.parts / f"{chunk:06d}.npz"

    def begin(self, plan: Plan, resume: Resume) -> list[int]:
        """Make or take over the parts folder; gives the chunks that are still to be done.

        Raises SeriesError when a run that must be resumed is of another spec or other scans.
        """
        self._sweep()
        marker = self.parts / PLAN
        if resume != "no" and marker.is_file():
            if self._same(plan, json.loads(marker.read_text())["fingerprint"], marker, resume):
                return [i for i in range(len(plan.chunks)) if not self.part(i).is_file()]
        elif (
            resume != "no"
            and self.h5.is_file()
            and self.csv.is_file()
            and self._same(plan, fingerprint_of(self.h5), self.h5, resume)
        ):
            return []
        if self.parts.exists():
            shutil.rmtree(self.parts)
        document = {
            "fingerprint": plan.fingerprint,
            "spec": plan.loaded.path.name,
            "chunks": len(plan.chunks),
        }
        files.write_text(marker, json.dumps(document, indent=1))
        return list(range(len(plan.chunks)))

    def _same(self, plan: Plan, found: str, where: Path, resume: Resume) -> bool:
        if found != plan.fingerprint and resume == "must":
            raise SeriesError(
                f"{where} is of another run: the spec, its scans or the program changed since; run without --resume "
                "to begin anew, or into another folder with --output"
            )
        return found == plan.fingerprint

    def _sweep(self) -> None:
        """Remove what a killed run left under temporary names."""
        if not self.path.is_dir():
            return
        for stale in [*self.path.glob(".series-*"), *self.path.glob(".old-parts*"), *self.parts.glob(".*")]:
            if stale.is_dir():
                shutil.rmtree(stale)
            else:
                stale.unlink(missing_ok=True)

    def finish(self) -> None:
        """Remove the parts: first out of the way in one step, so that no half-removed folder is taken for a run."""
        if self.parts.exists():
            away = self.path / ".old-parts"
            self.parts.replace(away)
            shutil.rmtree(away)


def save_part(path: Path, part: Part) -> None:
    """Write one chunk."""
    held: dict[str, NDArray[Any]] = {f"column/{n}": v for n, v in part.columns.items()}
    held |= {f"array/{n}": v for n, v in part.arrays.items()}
    held["rows"] = np.array([part.start, part.end])
    held["audit"] = np.array(json.dumps(part.audit, sort_keys=True))
    with files.replacing(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **held)  # type: ignore[arg-type]


def load_part(
    path: Path, curves: Collection[str] = CURVES, more: Mapping[str, Array] = MappingProxyType({})
) -> Part:
    """Read one chunk with some of its curves; `more` are columns of the whole series, whose rows it takes too."""
    with np.load(path, allow_pickle=False) as held:
        columns = {n.removeprefix("column/"): held[n] for n in held.files if n.startswith("column/")}
        names = [n for n in held.files if n.startswith("array/") and n.removeprefix("array/") in curves]
        arrays = {n.removeprefix("array/"): held[n] for n in names}
        start, end = (int(v) for v in held["rows"])
        columns |= {n: values[start:end] for n, values in more.items()}
        return Part(start, end, columns, arrays, json.loads(str(held["audit"])))


def assemble(
    plan: Plan, folder: Folder, paths: Sequence[Path], timeline: Any = None, beside: Beside | None = None
) -> dict[str, Any]:
    """Write the HDF5 file and the CSV from the parts, one in memory at a time; gives the audit's summary.

    `paths` are the parts in the order of their rows; `beside` has the columns that no part can know by itself.
    """
    import h5py

    more = beside.columns if beside is not None else {}
    audit = audit_summary(paths)
    origin = first_time(paths)
    with (
        files.replacing(folder.h5) as temporary,
        h5py.File(temporary, "w", libver="v110", track_order=False) as handle,
    ):
        _fill(handle, plan, paths, origin, more)
        _provenance(handle, plan, audit, origin)
        if timeline is not None:
            _datasets(handle, "timeline", timeline)
        if beside is not None and beside.components:
            _datasets(handle, "components", beside.components)
    _csv(plan, folder.csv, paths, origin, more)
    return audit


def parts_of(plan: Plan, folder: Folder) -> list[Path]:
    """The part of every chunk, in order."""
    return [folder.part(i) for i in range(len(plan.chunks))]


def first_time(paths: Sequence[Path]) -> float:
    """The time of the first row that has one: tables count from it where times are dates."""
    for path in paths:
        times = load_part(path, curves=()).columns["time"]
        if np.isfinite(times).any():
            first = float(times[np.isfinite(times)][0])
            return first if first > 1e8 else 0.0
    return 0.0


def audit_summary(paths: Sequence[Path]) -> dict[str, Any]:
    """How many rows were refitted, and the worst of them."""
    found = [load_part(path, curves=()).audit for path in paths]
    rows = [r for audit in found for r in audit.get("rows", [])]
    by = next((audit["by"] for audit in found if "by" in audit), ENGINE)
    worst = max(rows, key=lambda r: r["difference"], default={"row": -1, "difference": 0.0, "parameter": ""})
    return {
        "n": len(rows),
        "largest": worst["difference"],
        "row": worst["row"],
        "parameter": worst["parameter"],
        "by": by,
    }


def column_kinds(paths: Sequence[Path], more: Mapping[str, Array]) -> dict[str, str]:
    """Name and kind ("number" or "text") of every column, as they come first."""
    kinds: dict[str, str] = {}
    for path in paths:
        for name, values in load_part(path, curves=(), more=more).columns.items():
            if values.dtype.kind not in "fiub":
                kinds[name] = "text"
            else:
                kinds.setdefault(name, "number")
    return kinds


def _fill(handle: Any, plan: Plan, paths: Sequence[Path], origin: float, more: Mapping[str, Array]) -> None:
    import h5py

    handle.attrs["NX_class"], handle.attrs["default"] = "NXroot", "entry"
    entry = _group(handle, "entry", "NXentry")
    groups = {
        name: _group(entry, name, "NXcollection")
        for name in ("parameters", "errors", "paths", "statistics", "status", "log", "xanes")
    }
    sizes = [_rows(p) for p in paths]
    m = sum(sizes)
    kinds = column_kinds(paths, more)
    text = h5py.string_dtype()
    sets: dict[str, Any] = {}
    for name, kind in kinds.items():
        group, leaf = place(plan, name)
        options = {"shape": (m,), "dtype": text if kind == "text" else "f8", "track_times": False}
        sets[name] = groups[group].create_dataset(leaf, **options)
    curves: dict[str, Any] = {}
    at = 0
    for path, size in zip(paths, sizes, strict=True):
        part = load_part(path, more=more)
        for name, data in sets.items():
            values = part.columns.get(name)
            if values is None:
                values = np.full(size, np.nan) if kinds[name] == "number" else np.full(size, "")
            if name == "time":
                values = values - origin
            data[at : at + size] = values.astype(object) if kinds[name] == "text" else values
        for name, values in part.arrays.items():
            if name not in curves:
                curves[name] = _curve(entry, plan, name, m, values.shape[1])
            curves[name][at : at + size] = values
        at += size


def _rows(path: Path) -> int:
    with np.load(path, allow_pickle=False) as held:
        start, end = held["rows"]
        return int(end - start)


def place(plan: Plan, name: str) -> tuple[str, str]:
    """Group and name in the file of a column."""
    params = {p.name for p in plan.model.params}
    if name in params:
        return "parameters", name
    if (
        name.endswith(("_err", "_err_fit", "_share"))
        and name.rsplit("_err", 1)[0].removesuffix("_share") in params
    ):
        return "errors", name
    if name in {"chi2", "chi2_reduced", "rfactor", "n_idp", "epsilon_k", "usable_k", "kmax", "noise"}:
        return "statistics", name
    if name in {"status", "reason", "fit_status", "undetermined"}:
        return "status", name
    if name in fitted_names(plan, plan.model):
        return "paths", name
    if name.startswith(("E(", "x(", "valence", "lcf_")) or name in {"edge_step", "e0"}:
        return "xanes", name
    return "log", name.replace("/", "_")


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _curve(entry: Any, plan: Plan, name: str, m: int, n: int) -> Any:
    group = entry[name] if name in entry else _group(entry, name, "NXdata")
    axis = "energy" if name == "norm" else "k"
    values = plan.energy if name == "norm" else 0.05 * np.arange(n)
    group.attrs["signal"], group.attrs["axes"] = "data", [".", axis]
    made = group.create_dataset(axis, data=values, track_times=False)
    made.attrs["units"] = "eV" if name == "norm" else "1/angstrom"
    chunks = (min(m, 256), n)
    return group.create_dataset("data", shape=(m, n), dtype="f4", chunks=chunks, track_times=False)


def _provenance(handle: Any, plan: Plan, audit: dict[str, Any], origin: float) -> None:
    import importlib.metadata as metadata

    group = _group(handle["entry"], "provenance", "NXprocess")
    group.attrs["program"], group.attrs["version"] = "xasuite", __version__
    names = ("xraylarch", "numpy", "scipy", "numba", "h5py")
    facts: dict[str, Any] = {
        "fingerprint": plan.fingerprint,
        "spec": plan.loaded.path.name,
        "spec_sha256": plan.loaded.sha256,
        "spec_text": plan.loaded.text,
        "versions": json.dumps({n: metadata.version(n) for n in names}),
        "feff_sha256": json.dumps(plan.feff, sort_keys=True),
        "parameters": json.dumps([_parameter(p) for p in plan.model.params]),
        "label": "closure" if plan.spectra is not None else "measured",
        "source": plan.series.source,
        "e0": plan.e0,
        "time_origin": origin,
        "audit": json.dumps(audit, sort_keys=True),
        "engine": audit["by"],
        "warnings": "\n".join(plan.warnings),
    }
    for name, value in facts.items():
        group.create_dataset(name, data=value, track_times=False)
    for name, values in plan.truth.items():
        truth = handle["entry"].require_group("truth")
        truth.create_dataset(name, data=values, track_times=False)


def _parameter(p: Any) -> dict[str, Any]:
    return {
        "name": p.name,
        "value": p.value,
        "stderr": p.stderr,
        "vary": p.vary,
        "expr": p.expr.text if p.expr is not None else "",
        "origin": p.origin,
    }


def _datasets(handle: Any, name: str, values: Mapping[str, Any]) -> None:
    group = _group(handle["entry"], name, "NXcollection")
    for name, value in values.items():
        group.create_dataset(name, data=value, track_times=False)


def table_of(plan: Plan, part: Part, origin: float) -> Any:
    """The tidy table of a part: what is measured beside it, values with errors, statistics, status."""
    import pandas as pd

    columns = dict(part.columns)
    columns["time"] = columns["time"] - origin
    fitted = set(fitted_names(plan, plan.model))
    last = ["status", "reason", "fit_status", "undetermined", "sha256"]
    first = [n for n in columns if n not in fitted and n not in last]
    middle = [n for n in fitted_names(plan, plan.model) if n in columns]
    return pd.DataFrame({n: columns[n] for n in [*first, *middle, *(n for n in last if n in columns)]})


def _csv(plan: Plan, target: Path, paths: Sequence[Path], origin: float, more: Mapping[str, Array]) -> None:
    names = list(column_kinds(paths, more))
    with files.replacing(target) as temporary, open(temporary, "w", encoding="utf-8", newline="") as handle:
        for i, frame in enumerate(_frames(plan, paths, origin, names, more)):
            frame.to_csv(handle, index=False, header=i == 0, lineterminator="\n")


def _frames(
    plan: Plan, paths: Sequence[Path], origin: float, names: list[str], more: Mapping[str, Array]
) -> Iterator[Any]:
    order: list[str] | None = None
    for path in paths:
        frame = table_of(plan, load_part(path, curves=(), more=more), origin)
        if order is None:
            missing = [n for n in names if n not in frame]
            order = [*frame.columns, *missing]
        yield frame.reindex(columns=order)


def fingerprint_of(path: Path) -> str:
    """The fingerprint in a finished file. Raises SeriesError when it holds none."""
    import h5py

    try:
        with h5py.File(path, "r") as handle:
            return handle["entry/provenance/fingerprint"].asstr()[()]
    except (OSError, KeyError) as exc:
        raise SeriesError(f"{path} is no result of a series: {exc}") from None
