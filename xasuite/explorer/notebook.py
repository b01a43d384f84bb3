"""Opening the page in a notebook, and the choice of the page for files, a spec or a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import ReadError
from ..specs import SeriesSpec, load_spec
from ..specs.toml import parse_toml, read_text
from .analysis import load_draft

H5 = "series.h5"
HEIGHT = 760  # of the page in a notebook's cell, px
SUFFIXES = (".dat", ".txt", ".xdi", ".xmu", ".prj", ".h5", ".nxs", ".hdf5", ".csv")


def explore(what: Any, *, save_as: str | Path | None = None, port: int = 0) -> None:
    """Open the page on scans, a spec or a series: in a notebook it is shown in the cell.

    Parameters
    ----------
    what : str, Path, Scan, Spectrum or sequence of these
        Data files, a folder of them, a spec (.toml), the results of a series (their folder or series.h5), or a record
        that was read from a file.
    save_as : str or Path, optional
        The spec that Save writes. Left out, the spec's own file, else explore.toml in the working folder.
    port : int, optional
        The page's port on this machine; 0 takes a free one. The page lives as long as the notebook's kernel.

    Raises
    ------
    ReadError
        A file is not there, a folder holds no data files, or Bokeh or IPython is not installed.
    PageError
        The port is taken.
    SpecError
        The spec has mistakes.

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
    make = page_maker(what, save_as)
    try:
        from IPython.display import IFrame, display
    except ModuleNotFoundError as exc:
        raise ReadError(
            f"xs.explore shows its page in a notebook and needs {exc.name}; in a terminal: xasuite explore"
        ) from None
    from .server import serve

    display(IFrame(serve(make, port=port)[1], width="100%", height=HEIGHT))  # type: ignore[no-untyped-call]


def page_maker(what: Any, save_as: str | Path | None = None) -> Callable[[Any], None]:
    """A function that puts a new page into a Bokeh document. Raises ReadError and SpecError as `explore` does."""
    try:
        from .page import Page, first_text
    except ModuleNotFoundError as exc:
        raise ReadError(f'the page needs {exc.name}: pip install "xasuite[explore]"') from None
    results = series_results(what)
    if results is not None:
        from .series import SeriesPage

        return lambda document: SeriesPage(results).show(document)
    scans, spec = inputs(what)
    target = (Path(save_as) if save_as else spec or Path("explore.toml")).resolve()
    if not scans and not spec:
        raise ReadError("there is nothing to show: name data files, a folder of them or a spec")
    if spec:
        load_draft(read_text(spec), spec)  # raises its mistakes here, before a browser opens
    else:
        first_text(scans)

    def show(document: Any) -> None:
        Page(scans, read_text(spec) if spec else "", target).show(document)

    return show


def series_results(what: Any) -> Path | None:
    """The series.h5 of results or of a spec of a series; None for anything else. Raises ReadError."""
    if not isinstance(what, str | Path):
        if not (isinstance(what, Sequence) and len(what) == 1 and isinstance(what[0], str | Path)):
            return None
        what = what[0]
    path = Path(what)
    if path.is_dir() and (path / H5).is_file():
        return path / H5
    if path.name == H5 and path.is_file():
        return path
    if path.suffix == ".toml" and path.is_file() and "series" in parse_toml(read_text(path), path):
        loaded = load_spec(path, SeriesSpec)
        for folder in (Path("results"), path.parent / "results"):
            if (folder / loaded.name / H5).is_file():
                return folder / loaded.name / H5
        raise ReadError(
            f"{path} has no results in results/{loaded.name} yet: run xasuite series {path} first"
        )
    return None


def inputs(what: Any) -> tuple[tuple[Path, ...], Path | None]:
    """The data files and the spec (or None) that `what` names. Raises ReadError."""
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
