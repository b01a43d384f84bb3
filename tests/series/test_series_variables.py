"""A column of a series' rows in an expression: T from the files' names, one theta a row and one theta for all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import SpecError
from xasuite.exafs.budget import Farther
from xasuite.specs import SeriesSpec, parse_spec
from xasuite.workflow import budgets

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


LOG = """\
[[series.log]]
file = "cryostat.csv"
time = "seconds"
columns = { T = "temperature" }
units = { T = "UNIT" }
"""
# no name says T, a log does; sigma2 is a parameter
LOGGED = SPEC
for old, new in (
    ("names = 'cu_(?P<T>\\d+)K'\n", 'time = { every = 60, unit = "s" }\n'),
    ('[series.timeline]\nshared = ["theta"]\n', LOG),
    ("theta = { guess = 280, min = 50 }", "ss = { guess = 0.008 }"),
    ("debye(T, theta)", "ss"),
):
    LOGGED = LOGGED.replace(old, new)


@pytest.mark.parametrize(
    ("unit", "logged", "kelvin"),
    [("degC", (-173.15, 126.85), {100.0, 400.0}), ("K", (103.0, 395.0), {100.0, 400.0}), ("mbar", (1.0, 2.0), {300.0})],
)  # fmt: skip
def test_farther_shells_have_the_logged_temperature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str, logged: tuple[float, ...], kelvin: set[float]
) -> None:
    """Rows whose farther shells vibrate as Larch's Debye model says at the logged T: the budget takes off the same, rounded to 25 K.

    Of a column whose unit is none of temperature nothing is known: 300 K.
    """
    from larch.xafs import feffpath
    from larch.xafs.sigma2_models import sigma2_debye

    taken: list[tuple[float, Farther | None]] = []
    made = budgets.farther
    monkeypatch.setattr(budgets, "farther", lambda a, b, t: taken.append((t, made(a, b, t))) or taken[-1][1])
    paths = xs.find_paths("Cu", absorber="Cu", radius=6.0)
    for i, t in enumerate((100.0, 400.0)):
        [first] = xs.simulate.shell(paths, "Cu", n=12, r=paths[0].reff, sigma2=0.004 + 1e-5 * t, s02=0.9)
        others = xs.simulate.rest(paths, but=[paths[0]], s02=0.9, temperature=t)
        found = xs.simulate.spectrum([first, *others], element="Cu", noise=1e-4, seed=i)
        xs.write(tmp_path / f"cu_{i}K.csv", found.spectrum)
    lines = [f"{60 * i},{t}" for i, t in enumerate(logged)]
    (tmp_path / "cryostat.csv").write_text("\n".join(["seconds,temperature", *lines]) + "\n")
    (tmp_path / "cu.toml").write_text(LOGGED.replace("UNIT", unit))
    run = xs.series(tmp_path / "cu.toml", output=tmp_path / "results", progress=False)
    assert {t for t, _ in taken} == kelvin
    for t, far in taken:
        assert far is not None
        for i, (path, _, sigma2) in enumerate(far.paths[:12]):
            (tmp_path / f"feff{i}.dat").write_text(path.text)
            theirs = sigma2_debye(t, 343.0, feffpath(str(tmp_path / f"feff{i}.dat")))
            assert sigma2 == pytest.approx(float(theirs), rel=1e-3)
    if len(kelvin) > 1:
        # sigma2 of the first shell comes back within its errors, in which nothing of the farther shells' is left
        ss = run.table["ss"].to_numpy(float)
        np.testing.assert_allclose(ss, [0.005, 0.008], atol=3e-4)


def test_a_name_that_no_row_has() -> None:
    with pytest.raises(SpecError, match="Tk is no parameter"):
        parse_spec(SPEC.replace("debye(T,", "debye(Tk,"), "s.toml", SeriesSpec)
