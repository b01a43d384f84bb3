"""Known paths taken through a measurement: mu(E) with noise in mu, normalised, background removed, many seeds at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..records import Chi
from ..simulate import TruthPath

KMAX = 14.0  # 1/A, where a usual scan ends
RBKG, KWEIGHT = 0.8, 3  # docs/decisions/background.md


def simulated_chi(
    paths: Sequence[TruthPath], *, element: str, noise: ArrayLike, seeds: Sequence[int], label: str
) -> Chi:
    """chi(k) as an analysis finds it in simulated K-edge scans: simulate, normalize, background, in one batch.

    Parameters
    ----------
    paths : every path of the truth, a value a number or one a row (m,).
    element : the absorber.
    noise : epsilon_k (m,) or one number, white in mu (docs/decisions/simulated_noise.md); 0 for none.
    seeds : one a row (m,): rows of one seed share their noise but for its size.

    Returns
    -------
    Chi with chi (m, nk) to KMAX. E0 is found once, on the first row without noise, as in the closure study: noise
    moves it by less than a point of the scan. Raises DataError and what reduction raises.
    """
    from .. import reduce, simulate

    clean = simulate.spectrum([p.take(0) for p in paths], element=element, kmax=KMAX, label=label)
    e0 = float(reduce.find_e0(clean.spectrum))
    levels = np.broadcast_to(np.asarray(noise, float), (len(seeds),))
    made = simulate.series(paths, element=element, noise=levels, seed=seeds, kmax=KMAX, label=label)
    normal = reduce.normalize(made.spectrum.data, e0=e0)
    return reduce.background(normal, rbkg=RBKG, kweight=KWEIGHT)
