"""Empirical standards: what a path made of a known wave gives back, and copper at 150 K against copper at 10 K."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xasuite as xs
from xasuite.errors import DataError
from xasuite.exafs.fit import fit_chi
from xasuite.exafs.model import FitRange, Model, Parameter, PathModel
from xasuite.expressions import parse

K = np.arange(0.0, 18.0, 0.05)


def wave(sigma2: float, r: float = 2.55, n: float = 12.0) -> xs.Chi:
    """A shell of amplitude 0.5 and phase -0.4 k: N A / (k R^2) exp(-2 k^2 sigma2) sin(2 k (R - 2 sigma2 / R) + phase)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = n * 0.5 / (K * r**2) * np.exp(-2 * K**2 * sigma2)
        chi = size * np.sin(2 * K * (r - 2 * sigma2 / 2.55) - 0.4 * K)
    return xs.Chi(k=K, chi=np.where(K > 0, chi, 0), e0=8979.0, edge_step=1.0, element="Cu", edge="K")


def fitted(path: object, chi: xs.Chi, engine: str = "xasuite", r: tuple[float, float] = (1.6, 2.9)):  # type: ignore[no-untyped-def]
    params = (Parameter("n", 12.0), Parameter("dr", 0.0), Parameter("ss", 0.0))
    model = PathModel("p", path, parse("n"), deltar=parse("dr"), sigma2=parse("ss"))  # type: ignore[arg-type]
    return fit_chi(Model(params, (model,), FitRange((4, 13), r)), chi, engine=engine)


@pytest.mark.parametrize("engine", ["xasuite", "larch"])
def test_a_known_shell(engine: str) -> None:
    """N, R and sigma2 of a second wave against the first: 8 for 12, 0.02 A, 0.002 A^2; the filter's edges leave 1 %."""
    path = xs.empirical_standard(wave(0.004), "Cu", n=12, distance=2.55, r=(1.2, 3.4), k=(2.5, 16))
    at = (path.k > 6) & (path.k < 12)
    assert path.amp[at] == pytest.approx(0.5 * np.exp(-2 * path.k[at] ** 2 * 0.004), rel=0.02)
    turns = (path.pha[at] + (0.4 + 4 * 0.004 / 2.55) * path.k[at]) / (2 * np.pi)
    assert turns - np.rint(turns[0]) == pytest.approx(0, abs=0.02 / (2 * np.pi))
    fit = fitted(path, wave(0.006, r=2.57, n=8), engine)
    for name, value, within in (("n", 8.0, 0.1), ("dr", 0.02, 5e-4), ("ss", 0.002, 5e-5)):
        assert fit.parameter(name).value.value == pytest.approx(value, abs=within), name


def test_copper_at_150_k_by_copper_at_10_k(data_root: Path) -> None:
    """Artemis's manual fits these spectra (Using empirical standards): amplitude 1, sigma2 0.0017(3) A^2, R 0.001(2) A."""
    chis = []
    for t in (10, 150):
        norm = xs.normalize(xs.read(data_root / f"published/Cu/cu_{t}k.xmu").mu())
        chis.append(xs.background(norm, rbkg=1.0, kweight=2))
    path = xs.empirical_standard(chis[0], "Cu", n=12, distance=2.5478, r=(1.6, 3.0), k=(2.5, 14))
    fit = fitted(path, chis[1], r=(1.8, 2.8))
    assert fit.parameter("n").value.value == pytest.approx(12, abs=0.4)
    assert fit.parameter("ss").value.value == pytest.approx(0.0017, abs=0.0003)
    assert fit.parameter("dr").value.value == pytest.approx(0.001, abs=0.002)
    assert fit.rfactor < 2e-3


def test_what_is_no_standard() -> None:
    for change, said in (
        ({"scatterer": "Xx"}, "'Xx' is no element"),
        ({"n": 0}, "n and distance above 0"),
    ):
        with pytest.raises(DataError, match=said):
            xs.empirical_standard(
                wave(0.004), **{"scatterer": "Cu", "n": 12, "distance": 2.55, "r": (1, 3), **change}
            )  # type: ignore[arg-type]
