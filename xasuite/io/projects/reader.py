"""read_project: which program wrote it is seen from its content."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from ...errors import ReadError
from ..formats.athena import is_athena
from ..limits import GZIP, contents, unpacked
from .artemis import read_fpj
from .athena import read_prj
from .feffit import is_feffit, read_feffit
from .horae import read_apj
from .ifeffit import is_ifeffit, read_ifeffit
from .larix import is_larix, read_larix
from .records import Project

# A project is text of a few MB; one that unpacks to more than this is refused.
LARGEST = 512 * 2**20
# what a value of another kind than its program writes ends in; zipfile raises RuntimeError for a password, NotImplementedError for a method
_DAMAGED = (
    TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError, RuntimeError, zlib.error, EOFError,
)  # fmt: skip


def read_project(path: str | Path) -> Project:
    """The fits of a project of Artemis (.fpj, .apj), Larix (.larix), feffit.inp or an Ifeffit script, or the groups of Athena (.prj).

    Parameters
    ----------
    path : str or Path
        The project file. Its kind is seen from its content.

    Returns
    -------
    Project
        Data, paths, parameters, ranges and logged results of every fit; or data and settings of every group.

    Raises
    ------
    ReadError
        Not there, damaged, no project of these programs, or of a newer version than is known.

    Notes
    -----
    Projects are data: no Perl, Python or Larch command in them is run, and nothing is unpickled.
    """
    path = Path(path)
    try:
        raw = contents(path)
        return _zip(path) if zipfile.is_zipfile(path) else _of_text(path, raw)
    except FileNotFoundError:
        raise ReadError(f"{path} does not exist; check the path") from None
    except OSError as exc:
        raise ReadError(f"{path} cannot be read: {exc.strerror or exc}") from None
    except _DAMAGED as exc:
        said = " ".join(str(exc).split())[:120]
        raise ReadError(
            f"{path} is damaged: its content is not what its program writes ({type(exc).__name__}: {said})"
        ) from exc


def _of_text(path: Path, raw: bytes) -> Project:
    text = _text(path, raw)
    if is_larix(text):
        return read_larix(text, path.name)
    if is_athena(text):
        return read_prj(text, path.name)
    if is_feffit(text):
        return read_feffit(text, path)
    if is_ifeffit(text):
        return read_ifeffit(text, path)
    raise ReadError(
        f"{path} is no project of Artemis (.fpj, .apj), Larix (.larix) or Athena (.prj), no feffit.inp and no script of Ifeffit "
        "with read_data, spline or feffit; data files are read by xasuite show"
    )


def _zip(path: Path) -> Project:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(i.file_size for i in archive.infolist())
            if size > LARGEST:
                raise ReadError(
                    f"{path} unpacks to {size / 2**20:.0f} MB; a project has less than {LARGEST / 2**20:.0f}"
                )
            names = archive.namelist()
            if "HORAE" in names or any(n.startswith("descriptions/") for n in names):
                return read_apj(archive, path.name)
            if "order" in names or any(n.endswith("/gds.yaml") for n in names):
                return read_fpj(archive, path.name)
    except zipfile.BadZipFile as exc:
        raise ReadError(f"{path} is a damaged zip: {exc}") from None
    raise ReadError(f"{path} is a zip, but no project of Artemis")


def _text(path: Path, raw: bytes) -> str:
    raw = unpacked(raw, str(path)) if raw[:2] == GZIP else raw
    if len(raw) > LARGEST:
        raise ReadError(f"{path} unpacks to more than {LARGEST / 2**20:.0f} MB; no project is that large")
    return raw.decode("utf-8", "replace")
