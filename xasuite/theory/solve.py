"""Full multiple scattering: one linear system for each energy, batched, in threads.

(1 - G t) x = G[:, 1m] for the absorber's p states; g = (1/3) sum_m x_1m,1m holds every path of every order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TheoryError
from ..feff.potentials import Phases
from ..records import ComplexArray
from ..threads import one_blas_thread
from .harmonics import angular_momenta
from .propagators import Block, Geometry, hankels, prepare, propagator
from .symmetry import orient

LMAX = 3
# Most memory (bytes) for the matrices of one block of energies in each thread.
_BLOCK_BYTES = 4.8e7
_MOST_ENERGIES = 16
_BLOCK_ROWS = 96  # fastest of 64 to 448 at 80 atoms

Progress = Callable[[int, int], None]


def t_matrices(phases: Phases, lmax: int) -> ComplexArray:
    """t = exp(i delta) sin(delta) of every potential, shape (npot, ne, lmax + 1)."""
    shifts = np.zeros((*phases.shifts.shape[:2], lmax + 1), complex)
    held = phases.shifts[..., : lmax + 1]
    shifts[..., : held.shape[-1]] = held
    return np.exp(1j * shifts) * np.sin(shifts)


def within(phases: Phases, radius: float) -> NDArray[np.int_]:
    """Numbers of the atoms within `radius` A of the absorber, which comes first.

    Raises TheoryError when there is no second one.
    """
    far = np.linalg.norm(phases.xyz - phases.xyz[0], axis=1)
    atoms = np.flatnonzero(far <= radius + 1e-6)
    if len(atoms) < 2:
        raise TheoryError(
            f"{phases.title}: no atom lies within {radius:g} A of the absorber; the nearest is at "
            f"{np.sort(far)[1]:.2f} A, so take a larger radius"
        )
    return atoms


def scattering(
    phases: Phases,
    *,
    radius: float,
    lmax: int = LMAX,
    dtype: Any = np.complex64,
    sigma2: float = 0.0,
    symmetry: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ComplexArray:
    """g (ne,) at every energy of the mesh, all orders of scattering within `radius` A.

    Parameters
    ----------
    lmax: largest angular momentum; 3 is enough to 60 eV.
    dtype: complex64, or complex128 for a check (they agree to 1e-6 of the absorption).
    sigma2: A^2, mean square relative displacement of every pair (thermal and static disorder).
    symmetry: split by the cluster's mirrors and twofold axes (the result is the same without).
    workers: threads over energies; by default one per core.
    progress: called with energies done and energies in all.

    Raises TheoryError when nothing lies within the radius.
    """
    atoms = within(phases, radius)
    xyz, ipot = phases.xyz[atoms] - phases.xyz[0], phases.ipot[atoms]
    frame = orient(xyz, ipot, use=symmetry)
    real = np.float32 if np.dtype(dtype) == np.complex64 else np.float64
    geometry = prepare(frame, lmax, real)
    t = t_matrices(phases, lmax)
    k = phases.wavenumber
    out = np.zeros(len(k), complex)
    tasks = [
        (block, part) for block in geometry.blocks for part in _parts(block, len(k), np.dtype(dtype).itemsize)
    ]
    weights = {id(b): b.share * len(b.columns) / 3 for b in geometry.blocks}
    with one_blas_thread(), ThreadPoolExecutor(workers or _cores()) as pool:
        waiting = {
            pool.submit(_solve, geometry, block, ipot, t[:, part], k[part], sigma2, dtype): (block, part)
            for block, part in tasks
        }
        done = 0.0
        for future in as_completed(waiting):
            block, part = waiting[future]
            out[part] += future.result() / 3
            done += weights[id(block)] * (part.stop - part.start)
            if progress is not None:
                progress(round(done), len(k))
    return out


def _solve(
    geometry: Geometry,
    block: Block,
    ipot: NDArray[np.int_],
    t: ComplexArray,
    k: ComplexArray,
    sigma2: float,
    dtype: Any,
) -> ComplexArray:
    """Sum over the block's polarisations of x_1m,1m at energies k (e,); t is (npot, e, lmax + 1).

    With s = sqrt(t), x = G + G s (1 - s G s)^-1 s G: the same, and the matrix is symmetric as G is.
    """
    size = (geometry.lmax + 1) ** 2
    whole = propagator(block, geometry.lmax, hankels(geometry, k, sigma2), dtype)
    whole = whole.reshape(len(k), len(block.atoms) * size, -1)
    rows = block.channels
    if len(rows) < whole.shape[1]:
        whole = whole[:, rows[:, None], rows]
    l = angular_momenta(geometry.lmax)  # noqa: E741
    root = np.sqrt(t[ipot[block.atoms]][:, :, l]).transpose(1, 0, 2).reshape(len(k), -1)[:, rows]
    root = root.astype(dtype)
    at = np.searchsorted(rows, block.columns)
    right = whole[:, :, at] * root[:, :, None]
    itself = whole[:, at, at]
    whole *= -root[:, :, None]
    whole *= root[:, None, :]
    diagonal = np.arange(len(rows))
    whole[:, diagonal, diagonal] += 1
    back = np.stack([quadratic_form(m, r) for m, r in zip(whole, right, strict=True)])
    return block.share * (itself + back).sum(-1).astype(complex)


def quadratic_form(matrix: NDArray[Any], right: NDArray[Any], width: int = _BLOCK_ROWS) -> NDArray[Any]:
    """b' M^-1 b for each column b of `right` (n, m), M (n, n) complex symmetric; both are overwritten.

    Block elimination on the lower half, half the work of an LU. It needs no pivots: every leading block is the
    scattering matrix of a part of the cluster, which is regular because of the losses in the medium.
    """
    n = len(matrix)
    total = np.zeros(right.shape[1], matrix.dtype)
    for start in range(0, n, width):
        stop = min(start + width, n)
        inverse = np.linalg.inv(matrix[start:stop, start:stop])
        here = right[start:stop]
        solved = inverse @ here
        total += (here * solved).sum(0)
        if stop == n:
            break
        below = matrix[stop:, start:stop]
        right[stop:] -= below @ solved
        lower = below @ inverse
        for first in range(stop, n, width):
            last = min(first + width, n)
            matrix[first:, first:last] -= lower[first - stop :] @ matrix[first:last, start:stop].T
    return total


def _parts(block: Block, count: int, itemsize: int) -> Iterator[slice]:
    """Blocks of energies whose matrices fit the memory given to a thread."""
    full = (len(block.atoms) * 16) ** 2 * itemsize
    step = int(np.clip(_BLOCK_BYTES // full, 1, _MOST_ENERGIES))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
