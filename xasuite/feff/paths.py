"""FEFF's scattering paths: feffNNNN.dat as frozen records.

The columns are those of FEFF's documentation: k, phase shift of the central atom (real[2*phc]), effective
amplitude (mag[feff]), effective phase (phase[feff]), reduction factor, mean free path, real[p].
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..edges import element_of
from ..errors import FeffError
from ..records import Array, frozen_array


@dataclass(frozen=True)
class Leg:
    """One atom of a path: symbol, atomic number, potential index and position (A)."""

    symbol: str
    z: int
    ipot: int
    xyz: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class FeffPath:
    """One path: its geometry, the arrays (nk,) of its feff.dat, and the text of that file.

    reff in A, k and rep in 1/A, lam in A. `pha` is the effective phase plus that of the central atom, `amp` the effective
    amplitude times the reduction factor. `index` is FEFF's number of the path, `degen` its degeneracy.
    `relative_amplitude` is in % of the strongest path of its run, 0 if unknown. If the path represents a split shell, `shell` is
    the number of atoms and the mean distance (A) of that shell, else None.
    """

    index: int
    reff: float
    degen: float
    legs: tuple[Leg, ...]
    k: Array
    phc: Array
    mag: Array
    phase: Array
    red: Array
    lam: Array
    rep: Array
    text: str
    relative_amplitude: float = 0.0
    origin: str = ""
    shell: tuple[float, float] | None = None

    @property
    def crystal(self) -> tuple[float, float]:
        """Number of atoms and distance (A) in the structure of the path, or of the shell it represents; NaN atoms if unknown."""
        return self.shell or (self.degen, self.reff)

    @property
    def nleg(self) -> int:
        """Number of legs (2 for single scattering)."""
        return len(self.legs)

    @property
    def absorber(self) -> str:
        """Symbol of the absorbing atom."""
        return self.legs[0].symbol

    @property
    def scatterers(self) -> tuple[str, ...]:
        """Symbols of the other atoms along the path."""
        return tuple(leg.symbol for leg in self.legs[1:])

    @property
    def pha(self) -> Array:
        """Total phase shift (nk,)."""
        return self.phc + self.phase

    @property
    def amp(self) -> Array:
        """Effective amplitude times reduction factor (nk,)."""
        return self.mag * self.red

    @property
    def sha256(self) -> str:
        """Hash of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def parse_feff_dat(text: str, origin: str = "", relative_amplitude: float = 0.0) -> FeffPath:
    """The path in the text of a feffNNNN.dat.

    Parameters
    ----------
    text : str
        Text of the file.
    origin : str
        Name of the file or structure, used in messages.
    relative_amplitude : float
        Amplitude in % of the strongest path of its run.

    Returns
    -------
    FeffPath
        Half path length reff in A, degeneracy, atoms, and FEFF's tables over k in 1/A.

    Raises
    ------
    FeffError
        The text is not a feffNNNN.dat.

    Examples
    --------
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> again = xs.feff.parse_feff_dat(paths[0].text)
    >>> again.reff == paths[0].reff
    True
    """
    lines = text.splitlines()
    try:
        rule = next(i for i, line in enumerate(lines) if line.strip().startswith("-----"))
        head = "\n".join(lines[: rule + 1])
        nleg, degen, reff, *_ = map(float, lines[rule + 1].split()[:3])
        number = re.search(r"\bPath[ \t]+(\d+)(?!\S)", head)
        index = int(number[1]) if number else 0
        end = rule + 3 + int(nleg)
        legs = []
        for line in lines[rule + 3 : end]:
            x, y, z, ipot, atomic, *rest = line.split()
            # the tag after it can be any text: abs, S.1
            symbol = element_of(int(atomic), rest[0] if rest else "")
            legs.append(Leg(symbol, int(atomic), int(ipot), (float(x), float(y), float(z))))
        table = np.array([[float(v) for v in line.split()] for line in lines[end + 1 :] if line.strip()])
    except (StopIteration, ValueError, IndexError) as exc:
        raise FeffError(f"{origin or 'text'} is not a feffNNNN.dat: {str(exc)[:120]}") from None
    if table.ndim != 2 or table.shape[1] < 7:
        raise FeffError(f"{origin or 'text'} is not a feffNNNN.dat: its table has no seven columns")
    # the fields of a path are FEFF's columns, in FEFF's order
    k, phc, mag, phase, red, lam, rep = (frozen_array(c) for c in table.T[:7])
    return FeffPath(
        index, reff, degen, tuple(legs), k, phc, mag, phase, red, lam, rep, text, relative_amplitude, origin
    )


def read_feff_dat(path: str | Path) -> FeffPath:
    """The path in a file feffNNNN.dat.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    FeffPath
        As from `parse_feff_dat`; `origin` is the name of the file.

    Raises
    ------
    FeffError
        The file cannot be read or is not a feffNNNN.dat.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> paths = xs.find_paths("Cu", absorber="Cu", program="feff6l", radius=4.0)
    >>> from pathlib import Path
    >>> file = Path(mkdtemp()) / "feff0001.dat"
    >>> _ = file.write_text(paths[0].text)
    >>> xs.feff.read_feff_dat(file).nleg
    2
    """
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise FeffError(f"{path} cannot be read as a feffNNNN.dat: {exc}") from None
    return parse_feff_dat(text, str(path))
