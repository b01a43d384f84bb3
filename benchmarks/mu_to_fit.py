"""From mu(E) to the fit of two shells, against a loop over pre_edge, autobk and feffit."""

from __future__ import annotations

import numpy as np

from benchmarks._measure import by_turns
from benchmarks._scans import E0, scans
from benchmarks._shells import N_SPECTRA, feffit_one, model
from xasuite.exafs.engine import fit_stack
from xasuite.reduce import background, normalize

PRE, NORM, RBKG, KWEIGHT = (-140.0, -40.0), (100.0, 800.0), 1.0, 2

LIMIT = "the fit takes three quarters, most of it the kernel (fit_two_shells); the rest is the reduction."


def run() -> dict:
    """See benchmarks/__init__.py."""
    from larch import Group
    from larch.xafs import autobk, pre_edge

    data, fitted, one = scans(2, N_SPECTRA), model(2), feffit_one(2)

    def ours() -> int:
        norm = normalize(data, e0=E0, pre_range=PRE, norm_range=NORM, nnorm=2)
        chi = background(norm, rbkg=RBKG, kweight=KWEIGHT, clamp_scale="mu")
        return len(fit_stack(fitted, chi, start="mean"))

    def peer(turn: int) -> int:
        rows = np.linspace(turn, N_SPECTRA - 1 - turn, 12).astype(int)
        for row in rows:
            group = Group(energy=data.energy * 1.0, mu=data.mu[row] * 1.0)
            pre_edge(group, e0=E0, pre1=PRE[0], pre2=PRE[1], norm1=NORM[0], norm2=NORM[1], nnorm=2)
            autobk(group, rbkg=RBKG, kweight=KWEIGHT)
            one(group.k, group.chi)
        return len(rows)

    out = by_turns(ours, peer)
    out["work"] = f"{N_SPECTRA} scans of {data.energy.size} points to two shells, 7 variables"
    return out | {"peer": "a loop over Larch's pre_edge, autobk, feffit", "wanted": ">= 1200"}
