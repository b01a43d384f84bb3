"""Artemis projects of older versions (.apj, Horae): a zip of Perl records, FEFF files and logs. The Perl is read, never run."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...errors import ReadError
from ..formats.athena import perl_items
from .artemis import read_text
from .common import (
    ARTEMIS_BACKGROUND,
    arrays,
    demeter_version,
    fit_ranges,
    geometry,
    ifeffit_reduce,
    number,
    path_values,
)
from .records import Project, ProjectData, ProjectFit, ProjectParameter, ProjectPath

# Ifeffit's names of a path's values in the records
_VALUES = ("s02", "e0", "delr", "sigma^2", "3rd", "4th", "ei", "dphase")
_KINDS = {"guess", "set", "def", "restrain", "after", "skip"}


def read_apj(archive: zipfile.ZipFile, name: str) -> Project:
    """The project of an old Artemis file. Raises ReadError for a damaged one."""
    members = archive.namelist()
    descriptions = sorted(m for m in members if re.fullmatch(r"fits/[^/]+/description", m))
    descriptions = descriptions or [m for m in members if m == "descriptions/artemis"]
    if not descriptions:
        raise ReadError(f"{name}: the Artemis project holds no fit")
    return Project(name, "Artemis (Horae)", tuple(_fit(archive, member, name) for member in descriptions))


def _fit(archive: zipfile.ZipFile, member: str, name: str) -> ProjectFit:
    text = read_text(archive, member)
    demeter_version(text[:200], name)
    data: dict[str, ProjectData] = {}
    paths = []
    for key, args in _records(text):
        if args.get("type") == "data" or re.fullmatch(r"data\d+", key):
            data[key] = _data(archive, args, f"{name}, {member}")
        elif re.fullmatch(r"data\d+\.feff\d+\.\d+", key) and args.get("include") == "1":
            paths.append((key.split(".")[0], _path(archive, key, args)))
    parameters = tuple(_parameter(p) for p in re.findall(r"^@parameter = \((.*)\);\s*$", text, re.M))
    kept = tuple(replace(p, data=data[owner].label) for owner, p in paths if owner in data)
    log = member.replace("description", "log")
    logged = read_text(archive, log) if log in archive.namelist() else ""
    found = re.search(r"^R-factor\s*=\s*([\d.eE+-]+)", logged, re.M)
    if not data:
        raise ReadError(f"{name}: {member} holds no data set")
    key = member.split("/")[1] if member.startswith("fits/") else "last"
    return ProjectFit(key, parameters, tuple(data.values()), kept, number(found[1]) if found else None)


def _records(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every record's name and its arguments."""
    for key, inside in re.findall(r"^\$old_path = '([^']*)';\s*\n@args = \((.*)\);\s*$", text, re.M):
        items = perl_items(inside)
        yield key, dict(zip(items[0::2], items[1::2], strict=False))


def _parameter(inside: str) -> ProjectParameter:
    name, kind, expression, note, *_ = [*perl_items(inside), "", "", "", ""]
    logged = re.search(r"=\s*([-\d.eE+]+)(?:\s*\+/-\s*([\d.eE+-]+))?", note)
    return ProjectParameter(
        name=name,
        kind=kind if kind in _KINDS else "skip",
        expression=expression,
        best=number(logged[1]) if logged and kind != "skip" else None,
        stderr=number(logged[2]) if logged and kind == "guess" else None,
    )


def _path(archive: zipfile.ZipFile, key: str, args: dict[str, str]) -> ProjectPath:
    folder = key.rsplit(".", 1)[0]
    values = path_values({name: args.get(name) for name in _VALUES})
    degen = number(args.get("deg") or args.get("degen"), 0.0) or 0.0
    label = re.sub(r"^\d+\s+\S+\s+\S+\s+\S+\s*:", "", args.get("intrpline", "")).replace("[+]", "").strip()
    return ProjectPath(
        label=args.get("label") or label or args["file"],
        data="",
        values={"n": f"{degen:g}", **values},
        feff=read_text(archive, f"{folder}/{args['file'].rsplit('/', 1)[-1]}"),
        **geometry({**args, "degen": degen}),
    )


def _data(archive: zipfile.ZipFile, args: dict[str, str], where: str) -> ProjectData:
    stem = args.get("file", "").rsplit("/", 1)[-1].removesuffix(".chi")
    member = f"chi_data/{stem}.xmu"
    if member not in archive.namelist():
        raise ReadError(
            f"{where}: the project holds chi(k) of {stem or 'its data'} and no mu(E), so that its background cannot be made again"
        )
    lines = [v for v in read_text(archive, member).splitlines() if v.strip() and not v.startswith("#")]
    table = np.array([[number(v, np.nan) for v in line.split()] for line in lines])
    energy, mu = arrays(table[:, 0], table[:, 1], f"{where}, {member}")
    weights = [w for w in (1, 2, 3) if args.get(f"k{w}") == "1"]
    return ProjectData(
        label=args.get("lab") or stem,
        energy=energy,
        mu=mu,
        element=args.get("fs_absorber", "").capitalize(),
        edge=args.get("fs_edge", "K").upper(),
        reduce=ifeffit_reduce(args) | {"background": "ifeffit"},
        fit={"space": args.get("fit_space", "R").lower(), "kweight": weights or [2]}
        | fit_ranges(args, where),
        lost=(ARTEMIS_BACKGROUND,) if args.get("do_bkg") == "yes" else (),
    )
