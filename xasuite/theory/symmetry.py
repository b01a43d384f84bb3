"""Mirrors, twofold axes and inversion of a cluster about its absorber, used to split the scattering problem.

Commuting operations of this kind are, in a suitable frame, sign changes of x, y and z, under which real harmonics
only change sign. The problem splits into one for each character of this group, with one atom of each orbit: up to
eight times fewer atoms, and the cost goes with their cube.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..records import Array
from .harmonics import angular_momenta

TOLERANCE = 2e-3  # A; structures are written with five digits
_NEAR = 14  # atoms whose sums, differences and products are tried as axes
_IDENTITY = np.eye(3)
_FLIPS = tuple(itertools.product((1, -1), repeat=3))


@dataclass(frozen=True, eq=False)
class Frame:
    """A cluster turned so that its involutions are sign changes.

    xyz (n, 3) in A in the new frame; rotation (3, 3) with xyz = old @ rotation.T; flips (g, 3) of +1 and -1,
    the identity first; images (g, n): where each flip takes each atom; like (3,) gives for x, y and z the
    first axis that some turn of the cluster takes it to.
    """

    xyz: Array
    rotation: Array
    flips: NDArray[np.int_]
    images: NDArray[np.int_]
    like: tuple[int, int, int] = (0, 1, 2)


def orient(xyz: Array, kinds: NDArray[np.int_], use: bool = True) -> Frame:
    """The frame with the most sign changes that leave the cluster as it is; `use` False asks for none."""
    xyz = np.asarray(xyz, float)
    best = Frame(xyz, _IDENTITY, np.ones((1, 3), int), np.arange(len(xyz))[None])
    if not use or len(xyz) < 2:
        return best
    axes = _axes(xyz, kinds)
    for rotation in _frames(axes):
        turned = xyz @ rotation.T
        found = [(flip, _image(turned, kinds, np.diag(flip))) for flip in _FLIPS]
        kept = [(flip, image) for flip, image in found if image is not None]
        if len(kept) > len(best.flips):
            flips, images = zip(*kept, strict=True)
            best = Frame(turned, rotation, np.array(flips, int), np.array(images))
        if len(best.flips) == 8:
            break
    return replace(best, like=_like(best.xyz, kinds))


def _like(xyz: Array, kinds: NDArray[np.int_]) -> tuple[int, int, int]:
    """For each axis the first one that a permutation of axes with signs takes it to."""
    like = [0, 1, 2]
    for order in itertools.permutations(range(3)):
        for flip in _FLIPS:
            operation = np.diag(flip)[list(order)]
            if _image(xyz, kinds, operation) is not None:
                for axis, other in enumerate(order):
                    low, high = sorted((like[axis], like[other]))
                    like = [low if v == high else v for v in like]
    return (like[0], like[1], like[2])


def flip_signs(flips: NDArray[np.int_], lmax: int) -> NDArray[np.int_]:
    """The sign (g, (lmax + 1)^2) each real harmonic takes under each flip."""
    l = angular_momenta(lmax)  # noqa: E741
    m = np.arange(l.size) - l * l - l
    sine, odd = np.where(m < 0, -1, 1), (-1) ** np.abs(m)
    of_axes = np.stack([sine * odd, sine, (-1) ** l * odd])
    return np.where(flips[:, :, None] < 0, of_axes, 1).prod(axis=1)


def _image(xyz: Array, kinds: NDArray[np.int_], operation: Array) -> NDArray[np.int_] | None:
    """Where an operation takes each atom, or None when it does not map the cluster on itself."""
    from scipy.spatial import cKDTree

    far, which = cKDTree(xyz).query(xyz @ np.asarray(operation, float).T)
    if far.max() > TOLERANCE or (kinds[which] != kinds).any():
        return None
    return np.asarray(which)


def _axes(xyz: Array, kinds: NDArray[np.int_]) -> Array:
    """Unit vectors (n, 3) of twofold axes and mirror normals."""
    distance = np.linalg.norm(xyz, axis=1)
    near = xyz[np.argsort(distance, kind="stable")][1 : _NEAR + 1]
    first, second = near[:, None], near[None]
    pairs = np.stack([first + second, first - second, np.cross(first, second)])
    tried = np.concatenate([near, _IDENTITY, pairs.reshape(-1, 3)])
    length = np.linalg.norm(tried, axis=1)
    unit = tried[length > 0.05] / length[length > 0.05, None]
    # One of n and -n: the sign of the last component that is not zero decides.
    sign = np.sign(np.round(unit, 4))
    lead = np.where(sign[:, 2] != 0, sign[:, 2], np.where(sign[:, 1] != 0, sign[:, 1], sign[:, 0]))
    _, index = np.unique(np.round(unit * lead[:, None], 3) + 0.0, axis=0, return_index=True)
    kept = []
    for axis in (unit * lead[:, None])[np.sort(index)]:
        turn = 2 * np.outer(axis, axis) - _IDENTITY
        if _image(xyz, kinds, turn) is not None or _image(xyz, kinds, -turn) is not None:
            kept.append(axis)
    return np.array(kept).reshape(-1, 3)


def _frames(axes: Array) -> list[Array]:
    """Rotations whose rows are orthonormal and hold as many of the axes as possible."""
    out = [_IDENTITY]
    for first, second in itertools.combinations(axes, 2):
        if abs(first @ second) < 1e-3:
            second = second - first * (first @ second)
            second = second / np.linalg.norm(second)
            out.append(np.array([first, second, np.cross(first, second)]))
    for axis in axes:
        other = np.cross(axis, _IDENTITY[np.argmin(np.abs(axis))])
        other /= np.linalg.norm(other)
        out.append(np.array([axis, other, np.cross(axis, other)]))
    return out
