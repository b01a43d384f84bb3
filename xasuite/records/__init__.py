"""The records that data flow through: Scan -> Spectrum -> Normalized -> Chi -> Transform, Wavelet.

Every record is frozen and its arrays are read-only. A record may carry leading axes: `mu` has shape
(..., n), and `Series` is such a stack together with a table (a row a spectrum) and a status per row.
Units: eV, 1/A, A, A^2, s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import hooks
from ..errors import ChannelError, DataError

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

OK = "ok"


def frozen_array(values: ArrayLike, dtype: Any = float) -> NDArray[Any]:
    """A read-only array of `values`; a copy unless the input is read-only already."""
    out = np.asarray(values, dtype=dtype)
    if out.flags.writeable:
        out = out.copy()
        out.flags.writeable = False
    return out


# Names that beamlines use for one and the same channel.
CHANNEL_FAMILIES = (
    ("i0", "io", "izero", "mon"),
    ("it", "itrans", "i1"),
    ("ir", "iref", "irefer", "i2"),
    ("ifluor", "iff", "ifl", "fluor"),
    ("mu", "mutrans", "xmu"),
    ("muref", "murefer"),
)


def channel_named(name: str, channels: Iterable[str]) -> str:
    """The channel meant by `name`: itself, in other letter case, or another name of the same family; "" if none."""
    pool = list(channels)
    if name in pool:
        return name
    plain = {"".join(c for c in n.lower() if c.isalnum()): n for n in reversed(pool)}
    key = "".join(c for c in name.lower() if c.isalnum())
    family = next((f for f in CHANNEL_FAMILIES if key in f), ())
    return next((plain[n] for n in (key, *family) if n in plain), "")


@dataclass(frozen=True)
class Source:
    """Where a record came from: file, group within the file, and the hash of the file's bytes."""

    path: str = ""
    group: str = ""
    sha256: str = ""
    format: str = ""

    def __str__(self) -> str:
        return f"{self.path}::{self.group}" if self.group else self.path


@dataclass(frozen=True)
class Step:
    """One step of the analysis: the function's name and every setting it ran with."""

    name: str
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Step, (self.name, dict(self.settings)))


class Shown:
    """What Jupyter shows as a small table and figure in place of its repr."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return dict(hooks.call("mimebundle", self))

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]


@dataclass(frozen=True, eq=False)
class _Record(Shown):
    """What all records share: label, where from, how made, and notes for the reader.

    Subclasses name their float arrays in `_arrays` and complex ones in `_complex`; these are made
    read-only. The last axis is the sampled one, any axes before it are the stack.
    """

    _arrays: ClassVar[tuple[str, ...]] = ()
    _complex: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self._arrays:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen_array(value))
        for name in self._complex:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, frozen_array(value, complex))
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, dict):
                object.__setattr__(self, f.name, MappingProxyType(dict(value)))

    def __getstate__(self) -> dict[str, Any]:
        return {k: dict(v) if isinstance(v, MappingProxyType) else v for k, v in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, MappingProxyType(value) if isinstance(value, dict) else value)


@dataclass(frozen=True, eq=False)
class Scan(_Record):
    """One scan as measured: energy (n,) in eV, ascending, and named channels (n,) each.

    `mu_expr`, `reference_expr` say how this file's channels give mu and the reference's mu; `notes` says
    everything that was changed when the file was read.
    """

    energy: Array
    channels: Mapping[str, Array]
    element: str = ""
    edge: str = ""
    label: str = ""
    mu_expr: str = "mu"
    reference_expr: str = ""
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)

    _arrays: ClassVar[tuple[str, ...]] = ("energy",)

    def __post_init__(self) -> None:
        channels = {name: frozen_array(values) for name, values in self.channels.items()}
        object.__setattr__(self, "channels", channels)
        super().__post_init__()
        for name, values in channels.items():
            if values.shape != self.energy.shape:
                raise DataError(
                    f"{self.label or self.source}: channel {name!r} has {values.size} points, "
                    f"the energy axis has {self.energy.size}; a scan needs as many of both"
                )

    def channel(self, expr: str) -> Array:
        """The array (n,) of a channel or of arithmetic over channels, such as ``ln(i0/it)``.

        Raises ChannelError when a name is not among the channels.
        """
        from ..expressions import parse

        expression = parse(expr)
        wanted = {n: channel_named(n, self.channels) for n in expression.names - {"energy"}}
        missing = sorted(n for n, found in wanted.items() if not found)
        if missing:
            raise ChannelError(
                f"{self.label or self.source}: {expr!r} needs channel {missing[0]!r}; "
                f"the scan holds {', '.join(sorted(self.channels)) or 'none'}"
            )
        named = {n: self.channels[found] for n, found in wanted.items()}
        with np.errstate(all="ignore"):
            values = expression({"energy": self.energy, **named})
        return np.broadcast_to(np.asarray(values, float), self.energy.shape)

    def mu(self, expr: str | None = None) -> Spectrum:
        """The absorption mu(E) as a Spectrum, from `expr` or the file's own definition.

        Points where mu is not finite are dropped and noted. Raises ChannelError, DataError.
        """
        used = expr or self.mu_expr
        mu = self.channel(used)
        reference = self.channel(self.reference_expr) if self.reference_expr else None
        good = np.isfinite(mu)
        notes = list(self.notes)
        if not good.all():
            notes.append(f"dropped {np.count_nonzero(~good)} points where {used} is not finite")
        if np.count_nonzero(good) < 10:
            raise DataError(
                f"{self.label or self.source}: {used} is finite at only {np.count_nonzero(good)} points; "
                'name other channels with mu = "..."'
            )
        return Spectrum(
            energy=self.energy[good],
            mu=mu[good],
            reference=None if reference is None else reference[good],
            element=self.element,
            edge=self.edge,
            label=self.label,
            notes=tuple(notes),
            meta=self.meta,
            source=self.source,
            history=(Step("mu", {"expr": used, "reference": self.reference_expr}),),
        )


@dataclass(frozen=True, eq=False)
class Spectrum(_Record):
    """Absorption mu (..., n) on energy (n,) in eV; `reference` is the mu of a reference foil, if measured.

    `mu_err` (..., n) is the standard deviation of mu where it is known (merged scans, simulated noise).
    """

    energy: Array
    mu: Array
    element: str = ""
    edge: str = ""
    label: str = ""
    mu_err: Array | None = None
    reference: Array | None = None
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    _arrays: ClassVar[tuple[str, ...]] = ("energy", "mu", "mu_err", "reference")

    @property
    def stacked(self) -> bool:
        """Whether mu has a leading axis."""
        return self.mu.ndim > 1


@dataclass(frozen=True, eq=False)
class Normalized(Spectrum):
    """A Spectrum with its edge: e0, edge_step (...) and pre_edge, post_edge, norm, flat (..., n)."""

    e0: Array = field(default_factory=lambda: np.array(np.nan))
    edge_step: Array = field(default_factory=lambda: np.array(np.nan))
    pre_edge: Array | None = None
    post_edge: Array | None = None
    norm: Array = field(default_factory=lambda: np.empty(0))
    flat: Array = field(default_factory=lambda: np.empty(0))

    _arrays: ClassVar[tuple[str, ...]] = (
        *Spectrum._arrays,
        "e0",
        "edge_step",
        "pre_edge",
        "post_edge",
        "norm",
        "flat",
    )


@dataclass(frozen=True, eq=False)
class Chi(_Record):
    """EXAFS chi (..., nk) on k (nk,) in 1/A from 0 in equal steps; `bkg` (..., n) on energy (n,).

    `epsilon_k` (...) is the standard deviation of chi(k) where it was estimated; e0 and edge_step (...)
    are those that chi was made with.
    """

    k: Array
    chi: Array
    e0: Array | float
    edge_step: Array | float
    element: str = ""
    edge: str = ""
    label: str = ""
    energy: Array | None = None
    mu: Array | None = None
    bkg: Array | None = None
    epsilon_k: Array | None = None
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    _arrays: ClassVar[tuple[str, ...]] = ("k", "chi", "e0", "edge_step", "energy", "mu", "bkg", "epsilon_k")


@dataclass(frozen=True, eq=False)
class Transform(_Record):
    """Fourier transform chir (..., nr), complex, on r (nr,) in A (not corrected for phase).

    |chi(R)| has the unit A^-(kweight + 1). `window` (nk,) is the window on k, `chik` the k-weighted chi.
    """

    r: Array
    chir: ComplexArray
    kweight: float
    k: Array
    window: Array
    chik: Array
    label: str = ""
    element: str = ""
    edge: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    _arrays: ClassVar[tuple[str, ...]] = ("r", "k", "window", "chik")
    _complex: ClassVar[tuple[str, ...]] = ("chir",)

    @property
    def magnitude(self) -> Array:
        """|chi(R)|, shape (..., nr)."""
        return np.abs(self.chir)


@dataclass(frozen=True, eq=False)
class Wavelet(_Record):
    """Wavelet transform wt (..., nr, nk), complex, on r (nr,) in A and k (nk,) in 1/A."""

    k: Array
    r: Array
    wt: ComplexArray
    kind: str
    kweight: float
    chik: Array
    label: str = ""
    element: str = ""
    edge: str = ""
    notes: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)
    history: tuple[Step, ...] = ()

    _arrays: ClassVar[tuple[str, ...]] = ("k", "r", "chik")
    _complex: ClassVar[tuple[str, ...]] = ("wt",)

    @property
    def magnitude(self) -> Array:
        """|wt|, shape (..., nr, nk)."""
        return np.abs(self.wt)


Data = TypeVar("Data", bound=_Record)


@dataclass(frozen=True, eq=False)
class Series(_Record):
    """Spectra stacked on one grid: any record whose arrays have one leading axis of m rows.

    `table` is a DataFrame of m rows (label, time in s, whatever was measured beside it); `status` (m,) is
    "ok" or a short word for what is wrong with a row, `reason` (m,) the sentence.
    """

    data: Any
    table: pd.DataFrame
    status: tuple[str, ...]
    reason: tuple[str, ...]
    label: str = ""

    def __len__(self) -> int:
        return len(self.status)

    @property
    def ok(self) -> NDArray[np.bool_]:
        """Rows (m,) that can be analysed."""
        return np.array([s == OK for s in self.status], bool)

    def map(self, step: Callable[[Any], Any]) -> Series:
        """The series of `step(data)`: how every function of one record takes a Series."""
        return replace(self, data=step(self.data))

    def row(self, i: int) -> Any:
        """Row i as a single record (its arrays without the leading axis)."""
        m = len(self)
        changed: dict[str, Any] = {}
        for f in fields(self.data):
            value = getattr(self.data, f.name)
            if isinstance(value, np.ndarray) and value.ndim and value.shape[0] == m and not _axis(f.name):
                changed[f.name] = value[i]
        labels = self.table["label"] if "label" in self.table else None
        changed["label"] = str(labels.iloc[i]) if labels is not None else f"{self.label}[{i}]"
        return replace(self.data, **changed)


def _axis(name: str) -> bool:
    """Whether a field is a shared axis, never stacked."""
    return name in {"energy", "k", "r", "window"}
