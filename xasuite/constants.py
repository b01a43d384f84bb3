"""Constants of nature that the package uses, each in one place."""

from __future__ import annotations

from scipy import constants

# hbar^2 / 2 m_e in eV A^2: k^2 = (E - E0) / KTOE. From scipy, as Larch has it, so that both follow the same CODATA
# year: the values of 2014 and 2018 differ by 4e-8, which is 1e-7 rad of the phase 2kR at the end of a scan.
KTOE: float = 1e20 * constants.hbar**2 / (2 * constants.m_e * constants.e)
ETOK: float = 1 / KTOE  # 1/(eV A^2)
