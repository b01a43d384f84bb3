"""chi(k) from a file: two or three columns of text, or a group of an Athena project that holds chi(k)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import DataError, ReadError
from ..records import Array, Chi, Step
from .reader import load_group
from .table import Table

# step of k that the record has, 1/A: the grid that fits use (feffit's)
STEP = 0.05
# what chi(k) of a file can be: k in 1/A, its spacing, and |chi| beyond k = 5: 12 metal atoms at 2.5 A give some 0.2
_HIGHEST_K, _WIDEST, _LARGEST = 40.0, 0.25, 0.6
_K, _CHI = r"k|k_|wavenumber", r"chi"
_ERR = r"chi_err|epsilon_k|eps(_k)?|delta_chi|dchi|d_chi|chi_std|stddev|sigma"


def read_chi(
    path: str | Path,
    *,
    element: str = "",
    edge: str = "",
    chi: str | None = None,
    chi_err: str | None = None,
    kweight: int = 0,
) -> Chi:
    """The chi(k) of a file, on k from 0 in steps of 0.05 1/A.

    A file on another grid is interpolated linearly, as Larch's feffit does; below its first point chi keeps its first
    value.

    Parameters
    ----------
    path : str or Path
        The file, "x.prj::GROUP" for a group of an Athena project.
    element, edge : str
        Of the absorber.
    chi : str, optional
        The column of chi(k); left out, the column called chi, else the second.
    chi_err : str, optional
        The column of the standard deviation of chi(k); left out, a column called epsilon_k, delta_chi, chi_err or the
        like, where there is one.
    kweight : int
        The columns are chi and its deviation times k to this power.

    Returns
    -------
    Chi
        e0 and edge_step are NaN: the file does not hold them.

    Raises
    ------
    ReadError
        No such file, group or column, or no table of numbers.
    DataError
        A first column that is no k, or values that are no chi(k).

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> k = np.arange(0.0, 12.0, 0.05)
    >>> file = f"{mkdtemp()}/a.chi"
    >>> np.savetxt(file, np.column_stack([k, 0.1 * np.sin(5 * k)]))
    >>> round(float(xs.io.read_chi(file).chi[20]), 4)
    -0.0959
    """
    table, source = load_group(path)
    where = str(source)
    names = [re.sub(r"\W+", "_", n.lower()).strip("_") for n in table.names]
    if len(names) < 2:
        raise ReadError(f"{where}: chi(k) needs two columns, k and chi; it has {', '.join(table.names)}")
    at = next((i for i, n in enumerate(names) if re.fullmatch(_K, n)), 0)
    of = _column(table, names, chi, _CHI, where)
    noise = _column(table, names, chi_err, _ERR, where)
    second = 1 if at == 0 else 0
    k = table.columns[at]
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(k > 0, table.columns / k**kweight, 0.0) if kweight else table.columns
    values = held[second if of is None else of]
    errors = None if noise is None else held[noise]
    _check(k, values, where)
    if errors is not None and not (np.isfinite(errors).all() and (errors > 0).all()):
        raise DataError(
            f"{where}: the standard deviation {table.names[noise or 0]} must be above 0 at every k"
        )
    grid = STEP * np.arange(int(k[-1] / STEP + 1e-6) + 1, dtype=float)
    same = grid.size == k.size and bool(np.allclose(grid, k, rtol=0, atol=1e-6))
    note = f"k from {k[0]:.3g} in {k.size} points: interpolated linearly to steps of {STEP} 1/A"
    return Chi(
        k=grid,
        chi=values if same else np.interp(grid, k, values),
        e0=np.nan,
        edge_step=np.nan,
        element=element or table.element,
        edge=edge or table.edge,
        label=table.label or source.group or Path(source.path).stem,
        chi_err=None if errors is None else errors if same else np.interp(grid, k, errors),
        notes=() if same else (note,),
        meta=table.meta,
        source=source,
        history=(Step("read_chi", {"k": (float(k[0]), float(k[-1])), "points": int(k.size)}),),
    )


def _column(table: Table, names: list[str], asked: str | None, pattern: str, where: str) -> int | None:
    """The number of a column: the one asked for, else the one that is called so. Raises ReadError."""
    if asked is not None:
        if asked not in table.names:
            raise ReadError(f"{where}: no column {asked!r}; it has {', '.join(table.names)}")
        return table.names.index(asked)
    return next((i for i, n in enumerate(names) if re.fullmatch(pattern, n)), None)


def _check(k: Array, chi: Array, where: str) -> None:
    """Raises DataError unless k is wavenumbers and chi an unweighted chi(k)."""
    if not (np.isfinite(k).all() and np.isfinite(chi).all()):
        raise DataError(f"{where}: chi(k) holds NaN or inf; take those rows out")
    if (np.diff(k) <= 0).any():
        raise DataError(f"{where}: k does not rise from row to row; sort the file by k, each k once")
    if k[0] < 0 or k[0] > 5 or k[-1] > _HIGHEST_K or k[-1] < 3:
        raise DataError(
            f"{where}: its first column runs from {k[0]:g} to {k[-1]:g}, which is no k in 1/A; for mu(E) leave kind out"
        )
    if np.diff(k[k > 1]).max(initial=0.0) > _WIDEST:
        raise DataError(
            f"{where}: k in steps of up to {np.diff(k[k > 1]).max():.2g} 1/A is too coarse for EXAFS"
        )
    largest = float(np.abs(chi[k > 5]).max(initial=0.0)) or float(np.abs(chi).max())
    if not 0 < largest < _LARGEST:
        raise DataError(
            f"{where}: |chi| reaches {largest:.3g} beyond k = 5 1/A, which no EXAFS does; where the column is chi times a "
            "power of k, say which (chi_kweight in a spec)"
        )
