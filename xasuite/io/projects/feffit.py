"""feffit.inp, the input of the program feffit of before Ifeffit: read as data."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ...errors import ReadError
from .common import feffit_ranges, number
from .ifeffit import edge_of, feff_path, plain, read_columns
from .records import Project, ProjectData, ProjectFit, ProjectParameter

_PATH_VALUES = {
    "id": "id", "amp": "s02", "s02": "s02", "so2": "s02", "e0": "e0", "e0shift": "e0", "delr": "delr", "dr": "delr", "deltar": "delr",
    "sigma2": "sigma2", "ss2": "sigma2", "third": "third", "cubic": "third", "fourth": "fourth", "quartic": "fourth", "ei": "ei",
    "dphase": "dphase", "phase": "dphase", "degen": "degen",
}  # fmt: skip
_PASSED = {"title", "out", "formin", "formout", "format", "all", "allout", "kspout", "rspout", "qspout", "cormin", "prmin",
           "norun", "iprint", "comment", "rmax_out", "mftwrt", "mftfit", "nodegen", "norm"}  # fmt: skip


def is_feffit(text: str) -> bool:
    """Whether a text is an input of feffit: paths by number and file, and parameters."""
    path = re.search(r"^\s*path\s+\d+\s+[^\s=]+\s*$", text, re.M | re.I)
    return bool(path and re.search(r"^\s*(guess|set|data)\b", text, re.M | re.I))


def read_feffit(text: str, path: Path) -> Project:
    """The fit of a feffit.inp. Raises ReadError naming the line where something cannot be read."""
    settings: dict[str, str] = {}
    parameters: dict[str, ProjectParameter] = {}
    values: dict[int, dict[str, str]] = {}
    lost: list[str] = []
    for at, key, rest in _lines(text, path.name):
        if key in ("guess", "set", "def", "restrain", "restraint"):
            name, _, expression = re.sub(r"^(\w+)\s*=?\s*", r"\1\n", rest.lower()).partition("\n")
            kind = {"restraint": "restrain"}.get(key, key)
            kind = "def" if kind == "set" and number(plain(expression)) is None else kind
            parameters[name] = ProjectParameter(name, kind, plain(expression))
        elif key == "path" or key in _PATH_VALUES:
            index, _, expression = rest.partition(" ")
            if not index.isdigit():
                raise ReadError(f"{at}: {key} needs the number of a path: {rest[:40]}")
            values.setdefault(int(index), {})[_PATH_VALUES.get(key, "feff")] = expression.strip().strip("\"'")
        elif key in ("next", "include"):
            raise ReadError(
                f"{at}: {key} {rest} cannot be carried over; write a feffit.inp for each data set, with what it includes"
            )
        elif key in ("bkg", "nofit"):
            lost.append(f"{key} = {rest}")
        elif key not in _PASSED:
            settings[key] = rest
    return Project(path.name, "feffit", (_fit(path, settings, parameters, values, lost),))


def _lines(text: str, name: str) -> list[tuple[str, str, str]]:
    """Where, keyword and the rest of each line that says something; several settings in a line are several."""
    out = []
    for n, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"[!#%].*|^\s*\*.*", "", line).strip()
        word = re.match(r"(\w+)\s*(.*)$", bare)
        if word is None:
            continue
        key = word[1].lower()
        if re.match(r"=", word[2]) and key not in ("title", "data", "out"):
            out += [(f"{name}:{n}", k.lower(), v) for k, v in re.findall(r"(\w+)\s*=\s*([^\s,=]+)", bare)]
        else:
            out.append((f"{name}:{n}", key, word[2].lstrip("= ").strip()))
    return out


def _fit(
    path: Path,
    settings: dict[str, str],
    parameters: dict[str, ProjectParameter],
    values: dict[int, dict[str, str]],
    lost: list[str],
) -> ProjectFit:
    if "data" not in settings:
        raise ReadError(f"{path}: no data = FILE in it")
    at = path.name
    common = values.pop(0, {})  # path 0 stands for all of them
    columns = read_columns(path.parent / settings.pop("data"), "chi", at)
    given = [(i, {**common, **own}) for i, own in sorted(values.items()) if "feff" in own]
    paths = [feff_path(i, own, path, at) for i, own in given]
    if not paths:
        raise ReadError(f"{path}: no path N FILE in it")

    def get(*names: str, otherwise: float | None = None) -> float | None:
        return next((v for n in names if (v := number(settings.get(n))) is not None), otherwise)

    kmax, rmax = get("kmax", "qmax"), get("rmax")
    if kmax is None or rmax is None:
        raise ReadError(f"{path}: kmax or rmax is missing")
    dk, dk2 = get("dk1", "dk", otherwise=0.0), get("dk2", "dk", otherwise=0.0)
    fit = feffit_ranges(
        settings.get("fit_space", "r"), (get("kmin", "qmin", otherwise=0.0), kmax), [get("kweight", "w", otherwise=2.0) or 0],
        settings.get("kwindow", "hanning"), (dk, dk2), (get("rmin", otherwise=0.0), rmax), at,
    )  # fmt: skip
    data = ProjectData.of_chi(
        "data", columns["k"], columns["chi"], element="", edge=edge_of(paths, at), fit=fit
    )
    own = tuple(replace(p, data="data") for p in paths)
    return ProjectFit(path.stem, tuple(parameters.values()), (data,), own, lost=tuple(lost))
