"""Artemis projects (.fpj): a zip of YAML, one folder per fit. Read as data by PyYAML's safe loader."""

from __future__ import annotations

import re
import zipfile
from typing import Any

from ...errors import ReadError
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

_VALUES = ("n", "s02", "e0", "delr", "sigma2", "third", "fourth", "ei", "dphase")


def read_fpj(archive: zipfile.ZipFile, name: str) -> Project:
    """The project of an Artemis file. Raises ReadError for a damaged one."""
    names = sorted(archive.namelist())
    inputs = {m[1]: read_text(archive, m[0]) for n in names if (m := re.fullmatch(r"feff/(\w+)/\1\.inp", n))}
    order = re.findall(r"^\s*\d+:\s*(\w+)", read_text(archive, "order"), re.M) if "order" in names else []
    keys = order or sorted({m[1] for n in names if (m := re.match(r"fits/([^/]*)/", n))})
    fits = [_fit(archive, key, name) for key in keys if f"fits/{key}/gds.yaml" in names]
    if not fits:
        raise ReadError(f"{name}: the Artemis project holds no fit")
    return Project(name, "Artemis", tuple(fits), inputs)


LARGEST_YAML = 5_000_000
_MOST_NODES = 5_000_000


def read_text(archive: zipfile.ZipFile, member: str) -> str:
    """A member of the zip as text. Raises ReadError naming it."""
    try:
        return archive.read(member).decode("utf-8", "replace")
    except KeyError:
        raise ReadError(f"{archive.filename}: the project does not hold its file {member}") from None
    except (zipfile.BadZipFile, OSError, EOFError) as exc:
        raise ReadError(
            f"{archive.filename}: {member} cannot be read: {exc}; the project is damaged"
        ) from None


def _documents(archive: zipfile.ZipFile, member: str) -> list[Any]:
    import yaml

    held = archive.NameToInfo.get(member)
    if held is not None and held.file_size > LARGEST_YAML:
        raise ReadError(
            f"{archive.filename}: {member} has more than {LARGEST_YAML / 1e6:g} MB, as no fit does"
        )
    try:
        found = list(yaml.load_all(read_text(archive, member), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        _count(found, {})
    except (yaml.YAMLError, RecursionError, ValueError) as exc:
        said = " ".join(str(exc).split())[:200]
        raise ReadError(f"{archive.filename}: {member} is no YAML: {said}; the project is damaged") from None
    return found


def _count(node: Any, known: dict[int, int]) -> int:
    """How many nodes a YAML document has when its aliases are expanded. Raises ValueError for more than any project holds."""
    if not isinstance(node, (list, dict)):
        return 1
    if id(node) not in known:
        known[id(node)] = _MOST_NODES  # of one that holds itself
        inside = node if isinstance(node, list) else [*node, *node.values()]
        known[id(node)] = 1 + sum(_count(n, known) for n in inside)
    if known[id(node)] > _MOST_NODES:
        raise ValueError("its aliases stand for more than any project holds")
    return known[id(node)]


def _fit(archive: zipfile.ZipFile, key: str, name: str) -> ProjectFit:
    folder = f"fits/{key}"
    structure = _documents(archive, f"{folder}/structure.yaml")
    log = _documents(archive, f"{folder}/fit.yaml")[0] if f"{folder}/fit.yaml" in archive.namelist() else {}
    demeter_version(str(log.get("fitenvironment", "")), name)
    by_larch = "larch" in str(log.get("fitenvironment", "")).lower()  # Demeter runs on either
    data = {
        g: d
        for g in structure[1] or []
        if (d := _data(archive, f"{folder}/{g}.yaml", f"{name}, fit {key}", by_larch)) is not None
    }
    performed = bool(number(log.get("n_varys"), 0.0))
    parameters = tuple(_parameter(d, performed) for d in _documents(archive, f"{folder}/gds.yaml") if d)
    paths = tuple(
        _path(d, data[d["datagroup"]].label, f"{name}, fit {key}")
        for d in _documents(archive, f"{folder}/paths.yaml")
        if d and d.get("include") and d.get("datagroup") in data
    )
    rfactor = number(log.get("r_factor")) if performed else None
    return ProjectFit(key, parameters, tuple(data.values()), paths, rfactor)


def _path(d: dict[str, Any], data: str, where: str) -> ProjectPath:
    label = str(d.get("label") or d.get("name") or "path")
    return ProjectPath(
        label=re.sub(r"^\[[^]]*\]\s*", "", label).strip(),
        data=data,
        values=path_values({k: _with_cv(d.get(k)) for k in _VALUES}),
        feff_input=str(d.get("parentgroup", "")),
        atoms=_atoms(d, f"{where}, path {d.get('label')}"),
        **geometry(d),
    )


def _atoms(d: dict[str, Any], where: str) -> tuple[tuple[float, float, float, int, str], ...]:
    """The atoms after the absorber, from the lines that FEFF writes above a path's table.

    A path of one distance (SSPath) has none: it names a potential and how far away it is.
    """
    try:
        rows = [line.split() for line in str(d.get("geometry") or "").splitlines()[2:] if line.strip()]
        if not rows and (potential := number(d.get("ipot"))) and (reff := number(d.get("reff"))):
            return ((0.0, 0.0, reff, int(potential), str(d.get("tag") or "")),)
        return tuple((float(x), float(y), float(z), int(pot), tag) for x, y, z, pot, _, tag, *_ in rows[1:])
    except ValueError as exc:
        raise ReadError(f"{where}: its atoms cannot be read: {exc}") from None


def _parameter(d: dict[str, Any], performed: bool) -> ProjectParameter:
    kind = str(d.get("gds", "guess"))
    fitted = performed and kind == "guess"  # of an lguess each data set has its own, under another name
    return ProjectParameter(
        name=str(d["name"]),
        kind=kind,
        expression=_with_cv(d.get("mathexp")),
        best=number(d.get("bestfit")) if performed and kind not in ("skip", "lguess") else None,
        stderr=number(d.get("error")) if fitted else None,
    )


def _with_cv(text: Any) -> str:
    """An expression with the data set's characteristic value, [cv], as a variable of that name."""
    return re.sub(r"\[cv\]", "cv", str("" if text is None else text), flags=re.I).strip()


def _data(archive: zipfile.ZipFile, member: str, where: str, by_larch: bool) -> ProjectData | None:
    """A data set; None for one that the fit leaves out."""
    documents = _documents(archive, member)
    args = documents[0]
    if len(documents) < 3:
        raise ReadError(f"{where}: {member} holds no data")
    if number(args.get("fit_include")) == 0:
        return None
    energy, mu = arrays(documents[1], documents[2], f"{where}, {member}")
    cv, noise = number(args.get("cv")), number(args.get("fit_epsilon"), 0.0)
    weights = [w for w in (1, 2, 3) if number(args.get(f"fit_k{w}"))]
    lost = []
    if str(args.get("fit_do_bkg", "")).lower() in ("1", "yes", "true"):
        lost.append(ARTEMIS_BACKGROUND)
    if number(args.get("fit_karb")):
        lost.append(
            f"Artemis used the k weight {args.get('fit_karb_value')} as well, which is no whole number"
        )
    return ProjectData(
        label=str(args.get("name") or args.get("tag")),
        energy=energy + (number(args.get("bkg_eshift"), 0.0) or 0.0),
        mu=mu,
        element=str(args.get("bkg_z", "")).capitalize(),
        edge=str(args.get("fft_edge", "k")).upper(),
        reduce=ifeffit_reduce(args) | ({} if by_larch else {"background": "ifeffit"}),
        fit={
            "space": space if (space := str(args.get("fit_space")).lower()) in ("k", "q") else "r",
            "kweight": weights or [2],
        }
        | fit_ranges(args, where, "fft_", "bft_")
        | ({"epsilon_k": noise} if noise else {}),
        lost=tuple(lost),
        variables={} if cv is None else {"cv": cv},
    )
