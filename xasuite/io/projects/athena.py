"""Athena projects (.prj) with the settings of every group: E0, ranges, background, Fourier transforms."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...constants import KTOE
from ...edges import is_element
from ...errors import ReadError
from ..formats.athena import athena_records
from ..table import unique
from .common import arrays, demeter_version, ifeffit_reduce, number, ranges, window
from .records import Project, ProjectData

_KSTEP = 0.05  # 1/A, of chi(k)
_NO_SPECTRUM = {
    "is_bkg": "a background",
    "is_rsp": "chi(R)",
    "is_qsp": "chi(q)",
    "is_pixel": "in pixels, without energies",
}


def read_prj(text: str, name: str) -> Project:
    """The groups of an Athena project with their settings. Raises ReadError for a damaged project, or one without a group."""
    demeter_version(text[:600], name)
    groups: list[ProjectData] = []
    taken: set[str] = set()
    unread: dict[str, str] = {}
    by_larch = "Using Larch version" in text[:600]  # by Larch itself; Athena writes "and using Larch"
    by_ifeffit = re.search(r"using Ifeffit", text[:600]) is not None
    for tag, record in athena_records(text, name):
        args = record.get("args") or {}
        label = unique(str(args.get("label") or tag).strip(), taken, "#")
        taken.add(label)
        try:
            group = _group(label, args, record, f"{name}, group {label[:60]!r}", by_larch)
        except ReadError as exc:
            unread[label] = str(exc)
            continue
        made = {**group.reduce, "background": "ifeffit"} if by_ifeffit else group.reduce
        groups.append(replace(group, reduce=made))
    if not groups and not unread:
        raise ReadError(f"{name}: the Athena project holds no group")
    return Project(name, "Athena", groups=tuple(groups), unread=unread)


def _group(
    label: str, args: Mapping[str, Any], record: Mapping[str, Any], where: str, by_larch: bool
) -> ProjectData:
    for key, what in _NO_SPECTRUM.items():
        if number(args.get(key), 0.0):
            raise ReadError(f"{where} is {what}; a spec begins with mu(E) or chi(k)")
    x, y = arrays(record.get("x", ()), record.get("y", ()), where)
    element, edge = str(args.get("bkg_z", "")).capitalize(), str(args.get("fft_edge", "")).upper() or "K"
    if not is_element(element) or not re.fullmatch(r"K|[LM][1-5]", edge):
        raise ReadError(f"{where} names no absorber and edge; set them in Athena")
    if number(args.get("is_chi"), 0.0):
        return ProjectData.of_chi(label, x, y, element=element, edge=edge, fit=_transform(args, where))
    reduce = ifeffit_reduce(args)
    if by_larch and (order := number(args.get("bkg_nnorm"))) is not None:
        reduce["nnorm"] = int(order)  # Larch writes the degree where Athena counts coefficients
    energy = x + (number(args.get("bkg_eshift"), 0.0) or 0.0)
    span = reduce.get("bkg_k")
    if span and "e0" in reduce and energy[-1] < reduce["e0"] + (span[1] - 0.05) ** 2 * KTOE:
        del reduce["bkg_k"]  # of a longer scan: the spline ends where the data do
    fit, lost = _transform(args, where), _lost(args)
    if "e0" in reduce and "k" in fit:
        low, high = fit["k"]
        far = math.sqrt(max(energy[-1] - reduce["e0"], 0.0) / KTOE)
        end = math.floor(min(reduce.get("bkg_k", (0.0, far))[1], far) / _KSTEP) * _KSTEP
        if low < end < high - _KSTEP:
            fit["k"] = [low, round(end, 3)]
            lost.append(f"the transform to k = {high:g}; the data end at {end:.2f} 1/A")
    return ProjectData(label, energy, y, element, edge, reduce, fit, tuple(lost))


def _transform(args: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The Fourier transforms of a group as keys of [fit]. Athena keeps the k weight with the plot, not with the group."""
    out: dict[str, Any] = ranges(args, k=("fft_kmin", "fft_kmax"), r=("bft_rmin", "bft_rmax"))
    out["kweight"] = [int(number(args.get("fft_kw"), 2.0) or 2)]
    for name, kind, key, width in (
        ("window", "fft_kwindow", "dk", "fft_dk"),
        ("rwindow", "bft_rwindow", "dr", "bft_dr"),
    ):
        taper = number(args.get(width), 0.0) or 0.0
        out[key] = taper
        # without a taper every window is the same box
        out[name] = window(args.get(kind) or "hanning", where) if taper else "hanning"
    return out


def _lost(args: Mapping[str, Any]) -> list[str]:
    """Settings of a group that a spec has no key for, a sentence each."""
    lost = []
    if number(args.get("bkg_fixstep"), 0.0):
        lost.append(f"Athena held the edge step at {args.get('bkg_step')}; here it comes from the ranges")
    if str(args.get("bkg_stan") or "None") not in ("None", "0: None"):
        lost.append(f"Athena used group {args['bkg_stan']} as the standard of the background")
    if str(args.get("bkg_algorithm") or "autobk") != "autobk":
        lost.append(f"Athena's background was made by {args['bkg_algorithm']}; here it is by autobk")
    if number(args.get("is_nor"), 0.0):
        lost.append("the group was normalised before it came to Athena; here it is normalised again")
    if number(args.get("bkg_fnorm"), 0.0):
        lost.append("Athena normalised by the shape of the background, not by the edge step")
    return lost
