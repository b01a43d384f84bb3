"""Spectra stacked on one grid, with a table of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import ROW, Record, Rows, axes, declared

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

OK = "ok"


@dataclass(frozen=True, eq=False)
class Series(Record):
    """Spectra stacked on one grid: any record whose arrays have one leading axis of m rows.

    `table` is a DataFrame of m rows (label, time in s, other quantities measured with the spectra). `status` (m,) is
    "ok" or one word for what is wrong with a row, `reason` (m,) a sentence about it.
    """

    data: Any = field(metadata=axes("row"))
    table: pd.DataFrame = field(metadata=axes("row"))
    status: tuple[str, ...] = field(metadata=axes("row"))
    reason: tuple[str, ...] = field(metadata=axes("row"))
    label: str = ""

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Rows (m,) that can be analysed."""
        return np.array([s == OK for s in self.status], bool)

    def row(self, i: int) -> Any:
        """Row i as a single record (arrays without the leading axis), with its label from the table."""
        named = str(self.table["label"].iloc[i]) if "label" in self.table else f"{self.label}[{i}]"
        return replace(self.data.take(int(i)), label=named)

    def rows(self) -> Iterator[Any]:
        """Every row as a single record."""
        return (self.row(i) for i in range(len(self)))

    def map(self, function: Callable[[Any], Any]) -> Any:
        """function(row) of every row: a Series with the same table if the function gives records, else an array."""
        made = super().map(function)
        return replace(self, data=made) if isinstance(made, Rows) else made

    def to_dataframe(self, of: str = "") -> pd.DataFrame:
        """The table with status, reason and the numbers of each row (E0, edge step); with `of` the points of that field.

        Raises DataError as `Record.to_dataframe` does.
        """
        data: Rows = self.data
        if of:
            return data.to_dataframe(of)
        one_a_row = [n for n, dims in declared(type(data)).items() if dims == (ROW,)]
        numbers = {n: v for n in one_a_row if isinstance(v := getattr(data, n), np.ndarray)}
        return self.table.assign(**numbers, status=list(self.status), reason=list(self.reason))

    def to_xarray(self) -> xr.Dataset:
        """The Dataset of `data` with the columns of the table along "row". Raises DataError if xarray is not installed."""
        table = self.to_dataframe()
        data: Rows = self.data
        made = data.to_xarray()
        return made.assign({str(n): (ROW, table[n].to_numpy()) for n in table if n not in made})

    def __repr__(self) -> str:
        """One short line: label, number of rows, and the record that they form."""
        return f"Series({self.label!r}: {len(self)} rows, {np.count_nonzero(self.ok)} ok, of {self.data!r})"
