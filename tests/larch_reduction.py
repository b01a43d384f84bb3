"""Larch's own reduction and reading, called as its documentation says: the audit of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def find_e0(energy: np.ndarray, mu: np.ndarray) -> float:
    from larch.xafs import find_e0

    return float(find_e0(energy.copy(), mu.copy()))


def pre_edge(
    energy: np.ndarray, mu: np.ndarray, *, e0: float, pre_range: Any, norm_range: Any, nnorm: int
) -> dict[str, Any]:
    """edge_step, pre_edge, post_edge, norm, flat of one spectrum."""
    from larch import Group
    from larch.xafs import pre_edge

    group = Group(energy=energy.copy(), mu=mu.copy())
    pre_edge(
        group,
        e0=e0,
        pre1=pre_range[0],
        pre2=pre_range[1],
        norm1=norm_range[0],
        norm2=norm_range[1],
        nnorm=nnorm,
    )
    return {name: getattr(group, name) for name in ("edge_step", "pre_edge", "post_edge", "norm", "flat")}


def autobk(
    energy: np.ndarray, mu: np.ndarray, *, e0: float, edge_step: float, rbkg: float, kweight: int, **more: Any
) -> dict[str, np.ndarray]:
    """k, chi, bkg of one spectrum; `edge_step` divides chi, not mu."""
    from larch import Group
    from larch.xafs import autobk

    group = Group(energy=energy.copy(), mu=mu.copy())
    autobk(group, ek0=e0, edge_step=edge_step, rbkg=rbkg, kweight=kweight, **more)
    return {name: getattr(group, name) for name in ("k", "chi", "bkg")}


def read_athena(path: Path) -> list[dict[str, Any]]:
    """The groups of an Athena project: label, element, edge, energy (n,), mu (n,)."""
    from larch.io import read_athena

    groups = read_athena(str(path), do_preedge=False, do_bkg=False, do_fft=False).groups.values()
    return [
        {
            "label": group.label,
            "element": str(group.athena_params.bkg.z),
            "edge": str(group.athena_params.fft.edge).upper(),
            "energy": np.array(group.energy, float),
            "mu": np.array(group.mu, float),
        }
        for group in groups
    ]
