"""Constants of nature that the package uses, each in one place and without scipy, which takes a fifth of a second."""

from __future__ import annotations

import math

_HBAR = 6.62607015e-34 / (2 * math.pi)  # J s, exact since 2019
_E = 1.602176634e-19  # C, exact
_M_E = 9.1093837139e-31  # kg, CODATA 2022; that of 2018 is 1.4e-9 smaller

# hbar^2 / 2 m_e in eV A^2: k^2 = (E - E0) / KTOE. Larch takes scipy's, of the CODATA year that scipy is at: a test holds
# the two together. (CODATA 2014's is 4e-8 smaller.)
KTOE: float = 1e20 * _HBAR**2 / (2 * _M_E * _E)
ETOK: float = 1 / KTOE  # 1/(eV A^2)

# the temperature of a sample where none is given, K
ROOM: float = 300.0

# Symbols of the elements in order of Z. xraydb has them too, but takes a second to import.
ELEMENTS: tuple[str, ...] = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca",
    "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr",
    "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd",
    "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg",
    "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf",
)  # fmt: skip


def independent_points(k: tuple[float, float], r: tuple[float, float]) -> float:
    """Independent points of a range of k (1/A) and of R (A), 1 + 2 dk dR / pi (Stern 1993; docs/decisions/n_idp.md)."""
    return 1 + 2 * (k[1] - k[0]) * (r[1] - r[0]) / math.pi
