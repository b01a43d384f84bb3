"""From a parsed Table to a Scan: energies in eV and in order, mu and its edge found, every change noted."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..edges import is_element, tabulated
from ..errors import ChannelError, ExpressionError, ReadError
from ..expressions import parse
from ..records import Array, Scan, Source
from . import clean, edges, evidence, names
from .table import Table

MIN_POINTS = 5
LOWEST, HIGHEST = 30.0, 200_000.0
# eV that half of the step may lie below and above the tabulated edge without a note.
OFF_BELOW, OFF_ABOVE = 8.0, 20.0
# eV beyond which a jump is of another edge than the one asked for
FAR = 60.0

# In the order of preference: what was measured before what was asked for.
_ENERGY = (
    r"(achieved|measured|encoder|real|mono)?energy(achieved|readback|rbv|feedback|fbk|encoder)", r"(achieved|measured)energy",
    r"energysetpointx", r"ebraggenergy", r"zapenergy", r"energy", r"energyev", r"e", r"en", r"ev", r"xenergy", r"energie", r"energia",
    r"monoenergy(alt)?", r"bragg_?energy", r"energy\w*", r"\w*energy", r"mononrg", r"enkev",
)  # fmt: skip
_NO_SIGNAL = re.compile(r"time|clock|energy|angle|encoder|epoch|current|gap|sec$|second", re.I)
_ANGLE = (r"angleo\w*", r"angle\w*", r"theta", r"monoangle", r"bragg")


@dataclass(frozen=True)
class Asked:
    """What the user says about a file, "" where nothing: `read` explains each."""

    element: str = ""
    edge: str = ""
    mu: str = ""
    reference: str = ""
    i0: str = ""
    energy: str = ""
    units: str = ""


def finish(table: Table, source: Source, asked: Asked = Asked()) -> Scan:  # it is frozen
    """The Scan of a Table. Raises ReadError when it cannot be XAFS, ChannelError for a wrong channel."""
    where = str(source)
    if table.refusal:
        raise ReadError(f"{where}: not XAFS: {table.refusal}")
    notes = list(table.notes)
    axis = _named_axis(table, asked, where) if asked.energy else table.axis or find_axis(table)
    if not axis:
        raise ReadError(
            f"{where}: not XAFS: no column of energies between {LOWEST:g} eV and {HIGHEST / 1000:g} keV "
            f"among {', '.join(table.names[:12])}{_other_axis(table)}"
        )
    index = table.names.index(axis)
    kind = (
        asked.units
        or (table.axis_kind if axis == table.axis else "")
        or _kind(axis, table.units.get(axis, ""))
    )
    if kind not in clean.KINDS:
        raise ReadError(f"{where}: units = {kind!r} is not one of {', '.join(k for k in clean.KINDS if k)}")
    energy = clean.to_ev(table.columns[index], kind, table.d_spacing, table.steps_per_degree, notes, where)
    keep = [i for i in range(len(table.names)) if i != index]
    labels = [table.names[i] for i in keep]
    columns = np.asarray(table.columns, float)[keep]
    energy, columns = _usable(energy, columns, notes, where)
    energy, columns = clean.order(energy, columns, notes)
    channels = dict(zip(labels, columns, strict=True))

    wanted_element = (asked.element or table.element).strip().capitalize()
    wanted_edge = (asked.edge or table.edge).strip().upper()
    mu_expr = _mu(table, energy, channels, asked, wanted_element, notes, where)
    reference_expr = _reference(table, energy, channels, asked.reference, mu_expr, notes, where)
    energy, channels = _drop(energy, channels, mu_expr, reference_expr, notes, where)
    found = _element(table, energy, channels, mu_expr, wanted_element, wanted_edge, asked, notes)
    return Scan(
        energy=energy,
        channels=channels,
        element=found[0],
        edge=found[1],
        label=table.label or table.group or re.sub(r"\.gz$", "", source.path.rsplit("/", 1)[-1]),
        mu_expr=mu_expr,
        reference_expr=reference_expr,
        notes=tuple(notes),
        meta=table.meta,
        source=source,
    )


def _named_axis(table: Table, asked: Asked, where: str) -> str:
    found = names.resolve(asked.energy, table.names)
    if not found:
        raise ChannelError(
            f"{where}: there is no column {asked.energy!r}; there are {', '.join(table.names[:20])}"
        )
    return found


def find_axis(table: Table) -> str:
    """The column of energies (or angles), by name and unit, else the first that can be one; "" if none."""
    for name in table.names:
        unit = table.units.get(name, "").lower().split()
        if unit and unit[0] in {"ev", "kev"} and plausible(table.column(name)):
            return name
    for patterns in (_ENERGY, _ANGLE if table.d_spacing else ()):
        for pattern in patterns:
            for name in table.names:
                if re.fullmatch(pattern, names.plain(name)) and (
                    patterns is _ANGLE or plausible(table.column(name))
                ):
                    return name
    generic = all(re.fullmatch(r"col\d+", n) for n in table.names)
    if any(re.match(r"angle|theta", n, re.I) for n in table.names[:1]):
        return table.names[0]
    if table.names and re.fullmatch(r"y|z|time|k|r|q", names.plain(table.names[0])):
        return ""
    for name in table.names[: 4 if generic else 3]:
        if table.units.get(name):  # millimetres, say: energies were looked for above
            continue
        if (
            plausible(table.column(name))
            and np.nanmin(table.column(name)) > 1
            and _monotonic(table.column(name))
        ):
            return name
    return ""


def _other_axis(table: Table) -> str:
    """What the first column counts in place of energies, as the end of a sentence; "" where it cannot be said."""
    first = table.columns[0] if table.names else np.empty(0)
    steps = np.diff(first)
    if (
        first.size < MIN_POINTS
        or not np.isfinite(first).all()
        or not np.allclose(steps, steps[0], rtol=1e-3, atol=1e-6)
    ):
        return ""
    if steps[0] == 1:
        return "; the first column counts pixels or points: calibrate them against a foil and write energies"
    if 0 <= first[0] < 5 and 0 < steps[0] <= 0.1 and first[-1] < 35:
        return f"; it looks like chi(k), k from {first[0]:g} to {first[-1]:g} 1/A: read the mu(E) that it was made from"
    return ""


def plausible(values: Array) -> bool:
    """Whether values can be energies of an XAFS scan, in eV or keV."""
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        return False
    low, high = np.percentile(finite, [2, 98])
    return bool(low > 0.03 and high < HIGHEST and high > low and high - low < 0.8 * high)


def _monotonic(values: Array) -> bool:
    steps = np.diff(values[np.isfinite(values)])
    return bool(steps.size and max((steps > 0).mean(), (steps < 0).mean()) > 0.9)


def _kind(name: str, unit: str) -> str:
    word = unit.lower().split()[0] if unit.split() else ""
    if word in {"ev", "kev"}:
        return "keV" if word == "kev" else "eV"
    if word.startswith(("deg", "rad")) or re.match(r"angle|theta|bragg_?angle", name, re.I):
        return "angle"
    if re.search(r"kev", name, re.I):
        return "keV"
    return ""


def _usable(energy: Array, columns: Array, notes: list[str], where: str) -> tuple[Array, Array]:
    good = np.isfinite(energy) & (energy > LOWEST) & (energy < HIGHEST)
    if not good.all():
        inside = np.flatnonzero(good)
        lost = int(np.count_nonzero(~good))
        ends = inside.size and lost == energy.size - (inside[-1] - inside[0] + 1)
        place = "at an end of the scan " if ends else ""
        notes.append(f"{lost} points {place}without an energy dropped")
        energy, columns = energy[good], columns[:, good]
    if energy.size < MIN_POINTS:
        raise ReadError(
            f"{where}: only {energy.size} points with an energy; a scan needs at least {MIN_POINTS}"
        )
    return energy, columns


def _mu(
    table: Table,
    energy: Array,
    channels: dict[str, Array],
    asked: Asked,
    element: str,
    notes: list[str],
    where: str,
) -> str:
    if asked.mu:
        return names.resolve_expression(asked.mu, channels, where)
    if not channels:
        raise ReadError(f"{where}: not XAFS: the file holds energies and nothing beside them")
    if table.mu_expr and not asked.i0:
        return _stated(table.mu_expr, channels, where)
    labels = list(channels)
    i0 = names.resolve_expression(asked.i0, channels, where) if asked.i0 else names.find_i0(labels)
    named = names.mu_candidates(labels, element, i0)
    for name in sorted(names.emission_elements(labels)) if not element else ():
        named += [c for c in names.mu_candidates(labels, name, i0) if c not in named]
    if asked.i0:  # a column that is mu itself is not what was asked for
        named = [c for c in named if i0 in parse(c).names]
    near = tabulated(element, table.edge) or 0.0 if element else 0.0
    near = near if near and energy[0] < near < energy[-1] else 0.0
    near = near or (table.e0 if energy[0] < table.e0 < energy[-1] else 0.0)
    tried = [(c, _jump(energy, channels, c, near)) for c in named]
    for expr, jump in tried:
        if jump.quality >= edges.MIN_QUALITY:
            if expr != named[0]:
                notes.append(f"mu = {expr}: {named[0]} shows no edge")
            return expr
    lines = names.emission_lines(labels, element) if element else []
    if lines:
        notes.append(f"mu from the fluorescence of {element}: no column shows a clear edge")
        return names.over(lines, i0)
    signals = {n: channels[n] for n in _signals(channels, energy)}
    found, why = evidence.decide(evidence.choices(energy, signals, near, asked.i0 and i0))
    if named:
        best = (
            max(tried, key=lambda pair: pair[1].quality)[0] if any(j.quality for _, j in tried) else named[0]
        )
        notes.append(f"mu = {best} shows no clear edge" + (f"; {found.expr} shows one" if found else ""))
        return best
    if found is None:
        raise ReadError(
            f"{where}: no column is named as mu or as an ionisation chamber, and of their values {why}. "
            f'Columns: {evidence.described(energy, channels)}. Say which: mu = "..." (--mu), or i0 (--i0)'
        )
    notes.append(
        f"no column is named as mu or as an ionisation chamber: mu = {found.expr}, {why}; "
        'name another with mu = "..."'
    )
    return found.expr


def _stated(expr: str, channels: dict[str, Array], where: str) -> str:
    """An expression that the file itself states, when its channels are there."""
    try:
        return names.resolve_expression(expr, channels, where)
    except (ExpressionError, ChannelError) as exc:
        raise ReadError(f"{where}: the file states an expression that it cannot fulfil: {exc}") from None


def _signals(channels: dict[str, Array], energy: Array) -> list[str]:
    """Channels that may be a signal: not constant, not another energy axis or a running number, not a clock."""
    out = []
    for name, values in channels.items():
        finite = np.isfinite(values)
        if np.count_nonzero(finite) < 2 or np.ptp(values[finite]) == 0:
            continue
        with np.errstate(all="ignore"):
            ratio = values[finite] / energy[finite]
        axis = any(np.all(np.abs(ratio * unit - 1) < 0.1) for unit in (1.0, 1000.0))
        counter = bool(np.all(np.diff(values[finite]) == 1))
        if axis or counter or _NO_SIGNAL.search(name):
            continue
        out.append(name)
    return out


def evaluate(channels: dict[str, Array], energy: Array, expr: str) -> Array:
    """An expression over channels, NaN where it is not defined."""
    with np.errstate(all="ignore"):
        values = parse(expr)({**channels, "energy": energy})
    return np.broadcast_to(np.asarray(values, float), energy.shape)


def saturated(values: Array) -> int:
    """How many neighbouring points stand at exactly the largest value, when they are many (20 and 2 %)."""
    finite = np.isfinite(values)
    if not finite.any():
        return 0
    highest = float(np.max(values[finite]))
    # A counter at its limit still flickers in the last digit.
    top = np.flatnonzero(values >= highest - 1e-6 * abs(highest))
    if top.size < max(20, 0.02 * values.size) or np.ptp(values[finite]) == 0:
        return 0
    return int(top.size) if np.count_nonzero(np.diff(top) == 1) > 0.5 * top.size else 0


def _jump(energy: Array, channels: dict[str, Array], expr: str, near: float) -> edges.Jump:
    values = evaluate(channels, energy, expr)
    if np.count_nonzero(np.isfinite(values)) < 0.7 * values.size:
        return edges.Jump(0.0, 0.0)
    return edges.find_jump(energy, values, near)


def _reference(
    table: Table,
    energy: Array,
    channels: dict[str, Array],
    reference: str,
    mu: str,
    notes: list[str],
    where: str,
) -> str:
    """The reference's mu; one found by name counts only when it shows an edge."""
    if reference:
        return names.resolve_expression(reference, channels, where)
    if table.trusted:
        return _stated(table.reference_expr, channels, where) if table.reference_expr else ""
    expr = table.reference_expr or names.reference_candidate(list(channels), mu)
    if not expr or table.reference_expr:
        return expr
    jump = _jump(energy, channels, expr, 0.0)
    if jump.quality < edges.MIN_QUALITY:
        return ""
    sample = _jump(energy, channels, mu, 0.0)
    if sample.quality >= edges.MIN_QUALITY and abs(sample.energy - jump.energy) > 30:
        notes.append(
            f"the reference {expr} jumps at {jump.energy:.0f} eV, the sample at {sample.energy:.0f} eV"
        )
    return expr


def _drop(
    energy: Array, channels: dict[str, Array], mu: str, reference: str, notes: list[str], where: str
) -> tuple[Array, dict[str, Array]]:
    """Drop dead ends and points where mu (or the reference) is not finite."""
    used = parse(mu).names & set(channels)
    chambers = [channels[n] for n in used] if "/" in mu else []
    dead = clean.dead_rows(chambers) if chambers else np.zeros(energy.size, bool)
    lost = ~np.isfinite(evaluate(channels, energy, mu))
    if reference:
        lost |= ~np.isfinite(evaluate(channels, energy, reference))
    if (lost | dead).all():
        notes.append(f"{mu} is finite nowhere")
        return energy, channels
    if dead.any():
        notes.append(
            f"{np.count_nonzero(dead)} points at the ends of the scan dropped: no signal in {', '.join(sorted(used))}"
        )
    inner = lost & ~dead
    if inner.any():
        notes.append(
            f"{np.count_nonzero(inner)} points dropped where {mu}{' or ' + reference if reference else ''} is not finite"
        )
    good = ~(dead | lost)
    for name in sorted(used):
        if "/" in mu and (at_top := saturated(channels[name])):
            notes.append(f"{name} stands at its largest value over {at_top} points: saturated there?")
    if good.all():
        return energy, channels
    if np.count_nonzero(good) < MIN_POINTS:
        raise ReadError(f"{where}: {mu} is finite at only {np.count_nonzero(good)} of {good.size} points")
    return energy[good], {n: v[good] for n, v in channels.items()}


def _refuse_another(
    table: Table, energy: Array, values: Array, element: str, edge: str, line: float | None
) -> None:
    """Raises ReadError where the user's element and edge are not those of a clear jump of mu."""
    what = table.label or table.group or "scan"
    if line is None:
        raise ReadError(f"{what}: {element} has no {edge} edge")
    jump = edges.find_jump(energy, values)
    if jump.quality >= evidence.SURE and abs(jump.energy - line) > FAR:
        best, _ = edges.guess(energy, jump, 0.0, "", "")
        seen = f", as of {best.element} {best.edge}" if best else ""
        raise ReadError(
            f"{what}: asked for the {element} {edge} edge ({line:.0f} eV), and mu jumps at {jump.energy:.0f} eV{seen}; "
            "give the element and edge that were measured, or mu"
        )


def _element(
    table: Table,
    energy: Array,
    channels: dict[str, Array],
    mu: str,
    element: str,
    edge: str,
    asked: Asked,
    notes: list[str],
) -> tuple[str, str]:
    if table.trusted:
        return element, edge
    if element and not is_element(element):
        raise ReadError(f"{table.label or table.group or 'scan'}: element {element!r} is none")
    line = tabulated(element, edge) if element and edge else None
    inside = line is not None and energy[0] < line < energy[-1]
    values = evaluate(channels, energy, mu)
    if element and edge:
        if asked.edge or asked.element:
            _refuse_another(table, energy, values, element, edge, line)
        if line is None or not inside:
            notes.append(
                f"the scan, {energy[0]:.0f}-{energy[-1]:.0f} eV, does not reach the {element} {edge} edge at {line:.0f} eV"
                if line
                else f"{element} has no {edge} edge"
            )
            return element, edge
        jump = edges.find_jump(energy, values)
        if jump.quality < edges.MIN_QUALITY:
            notes.append(f"mu shows no clear jump at the {element} {edge} edge ({line:.0f} eV)")
        elif not -OFF_BELOW < jump.energy - line < OFF_ABOVE:
            notes.append(
                f"half of the step is at {jump.energy:.0f} eV, {jump.energy - line:+.0f} eV from the tabulated {element} {edge} "
                "edge: the energy scale is off or the element is another"
            )
        return element, edge
    jump = edges.find_jump(energy, values)
    hints = " ".join(
        [table.hints, table.label, *names.emission_elements(list(channels)), mu.replace("_", " ")]
    )
    best, note = edges.guess(energy, jump, table.e0, hints, element)
    notes.append(note)
    if best is None:
        return element, edge
    return best.element, best.edge
