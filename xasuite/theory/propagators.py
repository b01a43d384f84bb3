"""Free propagators between the atoms of a cluster, folded by its symmetry and batched over energies.

G_LL'(R) = 4 pi sum_L'' i^(l - l' + l'' + 1) C_LL'L'' h_l''(k R) Y_L''(R) in real harmonics. The angular part
does not depend on energy: it is kept real, without its parity zeros, and each block of energies is one batched
matrix product with the Hankel functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..feff.potentials import BOHR
from ..records import Array
from .harmonics import angular_momenta, angular_tensor, hankel
from .symmetry import Frame, flip_signs

# Distances that are equal to this many decimals (A) share their Hankel functions.
_DIGITS = 5
_CHUNK = 4096  # pairs whose angular tensor is made at once


@dataclass(frozen=True, eq=False)
class Block:
    """One symmetry of the p states at the absorber: its polarisations, atoms, channels and angular tensors.

    columns: the harmonics (1 to 3) of the absorber; share: the number of equivalent polarisations that each
    stands for (they are solved once); atoms (r,), one of each orbit, the absorber first;
    channels: positions of the harmonics that may be occupied among r (lmax + 1)^2; distance (r, r, i) index
    into `radii` of every image of the second atom; tensors by (row parity, column parity).
    """

    columns: tuple[int, ...]
    share: int
    atoms: NDArray[np.int_]
    channels: NDArray[np.int_]
    distance: NDArray[np.int_]
    tensors: dict[tuple[int, int], Array]


@dataclass(frozen=True, eq=False)
class Geometry:
    """A cluster ready for any energy: lmax, distances radii (d,) in Bohr, and a Block per symmetry."""

    lmax: int
    radii: Array
    blocks: tuple[Block, ...]


def parity_sets(lmax: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Harmonics of even and of odd l."""
    l = angular_momenta(lmax)  # noqa: E741
    return np.flatnonzero(l % 2 == 0), np.flatnonzero(l % 2 == 1)


def prepare(frame: Frame, lmax: int, real: type = np.float32) -> Geometry:
    """The energy-independent part of a cluster's propagators.

    Parameters
    ----------
    frame: from symmetry.orient; atom 0 is the absorber.
    real: float32 for a solution in complex64, float64 for complex128.
    """
    xyz = frame.xyz
    signs = flip_signs(frame.flips, lmax)
    apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=-1)
    radii, which = np.unique(np.round(apart, _DIGITS), return_inverse=True)
    which = which.reshape(apart.shape)
    blocks = tuple(
        _block(frame, signs, columns, share, which, lmax, real) for columns, share in _columns(frame, signs)
    )
    # The distance of an atom from itself is never used; one keeps the Hankel functions finite.
    radii = np.where(radii == 0, 1.0, radii)
    return Geometry(lmax, radii / BOHR, blocks)


def _columns(frame: Frame, signs: NDArray[np.int_]) -> list[tuple[tuple[int, ...], int]]:
    """The p harmonics by character; of blocks of one that are equivalent, the first and their number."""
    groups: dict[bytes, list[int]] = {}
    for column in (1, 2, 3):
        groups.setdefault(signs[:, column].tobytes(), []).append(column)
    axis = {1: 1, 2: 2, 3: 0}  # p harmonics are (y, z, x)
    alone = [c[0] for c in groups.values() if len(c) == 1]
    out: list[tuple[tuple[int, ...], int]] = [(tuple(c), 1) for c in groups.values() if len(c) > 1]
    for column in alone:
        same = [c for c in alone if frame.like[axis[c]] == frame.like[axis[column]]]
        if column == same[0]:
            out.append(((column,), len(same)))
    return out


def _block(
    frame: Frame,
    signs: NDArray[np.int_],
    columns: tuple[int, ...],
    share: int,
    which: NDArray[np.int_],
    lmax: int,
    real: type,
) -> Block:
    character = signs[:, columns[0]]
    atoms = np.flatnonzero(frame.images.min(axis=0) == np.arange(len(frame.xyz)))
    size = (lmax + 1) ** 2
    members: list[list[tuple[int, NDArray[np.int_]]]] = []
    free = np.ones((len(atoms), size), bool)
    for row, atom in enumerate(atoms):
        orbit: dict[int, NDArray[np.int_]] = {}
        for g, image in enumerate(frame.images[:, atom]):
            sign = character[g] * signs[g]
            if image == atom:
                free[row] &= sign == 1
            orbit.setdefault(int(image), sign)
        members.append(list(orbit.items()))
    most = max(len(m) for m in members)
    image_of = np.zeros((len(atoms), most), int)
    weight = np.zeros((len(atoms), most, size))
    for row, orbit_members in enumerate(members):
        for i, (image, sign) in enumerate(orbit_members):
            image_of[row, i], weight[row, i] = image, sign
    # Scaled by the root of the orbits' sizes the folded propagator is symmetric, as the whole one is.
    orbit_size = np.sqrt([len(m) for m in members])
    weight *= 1 / orbit_size[:, None, None]
    distance = which[atoms[:, None, None], image_of[None]]
    tensors = _tensors(frame.xyz, atoms, image_of, weight, orbit_size, lmax, real)
    return Block(columns, share, atoms, np.flatnonzero(free.ravel()), distance, tensors)


def _tensors(
    xyz: Array,
    atoms: NDArray[np.int_],
    image_of: NDArray[np.int_],
    weight: Array,
    orbit_size: Array,
    lmax: int,
    real: type,
) -> dict[tuple[int, int], Array]:
    """Angular tensors by parity, (r r, i l'', rows columns), with the phases i^(l - l' + l'') and signs."""
    r, most = image_of.shape
    l = angular_momenta(lmax)  # noqa: E741
    sets = parity_sets(lmax)
    waves = (np.arange(0, 2 * lmax + 1, 2), np.arange(1, 2 * lmax + 1, 2))
    # l - l' + l'' is even wherever the tensor differs from zero, so that the phase is +1 or -1.
    power = l[:, None] - l + np.arange(2 * lmax + 1)[:, None, None]
    phase = np.where(power % 4 == 0, 1.0, -1.0) * (power % 2 == 0)
    between = (xyz[atoms][:, None, None] - xyz[image_of][None]).reshape(-1, 3)
    length = np.linalg.norm(between, axis=1)
    same = length < 1e-6
    direction = np.where(same[:, None], (0.0, 0.0, 1.0), between / np.where(same, 1.0, length)[:, None])
    factor = (weight[None] * orbit_size[:, None, None, None]).reshape(-1, weight.shape[-1])
    factor = np.where(same[:, None], 0.0, factor)
    out = {
        (a, b): np.empty((r * r * most, len(waves[(a + b) % 2]), len(sets[a]), len(sets[b])), real)
        for a in (0, 1)
        for b in (0, 1)
    }
    for start in range(0, len(between), _CHUNK):
        part = slice(start, start + _CHUNK)
        full = angular_tensor(direction[part], lmax) * phase * factor[part, None, None, :]
        for (a, b), held in out.items():
            held[part] = full[:, waves[(a + b) % 2]][:, :, sets[a]][:, :, :, sets[b]]
    return {key: t.reshape(r * r, most * t.shape[1], t.shape[2] * t.shape[3]) for key, t in out.items()}


def hankels(geometry: Geometry, k: NDArray[np.complex128], sigma2: float = 0.0) -> NDArray[np.complex128]:
    """i h_l''(k R), shape (d, 2 lmax + 1, ne), for every distance and wavenumber k (ne,) in 1/Bohr.

    sigma2 (A^2) is the mean square relative displacement of every pair: each propagator is damped by
    exp(-sigma2 k^2), which is analytic, as the integration over complex energies needs it.
    """
    values = 1j * hankel(geometry.radii[:, None] * k, 2 * geometry.lmax) * np.exp(-sigma2 / BOHR**2 * k**2)
    return np.moveaxis(values, 0, 1)


def propagator(
    block: Block, lmax: int, waves: NDArray[np.complex128], dtype: Any = np.complex64
) -> NDArray[Any]:
    """Folded propagators of one block at energies e, shape (e, r, (lmax + 1)^2, r, (lmax + 1)^2)."""
    r, size = len(block.atoms), (lmax + 1) ** 2
    ne = waves.shape[-1]
    real: Any = np.float32 if np.dtype(dtype) == np.complex64 else np.float64
    sets = parity_sets(lmax)
    out = np.empty((ne, r, size, r, size), dtype)
    near = waves[block.distance.reshape(r * r, -1)]  # (r r, i, l'', e)
    for (a, b), tensor in block.tensors.items():
        h = near[:, :, (a + b) % 2 :: 2].reshape(r * r, -1, ne)
        both = np.concatenate([h.real, h.imag], axis=2).astype(real).swapaxes(1, 2)
        product = (both @ tensor).reshape(r, r, 2, ne, len(sets[a]), len(sets[b]))
        for rows, columns, x in _pairs(sets[a], sets[b]):
            out.real[:, :, rows, :, columns] = _order(product[:, :, 0], x)
            out.imag[:, :, rows, :, columns] = _order(product[:, :, 1], x)
    return out


def _pairs(
    rows: NDArray[np.int_], columns: NDArray[np.int_]
) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
    """Runs of consecutive harmonics (one per l), as slices of the whole and of the parity set."""
    for first, run in _runs(rows):
        for second, other in _runs(columns):
            yield first, second, (run, other)


def _runs(harmonics: NDArray[np.int_]) -> list[tuple[slice, slice]]:
    starts = np.flatnonzero(np.diff(harmonics, prepend=-9) > 1)
    ends = [*starts[1:], len(harmonics)]
    return [
        (slice(int(harmonics[s]), int(harmonics[e - 1]) + 1), slice(int(s), int(e)))
        for s, e in zip(starts, ends, strict=True)
    ]


def _order(values: Array, part: tuple[slice, slice]) -> Array:
    """(r, r, e, rows, columns) as (e, r, rows, r, columns)."""
    return values[..., part[0], part[1]].transpose(2, 0, 3, 1, 4)
