"""A Model as flat arrays: which numbers are varied, and how every path's values follow from them.

Expressions run as postfix programs that carry first derivatives along (the chain rule), once here in numpy
over all rows, and once in the compiled kernel; both read the same arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...choices import PATH_VALUES
from ...errors import FitError
from ...expressions import PATH_FUNCTIONS, PATH_TOKENS, Expression
from ...records import Array
from ..equation import N_VALUES, VALUES
from ..model import Model, Parameter, Restraint
from ..restraints import with_bound

# the largest step of each in one iteration, beyond which chi is no longer linear: half the
# amplitude or 1, 5 eV, a phase of some 1 rad at k = 10 for deltar and the cumulants (docs/decisions/engine.md)
CAPS = np.array([1.0, 5.0, 0.06, 0.005, 5e-4, 5e-5, 5.0, 0.5])
RELATIVE_CAP = 0.5

CONST, NAME, ADD, SUB, MUL, DIV, POW, NEG = range(8)
SQRT, EXP, LOG, LOG10, SIN, COS, TAN, ABS, MIN, MAX, ASIN, ACOS, ATAN, ATAN2, SINH, COSH, TANH = range(8, 25)
_OPS = {"const": CONST, "name": NAME, "add": ADD, "sub": SUB, "mul": MUL, "div": DIV, "pow": POW, "neg": NEG}
# what FEFF and Larch call a path's own values in expressions
RESERVED = PATH_TOKENS | {"rmass", "rnorman", "gam_ch", "rs_int", "vint", "vmu", "vfermi", "feffpath"}
SPACES = ("r", "k", "q")
_CALLS = {
    "sqrt": SQRT, "exp": EXP, "ln": LOG, "log": LOG, "log10": LOG10, "sin": SIN, "cos": COS, "tan": TAN,
    "abs": ABS, "min": MIN, "max": MAX, "asin": ASIN, "acos": ACOS, "atan": ATAN, "atan2": ATAN2,
    "sinh": SINH, "cosh": COSH, "tanh": TANH,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Program:
    """The model in arrays.

    `names` are the varied parameters (nv), then those whose own standard error is carried and the variables of a stack's
    rows (nc together; a variable has no error); derivatives run over both. `start` (ns,) holds every parameter's value by slot, the first nv + nc slots being `names`.
    `ops` (no,), `args` (no,) hold all programs one after the other; program i is ops[first[i]:first[i + 1]] and
    writes slot target[i], or value number target[i] - ns: those of the paths, then the restraints'. `uses` (np, 8): path values
    that depend on `names`.
    """

    names: tuple[str, ...]
    n_varied: int
    slots: tuple[str, ...]
    start: Array
    lower: Array
    upper: Array
    carried: Array
    ops: Array
    args: Array
    first: Array
    target: Array
    uses: Array
    depth: int
    restraints: tuple[Restraint, ...] = ()

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return len(self.uses)


def compile_model(
    model: Model, n_idp: float | None = None, variables: Mapping[str, float] | None = None
) -> Program:
    """The program of a model.

    Parameters
    ----------
    model : Model
        Its paths' `data` is not looked at.
    n_idp : float, optional
        Independent points of all data together; left out, those of the model's range.
    variables : mapping, optional
        Names that stand for a number of each row, last among `names`, and what the program starts with.

    Raises
    ------
    FitError
        No path, a name that is no parameter, a variable that no path uses, more variables than independent points.
    """
    numbers = [Parameter(name, value, vary=False) for name, value in (variables or {}).items()]
    model = replace(model, params=(*model.params, *numbers))
    restraints = _restraints(model)
    varied = list(model.varied)
    held = [p for p in model.params if not p.vary and p.expr is None]
    carried = [*(p for p in held if p.stderr > 0), *numbers]
    fixed = [p for p in held if p not in carried]
    derived = _ordered(model)
    points = (model.range.n_idp if n_idp is None else n_idp) + len(restraints)
    _check_used(varied, derived, model, restraints, points)
    everything = [*varied, *carried, *fixed, *derived]
    slot = {p.name: i for i, p in enumerate(everything)}
    moving = {p.name for p in (*varied, *carried)}
    programs: list[Expression] = []
    for p in derived:
        assert p.expr is not None
        programs.append(p.expr)
        if p.expr.names & moving:
            moving.add(p.name)
    uses = np.zeros((len(model.paths), N_VALUES), bool)
    for i, path in enumerate(model.paths):
        amplitude = Expression("n*s02", path.n.names | path.s02.names, (*path.n.program, *path.s02.program, ("mul", None)))  # fmt: skip
        values = (amplitude, *(getattr(path, v) for v in VALUES[1:]))
        programs += values
        uses[i] = [bool(e.names & moving) for e in values]
    programs += [r.that for r in restraints]
    codes = [_codes(e, slot) for e in programs]
    n_slots = len(everything)
    target = [slot[p.name] for p in derived] + [n_slots + j for j in range(uses.size + len(restraints))]
    program = Program(
        names=tuple(p.name for p in (*varied, *carried)),
        n_varied=len(varied),
        slots=tuple(p.name for p in everything),
        start=np.array([p.value for p in everything], float),
        lower=np.array([p.min for p in varied], float),
        upper=np.array([p.max for p in varied], float),
        carried=np.array([p.stderr for p in carried], float),
        ops=np.array([op for code in codes for op, _ in code], np.int64),
        args=np.array([arg for code in codes for _, arg in code], float),
        first=np.cumsum([0, *(len(code) for code in codes)], dtype=np.int64),
        target=np.array(target, np.int64),
        uses=uses,
        depth=max(len(e.program) for e in programs),
        restraints=restraints,
    )
    _check_start(program, model)
    return program


def _check_start(program: Program, model: Model) -> None:
    """Every value of every path is a number at the start, and no atom lies behind the absorber."""
    values, _ = run(program, start_values(program)[None])
    for path, row in zip(model.paths, values[0], strict=True):
        named = dict(zip(VALUES, row, strict=True))
        for name, value in named.items():
            if not math.isfinite(value):
                raise FitError(
                    f"path {path.label!r}: {name} is {value:g} at the start of the fit; check its expression and the "
                    "parameters in it"
                )
        if path.feff.reff + named["deltar"] <= 0:
            raise FitError(
                f"path {path.label!r}: deltar = {named['deltar']:g} A at the start puts the atom behind the absorber "
                f"(reff = {path.feff.reff:.3f} A)"
            )


def _codes(expression: Expression, slot: Mapping[str, int]) -> list[tuple[int, float]]:
    return [
        (
            _CALLS[argument] if op == "call" else _OPS[op],
            float(slot[argument]) if op == "name" else float(argument) if op == "const" else 0.0,
        )
        for op, argument in expression.program
    ]


def _restraints(model: Model) -> tuple[Restraint, ...]:
    """The restraints as expressions of the parameters, once all names are known to be those of something."""
    if not model.paths:
        raise FitError("the model holds no path")
    if model.range.space not in SPACES:
        raise FitError(f"space = {model.range.space!r} is not one of {', '.join(SPACES)}")
    known = {p.name for p in model.params}
    if reserved := sorted(RESERVED & known):
        raise FitError(
            f"{reserved[0]!r} cannot name a parameter: it is a value of FEFF's path; choose another name"
        )
    for p in model.params:
        if p.expr is not None and (foreign := sorted(p.expr.calls & PATH_FUNCTIONS)):
            raise FitError(
                f"parameter {p.name!r}: {foreign[0]} belongs to a path; use it in one of a path's values"
            )
    there = f"there are {', '.join(sorted(known))}"
    for path in model.paths:
        if missing := sorted(path.names - known):
            raise FitError(f"path {path.label!r} uses {missing[0]!r}, which is no parameter; {there}")
    restraints = with_bound(model).restraints
    for r in restraints:
        if missing := sorted(r.that.names - known):
            raise FitError(f"restraint {r}: {missing[0]!r} is no parameter; {there}")
    return restraints


def _ordered(model: Model) -> list[Parameter]:
    """The parameters that are expressions, each after those that it names."""
    out: list[Parameter] = []
    done = {p.name for p in model.params if p.expr is None}
    while waiting := [p for p in model.params if p.name not in done]:
        for p in waiting:
            if p.expr is not None and p.expr.names <= done:
                out.append(p)
                done.add(p.name)
        if done.isdisjoint(p.name for p in waiting):
            raise FitError(f"parameters {', '.join(p.name for p in waiting)} depend on each other in a ring")
    return out


def _check_used(
    varied: list[Parameter],
    derived: list[Parameter],
    model: Model,
    restraints: Sequence[Restraint],
    points: float,
) -> None:
    used = frozenset().union(*(p.names for p in model.paths), *(r.that.names for r in restraints))
    for p in reversed(derived):
        if p.name in used and p.expr is not None:
            used |= p.expr.names
    idle = sorted({p.name for p in varied} - used)
    if idle:
        raise FitError(f"parameter {idle[0]!r} is varied but no path uses it; use it or remove it")
    if len(varied) >= points:
        counted = ", restraints counted" if restraints else ""
        raise FitError(
            f"{len(varied)} variables against {points:.1f} independent points (1 + 2 dk dR / pi{counted}): the data "
            "cannot determine them; fix some or widen the k or R range"
        )


def run(program: Program, x: Array) -> tuple[Array, Array]:
    """Path values (m, np, 8) and their derivatives (m, np, 8, nv + nc) at x (m, nv + nc)."""
    values, grad, *_ = run_all(program, x)
    return values, grad


def run_all(program: Program, x: Array) -> tuple[Array, Array, Array, Array]:
    """What `run` gives, and the values (m, n restraints) and derivatives (m, n restraints, nv + nc) of the restraints."""
    *_, values = _slots(program, x)
    m, nd = x.shape
    out, grad = np.empty((m, len(values))), np.zeros((m, len(values), nd))
    for j, (value, slope) in enumerate(values):
        out[:, j] = value
        if slope is not None:
            grad[:, j] = slope
    n = program.uses.size
    path_values, path_grad = out[:, :n].reshape(m, -1, N_VALUES), grad[:, :n].reshape(m, -1, N_VALUES, nd)
    return path_values, path_grad, out[:, n:], grad[:, n:]


Keyed = dict[str, tuple[Array, Array]]


def parameters(program: Program, x: Array) -> Keyed:
    """Values (m,) and derivatives (m, nv + nc) of every parameter, expressions included, at x (m, nv + nc)."""
    slots, slopes, _ = _slots(program, x)
    return {
        name: (np.broadcast_to(slots[i], x.shape[:1]), _dense(slopes[i], x))
        for i, name in enumerate(program.slots)
    }


def path_quantities(program: Program, model: Model, x: Array) -> Keyed:
    """The same of "label.quantity" of each path of the model: `PATH_VALUES`, and r."""
    slots, slopes, _ = _slots(program, x)
    slot = {name: i for i, name in enumerate(program.slots)}
    out: Keyed = {}
    for path in model.paths:
        for quantity in PATH_VALUES:
            value, slope = _run_codes(_codes(getattr(path, quantity), slot), slots, slopes)
            out[f"{path.label}.{quantity}"] = (
                np.broadcast_to(np.asarray(value, float), x.shape[:1]).copy(), _dense(slope, x)
            )  # fmt: skip
        value, slope = out[f"{path.label}.deltar"]
        out[f"{path.label}.r"] = path.feff.reff + value, slope
    return out


def _dense(slope: Array | None, x: Array) -> Array:
    return np.zeros_like(x) if slope is None else np.broadcast_to(slope, x.shape)


Slopes = list[Array | None]


def _slots(program: Program, x: Array) -> tuple[list[Any], Slopes, list[tuple[Any, Array | None]]]:
    """Values and slopes of every slot, and of the path values; a slope of None is zero."""
    m, nd = x.shape
    slots: list[Any] = [x[:, i] if i < nd else program.start[i] for i in range(len(program.slots))]
    eye = np.eye(nd)
    slopes: Slopes = [np.broadcast_to(eye[i], (m, nd)) if i < nd else None for i in range(len(program.slots))]
    values: list[tuple[Any, Array | None]] = []
    for i, target in enumerate(program.target):
        part = slice(program.first[i], program.first[i + 1])
        value, slope = _run_codes(zip(program.ops[part], program.args[part], strict=True), slots, slopes)
        if target < len(slots):
            slots[target], slopes[target] = value, slope
        else:
            values.append((value, slope))
    return slots, slopes, values


@np.errstate(all="ignore")
def _run_codes(
    codes: Iterable[tuple[int, float]], slots: list[Any], slopes: Slopes
) -> tuple[Any, Array | None]:
    """One program over all rows."""
    stack: list[tuple[Any, Array | None]] = []
    for op, arg in codes:
        if op == CONST:
            stack.append((arg, None))
        elif op == NAME:
            stack.append((slots[int(arg)], slopes[int(arg)]))
        elif op in _BINARY:
            (a, da), (b, db) = stack[-2:]
            value, by_a, by_b = _BINARY[op](np.asarray(a, float), np.asarray(b, float))
            parts = [np.asarray(f)[..., None] * d for f, d in ((by_a, da), (by_b, db)) if d is not None]
            stack[-2:] = [(value, sum(parts[1:], parts[0]) if parts else None)]
        else:
            a, da = stack.pop()
            value, by_a = _UNARY[op](np.asarray(a, float))
            stack.append((value, None if da is None else np.asarray(by_a)[..., None] * da))
    return stack[0]


# what each operation gives, and its derivatives by its arguments
_BINARY: dict[int, Callable[[Array, Array], tuple[Any, Any, Any]]] = {
    ADD: lambda a, b: (a + b, 1.0, 1.0),
    SUB: lambda a, b: (a - b, 1.0, -1.0),
    MUL: lambda a, b: (a * b, b, a),
    DIV: lambda a, b: (a / b, 1 / b, -a / b**2),
    POW: lambda a, b: (a**b, b * a ** (b - 1), a**b * np.log(np.where(a > 0, a, 1.0))),
    MIN: lambda a, b: (np.minimum(a, b), a <= b, a > b),
    MAX: lambda a, b: (np.maximum(a, b), a >= b, a < b),
    ATAN2: lambda a, b: (np.arctan2(a, b), b / (a**2 + b**2), -a / (a**2 + b**2)),
}
_UNARY: dict[int, Callable[[Array], tuple[Any, Any]]] = {
    NEG: lambda a: (-a, -1.0),
    SQRT: lambda a: (np.sqrt(a), 0.5 / np.sqrt(a)),
    EXP: lambda a: (np.exp(a), np.exp(a)),
    LOG: lambda a: (np.log(a), 1 / a),
    LOG10: lambda a: (np.log10(a), 1 / (a * math.log(10))),
    SIN: lambda a: (np.sin(a), np.cos(a)),
    COS: lambda a: (np.cos(a), -np.sin(a)),
    TAN: lambda a: (np.tan(a), 1 / np.cos(a) ** 2),
    ABS: lambda a: (np.abs(a), np.sign(a)),
    ASIN: lambda a: (np.arcsin(a), 1 / np.sqrt(1 - a**2)),
    ACOS: lambda a: (np.arccos(a), -1 / np.sqrt(1 - a**2)),
    ATAN: lambda a: (np.arctan(a), 1 / (1 + a**2)),
    SINH: lambda a: (np.sinh(a), np.cosh(a)),
    COSH: lambda a: (np.cosh(a), np.sinh(a)),
    TANH: lambda a: (np.tanh(a), 1 / np.cosh(np.minimum(np.abs(a), 300.0)) ** 2),
}


def start_values(program: Program, values: Mapping[str, float] | None = None) -> Array:
    """Starting point (nv + nc,) within the bounds, with `values` in place of the model's."""
    x = program.start[: len(program.names)].copy()
    for i, name in enumerate(program.names[: program.n_varied]):
        if values and name in values:
            x[i] = values[name]
    x[: program.n_varied] = np.clip(x[: program.n_varied], program.lower, program.upper)
    return x
