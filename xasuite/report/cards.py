"""The main facts of each kind of record as a table. Results have a method `summary` instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from ..records import Chi, Normalized, Scan, Series, Spectrum, Transform, Wavelet
from ..records.quantities import quantity
from ..records.table import Presented, Table

if TYPE_CHECKING:
    from ..simulate import Simulated
    from ..theory import TheoryXanes

MOST_NOTES = 4


def presented(record: Any) -> Table:
    """The table of a record or result. Raises DataError for a type that has none."""
    if isinstance(record, Table):
        return record
    if isinstance(record, Presented):
        return record.summary()
    for kind in type(record).__mro__:
        if kind.__name__ in KINDS and kind.__module__.startswith("xasuite."):
            return KINDS[kind.__name__](record)
    raise DataError(
        f"a {type(record).__name__} has no table; there are tables of results and of {', '.join(KINDS)}"
    )


def _title(record: Any, kind: str) -> str:
    edge = f"{record.element} {record.edge} edge".strip() if record.element else ""
    return ", ".join(x for x in (record.label, edge, kind) if x)


def _notes(notes: tuple[str, ...]) -> tuple[str, ...]:
    more = len(notes) - MOST_NOTES
    return notes[:MOST_NOTES] + ((f"and {more} more notes",) if more > 0 else ())


def _energies(energy: Any) -> tuple[str, str]:
    return "energy", f"{energy[0]:.1f} to {energy[-1]:.1f} eV, {energy.size} points"


def _source(record: Any) -> tuple[tuple[str, str], ...]:
    if not record.source.path:
        return ()
    name = Path(record.source.path).name
    return (("from", f"{name}::{record.source.group}" if record.source.group else name),)


def _settings(record: Any, step: str) -> dict[str, Any]:
    return next((dict(s.settings) for s in reversed(record.history) if s.name == step), {})


def _one(values: Any, form: str) -> str:
    """A number, or the lowest and the highest of a stack."""
    values = np.asarray(values, float)
    if values.ndim == 0:
        return format(float(values), form)
    return f"{np.nanmin(values):{form}} to {np.nanmax(values):{form}} ({values.size} rows)"


def _pair(value: Any) -> str:
    return "found" if value is None else f"{value[0]:g} to {value[1]:g}"


def scan(record: Scan) -> Table:
    """Channels, energy range and the expression of mu."""
    channels = ", ".join(list(record.channels)[:8]) + (", …" if len(record.channels) > 8 else "")
    facts = [*_source(record), _energies(record.energy), ("channels", channels), ("mu", record.mu_expr)]
    if record.reference_expr:
        facts.append(("reference", record.reference_expr))
    return Table(_title(record, "scan"), facts=tuple(facts), notes=_notes(record.notes))


def spectrum(record: Spectrum) -> Table:
    """Energy range, rows, reference and steps of processing."""
    steps = " > ".join(s.name for s in record.history)
    facts = [*_source(record), _energies(record.energy)]
    if record.stacked:
        facts.append(("rows", str(record.mu.shape[0])))
    if record.reference is not None:
        facts.append(("reference", "measured with it"))
    if steps:
        facts.append(("steps", steps))
    return Table(_title(record, "μ(E)"), facts=tuple(facts), notes=_notes(record.notes))


def normalized(record: Normalized) -> Table:
    """E0, edge step, and the ranges of the pre-edge and post-edge lines."""
    used = _settings(record, "normalize")
    facts = [
        ("E0", f"{_one(record.e0, '.2f')} eV"),
        ("edge step", _one(record.edge_step, ".4g")),
        _energies(record.energy),
    ]
    facts += [
        (f"{name}-edge line", f"{_pair(used.get(key))} eV from E0")
        for name, key in (("pre", "pre_range"), ("post", "norm_range"))
        if used.get(key) is not None
    ]
    return Table(_title(record, "normalised"), facts=tuple(facts))


def chi(record: Chi) -> Table:
    """k range, background and noise."""
    used = _settings(record, "background")
    facts = [("k", f"to {record.k[-1]:.2f} 1/Å"), ("E0", f"{_one(record.e0, '.2f')} eV")]
    if used:
        facts.append(("background", f"rbkg {used.get('rbkg', '-')} Å, k weight {used.get('kweight', '-')}"))
    if record.epsilon_k is not None:
        facts.append(("noise of χ(k)", f"{_one(record.epsilon_k, '.1e')} (ε_k)"))
    return Table(_title(record, "χ(k)"), facts=tuple(facts))


def transform(record: Transform) -> Table:
    """Range, weight, window and where |chi(R)| is highest."""
    used = _settings(record, "fourier")
    facts = [("k", f"{_pair(used.get('k'))} 1/Å, weight {record.kweight:g}")]
    if used:
        facts.append(("window", f"{used.get('window')}, dk {used.get('dk')}"))
    if record.magnitude.ndim == 1:
        above = np.flatnonzero(record.r > 1.0)  # below lies what the background removal left
        top = above[int(np.argmax(record.magnitude[above]))]
        facts.append(
            ("highest", f"{record.magnitude[top]:.3g} at R = {record.r[top]:.2f} Å, not corrected for phase")
        )
    else:
        facts.append(("rows", str(record.magnitude.shape[0])))
    return Table(_title(record, "χ(R)"), facts=tuple(facts))


def wavelet(record: Wavelet) -> Table:
    """Kind and where |W| is highest."""
    facts = [("kind", f"{record.kind}, k weight {record.kweight:g}")]
    if record.wt.ndim == 2:
        j, i = np.unravel_index(int(np.argmax(record.magnitude)), record.wt.shape)
        facts.append(("highest", f"k = {record.k[i]:.2f} 1/Å, R = {record.r[j]:.2f} Å"))
    else:
        facts.append(("rows", str(record.wt.shape[0])))
    return Table(_title(record, "wavelet transform"), facts=tuple(facts))


def series(record: Series) -> Table:
    """Number of rows by status, and the first rows of the table."""
    counts = Counter(record.status)
    facts = (
        ("rows", str(len(record))),
        ("status", ", ".join(f"{n} {status}" for status, n in counts.most_common())),
        ("data", type(record.data).__name__),
    )
    reasons = [f"{i + 1}: {why}" for i, why in enumerate(record.reason) if why]
    title = f"{record.label or 'series'} of {len(record)} spectra"
    return Table.from_dataframe(title, record.table.head(4), facts=facts, notes=_notes(tuple(reasons)))


def simulated(record: Simulated) -> Table:
    """The true values of a simulated spectrum."""
    truth = record.truth
    rows = tuple(
        (
            p.label,
            *(_one(getattr(p, q) * 10.0 ** quantity(q).power, ".4g") for q in ("n", "r", "sigma2")),
        )
        for p in truth.paths[:6]
        if all(hasattr(p, name) for name in ("label", "n", "r", "sigma2"))
    )
    facts = [("paths", str(len(truth.paths))), ("E0", f"{_one(truth.e0, '.2f')} eV")]
    if truth.epsilon_k is not None:
        facts.append(("noise of χ(k)", f"{_one(truth.epsilon_k, '.1e')} (ε_k)"))
    label = getattr(record.spectrum, "label", "") or "simulated"
    columns = ("path", "n", "r", "sigma2")
    return Table.of(f"{label}, simulated from known truth", columns, rows, facts=tuple(facts))


def theory(record: TheoryXanes) -> Table:
    """Settings of a computed spectrum, and the limits of the theory."""
    facts = (
        ("atoms", f"{record.atoms} within {record.radius:g} Å"),
        ("angular momentum", f"to {record.lmax}"),
        ("potentials", "self-consistent" if record.scf else "overlapped atoms"),
        ("core hole", "without" if record.nohole else f"with, {record.gamma:.2f} eV wide"),
    )
    title = f"{record.label}, {record.absorber} {record.edge} edge"
    return Table(title, facts=facts, notes=record.limits, label="theory")


def anything(record: Any) -> Table:
    """A record of any other kind: names and shapes of its arrays."""
    facts = tuple(
        (f.name, " x ".join(map(str, value.shape)) or f"{float(value):.6g}")
        for f in fields(record)
        if isinstance(value := getattr(record, f.name), np.ndarray) and not np.iscomplexobj(value)
    )
    label = getattr(record, "label", "")
    return Table(", ".join(x for x in (label, type(record).__name__) if x), facts=facts)


KINDS: dict[str, Callable[[Any], Table]] = {
    "Scan": scan,
    "Normalized": normalized,
    "Spectrum": spectrum,
    "Chi": chi,
    "Transform": transform,
    "Wavelet": wavelet,
    "Series": series,
    "Simulated": simulated,
    "TheoryXanes": theory,
    "Record": anything,
}
