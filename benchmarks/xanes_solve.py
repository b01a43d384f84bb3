"""Full multiple scattering of 80 atoms, lmax 3, at 118 energies, against the plain complex128 loop.

The cluster is shaken, so that no symmetry helps: the worst case. With the symmetry of a real crystal the same size
takes a fraction (the figure `symmetric_seconds`). The plain loop does a sample of the energies.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

ATOMS, LMAX, TURNS, SAMPLE = 80, 3, 3, 4
MOST_SECONDS = 10.0


def plain(phases: Any, xyz: np.ndarray, ipot: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """g at some energies: every pair's propagator by einsum, one LU an energy, complex128 throughout."""
    from xasuite.feff.potentials import BOHR
    from xasuite.theory.harmonics import angular_momenta, angular_tensor, hankel
    from xasuite.theory.solve import t_matrices

    n, l = len(xyz), angular_momenta(LMAX)  # noqa: E741
    between = (xyz[:, None] - xyz).reshape(-1, 3)
    length = np.linalg.norm(between, axis=1)
    pairs = np.flatnonzero(length > 0)
    power = 1j ** (l[:, None] - l + np.arange(2 * LMAX + 1)[:, None, None] + 1)
    tensor = angular_tensor(between[pairs] / length[pairs, None], LMAX) * power
    t = t_matrices(phases, LMAX)
    out = []
    for e in energies:
        h = hankel(phases.wavenumber[e] * length[pairs] / BOHR, 2 * LMAX)
        g = np.zeros((n * n, l.size, l.size), complex)
        g[pairs] = np.einsum("plab,lp->pab", tensor, h)
        g = g.reshape(n, n, l.size, l.size).transpose(0, 2, 1, 3).reshape(n * l.size, -1)
        matrix = np.eye(len(g)) - g * t[ipot, e][:, l].ravel()
        out.append(np.trace(np.linalg.solve(matrix, g[:, 1:4])[1:4]) / 3)
    return np.array(out)


def run() -> dict[str, Any]:
    """Energies a second of both, by turns; seconds for the whole spectrum and the most memory used."""
    from dataclasses import replace

    from threadpoolctl import threadpool_limits

    from xasuite.feff import load_crystal, make_cluster
    from xasuite.feff.potentials import compute_phases
    from xasuite.theory.solve import scattering

    whole = compute_phases(make_cluster(load_crystal("Cu"), absorber="Cu", radius=7.0), scf=False)
    near = np.argsort(np.linalg.norm(whole.xyz - whole.xyz[0], axis=1), kind="stable")[:ATOMS]
    xyz = whole.xyz[near] - whole.xyz[0]
    shaken = xyz + np.random.default_rng(1).normal(0, 0.02, xyz.shape) * (np.arange(ATOMS) > 0)[:, None]
    phases = replace(whole, xyz=shaken, ipot=whole.ipot[near], symbols=tuple(whole.symbols[i] for i in near))
    count = len(phases.energy)
    mine, theirs, cpu, worst = [], [], [], 0.0
    scattering(phases, radius=99, lmax=1)
    for turn in range(TURNS):
        start, used = time.perf_counter(), time.process_time()
        g = scattering(phases, radius=99, lmax=LMAX)
        cpu.append(time.process_time() - used)
        middle = time.perf_counter()
        some = np.arange(turn, count, count // SAMPLE)[:SAMPLE]
        with threadpool_limits(1, user_api="blas"):
            expected = plain(phases, shaken, phases.ipot, some)
        theirs.append(len(some) / (time.perf_counter() - middle))
        mine.append(count / (middle - start))
        worst = max(worst, float(np.abs(g[some] - expected).max()))
    start = time.perf_counter()
    # Whole shells: 79 atoms; the 80th would break the symmetry.
    scattering(whole, radius=float(np.linalg.norm(xyz[ATOMS - 2])) + 0.01, lmax=LMAX)
    symmetric = time.perf_counter() - start
    ours, peer = float(np.median(mine)), float(np.median(theirs))
    return {
        "ratio": round(ours / peer, 1),
        "ours_per_s": round(ours, 1),
        "peer_per_s": round(peer, 2),
        "threads": 2,
        "wanted": f"{count} energies under {MOST_SECONDS:g} s",
        "work": f"{ATOMS} atoms, lmax {LMAX}, {count} energies in {count / ours:.1f} s, complex64, no symmetry",
        "peer": "plain complex128 loop, one thread",
        "symmetric_seconds": round(symmetric, 2),
        "cpu_seconds": round(float(np.median(cpu)), 1),
        "largest_difference": worst,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
