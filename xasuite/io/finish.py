"""From a parsed Table to a Scan: energies in eV and in order, mu and its edge found, every change noted."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..edges import Edge, is_element, tabulated
from ..errors import ChannelError, ExpressionError, ReadError
from ..expressions import parse
from ..records import Array, Scan, Source
from . import clean, edges, evidence, layouts, names
from .axis import MIN_POINTS, Asked, energies, usable
from .table import Table, as_text

# eV that half of the step may lie below and above the tabulated edge without a note.
OFF_BELOW, OFF_ABOVE = 8.0, 20.0
# eV beyond which a jump is of another edge than the one asked for
FAR = 60.0
# share of a scan's points at which an intensity may be zero or negative
MOST_LOST = 0.25
# span of ln(I0/It) at which a fiftieth of the beam is left: harmonics and dark counts are as large
THICK = 4.0
# no sample absorbs so much
MOST_MU = 1e6
# Pixels are numbered from here, in place of energies, until they are calibrated: far above what `usable` drops
PIXELS_FROM = 1000.0
_COMBINED = {"L23", "L2,3", "L3,2", "L32"}
# symbols that are words in the names of files
_WORDS = {"In", "As", "At", "He", "No", "Be", "Es", "La"}

_NO_SIGNAL = re.compile(r"time|clock|energy|angle|encoder|epoch|current|gap|sec$|second", re.I)


@dataclass
class _Raw:
    """A table while it becomes a Scan: energies (n,), channels (n,) each, what the user stated, the notes so far."""

    table: Table
    where: str
    asked: Asked
    notes: list[str]
    energy: Array
    channels: dict[str, Array]
    jumps: dict[tuple[str, float], edges.Jump] = field(default_factory=dict)

    def values(self, expr: str) -> Array:
        """An expression over the channels, NaN where it is not defined."""
        return evaluate(self.channels, self.energy, expr)

    def jump(self, expr: str, near: float = 0.0) -> edges.Jump:
        """The jump of an expression, computed once; of quality 0 where more than 30 % of the points are undefined."""
        if (expr, near) not in self.jumps:
            values = self.values(expr)
            defined = np.count_nonzero(np.isfinite(values)) >= 0.7 * values.size
            jump = edges.find_jump(self.energy, values, near) if defined else edges.Jump(0.0, 0.0)
            self.jumps[expr, near] = jump
        return self.jumps[expr, near]


def finish(table: Table, source: Source, asked: Asked) -> Scan:
    """The Scan of a Table. Raises ReadError when it cannot be XAFS, ChannelError for a wrong channel."""
    where = str(source)
    if table.refusal:
        raise ReadError(f"{where}: not XAFS: {table.refusal}")
    notes = list(table.notes)
    if not table.trusted:
        asked = layouts.completed(asked, table.names, notes)
    index, energy = energies(table, asked, notes, where)
    keep = [i for i in range(len(table.names)) if i != index]
    labels = [table.names[i] for i in keep]
    columns = np.asarray(table.columns, float)[keep]
    energy, columns = usable(energy, columns, notes, where)
    energy, columns = clean.order(energy, columns, notes)
    if energy.size < MIN_POINTS:
        raise ReadError(f"{where}: only {energy.size} different energies; a scan needs at least {MIN_POINTS}")
    raw = _Raw(table, where, asked, notes, energy, dict(zip(labels, columns, strict=True)))
    element, edge = asked.element or table.element, asked.edge or table.edge
    mu = _mu(raw, element)
    reference = _reference(raw, mu)
    if not table.trusted:
        _counters(raw, mu)
    _drop(raw, mu, reference)
    _refuse_beyond(raw, mu)
    element, edge = _element(raw, mu, element, edge)
    if not table.trusted:
        _note_of_glitch(raw, mu, element, edge)
        _note_of_another(raw, mu, element, edge)
    return Scan(
        energy=raw.energy,
        channels=raw.channels,
        element=element,
        edge=edge,
        label=as_text(table.label or table.group or re.sub(r"\.gz$", "", source.path.rsplit("/", 1)[-1])),
        mu_expr=mu,
        reference_expr=reference,
        notes=tuple(notes),
        meta=table.meta,
        source=source,
    )


def _mu(raw: _Raw, element: str) -> str:
    table, asked, energy, channels = raw.table, raw.asked, raw.energy, raw.channels
    notes, where = raw.notes, raw.where
    if asked.mu:
        return names.resolve_expression(asked.mu, channels, where)
    if not channels:
        raise ReadError(f"{where}: not XAFS: no column but the energies holds numbers")
    if table.mu_expr and not asked.i0:
        return _stated(table.mu_expr, channels, where)
    labels = list(channels)
    i0 = names.resolve_expression(asked.i0, channels, where) if asked.i0 else names.find_i0(labels)
    named = names.mu_candidates(labels, element, i0)
    for name in sorted(names.emission_elements(labels)) if not element else ():
        named += [c for c in names.mu_candidates(labels, name, i0) if c not in named]
    if asked.i0:  # a column that is mu itself is not what was asked for
        named = [c for c in named if i0 in parse(c).names]
    said = (tabulated(element, table.edge) if element else None, table.e0)
    near = next((e for e in said if e and energy[0] < e < energy[-1]), 0.0)
    tried = [(c, raw.jump(c, near)) for c in named]
    for expr, jump in tried:
        if jump.quality >= edges.MIN_QUALITY:
            if expr != named[0]:
                notes.append(f"mu = {expr}: {named[0]} shows no edge")
            if not i0 and " " not in expr and expr == names.first([expr], names.FLUORESCENCE):
                notes.append(
                    f"no column is named as the incident intensity: mu = {expr} is divided by nothing"
                )
            return expr
    _refuse_exchanged(raw, named, near)
    if element and (lines := names.emission_lines(labels, element)):
        notes.append(f"mu from the fluorescence of {element}: no column shows a clear edge")
        return names.over(lines, i0)
    signals = {n: channels[n] for n in _signals(channels, energy)}
    found, why = evidence.decide(evidence.choices(energy, signals, near, i0 if i0 in signals else ""))
    if named and found and _fluoresces(found.expr):
        notes.append(f'mu = {found.expr}: {named[0]} shows no edge, and {why}; name another with mu = "..."')
        return found.expr
    if named:
        best = max(tried, key=lambda pair: pair[1].quality)[0]
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


def _refuse_exchanged(raw: _Raw, named: list[str], near: float) -> None:
    """Raises ReadError where ln(I0/It), by the names of the chambers, falls at an edge: the names are exchanged."""
    falls = raw.jump(f"-{named[0]}", near) if named and named[0].startswith("ln(") else edges.Jump(0.0, 0.0)
    if falls.quality >= evidence.SURE:
        raise ReadError(
            f"{raw.where}: {named[0]} falls at {falls.energy:.0f} eV, where an absorption rises: the names of the chambers are "
            f'exchanged; if that is so, write mu = "-{named[0]}" (--mu)'
        )


def _fluoresces(expr: str) -> bool:
    """Whether an expression may be fluorescence: no logarithm, and no chamber behind the sample in it."""
    return not expr.startswith("ln(") and not any(names.is_chamber(n) for n in parse(expr).names)


def _stated(expr: str, channels: dict[str, Array], where: str) -> str:
    """An expression that the file states. Raises ReadError where the file lacks one of its channels."""
    try:
        return names.resolve_expression(expr, channels, where)
    except (ExpressionError, ChannelError) as exc:
        raise ReadError(f"{where}: the file states an expression that it cannot fulfil: {exc}") from None


def _signals(channels: dict[str, Array], energy: Array) -> list[str]:
    """Channels that may be a signal: not constant, no second energy axis, no running number, no clock."""
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
    """How many points are at the largest value, where they are neighbours and many (at least 20, and 2 %); else 0."""
    finite = np.isfinite(values)
    if not finite.any():
        return 0
    highest = float(np.max(values[finite]))
    # A counter at its limit still flickers in the last digit.
    top = np.flatnonzero(values >= highest - 1e-6 * abs(highest))
    if top.size < max(20, 0.02 * values.size) or np.ptp(values[finite]) == 0:
        return 0
    return int(top.size) if np.count_nonzero(np.diff(top) == 1) > 0.5 * top.size else 0


def _reference(raw: _Raw, mu: str) -> str:
    """The reference's mu; one found by name counts only when it shows an edge."""
    table, stated = raw.table, raw.table.reference_expr
    if raw.asked.reference:
        return names.resolve_expression(raw.asked.reference, raw.channels, raw.where)
    if table.trusted:
        return _stated(stated, raw.channels, raw.where) if stated else ""
    expr = stated or names.reference_candidate(list(raw.channels), mu)
    if not expr or stated:
        return expr
    jump, sample = raw.jump(expr), raw.jump(mu)
    if jump.quality < edges.MIN_QUALITY:
        return ""
    if sample.quality >= edges.MIN_QUALITY and abs(sample.energy - jump.energy) > 30:
        both = f"{jump.energy:.0f} eV, the sample at {sample.energy:.0f} eV"
        raw.notes.append(f"the reference {expr} jumps at {both}")
    return expr


def _counters(raw: _Raw, mu: str) -> None:
    """A note on intensities that are zero or negative within the scan; ReadError where they are so at many points.

    Dark counts that were subtracted twice do that. They distort mu before that, so a span of ln(I0/It) above 4 is noted too.
    """
    tree = ast.parse(mu, mode="eval")
    log = mu.startswith("ln(")
    for ratio in (n for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)):
        sides = {ast.unparse(side): raw.values(ast.unparse(side)) for side in (ratio.left, ratio.right)}
        inner = ~clean.dead_rows([v for v in sides.values() if not np.isnan(v).all()])
        if all((v[inner] < 0).mean() > 1 - MOST_LOST for v in sides.values()):
            continue  # the electrometers count downwards, both of them
        for (name, values), divides in zip(sides.items(), (log, True), strict=True):
            low = np.flatnonzero(inner & (values <= 0))
            if not low.size:
                continue
            said = f"{name} is zero or negative at {low.size} of {values.size} points"
            cure = "its dark counts are subtracted too much, its sign is reversed, or the beam was lost"
            if divides and low.size > MOST_LOST * values.size:
                raise ReadError(
                    f'{raw.where}: {said}: {cure}; correct it in mu = "..." (--mu), or name other columns there'
                )
            raw.notes.append(f"{said}, the first at {raw.energy[low[0]]:.0f} eV: {cure}")
    values = raw.values(mu)
    values = values[np.isfinite(values)]
    span = float(np.ptp(np.percentile(values, [1, 99]))) if log and values.size else 0.0  # a glitch apart
    if span > THICK:
        raw.notes.append(
            f"{mu} spans {span:.1f}: the beam behind the sample falls to {np.exp(-span):.1%} of its strongest, where no chamber is "
            "linear; the sample is too thick, or dark counts are subtracted too much"
        )


def _drop(raw: _Raw, mu: str, reference: str) -> None:
    """Drop dead ends and points where mu (or the reference) is not finite."""
    channels, notes = raw.channels, raw.notes
    used = parse(mu).names & set(channels)
    chambers = [channels[n] for n in used] if "/" in mu else []
    dead = clean.dead_rows(chambers) if chambers else np.zeros(raw.energy.size, bool)
    lost = ~np.isfinite(raw.values(mu))
    if reference:
        lost |= ~np.isfinite(raw.values(reference))
    if (lost | dead).all():
        notes.append(f"{mu} is finite nowhere")
        return
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
    if not good.all():
        if np.count_nonzero(good) < MIN_POINTS:
            raise ReadError(
                f"{raw.where}: {mu} is finite at only {np.count_nonzero(good)} of {good.size} points"
            )
        raw.energy, raw.channels = raw.energy[good], {n: v[good] for n, v in channels.items()}
        raw.jumps.clear()


def _refuse_beyond(raw: _Raw, mu: str) -> None:
    """Raises ReadError where a column that is taken as mu itself is no absorption; a ratio of counts may be anything."""
    values = np.abs(raw.values(mu))
    if "/" not in mu and values.size and np.nanmax(values, initial=0.0) > MOST_MU:
        raise ReadError(
            f"{raw.where}: {mu} reaches {np.nanmax(values):.4g}, which is no absorption; if it is in other units write "
            f'them into mu = "{mu}/1e6" (--mu)'
        )


def _element(raw: _Raw, mu: str, element: str, edge: str) -> tuple[str, str]:
    """Element and edge: as stated, with a note where the jump of mu lies elsewhere; else those of the jump."""
    if raw.table.trusted:
        return element, edge
    energy, notes, what = raw.energy, raw.notes, raw.where
    element, edge = element.strip().capitalize(), edge.strip().upper()
    if edge in _COMBINED:
        notes.append(f"edge {edge}: the L3 edge is taken, the L2 edge lies in the same scan")
        edge = "L3"
    if element and not is_element(element):
        raise ReadError(f"{what}: {element!r} is no element; write its symbol, such as Cu")
    jump = raw.jump(mu)
    alone = edges.lone_point(energy, raw.values(mu))
    glitch = f"the point at {alone:.1f} eV is a glitch, larger than the edge" if alone else ""
    if glitch:
        notes.append(f"{glitch}; drop it (deglitch = [{alone:.1f}])")
    if not (element and edge):
        hints = [
            raw.table.hints,
            raw.table.label,
            *names.emission_elements(list(raw.channels)),
            mu.replace("_", " "),
        ]
        best, note = edges.guess(energy, jump, raw.table.e0, " ".join(hints), element)
        notes.append(note)
        element, edge = (best.element, best.edge) if best else (element, edge)
        _note_of_name(raw, element, edge, jump)
        return element, edge
    _note_of_name(raw, element, edge, jump)
    line, clear = tabulated(element, edge), jump.quality >= edges.MIN_QUALITY
    if raw.asked.element or raw.asked.edge:
        _refuse_another(what, energy, jump, element, edge, line, glitch)
    if line is None:
        notes.append(f"{element} has no {edge} edge")
    elif not energy[0] < line < energy[-1]:
        notes.append(
            f"the scan, {energy[0]:.0f}-{energy[-1]:.0f} eV, does not reach the {element} {edge} edge at {line:.0f} eV"
        )
    elif not clear:
        notes.append(f"mu shows no clear jump at the {element} {edge} edge ({line:.0f} eV)")
    elif not -OFF_BELOW < jump.energy - line < OFF_ABOVE:
        notes.append(
            f"half of the step is at {jump.energy:.0f} eV, {jump.energy - line:+.0f} eV from the tabulated {element} {edge} "
            "edge: the energy scale is off or the element is another"
        )
    return element, edge


def _note_of_glitch(raw: _Raw, mu: str, element: str, edge: str) -> None:
    """Notes on a single point off the curve through its neighbours, and on a step of mu, where no glitch is larger than the edge."""
    jump, line = raw.jump(mu), tabulated(element, edge) or 0.0
    at = line if raw.energy[0] < line < raw.energy[-1] else jump.energy
    if jump.quality < edges.MIN_QUALITY or edges.lone_point(raw.energy, raw.values(mu)):
        return
    if broken := edges.broken_at(raw.energy, raw.values(mu), at, jump.step):
        low, high, share = broken
        raw.notes.append(
            f"mu steps by {share:+.2f} edge steps between {low:.1f} and {high:.1f} eV: a gain was changed, or the beam was"
        )
    if found := edges.small_glitch(raw.energy, raw.values(mu), at, jump.step):
        raw.notes.append(
            f"the point at {found[0]:.1f} eV is {found[1]:+.2f} edge steps off the curve through its neighbours: if it is a "
            f"glitch, drop it (deglitch = [{found[0]:.1f}])"
        )


def _note_of_another(raw: _Raw, mu: str, element: str, edge: str) -> None:
    """A note where mu jumps again at an edge of another element."""
    line, jump = tabulated(element, edge), raw.jump(mu)
    if line is None or jump.quality < edges.MIN_QUALITY or abs(jump.energy - line) > FAR:
        return
    if found := edges.other_edge(raw.energy, raw.values(mu), Edge(element, edge, line), jump.step):
        other, share = found
        raw.notes.append(
            f"mu jumps again at {other.energy:.0f} eV, as at the {other.element} {other.edge} edge, by {share:.0%} of the "
            f"edge step: end normalisation and fit before it, or say that {other.element} is in the sample"
        )


def _note_of_name(raw: _Raw, element: str, edge: str, jump: edges.Jump) -> None:
    """A note where the file's name contains the symbol of another element: a hint, no evidence."""
    named = edges.named_elements(Path(raw.where.split("::")[0]).stem) - _WORDS
    if element and named and element not in named and jump.quality >= edges.MIN_QUALITY:
        raw.notes.append(
            f"the file's name suggests {', '.join(sorted(named))}, and mu jumps at {jump.energy:.0f} eV, taken as {element} {edge}"
        )


def _refuse_another(
    what: str, energy: Array, jump: edges.Jump, element: str, edge: str, line: float | None, glitch: str
) -> None:
    """Raises ReadError where the user's element and edge are not those of a clear jump of mu."""
    if line is None:
        raise ReadError(f"{what}: {element} has no {edge} edge")
    if jump.quality >= evidence.SURE and abs(jump.energy - line) > FAR:
        if glitch:
            raise ReadError(f"{what}: {glitch}; delete its row, and read the file again")
        best, _ = edges.guess(energy, jump, 0.0, "", "")
        seen = f", as of {best.element} {best.edge}" if best else ""
        raise ReadError(
            f"{what}: asked for the {element} {edge} edge ({line:.0f} eV), and mu jumps at {jump.energy:.0f} eV{seen}; "
            "give the element and edge that were measured, or mu"
        )
