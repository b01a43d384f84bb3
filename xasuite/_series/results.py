"""The files of a finished series: HDF5, Parquet and CSV, written in one pass over the parts.

Nothing in them depends on when, by whom or in how many tries they were made, so a run that was interrupted and
resumed ends with the same bytes as an undisturbed one; the wall clock is in run.json of the same folder.
"""

from __future__ import annotations

import io
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from .. import files
from ..errors import SeriesError, WriteError
from ..io.sources import joined
from ..records import OK, Array
from ..reduce.autobk_matrices import KSTEP
from ..version import __version__, installed
from .columns import GROUPS, NO_FIT, Columns, in_order
from .derived import valence_of
from .store import Folder

if TYPE_CHECKING:
    import h5py

    from .plan import Plan
    from .work import Part

CSV_ROWS = 100_000  # a table of more rows is written as CSV only when the spec says csv = true
BLOCK = 256  # rows of a compressed block of curves, at most: what reading one row costs
GROUP = 50_000  # rows of a Parquet row group
AHEAD = 2  # parts that wait for the tables to be written

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Extra:
    """What comes from all rows together: columns (m,), and groups of the file (fit along time, components)."""

    columns: Columns = field(default_factory=dict)
    groups: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def write_results(
    plan: Plan,
    folder: Folder,
    parts: Iterator[Part],
    extra: Callable[[], Extra],
    audit: Callable[[int], Any],
    rows: Sequence[Part] | None = None,
) -> None:
    """Write the files from the parts, in order: their curves while `extra` is made, then the columns.

    `rows` are the parts without curves, where they are in memory. `audit(rows)` gives the audit's summary once it is known
    how many rows were fitted. Raises SeriesError when no row could be fitted, WriteError when the disk does not take a file.
    """
    origin: float | None = None
    good, fitted, first = 0, 0, ""
    with ExitStack() as stack:
        handle = stack.enter_context(hdf5(folder.h5))
        tables = [stack.enter_context(_parquet(folder.parquet))]
        if len(plan) <= CSV_ROWS if plan.series.csv is None else plan.series.csv:
            tables.append(stack.enter_context(_csv(folder.csv)))
        else:
            folder.csv.unlink(missing_ok=True)
        writer = _Writer(plan, handle)
        with _meanwhile(writer.curves, parts, rows is None) as written:
            more = extra()
            rows = [*written(), *(rows or ())]
        with _beside(tables) as put_rows, _beside([writer.columns]) as put_columns:
            for part in rows:
                columns = dict(part.columns)
                origin = _origin(columns["log/time"]) if origin is None else origin
                columns["log/time"] = columns["log/time"] - (origin or 0.0)
                columns |= valence_of(plan, columns)
                columns |= {name: v[part.start : part.end] for name, v in more.columns.items()}
                columns = in_order(columns)
                put_rows(arrow(columns))
                put_columns(part.start, columns)
                words = columns["status/fit_status"]
                good += int(np.count_nonzero(words == OK))
                fitted += int(np.count_nonzero(words != NO_FIT))
                said = (columns[n][0] for n in ("log/label", "status/status", "status/reason"))
                first = first or ": ".join(said)
        if not fitted:
            raise SeriesError(f"{plan.name}: none of {len(plan)} rows could be fitted; {first}")
        for name, values in (more.groups | ({"truth": plan.truth} if plan.truth else {})).items():
            _datasets(handle["entry"], name, values)
        facts = _provenance(plan) | {
            "content": joined(p.content for p in rows), "time_origin": origin or 0.0,
            "audit": json.dumps(audit(good), sort_keys=True),
        }  # fmt: skip
        _datasets(handle["entry"], "provenance", facts, "NXprocess")


def _origin(times: Array) -> float | None:
    """Where a table's time counts from: the first row that has one where times are dates, else 0."""
    known = times[np.isfinite(times)]
    return None if not known.size else float(known[0]) if known[0] > 1e8 else 0.0


class _Writer:
    """Columns and curves into a file, each block compressed and written as it is."""

    def __init__(self, plan: Plan, handle: h5py.File) -> None:
        self.plan, self.sets = plan, {}  # type: ignore[var-annotated]
        handle.attrs["NX_class"], handle.attrs["default"] = "NXroot", "entry"
        self.entry = _group(handle, "entry", "NXentry")
        for name in GROUPS:
            _group(self.entry, name, "NXcollection")
        self.rows = len(plan)
        self.chunk = min(plan.series.chunk, self.rows)
        self.block = next(n for n in range(min(BLOCK, self.chunk), 0, -1) if self.chunk % n == 0)

    def curves(self, stop: Event, parts: Iterable[Part], kept: bool) -> list[Part]:
        """The curves of all parts, until `stop` is set; the parts without them where they are to be `kept`."""
        out = []
        for part in parts:
            if stop.is_set():
                break
            for name, curves in part.curves.items():
                if name not in self.sets:
                    self.sets[name] = self._curve(name, curves.shape[1])
                for i in range(0, len(curves), self.block):
                    self._write(self.sets[name], part.start + i, curves[i : i + self.block], self.block)
            if kept:
                out.append(part.without_curves())
        return out

    def columns(self, start: int, columns: Columns) -> None:
        """The columns of some rows."""
        for name, values in columns.items():
            if name not in self.sets:
                self.sets[name] = self._column(name, values)
            if values.dtype.kind == "O":
                self.sets[name][start : start + len(values)] = values
            else:
                self._write(self.sets[name], start, np.asarray(values, float), self.chunk)

    def _column(self, name: str, values: Any) -> Any:
        import h5py

        group, _, leaf = name.partition("/")
        leaf = leaf.replace("/", "_")
        if values.dtype.kind == "O":
            kind = h5py.string_dtype()
            return self.entry[group].create_dataset(leaf, (self.rows,), kind, track_times=False)
        return self._dataset(self.entry[group], leaf, (self.rows,), "f8", (self.chunk,))

    def _curve(self, name: str, n: int) -> Any:
        group = _group(self.entry, name, "NXdata")
        axis, unit = ("energy", "eV") if name == "norm" else ("k", "1/angstrom")
        values = self.plan.energy if name == "norm" else KSTEP * np.arange(n)
        group.attrs["signal"], group.attrs["axes"] = "data", [".", axis]
        group.create_dataset(axis, data=values, track_times=False).attrs["units"] = unit
        return self._dataset(group, "data", (self.rows, n), "f4", (self.block, n))

    @staticmethod
    def _dataset(group: Any, name: str, shape: tuple[int, ...], kind: str, chunks: tuple[int, ...]) -> Any:
        options: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        return group.create_dataset(name, shape, kind, chunks=chunks, track_times=False, **options)

    @staticmethod
    def _write(dataset: Any, start: int, values: Any, rows: int) -> None:
        """One block of the dataset, compressed here: ten times as fast as HDF5's own filter, and the same format."""
        from isal import isal_zlib

        if len(values) < rows:  # the last block is written whole
            values = np.concatenate([values, np.zeros((rows - len(values), *values.shape[1:]), values.dtype)])
        shuffled = np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()
        at = (start,) + (0,) * (values.ndim - 1)
        dataset.id.write_direct_chunk(at, isal_zlib.compress(shuffled, 1))


class _Target(io.FileIO):
    """A file for the HDF5 library, which crashes when a disk is full: the error is kept, and raised at the end."""

    failed: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view) and self.failed is None:
                done += super().write(view[done:]) or 0
        except OSError as exc:
            self.failed = exc
            self.seek(len(view) - done, os.SEEK_CUR)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as exc:
            self.failed = self.failed or exc
            return size or 0

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        got = super().readinto(view) or 0
        view[got:] = bytes(len(view) - got)
        return len(view)


@contextmanager
def hdf5(target: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that takes its name when it is whole and on the disk. Raises WriteError when it cannot be."""
    import h5py

    with files.replacing(target) as temporary, _Target(temporary, "r+") as raw:
        with h5py.File(raw, "w", libver="v110", track_order=False) as handle:
            yield handle
        if raw.failed is None:
            try:
                os.fsync(raw.fileno())
            except OSError as exc:
                raw.failed = exc
        if raw.failed is not None:
            raise WriteError(f"{target} cannot be written: {raw.failed.strerror or raw.failed}") from None


def arrow(columns: Columns) -> pa.Table:
    """The columns as a table under their own names; NaN is no value."""
    kinds = {name: pa.string() if v.dtype.kind == "O" else pa.float64() for name, v in columns.items()}
    cells = {name: pa.array(v, kinds[name], from_pandas=True) for name, v in columns.items()}
    return pa.table({name.partition("/")[2]: v for name, v in cells.items()})


@contextmanager
def _beside(adds: Sequence[Callable[..., None]]) -> Iterator[Callable[..., None]]:
    """put(...) calls each of `adds` with it, in a thread and in this order, while what comes next is made."""
    waiting: deque[Future[None]] = deque()

    def add_all(*values: Any) -> None:
        for add in adds:
            add(*values)

    with ThreadPoolExecutor(1) as thread:

        def put(*values: Any) -> None:
            waiting.append(thread.submit(add_all, *values))
            if len(waiting) > AHEAD:
                waiting.popleft().result()

        yield put
        while waiting:
            waiting.popleft().result()


@contextmanager
def _meanwhile(work: Callable[..., T], *args: Any) -> Iterator[Callable[[], T]]:
    """Run work(stop, *args) in a thread, and give the function that waits for its result.

    The event `stop` is set at the end, so that the work ends soon when the result is not wanted.
    """
    stop = Event()
    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(work, stop, *args).result
        finally:
            stop.set()


@contextmanager
def _rows(target: Path, opened: Callable[[Path, pa.Schema], Any]) -> Iterator[Callable[[pa.Table], None]]:
    """add(table) puts rows into a file that `opened` begins, many at a time."""
    waiting: list[pa.Table] = []
    with files.replacing(target) as temporary, ExitStack() as stack:
        writer: Any = None

        def flush() -> None:
            nonlocal writer
            table = pa.concat_tables(waiting)
            waiting.clear()
            writer = writer or stack.enter_context(opened(temporary, table.schema))
            writer.write_table(table, GROUP)

        def add(table: pa.Table) -> None:
            waiting.append(table)
            if sum(len(t) for t in waiting) >= GROUP:
                flush()

        yield add
        if waiting:
            flush()


def _parquet(target: Path) -> AbstractContextManager[Callable[[pa.Table], None]]:
    from pyarrow import parquet

    def opened(file: Path, schema: pa.Schema) -> parquet.ParquetWriter:
        # a dictionary of numbers that all differ is lost work
        words = [f.name for f in schema if f.type == pa.string()]
        return parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=words)

    return _rows(target, opened)


@contextmanager
def _csv(target: Path) -> Iterator[Callable[[pa.Table], None]]:
    from pyarrow import csv

    options = csv.WriteOptions(quoting_style="needed")
    with _rows(target, lambda file, schema: csv.CSVWriter(file, schema, write_options=options)) as add:
        yield lambda table: add(_plain(table))


def _plain(table: pa.Table) -> pa.Table:
    """The table with text that no spreadsheet takes for a formula."""
    from pyarrow import compute

    cells = dict(zip(table.column_names, table.columns, strict=True))
    text = {n: c for n, c in cells.items() if c.type == pa.string()}
    return pa.table(
        cells | {n: compute.replace_substring_regex(c, r"\A([=+@-])", r"'\1") for n, c in text.items()}
    )


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = kind
    return group


def _datasets(entry: Any, name: str, values: Mapping[str, Any], kind: str = "NXcollection") -> None:
    group = _group(entry, name, kind)
    for key, value in values.items():
        group.create_dataset(key, data=value, track_times=False)
    if name == "provenance":
        group.attrs["program"], group.attrs["version"] = "xasuite", __version__


def _provenance(plan: Plan) -> dict[str, Any]:
    names = ("xraylarch", "numpy", "scipy", "numba", "h5py")
    parameters = [
        {
            "name": p.name, "value": p.value, "stderr": p.stderr, "vary": p.vary,
            "expr": p.expr.text if p.expr is not None else "", "origin": p.origin,
        }
        for p in plan.model.params
    ]  # fmt: skip
    return {
        "fingerprint": plan.fingerprint,
        "spec": plan.name,
        "spec_sha256": plan.loaded.sha256,
        "spec_text": plan.loaded.text,
        "versions": json.dumps({n: installed(n) for n in names}),
        "feff_sha256": json.dumps({p.label: p.feff.sha256 for p in plan.model.paths}, sort_keys=True),
        "parameters": json.dumps(parameters),
        "label": "closure" if plan.spectra is not None else "measured",
        "source": plan.series.source,
        "e0": plan.e0,
        "warnings": "\n".join(plan.warnings),
    }
