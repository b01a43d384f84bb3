"""A scan as measured: energy and named channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ChannelError, DataError
from ..expressions import parse
from .base import Array, Record, axes
from .source import Source, Step
from .spectrum import Spectrum

# Names of the same channel at different beamlines.
CHANNEL_FAMILIES = (
    ("i0", "io", "izero", "mon"),
    ("it", "itrans", "i1"),
    ("ir", "iref", "irefer", "i2"),
    ("ifluor", "iff", "ifl", "fluor"),
    ("mu", "mutrans", "xmu"),
    ("muref", "murefer"),
)


def channel_named(name: str, channels: Iterable[str]) -> str:
    """The channel meant by `name`: the same name, in other letter case, or another name of the same family; "" if none."""
    pool = list(channels)
    if name in pool:
        return name
    plain = {"".join(c for c in n.lower() if c.isalnum()): n for n in reversed(pool)}
    key = "".join(c for c in name.lower() if c.isalnum())
    family = next((f for f in CHANNEL_FAMILIES if key in f), ())
    return next((plain[n] for n in (key, *family) if n in plain), "")


@dataclass(frozen=True, eq=False)
class Scan(Record):
    """One scan as measured: energy (n,) in eV, ascending, and named channels (n,) each.

    `mu_expr` and `reference_expr` are the expressions of channels for mu and for mu of the reference. `notes` lists
    every change that was made when the file was read.
    """

    energy: Array = field(metadata=axes("energy"))
    channels: Mapping[str, Array] = field(metadata=axes("energy"))
    element: str = ""
    edge: str = ""
    label: str = ""
    mu_expr: str = "mu"
    reference_expr: str = ""
    notes: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Source = field(default_factory=Source)

    def channel(self, expr: str) -> Array:
        """The array (n,) of a channel or of arithmetic over channels, such as ``ln(i0/it)``.

        Raises ChannelError when a name is not among the channels.
        """
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
        """The absorption mu(E) as a Spectrum, from `expr` or else from `mu_expr`.

        Points where mu is not finite are dropped, with a note. Raises ChannelError, DataError.
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
