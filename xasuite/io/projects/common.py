"""What the readers of several programs share: names of windows, clamps and path values; ranges; checks of versions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...errors import ReadError
from ...records import Array
from ..table import number

# Athena's and Artemis's words for the strength of a clamp
CLAMPS = {"none": 0, "slight": 3, "weak": 6, "medium": 12, "strong": 24, "rigid": 96}
WINDOWS = {"kaiser-bessel": "kaiser", "kaiser": "kaiser", "hanning": "hanning", "parzen": "parzen", "welch": "welch",
           "gaussian": "gaussian", "sine": "sine", "bessel": "bessel"}  # fmt: skip
# names of a path's values, by what the programs call them
PATH_KEYS = {
    "n": "n", "deg": "n", "degen": "n", "s02": "s02", "s0_2": "s02", "amp": "s02", "e0": "e0", "delr": "deltar", "deltar": "deltar", "dr": "deltar",
    "sigma2": "sigma2", "sigma^2": "sigma2", "ss2": "sigma2", "third": "third", "3rd": "third", "fourth": "fourth",
    "4th": "fourth", "ei": "ei", "dphase": "dphase",
}  # fmt: skip


def ranges(args: Any, **named: tuple[str, str]) -> dict[str, list[float]]:
    """The ranges [low, high] by our names, from the two keys that a program uses for their ends; empty ranges are left out."""
    found = {name: [number(args.get(end)) for end in ends] for name, ends in named.items()}
    return {
        n: [low, high]
        for n, (low, high) in found.items()
        if low is not None and high is not None and low < high
    }


def path_values(source: Any) -> dict[str, str]:
    """The values of a path under our names, empty ones left out."""
    out: dict[str, str] = {}
    for key, value in source.items():
        text = str(value).strip() if value is not None else ""
        name = PATH_KEYS.get(str(key).lower())
        if name and text and name not in out:
            out[name] = text
    return out


def geometry(path: Any) -> dict[str, Any]:
    """Half of a path's length, its degeneracy and its legs, as Artemis and Larix call them."""
    return {
        "reff": number(path.get("reff"), 0.0),
        "degen": number(path.get("degen"), 0.0),
        "nleg": int(number(path.get("nleg")) or 2),
    }


def refuse_newer(name: str, program: str, version: str, limit: int) -> None:
    """Raises ReadError for a project whose program is of a later version than is known, or of none."""
    major = number(version.partition(".")[0])
    if major is None or major >= limit:
        raise ReadError(f"{name} is of {program} version {version}; versions below {limit} can be read")


def demeter_version(text: str, name: str) -> None:
    """Refuses a project that a text says to be of a newer Demeter, Athena or Artemis than 0.9, their last."""
    if found := re.search(r"\b(Demeter|Athena|Artemis) (?:version )?(\d[\w.]*)", text):
        refuse_newer(name, found[1], found[2], 1)


def clamp(value: Any) -> int:
    """A clamp as a number."""
    given = number(value)
    return int(given) if given is not None else CLAMPS.get(str(value).strip().lower(), 0)


def window(value: Any, where: str) -> str:
    """A window under our name. Raises ReadError for one that is not known."""
    name = WINDOWS.get(str(value).strip().lower())
    if name is None:
        raise ReadError(
            f"{where}: window {str(value)[:60]!r} is not known; there are {', '.join(sorted(set(WINDOWS.values())))}"
        )
    return name


ARTEMIS_BACKGROUND = "Artemis fitted the background with the paths; here it is removed before the fit"


def fit_ranges(args: Any, where: str, k: str = "", r: str = "") -> dict[str, Any]:
    """Ranges and windows of Artemis as keys of [fit]; `k` and `r` begin its names. Raises ReadError."""
    return {
        "k": [number(args.get(f"{k}kmin")), number(args.get(f"{k}kmax"))],
        "window": window(args.get(f"{k}kwindow", "hanning"), where),
        "dk": number(args.get(f"{k}dk"), 1.0),
        "r": [number(args.get(f"{r}rmin")), number(args.get(f"{r}rmax"))],
        "dr": number(args.get(f"{r}dr"), 0.0),
        "rwindow": window(args.get(f"{r}rwindow", "hanning"), where),
    }


def feffit_ranges(
    space: str, k: Any, weights: Any, shape: str, tapers: Any, r: Any, where: str
) -> dict[str, Any]:
    """The settings of a fit by feffit or Ifeffit as keys of [fit]; `tapers` are dk1 and dk2. Raises ReadError."""
    dk, dk2 = tapers
    return {
        "space": space[0].lower(),
        "k": list(k),
        "kweight": [int(w) for w in weights],
        "window": window(shape, where) if dk else "hanning",
        "dk": dk,
        **({"dk2": dk2} if dk2 not in (None, dk) else {}),
        "r": list(r),
    }


def ifeffit_reduce(args: Any) -> dict[str, Any]:
    """The [reduce] of a spec from the names that Athena and Artemis share.

    Athena counts its pre-edge and normalisation ranges from E0 and ends its spline at bkg_spl2 in 1/A. Its
    bkg_nnorm is the number of coefficients, one more than the polynomial's degree.
    """

    def get(key: str, default: float | None = None) -> float | None:
        return number(args.get(key), default)

    out: dict[str, Any] = {
        "e0": get("bkg_e0"),
        "rbkg": get("bkg_rbkg", 1.0),
        "bkg_kweight": int(get("bkg_kw", 2) or 0),
    }
    out |= ranges(args, pre_range=("bkg_pre1", "bkg_pre2"), norm_range=("bkg_nor1", "bkg_nor2"))
    if (order := get("bkg_nnorm")) is not None:
        out["nnorm"] = max(int(order) - 1, 0)
    out |= ranges({**args, "bkg_spl1": get("bkg_spl1", 0.0)}, bkg_k=("bkg_spl1", "bkg_spl2"))
    out["clamp"] = [clamp(args.get("bkg_clamp1", 0)), clamp(args.get("bkg_clamp2", 0))]
    if (taper := get("bkg_dk")) is not None:
        out["bkg_dk"] = taper
        if taper > 0 and args.get("bkg_kwindow"):  # without a taper every window is the same box
            out["bkg_window"] = window(args["bkg_kwindow"], "the background")
    return {key: value for key, value in out.items() if value is not None}


def arrays(energy: Any, mu: Any, where: str) -> tuple[Array, Array]:
    """Energies and mu as arrays of one length. Raises ReadError."""
    try:
        x, y = np.array(energy, float), np.array(mu, float)
    except (TypeError, ValueError) as exc:
        raise ReadError(f"{where}: the data are damaged: {exc}") from None
    if x.ndim != 1 or x.shape != y.shape or x.size < 10:
        raise ReadError(
            f"{where}: {x.size} energies and {y.size} values of mu are no spectrum; the project is damaged"
        )
    return x, y
