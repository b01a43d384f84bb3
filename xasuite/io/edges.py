"""Which element and edge a scan is of: from the header, or from where in the scan the absorption jumps."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..constants import ELEMENTS, KTOE
from ..edges import Edge, symbols, table
from ..records import Array
from ..scatter import CURVES, HEAVIER, MAD, SHIFTS, WITHIN, jump_at

# eV that half of the step may lie above and below the tabulated edge: it lies 0-10 eV above on a K edge
# (chemical shift included), and a mis-set monochromator moves it both ways.
REACH_ABOVE = 25.0
REACH_BELOW = 15.0
USUAL_ABOVE = 11.0
MIN_QUALITY = 6.0
# Cost, in units of the distance scale, of an edge that is rarely the one measured.
_EDGE_COST = {"K": 0.0, "L3": 0.3, "L2": 1.5, "L1": 3.0, "M5": 2.5, "M4": 4.0}
_RARE = {"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Tc", "Pm", "Po", "At", "Fr", "Ra", "Ac", "Pa"}
_NAMED = 2.5


# a point is alone when it is this many times farther from its neighbours' mean than they are apart
_ALONE = 3.0
# The rule of `small_glitch`: eV about the edge that it leaves alone, the least distance in scatters of such distances, the
# most that may be left beside the point, and in edge steps the least distance and the amplitude of an EXAFS of 3 A
_EDGE_REGION = (-20.0, 40.0)
_BROKEN = 0.2  # edge steps between two neighbours; no EXAFS is so steep
_SCATTERS, _LEFT, _LEAST_OFF, _WAVE, _DISTANCE = 10.0, 0.25, 0.02, 0.15, 3.0


# a second edge is named from this share of the edge step and so many standard errors on: EXAFS of any element may rise there
_SECOND, _CERTAIN = 0.03, 12.0
# an edge of an element that is unusual here must fit better by this factor than a rise over so many eV, as EXAFS has
_SHARPER, _SLOW = 0.7, 12.0
_USUAL = ("K", "L3")


@dataclass(frozen=True)
class Jump:
    """Where mu jumps: `energy` in eV, `quality`, the step over the scatter on its two sides (0: no jump), and `step`.

    `step` is taken close to the edge, to tell a jump from none; `rough_step` is nearer to an edge step.
    """

    energy: float
    quality: float
    step: float = 0.0


@np.errstate(all="ignore")
def find_jump(energy: Array, mu: Array, near: float = 0.0) -> Jump:
    """The strongest rise of mu (n,) over a few eV, and how far it stands out of the scatter.

    The step is taken between straight lines through 8-60 eV below and above; the scatter is that of
    neighbouring points. `near` restricts the search to 30 eV around an energy.
    """
    good = np.isfinite(mu) & np.isfinite(energy)
    e, m = energy[good], mu[good]
    if e.size < 8 or np.ptp(m) == 0:
        return Jump(0.0, 0.0)
    low, high = e[0], e[-1]
    if near:
        low, high = max(low, near - 30), min(high, near + 30)
    if high - low < 5:
        return Jump(0.0, 0.0)
    centers = np.linspace(low, high, int(min(6000, max(20, (high - low) / 1.0))) + 1)
    # Rise between the means of mu over the 4 eV below and above each energy: a slope that noise and
    # uneven steps disturb little.
    total = np.concatenate([[0.0], np.cumsum(0.5 * (m[1:] + m[:-1]) * np.diff(e))])

    def mean(start: Array, stop: Array) -> Array:
        start, stop = np.clip(start, e[0], e[-1]), np.clip(stop, e[0], e[-1])
        width = np.where(stop - start > 0, stop - start, np.nan)
        return (np.interp(stop, e, total) - np.interp(start, e, total)) / width

    rise = mean(centers, centers + 4) - mean(centers - 4, centers)
    # Edges of the scan have half a window only; a jump needs both sides.
    inner = (centers > e[0] + 4) & (centers < e[-1] - 4) & np.isfinite(rise)
    if not inner.any():
        return Jump(0.0, 0.0)
    at = float(centers[inner][np.argmax(rise[inner])])
    quality, step, below = _quality(e, m, at)
    return Jump(_half_way(e, m, at, below + 0.5 * step) if quality > 0 else at, quality, step)


def lone_point(energy: Array, mu: Array) -> float | None:
    """The energy of a single point that is farther from the mean of its neighbours than the range of all other points; or None.

    Its two neighbours must agree, so that an edge or a white line is not taken for it. It is a glitch that hides the edge.
    """
    if energy.size < 5:
        return None
    off = np.abs(mu[1:-1] - 0.5 * (mu[:-2] + mu[2:]))
    i = int(np.argmax(off)) + 1
    agree = off[i - 1] > _ALONE * abs(mu[i + 1] - mu[i - 1])
    return float(energy[i]) if agree and off[i - 1] > np.ptp(np.delete(mu, i)) > 0 else None


@np.errstate(all="ignore")
def small_glitch(energy: Array, mu: Array, at: float, step: float) -> tuple[float, float] | None:
    """The energy of the worst single point off the cubic through its four neighbours, and how far in edge steps; or None.

    It must be off by more than 10 times the scatter of the others, lie outside the edge region, be off by more than an EXAFS
    oscillation of R = 3 A and 0.15 edge steps would be at this spacing of points, and be alone: without it its neighbours fit.
    """
    if energy.size < 20 or step <= 0:
        return None
    off, gain = _off_cubic(energy, mu)
    inner, score = energy[2:-2], np.abs(off) / gain
    free = (inner < at + _EDGE_REGION[0]) | (inner > at + _EDGE_REGION[1])
    k = np.sqrt(np.maximum(energy - at, 0.0) / KTOE)
    phase = np.minimum(_DISTANCE * (k[3:-1] - k[1:-3]), np.pi)  # 2 R dk
    wave = _WAVE * (1 - 4 / 3 * np.cos(phase) + np.cos(2 * phase) / 3)
    i = int(np.argmax(np.where(free & (np.abs(off) > (_LEAST_OFF + wave) * step), score, 0.0)))
    near = slice(max(0, i - 2), i + 3)
    free[near] = False
    if np.count_nonzero(free) < 6 or not abs(off[i]) > (_LEAST_OFF + wave[i]) * step:
        return None
    without = mu.copy()
    without[i + 2] -= off[i]
    left = np.abs(_off_cubic(energy, without)[0] / gain)[near]
    alone = score[i] > _SCATTERS * MAD * np.median(score[free]) and left.max() < _LEFT * score[i]
    return (float(inner[i]), float(off[i] / step)) if alone else None


def broken_at(energy: Array, mu: Array, at: float, step: float) -> tuple[float, float, float] | None:
    """The two neighbouring energies between which mu steps, and by how many edge steps; None where it does not.

    The step must lie outside the edge region, be larger than a fifth of the edge step and than 20 times the scatter of
    neighbours' differences, and last.
    """
    if energy.size < 20 or step <= 0:
        return None
    change = np.diff(mu)
    usual = MAD * np.median(np.abs(change - np.median(change)))
    outside = (energy[1:] < at + _EDGE_REGION[0]) | (energy[:-1] > at + _EDGE_REGION[1])
    i = int(np.argmax(np.where(outside, np.abs(change), 0.0)))
    if i < 2 or i > change.size - 3 or abs(change[i]) < max(_BROKEN * step, _SCATTERS * 2 * usual):
        return None
    stays = abs(np.median(mu[i + 1 : i + 4]) - np.median(mu[i - 2 : i + 1])) > 0.5 * abs(change[i])
    return (float(energy[i]), float(energy[i + 1]), float(change[i] / step)) if stays else None


def _off_cubic(x: Array, y: Array) -> tuple[Array, Array]:
    """How far each inner point (n - 4) is off the cubic through two neighbours on either side, and the noise gain of that."""
    centre = np.arange(2, x.size - 2)
    near = centre + np.array([-2, -1, 1, 2])[:, None]
    away = x[near] - x[centre]
    weight = np.ones_like(away)
    for a in range(4):
        for b in range(4):
            if a != b:
                weight[a] *= away[b] / (away[b] - away[a])
    return y[centre] - (weight * y[near]).sum(0), np.sqrt(1 + (weight**2).sum(0))


def _half_way(e: Array, m: Array, at: float, level: float) -> float:
    """Where mu crosses half of its step nearest to `at`: on an edge with a white line the rise is earlier."""
    part = np.flatnonzero((e > at - 20) & (e < at + 12))
    up = [i for i in part[:-1] if m[i] < level <= m[i + 1]]
    if not up:
        return at
    i = min(up, key=lambda j: abs(e[j] - at))
    return float(e[i] + (level - m[i]) * (e[i + 1] - e[i]) / (m[i + 1] - m[i]))


def _quality(e: Array, m: Array, at: float) -> tuple[float, float, float]:
    """The step over the scatter, the step, and the level of mu below it at the edge."""
    sides = []
    for low, high in ((at - 60, at - 8), (at + 8, at + 60)):
        part = (e >= low) & (e <= high)
        if np.count_nonzero(part) < 3:
            low, high = (at - 400, at - 8) if low < at else (at + 8, at + 400)
            part = (e >= low) & (e <= high)
        if np.count_nonzero(part) < 2:
            return 0.0, 0.0, 0.0
        slope, offset = _line(e[part] - at, m[part])
        sides.append((offset, float(np.std(m[part] - offset - slope * (e[part] - at)))))
    step = np.float64(sides[1][0] - sides[0][0])
    scatter = float(np.median(np.abs(np.diff(m)))) + 0.3 * sides[0][1] + 0.05 * sides[1][1]
    span = 0.02 * float(np.ptp(m))
    quality = step / (scatter + 0.2 * span)
    return (max(0.0, float(quality)) if np.isfinite(quality) else 0.0), float(step), float(sides[0][0])


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and value at 0 of the straight line through points; flat through fewer than three."""
    dx = x - x.mean()
    square = float(dx @ dx)
    slope = float(dx @ (y - y.mean())) / square if x.size > 2 and square > 0 else 0.0
    return slope, float(y.mean()) - slope * float(x.mean())


def other_edge(energy: Array, mu: Array, of: Edge, step: float) -> tuple[Edge, float] | None:
    """The K or L3 edge of another element that a scan shows besides `of`, and its jump as a share of `step`; or None.

    Of several the surest. Edges closer to `of` than its near structure, or than the ends allow, are not looked for.
    """
    own = [x.energy for x in table() if x.element == of.element]
    first = ELEMENTS.index(of.element) + 1
    usual = ELEMENTS[first : first + HEAVIER] if of.edge == "K" else ()
    best: tuple[float, Edge, float] | None = None
    for edge in table():
        at = edge.energy
        inside = energy[0] + WITHIN / 2 < at < energy[-1] - WITHIN / 2
        if edge.edge not in _USUAL or edge.element in _RARE or not inside:
            continue
        if -WITHIN < at - of.energy < 2 * WITHIN or min(abs(at - x) for x in own) < WITHIN / 2:
            continue
        near = np.abs(energy - at) < WITHIN
        if near.sum() < 4 * CURVES:
            continue
        x, values = energy[near] - at, mu[near]
        jump, sure, left = max((jump_at(x - s, values) for s in SHIFTS), key=lambda j: j[1])
        if jump <= _SECOND * step or sure <= max(_CERTAIN, best[0] if best else 0.0):
            continue
        slow = min(jump_at(x - s, values, _SLOW)[2] for s in SHIFTS)
        if (edge.edge == "K" and edge.element in usual) or left < _SHARPER * slow:
            best = sure, edge, jump / step
    return None if best is None else best[1:]


def rough_step(energy: Array, mu: Array, at: float) -> float | None:
    """The edge step between lines through -200 to -30 eV and 40 to 400 eV, for a first look; None when a side is short.

    Within 4 % of a normalisation proper on foils; no number to publish.
    """
    sides: list[float] = []
    for low, high in ((at - 200, at - 30), (at + 40, at + 400)):
        part = (energy >= low) & (energy <= high)
        if np.count_nonzero(part) < 5:
            return None
        sides.append(_line(energy[part] - at, mu[part])[1])
    return sides[1] - sides[0]


def named_elements(text: str) -> set[str]:
    """Element symbols that stand in free text as a word or at the head of a formula (Fe foil, MnO2)."""
    found = set()
    for word in re.findall(r"[A-Za-z0-9]+", text.replace("_", " ")):
        formula = re.fullmatch(r"((?:[A-Z][a-z]?\d*)+)", word)
        if formula and not (word.isupper() and len(word) > 2):
            found |= {s for s in re.findall(r"[A-Z][a-z]?", word) if s in symbols()}
        for line in re.findall(r"^([A-Z][a-z]?)(?:K|L)(?:[ab]\d?|edge)", word):
            found |= {line} & symbols()
    return found - {"H", "C", "N", "O", "F", "S", "P", "B", "I", "V", "K", "W", "Y", "U"} | (
        set(re.findall(r"(?<![A-Za-z])([SPVKWYUI])(?= ?(?:K|L3|foil|edge))", text))
    )


def _distance_cost(above: float) -> float:
    """A cost that grows with the distance (eV) of half of the step above the tabulated edge."""
    if above < 0:
        return -above / 3.0
    return above / USUAL_ABOVE + max(0.0, above - USUAL_ABOVE) / 2.0


def guess(energy: Array, jump: Jump, e0: float, hints: str, element: str = "") -> tuple[Edge | None, str]:
    """The tabulated edge that a jump belongs to, and a sentence that says how it was chosen.

    Every edge inside the scan within reach of the jump is weighed: its distance from the jump (or from an
    edge energy the header states), whether it is an edge commonly measured, whether the header names the
    element. `element` restricts the choice.
    """
    named = named_elements(hints)
    center = jump.energy
    near = jump.quality < MIN_QUALITY or abs(e0 - jump.energy) < 40
    stated = bool(e0) and energy[0] < e0 < energy[-1] and near
    ranked = []
    for edge in table():
        if not energy[0] - 5 < edge.energy < energy[-1] or edge.edge not in _EDGE_COST:
            continue
        if element and edge.element != element:
            continue
        above = (e0 if stated else center) - edge.energy
        if not -REACH_BELOW < above < REACH_ABOVE and not (element and jump.quality < MIN_QUALITY):
            continue
        cost = (abs(above) / 1.5 if stated else _distance_cost(above)) + _EDGE_COST[edge.edge]
        cost += 4.0 * (edge.element in _RARE) - _NAMED * (edge.element in named)
        ranked.append((cost, edge))
    if not ranked or (not stated and not element and jump.quality < MIN_QUALITY):
        return (
            None,
            "no element is named in the header and mu has no clear edge; name it with element= and edge=",
        )
    ranked.sort(key=lambda pair: pair[0])
    best = ranked[0][1]
    why = f"the header's E0 = {e0:g} eV" if stated else f"the jump of mu at {center:.1f} eV"
    note = f"element and edge found from {why}: {best.element} {best.edge}, tabulated {best.energy:.1f} eV"
    if rival := next((edge for cost, edge in ranked[1:] if cost < ranked[0][0] + 1.0), None):
        note += f" (nearly as near: {rival.element} {rival.edge}, {rival.energy:.1f} eV)"
    return best, note
