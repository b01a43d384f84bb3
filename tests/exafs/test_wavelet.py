"""Wavelet transforms against Larch, PyWavelets, an FFT written out here, and what analysis says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from xasuite.errors import DataError, RangeError
from xasuite.exafs.fourier_transform import forward, fourier, k_window
from xasuite.exafs.wavelet_transform import difference, iter_wavelet, wavelet, wavelets
from xasuite.exafs.wavelet_transform.cauchy import Cauchy
from xasuite.exafs.wavelet_transform.morlet import Morlet
from xasuite.records import Chi, Series

K = 0.05 * np.arange(321)
RSTEP = math.pi / (0.05 * 2048)


def record(chi: np.ndarray, label: str = "test") -> Chi:
    shape = chi.shape[:-1]
    return Chi(
        k=0.05 * np.arange(chi.shape[-1]), chi=chi, e0=np.zeros(shape), edge_step=np.ones(shape), label=label
    )


def two_shells(rows: int | None = None, seed: int = 3) -> Chi:
    rng = np.random.default_rng(seed)
    shape = (K.size,) if rows is None else (rows, K.size)
    wave = 0.4 * np.sin(2 * K * 1.6 + 0.3) * np.exp(-0.02 * K**2) + 0.1 * np.sin(2 * K * 2.5 + 1)
    return record(wave / (1 + 0.05 * K**2) + 1e-3 * rng.standard_normal(shape))


def packet(k0: float, r0: float, width: float = 1.5) -> Chi:
    """A wave sin(2 k r0) that lives around k0."""
    return record(np.sin(2 * K * r0 + 0.7) * np.exp(-((K - k0) ** 2) / (2 * width**2)))


def by_fft(chik: np.ndarray, r: np.ndarray, response, nfft: int = 16384) -> np.ndarray:
    """The definition: one long FFT, the filter of each R, one inverse FFT each."""
    omega = 2 * np.pi * np.fft.fftfreq(nfft, 0.05)
    spectrum = np.fft.fft(chik, nfft)
    return np.array([np.fft.ifft(spectrum * response(omega / (2 * at)))[: chik.size] for at in r])


@pytest.mark.parametrize(("rmax", "kweight"), [(6.0, 2), (10.0, 0), (4.0, 3)])
def test_cauchy_equals_larch(rmax: float, kweight: int) -> None:
    """Larch's cauchy_wavelet, which takes the number of R points for the order, to 1e-8 of its largest value."""
    from larch import Group
    from larch.xafs import cauchy_wavelet

    chi = two_shells()
    group = Group(k=K * 1.0, chi=chi.chi * 1.0)
    cauchy_wavelet(group, kweight=kweight, rmax_out=rmax)
    nr = group.wcauchy_r.size
    ours = wavelet(chi, kind="cauchy", kweight=kweight, r=(0, rmax), nr=nr, order=nr)
    np.testing.assert_allclose(ours.r[1:], group.wcauchy_r[1:], atol=1e-12)
    assert np.abs(ours.wt - group.wcauchy).max() < 1e-8 * group.wcauchy_mag.max()


@pytest.mark.parametrize(("eta", "sigma"), [(10, 1), (6, 1), (2, 1.2), (5, 4)])
def test_morlet_equals_the_direct_fft(eta: float, sigma: float) -> None:
    """The bank of short periods gives what one FFT of 16384 points gives, negative frequencies included."""
    chi = two_shells()
    ours = wavelet(chi, k=(3, 13), r=(0.5, 6), eta=eta, sigma=sigma, scaling="amplitude")
    s2 = (eta * sigma) ** 2

    def response(u: np.ndarray) -> np.ndarray:
        raw = np.exp(-s2 * (u - 1) ** 2 / 2) - np.exp(-s2 * (u**2 + 1) / 2)
        return 2 * raw / (1 - math.exp(-s2))

    direct = by_fft(chi.chi * K**2 * k_window(K, (3, 13)), ours.r, response)
    assert np.abs(ours.wt - direct).max() < 1e-8 * np.abs(direct).max()


def test_morlet_equals_the_sum_over_k() -> None:
    """The textbook integral, without any FFT: 1/sqrt(a) sum f(k') psi*((k' - k)/a) dk' with a = eta / 2R."""
    eta, sigma = 8.0, 1.25
    chi = two_shells()
    ours = wavelet(chi, k=(3, 13), r=(1, 4), nr=7, eta=eta, sigma=sigma)
    f = chi.chi * K**2 * k_window(K, (3, 13))
    direct = np.empty((7, K.size), complex)
    for i, r in enumerate(ours.r):
        t = (K[None, :] - K[:, None]) * 2 * r / eta
        psi = (np.exp(1j * eta * t) - math.exp(-((eta * sigma) ** 2) / 2)) * np.exp(-(t**2) / (2 * sigma**2))
        direct[i] = math.sqrt(2 * r / eta) * 0.05 * (np.conj(psi) * f).sum(1)
    # Its phase is counted from k, that of a filter's output from 0; one constant holds for every R
    ratio = np.abs(ours.wt) / np.abs(direct)
    strong = np.abs(direct) > 1e-3 * np.abs(direct).max()
    assert np.ptp(ratio[strong]) < 1e-7 * ratio[strong].mean()


def test_pywavelets_agrees_as_far_as_its_grid_allows() -> None:
    """pywt's complex Morlet is the same wavelet, but pywt.cwt is not exact on this grid.

    It convolves with differences of the wavelet's integral, taken at the nearest of 2^precision tabulated
    points and over a whole number of samples: 1 % at any precision, while ours holds to 1e-8 (above).
    """
    import pywt

    eta, sigma = 10.0, 1.0
    chi = two_shells()
    r = np.array([1.5, 2.0, 2.5, 3.0])
    ours = wavelet(chi, k=(4, 12), r=(1.5, 3.0), nr=4, eta=eta, sigma=sigma, scaling="amplitude")
    f = chi.chi * K**2 * k_window(K, (4, 12))
    # psi = exp(2 i pi C t) exp(-t^2 / B) / sqrt(pi B): B = 2 sigma^2, C = eta / 2 pi; scale in samples
    name = f"cmor{2 * sigma**2}-{eta / (2 * np.pi):.12f}"
    scales = eta / (2 * r) / 0.05
    coefficients, _ = pywt.cwt(f, scales, pywt.ContinuousWavelet(name), precision=16)
    magnitude = np.abs(coefficients) * 2 / np.sqrt(scales)[:, None]
    far = np.abs(magnitude - ours.magnitude).max() / ours.magnitude.max()
    assert far < 0.012
    assert far > 1e-4, "pywt has become exact on this grid: use it in place of our own"


@pytest.mark.parametrize("scaling", ["amplitude", "energy"])
@pytest.mark.parametrize("kind", ["morlet", "cauchy"])
@pytest.mark.parametrize(("k0", "r0"), [(8.0, 2.0), (6.5, 3.7), (9.2, 2.4)])
def test_a_wave_packet_peaks_at_its_k_and_r(kind: str, scaling: str, k0: float, r0: float) -> None:
    """At its k; in R beside it by what two Gaussians make of it: the packet is 1 / width wide in 2R, the wavelet
    2R / s. A maximum in R stands where the filter's growing width and N(R) balance the Gaussians' fall:
    A^2 / 4R with "amplitude", (A^2 - B^2) / 8R with "energy" (docs/decisions/wavelet.md)."""
    width, s = 1.5, {"morlet": 10.0, "cauchy": math.sqrt(200)}[kind]
    w = wavelet(
        packet(k0, r0, width), kind=kind, kweight=0, scaling=scaling, dr=0.005, r=(r0 - 0.3, r0 + 0.3)
    )
    i, j = np.unravel_index(np.argmax(w.magnitude), w.magnitude.shape)
    assert abs(w.k[j] - k0) <= 0.05
    a, b = 1 / width, 2 * r0 / s
    beside = a**2 / (4 * r0) if scaling == "amplitude" else (a**2 - b**2) / (8 * r0)
    # Cauchy's filter is skewed: of the order of 1 / n, 0.005 of R
    assert abs(w.r[i] - r0 - beside) <= (0.012 if kind == "morlet" else 0.012 + 0.005 * r0)


@pytest.mark.parametrize("kind", ["morlet", "cauchy"])
def test_a_pure_cosine_has_its_amplitude_and_r(kind: str) -> None:
    """cos(2 k R0) of amplitude 1 gives 1 at R0, at every k away from the ends: the name "amplitude"."""
    w = wavelet(record(np.cos(2 * K * 4.0)), kind=kind, kweight=0, scaling="amplitude", dr=0.01, r=(3, 5))
    middle = np.abs(w.k - 8) < 1
    assert abs(w.r[np.argmax(w.magnitude[:, 160])] - 4.0) < 0.006
    i = np.argmin(np.abs(w.r - 4))
    np.testing.assert_allclose(w.magnitude[i, middle], 1, atol=1e-3)


@pytest.mark.parametrize(("kind", "shape"), [("morlet", {"eta": 7, "sigma": 1}), ("cauchy", {"order": 60})])
def test_energy(kind: str, shape: dict) -> None:
    """The double integral of |W|^2 is the integral of |chi(R)|^2 over R > 0: half that of (k^n chi)^2 over k."""
    chi = packet(8.0, 2.5, width=1.0)
    w = wavelet(chi, kind=kind, kweight=1, r=(0, 12), scaling="energy", **shape)
    double = (w.magnitude**2).sum() * 0.05 * RSTEP
    over_k = 0.5 * (w.chik**2).sum() * 0.05
    over_r = (np.abs(forward(w.chik, 0.05)) ** 2).sum() * RSTEP
    assert abs(over_r / over_k - 1) < 1e-6
    # What is missed lies beyond the ends of k and R of the map
    assert abs(double / over_k - 1) < 2e-3


@pytest.mark.parametrize("kind", ["morlet", "cauchy"])
def test_integral_over_k_is_chi_of_r(kind: str) -> None:
    """int W(k, R) exp(-2ikR) dk = N(R) sqrt(pi) chi(R), with "amplitude" N = 2: the map holds chi(R)."""
    k = 0.05 * np.arange(801)
    chi = record(np.sin(5 * k + 0.7) * np.exp(-((k - 20) ** 2) / 2))
    w = wavelet(chi, kind=kind, kweight=1, r=(1.5, 3.5), scaling="amplitude")
    total = (w.wt * np.exp(-2j * w.r[:, None] * w.k)).sum(-1) * 0.05
    chir = fourier(chi, k=(0.0, 40.0), dk=0.0, kweight=1, rmax=4).chir
    first = round(w.r[0] / RSTEP)
    expected = 2 * np.sqrt(np.pi) * chir[first : first + w.r.size]
    np.testing.assert_allclose(total, expected, atol=1e-4 * np.abs(expected).max())


def test_r_axis_is_that_of_chi_of_r() -> None:
    chi = two_shells()
    w, ft = wavelet(chi, r=(0, 6)), fourier(chi, rmax=6)
    np.testing.assert_allclose(w.r, ft.r[: w.r.size], atol=1e-12)


@pytest.mark.parametrize("kind", ["morlet", "cauchy"])
def test_resolution_does_not_follow_the_plotted_range(kind: str) -> None:
    chi = two_shells()
    wide, narrow = wavelet(chi, kind=kind, r=(0, 8)), wavelet(chi, kind=kind, r=(1, 4))
    first = int(np.argmin(np.abs(wide.r - narrow.r[0])))
    part = wide.wt[first : first + narrow.r.size]
    assert np.abs(part - narrow.wt).max() < 1e-9 * np.abs(wide.wt).max()


def test_widths_are_the_stated_ones() -> None:
    """A pure wave is R / (eta sigma) wide in R for Morlet, R / sqrt(order) for Cauchy (standard deviations)."""
    wave = record(np.cos(2 * np.arange(801) * 0.05 * 3.0))
    for settings, relative in (({"eta": 8.0}, 1 / 8), ({"kind": "cauchy", "order": 144}, 1 / 12)):
        w = wavelet(wave, kweight=0, scaling="amplitude", r=(2, 4.5), dr=0.01, **settings)
        profile = w.magnitude[:, 400]
        above = w.r[profile > math.exp(-0.5)]
        # filter(u) is seen along R = R0 / u, which is skewed: half the full width at exp(-1/2) to second order
        assert abs((above[-1] - above[0]) / 2 / 3.0 - relative) < 0.03


@pytest.mark.parametrize("kind", ["morlet", "cauchy"])
def test_rows_equal_singles_in_any_shape(kind: str) -> None:
    import pandas as pd

    stack = two_shells(rows=6)
    settings = {"kind": kind, "k": (3, 14), "r": (1, 4)}
    many = wavelet(stack, **settings)
    one = wavelet(record(stack.chi[4]), **settings)
    assert np.abs(many.wt[4] - one.wt).max() < 1e-12 * np.abs(one.wt).max()
    square = wavelet(record(stack.chi.reshape(2, 3, -1)), **settings)
    assert np.abs(square.wt[1, 1] - one.wt).max() < 1e-12 * np.abs(one.wt).max()
    series = Series(stack, pd.DataFrame({"label": list("abcdef")}), ("ok",) * 6, ("",) * 6)
    assert np.array_equal(wavelet(series, **settings).row(4).wt, many.wt[4])
    chunks = np.concatenate([w.wt for _, w in iter_wavelet(series, rows=4, **settings)])
    assert np.abs(chunks - many.wt).max() < 1e-12 * np.abs(many.wt).max()


def test_a_bad_row_stays_in_its_row() -> None:
    chi = two_shells(rows=3).chi.copy()
    chi[1, 7] = np.nan
    w = wavelet(record(chi), r=(1, 3))
    assert np.isnan(w.wt[1]).all()
    assert np.isfinite(w.wt[[0, 2]]).all()


def test_memory_is_bounded() -> None:
    """A stack whose result would not fit is refused with the way out; chunks of it stay small."""
    long = record(np.broadcast_to(two_shells().chi, (4000, K.size)))
    with pytest.raises(DataError, match="iter_wavelet"):
        wavelet(long)
    _, first = next(iter_wavelet(long))
    assert first.wt.nbytes < 32e6


def test_the_record_is_read_only_and_says_how_it_was_made() -> None:
    w = wavelet(two_shells(), kind="cauchy", k=(3, 12))
    with pytest.raises(ValueError, match="read-only"):
        w.wt[0, 0] = 1
    settings = w.history[-1].settings
    assert (settings["kind"], settings["order"], settings["scaling"]) == ("cauchy", 200, "larch")
    assert settings["k"] == (3.0, 12.0)


def test_several_and_their_difference() -> None:
    """The transform is linear: data less fit is the wavelet of the residual, paths add up to their sum."""
    a, b = two_shells(), two_shells(seed=9)
    wa, wb, both = wavelets([a, b, record(a.chi + b.chi)], k=(3, 13), r=(1, 4))
    scale = np.abs(both.wt).max()
    assert np.abs(wa.wt + wb.wt - both.wt).max() < 1e-12 * scale
    assert np.abs(difference(wa, wb).wt - (wa.wt - wb.wt)).max() == 0
    with pytest.raises(DataError, match="differ in eta"):
        difference(wa, wavelet(b, k=(3, 13), r=(1, 4), eta=6))
    with pytest.raises(DataError, match="different k or R grids"):
        difference(wa, wavelet(b, k=(3, 13), r=(1, 5)))


def test_errors() -> None:
    chi = two_shells()
    for settings, error, words in (
        ({"kind": "haar"}, DataError, "no wavelet 'haar'; choose one of morlet, cauchy"),
        ({"eta": 1.0}, DataError, "no resolution in R"),
        ({"kind": "cauchy", "order": 2}, DataError, "order 2"),
        ({"scaling": "peak"}, DataError, "no scaling 'peak'"),
        ({"scaling": "larch"}, DataError, "Larch has no Morlet"),
        ({"k": (3, 17)}, RangeError, "kmax = 17 1/A lies beyond the data, which end at k = 16 "),
        ({"r": (4, 3)}, RangeError, "empty"),
        ({"r": (0, 30)}, RangeError, "finer k grid"),
        ({"dr": 0.1, "nr": 50}, DataError, "give one of them"),
    ):
        with pytest.raises(error, match=words.replace("(", r"\(")):
            wavelet(chi, **settings)


def test_admissibility_against_quadrature() -> None:
    """The constants of "energy" against a plain sum over a fine grid."""
    u = np.arange(1, 400001) * 1e-5
    for kernel in (Morlet(5, 1), Morlet(10, 1), Cauchy(30), Cauchy(200)):
        plain = (kernel.filter(u) ** 2 / u).sum() * 1e-5
        assert abs(kernel.admissibility() / plain - 1) < 1e-4


def test_every_way_in_has_the_same_settings() -> None:
    """`wavelet`'s signature states names and defaults; the chunks of a series and the list of several take the same."""
    chi = Chi(k=K, chi=np.stack([np.sin(4 * K)] * 3), e0=np.zeros(3), edge_step=np.ones(3))
    (_, part), *_ = iter_wavelet(chi)
    np.testing.assert_array_equal(part.wt, wavelet(chi).wt)
    assert dict(part.history[-1].settings) == dict(wavelet(chi).history[-1].settings)
    with pytest.raises(TypeError, match="wavelet has no setting etta; it has kind, k, kweight"):
        next(iter_wavelet(chi, etta=10))
