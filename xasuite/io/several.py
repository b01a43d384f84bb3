"""`read`: one scan of a file, or the scans of several files, named in a list or by a pattern."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

from ..records import Scan
from .axis import Asked
from .reader import read_as, split_group

_PATTERN = frozenset("*?[")


@overload
def read(path: str | Path, *, element: str | None = ..., edge: str | None = ..., mu: str | None = ...,
         reference: str | None = ..., i0: str | None = ..., energy: str | None = ..., units: str | None = ...) -> Scan: ...  # fmt: skip
@overload
def read(path: list[Any] | tuple[Any, ...], *, element: str | None = ..., edge: str | None = ..., mu: str | None = ...,
         reference: str | None = ..., i0: str | None = ..., energy: str | None = ..., units: str | None = ...) -> list[Scan]: ...  # fmt: skip
def read(
    path: str | Path | list[Any] | tuple[Any, ...],
    *,
    element: str | None = None,
    edge: str | None = None,
    mu: str | None = None,
    reference: str | None = None,
    i0: str | None = None,
    energy: str | None = None,
    units: str | None = None,
) -> Scan | list[Scan]:
    """One scan of a file: XDI, an Athena project, columns of text, NXxas or plain HDF5, gzipped or not.

    Parameters
    ----------
    path : str, Path, or list of these
        The file; ``file::group`` picks one of several groups by its name, its number from 1, or a unique part of its name. A
        list of files, or a pattern such as ``"scans/*.dat"``, gives a list of scans, those of a pattern in natural order
        (scan_9 before scan_10).
    element, edge : str, optional
        As "Co", "K"; left out, they come from the header or from where mu jumps (a note says which).
    mu, reference : str, optional
        Arithmetic over channels, such as ``"ln(i0/it)"`` or ``"ifluor/i0"``; left out, found by the channels' names, else by
        what they hold. Names are taken in any letter case and by role: it, itrans and I1 are one.
    i0 : str, optional
        The column of the incident intensity, where no name says so.
    energy, units : str, optional
        The column of the energies and what it holds: "eV", "keV" or "angle" (degrees).

    Returns
    -------
    Scan, or a list of them
        Energy (n,) in eV, ascending; `notes` says everything that was changed on the way in.

    Raises
    ------
    ReadError
        The file is missing, a folder, empty, binary, damaged or not XAFS, it holds several groups and
        none was named, or no file matches the pattern.
    ChannelError
        `mu` or `reference` names a channel the file does not hold.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import xasuite as xs
    >>> energy = np.arange(8800.0, 9800.0, 2.0)
    >>> spectrum = xs.Spectrum(energy=energy, mu=np.arctan((energy - 8979) / 2), element="Cu", edge="K")
    >>> folder = tempfile.mkdtemp()
    >>> for i in (2, 10):
    ...     _ = xs.write(f"{folder}/scan_{i}.xdi", spectrum)
    >>> [Path(scan.source.path).name for scan in xs.read(f"{folder}/*.xdi")]
    ['scan_2.xdi', 'scan_10.xdi']
    """
    asked = Asked.of(
        element=element, edge=edge, mu=mu, reference=reference, i0=i0, energy=energy, units=units
    )
    if not isinstance(path, str | Path):
        return [read_as(file, asked) for one in path for file in expanded(one)]
    return [read_as(file, asked) for file in expanded(path)] if is_pattern(path) else read_as(path, asked)


def is_pattern(path: str | Path) -> bool:
    """Whether a name stands for the files that match it."""
    return bool(_PATTERN & set(str(path))) and not split_group(path)[0].exists()


def expanded(path: str | Path) -> list[str]:
    """The files that a name stands for, in natural order, each with the group named behind it.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    list of str
        Names that `read` takes, one for each scan.

    Raises
    ------
    ReadError
        A file that is missing or damaged.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> energy = np.arange(8800.0, 9800.0, 1.0)
    >>> spectrum = xs.Spectrum(energy, 0.5 + np.arctan((energy - 8979.0) / 1.5) / np.pi, "Cu", "K")
    >>> folder = mkdtemp()
    >>> for i in (10, 2):
    ...     _ = xs.write(f"{folder}/scan_{i}.xdi", spectrum)
    >>> [name.rsplit("_")[-1] for name in xs.io.expanded(f"{folder}/*.xdi")]
    ['2.xdi', '10.xdi']
    """
    from .sources import find_files

    if not is_pattern(path):
        return [str(path)]
    pattern, group = split_group(path)
    return [f"{file}::{group}" if group else str(file) for file in find_files([str(pattern)], [Path.cwd()])]
