"""The budgets of a stack of spectra with one energy grid and one model, and of a foil with the draws of another fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...records import Array
from .draws import Draw
from .fits import Case, Fitted, Fitter, Ready, Reduced
from .model_changes import ANHARMONIC, Change, changeable, changed_names, changes, levelled, levels, own_share
from .record import Budget
from .spectra import Farther, Spectra

# the background removal with which changed models are fitted, without a shift of E0
_PLAIN = (3, 0.8, 0.0)


@dataclass(frozen=True, eq=False)
class Foil:
    """A parameter taken over from another fit: its value in each draw (nd,), and its standard error besides the draws.

    `others` (na,) are its shifts with each of the other potentials.
    """

    draws: Array
    error: float
    others: tuple[float, ...] = ()

    def under(self, number: int) -> float:
        """Its median over the draws, with the other potentials of that number."""
        return float(np.median(self.draws)) + (self.others[number] if self.others else 0.0)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The fits of all draws: noise (nd, m, n keys, n keys), and values (nd, m, n keys) with farther shells accounted for (`inside`) or not."""

    keys: tuple[str, ...]
    inside: Array
    outside: Array
    noise: Array
    ok: NDArray[np.bool_]


def _draw(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil]) -> _Drawn:
    fitter = Fitter.of(spectra.model, spectra.owner)
    cases = _cases(spectra, draws, held, fitter)
    m = len(cases[0].sets[0].chi) // (2 if spectra.farther else 1)
    fitted = fitter.fit_each(cases)
    both = np.stack([f.ok for f in fitted])
    return _Drawn(
        keys=fitted[0].keys,
        inside=np.stack([f.values[-m:] for f in fitted]),
        outside=np.stack([f.values[:m] for f in fitted]),
        noise=np.stack([f.noise[-m:] for f in fitted]),
        ok=both[:, -m:] & both[:, :m],
    )


def _cases(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil], fitter: Fitter) -> list[Case]:
    """The case of each draw: chi (m, nk), followed by chi without the farther shells if there are any."""
    backgrounds = [(d.bkg_kweight, d.rbkg, d.e0_shift) for d in draws]
    reduced = {b: spectra.reduced(*b) for b in dict.fromkeys(backgrounds)}
    values = [{name: float(foil.draws[i]) for name, foil in held.items()} for i in range(len(draws))]
    cases = [
        Case(reduced[b], draw.range_of(spectra.model.range), v)
        for b, draw, v in zip(backgrounds, draws, values, strict=True)
    ]
    if not spectra.farther:
        return cases
    # for each background, the fit of its first draw gives the amplitude of the farther shells
    first = [backgrounds.index(b) for b in reduced]
    found = fitter.fit_each([cases[i] for i in first])
    without = {
        backgrounds[i]: _without_farther(spectra, f, cases[i].sets) for i, f in zip(first, found, strict=True)
    }
    return [
        replace(case, sets=tuple(
            replace(one, chi=np.concatenate([one.chi, less.chi]))
            for one, less in zip(case.sets, without[b], strict=True)
        ))
        for case, b in zip(cases, backgrounds, strict=True)
    ]  # fmt: skip


def ready(spectra: Spectra, draws: Sequence[Draw], held: Mapping[str, Foil]) -> Iterator[Ready]:
    """The problem of one row in each draw, with farther shells subtracted."""
    fitter = Fitter.of(spectra.model, spectra.owner)
    for case in _cases(spectra, draws, held, fitter):
        yield fitter.prepared(replace(case, sets=tuple(replace(s, chi=s.chi[-1:]) for s in case.sets)))


def _without_farther(spectra: Spectra, found: Fitted, sets: Sequence[Reduced]) -> tuple[Reduced, ...]:
    """The data sets without their farther shells, with the amplitude, S02 and E0 of a fit that ignores these shells."""

    def less(far: Farther | None, one: Reduced) -> Reduced:
        if far is None:
            return one
        share = np.clip(found.column(f"{far.label}.n") / far.crystal_n, 0.0, 1.0)
        shells = far.chi(one.k, share * found.column(f"{far.label}.s02"), found.column(f"{far.label}.e0"))
        return replace(one, chi=one.chi - shells @ one.response)

    return tuple(less(source.farther, one) for source, one in zip(spectra.sources, sets, strict=True))


def foil_under(spectra: Spectra, draws: Sequence[Draw], name: str) -> Foil:
    """One parameter of the first row of a foil with the draws of another fit, and its error besides the draws."""
    drawn = _draw(spectra, draws, {})
    at = drawn.keys.index(name)
    values, others = drawn.inside[:, 0, at], drawn.outside[:, 0, at]
    middle = float(np.median(values))
    noise = float(np.sqrt(np.median(drawn.noise[:, 0, at, at])))
    half = abs(middle - float(np.median(others))) / 2
    moved = _others(spectra, _plain(spectra, {})[0], {})[:, 0, at] if spectra.others else np.empty(0)
    return Foil(values, float(np.hypot(noise, half)), tuple(moved.tolist()))


def budgets(
    spectra: Spectra,
    draws: Sequence[Draw],
    held: Mapping[str, Foil] | None = None,
) -> list[Budget | None]:
    """The budget of each row; None if fewer than half of its draws end at a minimum.

    Parameters
    ----------
    spectra : Spectra
        The spectra and their model.
    draws : sequence of Draw
        The draws, as from `draws`.
    held : mapping, optional
        Parameters taken over from other fits, with the same draws.

    Raises
    ------
    FitError
        As `fit_chi`.
    """
    held = dict(held or {})
    drawn = _draw(spectra, draws, held)
    inside, without = (_medians(v, drawn.ok) for v in (drawn.inside, drawn.outside))
    third, moved, shifts = _shifts(spectra, held)
    middle, drawn_values = inside + third + moved, drawn.inside + third + moved
    out: list[Budget | None] = []
    for row in range(drawn.ok.shape[1]):
        ok = drawn.ok[:, row]
        if ok.sum() < len(draws) / 2:
            out.append(None)
            continue
        values = np.where(ok[:, None], drawn_values[:, row], middle[row])
        causes: dict[str, list[Array]] = {
            "shells": [(inside[row] - without[row]) / 2],
            "cumulant": [third[row] / np.sqrt(3)],  # standard deviation of a uniform distribution
        }
        for cause, shift in shifts:
            causes.setdefault(cause, []).append(shift[row])
        out.append(
            Budget(
                keys=drawn.keys,
                values=middle[row],
                draws=values,
                noise=np.median(drawn.noise[ok, row], axis=0),
                shifts={cause: np.stack(s) for cause, s in causes.items()},
            )
        )
    return out


def _medians(values: Array, ok: NDArray[np.bool_]) -> Array:
    """Medians (m, n keys) over the draws that ended at a minimum, or over all draws of a row where none did."""
    masked = np.where(ok[:, :, None], values, np.nan)
    masked[:, ~ok.any(axis=0)] = values[:, ~ok.any(axis=0)]
    return np.asarray(np.nanmedian(masked, axis=0))


def _plain(spectra: Spectra, held: Mapping[str, Foil]) -> tuple[Case, Fitted]:
    """The case for changed models, with farther shells subtracted, and the fit that gave the amplitude of these shells."""
    values = {name: float(np.median(foil.draws)) for name, foil in held.items()}
    case = Case(spectra.reduced(*_PLAIN), spectra.model.range, values)
    start = Fitter.of(spectra.model, spectra.owner).fit(case)
    return replace(case, sets=_without_farther(spectra, start, case.sets)), start


def _shifts(spectra: Spectra, held: Mapping[str, Foil]) -> tuple[Array, Array, list[tuple[str, Array]]]:
    """Two corrections of the estimate (m, n keys), and the shifts by each cause that the draws do not contain.

    Changed models are fitted to the same data, all at once. The true third cumulant lies between zero and the value for thermal
    sigma2: the first correction is half of the shift by the latter. The second is the mean shift with other potentials.
    """
    case, start = _plain(spectra, held)
    values = dict(case.held)
    # parameters from other fits are, like the changes, numbers of each row
    model = changeable(spectra.model, [spectra.temperatures[owner] for owner in spectra.owner])
    model = replace(model, params=tuple(p for p in model.params if p.name not in held))
    unchanged = values | dict.fromkeys(changed_names(spectra.model), 0.0)
    each: list[Change] = [("", {}), ("cumulant", ANHARMONIC)]
    each += [("foil", {name: values[name] + foil.error}) for name, foil in held.items()]
    each += changes(spectra)
    numbers = np.array([[*(unchanged | change).values()] for _, change in each])
    fitter = Fitter.of(spectra.model, spectra.owner, model, unchanged)
    m = len(start.values)
    tiled = replace(case, sets=tuple(replace(s, chi=np.tile(s.chi, (len(each), 1))) for s in case.sets))
    found = fitter.fit(tiled, np.repeat(numbers, m, axis=0)).values
    reference, third, *others = found.reshape(len(each), m, -1)
    shifts = [(cause, other - reference) for (cause, _), other in zip(each[2:], others, strict=True)]
    if not spectra.others:
        return (third - reference) / 2, np.zeros_like(reference), shifts
    moved = _others(spectra, case, held)
    mean = moved.mean(axis=0)
    shifts += [("potentials", own_share(len(moved)) * (one - mean)) for one in moved]
    return (third - reference) / 2, mean, shifts


def _others(spectra: Spectra, case: Case, held: Mapping[str, Foil]) -> Array:
    """The shifts (na, m, n keys) with each of the other potentials, used for foil and sample; 0 where a fit does not end at a minimum.

    E0 is not shifted, because each potential counts it from its own Fermi level.
    """
    stated = [p.feff for p in spectra.model.paths]
    own = Fitter.of(levelled(spectra.model, stated), spectra.owner).fit(case)
    out = np.zeros((len(spectra.others), *own.values.shape))
    for i, paths in enumerate(spectra.others):
        values = {name: foil.under(i) for name, foil in held.items()}
        found = Fitter.of(levelled(spectra.model, paths), spectra.owner).fit(replace(case, held=values))
        good = found.ok & own.ok
        out[i, good] = found.values[good] - own.values[good]
    e0 = levels(spectra.model) | {f"{p.label}.e0" for p in spectra.model.paths}
    out[:, :, [key in e0 for key in own.keys]] = 0.0
    return out
