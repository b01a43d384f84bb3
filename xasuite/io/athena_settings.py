"""How a record was made, in the words of an Athena project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def athena_settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Athena's keys of a record's steps: normalisation, background and Fourier transforms, where it has them.

    Athena counts the coefficients of its post-edge polynomial, one more than its degree. An edge step that no polynomial of
    Athena gives is fixed.
    """
    steps = {s["name"]: s for s in facts.get("history", ())}
    out: dict[str, Any] = {}
    if norm := steps.get("normalize"):
        _pair(out, norm.get("pre_range"), "bkg_pre1", "bkg_pre2")
        _pair(out, norm.get("norm_range"), "bkg_nor1", "bkg_nor2")
        if norm.get("nnorm") is not None:
            out["bkg_nnorm"] = min(int(norm["nnorm"]) + 1, 3)
        out["bkg_step"] = facts["edge_step"]
        out["bkg_fixstep"] = int(norm.get("method") != "polynomial")
    if bkg := steps.get("background"):
        names = {"rbkg": "rbkg", "kw": "kweight", "dk": "dk", "kwindow": "window"}
        out |= {f"bkg_{theirs}": bkg[ours] for theirs, ours in names.items()}
        out |= {"bkg_clamp1": bkg["clamp"][0], "bkg_clamp2": bkg["clamp"][1], "bkg_nclamp": bkg["nclamp"]}
        _pair(out, bkg["k"], "bkg_spl1", "bkg_spl2")
    if ft := steps.get("fourier"):
        out |= {"fft_dk": ft["dk"], "fft_kwindow": ft["window"], "fft_kw": ft["kweight"]}
        _pair(out, ft["k"], "fft_kmin", "fft_kmax")
    if back := steps.get("back_fourier"):
        out |= {"bft_dr": back["dr"], "bft_rwindow": back["window"]}
        _pair(out, back["r"], "bft_rmin", "bft_rmax")
    return out


def _pair(out: dict[str, Any], pair: Any, low: str, high: str) -> None:
    if pair is not None and len(pair) == 2:
        out[low], out[high] = float(pair[0]), float(pair[1])
