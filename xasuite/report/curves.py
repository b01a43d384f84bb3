"""The curves of a result: curves.h5 next to result.json, one group for each data row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import files
from ..errors import ReadError
from ..records import Array

if TYPE_CHECKING:
    from ..workflow.run import SpecResult

NAMES = ("energy", "norm", "mu", "pre_edge", "post_edge", "bkg", "k", "chi", "fit")


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves of one data row: norm, mu, its lines and bkg (n,) on energy in eV; chi, fit and paths (nk,) on k in 1/A."""

    label: str
    energy: Array
    norm: Array
    mu: Array
    pre_edge: Array
    post_edge: Array
    bkg: Array
    k: Array
    chi: Array
    fit: Array
    paths: Mapping[str, Array] = field(default_factory=dict)


def save_curves(result: SpecResult, target: str | Path) -> Path:
    """Write the curves of every fitted row. Raises WriteError."""
    import h5py

    with files.replacing(target) as temporary, h5py.File(temporary, "w") as handle:
        for at, data in enumerate(data for fit in result.rows for data in fit.data):
            row = result.inputs[data.label]
            group = handle.create_group(f"{at:04d}")
            group.attrs["label"] = data.label
            curves = {n: getattr(row.spectrum, n) for n in ("energy", "norm", "mu", "pre_edge", "post_edge")}
            curves |= {"bkg": row.chi.bkg, "k": data.k, "chi": data.data, "fit": data.fit}
            unknown = np.full(row.spectrum.energy.shape, np.nan)
            for name, values in curves.items():
                kept = "f8" if name in ("energy", "k") else "f4"
                group.create_dataset(name, data=unknown if values is None else values, dtype=kept)
            for name, values in data.paths.items():
                path = f"paths/{name.replace('/', chr(0x2215))}"  # "/" would make a group of its own
                group.create_dataset(path, data=values, dtype="f4")
    return Path(target)


def load_curves(path: str | Path) -> tuple[Curves, ...]:
    """The curves that `save_curves` wrote. Raises ReadError."""
    import h5py

    try:
        with h5py.File(path, "r") as handle:
            return tuple(
                Curves(
                    label=str(group.attrs["label"]),
                    paths={n: np.asarray(v[()], float) for n, v in group.get("paths", {}).items()},
                    **{n: np.asarray(group[n][()], float) for n in NAMES},
                )
                for _, group in sorted(handle.items())
            )
    except (OSError, KeyError) as exc:
        raise ReadError(f"{path} holds no curves of a result: {exc}; fit the spec again") from None
