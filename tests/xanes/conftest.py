"""The SnO2 reduction series as a Series, reduced as catXAS did; and small synthetic records."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import XasuiteWarning
from xasuite.records import Normalized, Series

CATXAS = {
    "e0": 29205.94 - 1.70,
    "pre_range": (-175, -100),
    "norm_range": (50, 200),
    "nnorm": 2,
}  # its scale lies 1.70 eV higher


@pytest.fixture(scope="session")
def tin_folder(data_root: Path) -> Path:
    return data_root / "series" / "SnO2_TPR"


@pytest.fixture(scope="session")
def tin(tin_folder: Path) -> Series:
    """50 scans at the Sn K edge, normalised as the other program did, on catXAS's grid around the edge."""
    import h5py
    import pandas as pd

    from xasuite import reduce
    from xasuite.records import Spectrum

    grid = np.concatenate(
        [np.arange(29012.0, 29050, 1.0), np.arange(29050, 29450.01, 0.25), np.arange(29451, 30160, 2.0)]
    )
    rows = []
    with h5py.File(tin_folder / "SnO2_TPR_50_raw.h5") as file:
        for name in sorted(file):
            energy, counts = file[name]["energy"][:], file[name]["adc1_4"][:]
            mu = np.log(np.abs(counts[:, 0] / counts[:, 1]))
            one, at = np.unique(energy, return_inverse=True)
            rows.append(
                np.interp(grid, one, np.bincount(at, mu) / np.bincount(at))
            )  # repeated energies averaged
    stack = Spectrum(energy=grid, mu=np.array(rows), element="Sn", edge="K", label="SnO2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XasuiteWarning)
        data = reduce.normalize(stack, **CATXAS)
    table = pd.DataFrame({"label": [f"scan {i + 1}" for i in range(len(rows))]})
    return Series(data, table, ("ok",) * len(rows), ("",) * len(rows), label="SnO2")


def record(
    energy: np.ndarray, norm: np.ndarray, *, e0: float = 0.0, label: str = "made", **more: object
) -> Normalized:
    """A normalised record from arrays, for tests whose truth is known."""
    lead = np.shape(norm)[:-1]
    return Normalized(
        energy=energy,
        mu=norm,
        norm=norm,
        flat=norm,
        e0=np.full(lead, e0),
        edge_step=np.ones(lead),
        label=label,
        **more,
    )
