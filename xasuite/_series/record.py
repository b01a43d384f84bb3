"""A finished series: its table, curves and figures, read from its file when they are asked for."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import hooks
from ..errors import SeriesError, nearest
from ..records import OK, Array, Chi, Normalized, Series
from ..records.quantities import Quantity, quantity
from ..records.table import Presented, Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_BESIDE = ("_err", "_own", "_common", "_stated", ".seen")  # columns that go with another
CURVES = {"norm": "energy", "chi": "k", "fit": "k"}


@dataclass(frozen=True, eq=False)
class SeriesRun(Presented):
    """The results of a series in one HDF5 file.

    `audit` says how many rows were refitted with Larch and the largest difference in standard errors; `kind` is
    "measured" or "closure".
    """

    path: Path
    spec_text: str
    kind: str
    audit: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()
    time_unit: str = "s"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table) if "table" in vars(self) else int(self._metadata.num_rows)

    @cached_property
    def _metadata(self) -> Any:
        from pyarrow import parquet

        return parquet.read_metadata(self.path.with_suffix(".parquet"))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the table's columns."""
        return tuple(self._metadata.schema.names)

    def columns(self, *names: str) -> pd.DataFrame:
        """Some columns of the table; of a long run much less is read than for all of it."""
        import pandas as pd

        if "table" in vars(self):
            return self.table[list(names)]
        return pd.read_parquet(self.path.with_suffix(".parquet"), columns=list(names))

    def rows(self, numbers: Sequence[int], names: Sequence[str]) -> pd.DataFrame:
        """Some rows, ascending and counted from 0, of some columns; only the blocks that hold them are read."""
        import pyarrow as pa
        from pyarrow import parquet

        with parquet.ParquetFile(self.path.with_suffix(".parquet")) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            block = np.searchsorted(ends, numbers, side="right")
            found = [
                file.read_row_group(i, names).take(np.asarray(numbers)[block == i] - (ends[i] - sizes[i]))
                for i in np.unique(block)
            ]
        return pa.concat_tables(found).to_pandas()

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec as it was written."""
        return tomllib.loads(self.spec_text)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per spectrum: time (s), what was measured with it, values with errors, status."""
        import pandas as pd

        return pd.read_parquet(self.path.with_suffix(".parquet"))

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Rows (m,) that were fitted and whose parameters are all determined."""
        return (self.table["status"] == OK).to_numpy()

    def curves(self, name: str, rows: Any = slice(None)) -> tuple[Array, Array]:
        """The axis (n,) and the curves (m, n) of "norm", "chi" or "fit"; NaN where a row was not fitted."""
        import h5py

        if name not in CURVES:
            raise SeriesError(f"{name!r} is none of the curves {', '.join(CURVES)}")
        with h5py.File(self.path, "r") as handle:
            if name not in handle["entry"]:
                raise SeriesError(f"{self.path} holds no {name}; the spec's keep leaves it out")
            group = handle["entry"][name]
            return np.asarray(group[CURVES[name]][()], float), np.asarray(group["data"][rows], float)

    @property
    def normalized(self) -> Series:
        """The normalised spectra as a Series, for what works on XANES (LCF, MCR-ALS, edge energies).

        Rows without a spectrum keep their status and hold NaN. Raises SeriesError when norm was not kept.
        """
        energy, norm = self.curves("norm")
        return self._with_table(
            Normalized(energy=energy, mu=norm, norm=norm, flat=norm, **self._facts()), norm
        )

    @property
    def chi(self) -> Series:
        """chi(k) of the rows as a Series, as `normalized` gives the spectra. Raises SeriesError when chi was not kept."""
        k, chi = self.curves("chi")
        return self._with_table(Chi(k=k, chi=chi, **self._facts()), chi)

    def _facts(self) -> dict[str, Any]:
        sample = self.spec["sample"]
        numbers = {n: self.table[n].to_numpy(float) for n in ("e0", "edge_step")}
        return numbers | {
            "element": sample["element"],
            "edge": sample.get("edge", "K"),
            "label": self.path.parent.name,
        }

    def _with_table(self, data: Any, curves: Array) -> Series:
        # what a fit makes of a row is no matter here: every row with a curve counts
        held = np.atleast_1d(np.isfinite(curves).all(axis=1))
        status = tuple(
            OK if h else s if s != OK else "failed" for h, s in zip(held, self.table["status"], strict=True)
        )
        return Series(data, self.table, status, tuple(self.table["reason"]), data.label)

    @property
    def linked(self) -> list[str]:
        """Parameters that the fit along time ties from row to row."""
        line = self.spec["series"].get("timeline", {})
        named = [line.get(k, []) for k in ("shared", "param")]
        return [n for v in named for n in ([v] if isinstance(v, str) else v)] + list(line.get("smooth", {}))

    @property
    def logged(self) -> dict[str, Quantity]:
        """Columns that log files gave, with their units."""
        logs = self.spec["series"].get("log", [])
        return {
            name: replace(quantity(name), unit=log.get("units", {}).get(name, ""))
            for log in logs
            for name in log["columns"]
        }

    @property
    def against(self) -> str:
        """The column that figures draw parameters against: the spec's choice, or time."""
        return str(self.spec["series"].get("against", "time"))

    @cached_property
    def timeline(self) -> dict[str, Any]:
        """Results of the fit along time, empty where the spec asks for none."""
        return self._group("timeline")

    @cached_property
    def components(self) -> dict[str, Any]:
        """The components of the rows' XANES: energy (n,), spectra (k, n), facts (JSON); empty where none are asked for."""
        return self._group("components")

    @cached_property
    def budget(self) -> dict[str, Any]:
        """How the errors were made: `facts` (JSON: rows sampled, trends), and by name the parts of the error (s, 5) in those rows.

        Empty where the spec asks for the fit's own errors.
        """
        return self._group("budget")

    @cached_property
    def truth(self) -> dict[str, Array]:
        """What a closure series was made from; empty for measured data."""
        return self._group("truth")

    def _group(self, name: str) -> dict[str, Any]:
        """The datasets of a group of the file, empty where there is none."""
        import h5py

        with h5py.File(self.path, "r") as handle:
            group = handle["entry"].get(name)
            if group is None:
                return {}
            return {k: v.asstr()[()] if v.dtype.kind == "O" else v[()] for k, v in group.items()}

    def along(self, against: str = "time", rows: pd.DataFrame | None = None) -> tuple[Array, str]:
        """Values (m,) of a column to plot against, of all rows or of those that were read, and its axis label. Raises SeriesError."""
        table = self.table if rows is None else rows
        if against not in table:
            numbers = (c for c in table.columns if table[c].dtype.kind == "f")
            near = nearest(against, [c for c in numbers if not c.endswith(_BESIDE)])
            raise SeriesError(f"there is no column {against!r} to plot against{near}")
        values = table[against].to_numpy(float)
        if against != "time":
            return values, self.logged.get(against, Quantity(against)).head
        from ..specs.series import SECONDS

        return values / SECONDS[self.time_unit], f"Time ({self.time_unit})"

    def summary(self) -> Table:
        """A dozen rows along the series with their errors; what became of the others, and the audit."""
        from .summary import series_table

        return series_table(self)

    def to_dict(self) -> dict[str, Any]:
        """Files, audit and every row's values with errors (docs/guide/json.md)."""
        from .summary import series_dict

        return series_dict(self)

    def plot(self, *names: str, against: str = "") -> Figure:
        """The figure of parameters (or columns) against time or another column, with error bands.

        Left out, N of the paths with what was logged below, against the spec's `against`.
        """
        return hooks.call("plot", self, names=names, against=against)


def open_run(path: str | Path) -> SeriesRun:
    """The record of a finished series from its HDF5 file or its folder.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    SeriesRun
        Its columns are read when they are asked for.

    Raises
    ------
    SeriesError
        The folder belongs to another run.

    Examples
    --------
    >>> from xasuite.errors import SeriesError
    >>> try:
    ...     xs.open_series("no/such/run")
    ... except SeriesError as exc:
    ...     print("not there")
    not there
    """
    import h5py

    path = Path(path)
    path = path / "series.h5" if path.is_dir() else path
    try:
        with h5py.File(path, "r") as handle:
            group = handle["entry/provenance"]
            facts = {k: v.asstr()[()] if v.dtype.kind == "O" else v[()].item() for k, v in group.items()}
    except (OSError, KeyError) as exc:
        raise SeriesError(f"{path} is no result of a series: {exc}") from None
    return SeriesRun(
        path=path,
        spec_text=facts["spec_text"],
        kind=facts["label"],
        audit=json.loads(facts["audit"]),
        parameters=tuple(json.loads(facts["parameters"])),
        warnings=tuple(w for w in facts["warnings"].splitlines() if w),
        time_unit=tomllib.loads(facts["spec_text"])["series"].get("time_unit", "s"),
        provenance=facts,
    )
