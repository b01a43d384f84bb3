"""The correlated Debye model of sigma2, from the FEFF library that Larch ships."""

from __future__ import annotations

from collections.abc import Sequence

from . import larch


def sigma2_debye(
    symbols: Sequence[str],
    xyz: Sequence[tuple[float, float, float]],
    norman_radius: float,
    temperature: float,
    theta: float,
) -> float:
    """sigma2 in A^2 of a path over atoms at `xyz` (A), at a temperature and a Debye temperature in K.

    `norman_radius` is FEFF's mean Norman radius in bohr, as feff.dat has it: the library takes bohr, whatever
    its description says (Cu at 295 K and 315 K: 0.0089 A^2, as measured; in A it gives 0.0114). Sevillano, Meuth and
    Rehr 1979, Phys. Rev. B 20, 4908.
    """
    import xraydb

    x, y, z = zip(*xyz, strict=True)
    masses = [xraydb.atomic_mass(symbol) for symbol in symbols]
    model = larch("larch.xafs.sigma2_models").sigma2_correldebye
    return float(model(len(masses), float(temperature), float(theta), norman_radius, x, y, z, masses))
