"""The curves of a result on disk: curves.h5 in the folder of result.json, a group for each data row."""

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
    """One data row: norm, mu, pre-edge, post-edge, bkg (n,) on energy (n,) in eV; chi, fit and every path's chi (nk,) on k in 1/A."""

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
        at = 0
        for fit in result.rows:
            for data in fit.data:
                row = result.inputs[data.label]
                group = handle.create_group(f"{at:04d}")
                group.attrs["label"] = data.label
                norm = row.spectrum
                none = np.full(norm.energy.shape, np.nan)
                lines = {n: getattr(norm, n) for n in ("norm", "mu", "pre_edge", "post_edge")} | {
                    "bkg": row.chi.bkg
                }
                held = {
                    "energy": norm.energy, "k": data.k, "chi": data.data, "fit": data.fit,
                    **{n: none if v is None else v for n, v in lines.items()},
                }  # fmt: skip
                for name, values in held.items():
                    kept = "f8" if name in ("energy", "k") else "f4"
                    group.create_dataset(name, data=np.asarray(values), dtype=kept)
                for name, values in data.paths.items():
                    group.require_group("paths").create_dataset(
                        name.replace("/", "\N{DIVISION SLASH}"), data=np.asarray(values), dtype="f4"
                    )
                at += 1
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
