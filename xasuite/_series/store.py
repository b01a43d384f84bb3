"""Parts of a run on disk while it lasts, and the lock of its folder.

A part is a hash of the rest, then one Arrow table of a chunk's columns and curves whose metadata say which run, rows and
scans it is of. It is on the disk before it has its name: what has its name is whole, or is found damaged.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import xxhash

from .. import files
from ..errors import SeriesError, WriteError
from ..io.sources import content_of, joined
from ..notices import warn
from .plan import Plan
from .work import Part

Resume = Literal["must", "if same", "no"]
H5, CSV, PARQUET, PARTS, LOG, PLAN = (
    "series.h5", "series.csv", "series.parquet", "parts", "run.json", "plan.json",
)  # fmt: skip
LOCK, HOLDER = ".lock", ".holder"
DIGEST = 16  # bytes of the hash in front of a part


class DamagedPartError(SeriesError):
    """A part is not what was written, or is not of this run."""


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
        """The table as text, one row per spectrum."""
        return self.path / CSV

    @property
    def parquet(self) -> Path:
        """The table, one row per spectrum."""
        return self.path / PARQUET

    @property
    def parts(self) -> Path:
        """Where chunks lie until all are there."""
        return self.path / PARTS

    def part(self, chunk: int) -> Path:
        """The file of one chunk."""
        return self.parts / f"{chunk:06d}.part"

    def audit(self, chunk: int) -> Path:
        """What Larch found in one chunk."""
        return self.parts / f"{chunk:06d}.audit"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process. Raises SeriesError naming the process that has it, and since when."""
        from filelock import FileLock, Timeout

        lock, holder = self.path / LOCK, self.path / HOLDER
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            held = FileLock(lock)
            held.acquire(timeout=0)
        except Timeout:
            with suppress(OSError):
                raise SeriesError(
                    f"{self.path} is being written by {holder.read_text()}; wait for it, or choose another folder with "
                    "--output"
                ) from None
            raise SeriesError(f"{self.path} is being written by another process; wait for it") from None
        except OSError as exc:
            raise WriteError(
                f"{self.path} cannot be written: {exc.strerror or exc}; choose another folder"
            ) from None
        try:
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}")
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
            held.release()

    def begin(self, plan: Plan, resume: Resume) -> list[int] | None:
        """Make or take over the parts folder; gives the chunks that are still to be done, None for a finished result.

        Raises SeriesError when a run that must be resumed is of another spec or other scans.
        """
        self._sweep()
        marker = self.parts / PLAN
        if resume != "no":
            if marker.is_file():
                held = self._held(plan)
                if self._same(held is not None, marker, resume):
                    return [i for i in range(plan.chunks) if i not in (held or {})]
            elif self.h5.is_file() and self.parquet.is_file():
                same = finished(self.h5) == (plan.fingerprint, joined(_contents(plan)))
                if self._same(same, self.h5, resume):
                    return None
        shutil.rmtree(self.parts, ignore_errors=True)
        document = {"fingerprint": plan.fingerprint, "spec": plan.name, "chunks": plan.chunks}
        files.write_text(marker, json.dumps(document, indent=1))
        return list(range(plan.chunks))

    def _held(self, plan: Plan) -> set[int] | None:
        """The chunks that are done; None when the parts are of another run or other scans."""
        try:
            if json.loads((self.parts / PLAN).read_text())["fingerprint"] != plan.fingerprint:
                return None
        except (ValueError, KeyError, TypeError):
            return None
        held = set()
        for chunk in range(plan.chunks):
            if not self.part(chunk).is_file():
                continue
            try:
                facts = self._facts(plan, chunk)
                if not facts["audited"] or self.found(chunk):
                    held.add(chunk)
            except SeriesError as exc:
                warn(f"{exc}; it is done again")
                continue
            if facts["content"] != content(plan, chunk):
                return None
        return held

    def _same(self, same: bool, where: Path, resume: Resume) -> bool:
        if not same and resume == "must":
            raise SeriesError(
                f"{where} is of another run, or damaged: the spec, the content of its scans or the program changed "
                "since; run without --resume to begin anew, or into another folder with --output"
            )
        return same

    def _sweep(self) -> None:
        """Remove what a killed run left under temporary names."""
        for stale in [*self.path.glob(".series-*"), *self.path.glob(".old-parts*"), *self.parts.glob(".*")]:
            if stale.is_dir():
                shutil.rmtree(stale)
            else:
                stale.unlink(missing_ok=True)

    def save(self, plan: Plan, chunk: int, part: Part, audited: int = 0) -> None:
        """Write one chunk; `audited` rows of it are to be fitted again. Raises SeriesError, WriteError."""
        facts = {
            "fingerprint": plan.fingerprint, "chunk": chunk, "start": part.start, "end": part.end,
            "content": part.content, "audited": audited,
        }  # fmt: skip
        self._write(self.part(chunk), *encoded(part, facts))

    def keep(self, chunk: int, found: Mapping[str, Any]) -> None:
        """Write what Larch found in a chunk."""
        self._write(self.audit(chunk), json.dumps(found, sort_keys=True).encode())

    def found(self, chunk: int) -> dict[str, Any]:
        """What Larch found in a chunk; {} where it has not been asked."""
        with suppress(OSError, ValueError):
            return dict(json.loads(self.audit(chunk).read_bytes()))
        return {}

    def _write(self, path: Path, *pieces: bytes | pa.Buffer) -> None:
        if not self.parts.is_dir():
            raise SeriesError(f"{self.parts} was removed while the series was running; run it again")
        with files.replacing(path) as temporary, open(temporary, "wb") as handle:
            handle.writelines(pieces)
            handle.flush()
            os.fsync(handle.fileno())

    def load(self, plan: Plan, chunk: int) -> Part:
        """Read one chunk. Raises DamagedPartError for what is not this chunk of this run, byte for byte."""
        return decoded(_read(self.part(chunk)), plan.fingerprint, chunk)

    def _facts(self, plan: Plan, chunk: int) -> dict[str, Any]:
        """What a part says of itself, without its body."""
        with open(self.part(chunk), "rb") as handle:
            handle.seek(DIGEST)
            return _facts(handle, plan.fingerprint, chunk)

    def finish(self) -> None:
        """Remove the parts: renamed first in one step, so that no half-removed folder is taken for a run."""
        if self.parts.exists():
            away = self.path / ".old-parts"
            self.parts.replace(away)
            shutil.rmtree(away)


def content(plan: Plan, chunk: int) -> str:
    """The hash of what a chunk's scans hold now."""
    if plan.spectra is not None:
        return joined(())
    return content_of(plan.scans, plan.scans_of(np.arange(*plan.rows_of(chunk))))


def _contents(plan: Plan) -> Iterator[str]:
    return (content(plan, chunk) for chunk in range(plan.chunks))


def encoded(part: Part, facts: Mapping[str, Any]) -> tuple[bytes, pa.Buffer]:
    """A part as bytes: the hash of the rest, and the rest."""
    columns: dict[str, Any] = {
        name: pa.array(v, pa.string() if v.dtype.kind == "O" else pa.float64())
        for name, v in part.columns.items()
    }
    for name, v in part.curves.items():
        columns[f"curve/{name}"] = pa.FixedSizeListArray.from_arrays(pa.array(v.ravel()), v.shape[1])
    table = pa.table(columns).replace_schema_metadata({"facts": json.dumps(facts)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = sink.getvalue()
    return xxhash.xxh3_128_digest(body), body


def decoded(data: bytes, fingerprint: str, chunk: int) -> Part:
    """A part from bytes. Raises DamagedPartError."""
    body = memoryview(data)[DIGEST:]
    if xxhash.xxh3_128_digest(body) != data[:DIGEST]:
        raise DamagedPartError(f"part {chunk} of the run is damaged")
    facts = _facts(pa.BufferReader(body), fingerprint, chunk)
    columns, curves = {}, {}
    table = pa.ipc.open_stream(pa.BufferReader(body)).read_all().combine_chunks()
    for name, column in zip(table.column_names, table.columns, strict=True):
        array = column.chunk(0)
        if name.startswith("curve/"):
            curves[name.removeprefix("curve/")] = array.values.to_numpy().reshape(len(array), -1)
        else:
            columns[name] = array.to_numpy(zero_copy_only=False)
    return Part(facts["start"], facts["end"], columns, curves, facts["content"])


def _facts(source: Any, fingerprint: str, chunk: int) -> dict[str, Any]:
    try:
        facts = json.loads(pa.ipc.open_stream(source).schema.metadata[b"facts"])
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError):
        raise DamagedPartError(f"part {chunk} of the run is damaged") from None
    if (facts["fingerprint"], facts["chunk"]) != (fingerprint, chunk):
        raise DamagedPartError(
            f"part {chunk} of the run is in truth part {facts['chunk']}, or of another run"
        )
    return facts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise DamagedPartError(f"{path} cannot be read: {exc.strerror or exc}") from None


def finished(h5: Path) -> tuple[str, str]:
    """Fingerprint of the run, and hash of all that was read, of a finished file; ("", "") when it holds none."""
    import h5py

    try:
        with h5py.File(h5, "r") as handle:
            group = handle["entry/provenance"]
            return group["fingerprint"].asstr()[()], group["content"].asstr()[()]
    except (OSError, KeyError):
        return "", ""
