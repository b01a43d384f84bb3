"""Runs of a Bluesky catalogue that a Tiled server gives, as scans."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import SeriesError, XasuiteError
from ..io.axis import Asked
from ..io.finish import finish
from ..io.table import Table, clean_names
from ..records import Array
from ..records import Source as Origin
from .growing import Fresh

STREAM = "primary"  # where Bluesky keeps the points of a scan
TAIL = 64  # entries looked at again once the catalogue has been seen: those that can still be growing
DEPTH = 4
PAUSE = 2.0  # s before a server that did not answer is asked again


@dataclass(eq=False)
class Catalogue:
    """A catalogue of Bluesky runs, or one that holds it, at an address of a Tiled server.

    A run is whole when it has its stop document. A server that goes away is asked again: `trouble` says so meanwhile. The
    key of a server that asks for one is taken from TILED_API_KEY, as Tiled's own client takes it.
    """

    address: str
    asked: Asked
    trouble: str = ""
    _client: Any = None
    _all: bool = False
    _again: float = 0.0
    _refused: set[str] = field(default_factory=set)

    def fresh(self, known: set[str]) -> Iterator[Fresh]:
        """Runs that are whole and whose keys are not known. Raises SeriesError where the client is not installed."""
        if time.monotonic() < self._again:
            return
        try:
            for key in self._keys():
                if key not in known and key not in self._refused and (found := self._scan(key)):
                    yield found
            self._all, self.trouble = True, ""
        except _absence() as exc:
            self._client = None
            self._again = time.monotonic() + PAUSE
            self.trouble = f"{self.address} does not answer ({type(exc).__name__}); it is asked again"

    def _keys(self) -> list[str]:
        if self._client is None:
            client = _from_uri()
            self._client = client(self.address)
        keys = self._client.keys()
        return list(keys.tail(TAIL) if self._all else keys)

    def _scan(self, key: str) -> Fresh | None:
        """A run as a scan, None while it runs. One that is no XAFS scan is passed over from then on."""
        run = self._client[key]
        meta = dict(run.metadata)
        start, stop = meta.get("start") or {}, meta.get("stop")
        if "start" in meta and not stop:
            return None
        columns = _of_one_length(_columns(_stream(run), 0))
        label = f"{start.get('scan_id', '')}_{key[:8]}".strip("_") if start else key
        names = clean_names(list(columns))
        table = Table(names, np.array(list(columns.values())), label=label, format="tiled")
        table.meta = _flat(start)
        try:
            scan = finish(table, Origin(self.address, key, "", "tiled"), self.asked)
        except XasuiteError:
            self._refused.add(key)
            return None
        return Fresh(key, scan, float((stop or {}).get("time", time.time())))


def _from_uri() -> Any:
    try:
        from tiled.client import from_uri
    except ImportError:
        raise SeriesError("a Tiled catalogue needs its client: pip install 'xasuite[tiled]'") from None
    return from_uri


def _absence() -> tuple[type[Exception], ...]:
    """What the client raises when its server is away."""
    try:
        import httpx
        from tiled.client.utils import ClientError
    except ImportError:
        return (OSError,)
    return (OSError, httpx.HTTPError, ClientError)


def _stream(run: Any) -> Any:
    """The stream of the points: of the run, or where newer catalogues keep it; the run itself where it has none."""
    for place in (STREAM, f"streams/{STREAM}"):
        here = run
        for name in place.split("/"):
            here = here[name] if name in here else None
            if here is None:
                break
        if here is not None:
            return here
    return run


def _columns(node: Any, depth: int) -> dict[str, Array]:
    """Every one-dimensional array of numbers below a node, tables' columns too, by its own name."""
    kind = str(getattr(node, "structure_family", "container")).rpartition(".")[2]
    if kind == "table":
        frame = node.read()
        return {str(n): np.asarray(frame[n], float) for n in frame if frame[n].dtype.kind in "fiub"}
    if kind == "array":
        values = np.asarray(node.read())
        name = str(getattr(node, "path_parts", ["data"])[-1])
        return {name: values.astype(float)} if values.ndim == 1 and values.dtype.kind in "fiub" else {}
    out: dict[str, Array] = {}
    for name in node if depth < DEPTH else ():
        child = node[name]
        for column, values in _columns(child, depth + 1).items():
            out.setdefault(column, values)
    return {n: v for n, v in out.items() if not n.startswith("ts_") and n != "seq_num"}


def _of_one_length(columns: dict[str, Array]) -> dict[str, Array]:
    """The columns of the commonest length."""
    sizes = [v.size for v in columns.values()]
    n = max(set(sizes), key=sizes.count, default=0)
    return {name: v for name, v in columns.items() if v.size == n}


def _flat(start: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of a start document."""
    return {str(k): v for k, v in start.items() if isinstance(v, (str, int, float, bool))}
