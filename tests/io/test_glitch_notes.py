"""A glitch is named when a scan is read: one larger than the edge, and a small one where nothing else can be there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xasuite import io
from xasuite.errors import ReadError
from xasuite.io import edges


def test_a_glitch_larger_than_the_edge_is_named(tmp_path: Path) -> None:
    """One of 50 points: at each place and of each sign; none where there is an edge, a white line or a smaller spike in it."""
    e = np.concatenate([np.arange(8900, 8970, 7.0), np.arange(8970, 9000, 2.0), np.arange(9000, 9250, 10.0)])
    edge = 0.5 + np.arctan((e - 8979) / 1.5) / np.pi + 1.2 * np.exp(-0.5 * ((e - 8984) / 2) ** 2)

    def said(mu: Any) -> str:
        (tmp_path / "a.dat").write_text(
            "# energy mu\n" + "".join(f"{x} {y:.6f}\n" for x, y in zip(e, mu, strict=True))
        )
        try:
            return " ".join(io.read(tmp_path / "a.dat", element="Cu", edge="K").notes)
        except ReadError as exc:
            return str(exc)

    assert e.size == 50
    assert "glitch" not in said(edge)
    for i in range(1, e.size - 1, 4):
        spike = np.arange(e.size) == i
        assert "larger than the edge" not in said(edge + 0.3 * spike)
        for size in (-4.0, 4.0, 40.0):
            assert f"the point at {e[i]:.1f} eV is a glitch, larger than the edge" in said(
                edge + size * spike
            )


GRIDS = {  # 50 points: XANES with a short tail, and the whole range in steps of 13, 3 and 20 eV
    "xanes": np.concatenate([np.arange(-79, -9, 7.0), np.arange(-9, 21, 2.0), np.arange(21, 271, 10.0)]),
    "wide": np.concatenate([np.arange(-150, -20, 13.0), np.arange(-20, 30, 3.3), np.linspace(30, 530, 24)]),
}  # fmt: skip


@pytest.mark.parametrize("grid", GRIDS)
def test_a_small_glitch_in_a_scan_of_50_points_is_named(tmp_path: Path, grid: str) -> None:
    """0.3 of the step, on an edge with an EXAFS of 8 % at 2.2 A. Outside the edge region; nothing is named without it."""
    e0 = 8979.0
    e = e0 + GRIDS[grid]
    assert e.size == 50
    k = np.sqrt(np.maximum(e - e0, 0) / 3.81)
    clean = 0.4 + (0.5 + np.arctan((e - e0) / 1.5) / np.pi) * (
        1 + 0.08 * np.sin(4.4 * k + 1) * np.exp(-0.01 * k**2)
    )

    def said(mu: Any) -> str:
        (tmp_path / "a.dat").write_text(
            "# energy mu\n" + "".join(f"{x} {y:.6f}\n" for x, y in zip(e, mu, strict=True))
        )
        return " ".join(io.read(tmp_path / "a.dat", element="Cu", edge="K").notes)

    assert "glitch" not in said(clean)
    named, free = 0, [i for i in range(2, 48) if not -20 <= e[i] - e0 <= 40]
    for i in free:
        for size in (-0.3, 0.3):
            notes = said(clean + size * (np.arange(50) == i))
            assert notes.count("glitch, drop it (") == notes.count(f"drop it (deglitch = [{e[i]:.1f}])")
            named += "glitch" in notes
    # what an EXAFS of 15 % at 3 A would leave reaches 0.3 of the step where the steps in k are widest
    assert named > 0.7 * 2 * len(free)


def test_measured_scans_have_few_glitches_named() -> None:
    """Of all measured scans those whose glitch is seen in a drawing, and no other; also where every second point is taken away."""
    root = os.environ.get("XASUITE_DATA")
    if not root:
        pytest.skip("XASUITE_DATA names no folder of measured spectra")
    named, scans = set(), 0
    for path in sorted(Path(root, "foils").iterdir()) + sorted(Path(root, "published").rglob("*.xmu")):
        scan = io.read(path)
        e, mu = scan.energy, scan.mu().mu
        for part in (slice(None), slice(0, None, 2), slice(1, None, 2)):
            jump = edges.find_jump(e[part], mu[part])
            scans += 1
            if edges.small_glitch(e[part], mu[part], jump.energy, jump.step):
                named.add(path.name)
    assert scans > 30
    assert not named
