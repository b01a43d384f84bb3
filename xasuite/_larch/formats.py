"""Larch's own readers, as the reference that ours are held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError


def read_athena(path: str | Path) -> list[dict[str, Any]]:
    """The groups of an Athena project as Larch reads them: label, element, edge, energy (n,), mu (n,).

    Raises ReadError when Larch cannot read the project.
    """
    from larch.io import read_athena as larch_read

    try:
        project = larch_read(str(path), do_preedge=False, do_bkg=False, do_fft=False)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as exc:
        raise ReadError(f"{path}: Larch cannot read it as an Athena project: {exc}") from exc
    if project is None:
        raise ReadError(f"{path}: Larch cannot read it as an Athena project")
    out = []
    for group in project.groups.values():
        parameters = group.athena_params
        out.append(
            {
                "label": getattr(group, "label", ""),
                "element": str(getattr(parameters.bkg, "z", "")),
                "edge": str(getattr(parameters.fft, "edge", "")).upper(),
                "energy": np.array(group.energy, float),
                "mu": np.array(group.mu, float),
            }
        )
    return out
