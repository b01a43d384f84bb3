"""What the wavelet figures show: axes, one colour scale, frames; and their mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from xasuite.errors import DataError
from xasuite.exafs.fourier_transform import fourier
from xasuite.exafs.wavelet_transform import wavelet
from xasuite.records import Chi
from xasuite.report.plots.wavelet import (
    plot_difference,
    plot_film,
    plot_wavelet,
    plot_wavelets,
    side_ft,
    wavelet_label,
)

K = 0.05 * np.arange(281)
SETTINGS = {"k": (3, 12), "r": (1, 4), "dr": 0.1}


def record(*heights: float) -> Chi:
    chi = np.array([h * np.sin(2 * K * 2.2) * np.exp(-0.02 * K**2) for h in heights])
    chi = chi[0] if len(heights) == 1 else chi
    return Chi(k=K, chi=chi, e0=np.zeros(chi.shape[:-1]), edge_step=np.ones(chi.shape[:-1]), label="one")


def meshes(figure) -> list:  # type: ignore[no-untyped-def]
    # A colour bar has a mesh of its own, on an axes that has that name
    return [a.collections[0] for a in figure.axes if a.collections and a.get_label() != "<colorbar>"]


def test_side_is_chi_of_r() -> None:
    """The curve beside a map is |chi(R)| of the same k weight and window, on the map's R."""
    w = wavelet(record(1.0), k=(3, 12), r=(1, 4))
    r, magnitude = side_ft(w)
    ft = fourier(record(1.0), k=(3, 12))
    np.testing.assert_allclose(magnitude, np.interp(r, ft.r, ft.magnitude), atol=1e-9 * ft.magnitude.max())


def test_several_share_one_scale_unless_told() -> None:
    both = [wavelet(record(h), **SETTINGS) for h in (1.0, 0.2)]
    shared = {m.get_clim() for m in meshes(plot_wavelets(both))}
    assert shared == {(0.0, both[0].magnitude.max())}
    assert len({m.get_clim() for m in meshes(plot_wavelets(both, each=True))}) == 2


def test_film_shows_first_and_last() -> None:
    w = wavelet(record(*np.linspace(0.1, 1, 11)), **SETTINGS)
    figure = plot_film(w, labels=[f"{t} h" for t in range(11)], frames=4)
    said = [t.get_text() for a in figure.axes for t in a.texts]
    assert said == ["0 h", "3 h", "7 h", "10 h"]
    assert {m.get_clim() for m in meshes(figure)} == {(0.0, w.magnitude.max())}
    assert len(meshes(plot_wavelet(w))) == 8


def test_difference_is_symmetric_about_zero() -> None:
    a, b = wavelet(record(1.0), **SETTINGS), wavelet(record(0.4), **SETTINGS)
    low, high = meshes(plot_difference(a, b))[-1].get_clim()
    assert low == -high
    assert abs(high / (0.6 * a.magnitude.max()) - 1) < 1e-9


def test_units_on_the_colour_bar() -> None:
    assert wavelet_label(wavelet(record(1.0), kweight=2, **SETTINGS)) == "|W| (Å$^{-2.5}$)"
    assert wavelet_label(wavelet(record(1.0), kweight=3, scaling="amplitude", **SETTINGS)) == "|W| (Å$^{-3}$)"


def test_mistakes() -> None:
    w = wavelet(record(1.0), **SETTINGS)
    with pytest.raises(DataError, match="no wavelet to draw"):
        plot_wavelets([])
    with pytest.raises(DataError, match="m labels"):
        plot_film(w, labels=["0 h"])
    with pytest.raises(DataError, match="draw a stack with plot_film"):
        plot_wavelets([wavelet(record(1.0, 2.0), **SETTINGS)])
    with pytest.raises(DataError, match="different k or R grids"):
        plot_difference(w, wavelet(record(1.0), k=(3, 12), r=(1, 5), dr=0.1))
