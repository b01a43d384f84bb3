"""Fourier transforms against Larch's xftf and xftr, and against what analysis says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from xasuite.errors import DataError, RangeError
from xasuite.exafs.fourier_transform import (
    back_fourier,
    backward,
    filtered,
    forward,
    fourier,
    k_window,
)
from xasuite.records import Chi, Series
from xasuite.reduce.window import WINDOWS, ft_window

K = 0.05 * np.arange(281)


def chi_of(rows: int | None = None, k: np.ndarray = K, seed: int = 1) -> Chi:
    """Two shells and noise; `rows` spectra of different distances."""
    rng = np.random.default_rng(seed)
    shape = () if rows is None else (rows,)
    r = 2.0 + 0.1 * rng.random((*shape, 1))
    wave = np.sin(2 * k * r + 0.4) * np.exp(-0.012 * k**2) + 0.5 * np.sin(4.4 * k * r / 2)
    chi = wave / (1 + k**2) + 1e-3 * rng.standard_normal((*shape, k.size))
    return Chi(k=k, chi=chi, e0=np.zeros(shape), edge_step=np.ones(shape), label="two shells")


CASES = [
    ((3.0, 11.0), 1.0, None, 2),
    ((2.53, 11.27), 2.0, 0.5, 3),
    ((0.0, 14.0), 0.0, None, 0),
    ((3.0, 13.9), 4.0, None, 1),
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("k", "dk", "dk2", "kweight"), CASES)
def test_equals_larch(
    window: str, k: tuple[float, float], dk: float, dk2: float | None, kweight: int
) -> None:
    """chi(R), its window, and chi(q) of every window that Larch has, to rounding."""
    from larch import Group
    from larch.xafs import xftf, xftr

    chi = chi_of()
    group = Group(k=chi.k * 1.0, chi=chi.chi * 1.0)
    xftf(group, kmin=k[0], kmax=k[1], dk=dk, dk2=dk2, window=window, kweight=kweight)
    ours = fourier(chi, k=k, dk=dk, dk2=dk2, window=window, kweight=kweight)
    scale = group.chir_mag.max()
    np.testing.assert_allclose(ours.r, group.r, atol=1e-12)
    np.testing.assert_allclose(ours.window, group.kwin, atol=1e-12)
    np.testing.assert_allclose(ours.chir, group.chir, atol=1e-12 * scale)

    # Larch's Gaussian divides by its width: zero is no Gaussian there
    dr = dk or 0.1
    xftr(group, rmin=1.2, rmax=3.1, dr=dr, window=window)
    q = filtered(ours, r=(1.2, 3.1), dr=dr, window=window)
    np.testing.assert_allclose(q, group.chiq[: K.size], atol=1e-10 * np.abs(group.chiq).max())
    back = back_fourier(ours, r=(1.2, 3.1), dr=dr, window=window)
    weighted = back.chi * back.k**kweight
    np.testing.assert_allclose(weighted[1:], group.chiq_re[1 : K.size], atol=1e-10 * np.abs(group.chiq).max())
    assert back.chi[0] == 0
    assert back.meta["kweight"] == kweight


def test_rows_equal_singles() -> None:
    stack = chi_of(rows=7)
    many = fourier(stack, k=(3, 12))
    back = back_fourier(many, r=(1, 3))
    assert many.chir.shape == (7, many.r.size)
    for i in (0, 6):
        one = Chi(k=K, chi=stack.chi[i], e0=0.0, edge_step=1.0)
        np.testing.assert_array_equal(fourier(one, k=(3, 12)).chir, many.chir[i])
        np.testing.assert_array_equal(back_fourier(fourier(one, k=(3, 12)), r=(1, 3)).chi, back.chi[i])


def test_any_leading_axes_and_series() -> None:
    import pandas as pd

    flat = chi_of(rows=6)
    square = Chi(k=K, chi=flat.chi.reshape(2, 3, -1), e0=np.zeros((2, 3)), edge_step=np.ones((2, 3)))
    np.testing.assert_array_equal(
        fourier(square, k=(3, 12)).chir.reshape(6, -1), fourier(flat, k=(3, 12)).chir
    )
    series = Series(flat, pd.DataFrame({"label": list("abcdef")}), ("ok",) * 6, ("",) * 6)
    ft = fourier(series, k=(3, 12))
    np.testing.assert_array_equal(ft.row(2).chir, fourier(flat, k=(3, 12)).chir[2])
    assert ft.row(2).label == "c"
    assert back_fourier(ft, r=(1, 3)).data.chi.shape == flat.chi.shape


def test_a_bad_row_stays_in_its_row() -> None:
    stack = chi_of(rows=3)
    chi = stack.chi.copy()
    chi[1, 50] = np.nan
    ft = fourier(Chi(k=K, chi=chi, e0=np.zeros(3), edge_step=np.ones(3)), k=(3, 12))
    assert np.isnan(ft.chir[1]).all()
    np.testing.assert_array_equal(ft.chir[[0, 2]], fourier(stack, k=(3, 12)).chir[[0, 2]])


@pytest.mark.parametrize("rows", [20, 2000], ids=str)
def test_stacks_by_matrix_products_are_the_rows_by_themselves(rows: int) -> None:
    """The window is part of the matrix; NaN where it is 0 must still be seen."""
    chi = chi_of(rows)
    values = chi.chi.copy()
    values[3, -1] = np.nan
    stack = fourier(replace(chi, chi=values), k=(3, 11), rmax=6.0).chir
    assert np.isnan(stack[3]).all()
    for row in (0, 4, rows - 1):
        alone = fourier(Chi(k=K, chi=chi.chi[row], e0=0.0, edge_step=1.0), k=(3, 11), rmax=6.0).chir
        np.testing.assert_allclose(stack[row], alone, atol=1e-13 * np.abs(alone).max())


def test_against_the_integral() -> None:
    """The FFT is the sum that the module states; a direct sum is written out here."""
    chi = chi_of()
    ft = fourier(chi, k=(3, 12), kweight=3)
    weighted = chi.chi * K**3 * k_window(K, (3, 12))
    direct = 0.05 / np.sqrt(np.pi) * (weighted * np.exp(-2j * np.outer(ft.r, K))).sum(1)
    np.testing.assert_allclose(ft.chir, direct, atol=1e-12 * np.abs(direct).max())


def test_energy_and_return() -> None:
    """Parseval: 2 int |chi(R)|^2 dR = int |k^n W chi|^2 dk; and all of R gives chi back."""
    chi = chi_of()
    weighted = chi.chi * K**2 * k_window(K, (3, 12))
    chir = forward(weighted, 0.05)
    dr = np.pi / (0.05 * 2048)
    both = 2 * (np.abs(chir) ** 2).sum() - np.abs(chir[0]) ** 2
    # The one point left out, R = pi/(2 dk), holds a thousandth of the noise, itself a percent of chi
    np.testing.assert_allclose(both * dr, (weighted**2).sum() * 0.05, rtol=1e-4)
    chir[0] /= 2
    np.testing.assert_allclose(
        backward(chir, 0.05, nk=K.size).real, weighted, atol=1e-3 * np.abs(weighted).max()
    )


def test_errors() -> None:
    chi = chi_of()
    with pytest.raises(RangeError, match=r"kmax = 14.1 1/A lies beyond the data, which end at k = 14 "):
        fourier(chi, k=(3, 14.1))
    for bad in ((5, 5), (6, 3), (-1, 5)):
        with pytest.raises(RangeError, match="empty"):
            fourier(chi, k=bad)
    with pytest.raises(DataError, match="no window 'boxcar'; choose one of hanning"):
        fourier(chi, k=(3, 12), window="boxcar")
    with pytest.raises(DataError, match="equal steps"):
        fourier(Chi(k=K + 1, chi=chi.chi, e0=0.0, edge_step=1.0), k=(3, 12))
    with pytest.raises(DataError, match="not finite at k = 5 "):
        fourier(Chi(k=K, chi=np.where(np.arange(K.size) == 100, np.nan, 0), e0=0.0, edge_step=1.0), k=(3, 12))
    ft = fourier(chi, k=(3, 12), rmax=6)
    with pytest.raises(RangeError, match="raise rmax"):
        back_fourier(ft, r=(1, 7))
    with pytest.raises(RangeError, match="empty"):
        ft_window(K, (4, 3))


def test_function_wins_over_the_module_of_its_name() -> None:
    """Whatever was imported first, ``exafs.fourier`` is the function, and the room loads no numpy by itself."""
    code = (
        "import xasuite.exafs.fourier_transform, xasuite.exafs as e; from xasuite.exafs import fourier;"
        "assert callable(e.fourier) and e.fourier is fourier; import xasuite; assert xasuite.fourier is fourier"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    code = "import sys, xasuite.exafs; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
