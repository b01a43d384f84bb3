"""The error budget of a spec's rows: the draws of exafs.budget fed with the rows' spectra, their foil and their crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..choices import NCLAMP
from ..errors import FitError, XasuiteError
from ..exafs.budget import (
    Budget,
    Draw,
    Farther,
    Foil,
    Spectra,
    budgets,
    draws,
    foil_under,
    released,
    with_budget,
)
from ..exafs.budget.floors import ENERGY_SCALE
from ..exafs.model import Model, Parameter
from ..exafs.result import FitResult
from ..feff.search import shells
from ..notices import warn
from ..records import Normalized
from ..reduce.autobk_matrices import Settings
from ..reduce.edge_step import edge_step_error
from ..simulate.cluster import rest
from ..specs.load import LoadedSpec
from ..specs.schema import Errors, Spec
from .fits import Row
from .paths import crystal_paths, tables
from .resolve import CLOSURE, Context, Resolved, reduction_of, source_fit

# A beyond the outermost fitted path at which farther shells begin: what lies closer is part of that shell
_BEYOND = 0.3
# A beyond the R range (not corrected for phase) from which no shell reaches into it
_REACH = 2.5


Under = tuple[Sequence[Draw], Mapping[str, Foil]]  # draws, and what is held under each


def budgeted(resolved: Resolved, fits: Sequence[FitResult], context: Context) -> tuple[FitResult, ...]:
    """The fits of a spec's rows with the errors of their budgets.

    A row whose budget cannot be made keeps the fit's own errors, and a warning says why.
    """
    loaded, how = resolved.loaded, resolved.loaded.spec.errors
    if how == "fit":
        return tuple(fits)
    if why := unbudgeted(loaded.spec):
        _say(loaded, f"{why}; the errors are the fit's own")
        return tuple(fits)
    assert isinstance(how, Errors)
    inputs = {r.label: r for r in resolved.rows}
    done: dict[str, FitResult] = {}
    for group in _alike([inputs[f.label] for f in fits], resolved.model):
        named = {f.label: f for f in fits}
        own = [named[r.label] for r in group]
        try:
            found = _group(loaded, how, group, own, context)
        except XasuiteError as exc:
            _say(
                loaded,
                f"{', '.join(r.label for r in group)}: no error budget, the errors are the fit's own: {exc}",
            )
            continue
        done |= {f.label: f for f in found}
    return tuple(done.get(f.label, f) for f in fits)


def unbudgeted(spec: Spec) -> str:
    """Why a spec's fits have no error budget; empty where they have one."""
    if spec.fit.together:
        return "rows fitted together have no error budget"
    if (
        spec.reduce.overabsorption is not None
    ):  # it changes chi(k), and the draws of a budget begin with mu(E)
        return "rows corrected for over-absorption have no error budget"
    # the noise of a residual in k or q is not that of chi(R), which the budget counts with
    return "" if spec.fit.space == "r" else "fits in k or q space have no error budget"


def _say(loaded: LoadedSpec, sentence: str) -> None:
    warn(f"{loaded.path.name}: {sentence}")


def _alike(rows: Sequence[Row], model: Model) -> list[list[Row]]:
    """Rows that share an energy grid and all paths, together: they share their matrices and draws."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        own = tuple(p.label for p in model.paths if p.data in ("", row.label))
        energy = b"" if row.norm is None else np.asarray(row.norm.energy).tobytes()
        variables = sorted((n, float(v)) for n, v in row.chi.variables.items())
        groups.setdefault((energy, own, *variables), []).append(row)
    return list(groups.values())


def _group(
    loaded: LoadedSpec, how: Errors, rows: Sequence[Row], fits: Sequence[FitResult], context: Context
) -> list[FitResult]:
    norms = [r.norm for r in rows if r.norm is not None]
    if len(norms) < len(rows):
        raise FitError("a chi(k) file has no mu(E), from which the draws of a budget begin")
    exact = all(r.kind == CLOSURE for r in rows)
    model = fits[0].model.of(rows[0].label, rows[0].chi.variables)  # the rows of a group share theirs
    conditions = Conditions.of(loaded, how, model, context, exact=exact)
    spectra = conditions.spectra(norms)
    made = budgets(spectra, *conditions.under(spectra.kmax))
    out = []
    for fit, budget in zip(fits, made, strict=True):
        if budget is None:
            _say(loaded, f"{fit.label}: most of its draws end at no minimum; the errors are the fit's own")
        out.append(fit if budget is None else with_budget(fit, budget))
    return out


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the budgets of all rows of one model depend on besides the rows: the foils that parameters come from, and the spec.

    `model` is the budgets' (`released`), `params` are the fit's; `exact`: the rows' energies are exact, as simulated ones.
    """

    loaded: LoadedSpec
    how: Errors
    model: Model
    params: tuple[Parameter, ...]
    foils: Mapping[str, tuple[Spectra, str]]
    foil: Normalized | None
    exact: bool

    @classmethod
    def of(
        cls, loaded: LoadedSpec, how: Errors, model: Model, context: Context, *, exact: bool
    ) -> Conditions:
        """Raises what fitting the foils raises."""
        foils: dict[str, tuple[Spectra, str]] = {}
        norms = []
        for name, p in loaded.spec.params.items():
            if p.from_ is not None:
                result, fit = source_fit(loaded, name, p, context)
                norm = result.inputs[fit.data[0].label].norm
                if norm is None:
                    raise FitError(
                        "a foil that is a chi(k) file has no mu(E), from which the draws of a budget begin"
                    )
                if result.loaded.spec.reduce.overabsorption is not None:
                    raise FitError("a foil corrected for over-absorption has no error budget")
                norms.append(norm)
                foils[name] = spectra_of(result.loaded, fit.model, [norm], how), p.param or ""
        return cls(loaded, how, released(model), model.params, foils, norms[0] if norms else None, exact)

    def spectra(self, norms: Sequence[Normalized]) -> Spectra:
        """Rows that share an energy grid, as a budget takes them."""
        made = spectra_of(self.loaded, self.model, norms, self.how, self.foil)
        return replace(made, energy_scale=0.0) if self.exact else made

    def under(self, kmax: float) -> Under:
        """The draws for rows that end at `kmax` (1/A), and what is held under each: foils refitted, stated values with their errors."""
        kmax = min([kmax, *(s.kmax for s, _ in self.foils.values())])
        plan = draws(self.model.range, len(self.model.varied), kmax)
        held = {n: foil_under(s, plan, param) for n, (s, param) in self.foils.items()}
        held |= {
            p.name: Foil(np.full(len(plan), p.value), p.stderr)
            for p in self.params
            if p.stderr > 0 and p.name not in held
        }
        return plan, held

    def budgets(self, norms: Sequence[Normalized], under: Under) -> list[Budget | None]:
        """The budget of each row; None where most of its draws end at no minimum."""
        return budgets(self.spectra(norms), *under)


def spectra_of(
    loaded: LoadedSpec, model: Model, norms: Sequence[Normalized], how: Errors, foil: Normalized | None = None
) -> Spectra:
    """Rows of a spec that share an energy grid, as a budget takes them; `foil` is what their edge step is compared with."""
    settings = reduction_of(loaded)
    return Spectra(
        model=model,
        energy=np.asarray(norms[0].energy),
        mu=np.concatenate([np.atleast_2d(n.mu) for n in norms]),
        e0=np.concatenate([np.ravel(n.e0) for n in norms]),
        edge_step=np.concatenate([np.ravel(n.edge_step) for n in norms]),
        settings=Settings(
            settings.rbkg,
            settings.bkg_kweight,
            settings.bkg_k,
            settings.bkg_dk,
            settings.bkg_window,
            settings.clamp,
            NCLAMP[settings.background],
            settings.background,
        ),
        farther=farther(loaded, model) if how.shells else None,
        step_error=max(float(np.max(edge_step_error(n, foil))) for n in norms),
        energy_scale=ENERGY_SCALE if how.energy_scale is None else how.energy_scale,
    )


def farther(loaded: LoadedSpec, model: Model) -> Farther | None:
    """The paths of the outermost fitted shell's crystal beyond it; None where it comes from a file of FEFF."""
    last = max(model.paths, key=lambda p: p.feff.reff)
    table = tables(loaded)[last.label]
    if table.feff is not None:
        return None
    paths = crystal_paths(loaded, table)
    reach = model.range.r[1] + _REACH
    beyond = rest([p for p in paths if p.reff < reach], beyond=last.feff.reff + _BEYOND)
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
