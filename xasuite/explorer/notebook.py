"""Opening the page: in a notebook, and what a browser is served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ReadError

SUFFIXES = (".dat", ".txt", ".xdi", ".xmu", ".prj", ".h5", ".nxs", ".hdf5", ".csv")


def explore(what: Any, *, save_as: str | Path | None = None, port: int = 0) -> Any:
    """Open the page on scans or on a spec: in a notebook it is shown in the cell.

    Parameters
    ----------
    what : object
        str, Path, sequence of these, Scan or Spectrum Data files, a folder of them, a spec (.toml), or a
        record that was read from a file.
    save_as : str or Path, optional
        str or Path, optional The spec that Save writes; for a spec its own file, else explore.toml in the
        working folder.
    port : int
        int Port on this machine; 0 takes a free one.

    Returns
    -------
    object
        None The page is shown.

    Raises
    ------
    ReadError
        No such file, or a folder without data files.

    Examples
    --------
    >>> from xasuite.errors import ReadError
    >>> from xasuite.explorer import inputs
    >>> try:
    ...     inputs("no_such.dat")
    ... except ReadError as exc:
    ...     print(exc)
    there is no file no_such.dat
    """
    from bokeh.io import output_notebook, show

    make = page_maker(what, save_as)

    def document(doc: Any) -> None:
        doc.add_root(make())

    output_notebook(hide_banner=True)
    show(document, notebook_url=f"127.0.0.1:{port}" if port else "http://localhost:8888")


def page_maker(what: Any, save_as: str | Path | None = None) -> Any:
    """A function that gives the layout of a fresh page. Raises ReadError as `explore` does."""
    try:
        from .page import Page
    except ModuleNotFoundError as exc:
        raise ReadError(f'the page needs {exc.name}: pip install "xasuite[explore]"') from None
    scans, spec = inputs(what)
    target = Path(save_as) if save_as else spec or Path("explore.toml")
    text = spec.read_text(encoding="utf-8") if spec else ""
    if not scans and not text:
        raise ReadError("there is nothing to show: name data files, a folder of them or a spec")
    return lambda: Page(scans, text, target.resolve().parent, target.resolve()).layout()


def inputs(what: Any) -> tuple[tuple[Path, ...], Path | None]:
    """Data files and the spec among what was named. Raises ReadError."""
    source = getattr(what, "source", None)
    if source is not None:
        what = source.path
    given: Sequence[Any] = [what] if isinstance(what, str | Path) else list(what)
    scans: list[Path] = []
    spec: Path | None = None
    for one in map(Path, given):
        if one.suffix == ".toml":
            spec = one
        elif one.is_dir():
            scans += sorted(p for p in one.iterdir() if p.suffix.lower() in SUFFIXES)
        else:
            scans.append(one)
    missing = next((p for p in [*scans, *([spec] if spec else [])] if not p.exists()), None)
    if missing is not None:
        raise ReadError(f"there is no file {missing}")
    return tuple(scans), spec
