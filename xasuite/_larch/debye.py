"""The correlated Debye model of sigma2, from the FEFF library that Larch ships."""

from __future__ import annotations

from ..errors import FeffError
from ..feff.paths import FeffPath
from . import larch


def sigma2_debye(path: FeffPath, temperature: float, theta: float) -> float:
    """sigma2 in A^2 of a path at a temperature and a Debye temperature, both in K.

    Sevillano, Meuth and Rehr 1979, Phys. Rev. B 20, 4908. Raises FeffError when the path's text lacks FEFF's
    mean Norman radius.
    """
    import xraydb

    rnorman = _norman_radius(path)
    x, y, z = zip(*(leg.xyz for leg in path.legs), strict=True)
    masses = [xraydb.atomic_mass(leg.symbol) for leg in path.legs]
    model = larch("larch.xafs.sigma2_models").sigma2_correldebye
    return float(model(path.nleg, float(temperature), float(theta), rnorman, x, y, z, masses))


def _norman_radius(path: FeffPath) -> float:
    """FEFF's mean Norman radius as it writes it, in bohr: the unit that the library takes, whatever Larch says."""
    for line in path.text.splitlines():
        if "rnrmav" in line:
            return float(line.split()[3])
    raise FeffError(f"{path.origin or 'path'}: its feff.dat has no Norman radius, so no Debye model")
