"""A spec made in Python written as a file, with the records that no other file holds."""

from __future__ import annotations

from pathlib import Path

from ..files import write_text
from ..specs.schema import Spec
from ..specs.write import to_toml
from .draft import beside


def save_spec(spec: Spec, path: str | Path) -> Path:
    """Write a spec so that `xasuite fit` gives the same numbers.

    Parameters
    ----------
    spec : Spec
        What `xasuite.spec` or a result's `spec` gives.
    path : str or Path
        The file (.toml). Data files in its folder or below are named relative to it; mu(E) of records that no file gives back
        (merged, aligned, simulated) is written to its folder as CSV.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    WriteError
        When the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import xasuite as xs
    >>> from xasuite.references import fits_dir
    >>> spec = xs.load_spec(fits_dir() / "foils/co_foil_closure.toml").spec
    >>> path = xs.save_spec(spec.replace(fit={"k": (3, 10)}), tempfile.mkdtemp() + "/shorter.toml")
    >>> xs.load_spec(path).spec.fit.k
    (3.0, 10.0)
    """
    from ..io import write

    target, tables = Path(path), spec.tables()
    rows = [dict(row) for row in tables.get("data", ())]
    for row in rows:
        held = spec.held.get(row["label"])
        if held is not None and held.held:
            write(target.parent / row["file"], held.spectrum)
        elif row.get("file") and Path(row["file"].partition("::")[0]).is_absolute():
            row["file"] = beside(row["file"], target)
    return write_text(target, to_toml(tables | {"data": rows}))
