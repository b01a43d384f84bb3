"""Tables of results: `summary()` of every result gives a `Table`, which all outputs render."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from . import Shown
from .quantities import ERRORS, Quantity, quantity, rounded, with_ends

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True)
class Entry:
    """One number of a table with its error (nan if there is none) and its state.

    `held` marks a value that was not fitted. `state` says why an error is doubtful ("at max"). `published` is the
    number that the value is compared with, `within` says whether the two agree (None: not compared). `parts` are the parts of
    the error. `plus` and `minus` are the errors upwards and downwards if they differ, else nan.
    """

    value: float
    stderr: float = math.nan
    held: bool = False
    state: str = ""
    published: float = math.nan
    published_err: float = math.nan
    within: bool | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    plus: float = math.nan
    minus: float = math.nan

    def text(self, of: Quantity, errors: str = ERRORS[0]) -> str:
        """As printed: 5.8(6), 5.8 ± 0.6, 5.4 +0.9 -0.5, 12*, 30 -4 (at max)."""
        scale = 10.0**of.power
        ends = self.plus * scale, self.minus * scale
        if self.state.startswith("at ") and not self.held:
            # a bound is a round number; the fit ends within about 1e-10 of it
            way = ends[0] if self.state == "at min" else -ends[1]
            reach = f" {rounded(way, '+')}" if math.isfinite(way) and way else ""
            return f"{round(self.value * scale, 4):g}{reach} ({self.state})"
        if math.isfinite(self.plus):
            return with_ends(self.value * scale, *ends) + ("*" if self.held else "")
        return of.text(self.value, self.stderr, errors) + ("*" if self.held else "")

    def published_text(self, of: Quantity) -> str:
        """The published number with its error as printed, "" if there is none."""
        scale = 10.0**of.power
        if not math.isfinite(self.published):
            return ""
        error = f" ± {self.published_err * scale:g}" if self.published_err > 0 else ""
        return f"{self.published * scale:g}{error}"

    def to_dict(self) -> dict[str, Any]:
        """Value and error, and the other fields if they are set."""
        out: dict[str, Any] = {"value": finite(self.value), "stderr": finite(self.stderr)}
        if math.isfinite(self.plus):
            out |= {"plus": finite(self.plus), "minus": finite(self.minus)}
        out |= {"held": True} if self.held else {}
        out |= {"state": self.state} if self.state else {}
        out |= {"parts": {n: finite(v) for n, v in self.parts.items()}} if self.parts else {}
        if math.isfinite(self.published):
            out |= {
                "published": self.published,
                "published_err": finite(self.published_err),
                "within": self.within,
            }
        return out


class Presented(Shown):
    """Base of results: `summary` gives a table for readers, `to_dict` plain data for JSON."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in cls.__dict__:  # before @dataclass writes one of whole arrays
            cls.__repr__ = Presented.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        """One short line: text, numbers, shapes of arrays, and the number of items of other fields."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return (
            f"{type(self).__name__}({', '.join(short for n, v in held.items() if (short := _short(n, v)))})"
        )

    def summary(self) -> Table:
        """The result as a table."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data (docs/guide/json.md)."""
        return self.summary().to_dict()

    def to_dataframe(self) -> pd.DataFrame:
        """The rows of `summary` as data: ``r`` and its error ``r_err``, units in ``attrs["units"]``."""
        return self.summary().to_dataframe()

    def to_xarray(self) -> xr.Dataset:
        """The rows of `summary` as an xarray Dataset. Raises DataError when xarray is not installed."""
        return self.summary().to_xarray()


def _short(name: str, value: Any) -> str:
    """A short text for a field, "" if it is empty or has no short form."""
    if isinstance(value, str):
        return f"{name}={value!r}" if 0 < len(value) <= 60 else ""
    if isinstance(value, bool | int):
        return f"{name}={value}"
    if isinstance(value, float):
        return f"{name}={value:.4g}"
    if hasattr(value, "shape"):
        return f"{name} {value.shape}"
    if isinstance(label := getattr(value, "name", None), str):
        return f"{name}={label!r}"
    return f"{len(value)} {name}" if isinstance(value, Sized) and len(value) else ""


def finite(value: float | None) -> float | None:
    """A number for JSON, None where it is not finite."""
    return None if value is None or not math.isfinite(value) else float(value)


def plain(value: Any) -> Any:
    """A value for JSON: numbers that are not finite become None, numpy's arrays and numbers become Python's."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return finite(value)
    return value if isinstance(value, (str, int, type(None))) else str(value)


def one_line(text: str) -> str:
    """A text without control characters, line breaks and runs of blanks.

    Examples
    --------
    >>> one_line("Pt foil\\n\\n\\x07 2")
    'Pt foil 2'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


Content = str | float | int | Entry | None


@dataclass(frozen=True, eq=False)
class Table(Shown):
    """A table of results: title, facts (name and text), columns with rows, notes.

    Parameters
    ----------
    title : one line.
    columns : the quantity of each column.
    rows : one cell per column: text, a number, an Entry, or None for an empty cell.
    notes : sentences below the table.
    facts : statistics above the table, as (name, text).
    label : "measured", "closure" or "theory", or empty.
    """

    title: str
    columns: tuple[Quantity, ...] = ()
    rows: tuple[tuple[Content, ...], ...] = ()
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        """Makes every text one line without control characters: a label may come from a file."""
        object.__setattr__(self, "title", one_line(self.title))
        object.__setattr__(self, "notes", tuple(map(one_line, self.notes)))
        object.__setattr__(self, "facts", tuple((one_line(n), one_line(v)) for n, v in self.facts))
        rows = (tuple(one_line(c) if isinstance(c, str) else c for c in row) for row in self.rows)
        object.__setattr__(self, "rows", tuple(rows))

    @classmethod
    def of(cls, title: str, columns: Iterable[object], rows: Iterable[Sequence[Any]], **more: Any) -> Table:
        """A table with columns given by name: "r" is looked up among the quantities.

        Examples
        --------
        >>> print(Table.of("Foil", ["path", "r"], [("Cu-Cu", Entry(2.5392, 0.0024))]))
        Foil
          Path   R (Å)
          Cu-Cu  2.5392(24)
        """
        named = tuple(c if isinstance(c, Quantity) else quantity(str(c)) for c in columns)
        return cls(title, named, tuple(tuple(r) for r in rows), **more)

    @classmethod
    def from_dataframe(cls, title: str, frame: pd.DataFrame, **more: Any) -> Table:
        """A DataFrame as a table: a column ``x_err`` is the error of its column ``x``."""
        names = [str(c) for c in frame.columns]
        values = [n for n in names if not (n.endswith("_err") and n[:-4] in names)]
        rows = [
            [Entry(r[n], r[f"{n}_err"]) if f"{n}_err" in names else _from_pandas(r[n]) for n in values]
            for r in (dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False))
        ]
        return cls.of(title, values, rows, **more)

    @property
    def header(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return tuple(c.head for c in self.columns)

    def cells(self, errors: str = ERRORS[0]) -> tuple[tuple[str, ...], ...]:
        """Every row as text; `errors` is "parentheses" for 5.8(6), "plus-minus" for 5.8 ± 0.6."""
        names = [c.name for c in self.columns]
        upto = (
            names.index("sample") + 1 if "sample" in names else 0
        )  # the first columns, which identify the sample of a row
        out: list[tuple[str, ...]] = []
        above: tuple[Content, ...] = ()
        for row in self.rows:
            again = upto > 0 and row[:upto] == above
            cells = zip(row, self.columns, strict=True)
            out.append(tuple("" if again and c.once else _text(cell, c, errors) for cell, c in cells))
            above = row[:upto]
        return tuple(out)

    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether it holds numbers."""
        filled = [[row[i] for row in self.rows if row[i] is not None] for i in range(len(self.columns))]
        return tuple(bool(of) and not any(isinstance(c, str) for c in of) for of in filled)

    def with_published(self) -> Table:
        """The table with a column of published values after each column that has any."""
        columns: list[Quantity] = []
        rows: list[list[Content]] = [[] for _ in self.rows]
        for i, c in enumerate(self.columns):
            entries = [cell if isinstance(cell := row[i], Entry) else None for row in self.rows]
            beside = any(e is not None and math.isfinite(e.published) for e in entries)
            columns += [c, Quantity(f"{c.name}_published", "publ.", once=c.once)] if beside else [c]
            for out, row, entry in zip(rows, self.rows, entries, strict=True):
                out += [row[i], entry.published_text(c) if entry else ""] if beside else [row[i]]
        return replace(self, columns=tuple(columns), rows=tuple(map(tuple, rows)))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON (docs/guide/json.md): each row is an object whose keys are the names of the columns."""
        names = [c.key for c in self.columns]
        return {
            "title": self.title,
            "label": self.label,
            "facts": dict(self.facts),
            "columns": [
                {k: v for k, v in asdict(c).items() if v not in ("", 0, False)} for c in self.columns
            ],
            "rows": [
                {
                    n: c.to_dict() if isinstance(c, Entry) else plain(c)
                    for n, c in zip(names, row, strict=True)
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Table:
        """The table that `to_dict` gave."""
        columns = [Quantity(**c) for c in plain["columns"]]
        return cls(
            plain["title"],
            tuple(columns),
            tuple(tuple(_entry(cell) for cell in row.values()) for row in plain["rows"]),
            tuple(plain["notes"]),
            tuple(plain["facts"].items()),
            plain["label"],
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Columns for each quantity ``r``, its error ``r_err`` and the parts of the error ``r_err_noise``; units in ``attrs``."""
        import pandas as pd

        out: dict[str, list[Any]] = {}
        units = {}
        for i, c in enumerate(self.columns):
            name = c.key
            cells = [row[i] for row in self.rows]
            out[name] = [e.value if isinstance(e, Entry) else e for e in cells]
            entries = [e if isinstance(e, Entry) else Entry(math.nan) for e in cells]
            for end, way in (("", "stderr"), ("_plus", "plus"), ("_minus", "minus")):
                errors = [getattr(e, way) for e in entries]
                if any(map(math.isfinite, errors)):
                    out[f"{name}_err{end}"] = errors
            several = [e.parts if len(e.parts) > 1 else {} for e in entries]
            for part in dict.fromkeys(n for parts in several for n in parts):
                out[f"{name}_err_{part}"] = [parts.get(part, math.nan) for parts in several]
            if c.unit:
                units[name] = c.unit
        frame = pd.DataFrame(out)
        frame.attrs["units"] = units
        return frame

    def to_xarray(self) -> xr.Dataset:
        """`to_dataframe` as an xarray Dataset along "row": text as coordinates, numbers with their units as attributes.

        Raises DataError when xarray (the extra "xarray") is not installed.
        """
        xarray = need_xarray()
        frame = self.to_dataframe()
        units: dict[str, str] = frame.attrs["units"]
        variables = {
            name: (
                "row",
                values.to_numpy(),
                {"units": unit} if (unit := units.get(name.split("_err")[0])) else {},
            )
            for name, values in ((str(n), frame[n]) for n in frame)
        }
        text = {n: variables.pop(n) for n in list(variables) if not _numbers(frame[n])}
        return xarray.Dataset(variables, text, attrs={"title": self.title} | dict(self.facts))  # type: ignore[no-any-return]

    def __str__(self) -> str:
        lines = [self.title + (f" [{self.label}]" if self.label else "")]
        width = max((len(name) for name, _ in self.facts), default=0)
        lines += [f"  {name:<{width}}  {value}" for name, value in self.facts]
        if self.columns:
            rows = [self.header, *self.cells()]
            widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
            lines += [
                "  " + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows
            ]
        return "\n".join([*lines, *(f"  {n}" for n in self.notes)])


def need_xarray() -> Any:
    """The module xarray. Raises DataError when it (the extra "xarray") is not installed."""
    try:
        import xarray
    except ImportError:
        raise DataError('xarray is not installed; pip install "xasuite[xarray]"') from None
    return xarray


def _numbers(values: pd.Series[Any]) -> bool:
    return bool(values.dtype.kind in "ifb")


def joined(tables: Sequence[Table]) -> Table:
    """One table of the rows of several tables with the same columns; equal notes appear once, the title is the first one's."""
    notes = dict.fromkeys(n for t in tables for n in t.notes)
    return replace(tables[0], rows=tuple(r for t in tables for r in t.rows), notes=tuple(notes))


def _from_pandas(value: Any) -> Content:
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def _text(cell: Content, of: Quantity, errors: str) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, Entry):
        return cell.text(of, errors)
    return str(cell) if isinstance(cell, int) else of.text(float(cell), errors=errors)


def _entry(cell: Any) -> Content:
    if not isinstance(cell, Mapping):
        return cell  # type: ignore[no-any-return]
    known: dict[str, Any] = {k: math.nan if v is None and k != "within" else v for k, v in cell.items()}
    return Entry(**known)
