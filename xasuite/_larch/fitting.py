"""Larch's feffit behind the door: arrays and names in, arrays and numbers out, no silent failure.

What is guarded here, and why, is listed in docs/decisions/larch_silent_failures.md: every path gets a file and
a label of its own, every data set its own hash, a given epsilon_k is corrected by sqrt(2), the reference
energy and k range are checked before Larch sees them, and an unused variable is an error, not a fixed value.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FitError, RangeError
from ..expressions import Expression
from ..records import Array
from . import heeding_interrupts

# feffit's own default; `tight` is what the audits use, as the default stops early (5e-4 standard errors)
DEFAULT_TOLERANCE = 1e-6
TIGHT_TOLERANCE = 1e-12
# names Larch puts into the expressions' name space, which a parameter would shadow
RESERVED = frozenset(
    {"reff", "nleg", "degen", "rmass", "rnorman", "gam_ch", "rs_int", "vint", "vmu", "vfermi", "feffpath"}
)
_OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
_FUNCTIONS = {"ln": "log", "min": "minimum", "max": "maximum"}


@dataclass(frozen=True)
class PathInput:
    """One path of one data set: a label, its feff.dat's text, and Larch's six expressions."""

    label: str
    text: str
    amplitude: Expression  # n times s02: Larch's degeneracy is set to 1
    e0: Expression
    deltar: Expression
    sigma2: Expression
    third: Expression
    fourth: Expression


@dataclass(frozen=True)
class DataInput:
    """One data set: k (nk,) in 1/A, chi (nk,), its standard deviation or None, its paths, its ranges."""

    k: Array
    chi: Array
    epsilon_k: float | None
    paths: tuple[PathInput, ...]
    k_range: tuple[float, float]
    r_range: tuple[float, float]
    kweight: tuple[int, ...]
    space: str
    window: str
    dk: float
    dk2: float | None
    dr: float
    rwindow: str


@dataclass(frozen=True)
class Variable:
    """A parameter as Larch takes it: varied between bounds, fixed, or an expression."""

    name: str
    value: float
    vary: bool
    min: float
    max: float
    expr: Expression | None


@dataclass(frozen=True)
class DataOutput:
    """What a fit gives for one data set; arrays (nk,) on Larch's k grid in 1/A."""

    k: Array
    data: Array
    fit: Array
    paths: tuple[Array, ...]
    epsilon_k: tuple[float, ...]
    epsilon_r: tuple[float, ...]
    rfactor: float
    n_idp: float


@dataclass(frozen=True)
class FitOutput:
    """What feffit gives: values of all parameters, and of the varied ones the scaled covariance."""

    values: dict[str, float]
    names: tuple[str, ...]
    covar: Array | None
    data: tuple[DataOutput, ...]
    n_idp: float
    n_data: int
    nfev: int
    chi2: float
    chi2_reduced: float
    rfactor: float
    success: bool
    message: str
    epsilon_given: bool


def python_text(expression: Expression) -> str:
    """The expression as text for asteval, whose names for ln, min and max differ from ours."""
    stack: list[str] = []
    for op, argument in expression.program:
        if op == "const":
            stack.append(f"({argument!r})")
        elif op == "name":
            stack.append(argument)
        elif op == "neg":
            stack.append(f"(-{stack.pop()})")
        elif op == "call":
            name = _FUNCTIONS.get(argument, argument)
            if argument in {"min", "max"}:
                b, a = stack.pop(), stack.pop()
                stack.append(f"{name}({a}, {b})")
            else:
                stack.append(f"{name}({stack.pop()})")
        else:
            b, a = stack.pop(), stack.pop()
            stack.append(f"({a}{_OPERATORS[op]}{b})")
    return stack[0]


@contextmanager
def _encoded_stdout() -> Any:
    """feffit asks sys.stdout for its encoding and dies where there is none (LARCH.md, crashes)."""
    if getattr(sys.stdout, "encoding", None):
        yield
        return
    saved, sys.stdout = sys.stdout, io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdout = saved


def check(variables: Sequence[Variable], data: Sequence[DataInput]) -> None:
    """Refuse what feffit would take in silence. Raises FitError or RangeError, one sentence each."""
    n_idp = 0.0
    used: set[str] = set()
    for d in data:
        if d.k.size != d.chi.size or d.k.size < 10:
            raise FitError(f"chi(k) has {d.chi.size} points on {d.k.size} k values; a fit needs 10 or more")
        if not (np.isfinite(d.k).all() and np.isfinite(d.chi).all()):
            raise FitError("chi(k) holds NaN or inf; clean mu(E) before the background is removed")
        if d.k_range[1] > d.k[-1] + 1e-9:
            raise RangeError(
                f"k = [{d.k_range[0]:g}, {d.k_range[1]:g}] 1/A goes beyond the data, which end at "
                f"{d.k[-1]:.2f} 1/A; set kmax to {np.floor(d.k[-1] * 10) / 10:g} or less"
            )
        if not d.paths:
            raise FitError("the model holds no path")
        if len({p.label for p in d.paths}) != len(d.paths):
            raise FitError("two paths have one label; give each its own")
        n_idp += 1 + 2 * (d.k_range[1] - d.k_range[0]) * (d.r_range[1] - d.r_range[0]) / np.pi
        for p in d.paths:
            for e in (p.amplitude, p.e0, p.deltar, p.sigma2, p.third, p.fourth):
                used |= e.names
    by_name = {v.name: v for v in variables}
    reserved = sorted(RESERVED & by_name.keys())
    if reserved:
        raise FitError(f"{reserved[0]!r} cannot name a parameter: Larch uses it; choose another name")
    waiting = list(used)
    while waiting:
        v = by_name.get(waiting.pop())
        if v is not None and v.expr is not None:
            waiting += [n for n in v.expr.names if n not in used]
            used |= v.expr.names
    varied = [v.name for v in variables if v.vary and v.expr is None]
    idle = sorted(set(varied) - used)
    if idle:
        raise FitError(f"parameter {idle[0]!r} is varied but no path uses it; use it or remove it")
    if len(varied) >= n_idp:
        raise FitError(
            f"{len(varied)} variables against {n_idp:.1f} independent points (1 + 2 dk dR / pi): the data cannot "
            "determine them; fix some or widen the k or R range"
        )


@heeding_interrupts()
def fit(
    variables: Sequence[Variable], data: Sequence[DataInput], *, tolerance: float = DEFAULT_TOLERANCE
) -> FitOutput:
    """Run feffit over one or several data sets at once.

    Raises FitError where Larch would return nothing, die, or fix a variable in silence; RangeError where a
    k range goes beyond the data.
    """
    check(variables, data)
    from larch.fitting import param, param_group
    from larch.xafs import feffit

    group = param_group()
    for v in variables:
        if v.expr is not None:
            setattr(group, v.name, param(expr=python_text(v.expr), name=v.name))
        else:
            setattr(group, v.name, param(v.value, vary=v.vary, min=v.min, max=v.max, name=v.name))
    with (
        tempfile.TemporaryDirectory(prefix="xasuite-fit-") as folder,
        heeding_interrupts(),
        _encoded_stdout(),
    ):
        sets = [_dataset(d, i, Path(folder)) for i, d in enumerate(data)]
        result = feffit(group, sets, tol=tolerance)
    if result is None:
        raise FitError("Larch's feffit returned nothing")
    return _output(result, sets, data)


def _dataset(d: DataInput, number: int, folder: Path) -> Any:
    """One of feffit's data sets, its paths read from files in the folder."""
    from larch import Group
    from larch.xafs import feffit_dataset, feffit_transform, feffpath

    paths = []
    for j, p in enumerate(d.paths):
        file = folder / f"d{number:03d}p{j:03d}.dat"
        file.write_text(p.text)
        given = {
            name: python_text(getattr(p, name)) for name in ("e0", "deltar", "sigma2", "third", "fourth")
        }
        paths.append(feffpath(str(file), label=f"{j:03d}", degen=1.0, s02=python_text(p.amplitude), **given))
    transform = feffit_transform(
        kmin=d.k_range[0],
        kmax=d.k_range[1],
        kweight=list(d.kweight) if len(d.kweight) > 1 else d.kweight[0],
        dk=d.dk,
        dk2=d.dk2 if d.dk2 is not None else d.dk,
        window=d.window,
        rmin=d.r_range[0],
        rmax=d.r_range[1],
        dr=d.dr,
        rwindow=d.rwindow,
        fitspace=d.space,
    )
    measured = Group(k=np.array(d.k), chi=np.array(d.chi))
    # set_epsilon_k makes epsilon_R smaller than estimate_noise does by sqrt(2) (docs/decisions/noise.md)
    epsilon = None if d.epsilon_k is None else float(d.epsilon_k) * np.sqrt(2)
    made = feffit_dataset(data=measured, paths=paths, transform=transform, epsilon_k=epsilon)
    made.hashkey = f"d{number:03d}"
    return made


def _output(result: Any, sets: list[Any], data: Sequence[DataInput]) -> FitOutput:
    details = result.fit_details
    names = tuple(details.var_names)
    covar = getattr(details, "scaled_covar", None)
    if covar is not None and not np.isfinite(covar).all():
        covar = None
    values = {
        name: float(p.value)
        for name, p in details.params.items()
        if not getattr(p, "is_pathparam", False) and not name.startswith("bkg")
    }
    return FitOutput(
        values=values,
        names=names,
        covar=covar,
        data=tuple(_data_output(ds, details.params, d) for ds, d in zip(sets, data, strict=True)),
        n_idp=float(result.n_independent),
        n_data=int(details.ndata),
        nfev=int(details.nfev),
        chi2=float(result.chi_square),
        chi2_reduced=float(result.chi2_reduced),
        rfactor=float(result.rfactor),
        success=bool(details.success),
        message=str(details.message),
        epsilon_given=any(d.epsilon_k is not None for d in data),
    )


def _data_output(ds: Any, params: Any, d: DataInput) -> DataOutput:
    residual = ds._residual(params)
    signal = ds._residual(params, data_only=True)
    epsilon_k = np.atleast_1d(ds.epsilon_k).astype(float)
    if d.epsilon_k is not None:
        epsilon_k = epsilon_k / np.sqrt(2)
    return DataOutput(
        k=np.array(ds.model.k),
        data=np.array(ds._chi),
        fit=np.array(ds.model.chi),
        paths=tuple(np.array(p.chi) for p in ds.paths.values()),
        epsilon_k=tuple(float(e) for e in epsilon_k),
        epsilon_r=tuple(float(e) for e in np.atleast_1d(ds.epsilon_r)),
        rfactor=float((residual**2).sum() / (signal**2).sum()),
        n_idp=float(ds.n_idp),
    )
