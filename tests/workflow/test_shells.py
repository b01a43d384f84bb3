"""[[shells]]: a whole cluster in one entry; paths picked by their atoms; what sigma2 paths of several legs have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xasuite.errors import CrystalError, SpecError
from xasuite.feff import find_paths, select
from xasuite.feff.disorder import debye_terms, sigma2
from xasuite.feff.paths import FeffPath
from xasuite.specs import parse_spec
from xasuite.workflow import check_spec, run_spec
from xasuite.workflow.resolve import Context

THETA, ALPHA, S02, E0 = 315.0, -3e-3, 0.9, 2.0
SPEC = """\
xasuite = 2
title = "Cu cluster"
errors = "fit"

[[data]]
label = "10 K"
file = "10.chi"
kind = "chi"
variables = { T = 10 }

[[data]]
label = "295 K"
file = "295.chi"
kind = "chi"
variables = { T = 295 }

[sample]
element = "Cu"

[fit]
k = [3, 14]
r = [1.6, 5.0]
together = true

[params]
a = { guess = 0.0 }
theta = { guess = 280, min = 50 }
enot = { guess = 0.0 }
s02 = { guess = 0.8 }

[[shells]]
crystal = "Cu"
upto = 5.2
alpha = "a"
sigma2 = "debye(T, theta)"
e0 = "enot"
s02 = "s02"
"""


@pytest.fixture(scope="module")
def copper() -> tuple[FeffPath, ...]:
    return find_paths("Cu", absorber="Cu", radius=6.0)


def test_a_whole_cluster(copper: tuple[FeffPath, ...], tmp_path: Path) -> None:
    """chi(k) is Larch's: its own sum over the same paths, each with its own sigma2_debye; four numbers come back."""
    from larch.xafs import feffpath, path2chi
    from larch.xafs.sigma2_models import sigma2_debye

    k = 0.05 * np.arange(301)
    kept = [p for p in copper if p.reff <= 5.2 and p.relative_amplitude >= 2.5]
    for t in (10, 295):
        total = np.zeros(k.size)
        for p in kept:
            (tmp_path / "feff.dat").write_text(p.text)
            deltar = ALPHA * p.reff
            theirs = feffpath(str(tmp_path / "feff.dat"), s02=S02, e0=E0, deltar=deltar)
            theirs.sigma2 = float(sigma2_debye(t, THETA, theirs))
            path2chi(theirs, k=k)
            total += theirs.chi
        np.savetxt(tmp_path / f"{t}.chi", np.column_stack([k, total]), header="k chi")
    (tmp_path / "cu.toml").write_text(SPEC)
    loaded = parse_spec(SPEC, tmp_path / "cu.toml")
    assert check_spec(loaded, Context(tmp_path)) == []
    result = run_spec(loaded, Context(tmp_path))
    fit = result.rows[0]
    for name, true in (("theta", THETA), ("a", ALPHA), ("s02", S02), ("enot", E0)):
        # noise-free: what is left is the extrapolation of FEFF's table at low k
        assert fit.parameter(name).value.value == pytest.approx(true, rel=1e-3), name
    listed = [r[1] for r in result.summary().rows[: len(kept)]]
    assert listed[:3] == ["Cu-Cu 2.556", "Cu-Cu 3.615", "Cu-Cu-Cu 3.834"]
    assert len(set(listed)) == len(kept) == len(fit.paths) // 2
    triangle = next(p for p in fit.paths if p.label == "Cu-Cu-Cu 3.834")
    assert triangle.n.value == 48
    assert triangle.deltar.value == pytest.approx(ALPHA * triangle.reff, rel=1e-3)
    assert result.verdicts[fit.label].good


def test_collinear_paths_and_triangles(copper: tuple[FeffPath, ...]) -> None:
    """The rules of docs/decisions/multiple_scattering.md; Larch's sigma2_debye of the same paths is held in test_tokens."""

    def of(p: FeffPath) -> float:
        return sigma2(debye_terms(p), 295.0, THETA)

    def near(a: np.ndarray, b: np.ndarray) -> bool:
        return bool(np.abs(a - b).max() < 1e-3)  # FEFF prints four digits or more

    first, far = select(copper, scatterer="Cu"), select(copper, scatterer="Cu", shell=4)
    places = {p.index: sorted((np.array(leg.xyz) for leg in p.legs[1:]), key=np.linalg.norm) for p in copper}
    focused = [p for p in copper if abs(p.reff - far.reff) < 1e-3]
    through = [p for p in focused if p.nleg == 3 and near(places[p.index][1], 2 * places[p.index][0])]
    opposite = [p for p in focused if p.nleg == 3 and near(places[p.index][1], -places[p.index][0])]
    twice = [p for p in focused if p.nleg == 4 and near(places[p.index][1], places[p.index][2])
             and near(places[p.index][0], np.zeros(3))]  # fmt: skip
    for found, expected in ((through, of(far)), (opposite, of(far)), (twice, 4 * of(first))):
        assert len(found) == 1
        assert of(found[0]) == pytest.approx(expected, rel=1e-4)
    assert 1.05 * of(first) < of(select(copper, legs=["Cu", "Cu"])) < 1.2 * of(first)


def test_paths_by_their_atoms() -> None:
    paths = find_paths("CoO", absorber="Co", radius=4.5)
    found = select(paths, legs=["O", "Co"])
    assert found.scatterers in (("O", "Co"), ("Co", "O"))
    same = [p.reff for p in paths if p.scatterers in (("O", "Co"), ("Co", "O"))]
    assert found.reff == min(same)
    assert select(paths, legs=["O"]).index == select(paths, scatterer="O").index
    with pytest.raises(CrystalError, match="no path passes O-Fe; there are O, Co, "):
        select(paths, legs=["O", "Fe"])
    with pytest.raises(CrystalError, match="no path 99 along O-Co; there are 1: "):
        select(paths, legs=["O", "Co"], shell=99)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("upto = 5.2\n", "", "s.toml:31: shells 1: upto: is missing"),
        ('"debye(T, theta)"', '"debye(T, thet)"', 's.toml:35: shells 1: sigma2 = "debye(T, thet)": thet is no parameter; did you mean "theta"?'),
        ("upto", "up_to", 's.toml:33: shells 1: up_to: no such key; did you mean "upto"?'),
        ('[[shells]]\ncrystal = "Cu"\nupto = 5.2\nalpha = "a"', '[[path]]\nlabel = "x"\ncrystal = "Cu"\ndeltar = "a"',
         's.toml:31: path "x": needs scatterer = "..." (its nearest shell), legs = ["...", "..."] (the atoms that it passes) or path = FEFF\'s own number'),
    ],
)  # fmt: skip
def test_mistakes(old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC.replace(old, new), "s.toml")
    assert said in caught.value.mistakes


def test_nothing_to_fit(tmp_path: Path) -> None:
    bare = SPEC[: SPEC.index("[params]")]
    with pytest.raises(SpecError, match=r"no \[\[path\]\] and no \[\[shells\]\]"):
        parse_spec(bare, "s.toml")
    for changed, said in (("upto = 2.0", "no path of 2.5 % or more to 2 A"), ("upto = 5.2\nwithout = [99]", "has no path 99")):  # fmt: skip
        loaded = parse_spec(SPEC.replace("upto = 5.2", changed), tmp_path / "s.toml")
        with pytest.raises(SpecError) as caught:
            check_spec(loaded, Context(tmp_path))
        assert any(m.startswith("s.toml:31: shells 1:") and said in m for m in caught.value.mistakes)
