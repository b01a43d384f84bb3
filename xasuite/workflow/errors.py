"""The error budget of a spec's rows: the draws of exafs.budget fed with the rows' spectra, their foil and their crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import FitError, XasuiteError
from ..exafs.budget import Draw, Farther, Foil, Spectra, budgets, draws, foil_under, released, with_budget
from ..exafs.budget.floors import ENERGY_SCALE
from ..exafs.model import Model
from ..exafs.result import FitResult
from ..feff.search import shells
from ..notices import warn
from ..records import Normalized
from ..reduce.autobk_matrices import Settings
from ..reduce.edge_step import edge_step_error
from ..simulate.cluster import rest
from ..specs.load import LoadedSpec
from ..specs.schema import Errors
from .fits import Row
from .resolve import CLOSURE, Context, Resolved, crystal_paths, reduction_of, source_fit

# A beyond the outermost fitted path at which farther shells begin: what lies closer is part of that shell
_BEYOND = 0.3
# A beyond the R range (not corrected for phase) from which no shell reaches into it
_REACH = 2.5


def budgeted(resolved: Resolved, fits: Sequence[FitResult], context: Context) -> tuple[FitResult, ...]:
    """The fits of a spec's rows with the errors of their budgets.

    A row whose budget cannot be made keeps the fit's own errors, and a warning says why.
    """
    loaded, how = resolved.loaded, resolved.loaded.spec.errors
    if how == "fit":
        return tuple(fits)
    if loaded.spec.fit.together or loaded.spec.fit.space != "r":
        _say(
            loaded,
            "rows fitted together and fits in k or q space have no error budget; the errors are the fit's own",
        )
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


def ingredients(
    loaded: LoadedSpec, how: Errors, rows: Sequence[Row], fits: Sequence[FitResult], context: Context
) -> tuple[Spectra, tuple[Draw, ...], dict[str, Foil]]:
    """What the budget of rows that share an energy grid and a model is made of: spectra, draws, and foils under the draws.

    Raises FitError for chi(k) files, and what reading and fitting the foil raises.
    """
    if any(r.norm is None for r in rows):
        raise FitError("a chi(k) file has no mu(E), from which the draws of a budget begin")
    model, own = released(fits[0].model), fits[0].model
    foils = {
        n: source_fit(loaded, n, p, context) for n, p in loaded.spec.params.items() if p.from_ is not None
    }
    norms = [n for result, f in foils.values() if (n := result.inputs[f.data[0].label].norm) is not None]
    if len(norms) < len(foils):
        raise FitError("a foil that is a chi(k) file has no mu(E), from which the draws of a budget begin")
    made = spectra_of(
        loaded, model, [r.norm for r in rows if r.norm is not None], how, norms[0] if norms else None
    )
    if all(r.kind == CLOSURE for r in rows):
        made = replace(made, energy_scale=0.0)  # a simulated energy has no error
    under = {
        n: spectra_of(result.loaded, f.model, [norm], how)
        for (n, (result, f)), norm in zip(foils.items(), norms, strict=True)
    }
    plan = draws(model.range, len(model.varied), min([made.kmax, *(s.kmax for s in under.values())]))
    held = {n: foil_under(s, plan, loaded.spec.params[n].param or "") for n, s in under.items()}
    held |= {
        p.name: Foil(np.full(len(plan), p.value), p.stderr / abs(p.value))
        for p in own.params
        if p.stderr > 0 and p.name not in held
    }
    return made, plan, held


def _group(
    loaded: LoadedSpec, how: Errors, rows: Sequence[Row], fits: Sequence[FitResult], context: Context
) -> list[FitResult]:
    made, plan, held = ingredients(loaded, how, rows, fits, context)
    out = []
    for fit, budget in zip(fits, budgets(made, plan, held), strict=True):
        if budget is None:
            _say(
                loaded,
                f"{fit.label}: most of its {len(plan)} draws end at no minimum; the errors are the fit's own",
            )
        out.append(fit if budget is None else with_budget(fit, budget))
    return out


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
            3,
        ),
        farther=farther(loaded, model) if how.shells else None,
        step_error=max(float(np.max(edge_step_error(n, foil))) for n in norms),
        energy_scale=ENERGY_SCALE if how.energy_scale is None else how.energy_scale,
    )


def farther(loaded: LoadedSpec, model: Model) -> Farther | None:
    """The paths of the outermost fitted shell's crystal beyond it; None where it comes from a file of FEFF."""
    tables = {t.label: t for t in loaded.spec.path}
    last = max(model.paths, key=lambda p: p.feff.reff)
    table = tables[last.label]
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
