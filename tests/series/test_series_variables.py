"""A column of a series' rows in an expression: T from the files' names, one theta a row and one theta for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import SpecError
from xasuite.specs import SeriesSpec, parse_spec

TEMPERATURES = (20, 80, 150, 220, 300, 380)
THETA = 315.0
SPEC = """\
xasuite = 2
title = "Cu against T"

[series]
files = ["cu_*K.csv"]
names = 'cu_(?P<T>\\d+)K'
audit = false

[series.timeline]
shared = ["theta"]

[sample]
element = "Cu"

[reduce]
e0 = 8979
rbkg = 1.0

[fit]
k = [3, 12]
r = [1.6, 3.0]

[params]
s02 = { value = 0.9 }
enot = { guess = 0.0 }
theta = { guess = 280, min = 50 }

[[path]]
label = "Cu-Cu"
crystal = "Cu"
scatterer = "Cu"
s02 = "s02"
e0 = "enot"
sigma2 = "debye(T, theta)"
"""


def test_t_from_the_names(tmp_path: Path) -> None:
    """sigma2 of the spectra is Larch's sigma2_debye at 315 K; every row's theta, and the shared one, is 315 K within 5 %."""
    from larch.xafs import feffpath
    from larch.xafs.sigma2_models import sigma2_debye

    path = xs.find_paths("Cu", absorber="Cu", radius=6.0)[0]
    (tmp_path / "feff.dat").write_text(path.text)
    theirs = feffpath(str(tmp_path / "feff.dat"))
    for i, t in enumerate(TEMPERATURES):
        s2 = float(sigma2_debye(float(t), THETA, theirs))
        truth = [xs.simulate.TruthPath(path, n=12, s02=0.9, sigma2=s2)]
        made = xs.simulate.spectrum(truth, element="Cu", noise=1e-4, seed=i)
        xs.write(tmp_path / f"cu_{t}K.csv", made.spectrum)
    (tmp_path / "cu.toml").write_text(SPEC)
    run = xs.series(tmp_path / "cu.toml", output=tmp_path / "results", progress=False)
    table = run.table
    np.testing.assert_array_equal(np.sort(table["T"].to_numpy(float)), TEMPERATURES)
    hot = table["T"].to_numpy(float) > 100  # at low T sigma2 hardly depends on theta through T
    np.testing.assert_allclose(table["theta"].to_numpy(float)[hot], THETA, rtol=0.05)
    shared = run.timeline["theta"]
    assert np.ptp(shared) == 0
    assert shared[0] == pytest.approx(THETA, rel=0.05)


def test_a_name_that_no_row_has() -> None:
    with pytest.raises(SpecError, match="Tk is no parameter"):
        parse_spec(SPEC.replace("debye(T,", "debye(Tk,"), "s.toml", SeriesSpec)
