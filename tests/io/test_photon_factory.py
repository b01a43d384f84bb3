"""Photon Factory 9809: whether the counts hold the dark counts of the header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xasuite import io


def test_counts_of_9809_files_hold_no_offset(data_root: Path) -> None:
    """Fluorescence that holds dark counts would not fall and rise in full with the beam: F = a(E) I0 + dark.

    Above 7400 eV the beam moves by 1 % from point to point and a(E) is a polynomial; the dark rate comes out with a
    standard error of 650 a second, the header's offset is 7157.
    """
    scan = io.read(data_root / "formats/beamlines/PF9A_2022.dat")
    assert any("7157.100 a second) are not subtracted" in n for n in scan.notes)
    offset = float(scan.meta["offsets"].split()[-1])
    time = scan.channels["time"]
    far = (scan.energy > 7400) & (time == 3)
    i0, fluor = scan.channels["i0"][far] / time[far], scan.channels["ifluor"][far] / time[far]
    x = np.linspace(-1, 1, i0.size)
    design = np.column_stack([*(x**n * i0 / 1e6 for n in range(6)), np.ones(i0.size)])
    solved, *_ = np.linalg.lstsq(design, fluor, rcond=None)
    spread = np.var(fluor - design @ solved) * i0.size / (i0.size - design.shape[1])
    stderr = float(np.sqrt(spread * np.linalg.inv(design.T @ design)[-1, -1]))
    assert stderr < offset / 8
    assert abs(solved[-1]) < 3 * stderr
