"""path_chi against Larch's own chi(k) of the same feff.dat."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite.errors import FitError
from xasuite.exafs.equation import path_chi
from xasuite.feff import find_paths
from xasuite.feff.paths import FeffPath

K = 0.05 * np.arange(321)
CASES = [
    {"n": 12.0, "s02": 0.8, "sigma2": 0.006},
    {"n": 3.1, "s02": 0.77, "e0": 4.7, "deltar": 0.03, "sigma2": 0.0034},
    {"n": 5.5, "s02": 1.0, "e0": -8.2, "deltar": -0.06, "sigma2": 0.012, "third": 2e-4, "fourth": 3e-5},
]


@pytest.fixture(scope="module")
def paths() -> tuple[FeffPath, ...]:
    return find_paths("CoO", absorber="Co", radius=4.5)


@pytest.mark.parametrize("values", CASES)
def test_equals_larch(paths: tuple[FeffPath, ...], values: dict[str, float], tmp_path) -> None:
    """Single and multiple scattering to 1e-8 of the largest |chi|: only the splines' own rounding is left."""
    from larch.xafs import feffpath, path2chi

    for path in (paths[0], next(p for p in paths if p.nleg > 2)):
        file = tmp_path / "feff0001.dat"
        file.write_text(path.text)
        theirs = feffpath(
            str(file),
            degen=values["n"],
            **{k: values.get(k, 0.0) for k in ("e0", "deltar", "sigma2", "third", "fourth")},
            s02=values["s02"],
        )
        path2chi(theirs, k=K)
        ours = path_chi(path, K, **values)
        scale = np.abs(theirs.chi[20:]).max()
        assert np.abs(ours.imag - theirs.chi)[20:].max() < 1e-8 * scale
        assert np.abs(-ours.real - theirs.chi_imag)[20:].max() < 1e-8 * scale


def test_rows_equal_singles(paths: tuple[FeffPath, ...]) -> None:
    e0 = np.array([-3.0, 0.0, 5.0])
    n = np.array([4.0, 5.0, 6.0])
    stacked = path_chi(paths[0], K, n=n, e0=e0, sigma2=0.005)
    for i in range(3):
        np.testing.assert_array_equal(stacked[i], path_chi(paths[0], K, n=n[i], e0=e0[i], sigma2=0.005))


def test_atom_behind_the_absorber(paths: tuple[FeffPath, ...]) -> None:
    with pytest.raises(FitError, match="behind the absorber"):
        path_chi(paths[0], K, deltar=-3.0)
