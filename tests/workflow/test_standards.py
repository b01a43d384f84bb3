"""Measured standards by default settings: amplitudes alike between beamlines, N and R of oxides within their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.standards import measured, pooled

pytestmark = pytest.mark.slow


def test_measured_standards(data_root: Path) -> None:
    """Nothing here was tuned on these scans: whatever `new` chooses is fitted."""
    metals, compounds = measured()
    assert len(metals) == 9
    assert len(compounds) == 4
    # S02 of one metal from several beamlines agree within the printed errors
    assert 0.3 < pooled(metals, "s02") < 2
    assert 0.3 < pooled(metals, "r") < 2
    assert sum(abs(f.r_off) <= 2 for f in metals) >= 8
    assert {f.verdict for f in metals} == {"good"}
    for f in compounds:
        assert abs(f.n_off) <= 2, f
        assert abs(f.r_off) <= 2, f
        assert f.verdict != "not a fit", f
