"""Which columns make mu where no name says so: by what the columns hold, never by their position.

docs/decisions/reading.md states the rules in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from ..records import Array
from ..scatter import point_noise
from . import edges

# A motor, an angle, a setpoint or a clock goes one way from point to point; the noise of a counter does not
ONE_WAY = 0.98
# and the length of a count or the width of a slit is the same from point to point
REPEATED = 0.5
SURE = 2 * edges.MIN_QUALITY
# Two choices are one when what remains after a straight line through them is within so many of their noises,
# or within this share of the edge step
NOISES, ALIKE = 4.0, 0.01
SAME_STEP = 0.05
CLEARLY = 1.5  # times less noise: an intensity that divides the beam's own fluctuations out
_MOST = 24  # columns looked at
_PAIRED = 6  # intensities that are divided by each other
_TOGETHER = 5.0  # eV between two edges of one element


@dataclass(frozen=True, eq=False)
class Choice:
    """An expression that shows an edge: where, its values (n,), step and noise of a point.

    `alone` marks a column by itself where others could be the intensity that divides it.
    """

    expr: str
    energy: float
    values: Array
    step: float
    noise: float
    alone: bool = False

    @property
    def clarity(self) -> float:
        """The step over the noise of a point."""
        return self.step / max(self.noise, 1e-9 * self.step)

    def __str__(self) -> str:
        return f"{self.expr} (step {self.step:.3g} at {self.energy:.0f} eV, noise {self.noise:.1g})"


def one_way(values: Array) -> bool:
    """Whether values go one way from point to point, as an angle, a setpoint or a clock does."""
    steps = np.diff(values)
    return bool(max((steps > 0).mean(), (steps < 0).mean()) > ONE_WAY) if steps.size else True


def _set(values: Array) -> bool:
    """Whether values were set and not counted: they go one way, or most are their neighbour's, as a slit's width is."""
    return one_way(values) or bool((np.diff(values) == 0).mean() > REPEATED)


def choices(energy: Array, channels: dict[str, Array], near: float = 0.0, i0: str = "") -> list[Choice]:
    """What the channels can make that shows an edge, one a signal, the clearest first.

    A signal rises at an edge (mu itself, or fluorescence) or falls there (the transmitted intensity). What divides it
    is a positive channel without an edge of its own that does not go one way with the energy; of several the one
    that leaves the least noise; `i0` says which.
    """
    held = dict(list(channels.items())[:_MOST])
    if len(held) > 1:  # the only one needs no telling apart
        held = {n: v for n, v in held.items() if n == i0 or not _set(v)}
    rises = {n: c for n, v in held.items() if n != i0 and (c := choice(energy, v, n, near))}
    positive = [n for n, v in held.items() if n not in rises and (v > 0).all()]
    falls = [n for n in positive if n != i0 and choice(energy, -held[n], f"-{n}", near)]
    beams = [i0] if i0 else [n for n in positive if n not in falls]
    found = []
    for signal in falls:
        made = [choice(energy, np.log(held[b] / held[signal]), f"ln({b}/{signal})", near) for b in beams]
        found += _best(made)
    # a dilute sample before its foil: neither chamber falls clearly, but their ratio rises where the foil does
    for a, b in permutations(beams[:_PAIRED] if found else (), 2):
        weak = choice(energy, np.log(held[a] / held[b]), f"ln({a}/{b})", near, edges.MIN_QUALITY)
        found += [weak] if weak and abs(weak.energy - found[0].energy) < _TOGETHER else []
    for signal, alone in rises.items():
        made = [choice(energy, held[signal] / held[b], f"{signal}/{b}", near) for b in beams]
        found += _best(made if i0 else [replace(alone, alone=bool(beams)), *made])
    return sorted(found, key=lambda c: -c.clarity)


def choice(energy: Array, values: Array, expr: str, near: float = 0.0, least: float = SURE) -> Choice | None:
    """The values as a choice of mu, None where they show no clear edge."""
    if not np.isfinite(values).all():
        return None
    jump = edges.find_jump(energy, values, near)
    if jump.quality < least:
        return None
    return Choice(expr, jump.energy, values, jump.step, float(point_noise(values)))


def _best(made: list[Choice | None]) -> list[Choice]:
    """The clearest of one signal's choices; all of them where none is clearly better and they differ."""
    ranked = sorted((c for c in made if c), key=lambda c: -c.clarity)
    if len(ranked) < 2 or ranked[0].clarity > CLEARLY * ranked[1].clarity:
        return ranked[:1]
    rivals = [c for c in ranked[1:] if c.clarity * CLEARLY >= ranked[0].clarity]
    return [ranked[0], *(c for c in rivals if not alike(ranked[0], c))]


def alike(a: Choice, b: Choice) -> bool:
    """Whether two choices are one signal: equal but for a straight line and a factor, within their noise.

    Absorptions through two chambers have no factor to spare: that of a foil behind the sample is larger.
    """
    scale = a.step / b.step
    if a.expr.startswith("ln(") and b.expr.startswith("ln(") and abs(scale - 1) > SAME_STEP:
        return False
    line = np.linspace(-1, 1, a.values.size)
    basis = np.stack([np.ones_like(line), line, b.values], axis=-1)
    rest = a.values - basis @ np.linalg.lstsq(basis, a.values, rcond=None)[0]
    return bool(rest.std() < NOISES * np.hypot(a.noise, scale * b.noise) + ALIKE * a.step)


def decide(found: list[Choice]) -> tuple[Choice | None, str]:
    """The choice that the evidence leaves and why, or None and what is undecided.

    A column that is what two others make (mu and its intensities) agrees with them, and is taken.
    """
    if not found:
        return None, "none shows an edge"
    kinds: list[list[Choice]] = []
    for one in found:
        same = next((k for k in kinds if alike(k[0], one)), None)
        if same is None:
            kinds.append([one])
        else:
            same.append(one)
    if len(kinds) > 1:
        shown = "; ".join(str(k[0]) for k in kinds[:4])
        return None, f"several show an edge and differ by more than their noise: {shown}"
    made = [c for c in kinds[0] if not c.alone]
    if not made:
        return None, f"{found[0]} shows an edge and is divided by nothing, though others may be its intensity"
    # counts that nothing divides are no mu, however short their name: mu has the step of what two columns make
    taken = [c for c in kinds[0] if not c.alone or any(abs(c.step / m.step - 1) < SAME_STEP for m in made)]
    best = min(taken, key=lambda c: (len(c.expr), -c.clarity))
    others = [c.expr for c in kinds[0] if c is not best]
    return best, f"it alone shows an edge, step {best.step:.3g}, noise {best.noise:.1g}" + (
        f"; {', '.join(others[:3])} is the same signal" if others else ""
    )


def described(energy: Array, channels: dict[str, Array]) -> str:
    """The columns in a sentence: their range, and what each does."""
    out = []
    for name, values in list(channels.items())[:_MOST]:
        finite = values[np.isfinite(values)]
        if not finite.size:
            continue
        what = (
            "constant" if np.ptp(finite) == 0
            else "goes one way" if one_way(finite)
            else "rises at an edge" if choice(energy, values, name)
            else "falls at an edge" if choice(energy, -values, name)
            else ""
        )  # fmt: skip
        out.append(f"{name} ({finite.min():.4g} to {finite.max():.4g}{', ' + what if what else ''})")
    return ", ".join(out)
