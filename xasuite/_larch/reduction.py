"""MBACK normalisation by Larch."""

from __future__ import annotations

import numpy as np

from ..errors import ReductionError
from ..records import Array
from . import larch, quiet


def mback_norm(
    energy: Array,
    mu: Array,
    *,
    z: int,
    edge: str,
    e0: float,
    pre_range: tuple[float, float],
    norm_range: tuple[float, float],
    nnorm: int,
    what: str = "spectrum",
) -> dict[str, Array]:
    """Normalisation by a match to the tabulated f'' (MBACK; Weng, Waldo and Penner-Hahn 2005, in Larch's form).

    Gives edge_step (from the scaled f''), pre_edge, post_edge and norm (n,) of one spectrum whose arrays were
    checked. Ranges are in eV from e0. Raises ReductionError.
    """
    (pre1, pre2), (norm1, norm2) = pre_range, norm_range
    ranges = {"pre1": pre1, "pre2": pre2, "norm1": norm1, "norm2": norm2, "nnorm": nnorm}
    group = larch("larch").Group(energy=energy.copy(), mu=mu.copy())
    with quiet(f"MBACK of {what}"):
        larch().pre_edge(group, e0=e0, **ranges)
        larch().mback_norm(group, z=z, edge=edge, e0=e0, nvict=0, **ranges)
    out = {k: np.asarray(getattr(group, k)) for k in ("edge_step", "pre_edge", "post_edge", "norm")}
    for name, value in out.items():
        if not np.isfinite(value).all():
            raise ReductionError(
                f"MBACK of {what} gave a {name} that is not finite; check the spectrum near its ends"
            )
    return out
