"""An ordered cell from mixed and partly occupied sites, because FEFF takes only whole atoms.

The positions of a crystallographic site are given to its elements in proportion to the occupancies, in the
arrangement with equal atoms as far apart as possible (smallest sum of d^-6 over equal pairs, periodic images included):
a perovskite with half Co and half Ru gets rock-salt order. See docs/decisions/occupancy.md.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from ..records import Array

VACANCY = ""
# If there are more arrangements than this, positions are chosen one by one (greedy) instead of trying all.
_MOST_ARRANGEMENTS = 5000


def share(occupancies: dict[str, float], n: int) -> dict[str, int]:
    """The number of n positions that each element gets, by the method of largest remainders; the rest is vacant."""
    wanted = dict(occupancies)
    filled = sum(wanted.values())
    if filled < 1 - 1e-6:
        wanted[VACANCY] = 1 - filled
    elif filled > 1:
        wanted = {s: o / filled for s, o in wanted.items()}
    exact = {s: o * n for s, o in wanted.items()}
    counts = {s: math.floor(x + 1e-9) for s, x in exact.items()}
    by_remainder = sorted(exact, key=lambda s: (counts[s] - exact[s], s == VACANCY, s))
    for s in by_remainder[: n - sum(counts.values())]:
        counts[s] += 1
    return {s: c for s, c in counts.items() if c}


def arrange(xyz: Array, lattice: Array, counts: dict[str, int]) -> tuple[str, ...]:
    """The element on each of the positions xyz (n, 3) in A, with equal atoms as far apart as possible.

    Of equal arrangements the first in the order of the positions is taken, so that the result is always the same.
    """
    names = sorted(counts, key=lambda s: (-counts[s], s))
    n = sum(counts.values())
    if len(names) == 1:
        return (names[0],) * n
    closeness = _closeness(xyz, lattice)
    free = list(range(n))
    out = [names[0]] * n
    for name in sorted(names[1:], key=lambda s: (counts[s], s)):
        for i in _spread(closeness, free, counts[name]):
            out[i] = name
            free.remove(i)
    return tuple(out)


def _closeness(xyz: Array, lattice: Array) -> Array:
    """The sum of d^-6 over periodic images for every pair (n, n), without the atom itself."""
    shifts = np.array(list(itertools.product(range(-2, 3), repeat=3))) @ lattice
    d2 = ((xyz[:, None, None, :] - xyz[None, :, None, :] - shifts) ** 2).sum(-1)
    with np.errstate(divide="ignore"):
        return np.where(d2 > 1e-6, d2**-3.0, 0.0).sum(-1)


def _spread(closeness: Array, free: Sequence[int], m: int) -> tuple[int, ...]:
    """The m of the free positions for which the chosen ones, and also the others, are farthest from each other."""
    if math.comb(len(free), m) > _MOST_ARRANGEMENTS:
        chosen: list[int] = []
        for _ in range(m):
            rest = [i for i in free if i not in chosen]
            chosen.append(min(rest, key=lambda i: (round(float(closeness[i, chosen].sum()), 9), i)))
        return tuple(chosen)

    def energy(choice: tuple[int, ...]) -> float:
        others = [i for i in free if i not in choice]
        like = closeness[np.ix_(choice, choice)].sum() + closeness[np.ix_(others, others)].sum()
        return round(float(like), 9)

    return min(itertools.combinations(free, m), key=lambda c: (energy(c), c))
