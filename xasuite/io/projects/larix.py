"""Larix sessions (.larix): a gzipped text of one JSON document a symbol. The commands in it are never run."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np

from ...constants import KTOE
from ...errors import ReadError
from .common import arrays, fit_ranges, geometry, number, path_values, ranges, refuse_newer
from .records import Project, ProjectData, ProjectFit, ProjectParameter, ProjectPath

_HEAD = "##LARIX:"


def is_larix(text: str) -> bool:
    """Whether a text is a Larix session."""
    return text.startswith(_HEAD)


def read_larix(text: str, name: str) -> Project:
    """The project of a Larix session: the paths in use and every fit that a data group remembers.

    Raises ReadError for a damaged session or one without a fit.
    """
    refuse_newer(name, "Larix", "".join(text[len(_HEAD) : 80].split()[:1]), 2)
    symbols = _symbols(text, name)
    groups = {g: symbols[g] for g in _plain(symbols.get("_xasgroups", {})).values() if g in symbols}
    fits = []
    for key, group in groups.items():
        for i, result in enumerate(reversed(_items(group.get("feffit_history")))):
            fits.append(_fit(f"{key}_{i + 1}", group, result, symbols, name))
    if not fits:
        raise ReadError(f"{name}: the Larix session holds no fit; its spectra can be read as data")
    return Project(name, "Larix", tuple(fits))


def _symbols(text: str, name: str) -> dict[str, Any]:
    out = {}
    for key, document in re.findall(r"^<:(\w+):>\n(.*)$", text, re.M):
        try:
            out[key] = json.loads(document)
        except (ValueError, RecursionError) as exc:
            raise ReadError(f"{name}: symbol {key} of the session is damaged: {exc}") from None
    return out


def _plain(value: Any) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k != "__class__"} if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    """The items of a list that Larix writes as {"__class__": "List", "value": [...]}."""
    return list(value.get("value", [])) if isinstance(value, dict) else []


def _array(value: Any, where: str) -> Any:
    if not isinstance(value, dict) or value.get("__class__") != "Array":
        raise ReadError(f"{where} is no array; the session is damaged")
    return value["value"]


def _fit(
    key: str, group: dict[str, Any], result: dict[str, Any], symbols: dict[str, Any], name: str
) -> ProjectFit:
    where = f"{name}, fit {key}"
    label = str(group.get("filename") or group.get("groupname"))
    shared = _plain(_plain(result).get("params", {}))
    own = {p for p in shared if re.search(r"_(?:d\w+)_(?:p\w+)$", p)}
    parameters = tuple(_parameter(shared[p]["state"]) for p in shared if p not in own)
    paths = tuple(
        _path(p, label, where) for p in _plain(symbols.get("_feffpaths", {})).values() if p.get("use", True)
    )
    if not paths:
        raise ReadError(f"{where}: the session holds no path")
    data = _data(group, symbols.get("_feffit_trans", {}), label, where)
    return ProjectFit(key, parameters, (data,), paths, number(result.get("rfactor")))


def _parameter(state: list[Any]) -> ProjectParameter:
    """lmfit's state: name, value, vary, expression, min, max, step, stderr, ..."""
    name, value, vary, expression, low, high, *rest = state
    stderr = number(rest[1]) if len(rest) > 1 else None
    initial = rest[3] if len(rest) > 3 and number(rest[3]) is not None else value
    return ProjectParameter(
        name=str(name),
        kind="guess" if vary else "def" if expression else "set",
        expression=str(expression or (initial if vary else value)),
        best=number(value),
        stderr=stderr if vary else None,
        min=number(low),
        max=number(high),
    )


def _path(p: dict[str, Any], label: str, where: str) -> ProjectPath:
    values = path_values(
        {k: p.get(k) for k in ("degen", "s02", "e0", "deltar", "sigma2", "third", "fourth", "ei")}
    )
    return ProjectPath(
        label=str(p.get("label")),
        data=label,
        values=values,
        feff=_feff(p, f"{where}, path {p.get('label')}"),
        **geometry({**p, "degen": p.get("_feffdat", {}).get("degen")}),
    )


def _feff(p: dict[str, Any], where: str) -> str:
    """The feffNNNN.dat of a path. Raises ReadError where the session does not hold it."""
    if not (d := p.get("_feffdat")):
        raise ReadError(f"{where}: the session does not hold FEFF's result of this path")
    try:
        return _feff_dat(d, where)
    except (KeyError, TypeError, ValueError) as exc:
        raise ReadError(f"{where}: FEFF's result is damaged: {type(exc).__name__} {exc}") from None


def _feff_dat(d: dict[str, Any], where: str) -> str:
    """A feffNNNN.dat from what Larch read of one: its columns and geometry, in FEFF's layout."""
    names = ("k", "real_phc", "mag_feff", "pha_feff", "red_fact", "lam", "rep")
    columns = [_array(d.get(c), f"{where}: {c}") for c in names]
    found = re.search(r"feff(\d{4})\.dat", str(d.get("filename")))
    lines = [
        f" {d.get('title', '')}",
        *_potentials(d),
        f" Gam_ch={d.get('gam_ch')} {d.get('exch') or 'H-L exch'}",
        f" Mu={d.get('vmu')} kf={_kf(d)} Vint={d.get('vint')} Rs_int= {d.get('rs_int')}",
        f" Path {int(found[1]) if found else 1}      icalc       2",
        " -----------------------------------------------------------------------",
        f" {int(d['nleg'])} {d['degen']:.3f} {d['reff']:.4f} {d['rnorman']:.4f} {d['edge']:.5f} nleg, deg, reff, rnrmav(bohr), edge",
        "        x         y         z   pot at#",
    ]
    for atom in _items(d.get("geom")):
        symbol, z, potential, _, x, y, zed = _items(atom)
        lines.append(
            f"  {float(x):9.4f} {float(y):9.4f} {float(zed):9.4f} {int(potential)} {int(z)} {symbol}"
        )
    lines.append("    k   real[2*phc]   mag[feff]  phase[feff] red factor   lambda     real[p]@#")
    lines += [" ".join(f"{v:.8e}" for v in row) for row in np.array(columns, float).T]
    return "\n".join(lines) + "\n"


def _potentials(d: dict[str, Any]) -> list[str]:
    """One line per potential: its number, atomic number, and its muffin-tin and Norman radii in A."""
    rows = [_items(p) for p in _items(d.get("potentials"))]
    rows = rows or [[0, _items(_items(d.get("geom"))[0])[1], 0.0, 0.0]]
    radii = [(number, f"Z={z} Rmt= {rmt} Rnm= {rnm}") for number, z, rmt, rnm in rows]
    return [f" Pot {n} {said}" if n else f" Abs   {said} {d.get('shell') or 'K'} shell" for n, said in radii]


def _kf(d: dict[str, Any]) -> str:
    """The Fermi momentum in 1/A from Larch's vfermi in eV."""
    energy = number(d.get("vfermi"), 0.0) or 0.0
    return f"{(max(energy, 0.0) / KTOE) ** 0.5:.5f}"


def _data(group: dict[str, Any], transform: dict[str, Any], label: str, where: str) -> ProjectData:
    energy, mu = arrays(
        _array(group.get("energy"), f"{where}: energy"), _array(group.get("mu"), f"{where}: mu"), where
    )
    calls = {k: _plain(v) for k, v in _plain(group.get("callargs", {})).items()}
    pre, bkg = calls.get("pre_edge", {}), calls.get("autobk", {})
    reduce: dict[str, Any] = {
        # the spline counts k from its own E0 where one was set
        "e0": number(group.get("ek0")) or number(group.get("e0")),
        "rbkg": number(bkg.get("rbkg"), 1.0),
        "bkg_kweight": int(number(bkg.get("kweight"), 1) or 0),
        "bkg_k": [number(bkg.get("kmin"), 0.0), number(bkg.get("kmax"))],
        "bkg_dk": number(bkg.get("dk"), 0.1),
        "clamp": [int(number(bkg.get("clamp_lo"), 0) or 0), int(number(bkg.get("clamp_hi"), 1) or 0)],
    }
    # Larix counts the ranges from the E0 of the normalisation
    offset = (number(group.get("e0")) or reduce["e0"]) - reduce["e0"]
    found = ranges(pre, pre_range=("pre1", "pre2"), norm_range=("norm1", "norm2"))
    reduce |= {n: [low + offset, high + offset] for n, (low, high) in found.items()}
    if (order := number(pre.get("nnorm"))) is not None:
        reduce["nnorm"] = int(order)
    end = math.sqrt((energy[-1] - reduce["e0"]) / KTOE)
    if reduce["bkg_k"][1] is None or reduce["bkg_k"][1] > end:  # Larch ends the spline where the data end
        del reduce["bkg_k"]
    lost = []
    if abs(offset) > 1e-6:
        lost.append(
            f"Larix took the edge step at {reduce['e0'] + offset:g} eV and counted k from {reduce['e0']:g}; here both are the second"
        )
    weights = transform.get("kw", 2)
    return ProjectData(
        label=label,
        energy=energy,
        mu=mu,
        element=str(group.get("atsym", "")).capitalize(),
        edge=str(group.get("edge", "K")).upper(),
        reduce=reduce,
        fit={
            "space": str(transform.get("fitspace", "r")).lower(),
            "kweight": [int(w) for w in (_items(weights) or [weights])],
            **fit_ranges({**transform, "kwindow": transform.get("window", "kaiser")}, where),
        },
        lost=tuple(lost),
    )
