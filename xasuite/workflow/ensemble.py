"""How often printed errors hold the truth: rows of a spec's published table with drawn truths, fitted blind.

Each truth is a whole table: every simulated row of the spec and a foil of its own. The truth's potentials are feff6l's or
feff8l's self-consistent ones, never those of the fit (docs/decisions/error_budget.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import SpecError
from ..exafs.budget import Foil, budgets, draws, foil_under, released
from ..exafs.engine import fit_stack
from ..exafs.model import Model
from ..records import Array, Spectrum
from ..specs.load import LoadedSpec
from ..specs.schema import Errors
from .closure import QUANTITIES, lines_of
from .errors import spectra_of
from .resolve import Context, ancestor, reduce_row, reduction_of, resolve_model
from .simulated import named_truth

NOISES = (3e-4, 2e-3)
FOIL_NOISE = 3e-4
PROGRAMS = (("feff6l", False), ("feff8l", True))
# how far the truths are drawn about the published row, and farther shells about the crystal
N_SPREAD, R_SPREAD, SIGMA2_FACTORS, E0_SPREAD = 0.15, 0.02, (0.8, 1.25), 3.0
FOIL_R_SPREAD = 0.005
WHITE_LINE = ((0.2, 0.8), (2.0, 6.0), (4.0, 8.0))  # height in edge steps, eV from E0, width in eV
# the interval that holds 68.27 %: 2 / (1 - 0.6827), the price of an error outside it per unit of distance
_PENALTY = 2 / 0.3173
_EXACT = Errors(energy_scale=0.0)  # the energies of a simulation
BUDGET, PLAIN = "budget", "fit"


@dataclass(frozen=True, eq=False)
class Outcome:
    """All truths of one path of one row at one noise: errors of the estimate, and what was printed, (m,) each.

    `off`, `printed`: by scheme ("budget", and "fit" for the misfit-scaled errors of the stated fit), then by quantity.
    """

    row: str
    path: str
    noise: float
    off: dict[str, dict[str, Array]]
    printed: dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Coverage:
    """Of one quantity at one noise: shares within 1 and 2 printed errors, median error, bias, rms and interval score.

    `least` is the lowest share within 1 error of any row and path. The score is the mean of the width of the interval of
    plus and minus one error and 6.3 times the distance by which the truth lies outside it: smaller is better.
    """

    scheme: str
    quantity: str
    noise: float
    one: float
    two: float
    width: float
    bias: float
    rms: float
    score: float
    least: float
    least_of: str
    count: int


def ensemble(
    loaded: LoadedSpec,
    context: Context | None = None,
    *,
    truths: int = 32,
    seed: int = 1,
    noises: Sequence[float] = NOISES,
    programs: Sequence[tuple[str, bool]] = PROGRAMS,
    progress: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Fit every simulated row of a spec with `truths` drawn truths at each noise.

    Half of the truths have a white line; programs take turns. Raises SpecError when no row is simulated, and what
    simulation, reduction and fit raise. Self-consistent potentials take minutes a structure, once.
    """
    context = context or Context()
    at = [i for i, d in enumerate(loaded.spec.data) if d.simulate is not None]
    if not at:
        raise SpecError(
            f"{loaded.path.name}: no [[data]] row is simulated, so there is no truth to compare with"
        )
    say = progress or (lambda word: None)
    model = resolve_model(loaded, context)
    foils = {
        name: (ancestor(loaded, name, p), p.param or "")
        for name, p in loaded.spec.params.items()
        if p.from_ is not None
    }
    out = []
    for noise in noises:
        tables = []
        for number, (program, white) in enumerate((p, w) for p in programs for w in (False, True)):
            count = len(range(number, truths, 2 * len(programs)))
            say(f"{count} truths by {program[0]}{' SCF' if program[1] else ''} at epsilon_k {noise:g}")
            rng = np.random.default_rng([seed, number, round(noise * 1e6)])
            rows = [_simulated(loaded, i, program, white, count, rng, noise) for i in at]
            own = {
                n: _simulated(f, 0, program, white, count, rng, FOIL_NOISE, foil=True)[0]
                for n, (f, _) in foils.items()
            }
            for t in range(count):
                tables.append(_table(loaded, model, context, at, rows, own, foils, t))
        out += list(_outcomes(loaded, at, noise, tables))
    return out


def _simulated(
    loaded: LoadedSpec, index: int, program: tuple[str, bool], white: bool, m: int, rng: np.random.Generator,
    noise: float, foil: bool = False,
) -> tuple[Spectrum, dict[str, dict[str, Array]]]:  # fmt: skip
    """mu (m, n) of one row with drawn truths, and the truths: path, quantity, (m,)."""
    from .. import simulate
    from ..simulate.atomic import Setup

    how = loaded.spec.simulate
    assert how is not None
    changed = how.model_copy(update={"program": program[0], "scf": program[1]})
    other = replace(loaded, spec=loaded.spec.model_copy(update={"simulate": changed}))
    e0 = rng.uniform(-E0_SPREAD, E0_SPREAD, m)
    of_shell: dict[str, tuple[Array, Array, Array]] = {}
    paths, truth = [], {}
    for name, path in named_truth(other, index):
        drawn = of_shell.get(name) if name else None
        if drawn is None:
            r = FOIL_R_SPREAD if foil else R_SPREAD
            drawn = (
                np.ones(m) if foil and name else rng.uniform(1 - N_SPREAD, 1 + N_SPREAD, m),
                rng.uniform(-r, r, m),
                np.exp(rng.uniform(math.log(SIGMA2_FACTORS[0]), math.log(SIGMA2_FACTORS[1]), m)),
            )
            if name:
                # a foil's distances move together
                of_shell[name] = drawn = next(iter(of_shell.values())) if foil and of_shell else drawn
                line = next(x for x in lines_of(loaded, index) if x.path == name)
                truth[name] = {
                    "n": (line.n or 0.0) * drawn[0],
                    "r": (line.r or 0.0) + drawn[1],
                    "sigma2": (line.sigma2 or 0.0) * drawn[2],
                }
        paths.append(
            replace(
                path,
                n=path.n * drawn[0],
                deltar=path.deltar + drawn[1],
                sigma2=path.sigma2 * drawn[2],
                e0=path.e0 + e0,
            )
        )
    line_of = tuple(float(rng.uniform(*x)) for x in WHITE_LINE)
    element, edge = loaded.spec.absorber(index)
    made = simulate.series(
        paths, element=element, edge=edge, noise=noise, seed=[int(s) for s in rng.integers(0, 2**31, m)],
        edge_step=how.edge_step, kmax=how.kmax, setup=Setup(white_line=line_of if white else None),  # type: ignore[arg-type]
    )  # fmt: skip
    return made.spectrum.data, truth


def _table(
    loaded: LoadedSpec, model: Model, context: Context, at: Sequence[int], rows: Sequence[Any],
    own: dict[str, Spectrum], foils: dict[str, tuple[LoadedSpec, str]], t: int,
) -> list[dict[str, dict[str, tuple[float, float, float]]]]:  # fmt: skip
    """One truth of the whole table: for each row, by path and quantity, the truth and by scheme estimate and error."""
    spectra = Spectrum(
        energy=rows[0][0].energy, mu=np.stack([s.mu[t] for s, _ in rows]), element=rows[0][0].element,
        edge=rows[0][0].edge, label="ensemble",
    )  # fmt: skip
    norm, chi = reduce_row(spectra, reduction_of(loaded), loaded.spec.data[at[0]])
    plain, first = model, None
    sources = {}
    for name, (foil, param) in foils.items():
        one = replace(own[name], mu=own[name].mu[t][None], mu_err=None)
        foil_norm, foil_chi = reduce_row(one, reduction_of(foil), foil.spec.data[0])
        first = first if first is not None else foil_norm
        foil_model = resolve_model(foil, context)
        sources[name] = (spectra_of(foil, foil_model, [foil_norm], _EXACT), param)
        fitted = fit_stack(foil_model, foil_chi)
        plain = _with_held(plain, name, float(fitted.values[param][0]), float(fitted.stderr[param][0]))
    model = released(model)
    made = spectra_of(loaded, model, [norm], _EXACT, first)
    plan = draws(model.range, len(model.varied), min([made.kmax, *(s.kmax for s, _ in sources.values())]))
    held = {name: foil_under(source, plan, param) for name, (source, param) in sources.items()}
    for p in model.params:
        if p.stderr > 0 and p.name not in held:
            held[p.name] = Foil(np.full(len(plan), p.value), p.stderr)
    stated = fit_stack(plain, chi)
    found = budgets(made, plan, held)
    out = []
    for i, (_, truth) in enumerate(rows):
        row: dict[str, dict[str, tuple[float, float, float]]] = {}
        for path, values in truth.items():
            for q in QUANTITIES:
                key = f"{path}.{q}"
                budget = found[i]
                value = budget.value(key) if budget is not None else None
                row[key] = {
                    PLAIN: (
                        float(values[q][t]),
                        float(stated.path_values[key][i]),
                        float(stated.path_stderr[key][i]),
                    ),
                    BUDGET: (
                        float(values[q][t]),
                        value.value if value else math.nan,
                        value.stderr if value else math.nan,
                    ),
                }
        out.append(row)
    return out


def _with_held(model: Model, name: str, value: float, stderr: float) -> Model:
    return replace(
        model,
        params=tuple(replace(p, value=value, stderr=stderr) if p.name == name else p for p in model.params),
    )


def _outcomes(
    loaded: LoadedSpec, at: Sequence[int], noise: float, tables: Sequence[Any]
) -> Iterator[Outcome]:
    for i, index in enumerate(at):
        keys = list(tables[0][i])
        for path in dict.fromkeys(k.rpartition(".")[0] for k in keys):
            off: dict[str, dict[str, Array]] = {}
            printed: dict[str, dict[str, Array]] = {}
            for scheme in (BUDGET, PLAIN):
                for q in QUANTITIES:
                    cells = np.array([t[i][f"{path}.{q}"][scheme] for t in tables])
                    off.setdefault(scheme, {})[q] = cells[:, 1] - cells[:, 0]
                    printed.setdefault(scheme, {})[q] = cells[:, 2]
            yield Outcome(loaded.spec.data[index].label, path, noise, off, printed)


def coverage(found: Sequence[Outcome]) -> list[Coverage]:
    """Pooled over rows and paths: by noise, quantity and scheme. An error that is not printed covers nothing."""
    out = []
    for noise in dict.fromkeys(o.noise for o in found):
        of = [o for o in found if o.noise == noise]
        for q in QUANTITIES:
            for scheme in (BUDGET, PLAIN):
                off = [o.off[scheme][q] for o in of]
                err = [np.nan_to_num(o.printed[scheme][q]) for o in of]
                each = [float(np.mean(np.abs(a) <= b)) for a, b in zip(off, err, strict=True)]
                least = int(np.argmin(each))
                a, b = np.concatenate(off), np.concatenate(err)
                outside = np.maximum(np.abs(a) - b, 0.0)
                out.append(
                    Coverage(
                        scheme,
                        q,
                        noise,
                        float(np.mean(np.abs(a) <= b)),
                        float(np.mean(np.abs(a) <= 2 * b)),
                        float(np.median(b)),
                        float(np.mean(a)),
                        float(np.sqrt(np.mean(a**2))),
                        float(np.mean(2 * b + _PENALTY * outside)),
                        each[least],
                        f"{of[least].row} {of[least].path}",
                        a.size,
                    )
                )
    return out
