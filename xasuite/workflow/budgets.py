"""The error budgets of a spec's rows: exafs.budget gets the rows' spectra, their foil and their crystal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..choices import NCLAMP, Potentials
from ..constants import ROOM
from ..errors import XasuiteError
from ..exafs.budget import (
    Absorption,
    Budget,
    Draw,
    Farther,
    Foil,
    GivenChi,
    Source,
    Spectra,
    budgets,
    draws,
    foil_under,
    released,
    with_budget,
)
from ..exafs.budget.model_changes import ENERGY_SCALE
from ..exafs.budget.record import EDGE_STEP
from ..exafs.fit import make_problem, on_grid
from ..exafs.model import Model
from ..exafs.result import FitResult
from ..feff.paths import FeffPath
from ..feff.search import shells
from ..notices import warn
from ..records import Chi, Normalized
from ..reduce.autobk_matrices import Settings
from ..reduce.corrections import Geometry, amplitude_error
from ..reduce.edge_step import GIVEN_RANGES, GIVEN_RANGES_RATIO, edge_step_error
from ..simulate.cluster import rest
from ..specs.load import LoadedSpec
from ..specs.schema import Errors
from .fits import Row
from .paths import crystal_paths, other_paths, tables
from .resolve import CLOSURE, Context, Resolved, reduction_of, source_fit
from .temperature import FARTHER, temperature_of

# A beyond the outermost fitted path at which farther shells begin: what lies closer is part of that shell
_BEYOND = 0.3
# A beyond the R range (not corrected for phase) from which no shell reaches into it
_REACH = 2.5


Under = tuple[Sequence[Draw], Mapping[str, Foil]]  # draws, and the parameters that are held in each


def budgeted(resolved: Resolved, fits: Sequence[FitResult], context: Context) -> tuple[FitResult, ...]:
    """The fits of a spec's rows with the errors of their budgets, which its `errors` asks for.

    A row whose budget cannot be made keeps the fit's own errors, and a warning says why.
    """
    loaded, how = resolved.loaded, resolved.loaded.spec.errors
    assert isinstance(how, Errors)
    inputs = {r.label: r for r in resolved.rows}
    done: dict[str, FitResult] = {}
    groups: list[tuple[list[Row], list[FitResult]]]
    if loaded.spec.fit.together:
        groups = [([inputs[d.label] for d in f.data], [f]) for f in fits]
    else:
        named = {f.label: f for f in fits}
        alike = _alike([inputs[f.label] for f in fits], resolved.model)
        groups = [(rows, [named[r.label] for r in rows]) for rows in alike]
    for rows, own in groups:
        try:
            found = _group(loaded, how, rows, own, context)
        except XasuiteError as exc:
            said = ", ".join(r.label for r in rows)
            _say(loaded, f"{said}: no error budget, the errors are the fit's own: {exc}")
            continue
        done |= {f.label: f for f in found}
    return tuple(done.get(f.label, f) for f in fits)


def _say(loaded: LoadedSpec, sentence: str) -> None:
    warn(f"{loaded.path.name}: {sentence}")


def _alike(rows: Sequence[Row], model: Model) -> list[list[Row]]:
    """Groups of rows with the same energies and paths, which share matrices and draws; a row of chi(k) is a group alone."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        own = tuple(p.label for p in model.paths if p.data in ("", row.label))
        energy = row.label if row.norm is None else np.asarray(row.norm.energy).tobytes()
        variables = sorted((n, float(v)) for n, v in row.chi.variables.items())
        groups.setdefault((energy, own, _temperature(row), *variables), []).append(row)
    return list(groups.values())


def _group(
    loaded: LoadedSpec, how: Errors, rows: Sequence[Row], fits: Sequence[FitResult], context: Context
) -> list[FitResult]:
    """Fits of rows that share energies and paths, or the one fit of rows together."""
    sets, spectra, under = drawn(loaded, how, rows, fits[0], context)
    made = budgets(spectra, *under)
    out = []
    for fit, budget in zip(fits, made, strict=True):
        if budget is None:
            _say(loaded, f"{fit.label}: most of its draws end at no minimum; the errors are the fit's own")
        out.append(fit if budget is None else with_budget(fit, budget, _at(spectra, sets)))
    return out


def drawn(
    loaded: LoadedSpec, how: Errors, rows: Sequence[Row], fit: FitResult, context: Context
) -> tuple[DataSets, Spectra, Under]:
    """The input of the budgets of rows; `fit` is the fit of the first row, or of all together."""
    sets = DataSets.of(fit, rows)
    conditions = Conditions.of(loaded, how, sets, context, exact=all(r.kind == CLOSURE for r in rows))
    spectra = conditions.spectra([r.norm or r.chi for r in rows])
    return sets, spectra, conditions.under(spectra.kmax)


def _temperature(row: Row) -> float | None:
    return temperature_of(row.chi.variables, (row.norm or row.chi).meta)


def _at(spectra: Spectra, sets: DataSets) -> str:
    """The temperatures that farther shells were computed for, as a note; empty where there are no such shells."""
    at = [t for t, source in zip(sets.temperatures, spectra.sources, strict=True) if source.farther]
    said = {f"{ROOM:g} K (no variable T and no header says one)" if t is None else f"{t:g} K" for t in at}
    return f"{FARTHER} {', '.join(sorted(said))}" if said else ""


@dataclass(frozen=True, eq=False)
class DataSets:
    """A model with the data sets of its paths: one that any number of rows share, or one for each row fitted together.

    `each` are the data sets' own models, with the labels of the spec; those of `model` begin with `names` then.
    `temperatures` (K) are those of the samples, None where it is not known.
    """

    model: Model
    owner: tuple[int, ...]
    each: tuple[Model, ...]
    names: tuple[str, ...]
    temperatures: tuple[float | None, ...]

    @classmethod
    def one(cls, model: Model, temperature: float | None = None) -> DataSets:
        """Of a model of one row."""
        return cls(model, (0,) * len(model.paths), (model,), ("",), (temperature,))

    @classmethod
    def of(cls, fit: FitResult, rows: Sequence[Row]) -> DataSets:
        """Of a fit and its rows."""
        each = tuple(fit.model.of(r.label, r.chi.variables) for r in rows)
        if len(fit.data) == 1:
            return cls.one(each[0], _temperature(rows[0]))
        problem = make_problem(fit.model, [r.chi for r in rows], None)
        names = tuple(f"{r.label}/" for r in rows)
        return cls(problem.model, problem.owner, each, names, tuple(map(_temperature, rows)))


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the budgets of all rows of a model depend on besides the rows: the spec, and the foils that parameters come from.

    `model` is the model that the budgets fit (`released`), `foil` the spectrum of the first foil; `exact` is true for
    simulated rows, whose energies have no error.
    """

    loaded: LoadedSpec
    how: Errors
    sets: DataSets
    model: Model
    foils: Mapping[str, tuple[Spectra, str]]
    foil: Normalized | Chi | None
    exact: bool

    @classmethod
    def of(
        cls, loaded: LoadedSpec, how: Errors, sets: DataSets, context: Context, *, exact: bool
    ) -> Conditions:
        """Raises what fitting the foils raises."""
        foils: dict[str, tuple[Spectra, str]] = {}
        data: list[Normalized | Chi] = []
        for name, p in loaded.spec.taken_over.items():
            result, fit = source_fit(loaded, name, p, context)
            rows = [result.inputs[d.label] for d in fit.data]
            data += [r.norm or r.chi for r in rows]
            own = DataSets.of(fit, rows)
            spectra = spectra_of(result.loaded, own, own.model, data[-len(rows) :], how)
            foils[name] = spectra, p.param or ""
        model = released(sets.model, len(sets.each))
        return cls(loaded, how, sets, model, foils, data[0] if data else None, exact)

    def spectra(self, data: Sequence[Normalized | Chi]) -> Spectra:
        """Rows that share an energy grid, or one for each data set, as a budget takes them."""
        made = spectra_of(self.loaded, self.sets, self.model, data, self.how, self.foil)
        steps = dict(made.steps)
        for foil, _ in self.foils.values():
            for cause in foil.steps.keys() - {EDGE_STEP}:  # that of the ratio of the two is known
                steps[cause] = float(np.hypot(steps.get(cause, 0.0), foil.steps[cause]))
        return replace(made, steps=steps, energy_scale=0.0 if self.exact else made.energy_scale)

    def under(self, kmax: float) -> Under:
        """The draws for rows that end at `kmax` (1/A), and what is held under each: foils refitted, stated values with their errors."""
        kmax = min([kmax, *(s.kmax for s, _ in self.foils.values())])
        plan = draws(self.model.range, len(self.model.varied) / len(self.sets.each), kmax)
        held = {n: foil_under(s, plan, param) for n, (s, param) in self.foils.items()}
        held |= {
            p.name: Foil(np.full(len(plan), p.value), p.stderr)
            for p in self.sets.model.params
            if p.stderr > 0 and p.name not in held
        }
        return plan, held

    def budgets(self, data: Sequence[Normalized | Chi], under: Under) -> list[Budget | None]:
        """The budget of each row; None where most of its draws end at no minimum."""
        return budgets(self.spectra(data), *under)


def spectra_of(
    loaded: LoadedSpec,
    sets: DataSets,
    model: Model,
    data: Sequence[Normalized | Chi],
    how: Errors,
    foil: Normalized | Chi | None = None,
) -> Spectra:
    """Rows of a spec as a budget takes them: all of one data set, or each of its own; `foil` is what their edge step is compared with."""
    groups = [[d] for d in data] if len(sets.each) > 1 else [data]
    found = zip(sets.each, sets.names, groups, sets.temperatures, strict=True)
    return Spectra(
        model=model,
        sources=tuple(_source(loaded, own, name, group, how, at) for own, name, group, at in found),
        owner=sets.owner,
        steps=_steps(loaded, data, foil),
        # of a ratio of two steps, each has its share
        own_step=max(_edge_step(d, d) for d in data) / math.sqrt(2),
        energy_scale=ENERGY_SCALE if how.energy_scale is None else how.energy_scale,
        beamline=_beamlines(loaded, [group[0].label for group in groups]),
        temperatures=tuple(ROOM if t is None else t for t in sets.temperatures),
        others=tuple(_others(loaded, sets, other) for other in dict.fromkeys(how.potentials)),
    )


def _others(loaded: LoadedSpec, sets: DataSets, potentials: Potentials) -> tuple[FeffPath, ...]:
    """The paths of the model of all data sets with other potentials."""
    found: dict[str, FeffPath] = {}
    for own, name in zip(sets.each, sets.names, strict=True):
        paths = other_paths(loaded, {p.label: p.feff for p in own.paths}, potentials)
        found |= {f"{name}{label}": feff for label, feff in paths.items()}
    return tuple(found[p.label] for p in sets.model.paths)


def _beamlines(loaded: LoadedSpec, labels: Sequence[str]) -> tuple[int, ...]:
    """A number for each data set, the same for those whose rows name one source."""
    source = {entry.label: entry.source for entry in loaded.spec.data}
    known = [*dict.fromkeys(source.get(label, "") for label in labels)]
    return tuple(known.index(source.get(label, "")) for label in labels)


def _steps(
    loaded: LoadedSpec, data: Sequence[Normalized | Chi], foil: Normalized | Chi | None
) -> dict[str, float]:
    """What is known of the amplitudes' scale, by cause: relative standard errors."""
    steps = {EDGE_STEP: max(_edge_step(d, None if isinstance(foil, Chi) else foil) for d in data)}
    if isinstance(foil, Chi):
        steps[EDGE_STEP] = float(np.hypot(steps[EDGE_STEP], GIVEN_RANGES))
    dead = max(float(d.meta.get("deadtime_err", 0.0)) for d in data)
    if dead > 0:
        steps["dead time"] = dead
    geometry = _geometry(loaded)
    if geometry is not None:
        steps["over-absorption"] = max(amplitude_error(geometry, d.element, d.edge) for d in data)
    return steps


def _edge_step(data: Normalized | Chi, other: Normalized | Chi | None = None) -> float:
    """The relative error of an edge step, or of its ratio to another's.

    How the spectrum behind a chi(k) file was normalised is not known: as an analyst would.
    """
    if isinstance(data, Chi):
        return GIVEN_RANGES_RATIO if other is data else GIVEN_RANGES
    return float(np.max(edge_step_error(data, other if isinstance(other, Normalized) else None)))


def _geometry(loaded: LoadedSpec) -> Geometry | None:
    over = loaded.spec.reduce.overabsorption
    return None if over is None else Geometry(**over.model_dump())


def _source(
    loaded: LoadedSpec,
    model: Model,
    name: str,
    data: Sequence[Normalized | Chi],
    how: Errors,
    temperature: float | None,
) -> Source:
    """Rows of one data set, whose labels begin with `name` in the model of all."""
    far = farther(loaded, model, ROOM if temperature is None else temperature) if how.shells else None
    far = None if far is None else replace(far, label=f"{name}{far.label}")
    first = data[0]
    if isinstance(first, Chi):
        k, chi = on_grid(first, first.label)
        return GivenChi(k, chi[None], far)
    norms = [d for d in data if isinstance(d, Normalized)]
    settings, geometry = reduction_of(loaded), _geometry(loaded)
    return Absorption(
        energy=np.asarray(first.energy),
        mu=np.concatenate([np.atleast_2d(n.mu) for n in norms]),
        e0=np.concatenate([np.ravel(n.e0) for n in norms]),
        edge_step=np.concatenate([np.ravel(n.edge_step) for n in norms]),
        settings=Settings(**settings.of_background(), nclamp=NCLAMP[settings.background]),
        farther=far,
        overabsorption=None if geometry is None else (geometry, first.element, first.edge),
    )


def farther(loaded: LoadedSpec, model: Model, temperature: float = ROOM) -> Farther | None:
    """The paths of the crystal beyond the outermost fitted shell, at a temperature in K.

    None where that shell comes from a file of FEFF or is set at a distance: then no crystal is known.
    """
    last = max(model.paths, key=lambda p: p.feff.reff)
    table = tables(loaded)[last.label]
    if table.made_up or table.distance is not None:
        return None
    paths = crystal_paths(loaded, table)
    # a fit in k space sees every distance
    reach = math.inf if model.range.space == "k" else model.range.r[1] + _REACH
    beyond = rest(
        [p for p in paths if p.reff < reach], beyond=last.feff.reff + _BEYOND, temperature=temperature
    )
    if not beyond:
        return None
    own = [
        s for s in shells(paths, last.feff.scatterers[0]) if any(p.index == last.feff.index for p in s.paths)
    ]
    count = sum(p.degen for p in own[0].paths) if own else last.feff.degen
    fitted = sum(1 for p in model.paths if p.feff.index in {q.index for q in own[0].paths}) if own else 1
    return Farther(
        last.label,
        last.feff.degen if fitted > 1 else count,
        tuple((t.feff, float(t.n), float(t.sigma2)) for t in beyond),
    )
