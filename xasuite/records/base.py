"""The base of all records: each array field declares its axes; taking rows, joining and tables follow from that.

A field is declared as ``mu: Array = field(metadata=axes("row", "energy"))``. "row" stands for all axes before the
sampled ones and must come first. A field of a stack that has no row axis (one reference for all rows) is shared by all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import hooks
from ..errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

ROW = "row"


def frozen_array(values: ArrayLike, dtype: Any = float) -> NDArray[Any]:
    """A read-only array of `values`; it is a copy unless the input is read-only."""
    out = np.asarray(values, dtype=dtype)
    if out.flags.writeable:
        out = out.copy()
        out.flags.writeable = False
    return out


def sealed(values: NDArray[Any]) -> NDArray[Any]:
    """The array itself, made read-only, so that a record does not copy it."""
    values.flags.writeable = False
    return values


def axes(*dims: str, dtype: type = float) -> Mapping[str, Any]:
    """Metadata that declares the axes of a dataclass field: an array, a mapping of arrays, or a tuple with one value per row."""
    if ROW in dims[1:]:
        raise TypeError(f"{dims}: rows come first")
    return {"dims": dims, "dtype": dtype}


_DECLARED: dict[type, Mapping[str, tuple[str, ...]]] = {}


def declared(kind: type) -> Mapping[str, tuple[str, ...]]:
    """The axes of each field that declares them, in the order of the fields."""
    known = _DECLARED.get(kind)
    if known is None:
        known = _DECLARED[kind] = {f.name: f.metadata["dims"] for f in fields(kind) if "dims" in f.metadata}
    return known


def _lead(value: Any, dims: tuple[str, ...]) -> tuple[int, ...]:
    """The shape of the row axes of a value; () if it has none or is shared by all rows."""
    if value is None or dims[:1] != (ROW,):
        return ()
    if isinstance(value, Mapping):
        return max((_lead(v, dims) for v in value.values()), key=len, default=())
    if isinstance(value, Rows):
        return value.lead
    if isinstance(value, tuple) or not isinstance(value, np.ndarray):
        return (len(value),) if np.ndim(value) else ()
    return tuple(value.shape[: max(value.ndim - len(dims) + 1, 0)])


class Rows:
    """Base of dataclasses whose fields declare axes: number of rows, selection of rows, tables."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in cls.__dict__:  # before @dataclass writes one of whole arrays
            cls.__repr__ = Rows.__repr__  # type: ignore[method-assign]

    @property
    def lead(self) -> tuple[int, ...]:
        """The shape of the axes before the sampled ones; () for a single spectrum."""
        return max((_lead(getattr(self, n), d) for n, d in declared(type(self)).items()), key=len, default=())

    @property
    def stacked(self) -> bool:
        """Whether there are rows."""
        return bool(self.lead)

    def take(self, rows: Any) -> Self:
        """One row (by an index, or a tuple with one index per row axis), or several (by a slice, mask or indices).

        Fields that all rows share do not change.
        """
        if not self.lead:
            raise DataError(f"{name_of(self)} is a single record and has no rows to take")
        at = np.asarray(rows) if isinstance(rows, list) else rows
        everything = isinstance(at, np.ndarray) and at.dtype.kind == "i" and at.shape == self.lead
        if everything and np.array_equal(at, np.arange(at.size)):
            return self  # all rows in their order: no copy is needed
        return self._with_rows(lambda a: a[at], lambda r: r.take(at), lambda table: table.iloc[at])

    def _with_rows(
        self,
        array: Callable[[NDArray[Any]], Any],
        record: Callable[[Any], Any],
        table: Callable[[Any], Any],
    ) -> Self:
        """The record with a function applied to the rows of its arrays and tuples, and others to those of inner records and tables."""

        def made(value: Any, dims: tuple[str, ...]) -> Any:
            if not _lead(value, dims):
                return value
            if isinstance(value, Mapping):
                return {name: made(v, dims) for name, v in value.items()}
            if isinstance(value, tuple):
                out = array(np.fromiter(value, object, len(value)))
                return tuple(out) if isinstance(out, np.ndarray) else out
            kind = record if isinstance(value, Rows) else array if isinstance(value, np.ndarray) else table
            return kind(value)

        return _replaced(self, {n: made(getattr(self, n), d) for n, d in declared(type(self)).items()})

    def rows(self) -> Iterator[Self]:
        """Every row as a single record, in C order, labelled by label and index; a single record gives itself."""
        lead = self.lead
        if not lead:
            yield self
            return
        for at in np.ndindex(lead):
            yield _replaced(
                self.take(at), {"label": f"{getattr(self, 'label', '') or 'row'}[{', '.join(map(str, at))}]"}
            )

    def map(self, function: Callable[[Self], Any]) -> Any:
        """function(row) of every row: a stacked record if the function gives records, else an array with rows first."""
        if not self.lead:
            made = function(self)
            return made if isinstance(made, Rows) else np.asarray(made)
        found = [function(row) for row in self.rows()]
        if isinstance(found[0], Rows):
            return concat(found)
        values = [np.asarray(v) for v in found]
        if len({v.shape for v in values}) != 1:
            raise DataError(f"{name_of(self)}: rows gave arrays of different lengths")
        return np.stack(values).reshape(self.lead + values[0].shape)

    def spread(self, rows: NDArray[np.intp], m: int) -> Self:
        """The record with m rows: its own rows at `rows`, NaN (or "") in the others."""
        if len(rows) == m:
            return self
        return self._with_rows(
            lambda a: spread(a, rows, m),
            lambda r: r.spread(rows, m),
            lambda table: table.set_axis(rows).reindex(range(m)),
        )

    def to_dataframe(self, of: str = "") -> pd.DataFrame:
        """One row per sampled point: the axes, and every field on them.

        Parameters
        ----------
        of : name of a field; the table has its axes. By default the first sampled field.

        Complex fields give complex columns. Raises DataError for a field without axes.
        """
        import pandas as pd

        dims = self._dims_of(of)
        lengths = self._sizes()
        sizes = {d: lengths[d] for d in dims}
        index = np.indices(tuple(sizes.values())).reshape(len(sizes), -1)
        at = dict(zip(sizes, index, strict=True))
        columns: dict[str, Any] = {d: i for d, i in at.items() if d not in declared(type(self))}
        for name, values, own in self._values():
            if set(own) - set(self._row_dims()) and set(own) <= set(dims):
                columns[name] = values[tuple(at[d] for d in own)]
        return pd.DataFrame(columns)

    def to_xarray(self) -> xr.Dataset:
        """An xarray Dataset: axes as coordinates, the other fields as variables, facts as attributes.

        Raises DataError when xarray (the extra "xarray") is not installed.
        """
        from .table import need_xarray

        xarray = need_xarray()
        variables = {name: (own, values) for name, values, own in self._values()}
        coords = {n: variables.pop(n) for n in tuple(variables) if variables[n][0] == (n,)}
        facts = {
            n: str(getattr(self, n)) for n in ("label", "element", "edge", "source") if getattr(self, n, "")
        }
        return xarray.Dataset(variables, coords, attrs=facts)  # type: ignore[no-any-return]

    def _row_dims(self) -> tuple[str, ...]:
        n = len(self.lead)
        return (ROW,) if n == 1 else tuple(f"{ROW}_{i}" for i in range(n))

    def _values(self) -> Iterator[tuple[str, NDArray[Any], tuple[str, ...]]]:
        """Name, array and axes of every array in the record; members of mappings have their own names."""
        for name, dims in declared(type(self)).items():
            value = getattr(self, name)
            members = value if isinstance(value, Mapping) else {name: value}
            for member, v in members.items():
                if isinstance(v, np.ndarray) and v.size:
                    n = len(_lead(v, dims))
                    rows = self._row_dims()[len(self.lead) - n :] if n else ()
                    yield member, v, (*rows, *(d for d in dims if d != ROW))

    def _sizes(self) -> dict[str, int]:
        """The length of every axis. Raises DataError when two fields disagree."""
        sizes: dict[str, int] = {}
        first: dict[str, str] = {}
        for name, values, dims in self._values():
            if len(dims) != values.ndim:
                raise DataError(
                    f"{name_of(self)}: {name} has shape {values.shape}, its axes are {', '.join(dims) or 'none'}"
                )
            for d, size in zip(dims, values.shape, strict=True):
                if sizes.setdefault(d, size) != size:
                    raise DataError(
                        f"{name_of(self)}: {name} has {size} points along {d}, {first[d]} has {sizes[d]}; "
                        "all fields need the same"
                    )
                first.setdefault(d, name)
        return sizes

    def _dims_of(self, of: str) -> tuple[str, ...]:
        held = {name: own for name, _, own in self._values()}
        rows = self._row_dims()
        chosen = of or next((n for n, own in held.items() if own and own != (n,) and own[-1] not in rows), "")
        if chosen not in held or not held[chosen]:
            raise DataError(f"{name_of(self)} has no sampled field {of!r}; it has {', '.join(held)}")
        return held[chosen]

    def __repr__(self) -> str:
        """One short line: type, label, axes with their ends, and the names of the arrays."""
        kind, label = type(self).__name__, getattr(self, "label", "")
        edge = " ".join(x for x in (getattr(self, "element", ""), getattr(self, "edge", "")) if x)
        ends, held = [], []
        lead = self.lead
        if lead:
            ends.append(f"{' x '.join(map(str, lead))} rows")
        for name, values, own in self._values():
            if own == (name,):
                ends.append(f"{name} {values.size} from {values[0]:.4g} to {values[-1]:.6g}")
            else:
                held.append(name)
        facts = "; ".join(x for x in (edge, ", ".join(ends), ", ".join(held)) if x)
        return f"{kind}({label!r}: {facts})" if label else f"{kind}({facts})"


R = TypeVar("R", bound=Rows)


def _replaced(record: R, changed: Mapping[str, Any]) -> R:
    """The record with some fields changed; names that are no field of it are ignored."""
    assert is_dataclass(record)
    known = {f.name for f in fields(record)}
    for value in changed.values():
        if isinstance(value, np.ndarray) and value.base is None and issubclass(type(record), Record):
            value.flags.writeable = False  # a new array, used by this record only: no copy is needed
    return replace(record, **{n: v for n, v in changed.items() if n in known})


def name_of(record: Any) -> str:
    """The name of a record in messages: its label, else its source, else its type."""
    return getattr(record, "label", "") or str(getattr(record, "source", "")) or type(record).__name__.lower()


def spread(values: NDArray[Any], rows: NDArray[np.intp], m: int) -> NDArray[Any]:
    """An array (m, ...) with `values` at `rows` and NaN elsewhere ("" for text)."""
    if len(rows) == m:
        return values
    words = values.dtype == object
    out = np.full((m, *values.shape[1:]), "" if words else np.nan, np.result_type(values, np.float64))
    out[rows] = values
    return out


def same_axes(a: Rows, b: Rows) -> bool:
    """Whether two records have the same energies, k and R: every axis that both have agrees point by point."""
    mine = {n: v for n, v, own in a._values() if own == (n,)}
    return all(
        v.shape == mine[n].shape and np.allclose(v, mine[n], rtol=0, atol=1e-9)
        for n, v, own in b._values()
        if own == (n,) and n in mine
    )


def concat(records: Sequence[R]) -> R:
    """The rows of several records as one, in their order; a single record counts as one row.

    Fields that are not arrays are taken from the first record. A field that is None in one record becomes None; a missing member
    of a mapping becomes NaN. Raises DataError for an empty list, different types or different axes.
    """
    if not records:
        raise DataError("there is no record to join")
    first = records[0]
    for other in records[1:]:
        if type(other) is not type(first) or not same_axes(first, other):
            raise DataError(
                f"{name_of(other)} cannot be joined to {name_of(first)}: their types or axes differ; bring them to "
                "one grid first"
            )
    counts = [int(np.prod(r.lead)) for r in records]
    all_stacked = all(r.lead for r in records)

    def join(values: list[Any], dims: tuple[str, ...]) -> Any:
        if any(v is None for v in values):
            return None
        kind = values[0]
        if isinstance(kind, Mapping):
            blank = [np.full(n, np.nan) for n in counts]
            return {
                name: join([v.get(name, b) for v, b in zip(values, blank, strict=True)], dims)
                for name in kind
            }
        if isinstance(kind, Rows):
            return concat(values)
        if isinstance(kind, tuple):
            return tuple(x for v in values for x in v)
        if not isinstance(kind, np.ndarray):
            import pandas as pd

            return pd.concat(values, ignore_index=True)
        if (
            all_stacked
            and not any(_lead(v, dims) for v in values)
            and all(np.array_equal(v, kind) for v in values)
        ):
            return kind
        own = len(dims) - 1
        return np.concatenate(
            [
                v.reshape(n, *v.shape[v.ndim - own :])
                if _lead(v, dims)
                else np.broadcast_to(v, (n, *v.shape))
                for v, n in zip(values, counts, strict=True)
            ]
        )

    changed = {
        n: join([getattr(r, n) for r in records], d)
        for n, d in declared(type(first)).items()
        if d[:1] == (ROW,)
    }
    return _replaced(first, changed)


class Shown:
    """Base of everything that Jupyter shows as a small table and figure."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return dict(hooks.call("mimebundle", self))

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]

    def plot(self, *args: Any, **options: Any) -> Figure:
        """The figure of the record by `xasuite.plot`, with its options (``kind="norm"``, ``ax=ax``)."""
        figure: Figure = hooks.call("plot", self, *args, **options)
        return figure


class Record(Rows, Shown):
    """Base of frozen dataclasses whose arrays are read-only and have equal lengths along each axis."""

    def __post_init__(self) -> None:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if "dims" in f.metadata and value is not None:
                value = _frozen(value, f.metadata["dtype"])
            if isinstance(value, dict):
                value = MappingProxyType(dict(value))
            object.__setattr__(self, f.name, value)
        self._sizes()

    def __getstate__(self) -> dict[str, Any]:
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            for array in value.values() if isinstance(value, dict) else (value,):
                if isinstance(array, np.ndarray):
                    array.flags.writeable = False
            object.__setattr__(self, name, MappingProxyType(value) if isinstance(value, dict) else value)


def _frozen(value: Any, dtype: type) -> Any:
    if isinstance(value, Mapping):
        return {name: frozen_array(v, dtype) for name, v in value.items()}
    return value if isinstance(value, (Rows, tuple)) or hasattr(value, "iloc") else frozen_array(value, dtype)
