"""Small series of known truth: a Co-O shell whose distance grows along the series, as text scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .damage import Columns, write_scan

E0 = 7709.0
ETOK = 1 / 3.8099819442818976
BUDGET = """
[errors]
shells = false  # the scans hold one shell and no other
"""
SPEC = """
xasuite = 2
title = "a growing Co-O shell"

[sample]
element = "Co"
edge = "K"

[series]
files = ["scans/*.txt"]
mu = "ln(i0/it)"
time = {{ every = 6, unit = "min" }}
time_unit = "min"
chunk = {chunk}
{more}

[reduce]
e0 = 7709.0
pre_range = [-150, -50]
norm_range = [150, 690]

[fit]
k = [3.0, 11.0]
kweight = [2]
r = [1.15, 2.2]

[errors]
shells = false  # the scans hold one shell and no other

[params]
s02 = {{ value = 0.77, stderr = 0.02 }}
enot = {{ guess = 0.0, min = -15, max = 15 }}
n_o = {{ guess = 5.0, min = 0 }}
dr_o = {{ guess = 0.0 }}
ss_o = {{ guess = 6e-3, min = 0, max = 0.03 }}

[[path]]
label = "Co-O"
crystal = "CoO"
scatterer = "O"
n = "n_o"
s02 = "s02"
e0 = "enot"
deltar = "dr_o"
sigma2 = "ss_o"
"""


@pytest.fixture(scope="session")
def co_o():
    """FEFF's Co-O path."""
    from xasuite import feff

    paths = feff.find_paths(feff.load_crystal("CoO"), absorber="Co", radius=4.0)
    return feff.select(paths, scatterer="O")


def exafs(path, k, n=5.8, s02=0.77, r=1.97, sigma2=0.008, e0=0.0):
    """chi(k) of one path by FEFF's equation, written out here."""
    q = np.sqrt(np.maximum(k**2 - e0 * ETOK, 1e-6))
    amp, pha = np.interp(q, path.k, path.amp), np.interp(q, path.k, path.pha)
    lam, rep = np.interp(q, path.k, path.lam), np.interp(q, path.k, path.rep)
    p = rep + 1j / lam
    z = n * s02 * amp / (q * r**2) * np.exp(-2 * path.reff * p.imag - 2 * p**2 * sigma2)
    return np.imag(
        z * np.exp(1j * (2 * q * path.reff + pha + 2 * p * (r - path.reff - 2 * sigma2 / path.reff)))
    )


def scan_of(path, i, noise=2e-4, shift=0.0, share=1.0, **values):
    """A transmission scan of 450 points whose R grows by 2 mA a scan.

    `shift` moves the edge and all that follows it, eV; of a `share` below 1 the rest stands where it was.
    """
    rng = np.random.default_rng(1000 + i)
    k = np.arange(0, 13.6, 0.05)
    above = E0 + k**2 / ETOK
    energy = np.unique(
        np.concatenate(
            [np.arange(E0 - 160, E0 - 20, 2.0), np.arange(E0 - 20, E0 + 15, 0.5), above[above > E0 + 15]]
        )
    )

    def edge(e0):
        kk = np.sqrt(np.maximum(energy - e0, 0) * ETOK)
        chi = exafs(path, np.maximum(kk, 0.5), **{"r": 1.97 + 0.002 * i, **values})
        return (0.5 + np.arctan((energy - e0) / 1.2) / np.pi) * (1 + chi / (1 + np.exp(-(kk - 2.2) / 0.15)))

    both = share * edge(E0 + shift) + (1 - share) * edge(E0)
    mu = 0.4 - 2e-4 * (energy - E0) + both * (1 - 1e-4 * (energy - E0))
    i0 = 1e6 * (1 + 0.05 * np.sin(energy / 300 + i))
    return Columns(energy, i0, i0 * np.exp(-(mu + noise * rng.standard_normal(energy.size))))


@pytest.fixture(scope="session")
def make_series(co_o, tmp_path_factory):
    """make(n, damaged={row: way}, chunk=, more=, scan=, plain=) -> the spec of a folder of n scans, scan(i) each.

    `plain`: with the fit's own errors.
    """

    def make(
        n, damaged=None, chunk=5, more="", name="series", scan=lambda i: scan_of(co_o, i), plain=False
    ) -> Path:
        folder = tmp_path_factory.mktemp(name)
        for i in range(n):
            way = (damaged or {}).get(i, "")
            write_scan(folder / "scans" / f"scan_{i + 1}.txt", scan(i), way, seed=i)
        spec = folder / "grow.toml"
        text = SPEC.format(chunk=chunk, more=more)
        spec.write_text(
            text.replace(BUDGET, "").replace("\ntitle", '\nerrors = "fit"\ntitle') if plain else text
        )
        return spec

    return make
