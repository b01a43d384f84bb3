"""A series of Cauchy wavelets, k 0-16 and 250 R points, against a loop over Larch's cauchy_wavelet."""

from __future__ import annotations

import numpy as np

from benchmarks._measure import by_turns
from xasuite.exafs.wavelet_transform import iter_wavelet
from xasuite.records import Chi

N_SPECTRA = 1000
N_LARCH = 20
N_R = 250
K = 0.05 * np.arange(321)
# Larch's R points lie this far apart, and it takes their number for the order
R_MAX = N_R * np.pi / (0.05 * 2048)
AGREEMENT = 1e-8


def run() -> dict:
    """See benchmarks/__init__.py; also "difference", the largest against Larch over its largest value."""
    from larch import Group
    from larch.xafs import cauchy_wavelet

    rng = np.random.default_rng(5)
    r = 2.2 + 0.1 * rng.random((N_SPECTRA, 1))
    chi = 0.3 * np.sin(2 * K * r) * np.exp(-0.012 * K**2) + 1e-3 * rng.standard_normal((N_SPECTRA, K.size))
    stack = Chi(k=K, chi=chi, e0=np.zeros(N_SPECTRA), edge_step=np.ones(N_SPECTRA))
    settings = {"kind": "cauchy", "kweight": 2, "r": (0.0, R_MAX), "nr": N_R, "order": N_R}

    def larch(row: int):  # type: ignore[no-untyped-def]
        group = Group(k=K, chi=chi[row])
        cauchy_wavelet(group, kweight=2, rmax_out=R_MAX)
        return group.wcauchy

    def ours() -> int:
        return sum(len(part.wt) for _, part in iter_wavelet(stack, **settings))

    def peer(turn: int) -> int:
        for row in range(turn * N_LARCH, (turn + 1) * N_LARCH):
            larch(row % N_SPECTRA)
        return N_LARCH

    one = larch(3)
    _, first = next(iter_wavelet(stack, **settings))
    difference = float(np.abs(first.wt[3] - one).max() / np.abs(one).max())
    assert difference < AGREEMENT, difference
    return {
        **by_turns(ours, peer),
        "wanted": ">= 20",
        "difference": difference,
        "work": f"{N_SPECTRA} Cauchy wavelets, {K.size} k, {N_R} R points, complex, all values",
        "peer": "larch cauchy_wavelet in a loop",
    }
