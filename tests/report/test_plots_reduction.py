"""Figures of reduction: each record its figure, axes with units, what is drawn is what the record holds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xasuite as xs
from xasuite.errors import DataError
from xasuite.records import Series, Spectrum
from xasuite.reduce import align, merge
from xasuite.report import plot
from xasuite.report.plots import style

E0 = 7709.0


def spectrum(seed: int = 0, shift: float = 0.0) -> Spectrum:
    energy = np.concatenate(
        [np.arange(7560, 7690, 2.0), np.arange(7690, 7760, 0.5), np.arange(7760, 8500, 2.0)]
    )
    x = energy - E0 - shift
    k = np.sqrt(np.maximum(x, 0) / 3.81)
    mu = 0.3 + 1 / (1 + np.exp(-x / 1.5)) * (1 + 0.1 * np.sin(4.4 * k) * np.exp(-0.1 * k))
    mu = mu + 1e-3 * np.random.default_rng(seed).normal(size=x.size)
    return Spectrum(energy=energy, mu=mu, reference=mu, element="Co", edge="K", label="test")


@pytest.fixture(autouse=True)
def closed():  # type: ignore[no-untyped-def]
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def labels(figure) -> set[str]:  # type: ignore[no-untyped-def]
    return {text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel()) if text}


def test_every_kind_has_a_figure(tmp_path: Path) -> None:
    s = spectrum()
    n = xs.normalize(s, e0=E0)
    chi = xs.background(n)
    expected = {
        "scan": (xs.Scan(energy=s.energy, channels={"mu": s.mu}), {style.ENERGY, "μ(E)"}),
        "spectrum": (s, {style.ENERGY, "μ(E)", "μ(E) of the reference"}),
        "normalized": (n, {style.ENERGY, style.NORM, "dμ/dE (eV$^{-1}$)", "μ(E)"}),
        "chi": (chi, {style.ENERGY, style.K, style.chik_label(2)}),
        "transform": (
            xs.fourier(chi, k=(3, 12), kweight=3),
            {"R (Å), not corrected for phase", "χ(R) (Å$^{-4}$)"},
        ),
        "merge": (merge([s, spectrum(1)]), {style.ENERGY, "sd (10$^{-3}$)"}),
    }
    for name, (record, wanted) in expected.items():
        figure = plot(record)
        assert wanted <= labels(figure), name
        (path,) = style.save(figure, tmp_path / name, ("png",))
        assert path.stat().st_size > 5000


def test_what_is_drawn_is_what_is_there() -> None:
    s = spectrum()
    n = xs.normalize(s, e0=E0)
    left, middle, *_ = plot(n).axes
    drawn = {line.get_label(): line for line in left.lines}
    assert np.array_equal(drawn["μ(E)"].get_ydata(), n.mu)
    assert drawn["μ(E)"].get_color() == style.DATA
    assert np.array_equal(drawn["pre-edge"].get_ydata(), n.pre_edge)
    ticks = [line.get_xdata() for line in left.lines if line.get_marker() == "|"]
    assert np.allclose(ticks[0], E0 + np.array(n.history[-1].settings["pre_range"]))
    assert np.array_equal({x.get_label(): x for x in middle.lines}["flattened"].get_ydata(), n.flat)

    chi = xs.background(n)
    right = plot(chi, kweight=3).axes[1]
    assert np.array_equal(right.lines[0].get_ydata(), chi.chi * chi.k**3)
    background = plot(chi).axes[0].lines[1]
    assert background.get_color() == style.FIT

    ft = xs.fourier(chi, k=(3, 12))
    lines = {x.get_label(): x.get_ydata() for x in plot(ft, rmax=5).axes[0].lines}
    shown = ft.r <= 5
    assert np.array_equal(lines["|χ(R)|"], ft.magnitude[shown])
    assert np.array_equal(lines["Re χ(R)"], ft.chir.real[shown])


def test_the_band_of_a_merge_is_the_scatter_of_the_scans() -> None:
    scans = [spectrum(i) for i in range(5)]
    figure = plot(merge(scans))
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    sd = np.std([s.mu for s in scans], axis=0, ddof=1)
    middle = np.mean([s.mu for s in scans], axis=0)
    assert band.max() == pytest.approx((middle + sd).max(), rel=1e-6)


def test_alignment_says_its_shift() -> None:
    to, s = spectrum(), spectrum(1, shift=2.0)
    done = align(s, to)
    figure = plot(done, to=to, before=s)
    assert f"{float(done.shift):+.3f} ± {float(done.stderr):.3f} eV" in figure.axes[0].get_title()
    assert [line.get_label() for line in figure.axes[0].lines] == ["aligned to", "before", "after"]


def test_a_stack_and_a_series_are_rows() -> None:
    rows = [spectrum(i) for i in range(100)]
    stack = replace(rows[0], mu=np.stack([r.mu for r in rows]), reference=None)
    n = xs.normalize(stack, e0=E0)
    table = pd.DataFrame({"label": [str(i) for i in range(100)]})
    series = Series(data=n, table=table, status=("ok",) * 100, reason=("",) * 100)
    for record in (stack, n, series, xs.background(n), xs.fourier(xs.background(n), k=(3, 12))):
        figure = plot(record)
        assert figure.axes[-1].get_ylabel() == "Row"
        assert 20 < len(figure.axes[0].lines) <= 62


def test_every_kind_named_exists() -> None:
    """Looked up by name, so that nothing is imported early: the names must be right."""
    import importlib

    from xasuite.report.plots.dispatch import KINDS

    for target in KINDS.values():
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(f"xasuite.report.plots.{module}"), name))
    chi = xs.background(xs.normalize(spectrum(), e0=E0))
    assert labels(plot(xs.wavelet(chi, k=(3, 12), r=(1, 4))))


def test_what_has_no_figure() -> None:
    with pytest.raises(DataError, match="a dict has no figure; there are figures of Scan, Spectrum"):
        plot({})


def test_plot_loads_nothing_before_it_is_called() -> None:
    code = (
        "import sys, xasuite as xs; xs.plot; assert not {'matplotlib', 'scipy', 'larch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
